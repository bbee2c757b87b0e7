"""Many runs on all cores, one line for each in a file, so that a campaign that was stopped goes on where it was."""

import gc
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from pathlib import Path

import msgspec
import structlog
from msgspec import Struct

from apex_client.garbage import garbage_waits
from tests.simulation.plan import Plan
from tests.simulation.world import Outcome, simulate
from tests.torture.tortured_code import ROOT, code_in

SEEDS_AT_ONCE = 8
FOLDERS = ("apex_sync", "client_sdk", "server", "tests/simulation", "tests/engine/naive_fold.py")


def outcomes(seeds: Iterable[int], *, steps: int, jobs: int = os.cpu_count() or 1) -> Iterator[Outcome]:
    """Run seeds, and give what became of each as it ends, in the order of the seeds."""
    with ProcessPoolExecutor(jobs, initializer=be_quiet) as pool:
        yield from pool.map(partial(outcome, steps=steps), seeds, chunksize=SEEDS_AT_ONCE)


def outcome(seed: int, *, steps: int) -> Outcome:
    """Run one seed."""
    with garbage_waits():
        return simulate(Plan.of(seed, steps))


def be_quiet() -> None:
    """Let the server's warnings go, a simulated database is away all the time, and garbage be looked for in runs alone.

    What was imported is most of the memory, and none of it is garbage.
    """
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    gc.freeze()


class Recorded(Struct):
    """A run in a file, and of which code and how many steps it was: of another one it says nothing."""

    code: str
    steps: int
    run: Outcome


@cache
def code_here() -> str:
    """Give a key of all the code that decides how a run ends."""
    return code_in(ROOT, FOLDERS).key


def recorded(path: Path, code: str, steps: int) -> dict[int, Outcome]:
    """Read what a campaign has written; a last line that was cut off is run again."""
    found = {}
    for line in path.read_bytes().splitlines() if path.exists() else ():
        try:
            read = msgspec.json.decode(line, type=Recorded)
        except msgspec.DecodeError:
            continue
        if (read.code, read.steps) == (code, steps):
            found[read.run.seed] = read.run
    return found
