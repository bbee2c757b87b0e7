"""At a terminal: what was measured, who trains, what is to be eaten, and a coach's answer to a check-in."""

from datetime import date, timedelta
from pathlib import Path

import pytest

from tests.client.apex_command import Terminal, in_terminal
from tests.client.conftest import OpenReplica
from tests.client.loopback import LoopbackServer

pytestmark = pytest.mark.anyio

ANNA, COACH = "anna@example.com", "coach@example.com"


def test_scale_and_tape_are_written_down_in_the_units_that_were_typed(apex: Terminal) -> None:
    assert "nothing is measured yet" in (apex("log", "start").ok(), apex("measure").ok())[1].err
    apex("measure", "--weight", "181.5lb", "--waist", "32.5in", "--body-fat", "14").ok()
    apex("measure", "--waist", "81,5", "--date", "yesterday").ok()
    [_, row] = apex.rows("SELECT weight, weight_unit, waist_cm, body_fat_percent FROM body_metrics ORDER BY date")
    assert row == {"weight": 181.5, "weight_unit": "lb", "waist_cm": 82.55, "body_fat_percent": 14.0}
    shown = apex("measure").ok().out
    assert "181.5 lb" in shown and "81.5" in shown
    refused = apex("measure", "--waist", "wide")
    assert refused.code == 2 and "'wide' is no length" in refused.err
    assert "body fat (%) must be at most 75" in apex("measure", "--body-fat", "90").err


def test_a_weight_alone_is_written_down_in_a_word(apex: Terminal) -> None:
    apex("weigh", "82,4kg").ok()
    apex("weigh", "181.5lb", "--date", "yesterday").ok()
    rows = apex.rows("SELECT weight, weight_unit FROM body_metrics ORDER BY date")
    assert [tuple(row.values()) for row in rows] == [(181.5, "lb"), (82.4, "kg")]
    assert "'heavy' is no weight" in apex("weigh", "heavy").err


def test_a_weight_that_is_hardly_meant_is_asked_about(apex: Terminal) -> None:
    refused = apex("weigh", "500kg")
    assert refused.code == 2 and "Nothing was weighed before" in refused.err and "say --yes" in refused.err
    apex("weigh", "82.4kg").ok()
    for words in (("weigh", "181kg"), ("measure", "--weight", "28.4", "--waist", "80"), ("checkin", "--weight", "182")):
        refused = apex(*words)
        assert refused.code == 2 and "Nothing was saved; if it is right, say --yes" in refused.err
    assert "500 lb" in (asked := apex("weigh", "500lb").err) and "is 181.7 lb" in asked
    assert "must be at most 500" in apex("weigh", "600kg").err, "nobody is asked about what is refused"
    shown = in_terminal(apex, "weigh", "92.4kg", typed="n\n", COLUMNS="200")
    assert "Your weight of" in shown and "is 82.4 kg" in shown and "nothing was changed" in shown
    assert [row["weight_kg"] for row in apex.rows("SELECT weight_kg FROM body_metrics")] == [82.4]
    assert apex.rows("SELECT 1 FROM check_ins") == []
    in_terminal(apex, "weigh", "92.4kg", typed="y\n")
    apex("weigh", "181kg", "--yes", "--date", "2026-01-01").ok()
    apex("weigh", "181.5lb").ok()
    assert len(apex.rows("SELECT 1 FROM body_metrics")) == 4


def test_what_was_written_down_last_is_taken_back(apex: Terminal) -> None:
    apex("log", "start").ok()
    assert "nothing is measured yet" in apex("measure", "undo").err
    for weight, day in (("82.4kg", "today"), ("83kg", "today"), ("81kg", "yesterday")):
        apex("weigh", weight, "--date", day).ok()
    apex("measure", "--waist", "82", "--date", "yesterday").ok()
    weights = "SELECT weight FROM body_metrics ORDER BY weight"
    assert "took back the measuring of" in (told := apex("measure", "undo").ok().err) and "waist 82 cm" in told
    assert "that day also has 81 kg" in told
    [first, _] = apex.rows("SELECT id FROM body_metrics WHERE weight > 82 ORDER BY weight")
    apex("measure", "undo", "--id", first["id"][-6:]).ok()
    assert [row["weight"] for row in apex.rows(weights)] == [81.0, 83.0]
    apex("measure", "undo", "--date", "today").ok()
    assert [row["weight"] for row in apex.rows(weights)] == [81.0]
    refused = apex("measure", "undo", "--date", "today")
    assert refused.code == 1 and "nothing is measured on" in refused.err
    assert "nothing is measured of the id absent" in apex("measure", "undo", "--id", "absent").err


def test_a_profile_is_set_field_by_field_and_an_injury_has_its_course(apex: Terminal) -> None:
    apex("profile", "set", "height_cm=168,5", "goals=Compete; Squat 140 kg", "check_in_day_number=7").ok()
    apex("profile", "injury", "Knee", "--side", "left", "--severity", "mild").ok()
    shown = apex("profile", "injury", "knee", "--status", "resolved").ok().out
    assert "168.5" in shown and "Compete; Squat 140 kg" in shown
    assert shown.count("injury") == 1 and "left, knee, mild, resolved" in shown
    assert "goals" not in apex("profile", "set", "goals=").ok().out
    for typed, why in (("heigth_cm=1", "did you mean height_cm?"), ("height_cm=tall", "is a number"), ("goals", "=…")):
        refused = apex("profile", "set", typed)
        assert refused.code == 2 and why in refused.err
    assert "must be at most 280" in apex("profile", "set", "height_cm=900").err


