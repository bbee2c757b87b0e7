"""Messages that only the devices of two people read, on loopback: there a test may be the server that reads along."""

import random
import shutil
from pathlib import Path
from typing import Any

import pytest

from apex_client import Replica, thread_keys
from apex_client.errors import NewDevices, NoDeviceToRead, ThreadEncrypted
from apex_client.message_sealing import KeyPair, Place, seal
from apex_client.opened_messages import Content
from apex_sync.errors import ForbiddenField, OutOfBounds
from apex_sync.models.device_keys import device_keys_id, key_text
from tests.client.conftest import OpenReplica
from tests.client.fleet import assert_sound
from tests.client.loopback import LoopbackServer
from tests.client.test_messages import ANNA, COACH, exchange, pair

pytestmark = pytest.mark.anyio

CANARY = "Qvist-canary"


async def encrypted_pair(open_replica: OpenReplica, server: LoopbackServer) -> tuple[Replica, Replica]:
    """Give the replicas of a coach and an athlete whose thread is encrypted, and is so on both sides."""
    coach, athlete = await pair(open_replica, server)
    await exchange(coach, athlete)
    await coach.messages.encrypt()
    await exchange(coach, athlete)
    return coach, athlete


def server_bytes(server: LoopbackServer) -> bytes:
    """Give all that the server holds of anybody."""
    ops = [
        op
        for scope in server.scopes.values()
        for record in scope.records.values()
        for by_clock in record.document.ops.values()
        for op in by_clock.values()
    ]
    return b"".join(ops)


def thread_of(replica: Replica) -> str:
    return next(name for name in replica._open.store.scopes() if name.startswith("thread:"))


async def said(replica: Replica) -> list[tuple[str | None, str | None]]:
    return [(message.text, message.encryption) for message in await replica.messages.list()]


async def test_both_sides_read_what_the_server_does_not(open_replica: OpenReplica, server: LoopbackServer) -> None:
    coach, athlete = await encrypted_pair(open_replica, server)
    asked = await coach.messages.send(f"{CANARY} knee?")
    assert (asked.text, asked.encryption) == (f"{CANARY} knee?", "open")
    await exchange(coach, athlete)
    [theirs] = await athlete.messages.list()
    await theirs.reply(f"{CANARY} better")
    await exchange(athlete, coach)

    for replica in (coach, athlete):
        assert await said(replica) == [(f"{CANARY} better", "open"), (f"{CANARY} knee?", "open")]
        assert len(await replica.search("qvist")) == 2
        rows = await replica.query("SELECT text, encryption, needs_review FROM messages ORDER BY sent_at")
        assert rows[0] == {"text": f"{CANARY} knee?", "encryption": "open", "needs_review": 0}
        assert [thread.encrypted for thread in await replica.messages.threads()] == [True]
        assert_sound(replica._open)
    assert CANARY.encode() not in server_bytes(server)
    assert await coach.messages.safety_number() == await athlete.messages.safety_number()
    assert len((await coach.messages.safety_number()).replace(" ", "")) == 60


async def test_what_is_taken_back_is_nowhere_any_more(open_replica: OpenReplica, server: LoopbackServer) -> None:
    coach, athlete = await encrypted_pair(open_replica, server)
    sent = await coach.messages.send(CANARY)
    await exchange(coach, athlete)
    await sent.delete()
    await exchange(coach, athlete)
    for replica in (coach, athlete):
        [left] = await replica.messages.list()
        assert (left.deleted, left.text, left.encryption) == (True, None, None)
        assert await replica.query("SELECT * FROM opened_messages") == []
        assert await replica.search("qvist") == []


async def test_nothing_is_said_in_the_open_by_mistake(open_replica: OpenReplica, server: LoopbackServer) -> None:
    coach, athlete = await pair(open_replica, server)
    before = await athlete.messages.send("before")
    await exchange(coach, athlete)
    await coach.messages.encrypt()
    await exchange(coach, athlete)
    openly = {"athlete": {"type": "text", "text": "plain", "sent_at": "2026-03-01T18:05:00.000Z"}}
    thread = thread_of(athlete)
    with pytest.raises(ThreadEncrypted):
        await athlete._do(lambda local: local.create("messages", thread, openly))
    with pytest.raises(ThreadEncrypted):
        await before.edit(athlete={"text": "changed"})
    with pytest.raises(ThreadEncrypted):
        await athlete.messages.send(type="image", media_id="0" * 64)
    await before.react("💪")
    assert await said(coach) == [("before", None)]


