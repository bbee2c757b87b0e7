"""A coach at a terminal without a network: how clients stand, and one of them at a glance."""

import re
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, get_args

import pytest

from apex_client.cli.happened import KINDS, told
from apex_client.replica import system_now_us
from apex_client.standing import TimelineEntry
from apex_sync.coaching.client_timeline import TimelineKind
from tests.client.apex_command import Terminal, in_terminal
from tests.client.conftest import OpenReplica
from tests.client.fleet import Clock
from tests.client.loopback import LoopbackServer

pytestmark = pytest.mark.anyio

ANNA, COACH = "anna@example.com", "coach@example.com"


@pytest.fixture
def clock() -> Clock:
    """The time that it is for the terminal, too."""
    return Clock(system_now_us())


@pytest.fixture
async def desk(open_replica: OpenReplica, server: LoopbackServer, tmp_path: Path) -> Terminal:
    """The terminal of a coach, on which a session, a check-in and a message of Anna's have come by sync."""
    athlete = await open_replica("athlete", ANNA)
    coach = await open_replica("coach", COACH, role="coach")
    server.link(server.accounts[COACH], server.accounts[ANNA])
    day = coach.analytics._today()
    log = await athlete.workouts.start(title="Push", start_time=f"{day - timedelta(days=1)}T10:00:00+00:00")
    await log.add_set("Barbell Bench Press", reps=8, load=60, type="warmup")
    await log.add_set("Barbell Bench Press", reps=8, load=100, rpe=8)
    await log.finish(end_time=f"{day - timedelta(days=1)}T11:00:00+00:00")
    await athlete.workouts.start(title="Begun", start_time=f"{day}T10:00:00+00:00")
    report = await athlete.checkins.draft(date=day, weight=82.4, responses={"energy": 7})
    await report.submit()
    await athlete.sync()
    await coach.sync()
    await athlete.messages.send("Between us.")
    await athlete.sync()
    await coach.sync()
    await athlete.aclose()
    await coach.aclose()
    return Terminal(tmp_path, "coach")


async def test_a_list_of_clients_needs_no_network(desk: Terminal) -> None:
    listed = desk("clients").ok()
    assert "anna" in listed.out and "as of the sync of" in listed.err
    [client] = desk("clients", "--json", "--sort", "-adherence").json()
    assert (client["name"], client["check_ins_to_review"]) == ("anna", 1)
    assert "nobody is so" in desk("clients", "--status", "overdue", "--tag", "Prep").ok().err
    for option, what in (("--status", "status"), ("--sort", "order")):
        refused = desk("clients", option, "asleep")
        assert refused.code == 2 and f"'asleep' is no {what}; there are" in refused.err


async def test_one_client_is_shown_at_a_glance(desk: Terminal) -> None:
    shown = desk("client", "An").ok()
    assert "1 check-in, 1 message" in shown.out and "82.4 kg" in shown.out
    assert "chest 1" in shown.err
    [session, happened] = [" ".join(line.split()[1:]) for line in shown.out.splitlines() if "Push" in line]
    assert session == "Push 60 2 1 800 kg 8.0" and happened == "10:00 workout Push: 2 sets of 1 exercise, 60 min"
    assert "82.4 kg, waits for your answer" in shown.out
    assert "Begun" not in shown.text
    assert "1 from them" in shown.out and "Between us." not in shown.text
    found = desk("client", "anna", "--json").json()
    assert found["dashboard"]["workouts"][0]["working_sets"] == 1
    assert {entry["kind"] for entry in found["timeline"]} == {"workout", "check_in", "messages", "linked"}
    for word in ("check-in", "check_in"):
        only = desk("client", "anna", "--kind", word).ok().out
        assert "check-in" in only and "workout" not in only
    assert "is no kind of what happens" in desk("client", "anna", "--kind", "party").err
    assert "not one of your athletes" in desk("client", "Bert").err


