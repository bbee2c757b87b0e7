"""Verification finds nothing in what the server wrote, and names each kind of damage for what it is."""

from uuid import UUID

import anyio
import pytest

from apex_server.audit import record_event
from apex_server.db import Database
from apex_server.operations import verify
from apex_server.operations.record_checks import Check
from apex_server.operations.verify import DAMAGES_MAX, PAGE_RECORDS, Damage, Verification
from apex_server.sync import compact_long_records
from apex_sync.compaction import COMPACTION_OPS
from apex_sync.op import Write, encode_op
from apex_sync.protocol.messages import PushedRecord
from apex_sync.wire import encode_push
from tests.server.sync_world import Device, World, workout

pytestmark = pytest.mark.anyio


@pytest.fixture
async def world(db: Database, database_url: str) -> World:
    return await World(db, database_url).open()


@pytest.fixture
async def phone(world: World) -> Device:
    """Give the device of an athlete with odd content: deleted, out of bounds, refused, contested, compacted."""
    athlete = await world.athlete()
    phone, watch = await world.device(athlete), await world.device(athlete)
    ids = [phone.write(workout(sets=number % 3)) for number in range(9)]
    phone.write({"date": "2026-03-01", "responses": {"energy": 99}}, collection="check_ins")
    phone.write({"coach_feedback": "not mine to write"}, collection="check_ins")
    phone.write({"name": "Ana", "height_cm": 171}, collection="profiles")
    await phone.sync()
    await watch.sync()
    phone.write({"deleted": True}, ids[0])
    phone.write({"fatigue": 3}, ids[1])
    watch.write({"fatigue": 4}, ids[1])
    await phone.sync()
    await watch.sync()
    await phone.sync()
    await grow_long(world, phone, ids[2])
    return phone


async def grow_long(world: World, device: Device, record_id: bytes) -> None:
    first = device.docs[device.scope, record_id].next_clocks[device.client_id]
    ops = [encode_op([Write(world.now_us(), [], {"mood": step % 10})]) for step in range(COMPACTION_OPS)]
    pushed = PushedRecord(device.scope, "workout_logs", record_id, encode_push(device.client_id, first, ops))
    answer = await world.committer.push(device.caller.user_id, device.caller.device_id, device.client_id, [pushed])
    assert [result.status for result in answer.results] == ["applied"]
    assert await compact_long_records(world.db, world.committer) == 1


async def wrong_in(world: World) -> dict[Check, int]:
    return {check: count for check, count in (await verify(world.db)).wrong.items() if count}


async def test_what_the_server_wrote_is_sound(world: World, db: Database, phone: Device) -> None:
    verification = await verify(db)
    assert verification.damages == []
    assert verification.is_sound
    [counted] = await world.sql(
        "SELECT (SELECT count(*) FROM records) AS records, (SELECT count(*) FROM dead_ops) AS dead"
    )
    assert verification.looked_at["documents"] == counted["records"] == 12
    assert verification.looked_at["dead ops"] == counted["dead"] > COMPACTION_OPS
    looked_at = {check for check, count in verification.looked_at.items() if count}
    assert looked_at == verification.looked_at.keys() - {"media"}, "which verify_media looks for, in their store"


async def test_an_empty_database_is_sound(db: Database) -> None:
    assert (await verify(db)).is_sound


ONE_LOG = (
    "SELECT scope_id, record_id FROM records WHERE collection = 'workout_logs' AND NOT deleted ORDER BY seq LIMIT 1"
)
ONE_RECORD = f"(scope_id, record_id) = ({ONE_LOG})"
DAMAGES: list[tuple[str, dict[Check, int]]] = [
    (f"UPDATE records SET doc = substring(doc FROM 2) WHERE {ONE_RECORD}", {"documents": 1}),
    (f"UPDATE records SET collection = 'later_things' WHERE {ONE_RECORD}", {"documents": 1}),
    (f"UPDATE records SET digest = decode(repeat('00', 16), 'hex') WHERE {ONE_RECORD}", {"documents": 1, "scopes": 1}),
    (f"UPDATE records SET needs_review = true WHERE {ONE_RECORD}", {"flags": 1}),
    (f"UPDATE records SET has_conflicts = NOT has_conflicts, deleted = true WHERE {ONE_RECORD}", {"flags": 1}),
    (f"UPDATE workout_logs SET mood = 9 WHERE {ONE_RECORD}", {"rows": 1}),
    (f"DELETE FROM workout_logs WHERE {ONE_RECORD}", {"rows": 1}),
    ("UPDATE check_ins SET weight_kg = 80.0 WHERE date IS NOT NULL", {"rows": 1}),
    ("UPDATE server_identity SET projections_version = 0", {"rows": 1}),
    (f"DELETE FROM audit WHERE {ONE_RECORD}", {"audit": 1, "chains": 1}),
    (f"UPDATE audit SET first_clock = 1, next_clock = 2 WHERE {ONE_RECORD}", {"audit": 1, "chains": 1}),
    (f"UPDATE audit SET client_id = client_id + 1 WHERE {ONE_RECORD}", {"audit": 1, "chains": 1}),
    ("UPDATE audit SET seq = seq + 1000 WHERE seq = (SELECT max(seq) FROM audit)", {"audit": 1, "chains": 1}),
    ("UPDATE audit SET user_id = NULL WHERE seq = 2", {"chains": 1}),
    ("UPDATE audit SET device_id = user_id WHERE seq = 2", {"chains": 1}),
    ("UPDATE audit SET committed_at = committed_at - interval '1 hour' WHERE seq = 2", {"chains": 1}),
    ("UPDATE audit SET link = NULL", {"chains": 1}),
    (
        "WITH stripped AS (UPDATE audit SET link = NULL), since AS (UPDATE server_identity SET chained_since = 'epoch')"
        " UPDATE scopes SET chain = ''",
        {"chains": 1},
    ),
    ("UPDATE scopes SET chain = (SELECT sha256(link) FROM audit ORDER BY seq DESC LIMIT 1)", {"chains": 1}),
    ("UPDATE dead_ops SET clock = clock + 100000 WHERE code IS NOT NULL", {"dead ops": 1}),
    ("UPDATE scopes SET digest = decode(repeat('00', 16), 'hex')", {"scopes": 1}),
    ("UPDATE scopes SET record_count = record_count + 1", {"scopes": 1}),
    ("UPDATE scopes SET seq = seq + 1", {"scopes": 1}),
    # Its documents are no longer found to be sealed with anybody's key.
    ("UPDATE scopes SET name = 'global'", {"scopes": 1, "documents": 12}),
    # A sealed document opens in its own place only, though its content would be sound in another.
    (
        "UPDATE records SET doc = (SELECT doc FROM records AS o WHERE o.record_id <> records.record_id LIMIT 1) "
        f"WHERE {ONE_RECORD}",
        {"documents": 1},
    ),
    ("UPDATE data_keys SET wrapped = NULL, master_key_id = NULL, destroyed_at = now()", {"documents": 12}),
    ("INSERT INTO profiles (scope_id, record_id) SELECT scope_id, scope_id FROM scopes", {"orphans": 1}),
    ("INSERT INTO profiles (scope_id, record_id) VALUES (gen_random_uuid(), gen_random_uuid())", {"orphans": 1}),
    (
        "UPDATE dead_ops SET record_id = gen_random_uuid() WHERE code IS NOT NULL",
        {"orphans": 1},
    ),
]


