"""What a device is told: everything once, newest first, its own writes not at all, and nothing that is not its own."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from apex_server.db import Database
from apex_server.sync.cursors import Cursor, read_cursor
from apex_server.sync.repair import bucket_digests
from apex_sync.digest import digest_bytes, record_digest
from apex_sync.protocol.messages import ScopeCursor, ScopePage, SyncRequest, encode_message, hash_cursors
from apex_sync.wire import encode_document
from tests.server.sync_world import Device, World, workout

pytestmark = pytest.mark.anyio


@pytest.fixture
async def world(db: Database, database_url: str) -> World:
    return await World(db, database_url).open()


@pytest.fixture
async def phone(world: World) -> Device:
    return await world.device(await world.athlete())


@pytest.fixture
async def watch(world: World, phone: Device) -> Device:
    return await world.device(phone.caller.user_id)


def page_of(pages: list[ScopePage], scope: str) -> ScopePage:
    return next(page for page in pages if page.scope == scope)


async def test_a_new_device_gets_the_newest_first_and_sees_how_much_is_left(phone: Device, watch: Device) -> None:
    written = [phone.write(workout()) for _ in range(90)]
    await phone.sync()
    received: list[bytes] = []
    progress = []
    for _ in range(100):
        response = await watch.send(watch.request(pull_bytes=5_000))
        watch.take([], response)
        page = page_of(response.pages, watch.scope)
        received += [record.record_id for record in page.records]
        progress.append((page.total, page.remaining))
        if not page.remaining:
            break
    assert received == written[::-1]
    assert {total for total, _ in progress} == {90}
    assert len(progress) > 3
    assert [remaining for _, remaining in progress] == sorted((left for _, left in progress), reverse=True)
    assert watch.digest(watch.scope) == phone.digest(phone.scope)


async def test_pages_are_bounded_in_records_and_still_in_order(
    phone: Device, watch: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = [phone.write(workout()) for _ in range(25)]
    await phone.sync()
    monkeypatch.setattr("apex_server.sync.feed.PULL_RECORDS_MAX", 10)
    received = []
    for _ in range(3):
        response = await watch.send(watch.request())
        watch.take([], response)
        received.append([record.record_id for record in page_of(response.pages, watch.scope).records])
    assert received == [written[:14:-1], written[14:4:-1], written[4::-1]]
    for record_id in written:
        phone.write({"fatigue": 1}, record_id)
    await phone.sync()
    response = await watch.send(watch.request())
    assert [record.record_id for record in page_of(response.pages, watch.scope).records] == written[:10]


async def test_new_changes_come_before_old_records_while_a_device_catches_up(
    world: World, phone: Device, watch: Device
) -> None:
    for _ in range(60):
        phone.write(workout())
    await phone.sync()
    watch.take([], await watch.send(watch.request(pull_bytes=5_000)))
    newest, oldest = phone.write(workout()), min(phone.docs)[1]
    phone.write({"fatigue": 9}, oldest)
    await phone.sync()
    response = await watch.send(watch.request(pull_bytes=5_000))
    page = page_of(response.pages, watch.scope)
    assert {record.record_id for record in page.records[:2]} == {newest, oldest}
    assert not any(record.delta for record in page.records[:2])
    watch.take([], response)
    await watch.sync(pull_bytes=5_000)
    assert watch.digest(watch.scope) == phone.digest(phone.scope)


async def test_a_device_that_brings_records_before_it_has_read_any_is_sent_all_others(
    phone: Device, watch: Device
) -> None:
    """Before and after its own, also where one of them was written by both."""
    older = [phone.write(workout()) for _ in range(40)]
    await phone.sync()
    watch.take([], await watch.send(watch.request([], pull_bytes=2_000)))
    shared = phone.write({"fatigue": 3}, older[-1])
    watch.cursors.clear()
    watch.write({"pump": 4}, shared)
    own = [watch.write(workout()) for _ in range(30)]
    keys = watch.outbox()
    response = await watch.send(watch.request(keys, pull_bytes=5_000))
    received = [record.record_id for record in page_of(response.pages, watch.scope).records]
    watch.take(keys, response)
    assert received
    assert not set(received) & set(own)
    await watch.sync(pull_bytes=5_000)
    await phone.sync()
    await watch.sync()
    assert watch.digest(watch.scope) == phone.digest(phone.scope)
    assert {key[1] for key in watch.docs} == {*older, *own}


async def test_own_writes_do_not_come_back(world: World, phone: Device) -> None:
    record_ids = [phone.write(workout()) for _ in range(30)]
    response = await phone.send(phone.request())
    page = page_of(response.pages, phone.scope)
    assert (page.records, page.remaining) == ([], 0), "nor to a device that has never read"
    phone.take(phone.outbox(), response)
    phone.write({"fatigue": 3}, record_ids[4])
    keys = phone.outbox()
    response = await phone.send(phone.request(keys))
    page = page_of(response.pages, phone.scope)
    assert (page.records, page.remaining) == ([], 0)
    phone.take(keys, response)
    assert (await phone.send(phone.request())).pages == []


async def test_who_writes_to_a_record_without_having_read_it_is_sent_all_of_it(
    world: World, phone: Device, watch: Device
) -> None:
    """Two devices may make one record (its id is derived); what the other wrote before is no echo."""
    record_id = phone.write(workout(fatigue=4))
    for _ in range(40):
        phone.write(workout())
    await phone.sync()
    watch.take([], await watch.send(watch.request(pull_bytes=3_000)))
    assert (watch.scope, record_id) not in watch.docs
    watch.write({"mood": 7}, record_id)
    await watch.sync(pull_bytes=3_000)
    assert watch.state(record_id).state["fatigue"] == 4
    assert watch.digest(watch.scope) == (await digest_of(world, watch.scope))


async def digest_of(world: World, scope: str) -> bytes:
    [row] = await world.sql("SELECT digest FROM scopes WHERE name = $1", scope)
    return bytes(row["digest"])


async def test_a_reader_near_the_head_gets_only_what_others_added(phone: Device, watch: Device) -> None:
    record_id = phone.write(workout(sets=40))
    await phone.sync()
    await watch.sync()
    phone.write({"fatigue": 3}, record_id)
    watch.write({"mood": 4}, record_id)
    await phone.sync()
    keys = watch.outbox()
    response = await watch.send(watch.request(keys))
    [record] = page_of(response.pages, watch.scope).records
    assert record.delta
    assert len(record.update) < 100
    watch.take(keys, response)
    assert watch.state(record_id).state["fatigue"] == 3
    assert len(encode_message(response)) < 300


async def test_a_change_that_was_overtaken_while_a_page_was_cut_short_is_not_lost(
    world: World, phone: Device, watch: Device
) -> None:
    """A record that moves up in the feed must not take with it what the reader has not seen below."""
    third = await world.device(phone.caller.user_id)
    record_ids = [phone.write(workout(sets=6)) for _ in range(12)]
    for device in (phone, watch, third):
        await device.sync()
    for record_id in record_ids:
        phone.write({"fatigue": 3}, record_id)
        await phone.sync()
    third.write({"mood": 8}, record_ids[0])
    await third.sync()
    response = await watch.send(watch.request(pull_bytes=900))
    assert page_of(response.pages, watch.scope).remaining
    watch.take([], response)
    third.write({"pump": 8}, record_ids[0])
    await third.sync()
    await watch.sync(pull_bytes=900)
    assert {watch.state(record_id).state["fatigue"] for record_id in record_ids} == {3}
    assert watch.state(record_ids[0]).state["pump"] == 8
    assert watch.digest(watch.scope) == third.digest(third.scope)


async def test_an_idle_sync_is_small_and_says_nothing(world: World) -> None:
    athletes = [await world.athlete() for _ in range(3)]
    coach = await world.device(await world.coach(*athletes))
    await coach.sync()
    request = coach.request()
    response = await coach.send(request)
    assert (response.pages, response.forget) == ([], [])
    assert len(encode_message(response)) < 40
    cursors = [ScopeCursor(scope, cursor, coach.digest(scope)) for scope, cursor in coach.cursors.items()]
    short = replace(request, cursors=None, cursors_hash=hash_cursors(cursors))
    assert len(cursors) == 12
    assert len(encode_message(short)) + len(encode_message(await coach.send(short))) < 120
    assert not (await coach.send(short)).send_cursors


async def test_a_hash_that_does_not_match_asks_for_the_cursors(world: World, phone: Device, watch: Device) -> None:
    await phone.sync()
    cursors = [ScopeCursor(scope, cursor, phone.digest(scope)) for scope, cursor in phone.cursors.items()]
    watch.write(workout())
    await watch.sync()
    response = await phone.send(replace(phone.request(), cursors=None, cursors_hash=hash_cursors(cursors)))
    assert (response.send_cursors, response.pages) == (True, [])


async def test_a_device_that_differs_is_told_by_the_digest_and_mended(phone: Device, watch: Device) -> None:
    """The digest shows it, the buckets narrow it down, whole records heal it."""
    record_ids = [phone.write(workout()) for _ in range(50)]
    await phone.sync()
    await watch.sync()
    keys = [(watch.scope, record_ids[7]), (watch.scope, record_ids[20])]
    for key in keys:
        del watch.docs[key]
    page = page_of((await watch.send(watch.request())).pages, watch.scope)
    assert (page.records, page.remaining) == ([], 0)
    assert page.digest != watch.digest(watch.scope)
    digests = [(key[1], record_digest(key[1], document)) for key, document in watch.docs.items()]
    asked = watch.request(bucket_digests=[(watch.scope, bucket_digests(digests))])
    repair = (await watch.send(asked)).repair
    mine = {(watch.scope, record_id, digest_bytes(digest)) for record_id, digest in digests}
    missing = [(scope, record_id) for scope, record_id, digest in repair if (scope, record_id, digest) not in mine]
    assert sorted(missing) == sorted(keys)
    assert len(repair) < 10
    watch.take([], await watch.send(watch.request(resend=missing)))
    assert watch.digest(watch.scope) == phone.digest(phone.scope)


async def test_a_scope_that_is_granted_comes_and_one_that_is_revoked_goes(world: World, phone: Device) -> None:
    athlete = phone.caller.user_id
    phone.write(workout())
    await phone.sync()
    coach_id = await world.coach()
    tablet = await world.device(coach_id)
    await tablet.sync()
    assert not tablet.docs
    await world.sql(
        "INSERT INTO coach_athletes (coach_id, athlete_id, since) VALUES ($1, $2, now())", coach_id, athlete
    )
    await tablet.sync()
    assert len(tablet.docs) == 1
    await world.dismiss(coach_id, athlete)
    response = await tablet.sync()
    assert response.forget == [
        f"{kind}{athlete}" for kind in ("athlete:", f"private:{coach_id}:", f"thread:{coach_id}:")
    ]
    assert not tablet.docs


async def test_nobody_reads_a_scope_that_is_not_granted(world: World, phone: Device) -> None:
    record_id = phone.write(workout())
    await phone.sync()
    stranger = await world.device(await world.athlete())
    cursor = ScopeCursor(phone.scope, phone.cursors[phone.scope], phone.digest(phone.scope))
    request = SyncRequest(
        1,
        stranger.client_id,
        world.now,
        cursors=[cursor, ScopeCursor("athlete:nonsense")],
        resend=[(phone.scope, record_id), (stranger.scope, record_id)],
        bucket_digests=[(phone.scope, [b"x" * 16] * 256)],
    )
    response = await stranger.send(request)
    assert response.forget == sorted([phone.scope, "athlete:nonsense"])
    assert {page.scope for page in response.pages} == {"global", stranger.scope}
    assert not any(page.records for page in response.pages)
    assert response.repair == []


async def test_cursors_that_were_tampered_with_open_nothing_and_break_nothing(world: World, phone: Device) -> None:
    for _ in range(5):
        phone.write(workout())
    await phone.sync()
    stranger = await world.device(await world.athlete())
    await stranger.sync()
    random = Random(3)
    genuine = phone.cursors[phone.scope]
    for _ in range(150):
        cursor = bytearray(genuine)
        for _ in range(random.randint(0, 4)):
            cursor[random.randrange(len(cursor))] = random.randrange(256)
        data = bytes(cursor)[: random.choice([len(cursor), random.randrange(len(cursor))])]
        for device in (phone, stranger):
            named = [ScopeCursor(phone.scope, data), ScopeCursor(stranger.scope, data), ScopeCursor("global", data)]
            response = await device.send(replace(device.request(), cursors=named))
            assert {page.scope for page in response.pages} <= {device.scope, "global"}
            if device is stranger:
                assert not any(page.records for page in response.pages)
                assert response.forget == [phone.scope]


@given(st.binary(max_size=40))
@settings(max_examples=300)
def test_any_bytes_are_a_cursor_or_none(data: bytes) -> None:
    cursor = read_cursor(data)
    assert cursor is None or cursor.encode() == data or read_cursor(cursor.encode()) == cursor


def test_a_cursor_is_small() -> None:
    assert len(Cursor.complete(b"epoch123", 10**9).encode()) == 24


async def test_a_device_without_its_own_client_id_is_not_spared_echoes(world: World, phone: Device) -> None:
    """Who reads under another device's id must not be kept from what that device wrote."""
    phone.write(workout())
    await phone.sync()
    clone = await world.device(phone.caller.user_id, client_id=phone.client_id)
    await clone.sync()
    record_id = phone.write(workout())
    await phone.sync()
    await clone.sync()
    assert (clone.scope, record_id) in clone.docs


async def test_a_page_of_large_records_stays_within_its_bytes(world: World, phone: Device, watch: Device) -> None:
    for _ in range(20):
        phone.write({"notes": "n" * 9_000})
    await phone.sync()
    response = await watch.send(watch.request(pull_bytes=30_000))
    page = page_of(response.pages, watch.scope)
    assert 1 <= len(page.records) <= 4
    assert page.remaining == 20 - len(page.records)


async def test_every_record_of_a_page_comes_with_a_receipt_for_its_state(world: World, phone: Device) -> None:
    phone.write(workout())
    await phone.sync()
    watch = await world.device(phone.caller.user_id)
    page = page_of((await watch.send(watch.request())).pages, watch.scope)
    [record] = page.records
    doc = encode_document(phone.docs[phone.scope, record.record_id])
    receipts = world.identity.receipts
    scope_id = phone.caller.user_id.bytes
    assert receipts.issued_in(record.receipt, scope_id, record.record_id, doc) == world.identity.epoch
    assert receipts.issued_in(record.receipt, scope_id, record.record_id, doc + b"\0") is None
    assert receipts.issued_in(record.receipt, bytes(16), record.record_id, doc) is None
    assert receipts.issued_in(record.receipt[:-1], scope_id, record.record_id, doc) is None
