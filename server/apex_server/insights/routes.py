"""The endpoints of insights, `/api/insights`; they are the coach's, and athletes find what was published to them.

Approving writes the same leaf that a coach's own device writes when it approves, and carries the text to the athlete in
the same request. Asking for an analysis only makes it due: a worker does it within a second or two.
"""

from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import Controller, get, patch, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from msgspec import UNSET

from apex_server.caller import Caller, require_role
from apex_server.clock import wall_clock
from apex_server.db import Database, load_queries
from apex_server.errors import RoleRequired
from apex_server.insights.errors import InsightSuperseded
from apex_server.insights.payloads import (
    Approval,
    Asked,
    Dismissal,
    Edit,
    GenerateRequest,
    InsightDetail,
    InsightMark,
    InsightsPage,
    Kind,
    PublishedInsightResource,
    PublishedInsightsPage,
    Status,
    Texts,
)
from apex_server.insights.showing import show_detail, show_summary
from apex_server.jobs.drafts import local_time
from apex_server.jobs.publishing import Publisher
from apex_server.jobs.requests import ask_for_analysis
from apex_server.problems import problem_responses
from apex_server.resources import (
    PAGE_LENGTH_MAX,
    KnownRecord,
    StampMark,
    read_record,
    read_records,
    require_scope,
    view_of_model,
)
from apex_server.resources.requests import NO_NUL, READ_REFUSALS, WRITE_REFUSALS
from apex_server.sync.commit import Committer
from apex_sync.ids import Scope, athlete_scope, private_scope
from apex_sync.models import INSIGHTS, PUBLISHED_INSIGHTS
from apex_sync.op import Patch

__all__ = ["insight_routes"]

BODY_BYTES_MAX = 256 * 1024
"""Twenty recommendations of full length."""

KINDS: list[Kind] = ["check_in", "training"]

_queries = load_queries(__package__)

_Limit = Annotated[int, QueryParameter(ge=1, le=PAGE_LENGTH_MAX, description="Insights on a page.")]
_After = Annotated[str | None, QueryParameter(max_length=2000, description="The `next` of the page before.")]
_AboutId = Annotated[
    str | None, QueryParameter(max_length=64, pattern=NO_NUL, description="The check-in it speaks of.")
]


