"""Run simulated fleets: `make simulate [SEEDS=2000] [SEED=1] [STEPS=200]`.

Each seed is one fleet and everything that goes wrong for it. With SEED it is that run alone, twice (the same seed gives
the same trace), and where it fails it is shrunk to the steps that it needs. `--out FILE` records the runs, one line
each, and goes on where the last campaign on the same code was stopped. Exits 1 when a run failed.

    make simulate                           2,000 seeds, two or three minutes on two cores
    make simulate SEEDS=100000 OUT=build/simulation.jsonl
    make simulate SEED=1234
    python -m tests.simulation --bugs       which seed finds each planted bug
"""

import argparse
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import msgspec
import rich
from rich.markup import escape
from rich.progress import track
from rich.table import Table

from tests.simulation.campaign import Recorded, be_quiet, code_here, outcome, outcomes, recorded
from tests.simulation.plan import FAULTS, STEPS, USUAL, Plan
from tests.simulation.planted import BUGS, finding_seed
from tests.simulation.shrinking import kinds, shrunk
from tests.simulation.world import Outcome, simulate

FAILURES_TOLD = 10
IN_WORDS = {
    "edit": "an edit",
    "burst": "3 to 8 edits at once",
    "sync": "a sync",
    "background": "background sync and live channel on or off",
    "pass": "time that passes",
    "rest": "a write over REST",
    "analysis": "a write of the system",
    "weather": "requests and answers lost, doubled, late, reordered, cut",
    "clog": "a link clogged, or let go with all that waited",
    "crash": "an app killed before, in or after one of its next 12 writes",
    "power": "power lost, with what was not durable",
    "skew": "a clock set, up to 20 years off",
    "skip": "a minute to 40 days that pass in a moment",
    "image": "a device's backup",
    "put_back": "a device put back to a backup (some after a year)",
    "clone": "a backup started on a second phone",
    "grant": "a coach's access ended, or begun again",
    "expire": "every access token over",
    "kill_server": "a server process killed",
    "database": "a database that goes away at any moment, or comes back",
    "backup": "the server's backup",
    "restore": "the server restored from a backup",
    "compact": "a compaction of what is long",
    "forbidden": "a tampered app writes forbidden fields",
    "mistyped": "a tampered app writes mistyped fields",
    "newer_app": "a newer app writes unknown fields",
    "hostile": "mangled, stolen and forged frames",
    "old_app": "a server that reads old apps no more, or again",
    "sign_out_elsewhere": "signed out everywhere",
    "settling rounds": "syncs of every device until all was settled",
}
"""What happens in a run; other counts are the errors by which the SDK refused an edit at once."""


def run_one(seed: int, steps: int) -> int:
    """Run one seed twice, and shrink it if it fails."""
    be_quiet()
    first, second = outcome(seed, steps=steps), outcome(seed, steps=steps)
    rich.print(f"seed {seed}: {sum(first.counts.values())} events, trace {first.trace or 'none, it broke off'}")
    if first.trace != second.trace:
        rich.print(f"[red]the second time the trace was {second.trace}[/red]")
        return 1
    if not first.failures:
        rich.print("nothing lost, nothing doubled, nobody stuck, one content")
        return 0
    plan = Plan.of(seed, steps)
    for failure in first.failures:
        print(failure)
    rich.print("[red]fails[/red]; looking for the steps that it needs ...")
    found = kinds(first.failures)
    kept = shrunk(plan, lambda fewer: bool(found & kinds(simulate(fewer).failures)))
    rich.print("with these alone it fails alike:", [plan.steps[number].kind for number in kept])
    for failure in simulate(plan.only(kept)).failures:
        print(failure)
    print("as a named run (ONCE_FAILED in tests/simulation/test_simulation.py; say in words what was wrong):")
    print(f'    "…": Plan.of({seed}).only({kept}),')
    return 1


def run_many(seeds: range, steps: int, out: Path | None) -> int:
    """Run seeds that are not recorded yet, and print what happened and how often."""
    code = code_here()
    done = recorded(out, code, steps) if out else {}
    missing = [seed for seed in seeds if seed not in done]
    started = time.monotonic()
    fresh: list[Outcome] = []
    if out:
        out.parent.mkdir(parents=True, exist_ok=True)
    file = out.open("ab") if out else None
    for one in track(outcomes(missing, steps=steps), "simulating", total=len(missing)):
        fresh.append(one)
        if file:
            file.write(msgspec.json.encode(Recorded(code, steps, one)) + b"\n")
            file.flush()
    seconds = time.monotonic() - started
    told = [*(run for seed, run in done.items() if seed in seeds), *fresh]
    print_table(told)
    failed = [run for run in told if run.failures]
    speed = f", {len(fresh) / seconds:.1f} a second now" if fresh else ""
    rich.print(f"{len(told):,} seeds of {steps} steps{speed}: {len(failed):,} failed")
    for run in failed[:FAILURES_TOLD]:
        rich.print(f"[red]seed {run.seed}[/red]: {escape(run.failures[0].strip().splitlines()[-1][:300])}")
        print(f"    make simulate SEED={run.seed}")
    return int(bool(failed))


def print_table(told: list[Outcome]) -> None:
    """Print what happened how often, in how many runs, and how many of them failed."""
    times: Counter[str] = Counter()
    runs: Counter[str] = Counter()
    failed: Counter[str] = Counter()
    for run in told:
        times.update(run.counts)
        runs.update(run.counts.keys())
        failed.update(run.counts.keys() if run.failures else ())
    table = Table("what happened", "times", "in runs", "failed")
    for column in table.columns[1:]:
        column.justify = "right"
    for part in (USUAL, FAULTS, times.keys() - USUAL.keys() - FAULTS.keys()):
        for what in sorted(times.keys() & set(part), key=lambda what: -times[what]):
            row = (times[what], runs[what], failed[what])
            table.add_row(IN_WORDS.get(what, f"an edit refused: {what}"), *(f"{number:,}" for number in row))
        table.add_section()
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
