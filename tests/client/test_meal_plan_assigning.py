"""A coach assigns meal plans offline: one copy per athlete and first day, and what it replaces ends and is named."""

from typing import Any

import pytest

from apex_client import Replica
from apex_client.errors import AthleteNeeded, NotGranted
from apex_client.records import Record
from apex_sync.coaching.assigning import assignment_id
from apex_sync.errors import OutOfBounds
from tests.client.conftest import OpenReplica
from tests.client.loopback import Account, LoopbackServer

pytestmark = pytest.mark.anyio

ANNA, BEN, COACH = "anna@example.com", "ben@example.com", "coach@example.com"
NOBODY = "00000000-0000-0000-0000-000000000099"
MEALS: dict[str, Any] = {
    "days": {"d": {"name": "Day 1", "order": "a0"}},
    "meals": {"m": {"day": "d", "name": "Lunch", "order": "a0"}},
    "foods": {"f": {"meal": "m", "name": "Oats", "grams": 80.0, "order": "a0"}},
}
FROM: dict[str, Any] = {"start_date": "2026-03-02"}


@pytest.fixture
async def coach(open_replica: OpenReplica, server: LoopbackServer) -> Replica:
    replica: Replica = await open_replica("coach", COACH, role="coach")
    own = server.accounts[COACH].id
    server.grants[own][f"coach:{own}"] = "coach"
    for email in (ANNA, BEN):
        server.link(server.accounts[COACH], server.add_user(email))
    await replica.sync()
    return replica


@pytest.fixture
def anna(coach: Replica, server: LoopbackServer) -> Account:
    return server.accounts[ANNA]


async def template(coach: Replica, name: str = "Cut", **fields: Any) -> Record[Any]:
    return await coach.meal_plans.create(name=name, **MEALS, **fields)


async def test_a_copy_reaches_the_athlete_and_assigned_again_stays_as_they_adapted_it(
    coach: Replica, anna: Account, open_replica: OpenReplica
) -> None:
    cut = await template(coach, end_date="2026-01-31", start_date="2026-01-05", status="draft")
    plan, ended = await coach.meal_plans.assign(cut, anna.id, **FROM)
    assert plan.id == assignment_id(cut.id, anna.id, "2026-03-02", {}) and ended == []
    await coach.sync()
    athlete = await open_replica("athlete", ANNA)
    await athlete.sync()
    [followed] = await athlete.meal_plans.list()
    assert (
        followed.state
        == plan.state
        == MEALS
        | {
            "name": "Cut",
            "status": "active",
            "source_id": cut.id,
            "start_date": "2026-03-02",
            "created_at": plan["created_at"],
        }
    )
    assert (await athlete.meal_plans.followed("2026-03-02")).id == plan.id

    await followed.edit(foods={"f": {"grams": 60.0}})
    await athlete.sync()
    await coach.sync()
    for asked in (FROM, {}):
        again = (await coach.athlete(anna.id).meal_plans.assign(cut, **asked)).plan
        assert (again.id, again["foods"]["f"]["grams"]) == (plan.id, 60.0)
    assert (await coach.meal_plans.assign(cut, anna.id, **FROM, end_date="2026-03-29")).plan["end_date"] == "2026-03-29"


async def test_what_is_followed_in_the_same_days_ends_unless_it_is_to_be_kept(coach: Replica, anna: Account) -> None:
    cut, bulk = await template(coach), await template(coach, "Bulk")
    first = (await coach.meal_plans.assign(cut, anna.id, **FROM)).plan
    beside = await coach.meal_plans.assign(bulk, anna.id, start_date="2026-03-16", keep=True)
    assert beside.ended == []
    earlier = await coach.meal_plans.assign(bulk, anna.id, start_date="2026-03-09")
    assert {one.id: (one["status"], one.get("end_date")) for one in earlier.ended} == {
        first.id: ("active", "2026-03-08"),
        beside.plan.id: ("archived", None),
    }


async def test_a_copy_that_was_completed_stays_so_and_a_deleted_one_comes_back(coach: Replica, anna: Account) -> None:
    cut = await template(coach)
    copy = (await coach.meal_plans.assign(cut, anna.id, **FROM)).plan
    await copy.edit(status="completed", foods={"f": {"grams": 60.0}})
    again = (await coach.meal_plans.assign(cut, anna.id, **FROM)).plan
    assert (again.id, again["status"], again["foods"]["f"]["grams"]) == (copy.id, "completed", 60.0)
    await copy.delete()
    back = (await coach.meal_plans.assign(cut, anna.id, **FROM)).plan
    assert (back.id, back["status"], back["foods"]["f"]["grams"]) == (copy.id, "active", 80.0)
    assert not back.deleted


async def test_an_athlete_begins_a_draft_of_their_own(open_replica: OpenReplica) -> None:
    athlete = await open_replica("athlete", ANNA)
    draft = await athlete.meal_plans.create(name="Mine", status="draft", **MEALS)
    begun = (await athlete.meal_plans.assign(draft, start_date="2026-03-02")).plan
    assert (begun.id, begun["status"], begun["start_date"]) == (draft.id, "active", "2026-03-02")
    assert (await athlete.meal_plans.assign(draft)).plan.state == begun.state
    moved = await athlete.meal_plans.assign(draft, start_date="2026-04-06")
    assert moved.plan.id != draft.id and [one["end_date"] for one in moved.ended] == ["2026-04-05"]


async def test_what_cannot_be_is_refused_and_nothing_is_written(
    coach: Replica, anna: Account, server: LoopbackServer
) -> None:
    cut = await template(coach)
    with pytest.raises(NotGranted):
        await coach.meal_plans.assign(cut, NOBODY)
    with pytest.raises(AthleteNeeded):
        await coach.meal_plans.assign(cut)
    with pytest.raises(OutOfBounds, match="2026-03-02 or a day after it"):
        await coach.meal_plans.assign(cut, anna.id, **FROM, end_date="2026-03-01")
    assert await coach.athlete(anna.id).meal_plans.list() == []

    annas = (await coach.meal_plans.assign(cut, anna.id, **FROM)).plan
    with pytest.raises(OutOfBounds, match="only a template goes to others"):
        await coach.meal_plans.assign(annas, server.accounts[BEN].id)
    assert await coach.athlete(server.accounts[BEN].id).meal_plans.list() == []
