"""The endpoints of check-ins, `/api/checkins`: the athlete reports, the coach answers, the analysis helps.

Who may write a field is declared with the model: answers are the athlete's, feedback is the coach's, and the analysis
is carried in by the server alone, once the coach has approved it.
"""

from datetime import date
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Controller, Response, delete, get, patch, post, put
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from apex_server.caller import Caller, require_role
from apex_server.checkins.payloads import (
    AnalysisAsked,
    CheckIn,
    CheckInsPage,
    NewCheckIn,
    PendingCheckIn,
    PendingCheckIns,
    Review,
)
from apex_server.checkins.showing import CHECKINS, INCLUDABLE, show_checkin
from apex_server.db import Database, load_queries
from apex_server.errors import RoleRequired
from apex_server.people import USER_NAME
from apex_server.problems import problem_responses
from apex_server.resources import (
    AlreadyExists,
    KnownRecord,
    Made,
    PageMark,
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
from apex_sync.coaching.checkin_view import CheckInDraft
from apex_sync.models import CHECK_INS
from apex_sync.models import CheckIn as CheckInRecord

__all__ = ["checkin_routes"]

BODY_BYTES_MAX = 256 * 1024
"""Notes and answers of 10,000 characters each, several times over."""

_queries = load_queries(__package__)

_From = Annotated[date | None, QueryParameter(name="from", description="The first day, `2026-03-01`.")]
_To = Annotated[date | None, QueryParameter(name="to", description="The last day.")]


def provide_writer(
    caller: NamedDependency[Caller], database: NamedDependency[Database], committer: NamedDependency[Committer]
) -> RecordWriter:
    """Give what writes check-ins for the caller."""
    return RecordWriter(CHECKINS, database, committer, caller)


class CheckInsController(Controller):
    """Check-ins of an athlete, or of all athletes of a coach."""

    path = "/api/checkins"
    tags = ("checkins",)
    request_max_body_size = BODY_BYTES_MAX
    dependencies = {"checkins": Provide(provide_writer, sync_to_thread=False)}  # noqa: RUF012 - the framework's own.

    @get(responses=problem_responses(*READ_REFUSALS))
    async def list_checkins(
        self,
        caller: NamedDependency[Caller],
        database: NamedDependency[Database],
        athlete_id: FromQuery[UUID | None] = None,
        first_day: _From = None,
        last_day: _To = None,
        include: Include = None,
        limit: Limit = PAGE_LENGTH_DEFAULT,
        after: After = None,
    ) -> CheckInsPage:
        """List check-ins, the newest first."""
        return await _page(database, caller, (athlete_id, first_day, last_day), include, limit, after)

    @get("/client/{athlete_id:uuid}", responses=problem_responses(*READ_REFUSALS))
    async def list_of_athlete(
        self,
        athlete_id: FromPath[UUID],
        caller: NamedDependency[Caller],
        database: NamedDependency[Database],
        first_day: _From = None,
        last_day: _To = None,
        include: Include = None,
        limit: Limit = PAGE_LENGTH_DEFAULT,
        after: After = None,
    ) -> CheckInsPage:
        """List the check-ins of one athlete, the newest first. Somebody else's athlete has none."""
        return await _page(database, caller, (athlete_id, first_day, last_day), include, limit, after)

    @get("/pending", responses=problem_responses(*READ_REFUSALS, RoleRequired))
    async def list_pending(
        self, caller: NamedDependency[Caller], database: NamedDependency[Database], limit: Limit = PAGE_LENGTH_DEFAULT
    ) -> PendingCheckIns:
        """List what was submitted and not yet reviewed: the most urgent first, then whoever has waited longest."""
        require_role(caller, "coach")
        async with database.request(caller.user_id) as connection:
            rows = await connection.fetch(_queries.list_pending, limit + 1)
            found = await read_records(
                connection, database.vault, CHECK_INS, [(row["scope_id"], row["record_id"]) for row in rows]
            )
            known = {UUID(record.id): record for record in found}
            names = await database.vault.texts(
                connection, USER_NAME, [(row["scope_id"], row["athlete_name"]) for row in rows]
            )
            pending = [
                PendingCheckIn(
                    name, row["priority"], await show_checkin(connection, database.vault, known[row["record_id"]])
                )
                for row, name in list(zip(rows, names, strict=True))[:limit]
                if row["record_id"] in known
            ]
        return PendingCheckIns(pending, more=len(rows) > limit)

    @get("/{checkin_id:uuid}", responses=problem_responses(*READ_REFUSALS))
    async def get_checkin(
        self,
        checkin_id: FromPath[UUID],
        caller: NamedDependency[Caller],
        database: NamedDependency[Database],
        include: Include = None,
    ) -> Response[CheckIn]:
        """Read a check-in; its ETag is the version to name when changing it."""
        async with database.request(caller.user_id) as connection:
            known = await read_record(connection, database.vault, CHECK_INS, checkin_id, CHECKINS.noun)
            checkin = await show_checkin(connection, database.vault, known, included(include, *INCLUDABLE))
        return _response(known, checkin)

    @post(
        dto=described_as(NewCheckIn),
        return_dto=None,
        responses=problem_responses(*WRITE_REFUSALS, AlreadyExists, RoleRequired),
    )
    async def submit_checkin(
        self,
        data: JSONBody[dict[str, Any]],
        caller: NamedDependency[Caller],
        database: NamedDependency[Database],
        checkins: NamedDependency[RecordWriter],
        idempotency_key: IdempotencyKey = None,
    ) -> Response[CheckIn]:
        """Submit a check-in: 201, or 200 when the same was sent before under the same id or Idempotency-Key."""
        require_role(caller, "athlete")
        draft = object_body(data)
        made_at = now()
        more = {"created_at": made_at}
        if "submitted_at" not in draft:
            more["submitted_at"] = made_at
        record_id = new_record_id(idempotency_key, caller, CHECKINS.noun, draft.get("id"))
        made = await checkins.create(scope_of_athlete(caller, draft.get("athlete_id")), record_id, draft, more)
        return await _made(database, caller, made)

    @put(
        "/{checkin_id:uuid}",
        dto=described_as(CheckInDraft),
        return_dto=None,
        responses=problem_responses(*WRITE_REFUSALS, VersionRequired),
    )
    async def replace_checkin(
        self,
        checkin_id: FromPath[UUID],
        data: JSONBody[dict[str, Any]],
        caller: NamedDependency[Caller],
        database: NamedDependency[Database],
        checkins: NamedDependency[RecordWriter],
        if_match: IfMatch = None,
    ) -> Response[CheckIn]:
        """Make a check-in what the body says, starting from the version named in If-Match.

        Only what differs from that version is written, and only fields that are yours to write are emptied by leaving
        them out. Where somebody else has changed the same value since, the check-in lists a conflict.
        """
        made = await checkins.replace(checkin_id, object_body(data), version_required(if_match))
        return await _made(database, caller, made)

    @patch("/{checkin_id:uuid}", responses=problem_responses(*WRITE_REFUSALS))
    async def patch_checkin(
        self,
        checkin_id: FromPath[UUID],
        data: JSONBody[CheckInRecord],
        caller: NamedDependency[Caller],
        database: NamedDependency[Database],
        checkins: NamedDependency[RecordWriter],
        if_match: IfMatch = None,
    ) -> Response[CheckIn]:
        """Change single values: `{"responses": {"energy": 7}}`."""
        made = await checkins.apply_patch(checkin_id, msgspec.to_builtins(data), version_named(if_match))
        return await _made(database, caller, made)

    @delete("/{checkin_id:uuid}", responses=problem_responses(*WRITE_REFUSALS))
    async def delete_checkin(
        self,
        checkin_id: FromPath[UUID],
        checkins: NamedDependency[RecordWriter],
        if_match: IfMatch = None,
    ) -> None:
        """Delete a check-in on every device; only its athlete may."""
        await checkins.delete(checkin_id, version_named(if_match))

    @post("/{checkin_id:uuid}/review", status_code=200, responses=problem_responses(*WRITE_REFUSALS, RoleRequired))
    async def review_checkin(
        self,
        checkin_id: FromPath[UUID],
        data: JSONBody[Review],
        caller: NamedDependency[Caller],
        database: NamedDependency[Database],
        checkins: NamedDependency[RecordWriter],
    ) -> Response[CheckIn]:
        """Answer a check-in as its coach; the athlete's devices show it with their next sync."""
        require_role(caller, "coach")
        reviewed = {"coach_feedback": data.coach_feedback, "coach_reviewed": True, "reviewed_at": now()}
        return await _made(database, caller, await checkins.apply_patch(checkin_id, reviewed))

    @post("/{checkin_id:uuid}/ai-analyze", status_code=202, responses=problem_responses(*READ_REFUSALS, RoleRequired))
    async def analyze_checkin(
        self, checkin_id: FromPath[UUID], caller: NamedDependency[Caller], database: NamedDependency[Database]
    ) -> AnalysisAsked:
        """Ask for the analysis now instead of after a quiet minute; its result is a draft insight for the coach."""
        require_role(caller, "coach")
        async with database.request(caller.user_id) as connection:
            known = await read_record(connection, database.vault, CHECK_INS, checkin_id, CHECKINS.noun)
        async with database.commit_connection() as connection:
            await connection.execute(_queries.ask_for_analysis, UUID(known.athlete_id or ""), caller.user_id)
        return AnalysisAsked()


checkin_routes = (CheckInsController,)


async def _page(
    database: Database, caller: Caller, filters: tuple[Any, ...], include: str | None, limit: int, after: str | None
) -> CheckInsPage:
    asked = included(include, *INCLUDABLE)
    mark = PageMark.decode(after) if after is not None else None
    key = (mark.date, mark.time, mark.id) if mark else (None, None, None)
    async with database.request(caller.user_id) as connection:
        rows = await connection.fetch(_queries.list_check_ins, *filters, *key, limit + 1)
        page = rows[:limit]
        found = await read_records(
            connection, database.vault, CHECK_INS, [(row["scope_id"], row["record_id"]) for row in page]
        )
        checkins = [await show_checkin(connection, database.vault, known, asked) for known in found]
    last = page[-1] if len(rows) > limit else None
    following = PageMark(last["date"], last["submitted_at"], last["record_id"]).encode() if last else None
    return CheckInsPage(checkins, following)


async def _made(database: Database, caller: Caller, made: Made) -> Response[CheckIn]:
    async with database.request(caller.user_id) as connection:
        known = await read_record(
            connection, database.vault, CHECK_INS, UUID(made.known.id), CHECKINS.noun, deleted=True
        )
        checkin = await show_checkin(connection, database.vault, known, ("conflicts",) if known.fold.conflicts else ())
    return _response(known, checkin, status=201 if made.outcome == "created" else 200)


def _response(known: KnownRecord, checkin: CheckIn, status: int = 200) -> Response[CheckIn]:
    headers = {"ETag": etag_of(known.version)}
    if status == 201:
        headers["Location"] = f"/api/checkins/{known.id}"
    return Response(checkin, status_code=status, headers=headers)
