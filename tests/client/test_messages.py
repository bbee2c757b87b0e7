"""Messages on devices: written and read offline, the same on both sides once they have synced."""

import pytest

from apex_client.errors import NotGranted, ThreadNeeded
from apex_sync.errors import ForbiddenField, OutOfBounds
from tests.client.conftest import OpenReplica
from tests.client.fleet import Clock, assert_sound
from tests.client.loopback import LoopbackServer

pytestmark = pytest.mark.anyio

ANNA, BEN, COACH = "anna@example.com", "ben@example.com", "coach@example.com"


async def pair(open_replica: OpenReplica, server: LoopbackServer):  # type: ignore[no-untyped-def]
    """Give the replicas of a coach and an athlete who work together, and have synced."""
    athlete = await open_replica("athlete", ANNA)
    coach = await open_replica("coach", COACH, role="coach")
    server.link(server.accounts[COACH], server.accounts[ANNA])
    await athlete.sync()
    await coach.sync()
    return coach, athlete


async def exchange(*replicas) -> None:  # type: ignore[no-untyped-def]
    for replica in (*replicas, *replicas):
        await replica.sync()


async def test_what_is_written_offline_reaches_the_other_side(
    open_replica: OpenReplica, server: LoopbackServer
) -> None:
    coach, athlete = await pair(open_replica, server)
    question = await athlete.messages.send("How heavy?")
    assert (question.sender, question.text, question.type) == ("athlete", "How heavy?", "text")
    await exchange(athlete, coach)

    [asked] = await coach.messages.list()
    await asked.reply("100 kg")
    await asked.react("💪")
    assert await coach.messages.unread() == 1 and await coach.messages.read() == 1
    assert await coach.messages.unread() == 0 and await coach.messages.read() == 0
    await exchange(coach, athlete)

    newest, oldest = await athlete.messages.list()
    assert (newest.sender, newest.text, newest.reply_to) == ("coach", "100 kg", question.id)
    assert oldest.read_at is not None and oldest.reactions == {"💪": ["coach"]}
    assert await athlete.messages.unread() == 1
    for replica in (coach, athlete):
        assert_sound(replica._open)
    views = [await replica.query("SELECT id, sender, text, read_at FROM messages") for replica in (coach, athlete)]
    assert sorted(views[0], key=str) == sorted(views[1], key=str)


async def test_five_hundred_messages_are_read_in_one_call(open_replica: OpenReplica, server: LoopbackServer) -> None:
    coach, athlete = await pair(open_replica, server)
    for number in range(500):
        await athlete.messages.send(f"message {number}")
    await exchange(athlete, coach)
    assert await coach.messages.unread() == 500
    assert await coach.messages.read() == 500
    await exchange(coach, athlete)
    rows = await athlete.query("SELECT count(*) AS unread FROM messages WHERE read_at IS NULL")
    assert rows == [{"unread": 0}]


async def test_a_message_that_comes_late_is_unread_although_newer_ones_were_read(
    open_replica: OpenReplica, server: LoopbackServer, clock: Clock
) -> None:
    coach, phone = await pair(open_replica, server)
    watch = await open_replica("watch", ANNA)
    await watch.sync()
    late = await watch.messages.send("from the basement")
    clock.pass_seconds(3600)
    await phone.messages.send("from the street")
    await exchange(phone, coach)
    await coach.messages.read()
    await exchange(watch, coach)
    assert await coach.messages.unread() == 1
    assert [each.id for each in await coach.messages.list()][-1] == late.id


async def test_an_answer_stands_below_what_it_answers_whatever_the_clocks_say(
    open_replica: OpenReplica, server: LoopbackServer, clock: Clock
) -> None:
    coach, athlete = await pair(open_replica, server)
    clock.pass_seconds(120)
    question = await athlete.messages.send("Fast clock")
    await exchange(athlete, coach)
    clock.pass_seconds(-120)
    await coach.messages.send("Slow clock")
    assert [each.text for each in await coach.messages.list()] == ["Slow clock", "Fast clock"]
    [_, shown] = await coach.messages.list()
    assert shown.sent_at == question.sent_at


async def test_pages_follow_each_other(open_replica: OpenReplica, server: LoopbackServer) -> None:
    coach, _ = await pair(open_replica, server)
    thread = coach.messages.thread(server.accounts[ANNA].id)
    sent = [(await thread.send(str(number))).id for number in range(5)]
    first = await thread.list(limit=3)
    second = await thread.list(limit=3, before=first[-1])
    assert [each.id for each in [*first, *second]] == sent[::-1]