@pytest.mark.parametrize(
    ("kind", "facts", "line"),
    [
        ("workout", {"title": None, "sets": 0, "exercises": 0, "duration_minutes": None}, "no set"),
        ("check_in", {"reviewed": True, "weight_kg": 80, "photos": 2}, "80 kg, 2 photos, answered"),
        ("metrics", {"weight_kg": None, "body_fat_percent": 18.25}, "body fat 18.2 %"),
        ("photo", {"type": "side-left"}, "left side"),
        ("photo", {"type": None}, ""),
        ("nutrition", {"energy_kcal": 2300.4, "protein_g": 120, "target_energy_kcal": 2400, "target_protein_g": None},
         "2,300 of 2,400 kcal, 120 g of protein"),
        ("messages", {"from_athlete": 0, "from_coach": 3}, "3 from you"),
        ("program", {"name": "Base", "status": "active", "end_date": "2026-04-05"}, "Base: active, until 2026-04-05"),
        ("insight", {"title": "Go on", "type": "form_check", "priority": "high"}, "Go on: form check, high priority"),
        ("linked", {}, "you work together"),
    ],
)  # fmt: skip
def test_what_happened_is_said_in_words_with_units(kind: TimelineKind, facts: dict[str, Any], line: str) -> None:
    assert told(TimelineEntry(kind, "id", date(2026, 3, 1), datetime(2026, 3, 1), facts)) == line  # noqa: DTZ001


def test_every_kind_of_what_happens_has_a_word() -> None:
    assert tuple(KINDS.values()) == get_args(TimelineKind)


async def test_one_client_fits_a_terminal(desk: Terminal, open_replica: OpenReplica) -> None:
    athlete = await open_replica("athlete", ANNA)
    ahead_of_weights = athlete.analytics._today() - timedelta(days=3)
    title = "Upper body, heavy, with a long name of its own for the meet in May"
    log = await athlete.workouts.start(title=title, start_time=f"{ahead_of_weights}T10:00:00+00:00")
    await log.add_set("Pull-up", reps=8)
    await athlete.sync()
    coach = await open_replica("coach", COACH)
    await coach.sync()
    for replica in (athlete, coach):
        await replica.aclose()
    shown = in_terminal(desk, "client", "anna", COLUMNS="80", NO_COLOR="1", PAGER="cat")
    lines = re.sub(r"\x1b\[[0-9;]*m", "", shown).splitlines()
    assert max(map(len, lines)) <= 80
    assert any("8 reps" in line for line in lines) and not any("…" in line for line in lines)


def test_nobody_but_a_coach_has_clients(apex: Terminal) -> None:
    apex("log", "set", "Barbell Bench Press", "8x100kg@8").ok()
    for words in (("clients",), ("client", "Anna")):
        refused = apex(*words)
        assert refused.code and "for coaches" in refused.err


async def test_a_coach_files_an_athlete_and_the_athlete_gets_nothing_of_it(
    desk: Terminal, open_replica: OpenReplica
) -> None:
    assert "until you --clear it" in desk("clients", "status", "an", "overdue").ok().err
    [client] = desk("clients", "--json", "--status", "overdue").json()
    assert client["reasons"] == ["set_by_coach"]
    desk("clients", "status", "anna", "--clear").ok()
    assert desk("clients", "--json").json()[0]["reasons"] != ["set_by_coach"]

    assert "tags: Prep, Off season" in desk("clients", "tag", "anna", "Prep", "Off season", "Prep").ok().err
    assert "anna" in desk("clients", "--tag", "Off season").ok().out
    assert "tags: Off season" in desk("clients", "tag", "anna", "Prep", "--remove").ok().err

    assert "nothing is noted" in desk("clients", "note", "anna").ok().err
    desk("clients", "note", "anna", "Prefers mornings.").ok()
    assert desk("clients", "note", "anna", "Is [shy].").ok().out == "Prefers mornings.\nIs [shy].\n"
    shown = desk("client", "anna").ok().out
    assert "Off season" in shown and "Prefers mornings." in shown and "Is [shy]." in shown
    replaced = desk("clients", "note", "anna", "Trains at noon.", "--replace").ok()
    assert replaced.out == "Trains at noon.\n" and "in place of: Prefers mornings." in replaced.err
    assert "nothing is noted" in desk("clients", "note", "anna", "--replace").ok().err
    desk("clients", "note", "anna", "Trains at noon.").ok()

    coach = await open_replica("coach", COACH)
    await coach.sync()
    await coach.aclose()
    athlete = await open_replica("athlete", ANNA)
    await athlete.sync()
    assert await athlete.query("SELECT 1 FROM client_files") == []


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("status", "anna"), "name a status"),
        (("status", "anna", "overdue", "--clear"), "name a status"),
        (("status", "anna", "asleep"), "'asleep' is no status"),
        (("tag", "anna", "Prep", "--remove"), "no tag 'Prep' on them; there is none"),
        (("note", "Bert", "x"), "not one of your athletes"),
    ],
)
async def test_what_cannot_be_filed_is_said(desk: Terminal, words: tuple[str, ...], why: str) -> None:
    refused = desk("clients", *words)
    assert refused.code and why in refused.err
