"""A day has one nutrition log: whoever begins it, on whichever device, before or after signing in."""

from typing import Any

import pytest

from apex_sync.errors import OutOfBounds
from apex_sync.models.nutrition import nutrition_log_id
from tests.client.conftest import OpenReplica
from tests.client.loopback import LoopbackServer

pytestmark = pytest.mark.anyio

ANNA = "anna@example.com"
DAY = "2026-03-01"


def eaten(key: str, energy_kcal: float) -> dict[str, Any]:
    return {"date": DAY, "foods": {key: {"name": key, "energy_kcal": energy_kcal}}}


async def test_two_devices_that_begin_one_day_offline_have_one_log_after_it(
    open_replica: OpenReplica, server: LoopbackServer
) -> None:
    phone, watch = await open_replica("phone", ANNA), await open_replica("watch", ANNA)
    for replica in (phone, watch):
        await replica.sync()
    assert phone.user is not None
    one = await phone.nutrition_logs.create(eaten("oats", 311))
    two = await watch.nutrition_logs.create(eaten("rice", 689))
    assert one.id == two.id == nutrition_log_id(phone.user.id, DAY)
    for replica in (phone, watch, phone):
        await replica.sync()
    for replica in (phone, watch):
        [day] = await replica.query("SELECT energy_kcal, food_count, conflicts FROM nutrition_logs")
        assert day == {"energy_kcal": 1000, "food_count": 2, "conflicts": 0}
        foods = await replica.query("SELECT name FROM logged_foods ORDER BY name")
        assert [food["name"] for food in foods] == ["oats", "rice"]


async def test_a_day_begun_again_goes_on_and_comes_back_if_it_was_deleted(open_replica: OpenReplica) -> None:
    phone = await open_replica("phone", ANNA)
    first = await phone.nutrition_logs.create(eaten("oats", 311))
    made_at = first["created_at"]
    again = await phone.nutrition_logs.create(eaten("rice", 689))
    assert (again.id, again["created_at"], set(again["foods"])) == (first.id, made_at, {"oats", "rice"})
    await again.delete()
    assert (await phone.nutrition_logs.create({"date": DAY})).get("deleted") is False


async def test_days_of_before_the_first_sign_in_become_the_athletes(
    open_replica: OpenReplica, server: LoopbackServer
) -> None:
    replica = await open_replica()
    await replica.nutrition_logs.create(eaten("oats", 311))
    server.add_user(ANNA)
    user = await replica.login("https://coach.example", ANNA, "secret")
    log = await replica.nutrition_logs.create(eaten("rice", 689))
    assert log.id == nutrition_log_id(user.id, DAY) and set(log["foods"]) == {"oats", "rice"}
    assert await replica.query("SELECT count(*) AS days, sum(energy_kcal) AS kcal FROM nutrition_logs") == [
        {"days": 1, "kcal": 1000}
    ]
    await replica.sync()
    assert (await replica.status()).pending == 0


async def test_a_draft_deleted_before_the_first_sign_in_leaves_the_day_of_the_account_alone(
    open_replica: OpenReplica,
) -> None:
    phone = await open_replica("phone", ANNA)
    await phone.nutrition_logs.create(eaten("oats", 311))
    await phone.sync()
    new = await open_replica("new")
    await (await new.nutrition_logs.create(eaten("test", 1))).delete()
    await new.login("https://coach.example", ANNA, "secret")
    for replica in (new, phone, new):
        await replica.sync()
    for replica in (phone, new):
        assert await replica.query("SELECT energy_kcal, conflicts FROM nutrition_logs") == [
            {"energy_kcal": 311, "conflicts": 0}
        ]
    assert (await new.status()).pending == 0


async def test_a_log_stays_that_of_its_day(open_replica: OpenReplica) -> None:
    """Else that day could be begun a second time, and this one no more."""
    phone = await open_replica("phone", ANNA)
    log = await phone.nutrition_logs.create(eaten("oats", 311))
    for day in ("2026-03-02", None):
        with pytest.raises(OutOfBounds, match="Expected the day that this record was made for"):
            await log.edit(date=day)
    with pytest.raises(OutOfBounds, match="Expected the day that this record was made for"):
        await phone.nutrition_logs.create(record_id=log.id, date="2026-03-02")
    assert (await log.edit(date=DAY, notes="late snack"))["notes"] == "late snack"
    assert await phone.nutrition_logs.on("2026-03-02") == []
