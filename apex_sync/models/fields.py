"""The field types that several models share, with their bounds.

Patterns are written for Python and JavaScript alike: JSON Schema has the latter's, where `$` is the very end, while
Python's also matches before a last newline.
"""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Annotated, Any

from msgspec import Meta

from apex_sync.errors import FieldProblem
from apex_sync.problems import patterned

Score = Annotated[int, Meta(ge=1, le=10)]
"""A subjective answer, 1 (least) to 10 (most)."""

Name = Annotated[str, Meta(max_length=200)]
Note = Annotated[str, Meta(max_length=10_000)]
Key = Annotated[str, Meta(min_length=1, max_length=16)]
"""The short id of an entry within its record, made on the device."""

Ref = Annotated[str, Meta(min_length=1, max_length=64)]
"""The id of another record."""

Date = Annotated[
    str,
    Meta(
        pattern=patterned(r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$(?!\n)", "a day, `2026-03-01`"),
        extra_json_schema={"format": "date"},
    ),
]
"""A calendar day in the athlete's time zone, `2026-03-01`."""

LocalTime = Annotated[
    str,
    Meta(
        pattern=patterned(
            r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}"
            r"(\.[0-9]{1,6})?(Z|[+-][0-9]{2}:[0-9]{2})?$(?!\n)",
            "a time, `2026-03-01T18:05:00+01:00`",
        ),
        examples=["2026-03-01T18:05:00+01:00"],
    ),
]
"""The athlete's wall clock, with its offset where the device knew one (imports do not)."""

Instant = Annotated[
    str,
    Meta(
        pattern=patterned(
            r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z$(?!\n)",
            "a time in UTC, `2026-03-01T17:05:00.000Z`",
        ),
        examples=["2026-03-01T17:05:00.000Z"],
    ),
]
"""A moment between people who may be in different time zones; as text it sorts as it happened."""


NOT_IN_CALENDAR = "is not in the calendar"


def parse_date(value: Any) -> date | None:
    """Read a Date leaf; None where it is absent or no day of the calendar."""
    try:
        return date.fromisoformat(value) if value else None
    except ValueError:
        return None


def parse_local_time(value: Any) -> datetime | None:
    """Read a LocalTime leaf, aware where it has an offset; None where it is absent or no real time."""
    try:
        return datetime.fromisoformat(value) if value else None
    except ValueError:
        return None


def calendar_problems(record: Any, *fields: str) -> list[FieldProblem]:
    """Find dates that have the right form and are not in the calendar (31 February)."""
    return list(_calendar_problems(record, fields))


def _calendar_problems(record: Any, fields: tuple[str, ...]) -> Iterable[FieldProblem]:
    for field in fields:
        value = getattr(record, field)
        if value and parse_local_time(value) is None:
            yield FieldProblem(field, NOT_IN_CALENDAR)


def order_problems(record: Any, first: str, last: str) -> list[FieldProblem]:
    """Find a last day before the first one."""
    start, end = parse_date(getattr(record, first)), parse_date(getattr(record, last))
    return [FieldProblem(last, f"is before `{first}`")] if start and end and end < start else []


def orphan_problems(record: Any, children: str, field: str, parents: str) -> list[FieldProblem]:
    """Find entries of one map whose `field` names no entry of another."""
    known = getattr(record, parents) or {}
    return [
        FieldProblem(f"{children}.{key}.{field}", f"names an entry that is not in `{parents}`")
        for key, entry in (getattr(record, children) or {}).items()
        if (parent := getattr(entry, field)) and parent not in known
    ]
