"""The addresses of the coach's page, and the one thing it can do that no API endpoint does: settle a conflict."""

from collections.abc import Callable
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any
from urllib.parse import urlsplit
from uuid import UUID

import structlog
from litestar import Request, Response, Router, get, post
from litestar.di import NamedDependency
from litestar.exceptions import HTTPException
from litestar.params import FromPath, JSONBody, PathParameter, QueryParameter
from litestar.response import Redirect
from msgspec import Meta, Struct

from apex_server.caller import Caller, require_role
from apex_server.db import Database, load_queries
from apex_server.db.errors import DatabaseUnavailable as PostgresAway
from apex_server.errors import ApiError, Conflict, DatabaseUnavailable, Gone, InternalError, NotFound
from apex_server.invites import INVITE_CODE_LENGTH_MAX, find_offer
from apex_server.policy import has_pages
from apex_server.resources import read_record
from apex_server.standing import clients_of
from apex_server.sync.commit import Committer
from apex_server.web.athlete_page import read_check_in, read_panel, read_timeline, read_workout
from apex_server.web.contested import settling_patch
from apex_server.web.link_pages import link_pages
from apex_server.web.overview import athletes_by_need, opened_overview
from apex_server.web.rendering import PAGE_HEADERS, render, static_router
from apex_server.web.security_page import passkeys_at, security_page
from apex_server.web.thread import read_thread
from apex_server.web.visitor import (
    NotACoach,
    NotSignedIn,
    SecondFactorFirst,
    athlete_of,
    coach_of,
    find_visitor,
    name_of,
    sent_to_sign_in,
)
from apex_sync.ids import athlete_scope
from apex_sync.models import CHECK_INS, WORKOUT_LOGS

__all__ = ["page_instead", "web_routes"]

ATHLETES_MAX = 500
"""On one page; a coach of more needs an organisation, and gets lists by other means."""

_log = structlog.get_logger(__name__)
_queries = load_queries(__package__)

PROGRAMS_PATHS = ("/api/", "/schema/")
"""What is below these is asked for by programs, whatever they say they accept."""

_Request = Request[Any, Any, Any]
_Handler = Callable[[_Request, HTTPException], Response[Any]]
_Page = Response[Any]
_After = Annotated[str | None, QueryParameter(max_length=2000)]


class Settle(Struct, forbid_unknown_fields=True):
    """Which author's value is to stand at a contested place; the numbers are text, as pages hold them."""

    path: Annotated[str, Meta(max_length=200)]
    client_id: Annotated[str, Meta(pattern="^[0-9]{1,16}$")]
    stamp: Annotated[str, Meta(pattern="^[0-9]{1,16}$")]


class NothingContested(Conflict):
    """Somebody has settled it meanwhile, or the athlete has written something newer."""

    code = "nothing_contested"
    title = "This value is no longer in conflict."
    next_step = "Look at the workout again."


@get("/")
async def sign_in_page(
    request: _Request,
    database: NamedDependency[Database],
    target: Annotated[str, QueryParameter(name="next", max_length=2000)] = "/athletes",
) -> _Page:
    """Sign in; on a server without any coach, create the first account."""
    target = _own_path(target)
    caller = await find_visitor(request)
    if caller is not None and (has_pages(caller.role) or target == "/security"):
        return Redirect(target, status_code=303, headers=PAGE_HEADERS)
    if caller is not None:
        raise NotACoach
    async with database.commit_connection() as connection:
        first_run = not await connection.fetchval(_queries.has_any_coach)
    return render(request, "sign_in.html", target=target, first_run=first_run, passkeys_at=passkeys_at(request))


@get("/join/{code:str}")
async def join_page(
    request: _Request,
    code: Annotated[str, PathParameter(max_length=INVITE_CODE_LENGTH_MAX)],
    database: NamedDependency[Database],
) -> _Page:
    """Tell whoever holds an invite whose it is, and what to do with it."""
    try:
        async with database.request(None) as connection:
            offer = await find_offer(connection, database.vault, code)
    except (NotFound, Gone) as over:
        return render(request, "join.html", over.status, offer=None, over=over)
    return render(request, "join.html", offer=offer, code=code, address=request.app.state.settings.page_url)