async def test_nobody_turns_it_off_and_each_side_writes_its_own_keys(
    open_replica: OpenReplica, server: LoopbackServer
) -> None:
    _, athlete = await encrypted_pair(open_replica, server)
    keys = await athlete.record("device_keys", device_keys_id(*thread_of(athlete).split(":")[1:]))
    for off in (None, "off", "", {"on": None}):
        with pytest.raises(Exception, match="encryption"):
            await keys.edit(encryption=off)
    with pytest.raises(ForbiddenField):
        await keys.edit(coach={"x" * 22: {"key": "A" * 86}})


async def test_both_sides_may_turn_it_on_at_once_offline(open_replica: OpenReplica, server: LoopbackServer) -> None:
    coach, athlete = await pair(open_replica, server)
    await exchange(coach, athlete)
    await coach.messages.encrypt()
    await athlete.messages.encrypt()
    await coach.messages.send("from the train")
    await athlete.messages.send("from the basement")
    await exchange(coach, athlete)
    for replica in (coach, athlete):
        assert sorted(await said(replica)) == [("from the basement", "open"), ("from the train", "open")]
        assert await replica.conflicts.list() == []
        assert (await replica.status()).needs_review == 0


async def test_it_needs_a_device_that_reads_it(open_replica: OpenReplica, server: LoopbackServer) -> None:
    coach = await open_replica("coach", COACH, role="coach")
    server.add_user(ANNA)
    server.link(server.accounts[COACH], server.accounts[ANNA])
    await coach.sync()
    with pytest.raises(NoDeviceToRead):
        await coach.messages.encrypt()
    assert [thread.encrypted for thread in await coach.messages.threads()] == [False]


async def test_a_new_device_is_shown_before_anything_is_sent_to_it_and_reads_from_then_on(
    open_replica: OpenReplica, server: LoopbackServer
) -> None:
    coach, athlete = await encrypted_pair(open_replica, server)
    await coach.messages.send("before the tablet")
    await exchange(coach, athlete)
    tablet = await open_replica("tablet", ANNA, device_name="Anna's tablet")
    await tablet.sync()
    await exchange(coach, athlete)
    assert await said(tablet) == [(None, "locked")]
    assert (await tablet.messages.unread(), await tablet.messages.read()) == (0, 0), "the phone has yet to read it"
    assert [thread.unread for thread in await tablet.messages.threads()] == [0]
    for replica in (coach, athlete):
        with pytest.raises(NewDevices, match="Anna's tablet") as refused:
            await replica.messages.send("nobody gets this")
        assert [thread.new_devices for thread in await replica.messages.threads()] == [1]
        await replica.messages.accept(refused.value.devices)
    await coach.messages.send("to all three")
    await exchange(coach, athlete, tablet)
    assert await said(tablet) == [("to all three", "open"), (None, "locked")]
    await tablet.messages.send("from the tablet")
    await exchange(tablet, coach, athlete)
    for replica in (coach, athlete):
        assert (await said(replica))[0] == ("from the tablet", "open")
        assert_sound(replica._open)


async def test_a_device_that_was_taken_out_reads_nothing_later_whatever_bytes_it_gets(
    open_replica: OpenReplica, server: LoopbackServer
) -> None:
    coach, athlete = await encrypted_pair(open_replica, server)
    tablet = await open_replica("tablet", ANNA)
    await exchange(tablet, coach, athlete)
    for replica in (coach, athlete):
        await replica.messages.accept(await replica.messages.devices())
    await coach.messages.send("to all three")
    await exchange(coach, athlete, tablet)
    removed = next(each for each in await tablet.messages.devices() if each.mine)
    keys = await athlete.record("device_keys", device_keys_id(*thread_of(athlete).split(":")[1:]))
    await keys.edit(athlete={removed.key_id: {"deleted": True}})
    await exchange(athlete, coach)

    later = await coach.messages.send("not for the tablet")
    await exchange(coach, athlete)
    assert removed.key_id not in later.state["coach"]["wrapped"]
    own_keys = await tablet._do(lambda local: list(local.keys.pairs()))
    await tablet.sync()
    assert await said(tablet) == [(None, "locked"), ("to all three", "open")]
    assert [pair.key_id for pair in own_keys] == [removed.key_id]

    await exchange(tablet, coach)
    assert [each.trusted for each in await coach.messages.devices() if each.side == "athlete"].count(False) == 1, (
        "a device that was let in again has another key, which is shown"
    )


