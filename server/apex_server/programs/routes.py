"""The endpoints of programs, `/api/programs`: a coach's templates, and the programs that athletes follow.

Assigning makes a record of its own in the athlete's scope, with an id that follows from template and athlete: doing it
twice assigns once, and a later edit to the template never rewrites what an athlete follows.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Response, post
from litestar.di import NamedDependency
from litestar.params import FromQuery, JSONBody, QueryParameter

from apex_server.caller import Caller, require_role
from apex_server.db import load_queries
from apex_server.errors import RoleRequired
from apex_server.problems import problem_responses
from apex_server.programs.payloads import Assignment, NewProgram, ProgramResource, ProgramsPage
from apex_server.resources import AlreadyExists, AthleteRecordController, DayMark, RecordKind, RecordWriter
from apex_server.resources.controller import RecordId
from apex_server.resources.requests import NO_NUL, WRITE_REFUSALS, now, scope_of_athlete
from apex_sync.coaching.drafts import model_patch
from apex_sync.ids import athlete_scope, derived_id
from apex_sync.models import PROGRAMS, Program

__all__ = ["program_routes"]

_queries = load_queries(__package__)


@dataclass(frozen=True)
class ProgramFilters:
    """Which programs are listed."""

    athlete_id: FromQuery[UUID | None] = None
    status: Annotated[str | None, QueryParameter(max_length=20, pattern=NO_NUL)] = None


class ProgramsController(AthleteRecordController):
    """Programs that the caller may read."""

    path = "/api/programs"
    tags = ("programs",)
    request_max_body_size = 1024 * 1024  # A year of sessions, each with ten exercises of five sets.
    kind = RecordKind(PROGRAMS, "program", partial(model_patch, known=frozenset(ProgramResource.__struct_fields__)))
    view, page, new, draft = ProgramResource, ProgramsPage, NewProgram, Program
    entries = ("weeks", "days", "exercises", "sets")
    filters = ProgramFilters
    list_query, sorted_by, mark = _queries.list_programs, "-start_date", DayMark
    made_by = ("coach",)

    def scope_of_new(self, caller: Caller, draft: Mapping[str, Any]) -> str:
        """Make a template of the coach's, or with `athlete_id` a program that the athlete follows."""
        athlete_id = draft.get("athlete_id")
        return f"coach:{caller.user_id}" if athlete_id is None else scope_of_athlete(caller, athlete_id)

    @post(
        "/{record_id:uuid}/assign",
        responses=problem_responses(*WRITE_REFUSALS, AlreadyExists, RoleRequired),
    )
    async def assign_record(
        self, record_id: "RecordId", data: JSONBody[Assignment], records: NamedDependency[RecordWriter]
    ) -> Response[ProgramResource]:
        """Let an athlete follow a copy of this program, active from now on; assigning again changes nothing."""
        require_role(records.caller, "coach")
        async with records.reading() as connection:
            template = await records.known(connection, record_id)
        copy = msgspec.to_builtins(template.record)
        copy |= {"source_id": str(record_id), "status": "active"}
        copy |= {name: day for name in ("start_date", "end_date") if (day := getattr(data, name)) is not None}
        assigned_id = UUID(derived_id("program", str(record_id), str(data.athlete_id)))
        scope = athlete_scope(str(data.athlete_id))
        return await self.made(records, await records.create(scope, assigned_id, copy, {"created_at": now()}))


program_routes = (ProgramsController,)
