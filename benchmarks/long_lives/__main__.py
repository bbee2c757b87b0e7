"""`python -m benchmarks.long_lives`: a record of 10,000 edits, a decade of logs, ninety days of a fleet.

Tables and figures go to .cache/long_lives/; docs/long_lives.md quotes a run. Ten minutes on two quiet cores.
"""

import argparse
import asyncio
from collections.abc import Mapping
from pathlib import Path

import msgspec

from benchmarks.long_lives import long_record, ninety_days, ten_years
from benchmarks.long_lives.figure import Points, line_chart

HERE = Path(".cache/long_lives")


def main() -> None:
    """Measure what is asked for, and write it down."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.long_lives", description=__doc__)
    parser.add_argument("lives", nargs="*", choices=[*LIVES, []], metavar="LIFE", help=f"of {', '.join(LIVES)}: all")
    HERE.mkdir(parents=True, exist_ok=True)
    for name in parser.parse_args().lives or LIVES:
        print(f"living {name} …", flush=True)
        LIVES[name]()


def measure_record() -> None:
    """Edit one record ten thousand times."""
    marks, naive = asyncio.run(long_record.long_record()), long_record.uncompacted()
    write("record", long_record.table(marks, naive), (marks, naive))
    lines = {
        life: [(mark.edits, mark.save_ms + mark.sync_device_ms + mark.sync_server_ms) for mark in of_life]
        for life in dict.fromkeys(mark.life for mark in marks)
        if (of_life := [mark for mark in marks if mark.life == life])
    }
    lines["engine, uncompacted"] = [(one.edits, one.engine_ms) for one in naive]
    draw("record", "Processor time for one more edit of one record, ms", "edits before", lines)


def measure_decade() -> None:
    """Compare ten years with one."""
    year, decade = asyncio.run(ten_years.ten_years())
    write("decade", ten_years.table(year, decade), (year, decade))


def measure_fleet() -> None:
    """Let a fleet live for ninety days."""
    periods = asyncio.run(ninety_days.ninety_days())
    write("fleet", ninety_days.table(periods), periods)
    names = ("sync_ms_p50", "sync_ms_p95", "coach_sync_ms_p50", "save_ms_p50")
    lines = {name: [(one.last_day, getattr(one, name)) for one in periods] for name in names}
    draw("fleet", "Processor time on both sides, ms", "day", lines)


def write(name: str, table: str, figures: object) -> None:
    """Write a table for people and figures for machines."""
    (HERE / f"{name}.md").write_text(table, encoding="utf-8")
    (HERE / f"{name}.json").write_bytes(msgspec.json.format(msgspec.json.encode(figures), indent=1))
    print(table)


def draw(name: str, title: str, x_label: str, lines: Mapping[str, Points]) -> None:
    """Write a chart."""
    (HERE / f"{name}.svg").write_text(line_chart(title, x_label, lines), encoding="utf-8")


LIVES = {"record": measure_record, "decade": measure_decade, "fleet": measure_fleet}

if __name__ == "__main__":
    main()
