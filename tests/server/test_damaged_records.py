"""A document that does not open any more costs one record and never its scope, and who holds the same mends it."""

from uuid import UUID

import pytest

from apex_server.db import Database
from apex_server.operations import verify
from apex_server.sync import rebuild_projections
from apex_server.sync.errors import RecordDamaged
from apex_sync.digest import digest_bytes, record_digest
from apex_sync.protocol.messages import PulledRecord, SyncResponse
from tests.server.accounts_app import problem
from tests.server.rest_app import rest_server
from tests.server.sync_world import Device, World, assert_consistent, looked_for_damage, workout

pytestmark = pytest.mark.anyio

FLIPPED = "UPDATE records SET doc = set_byte(doc, 40, get_byte(doc, 40) # 1) WHERE record_id = $1"
"""A byte that a disk has changed, in the midst of a document."""


@pytest.fixture
async def world(db: Database, database_url: str) -> World:
    return await World(db, database_url).open()


@pytest.fixture
async def phone(world: World) -> Device:
    phone = await world.device(await world.athlete())
    for _ in range(5):
        phone.write(workout())
    await phone.sync()
    return phone


async def damage(world: World, record_id: bytes) -> None:
    await world.sql(FLIPPED, UUID(bytes=record_id))


async def marked(world: World) -> list[UUID]:
    return [row["record_id"] for row in await world.sql("SELECT record_id FROM records WHERE damaged_at IS NOT NULL")]


def offer(device: Device, record_id: bytes) -> None:
    """Let the record go up whole, as a device does whose digest of it is another than the server's."""
    device.offers.add((device.scope, record_id))


async def pulled(device: Device) -> list[PulledRecord]:
    response: SyncResponse = await device.send(device.request())
    device.take(device.outbox(), response)
    return [record for page in response.pages for record in page.records]


async def test_all_but_the_damaged_record_comes_to_a_new_device(world: World, phone: Device) -> None:
    """Its digest is no part of the scope's at once, so a device that lacks it is sent after nothing."""
    _, lost, *_ = [record_id for _, record_id in phone.docs]
    await damage(world, lost)
    for _ in range(2):
        watch = await world.device(phone.caller.user_id)
        await watch.sync()
        assert len(watch.docs) == 4 and (phone.scope, lost) not in watch.docs
        assert await marked(world) == [UUID(bytes=lost)]


async def test_the_progress_of_a_first_sync_does_not_wait_for_it(world: World, phone: Device) -> None:
    await damage(world, next(iter(phone.docs))[1])
    await (await world.device(phone.caller.user_id)).sync()
    watch = await world.device(phone.caller.user_id)
    response = await watch.send(watch.request())
    [page] = [page for page in response.pages if page.scope == phone.scope]
    assert (page.remaining, page.total, len(page.records)) == (0, 4, 4)


async def test_what_is_new_comes_though_a_record_before_it_is_damaged(world: World, phone: Device) -> None:
    watch = await world.device(phone.caller.user_id)
    await watch.sync()
    first, second = [phone.write(workout()) for _ in range(2)]
    await phone.sync()
    await damage(world, first)
    assert [record.record_id for record in await pulled(watch)] == [second]
    assert await marked(world) == [UUID(bytes=first)]


async def test_the_server_names_it_to_whoever_has_it_and_to_nobody_else(world: World, phone: Device) -> None:
    """In a comparison of digests it stands with a digest of zero: that of nobody who has it, and no part of a sum."""
    lost = next(iter(phone.docs))[1]
    await damage(world, lost)
    await looked_for_damage(world.db)
    async with world.feed_store().snapshot(phone.caller.user_id) as snapshot:
        digests = dict(await snapshot.digests(phone.scope))
        [granted] = [grant for grant in await snapshot.granted() if grant.scope == phone.scope]
    assert digests[lost] == 0 and len(digests) == 5
    assert granted.digest == sum(digests.values()) % 2**128 and granted.record_count == 4


async def test_whoever_has_exactly_what_it_was_mends_it(world: World, db: Database, phone: Device) -> None:
    watch = await world.device(phone.caller.user_id)
    await watch.sync()
    lost = next(iter(phone.docs))[1]
    await damage(world, lost)
    assert await looked_for_damage(db) == 1
    offer(watch, lost)
    await watch.sync()
    assert await marked(world) == []
    await assert_consistent(world)
    assert (await verify(db)).is_sound
    tablet = await world.device(phone.caller.user_id)
    await tablet.sync()
    assert tablet.docs == phone.docs


async def test_a_new_edit_to_it_brings_it_back_and_goes_on(world: World, db: Database, phone: Device) -> None:
    """The device is asked for the whole record, as after any gap, and its edit lies on top of what was mended."""
    lost = next(iter(phone.docs))[1]
    await damage(world, lost)
    phone.write({"mood": 7}, lost)
    await phone.sync()
    watch = await world.device(phone.caller.user_id)
    await watch.sync()
    assert watch.state(lost).state["mood"] == 7
    assert await marked(world) == []
    assert (await verify(db)).is_sound


async def test_own_edits_from_the_first_on_prove_themselves(world: World, db: Database, phone: Device) -> None:
    lost = next(iter(phone.docs))[1]
    await damage(world, lost)
    phone.acked[phone.scope, lost] = 0
    del phone.receipts[phone.scope, lost]
    await phone.sync()
    assert (await verify(db)).is_sound


