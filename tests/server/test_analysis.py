"""Analysis of merged changes: from a commit to the coach's draft, and nothing lost or doubled on the way."""

from collections.abc import AsyncIterator

import pytest

from apex_server.db import Database
from apex_server.settings import Settings
from tests.server.analysis_parts import Clock, Pair, log_history, pair_of, until, working

pytestmark = pytest.mark.anyio


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def pair(settings: Settings, db: Database, clock: Clock) -> AsyncIterator[Pair]:
    async with pair_of(settings, db, clock) as made:
        yield made


async def test_a_check_in_becomes_a_draft_for_the_coach_and_reaches_the_athlete_on_approval(
    settings: Settings, clock: Clock, pair: Pair
) -> None:
    check_in_id = await log_history(pair, tired=True)
    async with working(settings, clock):
        drafts = await until(lambda: pair.insights(kind="check_in"))
        [insight_id] = [id_ for id_, draft in drafts.items() if draft.about_id == check_in_id]
        draft = drafts[insight_id]
        assert draft.title and draft.summary and draft.flags and draft.facts
        assert (await pair.record(pair.athlete_scope, check_in_id)).ai_summary is not draft.summary

        await pair.decide(insight_id, {"status": "approved", "summary": "Rest a little."})

        async def carried() -> bool:
            return (await pair.record(pair.athlete_scope, check_in_id)).ai_summary == "Rest a little."

        await until(carried)
