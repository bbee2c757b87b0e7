"""The endpoints of workouts, `/api/workouts`.

What is read and written here is the same record that phone and watch hold: a change made here reaches them, and theirs
shows here. PUT and POST take the shape that GET gives (exercises with their sets, in lists), PATCH the record's own
(maps of entries by id), so that one value can be changed without sending the others.
"""

from datetime import date
from typing import Annotated, Any
from uuid import UUID

from litestar import Controller, Response, delete, get, patch, post, put
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from apex_server.caller import Caller
from apex_server.db import Connection, Database, load_queries
from apex_server.errors import BodyTooLarge
from apex_server.problems import problem_responses
from apex_server.resources import (
    AlreadyExists,
    KnownRecord,
    Made,
    PageMark,
    RecordMerger,
    RecordWriter,
    VersionRequired,
    described_as,
    etag_of,
    list_body,
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
    Include,
    Limit,
    included,
    new_record_id,
    now,
    scope_of_athlete,
)
from apex_server.sync.commit import Committer
from apex_server.sync.sealing import EXERCISE_NAME, seals_of_scopes
from apex_server.vault import Vault
from apex_server.workouts import examples
from apex_server.workouts.bulk import bulk_sync
from apex_server.workouts.loads import with_kilograms
from apex_server.workouts.payloads import (
    BULK_ITEMS_MAX,
    BulkItem,
    BulkReport,
    NewWorkout,
    Workout,
    WorkoutsPage,
)
from apex_server.workouts.showing import INCLUDABLE, WORKOUTS, patch_of, show_workout, show_workouts
from apex_sync.coaching.workout_view import WorkoutDraft
from apex_sync.models import WORKOUT_LOGS
from apex_sync.models.workout import WorkoutLog

__all__ = ["workout_routes"]

BODY_BYTES_MAX = 1024 * 1024
"""A workout of 500 sets is about 100 kB as JSON."""

BULK_BYTES_MAX = 8 * 1024 * 1024
"""1,000 workouts of 2.5 kB with room to spare."""

_queries = load_queries(__package__)

_From = Annotated[date | None, QueryParameter(name="from", description="The first day, `2026-03-01`.")]
_To = Annotated[date | None, QueryParameter(name="to", description="The last day.")]
_Exercise = Annotated[
    str | None,
    QueryParameter(max_length=200, pattern=NO_NUL, description="Workouts with this exercise: its id or its name."),
]
_ProgramId = Annotated[str | None, QueryParameter(max_length=64, pattern=NO_NUL)]


def provide_writer(
    caller: NamedDependency[Caller], database: NamedDependency[Database], committer: NamedDependency[Committer]
) -> RecordMerger:
    """Give what writes workouts for the caller."""
    return RecordMerger(WORKOUTS, database, committer, caller)


