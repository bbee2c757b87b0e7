"""kill -9 at every file syscall of a device: opening, saving, syncing, importing and migrating lose and double nothing.

strace kills the process before the n-th call of one syscall, for every syscall on the files of the replica and every n.
"""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.torture.replica_process import Point, act, chosen, points, strace_is_here
from tests.torture.replica_scenarios import SCENARIOS, Scenario, World
from tests.torture.replica_survival import assert_survived
from tests.torture.report import Outcome, Scale


def torture(scale: Scale) -> Iterator[Outcome]:
    """Kill at every syscall of every scenario, or in CI at some."""
    for scenario in SCENARIOS if strace_is_here() else ():
        with TemporaryDirectory(prefix="apex-kills-") as folder:
            yield killed_everywhere(scenario, Path(folder), scale)


def killed_everywhere(scenario: Scenario, folder: Path, scale: Scale) -> Outcome:
    """Kill a scenario at its syscalls, one run each."""
    outcome = Outcome(part="device file", fault=f"kill -9 at a file syscall: {scenario.name}")
    prepared = scenario.prepared(folder / "prepared")
    for number, point in enumerate(chosen(points(scenario, prepared, folder / "unharmed"), scale)):
        with outcome.run(str(point)):
            kill(scenario, prepared.copied(folder / str(number)), point)
    return outcome


def kill(scenario: Scenario, world: World, point: Point) -> None:
    """Kill the device at one syscall, and look at what it left."""
    ended = act(scenario, world, f"-einject={point.syscall}:signal=KILL:when={point.n}")
    assert ended.killed, f"it was not killed: {ended.told}"
    assert_survived(scenario, world, ended)
