"""Once a night: what changes because a day has passed is analysed anew, and documents that do not open are found."""

from datetime import timedelta
from uuid import UUID

import pytest

from apex_server.db import Database, HintHub
from apex_server.jobs import nightly
from apex_server.jobs.nightly import Nightly
from apex_server.jobs.reading import read_athlete
from apex_server.settings import Settings
from apex_sync.coaching.plan import plan_from_program
from apex_sync.models import PROGRAMS
from tests.server.accounts_app import Clock
from tests.server.analysis_parts import (
    NOW,
    TODAY,
    Pair,
    check_in_patch,
    log_history,
    make_pair,
    record_id,
    run_as_owner,
    until,
    working,
)

pytestmark = pytest.mark.anyio

PROGRAM = {
    "name": "Three days",
    "status": "active",
    "start_date": (TODAY - timedelta(days=35)).isoformat(),
    "weeks": {f"w{number}": {"week_number": number} for number in range(1, 13)},
    "days": {
        f"w{week}d{day}": {"week": f"w{week}", "day_number": day, "name": "Push"}
        for week in range(1, 13)
        for day in (1, 3, 5)
    },
}


@pytest.fixture
def clock() -> Clock:
    return Clock(NOW)


@pytest.fixture
async def nights(db: Database, clock: Clock) -> Nightly:
    """Give the nights of an installation that has had its first one."""
    nights = Nightly(db, now=clock)
    await nights.step()
    return nights


async def due(pair: Pair) -> set[tuple[UUID, str]]:
    rows = await run_as_owner(pair.database_url, "SELECT athlete_id, kind FROM analyses_due")
    return {(row["athlete_id"], row["kind"]) for row in rows}


async def forget_due(pair: Pair) -> None:
    await run_as_owner(pair.database_url, "DELETE FROM analyses_due")


async def test_a_night_asks_once_for_who_has_a_coach_and_trains(pair: Pair, clock: Clock, nights: Nightly) -> None:
    await log_history(pair)
    await nights.step()
    assert await due(pair) == set()
    clock.advance(seconds=86_400)
    await nights.step()
    assert await due(pair) == {(pair.athlete_id, "check_in"), (pair.athlete_id, "training")}
    await forget_due(pair)
    await nights.step()
    clock.advance(seconds=3_600)
    await nights.step()
    assert await due(pair) == set()


async def test_nobody_is_analysed_for_having_stopped_long_ago(pair: Pair, clock: Clock, nights: Nightly) -> None:
    await log_history(pair)
    clock.advance(seconds=40 * 86_400)
    await nights.step()
    assert await due(pair) == set()


async def test_who_has_no_coach_any_more_is_left_alone(pair: Pair, clock: Clock, nights: Nightly) -> None:
    await log_history(pair)
    await run_as_owner(pair.database_url, "UPDATE coach_athletes SET ended_at = now(), ended_by = coach_id")
    clock.advance(seconds=86_400)
    await nights.step()
    assert await due(pair) == set()


async def test_a_night_waits_for_what_is_due_and_goes_on_where_it_was(
    settings: Settings,
    db: Database,
    pair: Pair,
    clock: Clock,
    nights: Nightly,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Another worker goes on after one that ended; nobody is asked for twice."""
    monkeypatch.setattr(nightly, "ATHLETES_AT_ONCE", 1)
    monkeypatch.setattr(nightly, "WAITING_MAX", 1)
    async with HintHub.open(settings) as hints:
        pairs = [pair, *[await make_pair(settings, db, clock, hints) for _ in range(2)]]
    for each in pairs:
        await each.log("check_ins", record_id(str(each.athlete_id)), check_in_patch(TODAY))
    clock.advance(seconds=86_400)
    asked = []
    for _ in range(5):
        await Nightly(db, now=clock).step()
        await nights.step()
        asked.append({athlete_id for athlete_id, _ in await due(pair)})
        await forget_due(pair)
    assert asked[:3] == [{athlete_id} for athlete_id in sorted(each.athlete_id for each in pairs)]
    assert asked[3:] == [set(), set()]


async def test_days_that_pass_without_a_workout_reach_the_coach(
    settings: Settings, pair: Pair, clock: Clock, nights: Nightly
) -> None:
    """Nothing was synced; what the coach reads says how it stands now, and nothing more is said of what stays true."""
    await pair.committer.write(pair.coach_id, pair.athlete_scope, "programs", record_id("program"), PROGRAM)
    await log_history(pair)
    async with working(settings, clock) as worker:
        await worker.sweep()

        async def is_done() -> bool:
            return not await due(pair)

        before = await until(pair.insights)
        await until(is_done)
        clock.advance(seconds=9 * 86_400)
        await worker.nightly.step()

        async def says_something_new() -> bool:
            return bool((await pair.insights()).keys() - before.keys())

        await until(says_something_new)
        await until(is_done)
        after = await pair.insights(status=None)
        clock.advance(seconds=3_600)
        await worker.nightly.step()
        await worker.sweep()
        assert await is_done() and (await pair.insights(status=None)).keys() == after.keys()


async def test_a_check_in_that_does_not_come_reaches_the_coach_and_one_that_does_ends_it(
    settings: Settings, pair: Pair, clock: Clock, nights: Nightly
) -> None:
    async def asks_for_it() -> bool:
        return any("has not come" in insight.summary for insight in (await pair.insights()).values())

    async def asks_for_nothing() -> bool:
        return not await due(pair) and not await asks_for_it()

    await pair.committer.write(pair.coach_id, pair.athlete_scope, "programs", record_id("program"), PROGRAM)
    await log_history(pair)
    async with working(settings, clock) as worker:
        await worker.sweep()
        await until(asks_for_nothing)
        clock.advance(seconds=11 * 86_400)
        await worker.nightly.step()
        await until(asks_for_it)
        await pair.log("check_ins", record_id("late"), check_in_patch(TODAY + timedelta(days=11)))
        clock.advance(seconds=3_600)
        await worker.sweep()
        await until(asks_for_nothing)


async def test_a_night_finds_what_a_disk_has_changed(pair: Pair, clock: Clock, nights: Nightly) -> None:
    check_in_id = await log_history(pair)
    await run_as_owner(
        pair.database_url,
        "UPDATE records SET doc = set_byte(doc, 40, get_byte(doc, 40) # 1) WHERE record_id = $1",
        UUID(check_in_id),
    )
    assert clock() > NOW
    clock.advance(seconds=86_400)
    await nights.step()
    rows = await run_as_owner(pair.database_url, "SELECT record_id FROM records WHERE damaged_at IS NOT NULL")
    assert [str(row["record_id"]) for row in rows] == [check_in_id]


async def test_who_ended_a_program_lately_is_judged_by_what_it_asked_for(db: Database, pair: Pair) -> None:
    ended = PROGRAM | {"end_date": (TODAY - timedelta(days=4)).isoformat()}
    profile = {"training_days_per_week": 7}
    await pair.committer.write(pair.coach_id, pair.athlete_scope, "profiles", record_id("profile"), profile)
    await pair.committer.write(pair.coach_id, pair.athlete_scope, "programs", record_id("program"), ended)
    plan = (await read_athlete(db, pair.athlete_id, NOW)).plan
    assert plan is not None and plan.program_id is None
    assert plan.scheduled == plan_from_program("p", PROGRAMS.read(ended)[0]).scheduled
