"""The endpoints of programs, `/api/programs`: a coach's templates, and the programs that athletes follow.

Assigning makes a record of its own in the athlete's scope, with an id that follows from template and athlete: doing it
twice assigns once, and a later edit to the template never rewrites what an athlete follows.
"""

from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Controller, Response, delete, get, patch, post, put
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from apex_server.caller import Caller, require_role
from apex_server.db import Connection, Database, load_queries
from apex_server.errors import RoleRequired
from apex_server.problems import problem_responses
from apex_server.programs.payloads import Assignment, NewProgram, ProgramResource, ProgramsPage
from apex_server.resources import (
    AlreadyExists,
    KnownRecord,
    Made,
    PageMark,
    RecordKind,
    RecordWriter,
    VersionRequired,
    described_as,
    etag_of,
    object_body,
    provenance_of,
    read_record,
    read_records,
    version_named,
    version_required,
)
from apex_server.resources.pages import PAGE_LENGTH_DEFAULT
from apex_server.resources.requests import (
    NO_NUL,
    READ_REFUSALS,
    WRITE_REFUSALS,
    After,
    IdempotencyKey,
    IfMatch,
    Limit,
    new_record_id,
    now,
    scope_of_athlete,
)
from apex_server.sync.commit import Committer
from apex_server.vault import Vault
from apex_sync.coaching.drafts import model_patch
from apex_sync.coaching.workout_view import ValueProblem
from apex_sync.ids import athlete_scope, derived_id
from apex_sync.models import PROGRAMS, Program

__all__ = ["program_routes"]

BODY_BYTES_MAX = 1024 * 1024
"""A year of sessions, each with ten exercises of five sets."""

_queries = load_queries(__package__)
_SHOWN_BESIDE = frozenset(ProgramResource.__struct_fields__)


def to_patch(program_id: str, draft: Any, base: Any) -> Any:
    """Turn what a caller sent into the difference from a version. Raises InvalidDraft."""
    return model_patch(program_id, draft, base, known=_SHOWN_BESIDE)


KIND = RecordKind(PROGRAMS, "program", to_patch)


def provide_writer(
    caller: NamedDependency[Caller], database: NamedDependency[Database], committer: NamedDependency[Committer]
) -> RecordWriter:
    """Give what writes programs for the caller."""
    return RecordWriter(KIND, database, committer, caller)


