"""What the columns of projections take of a record's leaves: each function is total, and gives null for the rest.

A column takes a number, a time, an id, or a word that the models declare; text is for columns that are sealed.
"""

import re
from collections.abc import Iterator
from datetime import MAXYEAR, MINYEAR, UTC, date, datetime
from hashlib import blake2b
from typing import Any

import msgspec
from msgspec import Struct

from apex_sync.coaching.exercise_search import SearchedExercise, searched_exercise
from apex_sync.coaching.food_search import SearchedFood, searched_food
from apex_sync.models import COLLECTIONS
from apex_sync.models.fields import parse_date, parse_local_time
from apex_sync.op import EXACT_INT_MAX

__all__ = [
    "barcode",
    "count",
    "day",
    "entries_of",
    "flag",
    "id_of",
    "key_of",
    "live_entries",
    "local_time",
    "moment",
    "number",
    "offset",
    "searchable_exercise",
    "searchable_food",
    "source",
    "text",
    "utc_offset_minutes",
    "wall_clock",
    "whether",
    "whole",
    "word",
]

TEXT_LENGTH_MAX = 200
"""What a label may hold and an index take; a longer one is no label."""

ID = re.compile(r"[0-9A-Za-z_.:/-]{1,64}")
KEY = re.compile(r"[0-9A-Za-z_-]{1,16}")
BARCODE = re.compile(r"[0-9]{6,32}")
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


def entries_of(value: Any) -> list[tuple[str, Any]]:
    """List the entries of a map that are entries at all."""
    if value.__class__ is not dict:
        return []
    return [(key, entry) for key, entry in value.items() if isinstance(entry, Struct) and text(key) is not None]


def live_entries(value: Any) -> list[tuple[str, str, Any]]:
    """List the entries that are not deleted as (order, key, entry), in the reader's order."""
    return sorted(
        (entry.order if entry.order.__class__ is str else "", key, entry)
        for key, entry in entries_of(value)
        if entry.deleted is not True
    )


def text(value: Any) -> str | None:
    """Give a label."""
    if value.__class__ is str and len(value) <= TEXT_LENGTH_MAX and "\0" not in value:
        return value if value.isascii() or _is_unicode(value) else None
    return None


def searchable_exercise(exercise: Any) -> str:
    """Take what a search reads of a whole exercise, as JSON."""
    return _words_of(searched_exercise(exercise))


def searchable_food(food: Any) -> str:
    """Take what a search reads of a whole food, as JSON."""
    return _words_of(searched_food(food))


def _words_of(searched: SearchedExercise | SearchedFood) -> str:
    """Write what is searched; a word that Postgres does not hold is left empty."""
    parts = msgspec.structs.astuple(searched)
    return msgspec.json.encode(
        [[text(each) or "" for each in part] if isinstance(part, tuple) else text(part) or "" for part in parts]
    ).decode()


def word(value: Any) -> str | None:
    """Give a word that the models declare."""
    return value if value.__class__ is str and value in WORDS else None


def id_of(value: Any) -> str | None:
    """Give what has the form of an id."""
    return value if value.__class__ is str and ID.fullmatch(value) else None


def barcode(value: Any) -> str | None:
    """Give the digits of a barcode."""
    return value if value.__class__ is str and BARCODE.fullmatch(value) else None


def source(value: Any) -> str | None:
    """Give the app that a log was imported from."""
    return value if value.__class__ is str and value in SOURCES else None


def key_of(key: str) -> str:
    """Give the key of an entry as rows have it: what is no id in form may be text, and only its hash stands there."""
    if KEY.fullmatch(key):
        return key
    return "~" + blake2b(key.encode("utf-8", "surrogatepass"), digest_size=HASHED_KEY_BYTES).hexdigest()


def whole(value: Any) -> int | None:
    """Give a whole number that a double holds exactly."""
    return value if value.__class__ is int and -EXACT_INT_MAX <= value <= EXACT_INT_MAX else None


def number(value: Any) -> float | None:
    """Give a finite double, without the sign of zero."""
    if value.__class__ is float:
        return value + 0.0 if -1e300 <= value <= 1e300 else None
    exact = whole(value)
    return None if exact is None else float(exact)


def flag(value: Any) -> bool | None:
    """Give what was said, yes or no."""
    return value if value.__class__ is bool else None


def whether(value: Any) -> bool:
    """Tell whether it was said."""
    return value is True


def count(value: Any) -> int:
    """Count the entries of a map that are not deleted."""
    return len(live_entries(value))


def day(value: Any) -> date | None:
    """Give a day of the calendar."""
    found = parse_date(value) if value.__class__ is str else None
    return found if found is not None and _is_finite(found) else None


def local_time(value: Any) -> datetime | None:
    """Give a local time, with its offset where it has one."""
    found = parse_local_time(value) if value.__class__ is str else None
    return found if found is not None and _is_finite(found) else None


def moment(value: Any) -> datetime | None:
    """Give the wall clock of a local time."""
    return wall_clock(local_time(value))


def instant(value: Any) -> datetime | None:
    """Give a moment in UTC."""
    found = local_time(value)
    return found if found is None or found.tzinfo is None else wall_clock(found.astimezone(UTC))


def offset(value: Any) -> int | None:
    """Give the minutes by which the wall clock of a local time is ahead of UTC."""
    return utc_offset_minutes(local_time(value))


def wall_clock(found: datetime | None) -> datetime | None:
    """Give what the clock on the wall showed."""
    return found.replace(tzinfo=None, fold=0) if found is not None else None


def utc_offset_minutes(found: datetime | None) -> int | None:
    """Give the minutes that a clock was ahead of UTC, where the device knew it."""
    ahead = found.utcoffset() if found is not None else None
    return None if ahead is None else round(ahead.total_seconds() / 60)


def _is_unicode(value: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in value)


def _is_finite(found: date) -> bool:
    """Leave out the ends of the calendar, which stand for infinity on the way to Postgres."""
    return MINYEAR < found.year < MAXYEAR
