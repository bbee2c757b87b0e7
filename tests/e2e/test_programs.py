"""A program goes from a coach's file to an athlete's terminal and back as logged sets, and loses no group or round."""

import json
import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from apex_client.blocking import Replica
from tests.client.apex_command import Terminal
from tests.e2e.test_cli_online import with_account
from tests.e2e.whole_server import PASSWORD, WholeServer

TODAY = datetime.now().astimezone().date()

PROGRAM = f"""
Upper and lower          # every type of set, a superset and a circuit
type: hypertrophy
weeks: 2

day {TODAY.isoweekday()}: Upper A (chest, back)
  Bench Press: 1x8 50% warmup, 2x6-8 75% @8, 1x8 60% backoff; rest 150s; tempo 3010
  A1 Incline Press: 2x10 @8
  A2 Cable Row: 2x10-12 @2rir; rest 90s
  Lateral Raise: 1x15 10kg, 1x12 16.5lb dropset
  circuit C: 2 rounds
  C1 Push-up: amrap
  C2 Kettlebell Swing: 15 24kg; rest 60s
"""


@pytest.fixture
def pair(server: WholeServer, tmp_path: Path) -> tuple[Terminal, Terminal]:
    """A coach and an athlete of theirs, each at a terminal, who has lifted 5 x 100 kg."""
    athlete = Terminal(tmp_path, "athlete")
    athlete("log", "set", "Bench Press", "5x100kg@10", "--new").ok()
    athlete("log", "finish").ok()
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


def test_a_program_with_every_kind_of_set_is_assigned_followed_and_judged(
    pair: tuple[Terminal, Terminal], tmp_path: Path
) -> None:
    coach, athlete = pair
    (file := tmp_path / "upper.txt").write_text(PROGRAM)
    monday = TODAY - timedelta(days=TODAY.weekday())
    assert "2 weeks, 2 days, 12 exercises, 28 sets" in coach("program", "new", file).ok().err
    assigned = coach("program", "assign", "upper", "--athlete", "mara", "--start", monday.isoformat()).ok()
    assert f"Mara follows Upper and lower from {monday} to {monday + timedelta(days=13)}" in assigned.err
    coach("sync").ok()
    athlete("sync").ok()

    assert re.search(r"Upper and lower +you +active", athlete("program").ok().out)
    week = athlete("program", "show", "upper", "--week", "2").ok().text
    for told in (r"2 × 6-8 +75 % = 87.5 kg +RPE 8 +3010", r"superset, 2 rounds", r"A2 +Cable Row .* 90 s", r"2 × AMRAP",
                 r"1 × 12 dropset +16.5 lb", r"circuit, 2 rounds"):  # fmt: skip
        assert re.search(told, week), f"{told}\n{week}"

    started = athlete("log", "start").ok()
    assert "started Upper A" in started.err and "superset" in started.out
    log_the_day(athlete)
    plan = athlete("log", "plan").ok().out
    assert re.search(r"C2 +Kettlebell Swing .* 2$", plan, re.MULTILINE), plan
    athlete("log", "finish").ok()
    athlete("sync").ok()

    with Replica.open(coach.db) as replica:
        [template, followed] = sorted(replica.programs.list(), key=lambda one: "start_date" in one.state)
        [workout] = rest(replica, f"/api/workouts?program_id={followed.id}")["workouts"]
        analytics = rest(replica, f"/api/programs/{followed.id}?include=analytics")["analytics"]
        volume = rest(replica, f"/api/analytics/volume/{followed.athlete_id}")
    logged = [
        (one["name"], one.get("superset"), [each["type"] for each in one["sets"]]) for one in workout["exercises"]
    ]
    assert logged == [
        ("Bench Press", None, ["warmup", "working", "working", "backoff"]),
        ("Incline Press", "A", ["working", "working"]),
        ("Cable Row", "A", ["working", "working"]),
        ("Lateral Raise", None, ["working", "dropset"]),
        ("Push-up", "C", ["amrap", "amrap"]),
        ("Kettlebell Swing", "C", ["working", "working"]),
    ]
    assert (workout["week_number"], workout["day_number"], workout["title"]) == (1, TODAY.isoweekday(), "Upper A")
    assert analytics["completion_percent"] == 100 and analytics["sessions_due"] == 1
    assert "chest" in json.dumps(volume)
    assert template.state["sets"].keys() == followed.state["sets"].keys()