async def test_a_key_that_the_server_planted_is_shown_on_both_sides_and_gets_nothing(
    open_replica: OpenReplica, server: LoopbackServer
) -> None:
    coach, athlete = await encrypted_pair(open_replica, server)
    numbers = {await replica.messages.safety_number() for replica in (coach, athlete)}
    spy = KeyPair(random.Random("spy").randbytes(64))
    thread = thread_of(coach)
    await put_in(athlete, {spy.key_id: {"key": key_text(spy.public), "device": "phone", "client_id": 7}})
    await exchange(athlete, coach)
    for replica in (coach, athlete):
        with pytest.raises(NewDevices, match="phone"):
            await replica.messages.send("to whom?")
    assert len(numbers) == 1 and await coach.messages.safety_number() not in numbers

    forged = seal(Content(text="send money"), Place(thread, NEW_ID, "athlete"), spy, keys_of(coach), random.randbytes)
    await plant(athlete, thread, NEW_ID, "athlete", forged)
    await exchange(athlete, coach)
    assert await said(coach) == [("send money", "unverified")]
    assert await coach.query("SELECT encryption FROM messages") == [{"encryption": "unverified"}]


async def test_what_somebody_is_trusted_with_is_new_in_the_part_of_another(
    open_replica: OpenReplica, server: LoopbackServer
) -> None:
    """Or the server could let one athlete of a coach, whose key that coach has accepted, read what another is told."""
    coach, anna = await pair(open_replica, server)
    server.add_user("eve@example.com")
    server.link(server.accounts[COACH], server.accounts["eve@example.com"])
    eve = await open_replica("eve", "eve@example.com")
    await exchange(coach, anna, eve)
    await exchange(coach, anna, eve)
    threads = thread_of(eve), thread_of(anna)
    for thread in threads:
        await coach._do(thread_keys.encrypt, thread)
    await exchange(coach, anna, eve)
    [spy] = await eve._do(lambda local: list(local.keys.pairs()))
    assert anna.user is not None
    await put_in(anna, {spy.key_id: {"key": key_text(spy.public), "device": "phone", "client_id": 7}})
    await exchange(anna, coach)

    with pytest.raises(NewDevices, match="phone"):
        await coach.athlete(anna.user.id).messages.send("for Anna alone")
    new_by_athlete = {each.athlete_id: each.new_devices for each in await coach.messages.threads()}
    assert sorted(new_by_athlete.items(), key=lambda each: each[1])[1] == (anna.user.id, 1)
    shown = await coach.query("SELECT athlete_id FROM thread_devices WHERE NOT trusted")
    assert [row["athlete_id"] for row in shown] == [anna.user.id]


async def test_a_key_that_was_taken_out_stays_out_whatever_the_server_brings(
    open_replica: OpenReplica, server: LoopbackServer
) -> None:
    coach, athlete = await encrypted_pair(open_replica, server)
    tablet = await open_replica("tablet", ANNA)
    await exchange(tablet, coach, athlete)
    for replica in (coach, athlete):
        await replica.messages.accept(await replica.messages.devices())
    [own] = await tablet._do(lambda local: list(local.keys.pairs()))
    await put_in(athlete, {own.key_id: {"deleted": True}})
    await exchange(athlete, coach)
    keys = await athlete.record("device_keys", device_keys_id(*thread_of(athlete).split(":")[1:]))
    for back in (False, None):
        with pytest.raises(OutOfBounds, match="deleted"):
            await keys.edit(athlete={own.key_id: {"deleted": back}})

    thread, people = thread_of(athlete), (server.accounts[COACH], server.accounts[ANNA])
    server.unlink(*people)
    await exchange(coach, athlete)
    del server.scopes[thread]
    server.link(*people)
    await exchange(athlete, coach)
    await put_in(athlete, {own.key_id: {"key": key_text(own.public), "device": "tablet", "client_id": 7}})
    await exchange(athlete, coach)
    for replica in (coach, athlete):
        sent = await replica.messages.send("not for the tablet")
        [part] = [sent.state[side] for side in ("coach", "athlete") if side in sent.state]
        assert len(part["wrapped"]) == 2 and own.key_id not in part["wrapped"]
        assert own.key_id not in [each.key_id for each in await replica.messages.devices()]
        assert await replica.query("SELECT removed FROM thread_devices WHERE removed") == [{"removed": 1}]


