"""What the endpoints of programs take and give: the model itself, with its place in the world."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from msgspec import UNSET, Meta, Struct, UnsetType

from apex_server.resources import Origin, record_view
from apex_sync.coaching.completion import ProgramAnalytics
from apex_sync.coaching.program_changes import ProgramChange
from apex_sync.coaching.program_ends import EndedProgram
from apex_sync.models import Program
from apex_sync.models.fields import Date, Name

__all__ = [
    "Assignment",
    "Clone",
    "Loads",
    "NewProgram",
    "ProgramResource",
    "ProgramVersionView",
    "ProgramVersionsPage",
    "ProgramsPage",
]

MAXIMA_MAX = 100
"""Stated at once; a program has some dozens of exercises."""


class NewProgram(Program, kw_only=True):
    """A program to be made: a template of the coach, or with `athlete_id` one that the athlete follows.

    With `athlete_id` and the status `draft` it is for that athlete, who does not see it until it is assigned.
    """

    id: UUID | UnsetType = UNSET
    athlete_id: UUID | UnsetType = UNSET


@record_view
class ProgramResource(Program, kw_only=True):
    """One program; weeks, days, exercises and sets are maps of entries by id. `athlete_id` is null for a template."""

    coach_id: UUID | None = None
    """Who made a template, drafted a program, or assigned the one that an athlete follows; null where nobody knows."""
    analytics: ProgramAnalytics | UnsetType = UNSET
    """On demand, for a program that an athlete follows."""
    ended: list[EndedProgram] | UnsetType = UNSET
    """In the answer to an assignment alone: the programs that gave way to this one with that request."""


class ProgramsPage(Struct):
    """Programs, the latest start first and undated ones before; `next` goes into `after` for the page that follows."""

    programs: list[ProgramResource]
    next: str | None


class ProgramVersionView(Struct):
    """What a program was after one sitting of one author, and what they changed, in words and by path.

    `stamp` names the version; `number` counts what is remembered, from 1. `folded`: how it came to be so is no longer
    known, as the history before it was shortened. `more`: there are more changes than are told.
    """

    number: int
    stamp: int
    at: datetime
    by: Origin
    folded: bool
    changes: list[ProgramChange]
    more: bool


class ProgramVersionsPage(Struct):
    """Versions, the latest first; `next` goes into `after` for the page that follows."""

    versions: list[ProgramVersionView]
    next: str | None


class Clone(Struct, forbid_unknown_fields=True):
    """What the copy is called; like the original when nothing is said."""

    name: Name | None = None


class Assignment(Struct, forbid_unknown_fields=True):
    """Who is to follow a program, and from when."""

    athlete_id: UUID
    start_date: Date | None = None
    """The first day; by itself that of the program, and else the next Monday (today, if it is one) of the athlete."""
    end_date: Date | None = None
    """The last day; by itself that of the program's weeks."""
    keep: bool = False
    """Leave programs that the athlete follows in these days as they are; by itself, assigning ends them."""


class Loads(Struct, forbid_unknown_fields=True):
    """What the coach knows of what an athlete can lift, beside what was logged."""

    maxima_kg: Annotated[
        dict[Name, Annotated[float, Meta(gt=0, le=2000)]],
        Meta(max_length=MAXIMA_MAX, examples=[{"Bench Press": 120}]),
    ] = {}
    """One-repetition maxima by name or id of an exercise; they count in place of estimates."""
    anew: bool = False
    """Also for sets that have a load: by itself, only what has none gets one."""
