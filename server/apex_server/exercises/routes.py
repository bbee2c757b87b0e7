"""The endpoints of exercises, `/api/exercises`: the built-in library, and what coaches add for their athletes."""

from typing import Annotated, Any, NamedTuple
from uuid import UUID

import msgspec
from litestar import Controller, Response, delete, get, patch, post, put
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, JSONBody, QueryParameter

from apex_server.caller import Caller, require_role
from apex_server.db import Database, load_queries
from apex_server.errors import RoleRequired
from apex_server.exercises.payloads import ExerciseResource, ExercisesPage, NameMark, NewExercise
from apex_server.problems import problem_responses
from apex_server.resources import (
    AlreadyExists,
    KnownRecord,
    Made,
    RecordKind,
    RecordWriter,
    VersionRequired,
    described_as,
    etag_of,
    object_body,
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
)
from apex_server.sync.commit import Committer
from apex_server.sync.sealing import LIBRARY_MUSCLE, LIBRARY_NAME, DocumentSeal, seals_of_scopes
from apex_sync.coaching.drafts import model_patch
from apex_sync.ids import library_scope
from apex_sync.models import EXERCISES, Exercise

__all__ = ["exercise_routes"]

BODY_BYTES_MAX = 128 * 1024
"""Instructions of 10,000 characters and a hundred cues."""

_queries = load_queries(__package__)
_SHOWN_BESIDE = frozenset(ExerciseResource.__struct_fields__)


def to_patch(exercise_id: str, draft: Any, base: Any) -> Any:
    """Turn what a caller sent into the difference from a version. Raises InvalidDraft."""
    return model_patch(exercise_id, draft, base, known=_SHOWN_BESIDE)


KIND = RecordKind(EXERCISES, "exercise", to_patch)


def provide_writer(
    caller: NamedDependency[Caller], database: NamedDependency[Database], committer: NamedDependency[Committer]
) -> RecordWriter:
    """Give what writes exercises for the caller."""
    return RecordWriter(KIND, database, committer, caller)


class _Listed(NamedTuple):
    """An exercise as far as a list is about it; in the order of the list."""

    name: str
    record_id: UUID
    scope_id: UUID
    muscle_group: str

    def is_asked_for(self, q: str | None) -> bool:
        """Tell whether a search finds it."""
        return q is None or q.lower() in self.name.lower() or q.lower() == self.muscle_group.lower()


def _listed(row: Any, seal: DocumentSeal) -> _Listed:
    return _Listed(
        seal.open_name(row["name"], LIBRARY_NAME) or "",
        row["record_id"],
        row["scope_id"],
        seal.open_name(row["muscle_group"], LIBRARY_MUSCLE) or "",
    )


