"""A meal plan goes from a coach's terminal to an athlete's, is eaten by, and is one plan wherever it is assigned."""

from pathlib import Path

import pytest

from apex_client.blocking import Replica
from tests.client.apex_command import Terminal
from tests.e2e.test_cli_online import with_account
from tests.e2e.whole_server import PASSWORD, WholeServer

TARGETS = ("--kcal", "2600", "--protein", "180", "--carbs", "290", "--fat", "80")
FROM = "2026-03-02"


@pytest.fixture
def pair(server: WholeServer, tmp_path: Path) -> tuple[Terminal, Terminal]:
    """A coach and an athlete of theirs, each at a terminal."""
    athlete = Terminal(tmp_path, "athlete")
    with_account(athlete, server, server.new_email("cli"))
    coach = Terminal(tmp_path, "coach")
    with Replica.open(coach.db) as replica:
        email = server.new_email("coach")
        replica.register(server.address, email, PASSWORD, name="Ines", role="coach")
        server.confirm_blocking(email)
        code = replica.clients.invite().code
    athlete("join", code).ok()
    athlete("sync").ok()
    coach("sync").ok()
    return coach, athlete


def test_a_template_is_assigned_eaten_by_and_assigned_once(pair: tuple[Terminal, Terminal]) -> None:
    coach, athlete = pair
    for name in ("Cut", "Bulk"):
        coach("food", "plan", *TARGETS, "--name", name).ok()
    assert (
        f"Mara follows Cut from {FROM}" in coach("food", "assign", "Cut", "--athlete", "Mara", "--start", FROM).ok().err
    )
    coach("sync").ok()
    athlete("sync").ok()
    assert "Lunch of Cut: logged" in athlete("food", "log", "--planned", "Lunch", "--date", "2026-03-03").ok().err
    athlete("sync").ok()

    with Replica.open(coach.db) as replica:
        replica.sync()
        [anna] = replica.athletes.list()
        plans = {one["name"]: one for one in replica.meal_plans.list() if one.scope.startswith("coach:")}
        [followed] = replica.athlete(anna.id).meal_plans.list()
        asked = {"athlete_id": anna.id, "start_date": FROM}
        again = replica.request("POST", f"/api/nutrition/plans/{plans['Cut'].id}/assign", asked)
        assert (again["meal_plan"]["id"], again["ended"]) == (followed.id, []), "the server takes what the device made"
        asked["start_date"] = "2026-04-06"
        over = replica.request("POST", f"/api/nutrition/plans/{plans['Bulk'].id}/assign", asked)
        assert [(one["id"], one["end_date"]) for one in over["ended"]] == [(followed.id, "2026-04-05")]
        replica.sync()
        there = replica.meal_plans.assign(plans["Bulk"], anna.id, start_date="2026-04-06")
        assert (there.plan.id, there.ended) == (over["meal_plan"]["id"], []), "the device takes what the server made"
        [log] = replica.athlete(anna.id).nutrition_logs.list()
        assert [meal["meal_plan_id"] for meal in log["meals"].values()] == [followed.id]