class WorkoutsController(Controller):
    """Workouts of an athlete, or of all athletes of a coach."""

    path = "/api/workouts"
    tags = ("workouts",)
    request_max_body_size = BODY_BYTES_MAX
    dependencies = {"workouts": Provide(provide_writer, sync_to_thread=False)}  # noqa: RUF012 - the framework's own.

    @get(responses=problem_responses(*READ_REFUSALS))
    async def list_workouts(
        self,
        caller: NamedDependency[Caller],
        database: NamedDependency[Database],
        athlete_id: FromQuery[UUID | None] = None,
        first_day: _From = None,
        last_day: _To = None,
        exercise: _Exercise = None,
        program_id: _ProgramId = None,
        include: Include = None,
        limit: Limit = PAGE_LENGTH_DEFAULT,
        after: After = None,
    ) -> WorkoutsPage:
        """List workouts, the newest first."""
        filters = (athlete_id, first_day, last_day, program_id, exercise)
        return await _page(database, caller, filters, include, limit, after)

    @get("/client/{athlete_id:uuid}", responses=problem_responses(*READ_REFUSALS))
    async def list_of_athlete(
        self,
        athlete_id: FromPath[UUID],
        caller: NamedDependency[Caller],
        database: NamedDependency[Database],
        first_day: _From = None,
        last_day: _To = None,
        exercise: _Exercise = None,
        program_id: _ProgramId = None,
        include: Include = None,
        limit: Limit = PAGE_LENGTH_DEFAULT,
        after: After = None,
    ) -> WorkoutsPage:
        """List the workouts of one athlete, the newest first. Somebody else's athlete has none."""
        filters = (athlete_id, first_day, last_day, program_id, exercise)
        return await _page(database, caller, filters, include, limit, after)

    @get("/{workout_id:uuid}", responses=problem_responses(*READ_REFUSALS))
    async def get_workout(
        self,
        workout_id: FromPath[UUID],
        caller: NamedDependency[Caller],
        database: NamedDependency[Database],
        include: Include = None,
    ) -> Response[Workout]:
        """Read a workout; its ETag is the version to name when changing it."""
        async with database.request(caller.user_id) as connection:
            known = await read_record(connection, database.vault, WORKOUT_LOGS, workout_id, WORKOUTS.noun)
            workout = await show_workout(connection, database.vault, known, included(include, *INCLUDABLE))
        return _response(known, workout)

    @post(
        dto=described_as(NewWorkout, examples.NEW_WORKOUT),
        return_dto=None,
        responses=problem_responses(*WRITE_REFUSALS, AlreadyExists),
    )
    async def log_workout(
        self,
        data: JSONBody[dict[str, Any]],
        caller: NamedDependency[Caller],
        database: NamedDependency[Database],
        workouts: NamedDependency[RecordWriter],
        idempotency_key: IdempotencyKey = None,
    ) -> Response[Workout]:
        """Log a workout: 201, or 200 when the same was sent before under the same id or Idempotency-Key."""
        draft = object_body(data)
        scope = scope_of_athlete(caller, draft.get("athlete_id"))
        record_id = new_record_id(idempotency_key, caller, WORKOUTS.noun, draft.get("id"))
        made = await workouts.create(scope, record_id, draft, {"created_at": now()})
        return await _made(database, caller, made)

    @put(
        "/{workout_id:uuid}",
        dto=described_as(WorkoutDraft, examples.WORKOUT_CHANGES),
        return_dto=None,
        responses=problem_responses(*WRITE_REFUSALS, VersionRequired),
    )
    async def replace_workout(
        self,
        workout_id: FromPath[UUID],
        data: JSONBody[dict[str, Any]],
        caller: NamedDependency[Caller],
        database: NamedDependency[Database],
        workouts: NamedDependency[RecordWriter],
        if_match: IfMatch = None,
    ) -> Response[Workout]:
        """Make a workout what the body says, starting from the version named in If-Match.

        Only what differs from that version is written. Where another device has changed the same value since, the
        workout lists a conflict; nothing is lost.
        """
        made = await workouts.replace(workout_id, object_body(data), version_required(if_match))
        return await _made(database, caller, made)

    @patch("/{workout_id:uuid}", responses=problem_responses(*WRITE_REFUSALS))
    async def patch_workout(
        self,
        workout_id: FromPath[UUID],
        data: JSONBody[WorkoutLog],
        caller: NamedDependency[Caller],
        database: NamedDependency[Database],
        workouts: NamedDependency[RecordWriter],
        if_match: IfMatch = None,
    ) -> Response[Workout]:
        """Change single values: `{"fatigue": 7, "sets": {"k3f9": {"reps": 9}}}`. `deleted` removes an entry."""
        made = await workouts.apply_patch(workout_id, with_kilograms(patch_of(data)), version_named(if_match))
        return await _made(database, caller, made)

    @delete("/{workout_id:uuid}", responses=problem_responses(*WRITE_REFUSALS))
    async def delete_workout(
        self,
        workout_id: FromPath[UUID],
        workouts: NamedDependency[RecordWriter],
        if_match: IfMatch = None,
    ) -> None:
        """Delete a workout on every device; it can be restored."""
        await workouts.delete(workout_id, version_named(if_match))

    @post("/{workout_id:uuid}/restore", status_code=200, responses=problem_responses(*WRITE_REFUSALS))
    async def restore_workout(
        self,
        workout_id: FromPath[UUID],
        caller: NamedDependency[Caller],
        database: NamedDependency[Database],
        workouts: NamedDependency[RecordWriter],
    ) -> Response[Workout]:
        """Bring a deleted workout back as it was."""
        return await _made(database, caller, await workouts.restore(workout_id))

    @post(
        "/bulk-sync",
        status_code=200,
        dto=described_as(list[BulkItem], examples.BULK_SYNC),
        return_dto=None,
        request_max_body_size=BULK_BYTES_MAX,
        responses=problem_responses(*WRITE_REFUSALS, BodyTooLarge),
    )
    async def sync_offline_logs(
        self,
        data: JSONBody[list[Any]],
        workouts: NamedDependency[RecordMerger],
    ) -> BulkReport:
        """Bring in logs of an app without the SDK; each is judged alone, and sending them again doubles nothing.

        An item is compared with the version its `etag` names, else with what the same user sent before, so values that
        other devices wrote meanwhile stay.
        """
        return BulkReport(await bulk_sync(workouts, list_body(data, BULK_ITEMS_MAX)))