async def put_in(athlete: Replica, entries: dict[str, Any]) -> None:
    """Write into the athlete's part of the keys of their thread, as a server could in their name."""
    thread = thread_of(athlete)
    record_id = device_keys_id(*thread.split(":")[1:])
    await athlete._do(lambda local: local.create("device_keys", thread, {"athlete": entries}, record_id=record_id))


NEW_ID = "01922f6c-4b7e-7c3a-9d51-000000000001"
OTHER_ID = "01922f6c-4b7e-7c3a-9d51-000000000002"


def keys_of(replica: Replica) -> dict[str, bytes]:
    return {row[1]: row[2] for row in thread_keys._keys(replica._open, thread_of(replica))}


async def plant(replica: Replica, thread: str, record_id: str, side: str, leaves: dict[str, Any]) -> None:
    """Bring a message into a record past the SDK's own guards, as a server could."""
    part = {"type": "text", "sent_at": "2026-03-01T18:05:00.000Z", **leaves}
    await replica._do(lambda local: local.create("messages", thread, {side: part}, record_id=record_id))


async def test_what_was_changed_or_moved_is_shown_as_damaged_and_the_rest_is_read(
    open_replica: OpenReplica, server: LoopbackServer
) -> None:
    coach, athlete = await encrypted_pair(open_replica, server)
    good = await athlete.messages.send(CANARY)
    part = good.state["athlete"]
    ids = {each.side: each.key_id for each in await coach.messages.devices()}
    mine, theirs = ids["coach"], ids["athlete"]
    other_wrap = part["wrapped"][mine][::-1]
    spoilt: list[dict[str, Any]] = [
        {"sealed": part["sealed"][:-4] + "AAAA", "wrapped": part["wrapped"]},
        {"sealed": part["sealed"], "wrapped": {**part["wrapped"], mine: other_wrap}},
        {"sealed": part["sealed"], "wrapped": {mine: part["wrapped"][theirs], theirs: part["wrapped"][theirs]}},
        {"sealed": part["sealed"], "wrapped": part["wrapped"]},  # The same in another record.
        {"sealed": part["sealed"], "wrapped": {mine: "A"}},
    ]
    for number, leaves in enumerate(spoilt):
        await plant(athlete, thread_of(athlete), f"{NEW_ID[:-1]}{number + 2}", "athlete", leaves)
    await exchange(athlete, coach)
    shown = await said(coach)
    assert sorted(shown, key=str) == sorted([(CANARY, "open"), *[(None, "damaged")] * len(spoilt)], key=str)
    assert_sound(coach._open)
    later = await coach.messages.send("still works")
    assert later.encryption == "open"


async def test_what_stands_in_the_open_beside_it_is_not_believed(
    open_replica: OpenReplica, server: LoopbackServer
) -> None:
    """Or the server could have an answer stand below another question, or at another time."""
    coach, athlete = await encrypted_pair(open_replica, server)
    asked = await coach.messages.send("Is it better?")
    await exchange(coach, athlete)
    answer = await (await athlete.messages.list())[0].reply("Yes")
    changes = {"reply_to": NEW_ID, "sent_at": "2025-01-01T00:00:00.000Z", "type": "video"}
    await answer.edit(athlete=changes)
    await exchange(athlete, coach)
    [newest, _] = await coach.messages.list()
    [shown] = newest.said
    assert (shown.reply_to, shown.sent_at, shown.type) == (asked.id, answer.sent_at, "text")
    assert (shown.text, shown.encryption) == ("Yes", "open")


