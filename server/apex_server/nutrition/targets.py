"""The endpoints of targets: what a coach asks an athlete to eat, from a day on.

Setting targets for a day that has some is an edit of those; what was asked before that day stays as it was.
"""

from datetime import UTC, date, datetime
from functools import partial
from typing import Any
from uuid import UUID

import msgspec
from litestar import Controller, get, put
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, FromQuery, JSONBody

from apex_server.caller import Caller, require_role
from apex_server.db import Database, load_queries
from apex_server.errors import InvalidFields, RoleRequired
from apex_server.nutrition.days import DayWriter
from apex_server.nutrition.payloads import AthleteTargets, TargetsResource
from apex_server.problems import problem_responses
from apex_server.resources import RecordKind, read_records, require_scope, view_of_model
from apex_server.resources.requests import READ_REFUSALS, WRITE_REFUSALS, now
from apex_server.sync.commit import Committer
from apex_sync.coaching.drafts import model_patch
from apex_sync.coaching.nutrition import targets_on
from apex_sync.ids import athlete_scope
from apex_sync.models import NUTRITION_TARGETS, NutritionTargets
from apex_sync.models.fields import parse_date
from apex_sync.models.nutrition import nutrition_targets_id

__all__ = ["TargetsController"]

_queries = load_queries(__package__)

KIND = RecordKind(
    NUTRITION_TARGETS, "athlete", partial(model_patch, known=frozenset(TargetsResource.__struct_fields__))
)


def provide_writer(
    caller: NamedDependency[Caller], database: NamedDependency[Database], committer: NamedDependency[Committer]
) -> DayWriter:
    """Give what reads and writes targets for the caller."""
    return DayWriter(KIND, database, committer, caller)


WRITER = {"records": Provide(provide_writer, sync_to_thread=False)}


class TargetsController(Controller):
    """What athletes are asked to eat."""

    path = "/api/nutrition/targets"
    tags = ("nutrition",)

    @get("/{athlete_id:uuid}", responses=problem_responses(*READ_REFUSALS), dependencies=WRITER)
    async def get_targets(
        self, athlete_id: FromPath[UUID], records: NamedDependency[DayWriter], on: FromQuery[date | None] = None
    ) -> AthleteTargets:
        """Read the targets in force on a day (today in UTC), with all that came before and will come."""
        return await targets_of(records, athlete_id, on or datetime.now(UTC).date())

    @put(
        "/{athlete_id:uuid}",
        status_code=200,
        responses=problem_responses(*WRITE_REFUSALS, RoleRequired),
        dependencies=WRITER,
    )
    async def set_targets(
        self, athlete_id: FromPath[UUID], data: JSONBody[NutritionTargets], records: NamedDependency[DayWriter]
    ) -> AthleteTargets:
        """Set targets from `start_date` on, as the athlete's coach; their devices get them like any edit."""
        require_role(records.caller, "coach")
        sent: dict[str, Any] = msgspec.to_builtins(data)
        start = parse_date(sent.get("start_date"))
        if start is None:
            raise InvalidFields.one("start_date", "Expected the day from which they are in force, 2026-03-01")
        record_id = UUID(nutrition_targets_id(str(athlete_id), start.isoformat()))
        await records.put(athlete_scope(str(athlete_id)), record_id, sent, {"created_at": now()})
        return await targets_of(records, athlete_id, start)


async def targets_of(records: DayWriter, athlete_id: UUID, on: date) -> AthleteTargets:
    """Give an athlete's targets. Raises NotFound."""
    async with records.reading() as connection:
        await require_scope(connection, records.caller.user_id, athlete_scope(str(athlete_id)), "athlete")
        rows = await connection.fetch(_queries.list_targets, athlete_id)
        places = [(row["scope_id"], row["record_id"]) for row in rows]
        found = await read_records(connection, records.database.vault, NUTRITION_TARGETS, places)
    shown = {known.id: view_of_model(TargetsResource, known) for known in found}
    in_force = targets_on([(known.id, known.record) for known in found], on)
    return AthleteTargets(on, shown[in_force[0]] if in_force else None, list(shown.values()))
