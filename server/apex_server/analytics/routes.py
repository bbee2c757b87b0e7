"""The endpoints of analytics, `/api/analytics`, and the weeks of `/api/workouts/analytics`.

Nothing here is stored: every figure follows from the logs as they stand, so a session that arrives late changes it.
Which sets count, and what follows from them, is what `apex_sync.coaching` says on every device.
"""

from datetime import date
from typing import Annotated, Any
from uuid import UUID

from litestar import Controller, Request, get
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, FromQuery, QueryParameter
from litestar.response import Stream

from apex_server.analytics.errors import ParquetMissing
from apex_server.analytics.exporting import MEDIA_TYPES, exported_athletes, exported_pieces, require_writer
from apex_server.analytics.figures import (
    adherence_of_clients,
    client_analytics_of,
    dashboard_of_coaches,
    progression_of,
    today,
    totals_by_week,
    volume_by_week,
)
from apex_server.analytics.payloads import (
    AdherenceReport,
    ClientAnalytics,
    CoachDashboard,
    ExportFormat,
    Progression,
    WorkoutAnalytics,
)
from apex_server.caller import Caller, require_role
from apex_server.client_address import client_address
from apex_server.db import Database
from apex_server.errors import InvalidFields, NotFound, RoleRequired, TooManyClients
from apex_server.problems import SIGN_IN_REFUSALS, problem_responses
from apex_server.resources import FirstDay, LastDay, require_scope
from apex_server.resources.requests import NO_NUL, READ_REFUSALS, scope_of_athlete
from apex_server.standing import ReadCoach, coaches_read_by
from apex_sync.coaching.analytics import Volume, first_day_of
from apex_sync.ids import Scope, athlete_scope

__all__ = ["analytics_routes"]

WEEKS_DEFAULT = 12
WEEKS_MAX = 104
"""Weeks of adherence: two years of fifty athletes are read in one statement."""

DAYS_MAX = 3660
"""Ten years of one athlete's training are added up in a second."""

DAYS_OF_ALL_MAX = 370
"""A year of all athletes of a coach."""

_COACH_READS = (*SIGN_IN_REFUSALS, RoleRequired)

Weeks = Annotated[int, QueryParameter(ge=1, le=WEEKS_MAX, description="How many weeks back.")]
Exercise = Annotated[
    str | None,
    QueryParameter(max_length=200, pattern=NO_NUL, description="One exercise alone: its id or its name."),
]