async def test_only_the_device_whose_wrap_was_changed_cannot_read(
    open_replica: OpenReplica, server: LoopbackServer
) -> None:
    coach, athlete = await encrypted_pair(open_replica, server)
    sent = await athlete.messages.send(CANARY)
    mine = next(each.key_id for each in await coach.messages.devices() if each.side == "coach")
    await sent.edit(athlete={"wrapped": {mine: "A" * 107}})
    await exchange(athlete, coach)
    assert await said(coach) == [(None, "damaged")]
    assert await said(athlete) == [(CANARY, "open")]


async def test_nobody_but_the_device_itself_signs_in_its_name(
    open_replica: OpenReplica, server: LoopbackServer
) -> None:
    """The server knows all public keys, so it can seal; what it seals is signed by a key of its own.

    Nor does the other side: a key is trusted as that of its person alone.
    """
    coach, athlete = await encrypted_pair(open_replica, server)
    thread, nobody = thread_of(athlete), KeyPair(random.Random("nobody").randbytes(64))
    forged = seal(Content(text="I quit"), Place(thread, NEW_ID, "athlete"), nobody, keys_of(coach), random.randbytes)
    await plant(athlete, thread, NEW_ID, "athlete", forged)
    await exchange(athlete, coach)
    assert await said(coach) == [("I quit", "unverified")]

    [own] = await coach._do(lambda local: list(local.keys.pairs()))
    as_athlete = seal(Content(text="I did"), Place(thread, OTHER_ID, "athlete"), own, keys_of(coach), random.randbytes)
    await plant(athlete, thread, OTHER_ID, "athlete", as_athlete)
    await exchange(athlete, coach)
    assert sorted(await said(coach)) == [("I did", "unverified"), ("I quit", "unverified")]


async def test_an_old_app_is_read_and_marked(open_replica: OpenReplica, server: LoopbackServer) -> None:
    coach, athlete = await pair(open_replica, server)
    await exchange(coach, athlete)
    await coach.messages.encrypt()
    old = await athlete.messages.send("an app of last year, or one that has not heard yet")
    await exchange(athlete, coach)
    assert await said(coach) == [(old.text, None)]
    assert [thread.encrypted for thread in await coach.messages.threads()] == [True]


async def test_a_device_restored_from_an_image_keeps_what_it_read_and_reads_on_under_a_new_key(
    open_replica: OpenReplica, server: LoopbackServer, tmp_path: Path
) -> None:
    coach, athlete = await encrypted_pair(open_replica, server)
    await coach.messages.send("read before the backup")
    await exchange(coach, athlete)
    await athlete.aclose()
    image = tmp_path / "new phone"
    image.mkdir()
    shutil.copy(tmp_path / "athlete.db", image / "athlete.db")
    await athlete.start()
    await coach.messages.send("sent while the backup was on its way")
    await coach.sync()
    await athlete.aclose()

    restored = await open_replica("new phone/athlete", ANNA)
    await exchange(restored, coach)
    assert await said(restored) == [(None, "locked"), ("read before the backup", "open")]
    await coach.messages.accept(await coach.messages.devices())
    await restored.messages.accept(await restored.messages.devices())
    await coach.messages.send("to the new phone")
    await (await restored.messages.list())[1].react("💪")
    await exchange(coach, restored)
    assert [text for text, _ in await said(restored)] == ["to the new phone", None, "read before the backup"]
    assert_sound(restored._open)


async def test_an_image_has_no_key_in_it(open_replica: OpenReplica, server: LoopbackServer, tmp_path: Path) -> None:
    _, athlete = await encrypted_pair(open_replica, server)
    [pair_of_keys] = await athlete._do(lambda local: list(local.keys.pairs()))
    secret = pair_of_keys._opening.private_bytes_raw()
    await athlete.aclose()
    for path in (tmp_path / "athlete.db", tmp_path / "athlete.db.identity"):
        assert secret not in path.read_bytes()
    assert (tmp_path / "athlete.db.identity").stat().st_mode & 0o777 == 0o600


