"""Run simulated fleets: `make simulate [SEEDS=2000] [SEED=1] [STEPS=200]`.

Each seed is one fleet and everything that goes wrong for it. With SEED it is that run alone, twice (the same seed gives
the same trace), and where it fails it is shrunk to the steps that it needs. `--out FILE` records the runs, one line
each, and goes on where the last campaign was stopped. Exits 1 when a run failed.

    make simulate                           2,000 seeds, two or three minutes on two cores
    make simulate SEEDS=100000 OUT=build/simulation.jsonl
    make simulate SEED=1234
"""

import argparse
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import msgspec
import rich
from rich.progress import track
from rich.table import Table

from tests.simulation.campaign import be_quiet, outcome, outcomes, recorded
from tests.simulation.plan import STEPS, Plan
from tests.simulation.planted import BUGS, finding_seed
from tests.simulation.shrinking import shrunk
from tests.simulation.world import Outcome, simulate

FAILURES_TOLD = 10


def run_one(seed: int, steps: int) -> int:
    """Run one seed twice, and shrink it if it fails."""
    be_quiet()
    first, second = outcome(seed, steps=steps), outcome(seed, steps=steps)
    rich.print(f"seed {seed}: {sum(first.counts.values())} events, trace {first.trace}")
    if first.trace != second.trace:
        rich.print(f"[red]the second time the trace was {second.trace}[/red]")
        return 1
    if not first.failures:
        rich.print("nothing lost, nothing doubled, nobody stuck, one content")
        return 0
    plan = Plan.of(seed, steps)
    kept = shrunk(plan, lambda fewer: bool(simulate(fewer).failures))
    rich.print(f"[red]fails[/red], and with these steps alone: {kept}")
    rich.print([plan.steps[number].kind for number in kept])
    for failure in simulate(plan.only(kept)).failures:
        print(failure)
    return 1


def run_many(seeds: range, steps: int, out: Path | None) -> int:
    """Run seeds that are not recorded yet, and print what happened and how often."""
    done = recorded(out) if out else {}
    missing = [seed for seed in seeds if seed not in done]
    started = time.monotonic()
    fresh: list[Outcome] = []
    if out:
        out.parent.mkdir(parents=True, exist_ok=True)
    file = out.open("ab") if out else None
    for one in track(outcomes(missing, steps=steps), "simulating", total=len(missing)):
        fresh.append(one)
        if file:
            file.write(msgspec.json.encode(one) + b"\n")
            file.flush()
    seconds = time.monotonic() - started
    told = [*(run for seed, run in done.items() if seed in seeds), *fresh]
    print_table(told)
    failed = [run for run in told if run.failures]
    speed = f", {len(fresh) / seconds:.1f} a second now" if fresh else ""
    rich.print(f"{len(told):,} seeds of {steps} steps{speed}: {len(failed):,} failed")
    for run in failed[:FAILURES_TOLD]:
        rich.print(f"[red]seed {run.seed}[/red]: {run.failures[0][:300]}")
    return int(bool(failed))


def print_table(told: list[Outcome]) -> None:
    """Print how often what happened."""
    counts: Counter[str] = Counter()
    for run in told:
        counts.update(run.counts)
    table = Table("what happened", "times")
    table.columns[1].justify = "right"
    for what, times in counts.most_common():
        table.add_row(what, f"{times:,}")
    rich.print(table)


def find_bugs(seeds: int, steps: int) -> int:
    """Plant each bug, and print the first seed that finds it."""
    table = Table("planted bug", "found by seed")
    table.columns[1].justify = "right"
    missed = 0
    with ProcessPoolExecutor(initializer=be_quiet) as pool:
        searches = [pool.submit(finding_seed, name, range(seeds), steps) for name in BUGS]
        for name, search in zip(BUGS, track(searches, "planting"), strict=True):
            found = search.result()
            missed += found is None
            table.add_row(name, "[red]none[/red]" if found is None else str(found))
    rich.print(table)
    return int(bool(missed))


def main() -> int:
    """Read the arguments, and run."""
    formatter = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("make simulate", description=__doc__, formatter_class=formatter)
    parser.add_argument("--seeds", type=int, default=2000, help="how many (default: 2000)")
    parser.add_argument("--first", type=int, default=0, help="the first of them (default: 0)")
    parser.add_argument("--seed", type=int, help="this one alone")
    parser.add_argument("--steps", type=int, default=STEPS, help=f"of each run (default: {STEPS})")
    parser.add_argument("--out", type=Path, help="record the runs here, and go on from there")
    parser.add_argument("--bugs", action="store_true", help="plant bugs, and say which seed finds each first")
    given = parser.parse_args()
    if given.bugs:
        return find_bugs(given.seeds, given.steps)
    if given.seed is not None:
        return run_one(given.seed, given.steps)
    return run_many(range(given.first, given.first + given.seeds), given.steps, given.out)


if __name__ == "__main__":
    sys.exit(main())
