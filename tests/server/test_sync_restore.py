"""A server restored from a backup: a new epoch, everything offered again, nothing lost that any device still holds."""

from random import Random
from uuid import UUID

import pytest

from apex_server.db import Database
from apex_server.sync import begin_epoch
from apex_server.sync.projection_tables import TABLES
from apex_sync.op import Write, encode_op
from apex_sync.protocol.messages import PushedRecord
from apex_sync.wire import encode_document, encode_push
from tests.server.sync_world import Device, World, assert_consistent, workout

pytestmark = pytest.mark.anyio

BACKED_UP = ("scopes", "records", "audit", "dead_ops", *TABLES)


@pytest.fixture
async def world(db: Database, database_url: str) -> World:
    return await World(db, database_url).open()


async def back_up(world: World) -> None:
    for table in BACKED_UP:
        await world.sql(f"CREATE TABLE backup_{table} AS SELECT * FROM {table}")


async def restore(world: World, db: Database) -> None:
    for table in BACKED_UP:
        await world.sql(f"TRUNCATE {table}")
        await world.sql(f"INSERT INTO {table} SELECT * FROM backup_{table}")
    await begin_epoch(db)
    await world.open()


async def assert_all_agree(*devices: Device) -> None:
    """Sync everyone twice, so that each hears what the others brought."""
    for device in (*devices, *devices):
        await device.sync()
    assert len({device.digest(device.scope) for device in devices}) == 1


@pytest.mark.parametrize("seed", range(4))
async def test_what_any_device_holds_survives_a_restore(world: World, db: Database, seed: int) -> None:
    """Even what a device wrote that is no more, as long as somebody had read it."""
    random = Random(seed)
    athlete = await world.athlete()
    phone, watch, lost = [await world.device(athlete) for _ in range(3)]
    devices = [phone, watch, lost]
    record_ids = [phone.write(workout()) for _ in range(20)]
    for device in devices:
        await device.sync()
    await back_up(world)
    for _ in range(60):
        device = random.choice(devices)
        record_id = random.choice(record_ids)
        if random.random() < 0.2:
            record_ids.append(device.write(workout()))
        elif (device.scope, record_id) in device.docs:
            device.write({"sets": {f"s{random.randrange(5)}": {"reps": random.randrange(20)}}}, record_id)
        if random.random() < 0.5:
            await device.sync()
    name = str(UUID(bytes=record_ids[0]))
    await world.committer.write(athlete, phone.scope, "workout_logs", name, {"notes": "through the server"})
    await lost.sync()
    await phone.sync()
    known = {key: phone.state(key[1]).state for key in phone.docs}
    await restore(world, db)
    devices = [phone, watch]
    random.shuffle(devices)
    for device in (*devices, *devices):
        await device.sync()
    newcomer = await world.device(athlete)
    await assert_all_agree(phone, watch, newcomer)
    assert newcomer.docs.keys() >= known.keys()
    assert newcomer.state(record_ids[0]).state["notes"] == "through the server"
    for key, state in known.items():
        merged = newcomer.state(key[1]).state
        assert set(merged["sets"]) >= set(state["sets"])
    await world.committer.write(athlete, phone.scope, "workout_logs", name, {"notes": "and on"})
    await assert_all_agree(phone, watch, newcomer)
    await assert_consistent(world)


async def test_a_new_epoch_alone_makes_devices_offer_everything_and_changes_nothing(world: World, db: Database) -> None:
    athlete = await world.athlete()
    phone, watch = await world.device(athlete), await world.device(athlete)
    for _ in range(8):
        phone.write(workout())
    await phone.sync()
    await watch.sync()
    before = await world.sql("SELECT digest, seq FROM scopes")
    await begin_epoch(db)
    await world.open()
    response = await phone.send(phone.request())
    assert [(page.reset, page.records) for page in response.pages if page.scope == phone.scope] == [(True, [])]
    await assert_all_agree(phone, watch)
    assert await world.sql("SELECT digest, seq FROM scopes") == before


