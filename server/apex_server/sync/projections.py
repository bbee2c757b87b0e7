"""Projections: what a record is in relational rows, for coaches' queries, REST and analysis.

`project` is pure and total: any record gives rows, whatever its leaves hold, and the same record the same rows. Where a
leaf is not what its column takes (31 February, a name of 10,000 characters) the column is null; bounds of the model do
not matter here. A deleted record has no rows, and neither has a deleted entry. Free text stays in the document: a
column takes a number, a time, an id, or a word that the models declare, and everything else is null. Names of exercises
are the exception; their columns are sealed on the way into Postgres (`sealing.py`).

Every row belongs to one record and can be made anew from it (`rebuild.py`). Raise VERSION when the rows of an unchanged
record change; the tables themselves stand in db/migrations.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import lru_cache
from math import fsum
from operator import attrgetter
from typing import Any, NamedTuple

from apex_server.sync.column_values import (
    day,
    entries_of,
    flag,
    id_of,
    instant,
    key_of,
    live_entries,
    local_time,
    number,
    source,
    text,
    utc_offset_minutes,
    wall_clock,
    whole,
    word,
)
from apex_server.sync.flat_tables import FLAT_TABLES, MACROS, flat_row
from apex_server.sync.store import Row, RowsByTable
from apex_sync.coaching.exercise_totals import HardSet, exercise_totals, hard_set
from apex_sync.coaching.leaves import minutes_lasted
from apex_sync.coaching.leaves import number as within
from apex_sync.coaching.leaves import whole as within_whole
from apex_sync.coaching.message_view import sent_messages
from apex_sync.coaching.nutrition import day_totals
from apex_sync.coaching.plan import plan_from_program
from apex_sync.coaching.sets import (
    DROP,
    LOAD_KG_MAX,
    LOAD_KG_MIN,
    REPS_MAX,
    RIR_MAX,
    RPE_MAX,
    RPE_MIN,
    WARMUP,
    starts_drops,
)
from apex_sync.coaching.strength import StrengthEstimate
from apex_sync.collection import Record

__all__ = ["VERSION", "project"]

VERSION = 9

NEVER = datetime(1970, 1, 1)  # noqa: DTZ001 - as every timestamp of a projection.
"""When a message was sent that names no day of the calendar: it stands before all others."""


def project(collection: str, record: Record) -> RowsByTable:
    """Give all rows of a record by table; a collection without projections has none."""
    if record.deleted is True:
        return {}
    projector = _PROJECTORS.get(collection)
    rows = projector(record) if projector is not None else {}
    if collection in FLAT_TABLES:
        return {collection: [flat_row(record, FLAT_TABLES[collection])], **rows}
    return rows


def _workout_logs(log: Any) -> RowsByTable:
    started, ended = local_time(log.start_time), local_time(log.end_time)
    row = (
        day(log.date) or (started.date() if started else None),
        wall_clock(started),
        wall_clock(ended),
        utc_offset_minutes(started if started is not None else ended),
        minutes_lasted(number(log.duration_minutes), log.start_time, log.end_time),
        id_of(log.program_id),
        whole(log.week_number),
        whole(log.day_number),
        whole(log.fatigue),
        whole(log.pump),
        whole(log.mood),
        flag(log.completed),
        source(log.source),
    )
    exercises, sets, totals = _exercises_and_sets(log)
    return {"workout_logs": [(*row, *totals)], "logged_exercises": exercises, "logged_sets": sets}


class _Group(NamedTuple):
    """Where the sets of one exercise stand: its place, and then the name of an exercise that is not there."""

    position: int
    missing: str
    label: str | None
    skipped: bool
    hard: list[HardSet]


_DELETED = _Group(0, "", None, False, [])


def _exercises_and_sets(log: Any) -> tuple[list[Row], list[Row], Row]:
    """List exercises in their order, sets in theirs (that of `apex_sync.coaching.sets`), and what all sets come to.

    Sets of no known exercise come last; those of a deleted one are left out.
    """
    exercises: list[tuple[list[HardSet], Row, Row]] = []
    groups = dict.fromkeys(log.exercises if log.exercises.__class__ is dict else (), _DELETED)
    supersets: dict[str, str] = {}
    for position, (_, key, entry) in enumerate(live_entries(log.exercises), 1):
        skipped, row_key = entry.skipped is True, key_of(key)
        hard: list[HardSet] = []
        groups[key] = _Group(position, "", row_key, skipped, hard)
        label = entry.superset
        # The label is the athlete's word for it; which entries share one is all that a row has to tell.
        superset = supersets.setdefault(label, str(len(supersets) + 1)) if label.__class__ is str and label else None
        named = (id_of(entry.exercise_id), text(entry.name), skipped, superset)
        exercises.append((hard, (row_key, position), named))
    ordered = []
    for key, entry in entries_of(log.sets):
        exercise = entry.exercise if entry.exercise.__class__ is str else ""
        group = groups.get(exercise)
        if group is None:
            group = groups[exercise] = _Group(
                len(exercises) + 1, exercise, key_of(exercise) if exercise else None, False, []
            )
        if group is not _DELETED and entry.deleted is not True:
            order = entry.order if entry.order.__class__ is str else ""
            ordered.append((group.position, group.missing, order, key, group, entry))
    ordered.sort()  # Keys differ, so nothing behind them is ever compared.
    sets = []
    completed_sets = 0
    before, after_drop = _DELETED, False
    for position, (_, _, _, key, group, entry) in enumerate(ordered, 1):
        columns, counted, is_completed, after_drop = _told(
            _set_leaves(entry), group.skipped, after_drop and group is before
        )
        sets.append((key_of(key), group.label, position, *columns))
        if counted is not None:
            group.hard.append(counted)
        completed_sets += is_completed
        before = group
    all_hard = [each for group in groups.values() for each in group.hard]
    totals = (completed_sets, fsum([each.share for each in all_hard]), fsum([each.volume_load_kg for each in all_hard]))
    return [(*place, *_totals(hard), *named) for hard, place, named in exercises], sets, totals


class _Told(NamedTuple):
    """What the leaves of a set tell: its columns after key, exercise and position, and what counts of it if it is hard.

    `starts_drops`: a drop set after it is a later drop.
    """

    columns: Row
    hard: HardSet | None
    counts_as_completed: bool
    starts_drops: bool


_set_leaves: Callable[[Any], tuple[Any, ...]] = attrgetter(
    "type", "reps", "load_kg", "load", "load_unit", "rpe", "rir", "completed", "failure_reason", "distance_m",
    "duration_seconds",
)  # fmt: skip

SETS_REMEMBERED_MAX = 4096
"""About 3 MB. Eight reps of 100 kg at RPE 8 recur for a year of training, and are read once."""


def _told(leaves: tuple[Any, ...], skipped: bool, after_drop: bool) -> _Told:
    """Read the leaves of a set, as often as they recur but once."""
    try:
        return _told_once(leaves, skipped, after_drop)
    except TypeError:  # A leaf of no kind that a model declares, which nothing can be looked up by.
        return _told_once.__wrapped__(leaves, skipped, after_drop)


@lru_cache(maxsize=SETS_REMEMBERED_MAX)
def _told_once(leaves: tuple[Any, ...], skipped: bool, after_drop: bool) -> _Told:
    """Read them. Equal leaves are of one kind, as a model reads them, so they tell the same."""
    kind, reps, load_kg, load, load_unit, rpe, rir, completed, failure_reason, distance_m, duration_seconds = leaves
    done = completed if completed.__class__ is bool else not skipped
    type_ = word(kind) or "working"
    reps_, load_kg_, rpe_, rir_ = whole(reps), number(load_kg), number(rpe), number(rir)
    later_drop = after_drop and type_ == DROP
    columns = (
        type_,
        reps_,
        load_kg_,
        number(load),
        word(load_unit),
        rpe_,
        rir_,
        done,
        word(failure_reason),
        number(distance_m),
        number(duration_seconds),
        later_drop,
    )
    hard = hard_set(
        kind=type_,
        reps=within_whole(reps_, 0, REPS_MAX),
        load_kg=within(load_kg_, LOAD_KG_MIN, LOAD_KG_MAX),
        rpe=within(rpe_, RPE_MIN, RPE_MAX),
        rir=within(rir_, 0.0, RIR_MAX),
        completed=done,
        later_drop=later_drop,
    )
    return _Told(columns, hard, done and type_ != WARMUP, starts_drops(type_, done, later_drop))


def _totals(hard: list[HardSet]) -> Row:
    """Write out what the hard sets of an exercise come to."""
    totals = exercise_totals(hard)
    return (
        totals.hard_sets,
        totals.volume_load_kg,
        totals.top_load_kg,
        totals.top_reps,
        totals.top_rpe,
        *_estimate(totals.epley),
        *_estimate(totals.rpe_table),
    )


def _estimate(found: StrengthEstimate | None) -> Row:
    return (None, None) if found is None else (found.e1rm_kg, found.low_confidence)


def _check_in_photos(check_in: Any) -> RowsByTable:
    """List the photos whose bytes are media."""
    named = [(key_of(key), id_of(photo.media_id)) for _, key, photo in live_entries(check_in.photos)]
    return {"check_in_photos": [row for row in named if row[1] is not None]}


def _nutrition_logs(log: Any) -> RowsByTable:
    eaten = day_totals(log)
    row = (
        day(log.date),
        eaten.meals,
        eaten.foods,
        *(getattr(eaten.macros, name) for name in MACROS),
    )
    return {"nutrition_logs": [row]}


def _scheduled_sessions(program: Any) -> RowsByTable:
    """List what a program asks for and when, as the rules read it (`apex_sync.coaching.plan`)."""
    scheduled = plan_from_program("", program).scheduled
    return {
        "scheduled_sessions": [
            (f"{due.week_number}.{due.day_number}", due.date, due.week_number, due.day_number, due.sets)
            for due in scheduled
        ]
    }


def _messages(record: Any) -> RowsByTable:
    """List what each side says; a text is its own document's."""
    return {
        "messages": [
            (
                said.sender,
                instant(said.sent_at) or NEVER,
                word(said.type),
                id_of(said.reply_to),
                id_of(said.media_id),
                number(said.duration_seconds),
                instant(said.read_at),
                said.deleted,
                id_of(said.thumbnail_media_id),
            )
            for said in sent_messages("", record)
        ]
    }


_PROJECTORS: Mapping[str, Callable[[Any], RowsByTable]] = {
    "check_ins": _check_in_photos,
    "messages": _messages,
    "nutrition_logs": _nutrition_logs,
    "programs": _scheduled_sessions,
    "workout_logs": _workout_logs,
}