class ProgramsController(Controller):
    """Programs that the caller may read."""

    path = "/api/programs"
    tags = ("programs",)
    request_max_body_size = BODY_BYTES_MAX
    dependencies = {"programs": Provide(provide_writer, sync_to_thread=False)}  # noqa: RUF012 - the framework's own.

    @get(responses=problem_responses(*READ_REFUSALS))
    async def list_programs(
        self,
        caller: NamedDependency[Caller],
        database: NamedDependency[Database],
        athlete_id: FromQuery[UUID | None] = None,
        status: Annotated[str | None, QueryParameter(max_length=20, pattern=NO_NUL)] = None,
        limit: Limit = PAGE_LENGTH_DEFAULT,
        after: After = None,
    ) -> ProgramsPage:
        """List programs, the latest start first."""
        mark = PageMark.decode(after) if after is not None else None
        key = (mark.date, mark.id) if mark else (None, None)
        async with database.request(caller.user_id) as connection:
            rows = await connection.fetch(_queries.list_programs, athlete_id, status, *key, limit + 1)
            page = rows[:limit]
            found = await read_records(
                connection, database.vault, PROGRAMS, [(row["scope_id"], row["record_id"]) for row in page]
            )
        last = page[-1] if len(rows) > limit else None
        following = PageMark(last["start_date"], None, last["record_id"]).encode() if last else None
        return ProgramsPage([show_program(known) for known in found], following)

    @get("/{program_id:uuid}", responses=problem_responses(*READ_REFUSALS))
    async def get_program(
        self, program_id: FromPath[UUID], caller: NamedDependency[Caller], database: NamedDependency[Database]
    ) -> Response[ProgramResource]:
        """Read a program; its ETag is the version to name when changing it."""
        async with database.request(caller.user_id) as connection:
            known = await read_record(connection, database.vault, PROGRAMS, program_id, KIND.noun)
            return await _response(connection, database.vault, known)

    @post(
        dto=described_as(NewProgram),
        return_dto=None,
        responses=problem_responses(*WRITE_REFUSALS, AlreadyExists, RoleRequired),
    )
    async def make_program(
        self,
        data: JSONBody[dict[str, Any]],
        caller: NamedDependency[Caller],
        database: NamedDependency[Database],
        programs: NamedDependency[RecordWriter],
        idempotency_key: IdempotencyKey = None,
    ) -> Response[ProgramResource]:
        """Make a template, or with `athlete_id` a program that the athlete follows."""
        require_role(caller, "coach")
        draft = object_body(data)
        followed = draft.get("athlete_id") is not None
        scope = scope_of_athlete(caller, draft["athlete_id"]) if followed else f"coach:{caller.user_id}"
        record_id = new_record_id(idempotency_key, caller, KIND.noun, draft.get("id"))
        return await _made(database, caller, await programs.create(scope, record_id, draft, {"created_at": now()}))

    @put(
        "/{program_id:uuid}",
        dto=described_as(Program),
        return_dto=None,
        responses=problem_responses(*WRITE_REFUSALS, VersionRequired),
    )
    async def replace_program(
        self,
        program_id: FromPath[UUID],
        data: JSONBody[dict[str, Any]],
        caller: NamedDependency[Caller],
        database: NamedDependency[Database],
        programs: NamedDependency[RecordWriter],
        if_match: IfMatch = None,
    ) -> Response[ProgramResource]:
        """Make a program what the body says, starting from the version named in If-Match."""
        made = await programs.replace(program_id, object_body(data), version_required(if_match))
        return await _made(database, caller, made)

    @patch("/{program_id:uuid}", responses=problem_responses(*WRITE_REFUSALS))
    async def patch_program(
        self,
        program_id: FromPath[UUID],
        data: JSONBody[Program],
        caller: NamedDependency[Caller],
        database: NamedDependency[Database],
        programs: NamedDependency[RecordWriter],
        if_match: IfMatch = None,
    ) -> Response[ProgramResource]:
        """Change single values; `deleted` removes an entry."""
        made = await programs.apply_patch(program_id, msgspec.to_builtins(data), version_named(if_match))
        return await _made(database, caller, made)

    @delete("/{program_id:uuid}", responses=problem_responses(*WRITE_REFUSALS))
    async def delete_program(
        self,
        program_id: FromPath[UUID],
        programs: NamedDependency[RecordWriter],
        if_match: IfMatch = None,
    ) -> None:
        """Delete a program."""
        await programs.delete(program_id, version_named(if_match))

    @post(
        "/{program_id:uuid}/assign",
        responses=problem_responses(*WRITE_REFUSALS, AlreadyExists, RoleRequired),
    )
    async def assign_program(
        self,
        program_id: FromPath[UUID],
        data: JSONBody[Assignment],
        caller: NamedDependency[Caller],
        database: NamedDependency[Database],
        programs: NamedDependency[RecordWriter],
    ) -> Response[ProgramResource]:
        """Let an athlete follow a copy of this program, active from now on; assigning again changes nothing."""
        require_role(caller, "coach")
        async with database.request(caller.user_id) as connection:
            template = await read_record(connection, database.vault, PROGRAMS, program_id, KIND.noun)
        copy = msgspec.to_builtins(template.record)
        copy |= {"source_id": str(program_id), "status": "active"}
        copy |= {name: day for name in ("start_date", "end_date") if (day := getattr(data, name)) is not None}
        assigned_id = UUID(derived_id("program", str(program_id), str(data.athlete_id)))
        scope = athlete_scope(str(data.athlete_id))
        return await _made(database, caller, await programs.create(scope, assigned_id, copy, {"created_at": now()}))


program_routes = (ProgramsController,)


def show_program(known: KnownRecord) -> ProgramResource:
    """Show a program in the model's own shape."""
    record = known.record
    return ProgramResource(
        **{name: getattr(record, name) for name in Program.__struct_fields__},
        id=known.id,
        athlete_id=known.athlete_id,
        updated_at=known.updated_at,
        synced_at=known.synced_at,
        needs_review=bool(known.problems),
        problems=[ValueProblem(*problem) for problem in known.problems],
    )


async def _made(database: Database, caller: Caller, made: Made) -> Response[ProgramResource]:
    async with database.request(caller.user_id) as connection:
        known = await read_record(connection, database.vault, PROGRAMS, UUID(made.known.id), KIND.noun, deleted=True)
        return await _response(connection, database.vault, known, status=201 if made.outcome == "created" else 200)


async def _response(
    connection: Connection, vault: Vault, known: KnownRecord, status: int = 200
) -> Response[ProgramResource]:
    program = show_program(known)
    if known.fold.conflicts:
        provenance = await provenance_of(connection, vault, known, "weeks", "days", "exercises", "sets")
        program.conflicts = provenance.conflicts
    headers = {"ETag": etag_of(known.version)}
    if status == 201:
        headers["Location"] = f"/api/programs/{known.id}"
    return Response(program, status_code=status, headers=headers)