async def test_a_forged_receipt_brings_in_nothing(world: World) -> None:
    """Foreign ops are taken only as the server once held them, in this record of this scope."""
    athlete = await world.athlete()
    coach_id = await world.coach(athlete)
    phone, tablet = await world.device(athlete), await world.device(coach_id)
    check_in = phone.write({"date": "2026-03-01", "weight_kg": 80.0}, collection="check_ins")
    await phone.sync()
    await tablet.sync()
    key = (phone.scope, check_in)
    receipt, _ = tablet.receipts[key]
    forged = tablet.docs[key].copy()
    forged.append(phone.client_id, encode_op([Write(world.now_us(), [], {"weight_kg": 60.0})]))
    own = encode_op([Write(world.now_us(), [phone.client_id, 2], {"coach_feedback": "too light"})])
    update = encode_push(tablet.client_id, 0, [own])
    genuine = encode_document(tablet.docs[key])
    elsewhere = f"private:{coach_id}:{athlete}"
    pushed = [
        PushedRecord(phone.scope, "check_ins", check_in, update, encode_document(forged), receipt),
        PushedRecord(phone.scope, "check_ins", check_in, b"", encode_document(forged), receipt),
        PushedRecord(phone.scope, "check_ins", world.record_id(), b"", genuine, receipt),
        PushedRecord(phone.scope, "check_ins", check_in, b"", genuine, receipt[:8] + bytes(16)),
        PushedRecord(elsewhere, "programs", check_in, b"", genuine, receipt),
        PushedRecord(phone.scope, "check_ins", check_in, b"", genuine, receipt),
    ]
    user, device = coach_id, tablet.caller.device_id
    answer = await world.committer.push(user, device, tablet.client_id, pushed)
    assert [result.status for result in answer.results] == [*["gap"] * 5, "duplicate"]
    assert len(await world.sql("SELECT * FROM audit")) == 1


