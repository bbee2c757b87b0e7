"""Projections: what a record is in relational rows, for coaches' queries, REST and analysis.

`project` is pure and total: any record gives rows, whatever its leaves hold, and the same record the same rows. Where a
leaf is not what its column takes (31 February, a name of 10,000 characters) the column is null; bounds of the model do
not matter here. A deleted record has no rows, and neither has a deleted entry. Free text stays in the document: a
column takes a number, a time, an id, or a word that the models declare, and everything else is null. Names of exercises
are the exception; their columns are sealed on the way into Postgres (`sealing.py`).

Every row belongs to one record and can be made anew from it (`rebuild.py`). Raise VERSION when the rows of an unchanged
record change; the tables themselves stand in db/migrations.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import MAXYEAR, MINYEAR, date, datetime
from hashlib import blake2b
from typing import Any, NamedTuple

import msgspec
from msgspec import UNSET, Struct

from apex_server.sync.projection_tables import ANSWERS, GIRTHS
from apex_server.sync.store import Row, RowsByTable
from apex_sync.collection import Record
from apex_sync.models import COLLECTIONS
from apex_sync.models.fields import parse_date, parse_local_time
from apex_sync.op import EXACT_INT_MAX

__all__ = ["VERSION", "project"]

VERSION = 3

TEXT_LENGTH_MAX = 200
"""What a label may hold and an index take; a longer one is no label."""


ID = re.compile(r"[0-9A-Za-z_.:/-]{1,64}")
KEY = re.compile(r"[0-9A-Za-z_-]{1,16}")
HASHED_KEY_BYTES = 9
"""72 bits of what is no key that a device made, but has to tell entries of one record apart."""


SOURCES = frozenset({"fitbod", "fitnotes", "hevy", "strong"})
"""Apps that logs are imported from; what else an app names itself stays in the document."""


def words_in(kind: Any) -> Iterator[str]:
    """List the words that a type declares, wherever it holds them."""
    if isinstance(kind, msgspec.inspect.LiteralType):
        yield from (word for word in kind.values if isinstance(word, str))
        return
    for name in getattr(kind, "__struct_fields__", ()):
        parts = getattr(kind, name)
        for part in parts if isinstance(parts, tuple) else (parts,):
            if isinstance(part, msgspec.inspect.Type | msgspec.inspect.Field):
                yield from words_in(part)


WORDS = frozenset(
    word for collection in COLLECTIONS.values() for word in words_in(msgspec.inspect.type_info(collection.model))
)
"""Every value of every enumeration of the models."""


def project(collection: str, record: Record) -> RowsByTable:
    """Give all rows of a record by table; a collection without projections has none."""
    projector = _PROJECTORS.get(collection)
    if projector is None or record.deleted is True:
        return {}
    return projector(record)


def _workout_logs(log: Any) -> RowsByTable:
    started, ended = _local_time(log.start_time), _local_time(log.end_time)
    row = (
        _date(log.date) or (started.date() if started else None),
        _wall_clock(started),
        _wall_clock(ended),
        _utc_offset_minutes(started if started is not None else ended),
        _number(log.duration_minutes),
        _id(log.program_id),
        _whole(log.week_number),
        _whole(log.day_number),
        _whole(log.fatigue),
        _whole(log.pump),
        _whole(log.mood),
        _flag(log.completed),
        _source(log.source),
    )
    exercises, sets = _exercises_and_sets(log)
    return {"workout_logs": [row], "logged_exercises": exercises, "logged_sets": sets}


class _Group(NamedTuple):
    """Where the sets of one exercise stand: its place, and then the name of an exercise that is not there."""

    position: int
    missing: str
    label: str | None
    skipped: bool


_DELETED = _Group(0, "", None, False)


def _exercises_and_sets(log: Any) -> tuple[list[Row], list[Row]]:
    """List exercises in their order and the sets in theirs, which is that of `apex_sync.coaching.sets`.

    Sets of no known exercise come last; those of a deleted one are left out.
    """
    exercises: list[Row] = []
    groups = dict.fromkeys(log.exercises if log.exercises.__class__ is dict else (), _DELETED)
    supersets: dict[str, str] = {}
    for position, (_, key, entry) in enumerate(_live_entries(log.exercises), 1):
        skipped = entry.skipped is True
        groups[key] = _Group(position, "", _key(key), skipped)
        label = entry.superset
        # The label is the athlete's word for it; which entries share one is all that a row has to tell.
        superset = supersets.setdefault(label, str(len(supersets) + 1)) if label.__class__ is str and label else None
        exercises.append((_key(key), position, _id(entry.exercise_id), _text(entry.name), skipped, superset))
    ordered = []
    for key, entry in _entries(log.sets):
        exercise = entry.exercise if entry.exercise.__class__ is str else ""
        group = groups.get(exercise)
        if group is None:
            group = groups[exercise] = _Group(len(exercises) + 1, exercise, _key(exercise) if exercise else None, False)
        if group is not _DELETED and entry.deleted is not True:
            order = entry.order if entry.order.__class__ is str else ""
            ordered.append((group.position, group.missing, order, key, group, entry))
    ordered.sort()  # Keys differ, so nothing behind them is ever compared.
    return exercises, [
        _set_row(key, group, position, entry) for position, (_, _, _, key, group, entry) in enumerate(ordered, 1)
    ]


def _set_row(key: str, group: _Group, position: int, entry: Any) -> Row:
    """Make the row of one set. There are many, and most of their leaves absent, which is told apart without a call."""
    kind, reps, load_kg, load, load_unit = entry.type, entry.reps, entry.load_kg, entry.load, entry.load_unit
    rpe, rir, completed = entry.rpe, entry.rir, entry.completed
    failure_reason, distance_m, duration_seconds = entry.failure_reason, entry.distance_m, entry.duration_seconds
    return (
        _key(key),
        group.label,
        position,
        "working" if kind is UNSET else _word(kind) or "working",
        None if reps is UNSET else _whole(reps),
        None if load_kg is UNSET else _number(load_kg),
        None if load is UNSET else _number(load),
        None if load_unit is UNSET else _word(load_unit),
        None if rpe is UNSET else _number(rpe),
        None if rir is UNSET else _number(rir),
        completed if completed.__class__ is bool else not group.skipped,
        None if failure_reason is UNSET else _word(failure_reason),
        None if distance_m is UNSET else _number(distance_m),
        None if duration_seconds is UNSET else _number(duration_seconds),
    )


def _check_ins(check_in: Any) -> RowsByTable:
    submitted = _local_time(check_in.submitted_at)
    measured, answers = _struct(check_in.measurements), _struct(check_in.responses)
    row = (
        _date(check_in.date),
        _whole(check_in.week_number),
        _number(check_in.weight_kg),
        _number(check_in.weight),
        _word(check_in.weight_unit),
        _number(check_in.body_fat_percent),
        *(_number(getattr(measured, name, None)) for name in GIRTHS),
        *(_whole(getattr(answers, name, None)) for name in ANSWERS),
        len(_live_entries(check_in.photos)),
        _wall_clock(submitted),
        _utc_offset_minutes(submitted),
        check_in.coach_reviewed is True,
        _wall_clock(_local_time(check_in.reviewed_at)),
    )
    return {"check_ins": [row]}


def _programs(program: Any) -> RowsByTable:
    row = (
        _word(program.type),
        _word(program.difficulty),
        _word(program.status),
        _date(program.start_date),
        _date(program.end_date),
        _whole(program.duration_weeks),
        _word(program.weekly_volume),
        _word(program.intensity_zone),
        _id(program.source_id),
        len(_live_entries(program.weeks)),
        len(_live_entries(program.days)),
        len(_live_entries(program.exercises)),
        len(_live_entries(program.sets)),
    )
    return {"programs": [row]}


def _exercises(exercise: Any) -> RowsByTable:
    return {"exercises": [(_text(exercise.name), _text(exercise.muscle_group), _word(exercise.movement_pattern))]}


def _profiles(profile: Any) -> RowsByTable:
    row = (
        _number(profile.training_age_years),
        _word(profile.volume_tolerance),
        _word(profile.recovery_status),
        _whole(profile.training_days_per_week),
        _whole(profile.session_duration_minutes),
        _number(profile.target_weight_kg),
        _number(profile.height_cm),
        _word(profile.load_unit),
    )
    return {"profiles": [row]}


def _insights(insight: Any) -> RowsByTable:
    row = (
        _id(insight.athlete_id),
        _word(insight.kind),
        _id(insight.about_id),
        _word(insight.type),
        _word(insight.priority),
        _word(insight.status),
        _wall_clock(_local_time(insight.acted_at)),
        _id(insight.superseded_by),
        _word(insight.worded_by),
        _id(insight.model_name),
        _number(insight.confidence),
        _wall_clock(_local_time(insight.expires_at)),
        _id(insight.facts_digest),
    )
    return {"insights": [row]}


def _entries(value: Any) -> list[tuple[str, Any]]:
    """List the entries of a map that are entries at all."""
    if value.__class__ is not dict:
        return []
    return [(key, entry) for key, entry in value.items() if isinstance(entry, Struct) and _text(key) is not None]


def _live_entries(value: Any) -> list[tuple[str, str, Any]]:
    """List the entries that are not deleted as (order, key, entry), in the reader's order."""
    return sorted(
        (entry.order if entry.order.__class__ is str else "", key, entry)
        for key, entry in _entries(value)
        if entry.deleted is not True
    )


