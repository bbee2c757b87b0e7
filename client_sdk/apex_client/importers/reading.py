"""Read an export: from a file to a plan, without a database.

    text (bounded, decoded) -> layout (by headers) -> records (with line numbers) -> sessions -> workouts

Nothing is written and nothing is decided for the person: a unit that is not stated and a session that stands in the
file twice are asked about.
"""

from pathlib import Path
from typing import Literal

from apex_client.importers.doubled import DOUBLED, is_doubled, without_second_copy
from apex_client.importers.errors import LoadUnit, UnitNeeded
from apex_client.importers.layouts import Layout, recognise
from apex_client.importers.plan import (
    SECOND_COPY,
    ImportedWorkout,
    ImportPlan,
    ImportWarning,
    QuarantinedWorkout,
    SkippedRow,
)
from apex_client.importers.row_values import RowValues
from apex_client.importers.sessions import Reading, Session, SessionReader
from apex_client.importers.sources import SOURCES
from apex_client.importers.text import read_text
from apex_client.importers.units import UnitGuess, guess_unit
from apex_client.importers.values import Unreadable, read_number
from apex_client.importers.workouts import record_id, workout

AcceptDoubled = Literal["once", "both"]


def read_export(
    path_or_bytes: str | Path | bytes, *, unit: LoadUnit | None = None, accept_doubled: AcceptDoubled | None = None
) -> ImportPlan:
    """Read a workout export of Strong, Hevy, FitNotes or Fitbod.

    `unit` is for files that do not state the unit of their loads, and only for those. `accept_doubled` is the person's
    answer about sessions whose second half repeats the first: take one copy, or take everything as it stands; without
    an answer they are quarantined. One pass, about 100,000 rows a second.

    Raises an ImportFailed: FileUnreadable, FileTooLarge, EmptyFile, NotAnExport, UnitNeeded.
    """
    if unit not in (None, "kg", "lb") or accept_doubled not in (None, "once", "both"):
        raise ValueError(f"not a unit and answer: {unit!r}, {accept_doubled!r}")
    text, remark = read_text(path_or_bytes)
    layout = recognise(text, SOURCES)
    if unit is None and not _states_unit(layout):
        _ask_for_unit(text, layout)
    values = RowValues(layout, unit)
    reading = SessionReader(layout, values).read(layout.records(text))
    if values.unstated:
        raise UnitNeeded(*_guess(values))
    remarks = [*filter(None, [remark]), *layout.warnings, *_unit_remarks(values, unit)]
    reading.warnings[:0] = [ImportWarning(None, reason) for reason in remarks]
    return _plan(layout, reading, accept_doubled, _load_unit(values))


def _guess(values: RowValues) -> UnitGuess:
    """Guess the unit of the rows without one from the rows with one."""
    if not values.stated_units:
        return UnitGuess("kg", "nothing in the file tells otherwise")
    unit: LoadUnit = "lb" if values.stated_units == {"lb"} else "kg"
    return UnitGuess(unit, f"{values.unstated} different loads or distances have no unit, the others are in {unit}")


def _states_unit(layout: Layout) -> bool:
    """Whether the loads have a unit, in their header or in a column of its own."""
    loads = [column for column in layout.columns if column.meaning == "load"]
    return layout.place("load_unit") is not None or all(column.unit for column in loads)


def _ask_for_unit(text: str, layout: Layout) -> None:
    """Ask when there is anything to ask about: a log of body-weight sets needs no unit."""
    loads = _column_numbers(text, layout, "load")
    if any(loads) or any(_column_numbers(text, layout, "distance")):
        raise UnitNeeded(*guess_unit(loads))


def _column_numbers(text: str, layout: Layout, meaning: str) -> list[float]:
    """Give the numbers of a column whose unit is not stated."""
    column = next((column for column in layout.columns if column.meaning == meaning), None)
    if column is None or column.unit or layout.place(f"{meaning}_unit") is not None:
        return []
    numbers = []
    for record in layout.records(text):
        try:
            numbers.append(read_number(record.cells[column.place], decimal_comma=layout.decimal_comma))
        except (Unreadable, IndexError):
            continue
    return numbers


def _unit_remarks(values: RowValues, unit: LoadUnit | None) -> list[str]:
    remarks = []
    if unit and values.stated_units and unit not in values.stated_units and not values.took_given_unit:
        remarks.append(f"the file states its unit, {', '.join(values.stated_units)}; {unit} was not used")
    if values.bare_distances_as:
        remarks.append(
            f"distances have no unit; they were read as {values.bare_distances_as}, by the unit of the loads"
        )
    return remarks


def _load_unit(values: RowValues) -> LoadUnit | None:
    units = values.stated_units | ({values.unit} if values.took_given_unit and values.unit else set())
    return "lb" if units == {"lb"} else "kg" if units == {"kg"} else None


def _plan(
    layout: Layout, reading: Reading, accept_doubled: AcceptDoubled | None, load_unit: LoadUnit | None
) -> ImportPlan:
    workouts: list[ImportedWorkout] = []
    quarantined: list[QuarantinedWorkout] = []
    source = layout.source
    for session in reading.sessions.values():
        doubled = accept_doubled != "both" and is_doubled(session, numbers_sets=source.numbers_sets)
        if doubled and accept_doubled is None:
            quarantined.append(_quarantined(source.name, session))
            continue
        if doubled:
            reading.skipped += _second_copies(session, numbers_sets=source.numbers_sets)
        if session.rows:
            imported, remarks = workout(source.name, session)
            workouts.append(imported)
            reading.warnings += [ImportWarning(imported.lines[0], remark) for remark in remarks]
    return ImportPlan(
        source=source.name,
        rows_read=reading.rows,
        workouts=workouts,
        quarantined=quarantined,
        skipped=sorted(reading.skipped, key=lambda row: row.line),
        warnings=sorted(reading.warnings, key=lambda warning: warning.line or 0),
        load_unit=load_unit,
    )


def _quarantined(source: str, session: Session) -> QuarantinedWorkout:
    return QuarantinedWorkout(
        record_id=record_id(source, session),
        title=session.title,
        date=session.date,
        lines=session.lines,
        rows=session.rows,
        reason=DOUBLED,
    )


def _second_copies(session: Session, *, numbers_sets: bool) -> list[SkippedRow]:
    taken = without_second_copy(session, numbers_sets=numbers_sets)
    return [SkippedRow(line, SECOND_COPY, entry.name) for entry in taken for line in entry.lines]
