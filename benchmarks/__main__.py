"""`make bench`: every budget beside its physical limit and the naive way, in the same run on the same machine.

Table and figures go to .cache/bench/; docs/benchmarks.md quotes a run. Compare ratios: machines differ and are noisy.
"""

import argparse
import asyncio
import shutil
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from benchmarks.analytics import analytics_rows
from benchmarks.bulk import bulk_rows
from benchmarks.engine import engine_rows
from benchmarks.exercises import exercise_rows
from benchmarks.live import live_rows
from benchmarks.local import local_rows
from benchmarks.table import Row, markdown
from benchmarks.walls import wall_rows
from benchmarks.workload import made_up, read_ndjson

HERE = Path(".cache/bench")
CHECK_INS_PER_WORKOUT = 0.2


async def main() -> None:
    """Measure everything and write it down."""
    arguments = read_arguments()
    make_room()
    count = arguments.workouts
    records = read_ndjson(arguments.file) if arguments.file else made_up(count, round(count * CHECK_INS_PER_WORKOUT))
    rows: list[Row] = []
    for name, measured in (
        ("the engine alone", lambda: asyncio.to_thread(engine_rows, min(count, 5000))),
        ("one device offline", lambda: local_rows(HERE)),
        (f"{len(records):,} records up and down", lambda: bulk_rows(HERE, records)),
        ("two connected devices", lambda: live_rows(HERE)),
        ("a library of exercises", lambda: exercise_rows(HERE)),
        ("a coach among 500 athletes", lambda: analytics_rows(HERE / "analytics", athletes=500, clients=10)),
        ("1,000 records through all walls", lambda: wall_rows(HERE)),
    ):
        print(f"measuring {name} …", flush=True)
        rows += await measured()
    write(rows, len(records))


def make_room() -> None:
    """Begin with an empty folder."""
    shutil.rmtree(HERE, ignore_errors=True)
    HERE.mkdir(parents=True)


def write(rows: list[Row], count: int) -> None:
    """Write the table and the figures, and print the table."""
    table = markdown(rows)
    (HERE / "figures.json").write_bytes(msgspec.json.format(msgspec.json.encode(rows), indent=1))
    heading = f"{count:,} records, {datetime.now(UTC):%Y-%m-%d}"
    (HERE / "table.md").write_text(f"{heading}\n\n{table}", encoding="utf-8")
    print(f"\n{heading}\n\n{table}\nwritten to {HERE}/table.md and {HERE}/figures.json")


def read_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--workouts", type=int, default=10_000, help="how many workouts; a fifth as many check-ins")
    parser.add_argument("--file", type=Path, help="an NDJSON file of logs instead of made-up ones")
    return parser.parse_args()


if __name__ == "__main__":
    asyncio.run(main())
