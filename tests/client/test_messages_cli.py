"""`apex messages` as a process of its own, on replicas that have synced before."""

from pathlib import Path

import pytest

from apex_client.cli.screen import escaped
from tests.client.apex_command import Terminal
from tests.client.conftest import OpenReplica
from tests.client.loopback import LoopbackServer
from tests.client.test_messages import ANNA, BEN, COACH, exchange, pair

pytestmark = pytest.mark.anyio


async def test_messages_are_listed_read_and_sent(
    open_replica: OpenReplica, server: LoopbackServer, tmp_path: Path
) -> None:
    coach, athlete = await pair(open_replica, server)
    other = await open_replica("other", BEN)
    server.link(server.accounts[COACH], server.accounts[BEN])
    await athlete.profile.edit(name="Anna")
    await other.profile.edit(name="Ben")
    await athlete.messages.send("Knee is\nfine [bold]again[/] \x1b[2J")
    await exchange(athlete, other, coach)
    for replica in (coach, athlete, other):
        await replica.aclose()
    at_coach, at_athlete = Terminal(tmp_path, "coach"), Terminal(tmp_path, "athlete")

    listed = at_coach("messages").ok().out
    assert [line.split()[:2] for line in listed.splitlines()[2:]] == [["Anna", "1"], ["Ben"]]
    assert "1 unread: apex messages" in at_coach("status", "--offline").ok().out
    shown = at_coach("messages", "read", "an").ok().out
    assert "fine [bold]again[/] \ufffd[2J" in shown and "\x1b" not in shown
    assert at_coach("messages", "read", "Anna").ok().out.endswith("✓ read\n")
    assert "say with whom" in at_coach("messages", "send", "Hello").text
    assert "no thread with Zoe" in at_coach("messages", "send", "Hello", "--to", "Zoe").text
    at_coach("messages", "send", "Hello", "--to", "Anna").ok()
    assert at_coach.rows("SELECT text, pending FROM messages WHERE sender = 'coach'") == [
        {"text": "Hello", "pending": 1}
    ]
    at_athlete("messages", "send", "no name needed").ok()
    assert "text" in at_athlete("messages", "send", "").text


async def test_everybody_is_known_by_the_name_of_their_account(
    open_replica: OpenReplica, server: LoopbackServer, tmp_path: Path
) -> None:
    athlete, other = await open_replica("athlete", ANNA), await open_replica("other", BEN)
    coach = await open_replica("coach", COACH, role="coach")
    server.accounts[COACH].name, server.accounts[ANNA].name = "Carla", "Anna Weber"
    for linked in (ANNA, BEN):
        server.link(server.accounts[COACH], server.accounts[linked])
    await other.profile.edit(name="Ben of the profile")
    await exchange(other, coach, athlete)
    names = [one.name for one in await coach.athletes.list()]
    server.unlink(server.accounts[COACH], server.accounts[BEN])
    await coach.sync()
    assert len(await coach.athletes.list()) == 1
    for replica in (coach, athlete, other):
        await replica.aclose()
    at_coach, at_athlete = Terminal(tmp_path, "coach"), Terminal(tmp_path, "athlete")

    assert names == ["Anna Weber", "Ben of the profile"]
    at_coach("log", "set", "Squat", "5x100kg", "--new", "--athlete", "Anna").ok()
    at_coach("messages", "send", "Hello", "--to", "Anna").ok()
    assert "Carla" in at_athlete("messages").ok().out
    at_athlete("messages", "send", "Hello", "--to", "Carla").ok()
    [[known]] = [list(row.values()) for row in at_coach.rows("SELECT count(*) FROM people")]
    assert known == 1, "who has parted is forgotten"


async def test_without_a_coach_it_is_said_what_to_do(apex: Terminal) -> None:
    apex("init").ok()
    answer = apex("messages")
    assert answer.code == 1 and "apex sync brings a thread" in answer.err


def test_a_picture_made_of_several_emoji_stays_one() -> None:
    assert escaped("\U0001f469\u200d\U0001f692 \x1b[2J") == "\U0001f469\u200d\U0001f692 \ufffd[2J"


