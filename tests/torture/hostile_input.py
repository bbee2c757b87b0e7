"""Hostile input: the crafted corpus and mutations of it, read by a process that must neither die, grow nor stand still.

CI: 100,000 mutations, in about 5 s. Full: a million, from other seeds.
"""

import subprocess
import sys
import time
from collections.abc import Iterator

import msgspec

from tests.torture.hostile_process import Cost
from tests.torture.report import Outcome, Scale

MUTATIONS = {Scale.CI: 100_000, Scale.FULL: 1_000_000}
SEEDS = {Scale.CI: 1, Scale.FULL: 1_000}

GROWTH_BYTES_MAX = 20 * 1024 * 1024
SLOWEST_MS_MAX = 5.0
SLOWEST_RATIO_MAX = 1.5
"""Of reading the largest honest update, in the same run; so a slow machine proves nothing and hides nothing."""

PROCESS_SECONDS_MAX = 3600.0


def torture(scale: Scale) -> Iterator[Outcome]:
    """Read hostile input."""
    started = time.monotonic()
    cost = cost_in_a_process(MUTATIONS[scale], SEEDS[scale])
    yield Outcome(
        part="hostile input",
        fault="crafted or mutated bytes",
        runs=cost.inputs,
        failures=[*cost.wrong, *complaints(cost)],
        seconds=time.monotonic() - started,
    )


def cost_in_a_process(count: int, seed: int) -> Cost:
    """Read the corpus and mutations of it in a process of their own; fails when that dies."""
    command = [sys.executable, "-X", "faulthandler", "-m", "tests.torture.hostile_process", str(count), str(seed)]
    process = subprocess.run(command, stdout=subprocess.PIPE, timeout=PROCESS_SECONDS_MAX, check=False)
    assert process.returncode == 0, f"it did not survive seed {seed} (exit {process.returncode})"
    return msgspec.json.decode(process.stdout, type=Cost)


def complaints(cost: Cost) -> list[str]:
    """Say what cost too much."""
    found = []
    if cost.growth_bytes > GROWTH_BYTES_MAX:
        found.append(f"memory grew by {cost.growth_bytes:,} bytes")
    if cost.slowest_ms > max(SLOWEST_MS_MAX, SLOWEST_RATIO_MAX * cost.honest_ms):
        found.append(f"{cost.slowest} took {cost.slowest_ms:.1f} ms; the largest honest one takes {cost.honest_ms:.1f}")
    return found