class AnalyticsController(Controller):
    """What training adds up to."""

    path = "/api/analytics"
    tags = ("analytics",)

    @get("/dashboard", responses=problem_responses(*_COACH_READS, InvalidFields, TooManyClients))
    async def get_coach_dashboard(
        self, caller: NamedDependency[Caller], database: NamedDependency[Database], coach_id: ReadCoach = None
    ) -> CoachDashboard:
        """Read your work as a coach at a glance, or as an owner that of your coaches: who needs a look, what waits."""
        require_role(caller, "coach", "owner")
        async with database.request(caller.user_id) as connection:
            coaches = await coaches_read_by(connection, caller, coach_id)
            return await dashboard_of_coaches(connection, database.vault, coaches)

    @get("/adherence", responses=problem_responses(*_COACH_READS, InvalidFields, TooManyClients))
    async def get_adherence(
        self,
        caller: NamedDependency[Caller],
        database: NamedDependency[Database],
        coach_id: ReadCoach = None,
        weeks: Weeks = WEEKS_DEFAULT,
    ) -> AdherenceReport:
        """State week by week how many of the due sessions each of your athletes did, or of your coaches' athletes."""
        async with database.request(caller.user_id) as connection:
            coaches = await coaches_read_by(connection, caller, coach_id)
            return await adherence_of_clients(connection, database.vault, coaches, weeks)

    @get("/client/{athlete_id:uuid}", responses=problem_responses(*READ_REFUSALS, RoleRequired))
    async def get_client_analytics(
        self,
        athlete_id: FromPath[UUID],
        caller: NamedDependency[Caller],
        database: NamedDependency[Database],
        coach_id: ReadCoach = None,
        weeks: Weeks = WEEKS_DEFAULT,
    ) -> ClientAnalytics:
        """Read the weeks of one of your athletes: totals, adherence, muscles, and the exercises trained most."""
        async with database.request(caller.user_id) as connection:
            coaches = await coaches_read_by(connection, caller, coach_id)
            return await client_analytics_of(connection, database.vault, coaches, athlete_id, weeks)

    @get("/volume/{athlete_id:uuid}", responses=problem_responses(*READ_REFUSALS))
    async def get_volume(
        self,
        athlete_id: FromPath[UUID],
        caller: NamedDependency[Caller],
        database: NamedDependency[Database],
        first_day: FirstDay = None,
        last_day: LastDay = None,
    ) -> Volume:
        """Count the weekly hard sets of an athlete by muscle, direct and fractional, and by exercise.

        The last twelve weeks unless days are named. Sets of an exercise that no library knows are listed with the
        exercise, and in no muscle's figures.
        """
        first, last = days_asked(first_day, last_day, DAYS_MAX)
        async with database.request(caller.user_id) as connection:
            await require_scope(connection, caller.user_id, athlete_scope(str(athlete_id)), "athlete")
            return await volume_by_week(connection, database.vault, athlete_id, first, last)

    @get("/progression", responses=problem_responses(*READ_REFUSALS))
    async def get_progression(
        self,
        caller: NamedDependency[Caller],
        database: NamedDependency[Database],
        athlete_id: FromQuery[UUID | None] = None,
        exercise: Exercise = None,
        first_day: FirstDay = None,
        last_day: LastDay = None,
    ) -> Progression:
        """Draw the line of each exercise of an athlete: top sets, estimated maxima by one formula, personal records.

        The last twelve weeks unless days are named. Athletes need not name themselves. A set that arrives late may
        take a record from a session after it.
        """
        first, last = days_asked(first_day, last_day, DAYS_MAX)
        scope = scope_of_athlete(caller, None if athlete_id is None else str(athlete_id))
        async with database.request(caller.user_id) as connection:
            await require_scope(connection, caller.user_id, scope, "athlete")
            trained = Scope.parse(scope).id
            return Progression(
                await progression_of(connection, database.vault, trained, first, last, exercise=exercise)
            )

    @get(
        "/export",
        responses={
            200: ResponseSpec(
                None,
                description="The file, sent while it is read.",
                media_type=MEDIA_TYPES["csv"],
                generate_examples=False,
            ),
            **problem_responses(*READ_REFUSALS, RoleRequired, TooManyClients, ParquetMissing),
        },
    )
    async def export_sets(
        self,
        request: Request[Any, Any, Any],
        caller: NamedDependency[Caller],
        database: NamedDependency[Database],
        file_format: Annotated[
            ExportFormat, QueryParameter(name="format", description="Parquet where the server has it installed.")
        ] = "csv",
        athlete_id: FromQuery[UUID | None] = None,
        coach_id: ReadCoach = None,
        first_day: FirstDay = None,
        last_day: LastDay = None,
    ) -> Stream:
        """Take every logged set along as a table: your own, or those of your athletes, or of your coaches' athletes.

        Everything, what has no day among it, unless days are named. Each athlete sees among their events that it was
        taken.
        """
        require_role(caller, "athlete", "coach", "owner")
        require_writer(file_format)
        days = (first_day or date.min, last_day or date.max)
        require_order(*days)
        athletes = await exported_athletes(database, caller, athlete_id, coach_id)
        if athlete_id is not None and not athletes:
            raise NotFound("athlete")
        return Stream(
            exported_pieces(database, caller, athletes, days, file_format, client_address(request)),
            media_type=MEDIA_TYPES[file_format],
            headers={
                "Content-Disposition": f'attachment; filename="logged_sets.{file_format}"',
                "Cache-Control": "no-store",
            },
        )


class WorkoutAnalyticsController(Controller):
    """Training by week."""

    path = "/api/workouts/analytics"
    tags = ("analytics",)

    @get(responses=problem_responses(*READ_REFUSALS))
    async def get_workout_analytics(
        self,
        caller: NamedDependency[Caller],
        database: NamedDependency[Database],
        athlete_id: FromQuery[UUID | None] = None,
        first_day: FirstDay = None,
        last_day: LastDay = None,
    ) -> WorkoutAnalytics:
        """Add up training by week: of one athlete, or of everybody whose workouts you may read."""
        first, last = days_asked(first_day, last_day, DAYS_OF_ALL_MAX if athlete_id is None else DAYS_MAX)
        async with database.request(caller.user_id) as connection:
            if athlete_id is not None:
                await require_scope(connection, caller.user_id, athlete_scope(str(athlete_id)), "athlete")
            athletes = None if athlete_id is None else [athlete_id]
            return WorkoutAnalytics(await totals_by_week(connection, athletes, first, last))


def days_asked(first_day: date | None, last_day: date | None, days_max: int) -> tuple[date, date]:
    """Give the first and the last day to look at. Raises InvalidFields for a span that is empty or too long."""
    last = last_day or today()
    first = first_day or first_day_of(WEEKS_DEFAULT, last)
    require_order(first, last)
    if (last - first).days > days_max:
        raise InvalidFields.one("from", f"Expected at most {days_max} days before `to`")
    return first, last


def require_order(first: date, last: date) -> None:
    """Return if a span holds a day. Raises InvalidFields."""
    if first > last:
        raise InvalidFields.one("from", "Expected a day that is not after `to`")


analytics_routes = (AnalyticsController, WorkoutAnalyticsController)
