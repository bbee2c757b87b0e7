"""EIO and ENOSPC at every file syscall of a device: each is an error of the replica or none, and the device works on.

strace makes one call of one syscall fail, for every syscall on the files of the replica. The device makes the call
that failed once more, on the replica that is open, and goes on; afterwards everything it told is there.
"""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.torture.replica_process import READS, WRITES, Point, act, chosen, points, strace_is_here
from tests.torture.replica_scenarios import SCENARIOS, Scenario, World
from tests.torture.replica_survival import assert_survived
from tests.torture.report import Outcome, Scale

FAILING = {"EIO": WRITES + READS, "ENOSPC": WRITES}


def torture(scale: Scale) -> Iterator[Outcome]:
    """Fail every syscall of every scenario, or in CI some."""
    for scenario in SCENARIOS if strace_is_here() else ():
        for error in FAILING:
            with TemporaryDirectory(prefix="apex-io-errors-") as folder:
                yield failed_everywhere(scenario, error, Path(folder), scale)


def failed_everywhere(scenario: Scenario, error: str, folder: Path, scale: Scale) -> Outcome:
    """Fail the syscalls of a scenario, one run each."""
    outcome = Outcome(part="device file", fault=f"{error} at a file syscall: {scenario.name}")
    prepared = scenario.prepared(folder / "prepared")
    for number, point in enumerate(chosen(points(scenario, prepared, folder / "unharmed", FAILING[error]), scale)):
        with outcome.run(str(point)):
            fail(scenario, prepared.copied(folder / str(number)), point, error)
    return outcome


def fail(scenario: Scenario, world: World, point: Point, error: str) -> None:
    """Fail one syscall, and look at what the device did about it."""
    ended = act(scenario, world, f"-einject={point.syscall}:error={error}:when={point.n}")
    assert ended.injected == 1, f"{ended.injected} calls failed: {ended.told}"
    assert ended.words("closed") or ended.words("wrong"), ended.told
    assert_survived(scenario, world, ended)