@pytest.mark.parametrize(("damage", "expected"), DAMAGES, ids=[damage[:60] for damage, _ in DAMAGES])
async def test_each_kind_of_damage_is_named(
    world: World, db: Database, phone: Device, damage: str, expected: dict[Check, int]
) -> None:
    await world.sql(damage)
    assert await wrong_in(world) == expected


EVENTS = "account_events"
EVENT_DAMAGES = [
    f"UPDATE {EVENTS} SET action = 'password_changed' WHERE seq = 2",
    f"UPDATE {EVENTS} SET actor_id = NULL WHERE seq = 2",
    f"UPDATE {EVENTS} SET at = at - interval '1 hour' WHERE seq = 2",
    f"UPDATE {EVENTS} SET sealed = NULL WHERE seq = 2",
    f"DELETE FROM {EVENTS} WHERE seq = 2",
    f"DELETE FROM {EVENTS} WHERE seq = 3",
    f"WITH cut AS (DELETE FROM {EVENTS} WHERE seq = 3) UPDATE event_chains SET seq = 2",
    "DELETE FROM event_chains",
]


@pytest.mark.parametrize("damage", EVENT_DAMAGES)
async def test_what_happened_to_an_account_cannot_be_altered_or_cut_off(
    world: World, db: Database, damage: str
) -> None:
    athlete = await world.athlete()
    for _ in range(3):
        async with db.request(athlete) as connection:
            await record_event(connection, athlete, "signed_in", vault=db.vault, actor_id=athlete, address="192.0.2.7")
    assert await wrong_in(world) == {}
    await world.sql(damage)
    assert await wrong_in(world) == {"chains": 1}


async def test_a_deleted_record_leaves_the_sums_wrong_and_its_rows_behind(
    world: World, db: Database, phone: Device
) -> None:
    await world.sql(f"DELETE FROM records WHERE {ONE_RECORD}")
    assert (await wrong_in(world)).keys() == {"scopes", "orphans"}


async def test_a_damage_says_which_record_it_is(world: World, db: Database, phone: Device) -> None:
    [row] = await world.sql(f"UPDATE records SET digest = '' WHERE {ONE_RECORD} RETURNING record_id")
    damage = (await verify(db)).damages[0]
    assert (damage.scope, UUID(damage.record_id)) == (phone.scope, row["record_id"])


async def test_pages_and_what_stands_beside_them_stay_together(world: World, db: Database) -> None:
    """More records than a page holds, with their audit read ahead."""
    phone = await world.device(await world.athlete())
    ids = [phone.write({"date": "2026-03-01"}) for _ in range(PAGE_RECORDS + 40)]
    await phone.sync()
    for record_id in ids[::7]:
        phone.write({"mood": 5}, record_id)
    await phone.sync()
    seen: list[tuple[int, int]] = []
    verification = await verify(db, lambda done, total: seen.append((done, total)))
    assert verification.is_sound
    assert seen == [(PAGE_RECORDS, len(ids)), (len(ids), len(ids))]
    await world.sql("UPDATE records SET digest = ''")
    assert (await wrong_in(world))["documents"] == len(ids)


def test_a_thousand_damages_are_listed_and_the_rest_counted() -> None:
    verification = Verification()
    for _ in range(DAMAGES_MAX + 5):
        verification.found(Damage("rows", "wrong"))
    assert (len(verification.damages), verification.wrong["rows"]) == (DAMAGES_MAX, DAMAGES_MAX + 5)


async def test_a_database_that_serves_meanwhile_is_sound(world: World, db: Database) -> None:
    """Each scope is seen at one moment, whatever is committed while it is looked at."""
    phone = await world.device(await world.athlete())

    async def sync_for_ever() -> None:
        while True:
            phone.write(workout())
            await phone.sync()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(sync_for_ever)
        looks = 0
        while looks < 20 or len(phone.docs) < 3:
            assert (await verify(db)).damages == []
            looks += 1
        tasks.cancel_scope.cancel()
