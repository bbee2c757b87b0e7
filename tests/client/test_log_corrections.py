"""What was logged wrongly is put right on the command line; a coach says whose log it is."""

from datetime import datetime
from pathlib import Path

import pytest

from tests.client.apex_command import Terminal, in_terminal
from tests.client.conftest import OpenReplica
from tests.client.loopback import LoopbackServer

pytestmark = pytest.mark.anyio

COACH = "coach@example.com"
TODAY = datetime.now().astimezone().date()


def sets_of(apex: Terminal) -> list[tuple[object, ...]]:
    rows = apex.rows("SELECT exercise_name, reps, load_kg, rpe, rir FROM logged_sets ORDER BY position")
    return [tuple(row.values()) for row in rows]


@pytest.fixture
def logged(apex: Terminal) -> Terminal:
    apex("log", "set", "Squat", "5x140kg@8", "5x140kg@9").ok()
    apex("log", "set", "Plank", "60s").ok()
    apex("log", "set", "Squat", "3x150kg").ok()
    return apex


def test_undo_takes_back_the_set_that_was_logged_last_and_then_the_one_before(logged: Terminal) -> None:
    assert "took back Squat: 3 x 150 kg" in logged("log", "undo").ok().err
    assert "took back Plank: 60 s" in logged("log", "undo").ok().err
    assert [one[1] for one in sets_of(logged)] == [5, 5]
    logged("log", "finish").ok()
    assert "took back Squat: 5 x 140 kg @ RPE 9" in logged("log", "undo").ok().err
    assert "and with it the session" in logged("log", "undo").ok().err
    refused = logged("log", "undo")
    assert refused.code == 1 and "nothing is logged yet" in refused.err


def test_undo_leaves_no_mistyped_exercise_and_no_empty_session_behind(apex: Terminal) -> None:
    apex("log", "set", "Sqaut", "5x140kg", "--new").ok()
    assert "took back Sqaut: 5 x 140 kg, and with it the session" in apex("log", "undo").ok().err
    assert "nothing is logged yet" in apex("log").ok().err
    apex("log", "set", "Squat", "5x140kg").ok()
    apex("log", "set", "Plnak", "60s", "--new").ok()
    said = apex("log", "undo").ok().err
    assert "took back Plnak: 60 s" in said and "session" not in said
    assert apex("log", "remove", "Plnak").err.rstrip().endswith("there is: Squat")


def test_undo_leaves_a_session_that_was_named(apex: Terminal) -> None:
    apex("log", "start", "Push A").ok()
    apex("log", "set", "Sqaut", "5x140kg", "--new").ok()
    assert "session" not in apex("log", "undo").ok().err
    assert "Push A" in apex("log").ok().out


def test_a_set_is_edited_and_what_is_left_out_stays(logged: Terminal) -> None:
    said = logged("log", "edit", "squat", "2", "6x142.5kg").ok().err
    assert "Squat, set 2: 5 x 140 kg @ RPE 9 is now 6 x 142.5 kg @ RPE 9" in said
    logged("log", "edit", "Squat", "1", "5@2rir").ok()
    assert sets_of(logged)[:2] == [("Squat", 5, 140.0, None, 2.0), ("Squat", 6, 142.5, 9.0, None)]
    for words, message in (
        (("Squat", "4", "5x100kg"), "Squat has 3 sets"),
        (("Bench", "1", "5x100kg"), "there is: Squat, Plank"),
        (("Squat", "1", "3x5x100kg"), "is 3 sets"),
    ):
        refused = logged("log", "edit", *words)
        assert refused.code != 0 and message in refused.err and len(refused.err.splitlines()) == 1


def test_a_load_or_an_effort_is_corrected_alone(logged: Terminal) -> None:
    assert "5 x 140 kg @ RPE 8 is now 5 x 140 kg @ RPE 9" in logged("log", "edit", "Squat", "1", "@9").ok().err
    logged("log", "edit", "Squat", "1", "142.5kg").ok()
    assert sets_of(logged)[0] == ("Squat", 5, 142.5, 9.0, None)
    refused = logged("log", "set", "Squat", "@9")
    assert refused.code == 2 and "'@9' leaves out what was done" in refused.err


def test_an_exercise_is_renamed_and_keeps_its_sets(apex: Terminal) -> None:
    apex("log", "set", "Sqaut", "5x140kg", "--new").ok()
    apex("log", "set", "Squat", "5x145kg").ok()
    assert "is it 'Front Squat' or" in apex("log", "rename", "Sqaut", "Fornt Squat").err
    apex("log", "rename", "Squat", "Front Squat").ok()
    front = apex.rows("SELECT exercise_id FROM logged_exercises WHERE name = 'Front Squat'")
    assert front[0]["exercise_id"] is not None
    assert "Sqaut is now Front Squat, with 1 set" in apex("log", "rename", "Sqaut", "front squat").ok().err
    assert apex.rows("SELECT name, exercise_id FROM logged_exercises") == [{"name": "Front Squat", **front[0]}]
    assert [one[:3] for one in sets_of(apex)] == [("Front Squat", 5, 145.0), ("Front Squat", 5, 140.0)]