async def test_a_receipt_covers_the_bytes_of_a_record_and_not_only_their_digest(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A digest is a sum: whoever finds other content with the same sum must not bring it in. Here all sums are one."""
    athlete = await world.athlete()
    coach_id = await world.coach(athlete)
    phone, tablet = await world.device(athlete), await world.device(coach_id)
    check_in = phone.write({"date": "2026-03-01"}, collection="check_ins")
    await phone.sync()
    await tablet.sync()
    key = (phone.scope, check_in)
    receipt, _ = tablet.receipts[key]
    forged = tablet.docs[key].copy()
    forged.append(phone.client_id, encode_op([Write(world.now_us(), [], {"ai_summary": "all is well"})]))
    monkeypatch.setattr("apex_server.sync.judging.record_digest", lambda *_: 1)
    pushed = [PushedRecord(phone.scope, "check_ins", check_in, b"", encode_document(forged), receipt)]
    answer = await world.committer.push(coach_id, tablet.caller.device_id, tablet.client_id, pushed)
    assert [result.status for result in answer.results] == ["gap"]


async def test_an_op_that_had_seen_what_survives_nowhere_is_taken_and_its_author_loses_nothing(
    world: World, db: Database
) -> None:
    """The unseen clocks die; should their author turn up after all, it is a fork, and it issues its ops anew."""
    athlete = await world.athlete()
    phone, watch = await world.device(athlete), await world.device(athlete)
    record_id = phone.write(workout())
    await phone.sync()
    key = (phone.scope, record_id)
    receipt, base = phone.receipts[key][0], encode_document(phone.docs[key])
    await back_up(world)
    await watch.sync()
    watch.write({"mood": 3}, record_id)
    lost = watch.pushed(key)
    await watch.sync()
    await phone.sync()
    phone.write({"fatigue": 5}, record_id)
    update = phone.pushed(key).update
    whole = PushedRecord(phone.scope, "workout_logs", record_id, update, base, receipt)
    same_epoch = await world.committer.push(athlete, phone.caller.device_id, phone.client_id, [whole])
    assert [result.status for result in same_epoch.results] == ["applied"], "nothing was lost yet"
    await restore(world, db)
    alone = PushedRecord(phone.scope, "workout_logs", record_id, update)
    results = (await world.committer.push(athlete, phone.caller.device_id, phone.client_id, [alone, whole])).results
    assert [result.status for result in results] == ["gap", "applied"]
    [row] = await world.sql("SELECT fatigue, mood FROM workout_logs")
    assert tuple(row) == (5, None)
    results = (await world.committer.push(athlete, watch.caller.device_id, watch.client_id, [lost])).results
    assert [result.status for result in results] == ["forked"]
    await assert_consistent(world)


async def test_what_continues_ops_of_before_a_restore_is_asked_for_whole(world: World, db: Database) -> None:
    """Under the clocks before it may stand what another device wrote."""
    phone = await world.device(await world.athlete())
    record_id = phone.write(workout())
    await phone.sync()
    before = world.identity.epoch
    await begin_epoch(db)
    await world.open()
    phone.write({"fatigue": 7}, record_id)
    new = phone.write(workout())
    keys = [(phone.scope, record_id), (phone.scope, new)]
    statuses = []
    for epoch in (before, world.identity.epoch):
        response = await phone.send(phone.request(keys, pull=False, epoch=epoch))
        statuses.append([result.status for result in response.results])
    assert statuses == [["gap", "applied"], ["applied", "duplicate"]]


async def test_a_whole_record_does_not_vouch_for_what_others_wrote_in_its_place(world: World, db: Database) -> None:
    """A clone came first to the restored server. What the phone continues is not what stands there."""
    phone = await world.device(await world.athlete())
    await back_up(world)
    record_id = phone.write({"title": "on the phone"})
    await phone.sync()
    key = phone.scope, record_id
    base, receipt = encode_document(phone.docs[key]), phone.receipts[key][0]
    await restore(world, db)
    clones = encode_op([Write(world.now_us(), [], {"title": "on the clone"})])
    phone.write({"title": "on the phone, again"}, record_id)
    user, device = phone.caller.user_id, phone.caller.device_id
    pushed = [
        PushedRecord(phone.scope, "workout_logs", record_id, encode_push(phone.client_id, 0, [clones])),
        PushedRecord(phone.scope, "workout_logs", record_id, phone.pushed(key).update, base, receipt),
    ]
    for one, status in zip(pushed, ("applied", "gap"), strict=True):
        answer = await world.committer.push(user, device, phone.client_id, [one])
        assert [result.status for result in answer.results] == [status]
    await assert_consistent(world)


async def test_what_was_taken_since_the_restore_outlives_an_offer_in_which_its_clock_is_dead(
    world: World, db: Database
) -> None:
    """A clone was refused an op under it before; what the phone is told is durable must not die of that."""
    athlete = await world.athlete()
    phone, watch = await world.device(athlete), await world.device(athlete)
    record_id = phone.write({"date": "2026-03-01"}, collection="check_ins")
    await phone.sync()
    await back_up(world)
    key = (phone.scope, record_id)
    forbidden = encode_op([Write(world.now_us(), [], {"coach_feedback": "by a clone"})])
    clones = PushedRecord(phone.scope, "check_ins", record_id, encode_push(phone.client_id, 1, [forbidden]))
    answer = await world.committer.push(athlete, phone.caller.device_id, phone.client_id, [clones])
    assert [refusal.code for refusal in answer.results[0].refusals] == ["forbidden"]
    await watch.sync()
    assert watch.docs[key].dead_ranges() == {phone.client_id: [(1, 2)]}
    await restore(world, db)
    phone.write({"notes": "taken since"}, record_id, collection="check_ins")
    results = (
        await world.committer.push(athlete, phone.caller.device_id, phone.client_id, [phone.pushed(key)])
    ).results
    assert [(result.status, result.refusals) for result in results] == [("applied", [])]
    offer = PushedRecord(
        phone.scope, "check_ins", record_id, b"", encode_document(watch.docs[key]), watch.receipts[key][0]
    )
    results = (await world.committer.push(athlete, watch.caller.device_id, watch.client_id, [offer])).results
    assert [result.status for result in results] == ["duplicate"]
    newcomer = await world.device(athlete)
    await newcomer.sync()
    assert newcomer.state(record_id).state["notes"] == "taken since"
    await assert_consistent(world)


async def test_ops_that_have_seen_what_was_there_before_do_not_overwrite_what_was_taken_since(
    world: World, db: Database
) -> None:
    """A phone put back to a backup was heard first: its clock, dead with the watch, is another op on the server.

    The record that the watch brings is taken, and of its own op it is told that it is not: it has to see first.
    """
    athlete = await world.athlete()
    phone, watch = await world.device(athlete), await world.device(athlete)
    await back_up(world)
    forbidden = encode_op([Write(world.now_us(), [], {"coach_feedback": "before"})])
    record_id = watch.write({"date": "2026-03-01"}, collection="check_ins")
    await watch.sync()
    before = PushedRecord(phone.scope, "check_ins", record_id, encode_push(phone.client_id, 0, [forbidden]))
    await world.committer.push(athlete, phone.caller.device_id, phone.client_id, [before])
    await watch.sync()
    key = watch.scope, record_id
    base, receipt = encode_document(watch.docs[key]), watch.receipts[key][0]
    watch.write({"notes": "on the watch"}, record_id, collection="check_ins")
    await restore(world, db)
    since = encode_op([Write(world.now_us(), [], {"notes": "taken since"})])
    heard = PushedRecord(phone.scope, "check_ins", record_id, encode_push(phone.client_id, 0, [since]))
    offered = PushedRecord(watch.scope, "check_ins", record_id, watch.pushed(key).update, base, receipt)
    answers = [
        (await world.committer.push(athlete, who.caller.device_id, who.client_id, [pushed])).results[0]
        for who, pushed in ((phone, heard), (watch, offered))
    ]
    assert [(answer.status, answer.next_clock) for answer in answers] == [("applied", 1), ("applied", 1)]
    newcomer = await world.device(athlete)
    await newcomer.sync()
    assert newcomer.state(record_id).state == {"date": "2026-03-01", "notes": "taken since"}
    await assert_consistent(world)