@pytest.fixture
async def desk(open_replica: OpenReplica, server: LoopbackServer, tmp_path: Path) -> Terminal:
    """The terminal of a coach, with two check-ins of Anna's that wait."""
    athlete = await open_replica("athlete", ANNA)
    coach = await open_replica("coach", COACH, role="coach")
    server.link(server.accounts[COACH], server.accounts[ANNA])
    for day, energy in (("2026-02-22", 7), ("2026-03-01", 4)):
        report = await athlete.checkins.draft(date=day, responses={"energy": energy})
        await report.submit()
    await athlete.sync()
    await coach.sync()
    await athlete.aclose()
    await coach.aclose()
    return Terminal(tmp_path, "coach")


async def test_a_coach_says_what_is_to_be_eaten_from_when_on(desk: Terminal) -> None:
    whose = ("--athlete", "anna")
    assert "nothing is asked for yet" in desk("targets", *whose).ok().err
    desk("targets", "set", "--kcal", "2600", "--protein", "180", "--from", "2026-03-01", *whose).ok()
    changed = desk("targets", "set", "--kcal", "2400", "--from", "2026-03-09", "--note", "Cut.", *whose).ok()
    assert "2400" in changed.out and "in force Cut." in changed.out
    rows = "SELECT start_date, energy_kcal, protein_g FROM nutrition_targets ORDER BY start_date"
    assert [tuple(row.values()) for row in desk.rows(rows)] == [
        ("2026-03-01", 2600.0, 180.0), ("2026-03-09", 2400.0, 180.0),
    ]  # fmt: skip
    desk("targets", "remove", "2026-03-09", *whose).ok()
    assert len(desk.rows(rows)) == 1
    assert "nothing is asked for from 2026-03-09 on" in desk("targets", "remove", "2026-03-09", *whose).err
    assert "say what is asked for" in desk("targets", "set", *whose).err


async def test_a_coach_answers_the_check_in_that_waits(desk: Terminal) -> None:
    assert "energy 4" in desk("checkin", "pending").ok().out
    refused = desk("checkin", "review", "Rest.", "--athlete", "anna")
    assert refused.code == 1 and "2 check-ins wait for your answer; name the day of one" in refused.err
    desk("checkin", "review", "Rest a day.", "--athlete", "anna", "--date", "2026-02-22").ok()
    desk("checkin", "review", "--athlete", "anna").ok()
    assert "nothing waits" in desk("checkin", "pending", "--athlete", "anna").ok().err
    rows = desk.rows("SELECT date, coach_feedback, coach_reviewed FROM check_ins ORDER BY date")
    assert [tuple(row.values()) for row in rows] == [("2026-02-22", "Rest a day.", 1), ("2026-03-01", None, 1)]
    again = desk("checkin", "review", "Rest two.", "--athlete", "anna", "--date", "2026-02-22").ok()
    assert "in place of: Rest a day." in again.err
    assert "no check-in waits" in desk("checkin", "review", "More.", "--athlete", "anna").err


def test_answers_are_a_coachs(apex: Terminal) -> None:
    apex("checkin", "--energy", "7").ok()
    for words in (("pending",), ("review", "Well done.")):
        assert "this is for coaches" in apex("checkin", *words).err


async def test_a_coach_of_one_athlete_need_not_say_whose_check_in_it_is(desk: Terminal) -> None:
    assert "2026-03-01" in desk("checkin").ok().text
    desk("checkin", "review", "Rest a day.", "--date", "2026-02-22").ok()
    assert "say whose it is" in desk("log", "set", "Pull-up", "8xbw").err, "a coach's own training is nobody else's"


async def test_of_two_programs_of_one_name_the_followed_one_is_shown_else_the_newest(
    desk: Terminal, tmp_path: Path
) -> None:
    (file := tmp_path / "base.txt").write_text("Base\nday 1: Push\n  Squat: 3x8\n")
    desk("program", "new", file, "--yes").ok()
    today = date.today()  # noqa: DTZ011 - the day of the person at the terminal.
    for days, why in ((800, None), (400, "the one made last"), (-1, "the one followed now")):
        start = today + timedelta(days=days)
        desk(
            "program", "assign", "Base", "--athlete", "anna", "--start", str(start), "--end", str(start + timedelta(60))
        ).ok()
        shown = desk("program", "show", "Base", "--athlete", "anna").ok()
        [copy] = desk.rows(f"SELECT id FROM programs WHERE start_date = '{start}' AND scope LIKE 'athlete:%'")
        told = " ".join(shown.err.split())
        assert "Squat" in shown.out and (why is None) == ("programs are called" not in told)
        assert why is None or f"{why}, {copy['id']}" in told


def test_sets_with_the_body_are_logged_as_lifters_write_them(apex: Terminal) -> None:
    apex("log", "set", "Chin-Up", "8xbw", "2x5xBW+20kg@9", "4x20kg+bw", "6xbw-10kg", "--new").ok()
    rows = apex.rows("SELECT reps, load_kg FROM logged_sets ORDER BY position")
    assert [tuple(row.values()) for row in rows] == [(8, None), (5, 20.0), (5, 20.0), (4, 20.0), (6, -10.0)]
