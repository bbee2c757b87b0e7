"""`apex exercises`, and `apex log` naming the exercise of the library that a name means, as a process of its own."""

from pathlib import Path

import pytest

from apex_client import Replica
from tests.client.apex_command import Terminal, in_terminal
from tests.client.built_in import give_library
from tests.client.conftest import OpenReplica
from tests.client.loopback import LoopbackServer
from tests.client.test_exercises import ANNA, COACH, coach_with_library

pytestmark = pytest.mark.anyio


@pytest.fixture
async def apex(open_replica: OpenReplica, server: LoopbackServer, tmp_path: Path) -> Terminal:
    """Give the command on an athlete's replica with the library; their coach has a Pull-Up too."""
    replica: Replica = await open_replica("athlete", ANNA)
    give_library(server, ANNA, "exercises")
    library = f"library:{server.add_user(COACH, 'coach').id}"
    server.grants[server.accounts[ANNA].id][library] = "coach"
    await replica.sync()
    replica._open.create("exercises", library, {"name": "Pull-Up"})
    await replica.aclose()
    return Terminal(tmp_path, "athlete")


def logged(apex: Terminal) -> list[tuple[str, str | None, int]]:
    rows = apex.rows(
        "SELECT e.name, e.exercise_id, (SELECT count(*) FROM logged_sets AS s WHERE s.exercise_key = e.key) AS sets"
        " FROM logged_exercises AS e ORDER BY e.position"
    )
    names = {row["id"]: row["name"] for row in apex.rows("SELECT id, name FROM exercises")}
    return [(row["name"], names.get(row["exercise_id"]), row["sets"]) for row in rows]


async def test_a_search_shows_a_table(apex: Terminal) -> None:
    found = apex("exercises", "search", "bench", "pres", "--limit", "3").ok().out
    assert found.splitlines()[0].split() == ["exercise", "muscle", "also", "equipment", "pattern"]
    assert found.splitlines()[2].split() == [
        *("Barbell", "Bench", "Press", "chest", "front", "delts,", "triceps", "barbell,", "bench", "push"),
    ]
    assert "nothing like that" in apex("exercises", "search", "zzzz").ok().err
    assert "Neck Flexion" in apex("exercises", "search", "-m", "neck").ok().out


async def test_a_name_that_means_one_exercise_is_logged_as_it(apex: Terminal) -> None:
    assert "rdl = Romanian Deadlift: 8" in apex("log", "set", "rdl", "8x100kg").ok().err
    apex("log", "set", "romanian deadlift", "8x100kg").ok()
    apex("log", "set", "rdl", "8x100kg").ok()
    assert logged(apex) == [("rdl", "Romanian Deadlift", 3)]


async def test_a_name_that_means_several_or_none_is_only_a_name(apex: Terminal) -> None:
    assert "2 in the library are called so" in apex("log", "set", "Pull-Up", "8").ok().err
    apex("log", "set", "Zercher Thing", "8x100kg", "--new").ok()
    apex("log", "set", "zercher thing", "8x100kg").ok()
    assert logged(apex) == [("Pull-Up", None, 1), ("Zercher Thing", None, 2)]


async def test_a_mistyped_name_is_refused_with_the_nearest_unless_it_is_said_to_be_right(apex: Terminal) -> None:
    refused = apex("log", "set", "Bench Pres", "8x100kg")
    assert refused.code == 1 and "'Bench Pres' is not in the library; is it 'Barbell Bench Press' or" in refused.err
    assert "--new" in refused.err and len(refused.err.splitlines()) == 1
    assert logged(apex) == [] and apex.rows("SELECT id FROM workout_logs") == []
    apex("log", "set", "Bench Pres", "8x100kg", "--new").ok()
    assert logged(apex) == [("Bench Pres", None, 1)]


async def test_on_a_terminal_a_mistyped_name_is_asked_back(apex: Terminal) -> None:
    shown = in_terminal(apex, "log", "set", "Bench Pres", "8x100kg", typed="1\n")
    assert "Which one is it?" in shown and "Bench Pres, as it is" in shown
    assert logged(apex) == [("Barbell Bench Press", "Barbell Bench Press", 1)]


async def test_before_the_first_sync_the_built_in_library_answers(tmp_path: Path) -> None:
    apex = Terminal(tmp_path)
    assert "Barbell Bench Press" in apex("exercises", "search", "bench").ok().out
    refused = apex("log", "set", "bnech press", "8x100kg")
    assert refused.code == 1 and "is it 'Barbell Bench Press' or" in refused.err
    apex("log", "set", "Bench Press", "8x100kg").ok()
    [bench] = apex.rows("SELECT name, exercise_id FROM logged_exercises")
    assert bench["name"] == "Bench Press" and bench["exercise_id"] is not None