workout_routes = (WorkoutsController,)


async def _page(
    database: Database, caller: Caller, filters: tuple[Any, ...], include: str | None, limit: int, after: str | None
) -> WorkoutsPage:
    asked = included(include, *INCLUDABLE)
    mark = PageMark.decode(after) if after is not None else None
    key = (mark.date, mark.time, mark.id) if mark else (None, None, None)
    async with database.request(caller.user_id) as connection:
        names = await _sealed_names(connection, database.vault, athlete_id=filters[0], exercise=filters[-1])
        rows = await connection.fetch(_queries.list_workouts, *filters, *key, limit + 1, names)
        page = rows[:limit]
        found = await read_records(
            connection, database.vault, WORKOUT_LOGS, [(row["scope_id"], row["record_id"]) for row in page]
        )
        workouts = await show_workouts(connection, database.vault, found, asked)
    last = page[-1] if len(rows) > limit else None
    following = PageMark(last["date"], last["start_time"], last["record_id"]).encode() if last else None
    return WorkoutsPage(workouts, following)


async def _sealed_names(
    connection: Connection, vault: Vault, *, athlete_id: UUID | None, exercise: str | None
) -> list[bytes]:
    """List how the name of an exercise stands in the rows, in any case and with any athlete's key."""
    if exercise is None:
        return []
    rows = await connection.fetch(_queries.list_exercise_names, athlete_id)
    seals = await seals_of_scopes(connection, vault, [row["scope"] for row in rows])
    wanted = exercise.lower()
    return [
        row["name"]
        for row in rows
        if row["scope"] in seals and (seals[row["scope"]].open_name(row["name"], EXERCISE_NAME) or "").lower() == wanted
    ]


async def _made(database: Database, caller: Caller, made: Made) -> Response[Workout]:
    async with database.request(caller.user_id) as connection:
        known = await read_record(
            connection, database.vault, WORKOUT_LOGS, UUID(made.known.id), WORKOUTS.noun, deleted=True
        )
        workout = await show_workout(connection, database.vault, known, ("conflicts",) if known.fold.conflicts else ())
    return _response(known, workout, status=201 if made.outcome == "created" else 200)


def _response(known: KnownRecord, workout: Workout, status: int = 200) -> Response[Workout]:
    headers = {"ETag": etag_of(known.version)}
    if status == 201:
        headers["Location"] = f"/api/workouts/{known.id}"
    return Response(workout, status_code=status, headers=headers)