class InsightsController(Controller):
    """What the analysis drafted for a coach."""

    path = "/api/insights"
    tags = ("insights",)
    request_max_body_size = BODY_BYTES_MAX

    @get(responses=problem_responses(*READ_REFUSALS, RoleRequired))
    async def list_insights(
        self,
        caller: NamedDependency[Caller],
        database: NamedDependency[Database],
        athlete_id: FromQuery[UUID | None] = None,
        status: FromQuery[Status | None] = None,
        kind: FromQuery[Kind | None] = None,
        about_id: _AboutId = None,
        limit: _Limit = 50,
        after: _After = None,
    ) -> InsightsPage:
        """List insights, the most urgent first."""
        require_role(caller, "coach", "owner")
        mark = InsightMark.decode(after)
        scope_id = None if athlete_id is None else Scope.parse(scope_of(caller, athlete_id)).id
        async with database.request(caller.user_id) as connection:
            rows = await connection.fetch(
                _queries.list_insights,
                scope_id,
                status,
                kind,
                about_id,
                *InsightMark.key(mark),
                limit + 1,
            )
            places = [(row["scope_id"], row["record_id"]) for row in rows[:limit]]
            known = await read_records(connection, database.vault, INSIGHTS, places)
        last = rows[limit - 1] if len(rows) > limit else None
        ended = None if last is None else InsightMark(last["rank"], last["expires_at"], last["record_id"])
        return InsightsPage([show_summary(record) for record in known], None if ended is None else ended.encode())

    @get("/client/{athlete_id:uuid}", responses=problem_responses(*READ_REFUSALS, RoleRequired))
    async def list_insights_of_athlete(
        self,
        caller: NamedDependency[Caller],
        database: NamedDependency[Database],
        athlete_id: FromPath[UUID],
        status: FromQuery[Status | None] = None,
    ) -> InsightsPage:
        """List the insights about one athlete, the most urgent first; at most a full page."""
        require_role(caller, "coach")
        scope = scope_of(caller, athlete_id)
        async with database.request(caller.user_id) as connection:
            await require_scope(connection, caller.user_id, scope, "athlete")
            rows = await connection.fetch(
                _queries.list_insights,
                Scope.parse(scope).id,
                status,
                *(None, None, None, None, None),
                PAGE_LENGTH_MAX,
            )
            known = await read_records(
                connection, database.vault, INSIGHTS, [(row["scope_id"], row["record_id"]) for row in rows]
            )
        return InsightsPage([show_summary(record) for record in known], None)

    @get("/published", responses=problem_responses(*READ_REFUSALS, RoleRequired))
    async def list_published_insights(
        self,
        caller: NamedDependency[Caller],
        database: NamedDependency[Database],
        limit: _Limit = 50,
        after: _After = None,
    ) -> PublishedInsightsPage:
        """List what your coach approved of your training's analysis for you to read, the latest first.

        What was approved about a check-in stands in the check-in.
        """
        require_role(caller, "athlete")
        own = Scope.parse(athlete_scope(str(caller.user_id))).id
        key = StampMark.key(StampMark.decode(after))
        async with database.request(caller.user_id) as connection:
            rows = await connection.fetch(_queries.list_published, own, PUBLISHED_INSIGHTS.name, *key, limit + 1)
            places = [(row["scope_id"], row["record_id"]) for row in rows[:limit]]
            known = await read_records(connection, database.vault, PUBLISHED_INSIGHTS, places)
        following = StampMark(rows[limit - 1]["seq"]).encode() if len(rows) > limit else None
        return PublishedInsightsPage([view_of_model(PublishedInsightResource, each) for each in known], following)

    @get("/{insight_id:uuid}", responses=problem_responses(*READ_REFUSALS, RoleRequired))
    async def get_insight(
        self, caller: NamedDependency[Caller], database: NamedDependency[Database], insight_id: FromPath[UUID]
    ) -> InsightDetail:
        """Read one insight with every fact it rests on."""
        require_role(caller, "coach", "owner")
        async with database.request(caller.user_id) as connection:
            return show_detail(await read_record(connection, database.vault, INSIGHTS, insight_id, "insight"))

    @post("/generate", status_code=202, responses=problem_responses(*WRITE_REFUSALS, RoleRequired))
    async def generate_insights(
        self,
        data: JSONBody[GenerateRequest],
        caller: NamedDependency[Caller],
        database: NamedDependency[Database],
    ) -> Asked:
        """Analyse an athlete's records now rather than when they have been quiet for a while."""
        return await ask(database, caller, data.athlete_id, data.kinds or KINDS)

    @post("/progression", status_code=202, responses=problem_responses(*WRITE_REFUSALS, RoleRequired))
    async def analyse_progression(
        self,
        data: JSONBody[GenerateRequest],
        caller: NamedDependency[Caller],
        database: NamedDependency[Database],
    ) -> Asked:
        """Analyse an athlete's training now: for each exercise whether to progress, to maintain or to deload."""
        return await ask(database, caller, data.athlete_id, ["training"])

    @post("/checkin", status_code=202, responses=problem_responses(*WRITE_REFUSALS, RoleRequired))
    async def analyse_check_ins(
        self,
        data: JSONBody[GenerateRequest],
        caller: NamedDependency[Caller],
        database: NamedDependency[Database],
    ) -> Asked:
        """Analyse an athlete's latest check-ins now."""
        return await ask(database, caller, data.athlete_id, ["check_in"])

    @post(
        "/{insight_id:uuid}/approve",
        status_code=200,
        responses=problem_responses(*WRITE_REFUSALS, RoleRequired, InsightSuperseded),
    )
    async def approve_insight(
        self,
        caller: NamedDependency[Caller],
        database: NamedDependency[Database],
        committer: NamedDependency[Committer],
        insight_id: FromPath[UUID],
        data: JSONBody[Approval | None] = None,
    ) -> InsightDetail:
        """Let the athlete read it, in the words given here or as it stands."""
        known = await find(database, caller, insight_id)
        superseded_by = known.fold.state.get("superseded_by")
        if known.fold.state.get("status") == "superseded" or superseded_by:
            raise InsightSuperseded(superseded_by)
        return await decide(database, committer, caller, known, {**texts_in(data), "status": "approved"})

    @put("/{insight_id:uuid}/dismiss", responses=problem_responses(*WRITE_REFUSALS, RoleRequired))
    async def dismiss_insight(
        self,
        caller: NamedDependency[Caller],
        database: NamedDependency[Database],
        committer: NamedDependency[Committer],
        insight_id: FromPath[UUID],
        data: JSONBody[Dismissal | None] = None,
    ) -> InsightDetail:
        """Put it aside. Where it was approved before, its text is taken back from the athlete."""
        known = await find(database, caller, insight_id)
        reason = {"dismissed_reason": data.reason} if data is not None and data.reason is not None else {}
        return await decide(database, committer, caller, known, {**reason, "status": "dismissed"})

    @patch("/{insight_id:uuid}", responses=problem_responses(*WRITE_REFUSALS, RoleRequired))
    async def edit_insight(
        self,
        data: JSONBody[Edit],
        caller: NamedDependency[Caller],
        database: NamedDependency[Database],
        committer: NamedDependency[Committer],
        insight_id: FromPath[UUID],
    ) -> InsightDetail:
        """Change the text; where it was approved, the athlete reads the new one."""
        known = await find(database, caller, insight_id)
        changes = texts_in(data)
        return await write(database, committer, caller, known, changes) if changes else show_detail(known)


