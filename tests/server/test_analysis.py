"""Analysis of merged changes: from a commit to the coach's draft, and nothing lost, doubled or leaked on the way."""

import time
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import anyio
import msgspec
import pytest

from apex_server.ai import TemplateWording, WordingContext
from apex_server.ai.asking import BoundedModel
from apex_server.ai.ledger import Ledger
from apex_server.ai.model_wording import ModelWording
from apex_server.db import Database
from apex_server.jobs.worker import open_wording
from apex_server.settings import Settings
from apex_server.sync import PostgresFeedStore
from apex_sync.ids import derived_id
from apex_sync.op import Write, encode_op
from apex_sync.protocol.messages import PushedRecord
from apex_sync.wire import encode_push
from tests.server.accounts_app import Clock
from tests.server.analysis_parts import (
    NOW,
    TODAY,
    CountingWording,
    Pair,
    check_in_patch,
    consent,
    draft_about,
    idle,
    log_history,
    record_id,
    run_as_owner,
    until,
    working,
    workout_patch,
    writes_of,
)
from tests.server.model_server import model_server
from tests.server.sealed_rows import insert_device

pytestmark = pytest.mark.anyio


@pytest.fixture
def clock() -> Clock:
    return Clock(NOW)


async def test_a_check_in_becomes_a_draft_and_reaches_the_athlete_on_approval(
    settings: Settings, clock: Clock, pair: Pair
) -> None:
    check_in_id = await log_history(pair, tired=True)
    async with working(settings, clock):
        insight_id = await draft_about(pair, check_in_id)
        draft = (await pair.insights())[insight_id]
        assert (draft.type, draft.priority, draft.worded_by, draft.kind) == ("recovery", "high", "rules", "check_in")
        assert draft.title == "Check-in: answers show strain"
        assert [flag.type for flag in draft.flags][:1] == ["warning"]
        assert {fact.record_id for fact in draft.facts if fact.record_id} >= {check_in_id}
        assert not (await pair.record(pair.athlete_scope, check_in_id)).ai_summary

        await pair.decide(insight_id, {"status": "approved", "summary": "Rest a little."})

        async def carried() -> bool:
            return str((await pair.record(pair.athlete_scope, check_in_id)).ai_summary) == "Rest a little."

        await until(carried)
        check_in = await pair.record(pair.athlete_scope, check_in_id)
        assert check_in.ai_recommendations == draft.recommendations
        assert [flag.message for flag in check_in.ai_flags] == [flag.message for flag in draft.flags]


async def test_training_that_is_approved_is_published_and_taken_back_when_dismissed(
    settings: Settings, clock: Clock, pair: Pair
) -> None:
    await log_history(pair)
    async with working(settings, clock):
        drafts = await until(lambda: pair.insights(kind="training"))
        [(insight_id, draft)] = [item for item in drafts.items() if item[1].type == "progression"]
        published_id = derived_id("published", insight_id)
        assert await pair.all_of(pair.athlete_scope, "published_insights") == {}

        await pair.decide(insight_id, {"status": "approved"})
        published = await until(lambda: pair.record(pair.athlete_scope, published_id))
        assert (published.title, published.summary, published.source_id) == (draft.title, draft.summary, insight_id)

        await pair.decide(insight_id, {"summary": "Well done."})

        async def edited() -> bool:
            return str((await pair.record(pair.athlete_scope, published_id)).summary) == "Well done."

        await until(edited)
        await pair.decide(insight_id, {"status": "dismissed"})

        async def withdrawn() -> bool:
            return (await pair.record(pair.athlete_scope, published_id)).deleted is True

        await until(withdrawn)


async def test_unchanged_facts_cost_no_words_and_no_writes(settings: Settings, clock: Clock, pair: Pair) -> None:
    await consent(pair)
    wording = CountingWording()
    await log_history(pair)
    async with working(settings, clock, wording):
        await until(lambda: idle(pair))
        counted, before = wording.count, await pair.insights()
        assert counted == len(before)
        writes = [await writes_of(pair, id_) for id_ in before]
        await pair.log("workout_logs", record_id("w0"), {"mood": 4, "pump": 8})
        await pair.log("check_ins", record_id("c3"), {"notes": "All good."})
        await until(lambda: idle(pair))
        assert wording.count == counted
        assert [await writes_of(pair, id_) for id_ in await pair.insights()] == writes == [1] * len(before)


async def test_late_data_supersedes_what_it_falsifies_and_can_bring_it_back(
    settings: Settings, clock: Clock, pair: Pair
) -> None:
    await log_history(pair)
    async with working(settings, clock):
        drafts = await until(lambda: pair.insights(kind="training"))
        await until(lambda: idle(pair))
        [old_id] = [id_ for id_, draft in drafts.items() if draft.type == "progression"]
        assert any(finding["rule_id"] == "records.new" for finding in drafts[old_id].findings)

        late = workout_patch(TODAY - timedelta(days=40), 140, sets=4)
        await pair.log("workout_logs", record_id("late"), late)
        await until(lambda: idle(pair))
        superseded = (await pair.insights("superseded"))[old_id]
        successor = (await pair.insights())[superseded.superseded_by]
        assert successor.type == "progression"
        assert not any(finding["rule_id"] == "records.new" for finding in successor.findings)

        await pair.log("workout_logs", record_id("late"), {"deleted": True})
        await until(lambda: idle(pair))
        assert (await pair.insights())[old_id].superseded_by is None
        assert superseded.superseded_by in await pair.insights("superseded")