async def test_signing_out_leaves_no_key_and_the_same_device_is_a_new_one_afterwards(
    open_replica: OpenReplica, server: LoopbackServer
) -> None:
    coach, athlete = await encrypted_pair(open_replica, server)
    await coach.messages.send("before")
    await exchange(coach, athlete)
    [before] = [each.key_id for each in await athlete.messages.devices() if each.mine]
    await athlete.logout()
    for table in ("trusted_keys", "encrypted_threads", "opened_messages"):
        assert await athlete.query(f"SELECT * FROM {table}") == []
    assert await athlete._do(lambda local: local.keys.pairs()) == []
    await athlete.login("https://coach.example", ANNA, "secret")
    await athlete.sync()
    [after] = [each.key_id for each in await athlete.messages.devices() if each.mine]
    assert before != after and await said(athlete) == [(None, "locked")]


async def test_a_thread_taken_away_and_given_back_is_still_encrypted_and_trusts_nobody_new(
    open_replica: OpenReplica, server: LoopbackServer
) -> None:
    """Or the server could have the encryption forgotten, and its own keys accepted, by a moment's pause."""
    coach, athlete = await encrypted_pair(open_replica, server)
    await coach.messages.send(CANARY)
    await exchange(coach, athlete)
    people = server.accounts[COACH], server.accounts[ANNA]
    server.unlink(*people)
    await coach.sync()
    del server.scopes[thread_of(athlete)]
    server.link(*people)
    await coach.sync()
    [thread] = await coach.messages.threads()
    assert thread.encrypted
    with pytest.raises(NoDeviceToRead):
        await coach.messages.send("to nobody")


async def test_a_copy_of_a_device_has_a_key_of_its_own_as_soon_as_the_two_are_told_apart(
    open_replica: OpenReplica, server: LoopbackServer, tmp_path: Path
) -> None:
    coach, athlete = await encrypted_pair(open_replica, server)
    await coach.messages.send("before the copy")
    await exchange(coach, athlete)
    [own] = [each.key_id for each in await athlete.messages.devices() if each.mine]
    await athlete.aclose()
    copy = tmp_path / "copy"
    copy.mkdir()
    for name in ("athlete.db", "athlete.db.identity"):
        shutil.copy(tmp_path / name, copy / name)
    await athlete.start()
    await athlete.messages.send("from the original")
    await (await athlete.messages.list())[1].react("💪")
    await athlete.sync()
    copied = await open_replica("copy/athlete", ANNA, entropy=random.Random("copy").randbytes)
    await copied.messages.send("from the copy")
    await (await copied.messages.list())[1].react("🔥")
    await exchange(copied, athlete, coach)

    assert own not in [each.key_id for each in await copied.messages.devices() if each.mine]
    assert ("before the copy", "open") in await said(copied), (
        "what was written for the key that both had is read by both"
    )
    assert {text for text, _ in await said(coach)} == {"before the copy", "from the original", "from the copy"}
    assert [each.device for each in await coach.messages.devices() if not each.trusted] == ["device"]


async def test_a_device_whose_key_was_taken_out_meanwhile_reads_its_own_next_message(
    open_replica: OpenReplica, server: LoopbackServer
) -> None:
    """Signed out and in again between two syncs: it sends under a key that is new, and reads what it sends."""
    coach, athlete = await encrypted_pair(open_replica, server)
    [mine] = [each for each in await athlete.messages.devices() if each.mine]
    keys = await athlete.record("device_keys", device_keys_id(*thread_of(athlete).split(":")[1:]))
    await keys.edit(athlete={mine.key_id: {"deleted": True}})
    sent = await athlete.messages.send("still here")
    assert sent.encryption == "open" and mine.key_id not in sent.state["athlete"]["wrapped"]
    await exchange(athlete, coach)
    assert await said(coach) == [("still here", "unverified")]
    await coach.messages.accept(await coach.messages.devices())
    assert await said(coach) == [("still here", "open")]


async def test_a_key_that_is_not_the_one_its_id_names_is_passed_over(
    open_replica: OpenReplica, server: LoopbackServer
) -> None:
    coach, athlete = await encrypted_pair(open_replica, server)
    before = await coach.messages.devices()
    public = KeyPair(random.Random("spy").randbytes(64)).public
    for key in (key_text(public), "A" * 86, "-" * 86):
        await put_in(athlete, {"x" * 22: {"key": key, "device": "phone", "client_id": 7}})
        await exchange(athlete, coach)
        assert await coach.messages.devices() == before
    assert "x" * 22 not in (await coach.messages.send("to those who were here")).state["coach"]["wrapped"]
