"""The endpoints of programs, `/api/programs`: a coach's templates, and the programs that athletes follow.

Assigning makes a record of its own in the athlete's scope, with an id that follows from template, athlete and first
day: doing it twice assigns once, and a later edit to the template never rewrites what an athlete follows.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Any
from uuid import UUID

from litestar import Response, get, post
from litestar.di import NamedDependency, Provide
from litestar.params import FromQuery, JSONBody, PathParameter, QueryParameter

from apex_server.caller import Caller, require_role
from apex_server.clock import wall_clock
from apex_server.db import Connection, load_queries
from apex_server.errors import RoleRequired
from apex_server.problems import problem_responses
from apex_server.programs.assigning import assign
from apex_server.programs.coaches import show_programs
from apex_server.programs.completing import ProgramWriter
from apex_server.programs.errors import VersionGone
from apex_server.programs.examples import PROGRAM, PROGRAM_PATCH
from apex_server.programs.loads import resolve_loads
from apex_server.programs.payloads import (
    Assignment,
    Clone,
    Loads,
    NewProgram,
    ProgramResource,
    ProgramsPage,
    ProgramVersionsPage,
)
from apex_server.programs.versions import program_as_of, versions_page
from apex_server.resources import (
    AlreadyExists,
    Asked,
    AthleteRecordController,
    DayMark,
    KnownRecord,
    RecordKind,
    RecordWriter,
    StampMark,
    performed_sets_of_workouts,
)
from apex_server.resources.controller import RecordId
from apex_server.resources.pages import PAGE_LENGTH_DEFAULT
from apex_server.resources.requests import (
    NO_NUL,
    READ_REFUSALS,
    WRITE_REFUSALS,
    After,
    IdempotencyKey,
    Limit,
    new_record_id,
    now,
    scope_of_athlete,
)
from apex_server.vault import Vault
from apex_sync.coaching.adherence import DoneSession
from apex_sync.coaching.assigning import program_copy
from apex_sync.coaching.completion import ProgramAnalytics, program_analytics
from apex_sync.coaching.drafts import model_patch
from apex_sync.coaching.plan_history import plan_history
from apex_sync.ids import Scope, private_scope
from apex_sync.models import PROGRAMS, Program
from apex_sync.op import EXACT_INT_MAX

__all__ = ["program_routes"]

_queries = load_queries(__package__)

Stamp = Annotated[int, PathParameter(ge=1, le=EXACT_INT_MAX, description="The `stamp` of a version.")]
_Status = Annotated[str | None, QueryParameter(max_length=20, pattern=NO_NUL)]


@dataclass(frozen=True)
class ProgramFilters:
    """Which programs are listed."""

    athlete_id: FromQuery[UUID | None] = None
    status: _Status = None


@dataclass(frozen=True)
class TemplateFilters:
    """Which templates are listed."""

    status: _Status = None


class ProgramsController(AthleteRecordController):
    """Programs that the caller may read."""

    path = "/api/programs"
    tags = ("programs",)
    request_max_body_size = 1024 * 1024  # A year of sessions, each with ten exercises of five sets.
    kind = RecordKind(PROGRAMS, "program", partial(model_patch, known=frozenset(ProgramResource.__struct_fields__)))
    view, page, new, draft = ProgramResource, ProgramsPage, NewProgram, Program
    examples = (PROGRAM, PROGRAM, PROGRAM_PATCH)
    entries = ("weeks", "days", "exercises", "sets")
    includable = ("conflicts", "contributions", "analytics")
    filters = ProgramFilters
    list_query, sorted_by, mark = _queries.list_programs, "-start_date", DayMark
    made_by = ("coach",)
    writer = ProgramWriter

    def scope_of_new(self, caller: Caller, draft: Mapping[str, Any]) -> str:
        """Make a template of the coach's, or with `athlete_id` what the athlete follows, or a draft unseen by them."""
        if draft.get("athlete_id") is None:
            return f"coach:{caller.user_id}"
        theirs = scope_of_athlete(caller, draft["athlete_id"])
        is_draft = draft.get("status") == "draft"
        return private_scope(str(caller.user_id), Scope.parse(theirs).owner_id) if is_draft else theirs

    async def show(
        self, connection: Connection, vault: Vault, found: Sequence[KnownRecord], include: Collection[str]
    ) -> list[ProgramResource]:
        """Show programs, on demand with how far their athletes have come."""
        shown = await show_programs(connection, found)
        if "analytics" in include:
            for program, known in zip(shown, found, strict=True):
                scope = Scope.parse(known.scope)
                if scope.kind == "athlete":
                    program.analytics = await analytics_of(connection, vault, scope.id, known)
        return shown

    @get(
        "/templates",
        dependencies={"filters": Provide(TemplateFilters, sync_to_thread=False)},
        responses=problem_responses(*READ_REFUSALS, RoleRequired),
    )
    async def list_templates(
        self,
        records: NamedDependency[RecordWriter],
        filters: NamedDependency[TemplateFilters],
        asked: NamedDependency[Asked],
    ) -> ProgramsPage:
        """List your templates: programs that nobody follows."""
        require_role(records.caller, "coach")
        own = Scope.parse(f"coach:{records.caller.user_id}").id
        page: ProgramsPage = await self.page_of(records, ProgramFilters(own, filters.status), asked)
        return page

    @get("/{record_id:uuid}/versions", responses=problem_responses(*READ_REFUSALS))
    async def list_record_versions(
        self,
        record_id: "RecordId",
        records: NamedDependency[RecordWriter],
        limit: Limit = PAGE_LENGTH_DEFAULT,
        after: After = None,
    ) -> ProgramVersionsPage:
        """List what one program was and what was changed in it, the latest version first.

        Edits of one author within ten minutes of each other are one version. A deleted program keeps its own.
        """
        async with records.reading() as connection:
            known = await records.known(connection, record_id, deleted=True)
            mark = StampMark.decode(after)
            return await versions_page(connection, records.database.vault, known, mark, limit)

    @get("/{record_id:uuid}/versions/{stamp:int}", responses=problem_responses(*READ_REFUSALS, VersionGone))
    async def get_record_version(
        self, record_id: "RecordId", stamp: Stamp, records: NamedDependency[RecordWriter]
    ) -> ProgramResource:
        """Read one program as it was; sent with PUT, it is so again."""
        async with records.reading() as connection:
            return await program_as_of(connection, await records.known(connection, record_id, deleted=True), stamp)

    @post("/{record_id:uuid}/clone", responses=problem_responses(*WRITE_REFUSALS, AlreadyExists, RoleRequired))
    async def clone_record(
        self,
        record_id: "RecordId",
        records: NamedDependency[RecordWriter],
        data: JSONBody[Clone | None] = None,
        idempotency_key: IdempotencyKey = None,
    ) -> Response[ProgramResource]:
        """Make a template of yours from a program, as a draft: a copy without dates and athlete."""
        require_role(records.caller, "coach")
        async with records.reading() as connection:
            known = await records.known(connection, record_id)
        copy = program_copy(known.record, source_id=str(record_id))
        if data is not None and data.name is not None:
            copy["name"] = data.name
        clone_id = new_record_id(idempotency_key, records.caller, "program clone", None)
        scope = f"coach:{records.caller.user_id}"
        return await self.made(records, await records.create(scope, clone_id, copy, {"created_at": now()}))

    @post(
        "/{record_id:uuid}/assign",
        responses=problem_responses(*WRITE_REFUSALS, AlreadyExists, RoleRequired),
    )
    async def assign_record(
        self, record_id: "RecordId", data: JSONBody[Assignment], records: NamedDependency[RecordWriter]
    ) -> Response[ProgramResource]:
        """Let an athlete follow a copy of this program, active from now on.

        Assigning again from the same day changes nothing; from another day it makes another copy. What they follow in
        the same days ends with it, unless `keep` is true, and the answer lists it in `ended`; a copy that was deleted,
        or gave way to another, comes back.
        Sets that are prescribed in per cent of the maximum get a load from the athlete's best sets of twelve weeks,
        rounded to what the exercise is loaded with.
        """
        require_role(records.caller, "coach")
        made, ended = await assign(records, record_id, data, wall_clock())
        return await self.made(records, made, ended=ended)

    @post("/{record_id:uuid}/loads", status_code=200, responses=problem_responses(*WRITE_REFUSALS, RoleRequired))
    async def resolve_loads_of_record(
        self,
        record_id: "RecordId",
        records: NamedDependency[RecordWriter],
        data: JSONBody[Loads | None] = None,
    ) -> Response[ProgramResource]:
        """Give sets in per cent of the maximum their loads, after this program was assigned.

        Maxima are those that the body states, and else the athlete's best sets of twelve weeks. Sessions of days that
        are over where the athlete last trained stay as they were, and sets of an exercise whose maximum nobody knows
        stay without a load.
        """
        require_role(records.caller, "coach")
        return await self.made(records, await resolve_loads(records, record_id, data or Loads(), wall_clock()))


program_routes = (ProgramsController,)


async def analytics_of(
    connection: Connection, vault: Vault, athlete_id: UUID, program: KnownRecord
) -> ProgramAnalytics:
    """Tell how far an athlete has come with a program."""
    rows = await connection.fetch(_queries.list_program_sessions, athlete_id, program.id)
    sets = await performed_sets_of_workouts(connection, vault, athlete_id, [row["record_id"] for row in rows])
    completed = Counter(one.workout_id for one in sets if one.completed and one.type != "warmup")
    done = [
        DoneSession(
            workout_id=str(row["record_id"]),
            date=row["date"],
            completed_sets=completed[str(row["record_id"])],
            program_id=program.id,
            week_number=row["week_number"],
            day_number=row["day_number"],
        )
        for row in rows
        if completed[str(row["record_id"])]
    ]
    history = plan_history(program.id, program.document)
    return program_analytics(history, done, sets, as_of=datetime.now(UTC).date())
