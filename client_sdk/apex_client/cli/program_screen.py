"""How a day of a program looks in a terminal: supersets and circuits as groups, and the rest where a round ends."""

from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import TYPE_CHECKING

from apex_client.cli.screen import counted, escaped, said, shown, table

if TYPE_CHECKING:
    from rich.table import Table

    from apex_sync.coaching.session_plan import PlannedDay, PlannedGroup, PlannedSetView, PlannedWork

WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
COLUMNS = ("", "exercise", "sets", "load", "effort", "tempo", "rest", "note")


def show_day(day: "PlannedDay", done: "Mapping[str, int] | None" = None) -> None:
    """Print a day; `done` are the hard sets that are logged, by the key of their exercise."""
    name = escaped(day.name or "Training")
    said(f"[bold]{name}[/]  [dim]week {day.week_number}, {WEEKDAYS[day.day_number - 1]}[/]")
    listed = table(*COLUMNS, *(("done",) if done is not None else ()), right=("done",))
    for group in day.groups:
        if group.kind != "straight":
            _add(listed, group.label or "", f"[bold]{group.kind}[/], {counted(group.rounds, 'round')}")
        for place, work in enumerate(group.works, 1):
            _add_work(listed, group, place, work, done)
    shown(listed)
    if day.notes:
        said(f"[dim]note:[/] {escaped(day.notes)}")


def _add_work(
    listed: "Table", group: "PlannedGroup", place: int, work: "PlannedWork", done: "Mapping[str, int] | None"
) -> None:
    is_alone = group.kind == "straight"
    label = "" if is_alone else f"{group.label or ''}{place}"
    is_last = place == len(group.works)
    rest = f"{work.rest_seconds} s" if work.rest_seconds and is_last else ""
    remarks = [*work.coaching_cues, work.notes or "", "drop sets" if work.dropset else ""]
    for number, (sets, load, effort, tempo) in enumerate(set_rows(work)):
        first = number == 0
        _add(
            listed,
            escaped(label) if first else "",
            escaped(work.name or "?") if first else "",
            escaped(sets), escaped(load), escaped(effort), escaped(tempo),
            rest if first else "",
            escaped("; ".join(filter(None, remarks))) if first else "",
            *((f"{done.get(work.key, 0)}",) if done is not None and first else ()),
        )  # fmt: skip


def set_rows(work: "PlannedWork") -> "Iterator[tuple[str, str, str, str]]":
    """Give for each run of equal sets how many of what, the load, the effort and the tempo."""
    if not work.sets:
        yield "", "", "", work.tempo or ""
    for planned, run in groupby(work.sets):
        count = len(list(run))
        kind = "" if planned.type in ("working", "amrap") else f" {planned.type}"
        tempo = planned.tempo or work.tempo or ""
        before = f", rest {planned.rest_before_seconds} s before" if planned.rest_before_seconds else ""
        yield f"{count} × {_reps(planned)}{kind}{before}", load_of(planned), _effort(planned), tempo


def load_of(planned: "PlannedSetView") -> str:
    """Write a prescribed load: what was said, and what that is for this athlete."""
    if planned.load_percent is None:
        return _kilograms(planned)
    resolved = f" = {_kilograms(planned)}" if planned.load_kg is not None else ""
    return f"{planned.load_percent:g} %{resolved}"


def _kilograms(planned: "PlannedSetView") -> str:
    if planned.load is not None and planned.load_unit == "lb":
        return f"{planned.load:g} lb"
    return "" if planned.load_kg is None else f"{planned.load_kg:g} kg"


def _reps(planned: "PlannedSetView") -> str:
    low, high = planned.reps_min, planned.reps_max
    if low is None and high is None:
        return "AMRAP" if planned.type == "amrap" else "?"
    told = (
        f"{low}-{high}" if low is not None and high is not None and low != high else f"{low if high is None else high}"
    )
    return f"{told}+ AMRAP" if planned.type == "amrap" else told


def _effort(planned: "PlannedSetView") -> str:
    if planned.rpe is not None:
        return f"RPE {planned.rpe:g}"
    return "" if planned.rir is None else f"{planned.rir:g} RIR"


def _add(listed: "Table", *cells: str) -> None:
    listed.add_row(*cells, *("" for _ in range(len(listed.columns) - len(cells))))