def _struct(value: Any) -> Struct | None:
    return value if isinstance(value, Struct) else None


def _text(value: Any) -> str | None:
    if value.__class__ is str and len(value) <= TEXT_LENGTH_MAX and "\0" not in value:
        return value if value.isascii() or _is_unicode(value) else None
    return None


def _word(value: Any) -> str | None:
    return value if value.__class__ is str and value in WORDS else None


def _id(value: Any) -> str | None:
    return value if value.__class__ is str and ID.fullmatch(value) else None


def _source(value: Any) -> str | None:
    return value if value.__class__ is str and value in SOURCES else None


def _key(key: str) -> str:
    """Give the key of an entry as rows have it: what is no id in form may be text, and only its hash stands there."""
    if KEY.fullmatch(key):
        return key
    return "~" + blake2b(key.encode("utf-8", "surrogatepass"), digest_size=HASHED_KEY_BYTES).hexdigest()


def _is_unicode(value: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in value)


def _whole(value: Any) -> int | None:
    return value if value.__class__ is int and -EXACT_INT_MAX <= value <= EXACT_INT_MAX else None


def _number(value: Any) -> float | None:
    """Give a finite double, without the sign of zero."""
    if value.__class__ is float:
        return value + 0.0 if -1e300 <= value <= 1e300 else None
    whole = _whole(value)
    return None if whole is None else float(whole)


def _flag(value: Any) -> bool | None:
    return value if value.__class__ is bool else None


def _date(value: Any) -> date | None:
    day = parse_date(value) if value.__class__ is str else None
    return day if day is not None and _is_finite(day) else None


def _local_time(value: Any) -> datetime | None:
    moment = parse_local_time(value) if value.__class__ is str else None
    return moment if moment is not None and _is_finite(moment) else None


def _is_finite(day: date) -> bool:
    """Leave out the ends of the calendar, which stand for infinity on the way to Postgres."""
    return MINYEAR < day.year < MAXYEAR


def _wall_clock(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=None, fold=0) if moment is not None else None


def _utc_offset_minutes(moment: datetime | None) -> int | None:
    offset = moment.utcoffset() if moment is not None else None
    return None if offset is None else round(offset.total_seconds() / 60)


_PROJECTORS: Mapping[str, Callable[[Any], RowsByTable]] = {
    "check_ins": _check_ins,
    "exercises": _exercises,
    "insights": _insights,
    "profiles": _profiles,
    "programs": _programs,
    "workout_logs": _workout_logs,
}