def log_the_day(athlete: Terminal) -> None:
    """Log every set of the day in the order that the terminal asks for; it says what comes next, and when to rest."""
    assert "is it 'Incline Press' or" in athlete("log", "set", "incline pres", "8x50kg").err
    assert "A9 is a place in a program" in athlete("log", "set", "a9", "8x50kg").err
    for exercise, word, more, told in (
        ("Bench Press", "8x50kg@5", ["--warmup"], "rest 150 s, then Bench Press, set 1 of 2 × 6-8"),
        ("Bench Press", "2x8x87.5kg@8", [], "rest 150 s, then Bench Press, set 3"),
        ("Bench Press", "8x70kg@7", [], "rest 150 s, then A1 Incline Press, set 1 of 2 × 10"),
        ("a1", "10x60kg@8", [], "next: A2 Cable Row, set 1"),
        ("a2", "12x50kg@8", [], "rest 90 s, then A1 Incline Press, set 2"),
        ("a1", "10x60kg@8", [], "next: A2 Cable Row, set 2"),
        ("a2", "11x50kg@8", [], "rest 90 s, then Lateral Raise"),
        ("Lateral Raise", "15x10kg@9", [], "Lateral Raise, set 2"),
        ("Lateral Raise", "12x7.5kg@9", [], "C1 Push-up, set 1"),
        ("c1", "20@9", [], "next: C2 Kettlebell Swing"),
        ("c2", "15x24kg@8", [], "rest 60 s, then C1 Push-up, set 2"),
        ("c1", "18@9", [], "next: C2 Kettlebell Swing"),
        ("c2", "15x24kg@8", [], "that was the last set of the plan"),
    ):
        said = athlete("log", "set", exercise, word, *more).ok().err
        assert told in said, said


def test_what_ends_ends_and_versions_tell_of_it(pair: tuple[Terminal, Terminal], tmp_path: Path) -> None:
    coach, athlete = pair
    (file := tmp_path / "upper.json").write_text(json.dumps({"name": "Base", "weeks": {"w": {"week_number": 1}}}))
    coach("program", "new", file, "--name", "Base II").ok()
    coach("program", "clone", "Base II", "--name", "Other").ok()
    coach("program", "assign", "Base II", "--athlete", "Mara", "--start", TODAY.isoformat()).ok()
    refused = coach("program", "assign", "Other", "--athlete", "Mara", "--start", "2026-03-02", "--end", "2026-03-01")
    assert refused.code == 1 and "2026-03-02 or a day after it" in refused.err
    assert f"Base II ends on {TODAY}" in coach("program", "end", "Base II", "--athlete", "Mara").ok().err
    coach("sync").ok()
    athlete("sync").ok()
    assert re.search(r"Base II +you +completed", athlete("program").ok().out)
    again = coach("program", "assign", "Base II", "--athlete", "Mara", "--start", TODAY.isoformat())
    assert again.code == 1 and "they had 'Base II' already, completed" in again.err
    assert "made, with 1 week" in coach("program", "versions", "Base II").ok().out
    assert "no version 9" in coach("program", "show", "Base II", "--version", "9").err
    assert "there is no program 'x'" in coach("program", "show", "x").err
    assert "is there already" in coach("program", "new", file, "--name", "Base II").err
    assert "'Other' is a template, which nobody follows" in coach("program", "end", "Other").err
    assert "Other is removed" in coach("program", "remove", "Other").ok().err
    assert "there is no program 'Other'" in coach("program", "remove", "Other").err
    assert "programs are a coach's to write" in athlete("program", "new", file).err


def rest(replica: Replica, path: str) -> Any:
    return replica.request("GET", path)
