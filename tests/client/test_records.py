"""Every kind of record has its place on the replica, and all of them can do the same, async and blocking."""

from pathlib import Path
from typing import Any

import pytest

from apex_client import Replica
from apex_client import blocking as blocking_sdk
from apex_client.athletes import Athlete
from apex_client.blocking import records as blocking_records
from apex_client.blocking.athletes import Athlete as BlockingAthlete
from apex_client.errors import NoSuchRecord, QueryFailed
from apex_client.records import Records, SoleRecord
from apex_sync.errors import ForbiddenField, OutOfBounds
from apex_sync.models import COLLECTIONS
from apex_sync.models.client_file import client_file_id
from apex_sync.models.days import REQUIRED_DAYS
from tests.client.conftest import OpenReplica
from tests.client.fleet import assert_sound
from tests.client.loopback import LoopbackServer

pytestmark = pytest.mark.anyio

ANNA, COACH = "anna@example.com", "coach@example.com"
NOBODY = "00000000-0000-0000-0000-000000000099"
DAY = "2026-03-01"
EXAMPLES: dict[str, dict[str, Any]] = {
    "workout_logs": {"title": "Push"},
    "check_ins": {"notes": "fine"},
    "programs": {"name": "Base"},
    "exercises": {"name": "Log Press"},
    "profiles": {"height_cm": 171},
    "client_files": {"tags": ["keen"]},
    "body_metrics": {"weight_kg": 81.5},
    "progress_photos": {"pose": "relaxed"},
    "nutrition_logs": {"notes": "ate out"},
    "nutrition_targets": {"protein_g": 180},
    "meal_plans": {"name": "Cut"},
    "foods": {"name": "Skyr"},
    "questionnaires": {"name": "Weekly"},
    "insights": {"title": "Deload"},
    "published_insights": {"title": "Deload"},
    "messages": {"coach": {"text": "Well done"}},
    "device_keys": {"coach": {"k" * 22: {"device": "phone"}}},
}


def resources_of(holder: Any, *kinds: type) -> dict[str, Any]:
    found: list[Any] = [resource for resource in vars(holder).values() if isinstance(resource, kinds)]
    return {resource.collection: resource for resource in found}


async def test_every_collection_has_its_resource(open_replica: OpenReplica, tmp_path: Path) -> None:
    replica: Replica = await open_replica()
    kinds, twins = (Records, SoleRecord), (blocking_records.Records, blocking_records.SoleRecord)
    with blocking_sdk.Replica.open(tmp_path / "blocking.db") as blocking:
        assert set(resources_of(replica, *kinds)) == set(COLLECTIONS)
        for holder, twin in ((replica, blocking), (Athlete(replica, NOBODY), BlockingAthlete(blocking, NOBODY))):
            assert resources_of(holder, *kinds).keys() == resources_of(twin, *twins).keys()


@pytest.mark.parametrize("collection", sorted(COLLECTIONS))
async def test_a_record_of_any_kind_is_made_changed_deleted_and_restored(
    open_replica: OpenReplica, collection: str
) -> None:
    """What the athlete may not write is refused before anything is saved, which is as good as written for this test."""
    replica = await open_replica()
    resource = resources_of(replica, Records, SoleRecord)[collection]
    fields = EXAMPLES[collection]
    day = {field: DAY for field in REQUIRED_DAYS.get(collection, ())[:1]}
    try:
        record = await (resource.edit(**fields) if isinstance(resource, SoleRecord) else resource.create(day | fields))
    except ForbiddenField as refused:
        assert "athlete" not in COLLECTIONS[collection].default_writers and refused.role == "athlete"
        return
    [(name, value)] = fields.items()
    assert (record[name], getattr(record.record, name), record.get("nothing")) == (value, value, None)
    assert [past.patch[name] for past in await record.history()] == [value]
    await record.edit(**{name: None})
    await record.delete()
    assert record.deleted and (await record.refresh()).deleted
    assert (await record.restore())[name] is None
    assert (await record.status()).collection == collection
    assert_sound(replica._open)


async def test_records_of_a_day_are_listed_by_day(open_replica: OpenReplica) -> None:
    replica: Replica = await open_replica()
    for resource in (replica.body_metrics, replica.photos, replica.nutrition_logs):
        made = [(await resource.create(date=f"2026-03-0{day}")).id for day in (2, 1, 3)]
        assert [one.id for one in await resource.list()] == [made[2], made[0], made[1]]
        assert [one.id for one in await resource.list(since="2026-03-02", limit=1)] == [made[2]]
        assert [one.id for one in await resource.on("2026-03-01")] == [made[1]]


