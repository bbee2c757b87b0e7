"""Messages that only the devices of two people read, on loopback: there a test may be the server that reads along."""

import random
from typing import Any

import pytest

from apex_client.errors import ThreadEncrypted
from apex_client.message_sealing import KeyPair, Place, seal
from apex_client.opened_messages import Content
from tests.client.conftest import OpenReplica
from tests.client.encrypted_pair import (
    NEW_ID,
    OTHER_ID,
    encrypted_pair,
    keys_of,
    plant,
    said,
    thread_of,
)
from tests.client.fleet import assert_sound
from tests.client.loopback import LoopbackServer
from tests.client.test_messages import exchange, pair

pytestmark = pytest.mark.anyio

CANARY = "Qvist-canary"


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