@get("/athletes")
async def athletes_page(request: _Request, database: NamedDependency[Database]) -> _Page:
    """All athletes of a coach: who needs attention comes first."""
    coach = await coach_of(request)
    async with database.request(coach.user_id) as connection:
        rows = await opened_overview(
            connection, database.vault, await connection.fetch(_queries.list_overview, coach.user_id, ATHLETES_MAX)
        )
        clients = {client.id: client for client in await clients_of(connection, database.vault, [coach.user_id])}
        confirmed = await connection.fetchval(_queries.is_confirmed, coach.user_id)
    athletes = athletes_by_need(rows, clients, _today())
    me = await name_of(database, coach)
    return render(request, "athletes.html", athletes=athletes, me=me, today=_today(), confirmed=confirmed)


@get("/athletes/{athlete_id:uuid}")
async def athlete_page(
    request: _Request, athlete_id: FromPath[UUID], database: NamedDependency[Database], after: _After = None
) -> _Page:
    """One athlete: the reconciled timeline, insights, trends."""
    coach = await coach_of(request)
    async with database.request(coach.user_id) as connection:
        athlete = await athlete_of(connection, database.vault, coach, athlete_id)
        timeline = await read_timeline(connection, database.vault, athlete_id, after)
        panel = await read_panel(connection, database.vault, coach.user_id, athlete_id)
        thread = await read_thread(connection, database.vault, coach.user_id, athlete_id)
    me = await name_of(database, coach)
    return render(
        request,
        "athlete.html",
        athlete=athlete,
        timeline=timeline,
        panel=panel,
        thread=thread,
        me=me,
        after=after,
        today=_today(),
    )


@get("/athletes/{athlete_id:uuid}/workouts/{workout_id:uuid}")
async def workout_page(
    request: _Request, athlete_id: FromPath[UUID], workout_id: FromPath[UUID], database: NamedDependency[Database]
) -> _Page:
    """One workout with its history."""
    coach = await coach_of(request)
    async with database.request(coach.user_id) as connection:
        athlete = await athlete_of(connection, database.vault, coach, athlete_id)
        workout, changes = await read_workout(connection, database.vault, athlete_id, workout_id)
    me = await name_of(database, coach)
    return render(request, "workout.html", athlete=athlete, workout=workout, changes=changes, me=me)


@get("/athletes/{athlete_id:uuid}/checkins/{check_in_id:uuid}")
async def check_in_page(
    request: _Request, athlete_id: FromPath[UUID], check_in_id: FromPath[UUID], database: NamedDependency[Database]
) -> _Page:
    """One check-in with its history."""
    coach = await coach_of(request)
    async with database.request(coach.user_id) as connection:
        athlete = await athlete_of(connection, database.vault, coach, athlete_id)
        check_in, changes = await read_check_in(connection, database.vault, athlete_id, check_in_id)
    me = await name_of(database, coach)
    return render(request, "check_in.html", athlete=athlete, check_in=check_in, changes=changes, me=me)


@get("/athletes/{athlete_id:uuid}/records/{record_id:uuid}")
async def record_page(
    request: _Request, athlete_id: FromPath[UUID], record_id: FromPath[UUID], database: NamedDependency[Database]
) -> _Page:
    """Find the page of a record of which only the id is known: what a fact of an insight rests on."""
    coach = await coach_of(request)
    async with database.request(coach.user_id) as connection:
        await athlete_of(connection, database.vault, coach, athlete_id)
        scopes = (athlete_scope(str(athlete_id)),)
        try:
            await read_record(connection, database.vault, WORKOUT_LOGS, record_id, "workout", scopes=scopes)
            folder = "workouts"
        except NotFound:
            await read_record(connection, database.vault, CHECK_INS, record_id, "record", scopes=scopes)
            folder = "checkins"
    return Redirect(f"/athletes/{athlete_id}/{folder}/{record_id}", status_code=303, headers=PAGE_HEADERS)