async def test_what_was_taken_back_is_empty_on_both_sides(open_replica: OpenReplica, server: LoopbackServer) -> None:
    coach, athlete = await pair(open_replica, server)
    sent = await athlete.messages.send("Typo")
    await exchange(athlete, coach)
    [theirs] = await coach.messages.list()
    with pytest.raises(ForbiddenField):
        await theirs.edit(athlete={"text": "what they never said"})
    await sent.delete()
    await exchange(athlete, coach)
    [left] = await coach.messages.list()
    assert left.deleted and left.text is None and await coach.messages.unread() == 0
    assert await coach.search("typo") == []


async def test_it_has_to_be_clear_to_whom(open_replica: OpenReplica, server: LoopbackServer) -> None:
    lonely = await open_replica("lonely", BEN)
    await lonely.sync()
    with pytest.raises(ThreadNeeded, match="nobody to write to"):
        await lonely.messages.send("Hello?")
    coach, _ = await pair(open_replica, server)
    server.link(server.accounts[COACH], server.accounts[BEN])
    await exchange(lonely, coach)
    with pytest.raises(ThreadNeeded, match="with whom"):
        await coach.messages.send("Hello")
    with pytest.raises(ThreadNeeded, match="no thread with"):
        await coach.messages.thread("nobody").send("Hello")
    ben = coach.athlete(server.accounts[BEN].id)
    await ben.messages.send("Hello Ben")
    await exchange(coach, lonely)
    assert await lonely.messages.unread() == 1


async def test_a_coach_files_threads_for_themselves(open_replica: OpenReplica, server: LoopbackServer) -> None:
    coach, athlete = await pair(open_replica, server)
    other = await open_replica("other", BEN)
    server.link(server.accounts[COACH], server.accounts[BEN])
    await exchange(other, coach)
    await other.messages.send("Hello")
    await exchange(other, coach)
    await coach.messages.thread(server.accounts[ANNA].id).file(pinned=True, tags=["prep"])
    first, second = await coach.messages.threads()
    assert (first.athlete_id, first.pinned, first.tags) == (server.accounts[ANNA].id, True, ["prep"])
    assert (second.unread, second.archived) == (1, False)
    [theirs] = await athlete.messages.threads()
    assert (theirs.pinned, theirs.tags) == (False, [])


async def test_nothing_is_saved_of_what_is_no_message(open_replica: OpenReplica, server: LoopbackServer) -> None:
    _, athlete = await pair(open_replica, server)
    for text in ("", None, "x" * 10_001):
        with pytest.raises(OutOfBounds):
            await athlete.messages.send(text)
    with pytest.raises(OutOfBounds):
        await athlete.messages.send(type="voice")
    assert await athlete.messages.list() == []
    sent = await athlete.messages.send("fine")
    with pytest.raises(OutOfBounds):
        await sent.react("x" * 17)


async def test_a_thread_is_forgotten_when_the_work_together_ends(
    open_replica: OpenReplica, server: LoopbackServer
) -> None:
    coach, athlete = await pair(open_replica, server)
    await athlete.messages.send("Hello")
    await exchange(athlete, coach)
    server.unlink(server.accounts[COACH], server.accounts[ANNA])
    await exchange(athlete, coach)
    for replica in (coach, athlete):
        assert await replica.messages.list() == [] and await replica.messages.threads() == []


async def test_what_was_never_sent_when_it_ended_goes_out_again_by_hand_when_it_begins_again(
    open_replica: OpenReplica, server: LoopbackServer
) -> None:
    coach, athlete = await pair(open_replica, server)
    await athlete.messages.send("Written in the basement")
    both = server.accounts[COACH], server.accounts[ANNA]
    server.unlink(*both)
    await exchange(athlete, coach)
    [refused] = await athlete.rejected.list()
    with pytest.raises(NotGranted):
        await athlete.rejected.reissue(refused)
    server.link(*both)
    await exchange(athlete, coach)
    assert [message.text for message in await coach.messages.list()] == []
    assert len(await athlete.rejected.list()) == 1

    await athlete.rejected.reissue(refused)
    await exchange(athlete, coach)

    for replica in (coach, athlete):
        assert [message.text for message in await replica.messages.list()] == ["Written in the basement"]
    assert await athlete.rejected.list() == []
