"""EIO and ENOSPC at every file syscall of a device: each is an error of the replica or none, and the device works on.

strace makes one call of one syscall fail, for every syscall on the files of the replica. The device makes the call
that failed once more, on the replica that is open, and goes on; afterwards everything it told is there. Where the disk
has failed for good it may stop, and a new process on a disk that works finds everything it told.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.torture.replica_process import READS, WRITES, Point, act, chosen, points, strace_is_here
from tests.torture.replica_scenarios import SCENARIOS, Scenario, World
from tests.torture.replica_survival import assert_survived
from tests.torture.report import Outcome, Scale


@dataclass(frozen=True)
class Failing:
    """An error of one call, or (`for_good`) of this one and all like it that follow."""

    error: str
    syscalls: tuple[str, ...]
    for_good: bool = False

    def at(self, point: Point) -> str:
        """Give the option for strace."""
        return f"-einject={point.syscall}:error={self.error}:when={point.n}{'+' * self.for_good}"


FAILING = {
    "EIO": Failing("EIO", WRITES + READS),
    "ENOSPC": Failing("ENOSPC", WRITES),
    "EIO for good": Failing("EIO", WRITES, for_good=True),
}


def torture(scale: Scale) -> Iterator[Outcome]:
    """Fail every syscall of every scenario, or in CI some."""
    for scenario in SCENARIOS if strace_is_here() else ():
        for fault in FAILING:
            with TemporaryDirectory(prefix="apex-io-errors-") as folder:
                yield failed_everywhere(scenario, fault, Path(folder), scale)


def failed_everywhere(scenario: Scenario, fault: str, folder: Path, scale: Scale) -> Outcome:
    """Fail the syscalls of a scenario, one run each."""
    outcome = Outcome(part="device file", fault=f"{fault} at a file syscall: {scenario.name}")
    failing, prepared = FAILING[fault], scenario.prepared(folder / "prepared")
    for number, point in enumerate(chosen(points(scenario, prepared, folder / "unharmed", failing.syscalls), scale)):
        with outcome.run(str(point)):
            fail(scenario, prepared.copied(folder / str(number)), point, failing)
    return outcome


def fail(scenario: Scenario, world: World, point: Point, failing: Failing) -> None:
    """Fail one syscall, and look at what the device did about it."""
    ended = act(scenario, world, failing.at(point))
    if failing.for_good:
        assert ended.injected, "no call failed"
    else:
        assert ended.injected == 1, f"{ended.injected} calls failed"
        assert not ended.words("stopped"), ended.told
    assert_survived(scenario, world, ended)