async def test_a_superseded_insight_is_not_carried_even_if_a_device_approves_it(
    settings: Settings, clock: Clock, pair: Pair
) -> None:
    await log_history(pair)
    async with working(settings, clock) as worker:
        drafts = await until(lambda: pair.insights(kind="training"))
        await until(lambda: idle(pair))
        [old_id] = [id_ for id_, draft in drafts.items() if draft.type == "progression"]
        await pair.log("workout_logs", record_id("late"), workout_patch(TODAY - timedelta(days=40), 140, sets=4))
        await until(lambda: idle(pair))
        await pair.decide(old_id, {"status": "approved"})
        await worker.publisher.deliver_all()
        assert await pair.all_of(pair.athlete_scope, "published_insights") == {}


async def test_a_check_in_that_is_gone_takes_its_draft_with_it(settings: Settings, clock: Clock, pair: Pair) -> None:
    check_in_id = await log_history(pair, tired=True)
    async with working(settings, clock):
        insight_id = await draft_about(pair, check_in_id)
        await until(lambda: idle(pair))
        await pair.log("check_ins", check_in_id, {"deleted": True})
        await until(lambda: idle(pair))
        assert insight_id in await pair.insights("superseded")


async def test_what_was_found_is_dropped_when_the_records_change_meanwhile(
    settings: Settings, clock: Clock, pair: Pair
) -> None:
    await consent(pair)
    wording = CountingWording()
    changed = anyio.Event()

    async def change_once(context: WordingContext) -> None:
        if context.kind == "training" and not changed.is_set():
            changed.set()
            await pair.log("workout_logs", record_id("w3"), workout_patch(TODAY - timedelta(days=1), 100))

    wording.before = change_once
    await log_history(pair)
    async with working(settings, clock, wording):
        await until(lambda: idle(pair))
        drafts = await pair.insights(None, kind="training")
        loads = {fact.value for draft in drafts.values() for fact in draft.facts if fact.label == "load"}
        assert 100.0 in loads and 87.5 not in loads
        assert {draft.status for draft in drafts.values()} == {"draft"}


async def test_only_present_coaches_get_drafts_and_decide(settings: Settings, clock: Clock, pair: Pair) -> None:
    """An approval that waits when the relation ends is not carried any more."""
    check_in_id = await log_history(pair, tired=True)
    async with working(settings, clock):
        insight_id = await draft_about(pair, check_in_id)
        await until(lambda: idle(pair))
    await pair.decide(insight_id, {"status": "approved", "summary": "Too late."})
    await run_as_owner(
        str(settings.database_url),
        "UPDATE coach_athletes SET ended_at = now(), ended_by = coach_id WHERE coach_id = $1",
        pair.coach_id,
    )
    before = await pair.insights(None)
    await pair.log("workout_logs", record_id("new"), workout_patch(TODAY, 120))
    async with working(settings, clock) as worker:
        await until(lambda: idle(pair))
        await worker.publisher.deliver_all()
        assert (await pair.insights(None)).keys() == before.keys()
        assert not (await pair.record(pair.athlete_scope, check_in_id)).ai_summary


async def test_a_draft_never_reaches_the_athlete(settings: Settings, clock: Clock, pair: Pair) -> None:
    """Everything an athlete's device could pull is searched for the words of every draft."""
    await log_history(pair, tired=True)
    async with working(settings, clock):
        await until(lambda: pair.insights(kind="check_in"))
        await until(lambda: idle(pair))
        drafts = await pair.insights()
        async with PostgresFeedStore(pair.database).snapshot(pair.athlete_id) as snapshot:
            granted = [scope.scope for scope in await snapshot.granted()]
            records = [record for scope in granted for record in await snapshot.below(scope, 2**40, 1000, 2**30)]
            assert await snapshot.below(pair.private_scope, 2**40, 1000, 2**30) == []
        assert pair.private_scope not in granted
        assert {record.collection for record in records} - {"exercises", "foods"} == {"check_ins", "workout_logs"}
        pulled = b"".join(record.doc for record in records)
        for draft in drafts.values():
            for text in (draft.title, draft.summary, *draft.recommendations, *(flag.message for flag in draft.flags)):
                assert text.encode() not in pulled
        async with pair.database.request(pair.athlete_id) as connection:
            assert await connection.fetch("SELECT record_id FROM insights") == []


