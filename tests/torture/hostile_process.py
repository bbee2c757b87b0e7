"""A process that reads what is hostile, and tells as JSON what that cost: `python -m tests.torture.hostile_process`.

It is a process of its own so that one that dies fails a test and not the run, and so that its memory is its own.
"""

import gc
import re
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from random import Random

import msgspec
from msgspec import Struct

from apex_sync.testing.hostile import ME, Mutation, mutations
from apex_sync.wire import OPS_MAX, encode_push, parse_push
from tests.torture.hostile_reading import CORPUS, READERS, read, seeds, verify

WARM_UP = 3000
PROGRESS = 100_000
LOOKED_AT_AGAIN_NS = 1_000_000
REPEATS = 5
"""What took long is read again, and the shortest time counts: a process is interrupted, code is not."""


class Cost(Struct, kw_only=True):
    """What reading cost: processor time of the slowest input, and memory at its peak beyond that of a warm process."""

    inputs: int = 0
    taken: int = 0
    slowest_ms: float = 0.0
    slowest: str = ""
    growth_bytes: int = 0
    honest_ms: float = 0.0
    """The largest update that is well formed, read in the same run."""
    wrong: list[str] = []


def inputs(count: int, seed: int) -> Iterator[Mutation]:
    """Give the whole corpus, and then so many mutations of it."""
    for kind, named in CORPUS.items():
        for name, data in named.items():
            yield Mutation(kind, name, data)
    yield from islice(mutations(seeds(), Random(seed)), count)


def cost_of(count: int, seed: int) -> Cost:
    """Read everything."""
    for warming in inputs(WARM_UP, seed):
        read(warming.kind, warming.data)
    gc.collect()
    forget_peak()
    before = memory("VmRSS")
    cost = Cost(honest_ms=honest_ms())
    for mutation in inputs(count, seed + 1):
        cost.inputs += 1
        try:
            read_timed(cost, mutation)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the finding.
            cost.wrong.append(f"{mutation.kind} {mutation.data.hex()[:2000]}: {error!r}")
        if cost.inputs % PROGRESS == 0:
            print(f"{cost.inputs:,} hostile inputs", file=sys.stderr, flush=True)
    cost.growth_bytes = memory("VmHWM") - before
    return cost


def read_timed(cost: Cost, mutation: Mutation) -> None:
    """Read an input in every way, and remember the slowest."""
    taken = False
    for reader in READERS[mutation.kind]:
        started = time.thread_time_ns()
        taken |= reader(mutation.data)
        took = time.thread_time_ns() - started
        if took > LOOKED_AT_AGAIN_NS and took / 1e6 > cost.slowest_ms:
            took = shortest_ns(partial(reader, mutation.data))
        if took / 1e6 > cost.slowest_ms:
            cost.slowest_ms, cost.slowest = took / 1e6, f"{mutation.seed}, by {reader.__name__}"
    if taken:
        cost.taken += 1
        verify(mutation.kind, mutation.data)


def shortest_ns(reading: Callable[[], object]) -> int:
    """Give the least processor time that a reading takes, in nanoseconds."""
    times = []
    for _ in range(REPEATS):
        started = time.thread_time_ns()
        reading()
        times.append(time.thread_time_ns() - started)
    return min(times)


def honest_ms() -> float:
    """Time the push of as many ops as a record holds."""
    push = encode_push(ME, 0, [b"\x90"] * OPS_MAX)
    return shortest_ns(partial(parse_push, push, ME)) / 1e6


def memory(name: str) -> int:
    """Give what the process has, or had at most, in bytes."""
    [kilobytes] = re.findall(rf"{name}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(kilobytes) * 1024


def forget_peak() -> None:
    """Let the peak of the memory begin at what it is now."""
    Path("/proc/self/clear_refs").write_text("5")


if __name__ == "__main__":
    print(msgspec.json.encode(cost_of(int(sys.argv[1]), int(sys.argv[2]))).decode())