async def test_a_thread_is_encrypted_compared_and_a_new_device_accepted(
    open_replica: OpenReplica, server: LoopbackServer, tmp_path: Path
) -> None:
    coach, athlete = await pair(open_replica, server)
    await athlete.profile.edit(name="Anna")
    await athlete.messages.send("said before")
    await exchange(athlete, coach)
    await coach.aclose()
    at_coach, at_athlete = Terminal(tmp_path, "coach"), Terminal(tmp_path, "athlete")

    assert "apex messages safety" in at_coach("messages", "encrypt", "Anna").ok().text
    at_coach("messages", "send", "Only you").ok()
    await coach.start()
    await exchange(coach, athlete)
    tablet = await open_replica("tablet", ANNA, device_name="Anna's [bold]tablet[/]")
    await exchange(tablet, coach)
    for replica in (coach, athlete, tablet):
        await replica.aclose()

    assert "new device, encrypted" in at_coach("messages").ok().out
    assert "in the encrypted thread with Anna" in at_coach("status", "--offline").ok().out
    shown = at_coach("messages", "read").ok().text
    assert "not encrypted" in shown.splitlines()[0] and "Only you" in shown.splitlines()[1]
    assert "Anna has a new device (Anna's [bold]tablet[/])" in shown
    assert "Anna has a new device" in at_coach("messages", "send", "To whom?").text
    digits = at_coach("messages", "safety").ok().out
    assert "Anna's [bold]tablet[/]" in digits and "new device" in digits and "this one" in digits
    assert "accepted: Anna's [bold]tablet[/]" in at_coach("messages", "accept").ok().text
    assert "no new devices" in at_coach("messages", "accept").ok().text
    at_coach("messages", "send", "To all").ok()
    assert "sent before this device" in Terminal(tmp_path, "tablet")("messages", "read").ok().text
    assert "not encrypted" in at_athlete("messages", "read").ok().out
    assert "wrong" not in at_coach("doctor").ok().text


async def test_a_single_message_is_answered_reacted_to_and_taken_back(
    open_replica: OpenReplica, server: LoopbackServer, tmp_path: Path
) -> None:
    coach, athlete = await pair(open_replica, server)
    first = await athlete.messages.send("How [heavy]?")
    await athlete.messages.send("And the knee?")
    await exchange(athlete, coach)
    for replica in (coach, athlete):
        await replica.aclose()
    at_coach, named = Terminal(tmp_path, "coach"), first.id[-6:]

    assert at_coach("messages", "read").ok().out.splitlines()[0].split()[2] == named
    assert "answers" in at_coach("messages", "reply", "Rest it").ok().err
    assert f"answers {named} (How [heavy]?)" in at_coach("messages", "reply", "100 kg", "--message", named).ok().err
    rows = at_coach.rows("SELECT text, reply_to FROM messages WHERE sender = 'coach' ORDER BY sent_at")
    assert rows[1] == {"text": "100 kg", "reply_to": first.id} and rows[0]["reply_to"] not in (None, first.id)
    assert f"to {named}: 100 kg" in at_coach("messages", "read").ok().out

    assert "💪 under" in at_coach("messages", "react", "💪", "--message", named).ok().err
    assert "💪" in at_coach("messages", "read").ok().out
    for picture in ("1️⃣", "🇩🇪", "👩‍🚒"):
        at_coach("messages", "react", picture).ok()
    assert "taken away from" in at_coach("messages", "react", "💪", "--message", named, "--remove").ok().err
    assert "💪" not in at_coach("messages", "read").ok().out
    assert "no 💪 of yours" in at_coach("messages", "react", "💪", "--message", named, "--remove").err

    assert "took back" in at_coach("messages", "undo").ok().err
    shown = at_coach("messages", "read").ok().out
    assert "taken back" in shown and "100 kg" not in shown
    assert "took back" in at_coach("messages", "undo").ok().err, "the one before it"
    for words, why in (
        (("undo",), "the coach has written nothing yet"),
        (("undo", "--message", named), "is not yours to take back"),
        (("reply", "x", "--message", "zzzzzz"), "no message 'zzzzzz'"),
        (("reply", "x", "--message", ""), "no message ''"),
        (("react", "ok"), "no emoji; words are an answer"),
        (("react", ""), "no emoji"),
        (("react", "größer"), "no emoji"),
    ):
        refused = at_coach("messages", *words)
        assert refused.code and why in refused.err, refused.text


async def test_an_athlete_of_two_coaches_answers_in_the_thread_of_the_message(
    open_replica: OpenReplica, server: LoopbackServer
) -> None:
    coach, athlete = await pair(open_replica, server)
    server.link(server.add_user("other@example.com", role="coach"), server.accounts[ANNA])
    asked = await coach.messages.send("How are you?")
    await exchange(coach, athlete)
    answer = await (await athlete.messages.get(asked.id)).reply("Well")
    assert (answer.scope, answer.reply_to) == (asked.scope, asked.id)