class ExercisesController(Controller):
    """The library as the caller sees it."""

    path = "/api/exercises"
    tags = ("exercises",)
    request_max_body_size = BODY_BYTES_MAX
    dependencies = {"exercises": Provide(provide_writer, sync_to_thread=False)}  # noqa: RUF012 - the framework's own.

    @get(["/", "/search"], responses=problem_responses(*READ_REFUSALS))
    async def list_exercises(
        self,
        caller: NamedDependency[Caller],
        database: NamedDependency[Database],
        q: Annotated[
            str | None, QueryParameter(max_length=200, pattern=NO_NUL, description="Part of the name, or a muscle.")
        ] = None,
        limit: Limit = PAGE_LENGTH_DEFAULT,
        after: After = None,
    ) -> ExercisesPage:
        """List exercises by name."""
        mark = NameMark.decode(after) if after is not None else None
        async with database.request(caller.user_id) as connection:
            rows = await connection.fetch(_queries.list_exercises)
            seals = await seals_of_scopes(connection, database.vault, [row["scope"] for row in rows])
            listed = (_listed(row, seals[row["scope"]]) for row in rows if row["scope"] in seals)
            following = sorted(
                one
                for one in listed
                if one.is_asked_for(q) and (mark is None or (one.name, one.record_id) > (mark.name, mark.id))
            )
            page = following[:limit]
            found = await read_records(
                connection, database.vault, EXERCISES, [(one.scope_id, one.record_id) for one in page]
            )
        last = page[-1] if len(following) > limit else None
        next_mark = NameMark(last.name, last.record_id).encode() if last else None
        return ExercisesPage([show_exercise(known) for known in found], next_mark)

    @get("/{exercise_id:uuid}", responses=problem_responses(*READ_REFUSALS))
    async def get_exercise(
        self, exercise_id: FromPath[UUID], caller: NamedDependency[Caller], database: NamedDependency[Database]
    ) -> Response[ExerciseResource]:
        """Read an exercise; its ETag is the version to name when changing it."""
        async with database.request(caller.user_id) as connection:
            return _response(await read_record(connection, database.vault, EXERCISES, exercise_id, KIND.noun))

    @post(
        dto=described_as(NewExercise),
        return_dto=None,
        responses=problem_responses(*WRITE_REFUSALS, AlreadyExists, RoleRequired),
    )
    async def make_exercise(
        self,
        data: JSONBody[dict[str, Any]],
        caller: NamedDependency[Caller],
        exercises: NamedDependency[RecordWriter],
        idempotency_key: IdempotencyKey = None,
    ) -> Response[ExerciseResource]:
        """Add an exercise to your library; your athletes see it."""
        require_role(caller, "coach")
        draft = object_body(data)
        record_id = new_record_id(idempotency_key, caller, KIND.noun, draft.get("id"))
        made = await exercises.create(library_scope(str(caller.user_id)), record_id, draft, {"created_at": now()})
        return _made(made)

    @put(
        "/{exercise_id:uuid}",
        dto=described_as(Exercise),
        return_dto=None,
        responses=problem_responses(*WRITE_REFUSALS, VersionRequired),
    )
    async def replace_exercise(
        self,
        exercise_id: FromPath[UUID],
        data: JSONBody[dict[str, Any]],
        exercises: NamedDependency[RecordWriter],
        if_match: IfMatch = None,
    ) -> Response[ExerciseResource]:
        """Make an exercise what the body says, starting from the version named in If-Match."""
        return _made(await exercises.replace(exercise_id, object_body(data), version_required(if_match)))

    @patch("/{exercise_id:uuid}", responses=problem_responses(*WRITE_REFUSALS))
    async def patch_exercise(
        self,
        exercise_id: FromPath[UUID],
        data: JSONBody[Exercise],
        exercises: NamedDependency[RecordWriter],
        if_match: IfMatch = None,
    ) -> Response[ExerciseResource]:
        """Change single values."""
        return _made(await exercises.apply_patch(exercise_id, msgspec.to_builtins(data), version_named(if_match)))

    @delete("/{exercise_id:uuid}", responses=problem_responses(*WRITE_REFUSALS))
    async def delete_exercise(
        self,
        exercise_id: FromPath[UUID],
        exercises: NamedDependency[RecordWriter],
        if_match: IfMatch = None,
    ) -> None:
        """Delete a custom exercise."""
        await exercises.delete(exercise_id, version_named(if_match))


exercise_routes = (ExercisesController,)


def show_exercise(known: KnownRecord) -> ExerciseResource:
    """Show an exercise in the model's own shape."""
    return ExerciseResource(
        **{name: getattr(known.record, name) for name in Exercise.__struct_fields__},
        id=known.id,
        is_custom=known.scope != "global",
        needs_review=bool(known.problems),
    )


def _made(made: Made) -> Response[ExerciseResource]:
    return _response(made.known, status=201 if made.outcome == "created" else 200)


def _response(known: KnownRecord, status: int = 200) -> Response[ExerciseResource]:
    headers = {"ETag": etag_of(known.version)}
    if status == 201:
        headers["Location"] = f"/api/exercises/{known.id}"
    return Response(show_exercise(known), status_code=status, headers=headers)