async def test_who_has_less_than_it_was_waits_for_who_has_all(world: World, db: Database, phone: Device) -> None:
    """An older state in its place would leave clocks that are taken to be written again, by the server among others."""
    lost = next(iter(phone.docs))[1]
    watch = await world.device(phone.caller.user_id)
    await watch.sync()
    phone.write({"fatigue": 4}, lost)
    await phone.sync()
    await damage(world, lost)
    watch.write({"mood": 7}, lost)
    statuses = []
    for _ in range(3):
        keys = watch.outbox()
        response = await watch.send(watch.request(keys))
        watch.take(keys, response)
        statuses += [result.status for result in response.results]
    assert statuses == ["gap", "retry", "retry"]
    assert watch.outbox() == [(watch.scope, lost)] and await marked(world) == [UUID(bytes=lost)]
    offer(phone, lost)
    await phone.sync()
    await watch.sync()
    await phone.sync()
    assert phone.docs == watch.docs and {"mood", "fatigue"} <= phone.state(lost).state.keys()
    assert (await verify(db)).is_sound


async def test_nobody_mends_it_with_words_of_others_that_no_receipt_proves(world: World, phone: Device) -> None:
    watch = await world.device(phone.caller.user_id)
    await watch.sync()
    lost = next(iter(phone.docs))[1]
    await damage(world, lost)
    key = watch.scope, lost
    watch.receipts[key] = bytes(24), 0
    offer(watch, lost)
    response = await watch.send(watch.request([key]))
    assert [result.status for result in response.results] == ["retry"]
    assert await marked(world) == [UUID(bytes=lost)]


async def test_an_older_document_in_the_place_of_a_newer_one_does_not_open(
    world: World, db: Database, phone: Device
) -> None:
    """Each is sealed as the content it has; so what was put back shows, and is mended like any damage."""
    record_id = next(iter(phone.docs))[1]
    [older] = await world.sql("SELECT doc FROM records WHERE record_id = $1", UUID(bytes=record_id))
    phone.write({"notes": "my knee hurts"}, record_id)
    await phone.sync()
    await world.sql("UPDATE records SET doc = $2 WHERE record_id = $1", UUID(bytes=record_id), older["doc"])
    assert [(each.check, each.record_id) for each in (await verify(db)).damages] == [
        ("documents", str(UUID(bytes=record_id)))
    ]
    await looked_for_damage(db)
    offer(phone, record_id)
    await phone.sync()
    watch = await world.device(phone.caller.user_id)
    await watch.sync()
    assert watch.state(record_id).state["notes"] == "my knee hurts"
    assert (await verify(db)).is_sound


async def test_the_server_writes_nothing_to_it_meanwhile(world: World, phone: Device) -> None:
    lost = next(iter(phone.docs))[1]
    await damage(world, lost)
    with pytest.raises(RecordDamaged):
        await world.committer.write(
            phone.caller.user_id, phone.scope, "workout_logs", str(UUID(bytes=lost)), {"mood": 3}
        )
    assert not await world.committer.compact(phone.scope, lost)
    assert await marked(world) == [UUID(bytes=lost)]


async def test_over_rest_a_list_leaves_it_out_and_asking_for_it_says_why(db: Database, world: World) -> None:
    async with rest_server(db) as rest:
        coach, athlete = await rest.coach_and_athlete()
        ids = [(await athlete("POST", "/api/workouts", {"date": "2026-03-01"})).json()["id"] for _ in range(2)]
        await damage(world, UUID(ids[0]).bytes)
        for person in (coach, athlete):
            answer = await person("GET", f"/api/workouts/client/{athlete.id}")
            assert [log["id"] for log in answer.json()["workouts"]] == [ids[1]]
            assert problem(await person("GET", f"/api/workouts/{ids[0]}")) == (503, "record_damaged")


async def test_a_rebuild_leaves_the_rows_of_it_which_are_the_last_of_it(world: World, phone: Device) -> None:
    lost = next(iter(phone.docs))[1]
    before = await world.sql("SELECT * FROM logged_sets ORDER BY record_id, set_key")
    await damage(world, lost)
    await rebuild_projections(world.db)
    assert await world.sql("SELECT * FROM logged_sets ORDER BY record_id, set_key") == before != []


async def test_what_opens_again_is_served_again(world: World, db: Database, phone: Device) -> None:
    lost = next(iter(phone.docs))[1]
    await damage(world, lost)
    assert await looked_for_damage(db) == 1 and len(await marked(world)) == 1
    await damage(world, lost)
    assert await looked_for_damage(db) == 0 and await marked(world) == []
    watch = await world.device(phone.caller.user_id)
    await watch.sync()
    assert len(watch.docs) == 5


async def test_a_damaged_key_stops_its_scope_and_no_other(world: World, phone: Device) -> None:
    other = await world.device(await world.athlete())
    other.write(workout())
    await other.sync()
    coach = await world.device(await world.coach(phone.caller.user_id, other.caller.user_id))
    world.db.vault.forget_unwrapped()
    await world.sql(
        "UPDATE data_keys SET wrapped = set_byte(wrapped, 40, get_byte(wrapped, 40) # 1) WHERE user_id = $1",
        phone.caller.user_id,
    )
    await coach.sync()
    assert {scope for scope, _ in coach.docs} == {other.scope}
    phone.write(workout())
    response = await phone.send(phone.request())
    assert [result.status for result in response.results] == ["retry"]
    assert phone.scope not in [page.scope for page in response.pages] + response.forget


async def test_damage_is_told_apart_from_a_digest_that_is_wrong(world: World, db: Database) -> None:
    """In the built-in library, which nobody has sealed, only the digest can tell."""
    record_id = world.record_id()
    written = await world.committer.write(None, "global", "exercises", str(UUID(bytes=record_id)), {"name": "Squat"})
    assert (await verify(db)).is_sound
    digest = digest_bytes(record_digest(record_id, written.merged.document) ^ 1)
    await world.sql("UPDATE records SET digest = $2 WHERE record_id = $1", UUID(bytes=record_id), digest)
    assert {each.check for each in (await verify(db)).damages} == {"digests", "scopes"}