insight_routes = (InsightsController,)


async def find(database: Database, caller: Caller, insight_id: UUID) -> KnownRecord:
    """Read one of the coach's insights. Raises RoleRequired, NotFound."""
    require_role(caller, "coach")
    async with database.request(caller.user_id) as connection:
        return await read_record(connection, database.vault, INSIGHTS, insight_id, "insight")


async def ask(database: Database, caller: Caller, athlete_id: UUID, kinds: list[Kind]) -> Asked:
    """Make analyses due. Raises RoleRequired, NotFound."""
    require_role(caller, "coach")
    async with database.request(caller.user_id) as connection:
        await require_scope(connection, caller.user_id, scope_of(caller, athlete_id), "athlete")
    await ask_for_analysis(database, athlete_id, kinds, asked_by=caller.user_id)
    return Asked(athlete_id, kinds)


async def decide(
    database: Database, committer: Committer, caller: Caller, known: KnownRecord, changes: Patch
) -> InsightDetail:
    """Write a decision with its time."""
    return await write(database, committer, caller, known, {**changes, "acted_at": local_time(datetime.now(UTC))})


async def write(
    database: Database, committer: Committer, caller: Caller, known: KnownRecord, changes: Patch
) -> InsightDetail:
    """Write as the coach, carry the outcome to the athlete, and read what stands now."""
    await committer.write(caller.user_id, known.scope, INSIGHTS.name, known.id, changes)
    publisher = Publisher(database, committer, now=wall_clock)
    await publisher.deliver(known.scope, known.id)
    return show_detail(await find(database, caller, UUID(known.id)))


def texts_in(data: Texts | None) -> Patch:
    """Give the leaves that a body names."""
    given = {} if data is None else msgspec.structs.asdict(data)
    return {name: msgspec.to_builtins(value) for name, value in given.items() if value is not UNSET}


def scope_of(caller: Caller, athlete_id: UUID) -> str:
    """Name the scope in which a coach keeps what is about an athlete."""
    return private_scope(str(caller.user_id), str(athlete_id))
