"""Letting an athlete follow a program: what is made and what ends with it, in one transaction.

The copy is the one that starts on that day, or has an id that follows from template, athlete and day: a request that
comes twice assigns once, and the next season is a copy of its own.
"""

from datetime import date, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

import msgspec

from apex_server.db import Connection, load_queries
from apex_server.errors import InvalidFields
from apex_server.programs.payloads import Assignment
from apex_server.resources import (
    AlreadyExists,
    KnownRecord,
    Made,
    RecordWriter,
    library_for,
    performed_sets_of_workouts,
)
from apex_server.resources.requests import now
from apex_server.vault import Vault
from apex_sync.coaching.assigning import (
    MAXIMUM_DAYS,
    assigned_days,
    assignment_id,
    exercises_by_percent,
    followed_program,
    is_followed_anew,
    maxima_kg,
    order_problem,
)
from apex_sync.coaching.drafts import model_patch
from apex_sync.coaching.profile import Library
from apex_sync.coaching.program_ends import EndedProgram, ended_program, ends_with
from apex_sync.ids import athlete_scope
from apex_sync.models import Program
from apex_sync.op import Patch

__all__ = ["assign", "athletes_day", "maxima_of"]

_queries = load_queries(__package__)


class Assigned(NamedTuple):
    """The copy that an athlete follows, and what ended with it now."""

    made: Made
    ended: list[EndedProgram]


async def assign(records: RecordWriter, program_id: UUID, asked: Assignment, at: datetime) -> Assigned:
    """Let an athlete follow a copy of a program, and end what they follow in its days.

    The athlete's day at the time that it is, in UTC, is that of the clock they last trained by; an assignment without a
    first day counts from it.
    Raises NotFound, FieldForbidden, AlreadyExists, InvalidFields.
    """
    theirs = records.within(athlete_scope(str(asked.athlete_id)))
    async with records.reading() as connection:
        template = await records.known(connection, program_id)
        rows = await connection.fetch(_queries.list_followed, asked.athlete_id, str(program_id))
        held: dict[str, Patch] = {str(row["record_id"]): msgspec.to_builtins(dict(row)) for row in rows}
        today = await athletes_day(connection, asked.athlete_id, at)
        first, last = assigned_days(template.record, start_date=asked.start_date, end_date=asked.end_date, today=today)
        assigned_id = UUID(assignment_id(str(program_id), str(asked.athlete_id), first, held))
        before = await theirs.find(connection, assigned_id)
        maxima, library = await maxima_of(connection, records.database.vault, asked.athlete_id, template, at.date())
    others = {} if asked.keep else held
    if before is not None and not is_followed_anew(copy := msgspec.to_builtins(before.record)):
        _refuse_other_days(before, asked)
        # A device may have sent the copy, and then not what ends with it.
        ends = {UUID(other): end for other, end in ends_with(str(assigned_id), copy, others).items()}
        ended = await theirs.apply_together(ends) if ends else []
        return Assigned(Made(before, "unchanged", {}), [ended_program(one.id, one.record) for one in ended])
    followed = followed_program(
        template.record,
        source_id=str(program_id),
        start_date=first,
        end_date=last,
        maxima_kg=maxima,
        library=library,
    )
    if problem := order_problem(followed):
        raise InvalidFields.one(*problem)
    base, more = (Program(), {"created_at": now()}) if before is None else (before.record, {"deleted": False})
    patch = more | model_patch(str(assigned_id), followed, base).patch
    ends = {UUID(other): end for other, end in ends_with(str(assigned_id), followed, others).items()}
    made, *ended = await theirs.apply_together({assigned_id: patch, **ends})
    outcome = "created" if before is None else "updated"
    return Assigned(Made(made, outcome, patch), [ended_program(one.id, one.record) for one in ended])


def _refuse_other_days(assigned: KnownRecord, again: Assignment) -> None:
    """Return if an assignment that came again has the days of the first. Raises AlreadyExists."""
    held = msgspec.to_builtins(assigned.record)
    days = {name: day for name in ("start_date", "end_date") if (day := getattr(again, name)) is not None}
    if not days.items() <= held.items():
        raise AlreadyExists(assigned.id)


async def athletes_day(connection: Connection, athlete_id: UUID, at: datetime) -> date:
    """Give the day that it is, at a time in UTC, by the clock that an athlete last trained by."""
    # Naive, as Postgres would else take it into the zone of its session.
    today: date = await connection.fetchval(_queries.get_athlete_day, athlete_id, at.replace(tzinfo=None))
    return today


async def maxima_of(
    connection: Connection, vault: Vault, athlete_id: UUID, program: KnownRecord, today: date, *, anew: bool = False
) -> tuple[dict[str, float], Library]:
    """Read what an athlete can lift, and how it is loaded: nothing where the program has no per cents."""
    exercises = exercises_by_percent(program.record, anew=anew)
    if not exercises:
        return {}, {}
    rows = await connection.fetch(
        _queries.list_recent_sessions, athlete_id, today - timedelta(days=MAXIMUM_DAYS), today
    )
    sets = await performed_sets_of_workouts(connection, vault, athlete_id, [row["record_id"] for row in rows])
    return maxima_kg(sets, today), await library_for(connection, vault, exercises)