def test_a_name_is_put_right_in_every_session_after_it_was_counted(apex: Terminal) -> None:
    for day in ("2026-03-01", "2026-03-03"):
        apex("log", "start", "--date", day).ok()
        apex("log", "set", "Sqaut", "5x140kg", "--new").ok()
        apex("log", "set", "Squat", "5x145kg", "--new").ok()
        apex("log", "finish").ok()
    apex("log", "set", "sqaut", "5x150kg").ok()
    words = ("log", "rename", "Sqaut", "Squat", "--everywhere")

    assert apex(*words).code == 2 and "--on DAY, or" in apex(*words, "--on", "today").err
    question = in_terminal(apex, *words, typed="n\n")
    assert f"Rename Sqaut to Squat in 3 sessions, 2026-03-01 to {TODAY}, with 3 sets?" in " ".join(question.split())
    assert [one[0] for one in sets_of(apex)].count("Squat") == 2, "nothing is done without a yes"
    assert "is now Squat in 3 sessions" in apex(*words, "--yes").ok().err
    rows = apex.rows("SELECT count(*) AS sets FROM logged_sets WHERE exercise_name = 'Squat' GROUP BY workout_id")
    assert sorted(row["sets"] for row in rows) == [1, 2, 2]
    assert "was never logged" in apex(*words).err


def test_a_set_is_removed_or_an_exercise_with_all_of_them(logged: Terminal) -> None:
    assert "removed Squat, set 1: 5 x 140 kg @ RPE 8" in logged("log", "remove", "Squat", "1").ok().err
    assert "removed Squat with 2 sets" in logged("log", "remove", "Squat").ok().err
    assert [one[0] for one in sets_of(logged)] == ["Plank"]


def test_a_whole_session_is_removed_by_its_day_or_after_a_yes(apex: Terminal) -> None:
    for exercise in ("Squat", "Plank"):
        apex("log", "set", exercise, "5").ok()
        apex("log", "finish").ok()
    refused = apex("log", "remove")
    assert refused.code == 2 and "--yes" in refused.err
    assert "Remove session of" in in_terminal(apex, "log", "remove", typed="n\n")
    assert len(apex.rows("SELECT id FROM workout_logs")) == 2
    apex("log", "remove", "--yes").ok()
    assert [one[0] for one in sets_of(apex)] == ["Squat"]
    apex("log", "remove", "Squat").ok()
    assert f"removed session of {TODAY}: 0 sets" in apex("log", "remove", "--on", "today").ok().err
    assert apex.rows("SELECT id FROM workout_logs") == []


async def test_a_coach_says_whose_log_it_is_and_writes_into_no_other(
    open_replica: OpenReplica, server: LoopbackServer, tmp_path: Path
) -> None:
    coach = await open_replica("coach", COACH, role="coach")
    for name in ("Anna", "Ben"):
        server.link(server.accounts[COACH], server.add_user(f"{name}@example.com"))
    await coach.sync()
    [first, second] = await coach.athletes.list()
    await coach.aclose()
    apex = Terminal(tmp_path, "coach")

    for words in (("log", "start"), ("log", "set", "Squat", "5x140kg"), ("checkin", "--energy", "7"), ("log", "undo")):
        refused = apex(*words)
        assert refused.code == 1 and "--athlete NAME" in refused.err, words
        assert first.id in refused.err or str(first.name) in refused.err, words
    assert apex.rows("SELECT id FROM workout_logs") == []

    said = apex("log", "set", "Squat", "5x140kg", "--athlete", first.id).ok().err
    assert f"started session of {TODAY}, {first.name}" in said
    apex("log", "set", "Squat", "5x100kg", "--athlete", second.id).ok()
    rows = apex.rows("SELECT athlete_id, volume_load_kg FROM workout_logs")
    assert {row["athlete_id"]: row["volume_load_kg"] for row in rows} == {first.id: 700.0, second.id: 500.0}
    for listing in ("", "list", "show"):
        only = apex("log", *filter(None, [listing]), "--athlete", first.id).ok().text
        assert str(first.name) in only and str(second.name) not in only, listing
    assert str(second.name) in apex("log").ok().out
    assert "goes behind the command" in apex("log", "--athlete", first.id, "show").err
    assert "not one of your athletes" in apex("log", "undo", "--athlete", "Nobody").err


async def test_an_athlete_is_told_once_that_a_set_goes_into_a_session_that_was_begun_elsewhere(
    open_replica: OpenReplica, server: LoopbackServer, tmp_path: Path
) -> None:
    coach = await open_replica("coach", COACH, role="coach")
    anna = await open_replica("anna", "anna@example.com")
    server.link(server.accounts[COACH], server.accounts["anna@example.com"])
    await coach.sync()
    [athlete] = await coach.athletes.list()
    await coach.athlete(athlete.id).workouts.start(title="Push A", start_time=datetime.now().astimezone())
    await coach.sync()
    await anna.sync()
    await anna.aclose()
    apex = Terminal(tmp_path, "anna")

    first = apex("log", "set", "Squat", "5x100kg").ok().err
    assert f"(into Push A of {TODAY}, begun by your coach or on another device)" in first
    assert "begun" not in apex("log", "set", "Squat", "5x100kg").ok().err
