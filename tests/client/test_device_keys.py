"""Which devices an encrypted thread is for: keys that come, go, are planted, copied and brought back."""

import random
import shutil
from pathlib import Path

import pytest

from apex_client import thread_keys
from apex_client.errors import NewDevices, NoDeviceToRead
from apex_client.message_sealing import KeyPair, Place, seal
from apex_client.opened_messages import Content
from apex_sync.errors import ForbiddenField, OutOfBounds
from apex_sync.models.device_keys import device_keys_id, key_text
from tests.client.conftest import OpenReplica
from tests.client.encrypted_pair import (
    NEW_ID,
    encrypted_pair,
    keys_of,
    plant,
    put_in,
    said,
    tablet_beside,
    thread_of,
)
from tests.client.fleet import assert_sound
from tests.client.loopback import LoopbackServer
from tests.client.test_messages import ANNA, COACH, exchange, pair

pytestmark = pytest.mark.anyio

CANARY = "Qvist-canary"


async def test_it_needs_a_device_that_reads_it(open_replica: OpenReplica, server: LoopbackServer) -> None:
    coach = await open_replica("coach", COACH, role="coach")
    server.add_user(ANNA)
    server.link(server.accounts[COACH], server.accounts[ANNA])
    await coach.sync()
    with pytest.raises(NoDeviceToRead):
        await coach.messages.encrypt()
    assert [thread.encrypted for thread in await coach.messages.threads()] == [False]


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
    tablet = await tablet_beside(open_replica, coach, athlete)
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
    tablet = await tablet_beside(open_replica, coach, athlete)
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
