"""Check-ins at a terminal: what takes the place of what, and taking one back."""

import pytest

from tests.client.apex_command import Terminal
from tests.client.conftest import OpenReplica
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