@post("/athletes/{athlete_id:uuid}/workouts/{workout_id:uuid}/settle", status_code=204, include_in_schema=False)
async def settle_conflict(
    athlete_id: FromPath[UUID],
    workout_id: FromPath[UUID],
    data: JSONBody[Settle],
    caller: NamedDependency[Caller],
    database: NamedDependency[Database],
    committer: NamedDependency[Committer],
) -> None:
    """Let one author's value stand, by an op like any other; so every device hears of it."""
    require_role(caller, "coach")
    async with database.request(caller.user_id) as connection:
        await athlete_of(connection, database.vault, caller, athlete_id)
        scopes = (athlete_scope(str(athlete_id)),)
        known = await read_record(connection, database.vault, WORKOUT_LOGS, workout_id, "workout", scopes=scopes)
    patch = settling_patch(known, data.path, int(data.client_id), int(data.stamp))
    if patch is None:
        raise NothingContested
    await committer.write(
        caller.user_id, known.scope, WORKOUT_LOGS.name, known.id, patch, expected_vector=known.version
    )


def _sign_in(request: _Request, _error: NotSignedIn) -> _Page:
    return sent_to_sign_in(request)


def _to_second_factors(_request: _Request, _error: SecondFactorFirst) -> _Page:
    return Redirect("/security#second", status_code=303, headers=PAGE_HEADERS)


def _for_coaches(request: _Request, _error: NotACoach) -> _Page:
    return render(request, "not_a_coach.html", 403)


def _api_error(request: _Request, error: ApiError) -> _Page:
    page = render(request, "error.html", error.status, title=error.title, next_step=error.next_step)
    page.headers.update(error.headers())
    return page


def _postgres_away(request: _Request, error: PostgresAway) -> _Page:
    _log.warning("database_unavailable", reason=error.reason)
    return _api_error(request, DatabaseUnavailable(retry_after=1))


def _framework_error(request: _Request, error: HTTPException) -> _Page:
    if error.status_code >= 500:
        return _unexpected(request, error)
    return _api_error(request, NotFound("page"))


def page_instead(answer: _Handler) -> _Handler:
    """Answer a person who opened an address that is not there with a page, and a program as `answer` does."""

    def answered(request: _Request, error: HTTPException) -> Response[Any]:
        is_api = request.url.path.startswith(PROGRAMS_PATHS)
        if error.status_code != HTTPStatus.NOT_FOUND or is_api or "text/html" not in request.headers.get("accept", ""):
            return answer(request, error)
        return _api_error(request, NotFound("page"))

    return answered


def _unexpected(request: _Request, error: Exception) -> _Page:
    _log.error("page_failed", route=request.scope.get("path_template"), exc_info=error)
    return _api_error(request, InternalError())


def _own_path(target: str) -> str:
    """Keep a redirect on this server.

    >>> _own_path("/athletes?x=1"), _own_path("//evil.example/"), _own_path("https://evil.example/")
    ('/athletes?x=1', '/athletes', '/athletes')
    """
    parts = urlsplit(target)
    is_own = target.startswith("/") and not target.startswith(("//", "/\\")) and not parts.netloc
    return target if is_own and parts.path != "/" and target.isprintable() else "/athletes"


def _today() -> Any:
    return datetime.now(UTC).date()


web_routes: list[Any] = [
    Router(
        "/",
        route_handlers=[
            *link_pages,
            sign_in_page,
            security_page,
            join_page,
            athletes_page,
            athlete_page,
            workout_page,
            check_in_page,
            record_page,
        ],
        opt={"exclude_from_auth": True},
        include_in_schema=False,
        exception_handlers={
            NotSignedIn: _sign_in,
            NotACoach: _for_coaches,
            SecondFactorFirst: _to_second_factors,
            ApiError: _api_error,
            PostgresAway: _postgres_away,
            HTTPException: _framework_error,
            Exception: _unexpected,
        },
    ),
    settle_conflict,
    static_router,
]