async def test_a_name_that_resembles_nothing_is_taken_where_it_is_confirmed(tmp_path: Path) -> None:
    apex = Terminal(tmp_path)
    refused = apex("log", "set", "Qwzx", "8x100kg")
    assert refused.code == 1 and "'Qwzx' is not in the library, and was never logged" in refused.err
    assert "--new" in refused.err and not apex.db.exists()
    shown = in_terminal(apex, "log", "set", "Qwzx", "8x100kg", typed="n\n")
    assert "Log it as it is?" in shown and not apex.db.exists()
    in_terminal(apex, "log", "set", "Qwzx", "8x100kg", typed="y\n")
    apex("log", "set", "qwzx", "8x100kg").ok()
    assert logged(apex) == [("Qwzx", None, 2)]


async def test_a_list_that_is_longer_than_the_screen_is_paged(apex: Terminal) -> None:
    short = in_terminal(apex, "exercises", "search", "--limit", "3", PAGER="head -n 2")
    long = in_terminal(apex, "exercises", "search", "--limit", "300", PAGER="head -n 2")
    assert len(short.splitlines()) > 4 and len(long.splitlines()) == 2


async def test_a_place_in_a_program_is_no_exercise_where_there_is_no_program(tmp_path: Path) -> None:
    apex = Terminal(tmp_path)
    refused = apex("log", "set", "a1", "8x100kg")
    assert refused.code == 1 and "none is followed in this session" in refused.err and "apex log plan" in refused.err
    assert len(refused.err.splitlines()) == 1 and not apex.db.exists()


async def test_an_import_is_rehearsed_and_reported(
    open_replica: OpenReplica, server: LoopbackServer, tmp_path: Path
) -> None:
    await (await coach_with_library(open_replica, server)).aclose()
    apex = Terminal(tmp_path, "coach")
    file = tmp_path / "exercises.json"
    file.write_text(
        '[{"name": "Zercher Carry", "primaryMuscles": ["abdominals"]},'
        ' {"name": "Bench Press", "primaryMuscles": ["chest"]}, 7]'
    )
    rehearsed = apex("exercises", "import", file, "--dry-run").ok()
    assert "1 added, 0 completed, 0 there already, 1 in the library, 1 skipped" in rehearsed.err
    assert "nothing was saved" in rehearsed.err and "in the library as Barbell Bench Press" in rehearsed.out
    assert apex.rows("SELECT 1 FROM exercises WHERE name = 'Zercher Carry'") == []
    assert "1 added" in apex("exercises", "import", file).ok().err
    assert len(apex.rows("SELECT 1 FROM exercises WHERE name = 'Zercher Carry'")) == 1
    assert "free-exercise-db" in apex("exercises", "import", tmp_path / "coach.db").err


async def test_an_import_says_how_many_stretches_it_left_out_and_how_to_have_them(
    open_replica: OpenReplica, server: LoopbackServer, tmp_path: Path
) -> None:
    await (await coach_with_library(open_replica, server)).aclose()
    apex = Terminal(tmp_path, "coach")
    file = tmp_path / "exercises.json"
    file.write_text('[{"name": "Frog Stretch", "primaryMuscles": ["quadriceps"], "category": "stretching"}]')
    left = apex("exercises", "import", file).ok()
    assert "left out: 1 stretching; --every-category imports them" in left.err
    assert "stretching, not asked for" in left.out
    told = apex("exercises", "import", file, "--every-category").ok().err
    assert "1 added" in told and "left out" not in told


async def test_names_of_a_program_that_no_library_knows_are_asked_about_or_told(
    open_replica: OpenReplica, server: LoopbackServer, tmp_path: Path
) -> None:
    coach = await coach_with_library(open_replica, server)
    await coach.aclose()
    at_coach = Terminal(tmp_path, "coach")
    (file := tmp_path / "base.txt").write_text("Base\nday 1: Push\n  Romanian Deadlfit: 3x8\n  Dip: 3x8\n")

    for words in ((), ("--yes",)):
        told = at_coach("program", "new", file, "--name", f"Kept{len(words)}", *words).ok().err
        assert "look at 'Romanian Deadlfit': no library has it (is it 'Romanian Deadlift'" in " ".join(told.split())
    shown = in_terminal(at_coach, "program", "new", str(file), "--name", "Settled", typed="1\n")
    assert "Which one is it?" in shown and "Romanian Deadlfit, as it is" in shown
    assert "Romanian Deadlift" in at_coach("program", "show", "Settled").ok().out
    assert "Romanian Deadlfit" in at_coach("program", "show", "Kept1").ok().out
    many = "".join(f"  Thing {number} of mine: 3x8\n" for number in range(22))
    file.write_text(f"Many\nday 1: Push\n{many}")
    assert "and 2 more names that no library has" in at_coach("program", "new", file).ok().err
