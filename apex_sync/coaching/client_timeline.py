"""What happened to an athlete: the kinds of it, and what each is called, for a server and a coach's device alike."""

from collections.abc import Mapping
from typing import Literal

from apex_sync.coaching.leaves import text
from apex_sync.collection import Collection, Record
from apex_sync.models import INSIGHTS, PROGRAMS, WORKOUT_LOGS

TimelineKind = Literal[
    "workout", "check_in", "metrics", "photo", "nutrition", "messages", "program", "insight", "linked"
]  # fmt: skip

Facts = dict[str, str | float | bool | None]

NAMED: Mapping[TimelineKind, tuple[Collection, str]] = {
    "workout": (WORKOUT_LOGS, "title"),
    "program": (PROGRAMS, "name"),
    "insight": (INSIGHTS, "title"),
}
"""By kind of what people gave a name: where it is kept, and the leaf with the name, which no projection holds."""


def name_of(kind: TimelineKind, record: Record) -> str | None:
    """Give what a record is called; None where it says nothing.

    >>> from apex_sync.models import Program
    >>> name_of("program", Program(name="Base")), name_of("program", Program(name=" "))
    ('Base', None)
    """
    _, leaf = NAMED[kind]
    return text(getattr(record, leaf, None))