async def test_a_day_that_is_in_no_calendar_is_refused_before_it_is_saved_and_so_is_none(
    open_replica: OpenReplica,
) -> None:
    replica: Replica = await open_replica()
    log = await replica.workouts.start(title="Push")
    for attempt in (
        lambda: replica.body_metrics.create(weight_kg=82.0),
        lambda: replica.body_metrics.create(date="2026-02-31"),
        lambda: replica.nutrition_logs.create(notes="Ate out."),
        lambda: replica.checkins.draft(date="2026-02-31"),
        lambda: replica.workouts.start(date="2026-13-01"),
        lambda: log.edit({"date": "2026-02-31"}),
        lambda: log.edit({"date": None, "start_time": None}),
    ):
        with pytest.raises(OutOfBounds) as refused:
            await attempt()
        assert refused.value.problem.field == "date"
    assert [one.id for one in await replica.workouts.list()] == [log.id]
    assert not await replica.body_metrics.list() and not await replica.checkins.list()
    assert_sound(replica._open)


async def test_what_an_older_app_wrote_without_a_day_is_listed_last_and_can_be_edited(
    open_replica: OpenReplica,
) -> None:
    replica: Replica = await open_replica()
    replica._open.create("body_metrics", None, {"weight_kg": 82.0})
    made = await replica.body_metrics.create(date=DAY, weight_kg=81.0)
    [first, undated] = await replica.body_metrics.list()
    assert first.id == made.id and undated.get("date") is None
    assert (await undated.edit(notes="At the gym."))["notes"] == "At the gym."


async def test_records_are_found_by_a_condition_on_their_table(open_replica: OpenReplica) -> None:
    replica: Replica = await open_replica()
    made = [await replica.body_metrics.create(date=DAY, weight_kg=weight) for weight in (82.5, 81.0, 83.5)]
    found = await replica.body_metrics.query("weight_kg > ? ORDER BY weight_kg DESC", [82])
    assert [one.id for one in found] == [made[2].id, made[0].id]
    assert found[0].record.weight_kg == 83.5
    with pytest.raises(QueryFailed):
        await replica.body_metrics.query("DROP TABLE body_metrics")


async def test_a_conflict_is_settled_on_the_record_and_its_history_tells_both_sides(
    open_replica: OpenReplica, server: LoopbackServer
) -> None:
    phone, watch = await open_replica("phone", ANNA), await open_replica("watch", ANNA)
    metrics = await phone.body_metrics.create(date=DAY, weight_kg=82.0)
    await phone.sync()
    await watch.sync()
    theirs = await watch.body_metrics.get(metrics.id)
    await metrics.edit(notes="morning")
    await theirs.edit(notes="evening")
    await phone.sync()
    await watch.sync()

    await theirs.refresh()
    [conflict] = await theirs.conflicts()
    kept = theirs["notes"]
    await theirs.resolve(conflict, 0)
    assert {kept, theirs["notes"]} == {"morning", "evening"} and await theirs.conflicts() == []
    past = await theirs.history()
    assert [one.mine for one in past].count(False) == 2 and past[-1].patch == {"notes": theirs["notes"]}


async def test_a_coach_keeps_one_file_on_an_athlete(open_replica: OpenReplica, server: LoopbackServer) -> None:
    await open_replica("athlete", ANNA)
    coach = await open_replica("coach", COACH, role="coach")
    account, anna = server.accounts[COACH], server.accounts[ANNA]
    server.link(account, anna)
    await coach.sync()
    for tags in (["new"], ["keen"]):
        await coach.athlete(anna.id).client_file.edit(tags=tags)
    [file] = await coach.client_files.list()
    assert (file.id, file["tags"], file.athlete_id) == (client_file_id(account.id, anna.id), ["keen"], anna.id)
    with pytest.raises(NoSuchRecord):
        await coach.client_files.get(NOBODY)


async def test_a_body_weight_changes_in_kilograms_with_what_is_typed(open_replica: OpenReplica) -> None:
    phone = await open_replica("phone", ANNA)
    metrics = await phone.body_metrics.create(date="2026-03-01", weight=180, weight_unit="lb")
    assert metrics.get("weight_kg") == 81.646627
    assert (await metrics.edit(weight=200)).get("weight_kg") == 90.718474
    assert (await metrics.edit(weight_unit="kg")).get("weight_kg") == 200
    profile = await phone.profile.edit(target_weight=180, target_weight_unit="lb")
    assert profile.get("target_weight_kg") == 81.646627