async def test_a_coach_cannot_make_an_insight_of_their_own_reach_anybody(
    settings: Settings, clock: Clock, pair: Pair
) -> None:
    async with working(settings, clock) as worker:
        await pair.decide(record_id("forged"), {"status": "approved", "summary": "Buy my shake."})
        await worker.publisher.deliver_all()
        assert await pair.all_of(pair.athlete_scope, "published_insights") == {}
        assert await pair.all_of(pair.athlete_scope, "check_ins") == {}


async def test_a_text_that_breaks_its_bounds_by_sync_is_not_carried_and_stops_nothing(
    settings: Settings, clock: Clock, pair: Pair
) -> None:
    check_in_id = await log_history(pair, tired=True)
    async with working(settings, clock) as worker:
        insight_id = await draft_about(pair, check_in_id)
        await until(lambda: idle(pair))
        await push_as_device(pair, insight_id, {"status": "approved", "summary": "x" * 20_000})
        await worker.publisher.deliver_all()
        assert not (await pair.record(pair.athlete_scope, check_in_id)).ai_summary
        await pair.decide(insight_id, {"summary": "Short."})
        await worker.publisher.deliver_all()
        assert (await pair.record(pair.athlete_scope, check_in_id)).ai_summary == "Short."


async def push_as_device(pair: Pair, insight_id: str, patch: dict[str, Any]) -> None:
    """Write to an insight as a coach's device that minds no bounds."""
    device_id = uuid4()
    async with pair.database.request(pair.coach_id) as connection:
        await insert_device(
            connection,
            pair.database.vault,
            pair.coach_id,
            device_id,
            device_id.bytes * 2,
            name="phone",
            kind="phone",
        )
    hlc = round(pair.clock().timestamp() * 1_000_000) + 60_000_000
    op = encode_op([Write(hlc, [], patch)])
    pushed = PushedRecord(pair.private_scope, "insights", UUID(insight_id).bytes, encode_push(77, 0, [op]))
    answer = await pair.committer.push(pair.coach_id, device_id, 77, [pushed])
    assert [result.status for result in answer.results] == ["applied"], answer


@pytest.mark.parametrize("withdrawn", [None, True])
async def test_without_consent_no_model_hears_of_anything(
    settings: Settings, clock: Clock, pair: Pair, withdrawn: bool | None
) -> None:
    """Neither of somebody who never gave it, which is everybody at first, nor of somebody who took it back."""
    if withdrawn:
        await consent(pair, withdrawn=True)
    async with model_server() as model:
        configured = msgspec.structs.replace(settings, openai_base_url=model.base_url)
        check_in_id = await log_history(pair, tired=True)
        async with working(configured, clock):
            insight_id = await draft_about(pair, check_in_id)
            assert (await pair.insights())[insight_id].worded_by == "rules"
        assert model.requests == []


async def test_a_model_that_hangs_holds_up_no_sync_and_the_draft_comes_all_the_same(
    settings: Settings, clock: Clock, pair: Pair
) -> None:
    await consent(pair)
    async with model_server() as model:
        model.mode = "hanging"
        asking = BoundedModel(model.client(), ledger=Ledger(pair.database, now=clock), total_seconds=3.0)
        wording = ModelWording(asking, fallback=TemplateWording())
        check_in_id = await log_history(pair, tired=True)
        async with working(settings, clock, wording):
            await until(lambda: asked(model.requests))
            started, slowest = time.monotonic(), 0.0
            for number in range(20):
                before = time.monotonic()
                await pair.log("workout_logs", record_id(f"live{number}"), workout_patch(TODAY, 60 + number))
                slowest = max(slowest, time.monotonic() - before)
            assert time.monotonic() - started < 3.0
            assert slowest < 1.0
            assert await pair.insights() == {}
            insight_id = await draft_about(pair, check_in_id)
            assert (await pair.insights())[insight_id].worded_by == "rules"


async def asked(requests: list[Any]) -> bool:
    return bool(requests)


async def test_the_configured_model_is_used(settings: Settings, clock: Clock, pair: Pair) -> None:
    await consent(pair)
    async with model_server() as model:
        configured = msgspec.structs.replace(settings, openai_base_url=model.base_url, openai_model="house-model")
        check_in_id = await log_history(pair, tired=True)
        async with working(configured, clock):
            insight_id = await draft_about(pair, check_in_id)
            draft = (await pair.insights())[insight_id]
            assert (draft.worded_by, draft.model_name) == ("model", "house-model")
            assert model.requests[0]["model"] == "house-model"


async def test_without_a_key_the_template_words(settings: Settings, db: Database) -> None:
    async with open_wording(settings, db) as wording:
        assert isinstance(wording, TemplateWording)


async def test_old_check_ins_make_no_pile_of_drafts(settings: Settings, clock: Clock, pair: Pair) -> None:
    for week in range(60):
        await pair.log("check_ins", record_id(f"old{week}"), check_in_patch(TODAY - timedelta(days=7 * week)))
    async with working(settings, clock):
        await until(lambda: idle(pair))
        assert len(await pair.insights(kind="check_in")) == 5
