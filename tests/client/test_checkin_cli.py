"""Check-ins at a terminal: what takes the place of what, and taking one back."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.client.apex_command import Terminal, in_terminal
from tests.client.conftest import OpenReplica
from tests.client.fleet import Clock
from tests.client.loopback import LoopbackServer

pytestmark = pytest.mark.anyio

ANNA, COACH = "anna@example.com", "coach@example.com"


def test_an_answer_that_replaces_another_says_which(apex: Terminal) -> None:
    assert "in place of" not in apex("checkin", "--weight", "85kg").ok().err
    said = apex("checkin", "--weight", "82.4kg", "--energy", "7", "--waist", "80").ok().err
    assert "weight: 82.4 kg in place of 85 kg" in said and "energy:" not in said
    assert "80 cm" in apex("checkin").ok().out


async def test_a_check_in_is_taken_back_until_the_coach_has_answered(
    open_replica: OpenReplica, server: LoopbackServer
) -> None:
    athlete = await open_replica("athlete", ANNA)
    coach = await open_replica("coach", COACH, role="coach")
    server.link(server.accounts[COACH], server.accounts[ANNA])
    for energy in (7, 5):
        report = await athlete.checkins.draft(date=f"2026-03-0{energy}", responses={"energy": energy})
        await report.submit()
    for replica in (athlete, coach):
        await replica.sync()
    [answered] = await coach.checkins.on("2026-03-05")
    await answered.review("Rest a day.")
    for replica in (coach, athlete):
        await replica.sync()
    await athlete.aclose()
    apex = Terminal(athlete.path.parent, athlete.path.stem)

    assert "took back the check-in of 2026-03-07: energy 7" in apex("checkin", "undo").ok().err
    refused = apex("checkin", "undo")
    assert refused.code == 1 and "the coach has answered the check-in of 2026-03-05" in refused.err
    assert [row["date"] for row in apex.rows("SELECT date FROM check_ins")] == ["2026-03-05"]


WEEKLY: dict[str, Any] = {
    "name": "Every Sunday",
    "active": True,
    "questions": {
        "q1": {
            "text": "How is your knee?", "type": "scale", "minimum": 0, "maximum": 10, "required": True, "order": "a",
        },
        "q2": {"text": "Where?", "type": "choice", "choices": ["Home", "Gym", "\x1b]0;Pool\x07"], "order": "b"},
        "q3": {"text": "Steps a day?", "type": "number", "unit": "steps", "order": "c"},
    },
}  # fmt: skip


async def asked_at_a_terminal(open_replica: OpenReplica, server: LoopbackServer) -> Terminal:
    """Give the terminal of an athlete whose coach asks questions of their own."""
    athlete = await open_replica("athlete", ANNA)
    coach = await open_replica("coach", COACH, role="coach")
    server.link(server.accounts[COACH], server.accounts[ANNA])
    server.share_library(server.accounts[COACH], server.accounts[ANNA])
    await coach.sync()
    await coach.questionnaires.create(WEEKLY)
    for replica in (coach, athlete):
        await replica.sync()
    await athlete.aclose()
    return Terminal(athlete.path.parent, athlete.path.stem)


async def test_the_coachs_questions_are_shown_and_answered_by_number(
    open_replica: OpenReplica, server: LoopbackServer
) -> None:
    asked = await asked_at_a_terminal(open_replica, server)
    listed = asked("checkin", "questions").ok().out
    assert "How is your knee?" in listed and "0 to 10, required" in listed and "Home, Gym" in listed
    said = asked("checkin", "--energy", "7").ok().err
    assert "your coach also asks: Every Sunday" in said
    for wrong, why in (("1=banana", "expected a whole number from 0 to 10"), ("9=1", "answers no question")):
        refused = asked("checkin", "--answer", wrong)
        assert refused.code == 2 and why in refused.err
    refused = asked("checkin", "--answer", "2=street")
    assert "expected one of Home, Gym" in refused.err and "\x1b" not in refused.err + listed
    said = asked("checkin", "--answer", "2=gym", "--answer", "3=9000,5").ok().err
    assert "How is your knee? expected an answer" in said
    assert "expected" not in asked("checkin", "--answer", "q1=3").ok().err
    shown = asked("checkin").ok().out
    assert "How is your knee?" in shown and "Gym" in shown and "9000.5 steps" in shown
    assert "Where?: Home in place of Gym" in asked("checkin", "--answer", "2=home").ok().err


async def test_of_several_questionnaires_one_is_answered_by_its_name(
    open_replica: OpenReplica, server: LoopbackServer, clock: Clock
) -> None:
    asked = await asked_at_a_terminal(open_replica, server)
    coach = await open_replica("desk", COACH)
    clock.pass_seconds(60)
    await coach.sync()
    await coach.questionnaires.create(
        {"name": "Every day", "active": True, "questions": {"s1": {"text": "How did you sleep?", "type": "text"}}}
    )
    await coach.sync()
    await synced(open_replica, asked)
    listed = asked("checkin", "questions")
    assert "How did you sleep?" in listed.ok().out
    assert "apex checkin questions --questionnaire 'Every Sunday'" in listed.err
    assert "How is your knee?" in asked("checkin", "questions", "--questionnaire", "every sunday").ok().out
    unknown = asked("checkin", "questions", "--questionnaire", "Monthly")
    assert unknown.code == 1 and "'Every day', 'Every Sunday'" in unknown.err
    unanswered = asked("checkin", "--questionnaire", "Every Sunday")
    assert unanswered.code == 2 and "nothing is answered" in unanswered.err
    asked("checkin", "--questionnaire", "Every Sunday", "--answer", "1=3").ok()
    [row] = asked.rows("SELECT questionnaire FROM check_ins")
    assert json.loads(row["questionnaire"]) == {"q1": 3}
    other = asked("checkin", "--questionnaire", "Every day", "--answer", "1=well")
    assert other.code == 1 and "answers 'Every Sunday' already" in other.err


async def test_another_coachs_questionnaire_of_one_id_is_in_the_way_of_no_check_in(
    open_replica: OpenReplica, server: LoopbackServer
) -> None:
    """What is offered and what is shown with the answers is one of them; once it is not asked any more, the other."""
    asked = await asked_at_a_terminal(open_replica, server)
    [row] = asked.rows("SELECT id FROM questionnaires")
    other = await open_replica("other", "other@example.com", role="coach")
    server.link(server.accounts["other@example.com"], server.accounts[ANNA])
    server.share_library(server.accounts["other@example.com"], server.accounts[ANNA])
    await other.sync()
    daily = {"name": "Daily", "active": True, "questions": {"q9": {"text": "How did you sleep?"}}}
    theirs = await other.questionnaires.create(daily | {"created_at": "2027-01-01T10:00:00"}, record_id=row["id"])
    await other.sync()
    await synced(open_replica, asked)
    assert "How did you sleep?" in asked("checkin", "questions").ok().out, "the newest of those that are asked"

    await theirs.edit(active=False)
    await other.sync()
    await synced(open_replica, asked)
    assert "How is your knee?" in asked("checkin", "questions").ok().out
    asked("checkin", "--answer", "1=3").ok()
    assert "How is your knee?" in asked("checkin").ok().out
    assert asked("checkin", "--answer", "3=9000").ok().err.count("knee") == 0


async def synced(open_replica: OpenReplica, terminal: Terminal) -> None:
    athlete = await open_replica("athlete", ANNA)
    await athlete.sync()
    await athlete.aclose()


async def test_a_terminal_asks_what_is_not_answered_yet(open_replica: OpenReplica, server: LoopbackServer) -> None:
    asked = await asked_at_a_terminal(open_replica, server)
    shown = in_terminal(asked, "checkin", "--answer", "2=Gym", typed="banana\n4\n\n")
    assert "expected a whole number from 0 to 10" in shown and "Where?" not in shown
    [row] = asked.rows("SELECT questionnaire FROM check_ins")
    assert json.loads(row["questionnaire"]) == {"q1": 4, "q2": "Gym"}


async def test_a_coach_sees_their_questionnaires_and_what_an_athlete_answered(
    open_replica: OpenReplica, server: LoopbackServer, tmp_path: Path
) -> None:
    asked = await asked_at_a_terminal(open_replica, server)
    asked("checkin", "--answer", "1=3").ok()
    await synced(open_replica, asked)
    coach = await open_replica("desk", COACH)
    await coach.sync()
    await coach.questionnaires.create({"name": "Old [one]", "active": False, "description": "Once."})
    await coach.sync()
    await coach.aclose()
    desk = Terminal(tmp_path, "desk")

    listed = desk("checkin", "questions").ok().out.splitlines()
    assert "Every Sunday" in listed[2] and "with each check-in" in listed[2] and "3" in listed[2]
    assert "Old [one]" in listed[3] and "with each" not in listed[3]
    shown = desk("checkin", "questions", "--questionnaire", "every sunday").ok()
    assert "How is your knee?" in shown.out and "0 to 10, required" in shown.out and "\x1b" not in shown.text
    assert "not asked now" in desk("checkin", "questions", "--questionnaire", "Old [one]").ok().err
    unknown = desk("checkin", "questions", "--questionnaire", "Monthly")
    assert unknown.code == 1 and "you have no questionnaire 'Monthly'; there is 'Every Sunday'" in unknown.err
    theirs = desk("checkin", "questions", "--athlete", "anna").ok()
    assert "3" in theirs.out.splitlines()[2].split() and "answer with" not in theirs.text


async def test_a_coach_without_questionnaires_is_told_how_they_are_written(
    open_replica: OpenReplica, tmp_path: Path
) -> None:
    coach = await open_replica("coach", COACH, role="coach")
    await coach.sync()
    await coach.aclose()
    refused = Terminal(tmp_path, "coach")("checkin", "questions")
    assert refused.code == 1 and "with the SDK or over REST" in refused.err
