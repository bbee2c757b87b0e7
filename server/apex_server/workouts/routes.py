"""The endpoints of workouts, `/api/workouts`.

What is read and written here is the same record that phone and watch hold: a change made here reaches them, and theirs
shows here. PUT and POST take the shape that GET gives (exercises with their sets, in lists), PATCH the record's own
(maps of entries by id), so that one value can be changed without sending the others.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

from litestar import post
from litestar.di import NamedDependency
from litestar.params import FromQuery, JSONBody, QueryParameter

from apex_server.db import Connection, load_queries
from apex_server.problems import problem_responses
from apex_server.resources import (
    Asked,
    AthleteRecordController,
    FirstDay,
    KnownRecord,
    LastDay,
    PageMark,
    RecordMerger,
    described_as,
    list_body,
)
from apex_server.resources.requests import NO_NUL, WRITE_REFUSALS
from apex_server.sync.sealing import EXERCISE_NAME, seals_of_scopes
from apex_server.vault import Vault
from apex_server.workouts.bulk import bulk_sync
from apex_server.workouts.examples import BULK_SYNC, NEW_WORKOUT, WORKOUT_CHANGES, WORKOUT_PATCH
from apex_server.workouts.loads import with_kilograms
from apex_server.workouts.payloads import BULK_ITEMS_MAX, BulkItem, BulkReport, NewWorkout, Workout, WorkoutsPage
from apex_server.workouts.showing import WORKOUTS, show_workouts
from apex_sync.coaching.workout_view import WorkoutDraft
from apex_sync.op import Patch

__all__ = ["workout_routes"]

BULK_BYTES_MAX = 8 * 1024 * 1024
"""1,000 workouts of 2.5 kB with room to spare."""

_queries = load_queries(__package__)

_Exercise = Annotated[
    str | None,
    QueryParameter(max_length=200, pattern=NO_NUL, description="Workouts with this exercise: its id or its name."),
]
_ProgramId = Annotated[str | None, QueryParameter(max_length=64, pattern=NO_NUL)]


@dataclass(frozen=True)
class WorkoutFilters:
    """Which workouts are listed."""

    athlete_id: FromQuery[UUID | None] = None
    first_day: FirstDay = None
    last_day: LastDay = None
    program_id: _ProgramId = None
    exercise: _Exercise = None


class WorkoutsController(AthleteRecordController):
    """Workouts of an athlete, or of all athletes of a coach."""

    path = "/api/workouts"
    tags = ("workouts",)
    request_max_body_size = 1024 * 1024  # A workout of 500 sets is about 100 kB as JSON.
    kind, writer = WORKOUTS, RecordMerger
    view, page, new, draft = Workout, WorkoutsPage, NewWorkout, WorkoutDraft
    examples = (NEW_WORKOUT, WORKOUT_CHANGES, WORKOUT_PATCH)
    entries = ("exercises", "sets")
    includable = ("conflicts", "contributions", "personal_records")
    filters = WorkoutFilters
    list_query, sorted_by, mark = _queries.list_workouts, "-date", PageMark

    def completed(self, changes: Patch) -> Patch:
        """Give loads typed in pounds their kilograms. Raises InvalidFields."""
        return with_kilograms(changes)

    async def rows(
        self, connection: Connection, vault: Vault, filters: tuple[Any, ...], asked: Asked
    ) -> Sequence[Sequence[Any]]:
        """Find a page; an exercise is found by its name as it stands in the rows, which is sealed."""
        athlete_id, *_, exercise = filters
        names = await _sealed_names(connection, vault, athlete_id=athlete_id, exercise=exercise)
        return await super().rows(connection, vault, (*filters, names), asked)

    async def show(
        self, connection: Connection, vault: Vault, found: Sequence[KnownRecord], include: Collection[str]
    ) -> list[Workout]:
        """Show workouts, with the personal records of a single athlete."""
        return await show_workouts(connection, vault, found, include)

    @post(
        "/bulk-sync",
        status_code=200,
        dto=described_as(list[BulkItem], BULK_SYNC),
        return_dto=None,
        request_max_body_size=BULK_BYTES_MAX,
        responses=problem_responses(*WRITE_REFUSALS),
    )
    async def sync_offline_logs(
        self,
        data: JSONBody[list[Any]],
        records: NamedDependency[RecordMerger],
    ) -> BulkReport:
        """Bring in logs of an app without the SDK; each is judged alone, and sending them again doubles nothing.

        An item is compared with the version its `etag` names, else with what the same user sent before, so values that
        other devices wrote meanwhile stay.
        """
        return BulkReport(await bulk_sync(records, list_body(data, BULK_ITEMS_MAX)))


workout_routes = (WorkoutsController,)


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
