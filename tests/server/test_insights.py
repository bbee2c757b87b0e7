"""Insights over REST: the coach reads, edits and decides; the athlete reads what was approved, and no more."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from litestar import Router
from litestar.di import Provide

from apex_server.ai import TemplateWording
from apex_server.checkins import checkin_routes
from apex_server.db import Database
from apex_server.insights import insight_routes
from apex_server.jobs.analysis import Analyst
from apex_server.jobs.reading import read_typed
from apex_server.jobs.requests import ask_for_analysis
from apex_server.sync import Committer, PostgresCommitStore, load_identity
from apex_server.sync.sealing import open_documents
from apex_server.workouts import workout_routes
from apex_sync.ids import athlete_scope, derived_id
from tests.server.accounts_app import SECRET, Clock, accounts_app, problem, speak_to
from tests.server.analysis_parts import check_in_patch, record_id, workout_patch
from tests.server.rest_app import Person, RestServer

pytestmark = pytest.mark.anyio


class Slice:
    """The app, with a coach and an athlete whose records were analysed."""

    def __init__(self, server: RestServer, coach: Person, athlete: Person) -> None:
        self.server, self.coach, self.athlete = server, coach, athlete
        self.check_in_id = record_id("c3")

    async def analyse(self) -> None:
        """Do what a worker would."""
        analyst = Analyst(self.server.database, self.server.committer, TemplateWording(), now=lambda: datetime.now(UTC))
        async with self.server.database.commit_connection() as connection:
            await connection.execute("DELETE FROM dirty")
        await ask_for_analysis(self.server.database, UUID(self.athlete.id), ["check_in", "training"])
        await analyst.analyse(UUID(self.athlete.id), "check_in")
        await analyst.analyse(UUID(self.athlete.id), "training")

    async def log(self, collection: str, id_: str, patch: dict[str, Any]) -> None:
        scope = athlete_scope(self.athlete.id)
        await self.server.committer.write(UUID(self.athlete.id), scope, collection, id_, patch)

    async def listed(self, **filters: str) -> list[dict[str, Any]]:
        query = "&".join(f"{name}={value}" for name, value in filters.items())
        answer = await self.coach("GET", f"/api/insights?{query}")
        assert answer.status_code == 200, answer.text
        return list(answer.json()["insights"])

    async def check_in_draft(self) -> dict[str, Any]:
        [draft] = await self.listed(about_id=self.check_in_id, status="draft")
        return draft

    async def check_in(self, person: Person | None = None) -> dict[str, Any]:
        answer = await (person or self.athlete)("GET", f"/api/checkins/{self.check_in_id}")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def stored(self, id_: str) -> Any:
        async with self.server.database.commit_connection() as connection:
            rows = await connection.fetch(
                "SELECT name AS scope, record_id, collection, records.digest, doc FROM records "
                "JOIN scopes USING (scope_id) WHERE record_id = $1",
                UUID(id_),
            )
            docs = await open_documents(connection, self.server.database.vault, rows)
        return read_typed(rows[0]["collection"], docs[0]) if rows else None


@asynccontextmanager
async def insight_slice(database: Database) -> AsyncIterator[Slice]:
    async def no_hints(_hints: Any) -> None:
        return

    committer = Committer(
        PostgresCommitStore(database),
        identity=await load_identity(database, SECRET),
        now_us=lambda: round(datetime.now(UTC).timestamp() * 1_000_000),
        hints=no_hints,
    )
    routes = Router(
        "/",
        route_handlers=[*insight_routes, *checkin_routes, *workout_routes],
        dependencies={"committer": Provide(lambda: committer, sync_to_thread=False)},
    )
    async with speak_to(accounts_app(database, Clock(), more_routes=[routes])) as client:
        server = RestServer(database, committer, client)
        coach, athlete = await server.coach_and_athlete()
        made = Slice(server, coach, athlete)
        today = datetime.now(UTC).date()
        for week in range(4):
            day = today - timedelta(days=7 * (3 - week))
            tired = {"energy": 3, "sleep": 3, "stress": 9, "soreness": 8} if week == 3 else {}
            await made.log("workout_logs", record_id(f"w{week}"), workout_patch(day, 80 + 2.5 * week))
            await made.log("check_ins", record_id(f"c{week}"), check_in_patch(day, **tired))
        await made.analyse()
        yield made


@pytest.fixture
async def insights(db: Database) -> AsyncIterator[Slice]:
    async with insight_slice(db) as made:
        yield made


async def test_a_coach_reads_drafts_the_most_urgent_first(insights: Slice) -> None:
    listed = await insights.listed()
    ranks = [["critical", "high", "medium", "low"].index(insight["priority"]) for insight in listed]
    assert ranks == sorted(ranks)
    draft = await insights.check_in_draft()
    assert listed[0]["id"] == draft["id"]
    assert draft["title"] == "Check-in: answers show strain"
    assert (draft["status"], draft["worded_by"], draft["dismissed"], draft["acted_upon"]) == (
        "draft", "rules", False, False,
    )  # fmt: skip
    assert draft["suggested_actions"][0]["action"] == "review_recovery"
    assert {insight["kind"] for insight in await insights.listed(kind="training")} == {"training"}
    assert await insights.listed(status="approved") == []
    client = await insights.coach("GET", f"/api/insights/client/{insights.athlete.id}")
    assert [insight["id"] for insight in client.json()["insights"]] == [insight["id"] for insight in listed]


async def test_pages_follow_each_other_without_gap_or_repeat(insights: Slice) -> None:
    everything = [insight["id"] for insight in await insights.listed()]
    paged: list[str] = []
    after = ""
    while True:
        answer = (await insights.coach("GET", f"/api/insights?limit=2{after}")).json()
        paged += [insight["id"] for insight in answer["insights"]]
        if answer["next"] is None:
            break
        after = f"&after={answer['next']}"
    assert paged == everything and len(paged) > 2
    assert problem(await insights.coach("GET", "/api/insights?after=nonsense")) == (422, "invalid_fields")


async def test_an_insight_shows_every_fact_it_rests_on(insights: Slice) -> None:
    draft = await insights.check_in_draft()
    detail = (await insights.coach("GET", f"/api/insights/{draft['id']}")).json()
    facts = {fact["id"]: fact for fact in detail["facts"]}
    assert any(fact.get("record_id") == insights.check_in_id and fact["field"] == "responses.stress"
               for fact in facts.values())  # fmt: skip
    assert all(id_ in facts for finding in detail["findings"] for id_ in finding["facts"])
    assert "recovery.strain v1" in detail["rules"]
    assert "strain is" in detail["reasoning"]


async def test_an_approval_carries_the_text_in_the_same_request(insights: Slice) -> None:
    draft = await insights.check_in_draft()
    assert not (await insights.check_in()).get("ai_summary")
    answer = await insights.coach("POST", f"/api/insights/{draft['id']}/approve")
    assert answer.status_code == 200, answer.text
    assert (answer.json()["status"], answer.json()["acted_upon"]) == ("approved", True)
    for person in (insights.athlete, insights.coach):
        check_in = await insights.check_in(person)
        assert check_in["ai_summary"] == draft["summary"]
        assert check_in["ai_recommendations"] == draft["recommendations"]
        assert check_in["ai_flags"] == draft["flags"]


async def test_a_coach_approves_in_words_of_their_own(insights: Slice) -> None:
    draft = await insights.check_in_draft()
    body = {"summary": "You worked hard. Rest.", "recommendations": ["Sleep."], "flags": []}
    await insights.coach("POST", f"/api/insights/{draft['id']}/approve", body)
    check_in = await insights.check_in()
    assert check_in["ai_summary"] == "You worked hard. Rest."
    assert check_in["ai_recommendations"] == ["Sleep."]
    assert check_in["ai_flags"] == []
    edited = await insights.coach("PATCH", f"/api/insights/{draft['id']}", {"summary": "Rest well."})
    assert edited.json()["summary"] == "Rest well."
    assert (await insights.check_in())["ai_summary"] == "Rest well."


async def test_an_edit_of_a_draft_reaches_nobody(insights: Slice) -> None:
    draft = await insights.check_in_draft()
    await insights.coach("PATCH", f"/api/insights/{draft['id']}", {"summary": "A secret thought."})
    assert (await insights.check_in_draft())["summary"] == "A secret thought."
    assert not (await insights.check_in()).get("ai_summary")


async def test_approving_twice_changes_nothing(insights: Slice) -> None:
    draft = await insights.check_in_draft()
    await insights.coach("POST", f"/api/insights/{draft['id']}/approve")
    before = await insights.server.document(insights.check_in_id)
    await insights.coach("POST", f"/api/insights/{draft['id']}/approve")
    assert await insights.server.document(insights.check_in_id) == before


async def test_a_dismissal_is_kept_with_its_reason_and_takes_an_approval_back(insights: Slice) -> None:
    draft = await insights.check_in_draft()
    await insights.coach("POST", f"/api/insights/{draft['id']}/approve")
    answer = await insights.coach("PUT", f"/api/insights/{draft['id']}/dismiss", {"reason": "Exam week."})
    assert (answer.json()["dismissed"], answer.json()["dismissed_reason"]) == (True, "Exam week.")
    check_in = await insights.check_in()
    assert not check_in.get("ai_summary") and not check_in.get("ai_flags")
    await insights.analyse()
    [kept] = await insights.listed(about_id=insights.check_in_id)
    assert kept["status"] == "dismissed"


async def test_training_that_is_approved_becomes_a_record_of_the_athletes(insights: Slice) -> None:
    [progression] = [insight for insight in await insights.listed(kind="training") if insight["type"] == "progression"]
    published_id = derived_id("published", progression["id"])
    assert await insights.stored(published_id) is None
    await insights.coach("POST", f"/api/insights/{progression['id']}/approve")
    published = await insights.stored(published_id)
    assert (published.title, published.summary) == (progression["title"], progression["summary"])
    page = (await insights.athlete("GET", "/api/insights/published?limit=1")).json()
    assert [(each["id"], each["title"]) for each in page["insights"]] == [(published_id, progression["title"])]
    assert (page["next"], "facts" in page["insights"][0]) == (None, False)
    await insights.coach("PUT", f"/api/insights/{progression['id']}/dismiss")
    assert (await insights.athlete("GET", "/api/insights/published")).json() == {"insights": [], "next": None}
    assert problem(await insights.coach("GET", "/api/insights/published")) == (403, "role_required")


async def test_what_later_data_has_changed_cannot_be_approved(insights: Slice) -> None:
    draft = await insights.check_in_draft()
    await insights.log("check_ins", insights.check_in_id, {"responses": {"energy": 8, "stress": 2}})
    await insights.analyse()
    answer = await insights.coach("POST", f"/api/insights/{draft['id']}/approve")
    assert problem(answer) == (409, "insight_superseded")
    assert answer.json()["superseded_by"] == (await insights.check_in_draft())["id"]


async def test_an_athlete_finds_no_insight_and_decides_nothing(insights: Slice) -> None:
    draft = await insights.check_in_draft()
    for method, path, body in everything_about(draft["id"], insights.athlete.id):
        assert problem(await insights.athlete(method, path, body)) == (403, "role_required"), path


async def test_another_coach_finds_nothing(insights: Slice) -> None:
    draft = await insights.check_in_draft()
    stranger = await insights.server.person("coach")
    assert (await stranger("GET", "/api/insights")).json() == {"insights": [], "next": None}
    listed = await stranger("GET", f"/api/insights?athlete_id={insights.athlete.id}")
    assert listed.json()["insights"] == []
    for method, path, body in everything_about(draft["id"], insights.athlete.id)[1:]:
        assert problem(await stranger(method, path, body)) == (404, "not_found"), path
    assert (await insights.check_in_draft())["status"] == "draft"


def everything_about(insight_id: str, athlete_id: str) -> list[tuple[str, str, Any]]:
    return [
        ("GET", "/api/insights", None),
        ("GET", f"/api/insights/{insight_id}", None),
        ("GET", f"/api/insights/client/{athlete_id}", None),
        ("POST", f"/api/insights/{insight_id}/approve", None),
        ("PUT", f"/api/insights/{insight_id}/dismiss", {"reason": "x"}),
        ("PATCH", f"/api/insights/{insight_id}", {"summary": "x"}),
        ("POST", "/api/insights/generate", {"athlete_id": athlete_id}),
        ("POST", "/api/insights/progression", {"athlete_id": athlete_id}),
        ("POST", "/api/insights/checkin", {"athlete_id": athlete_id}),
    ]


async def test_asking_makes_an_analysis_due_now(insights: Slice) -> None:
    answer = await insights.coach("POST", "/api/insights/generate", {"athlete_id": insights.athlete.id})
    assert answer.status_code == 202
    assert answer.json() == {"athlete_id": insights.athlete.id, "kinds": ["check_in", "training"]}
    async with insights.server.database.commit_connection() as connection:
        rows = await connection.fetch("SELECT kind FROM analyses_due ORDER BY kind")
    assert [row["kind"] for row in rows] == ["check_in", "training"]


@pytest.mark.parametrize(
    "body",
    [
        {"summary": "x" * 10_001},
        {"recommendations": ["x"] * 21},
        {"flags": [{"type": "praise", "message": "x"}]},
        {"status": "draft"},
        {"facts_digest": "x"},
        {"summary": 5},
    ],
)
async def test_a_text_out_of_bounds_is_refused(insights: Slice, body: dict[str, Any]) -> None:
    draft = await insights.check_in_draft()
    answer: httpx.Response = await insights.coach("PATCH", f"/api/insights/{draft['id']}", body)
    assert problem(answer)[0] in (400, 422)
    assert (await insights.check_in_draft())["summary"] == draft["summary"]


async def test_an_insight_that_is_not_there_is_not_found(insights: Slice) -> None:
    assert problem(await insights.coach("GET", f"/api/insights/{uuid4()}")) == (404, "not_found")
