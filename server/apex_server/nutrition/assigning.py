"""Letting an athlete follow a meal plan: what is made and what ends with it, in one transaction."""

from typing import NamedTuple
from uuid import UUID

import msgspec

from apex_server.clock import wall_clock
from apex_server.db import load_queries
from apex_server.errors import InvalidFields
from apex_server.nutrition.payloads import EndedMealPlan, MealPlanAssignment
from apex_server.resources import KnownRecord, RecordWriter
from apex_server.resources.requests import now, scope_of_athlete
from apex_sync.coaching.leaves import shown
from apex_sync.coaching.meal_plan_assigning import (
    days_problem,
    followed_changes,
    planned_days,
    plans_that_end,
    whose_problem,
)
from apex_sync.ids import Scope
from apex_sync.op import Patch

__all__ = ["Assigned", "assign"]

_queries = load_queries(__package__)


class Assigned(NamedTuple):
    """The plan that is followed, whether it was made for that, and what ended with it."""

    plan: KnownRecord
    is_new: bool
    ended: list[EndedMealPlan]


async def assign(records: RecordWriter, plan_id: UUID, asked: MealPlanAssignment) -> Assigned:
    """Let an athlete follow a plan, and end what they follow in its days.

    A request without a first day counts from the day in UTC. Raises NotFound, FieldForbidden, InvalidFields.
    """
    home = scope_of_athlete(records.caller, asked.athlete_id and str(asked.athlete_id))
    theirs, athlete_id = records.within(home), Scope.parse(home).owner_id
    async with records.reading() as connection:
        found = await records.known(connection, plan_id)
        if problem := whose_problem(found.scope, home):
            raise InvalidFields.one(*problem)
        rows = await connection.fetch(_queries.list_plans_of_athlete, UUID(athlete_id), str(plan_id))
        held: dict[str, Patch] = {str(row["record_id"]): msgspec.to_builtins(dict(row)) for row in rows}
        days = planned_days(
            str(plan_id),
            found.record,
            athlete_id,
            held,
            is_own=found.scope == home,
            start_date=asked.start_date,
            end_date=asked.end_date,
            today=wall_clock().date(),
        )
        before = await theirs.find(connection, UUID(days.record_id))
    stands = None if before is None else before.record
    changes, followed = followed_changes(days, str(plan_id), found.record, stands, end_date=asked.end_date)
    if problem := days_problem(followed):
        raise InvalidFields.one(*problem)
    changes |= {"created_at": now()} if before is None else {}
    ending = {} if asked.keep else plans_that_end(followed, days.record_id, held)
    patches = {UUID(record_id): patch for record_id, patch in {days.record_id: changes, **ending}.items() if patch}
    written = {known.id: known for known in await theirs.apply_together(patches)} if patches else {}
    ended = [_ended(known) for record_id, known in written.items() if record_id != days.record_id]
    # What is followed as it was asked for is not written; then it is there.
    plan = before if before is not None and days.record_id not in written else written[days.record_id]
    return Assigned(plan, before is None, ended)


def _ended(known: KnownRecord) -> EndedMealPlan:
    name, status, end_date = (shown(getattr(known.record, field)) for field in ("name", "status", "end_date"))
    return EndedMealPlan(known.id, name, status, end_date)
