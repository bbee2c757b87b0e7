"""A second import adds what is missing and overrides nothing; the report accounts for every row."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from apex_client import importers
from apex_client.importers import ImportPlan, SkippedRow, read_export
from apex_client.importers.plan import REST_TIMER
from apex_client.importers.report import render_report
from apex_client.importers.run import ImportReport, ImportTally, new_leaves

State = dict[str, Any]

HEADER = (
    "Date,Workout Name,Duration,Exercise Name,Set Order,Weight (kg),Reps,Distance,Seconds,Notes,Workout Notes,RPE\n"
)


def session(*sets: tuple[str, int]) -> str:
    rows = (f'2025-06-03 20:23:00,"Push",30m,"{name}",{number},40.0,8,0,0,"","",\n' for name, number in sets)
    return HEADER + "".join(rows)


def read(content: str) -> ImportPlan:
    return read_export(content.encode())


def merged(state: Mapping[str, Any], patch: Mapping[str, Any]) -> State:
    """Fold a patch into a state as the engine does for writes in sequence."""
    result = dict(state)
    for field, value in patch.items():
        result[field] = merged(result.get(field, {}), value) if isinstance(value, dict) else value
    return result


def bring_in(plan: ImportPlan, states: dict[str, State]) -> ImportReport:
    """Write a plan into records as the replica does, one after the other."""
    tally = ImportTally(plan)
    for workout in plan.workouts:
        existed = workout.record_id in states
        written = new_leaves(states.get(workout.record_id, {}), workout.patch)
        states[workout.record_id] = merged(states.get(workout.record_id, {}), written)
        tally.count(workout, written, existed=existed)
    return tally.report()


def exercise_names(state: State) -> list[str]:
    """Name the exercise of each set in the order of the sets."""
    sets = sorted(state["sets"].values(), key=lambda entry: entry["order"])
    return [state["exercises"][entry["exercise"]]["name"] for entry in sets]


@pytest.mark.parametrize(
    ("file", "unit"),
    [
        ("strong_en_kg_breinsp.csv", "kg"),
        ("strong_zh_lbs_dericmei.csv", "lb"),
        ("hevy_kg_small_mouadja02.csv", None),
        ("fitnotes_kgs_lukaszebedin.csv", None),
    ],
)
def test_a_real_export_imported_again_adds_nothing(data_dir: Path, file: str, unit: Any) -> None:
    plan = read_export(data_dir / file, unit=unit)
    states: dict[str, State] = {}
    first = bring_in(plan, states)
    assert (first.workouts_imported, first.rows_imported) == (len(plan.workouts), sum(w.rows for w in plan.workouts))
    before = {record_id: merged({}, state) for record_id, state in states.items()}
    second = bring_in(read_export(data_dir / file, unit=unit), states)
    assert states == before
    assert (second.workouts_imported, second.workouts_extended, second.rows_imported) == (0, 0, 0)
    assert second.rows_already_there == first.rows_imported


def test_accepting_doubled_sessions_later_adds_only_what_was_left_out(data_dir: Path) -> None:
    path = data_dir / "strong_zh_lbs_dericmei.csv"
    states: dict[str, State] = {}
    asked = bring_in(read_export(path, unit="lb"), states)
    once = bring_in(read_export(path, unit="lb", accept_doubled="once"), states)
    both = bring_in(read_export(path, unit="lb", accept_doubled="both"), states)
    assert (asked.workouts_imported, asked.rows_quarantined) == (355, 866)
    assert (once.workouts_imported, once.rows_imported, len(once.skipped)) == (29, 433, 433)
    assert (both.workouts_imported, both.workouts_extended, both.rows_imported) == (0, 29, 433)
    assert sum(len(state["sets"]) for state in states.values()) == 6778


def test_edits_and_removals_survive_a_second_import() -> None:
    plan = read(session(("Press", 1), ("Press", 2)))
    (workout,) = plan.workouts
    first_key, second_key = workout.patch["sets"]
    state = merged(workout.patch, {"title": "Heavy push", "notes": None, "duration_minutes": None})
    state = merged(state, {"sets": {first_key: {"reps": 9, "load_kg": None}, second_key: {"deleted": True}}})
    assert new_leaves(state, workout.patch) == {}


def test_a_removed_workout_stays_removed() -> None:
    (workout,) = read(session(("Press", 1), ("Press", 2))).workouts
    assert new_leaves({"deleted": True, "date": "2025-06-03"}, workout.patch) == {}


def test_a_restored_workout_gets_what_it_lacks() -> None:
    (workout,) = read(session(("Press", 1))).workouts
    assert new_leaves({"deleted": False}, workout.patch) == workout.patch


def test_a_longer_export_adds_sets_where_they_stand_in_the_file() -> None:
    short = [("Press", 1), ("Press", 2), ("Row", 1)]
    long = [("Press", 1), ("Press", 2), ("Press", 3), *(("Row", number) for number in range(1, 60)), ("Curl", 1)]
    states: dict[str, State] = {}
    bring_in(read(session(*short)), states)
    report = bring_in(read(session(*long)), states)
    assert (report.workouts_extended, report.rows_imported, report.rows_already_there) == (1, 60, 3)
    (state,) = states.values()
    assert exercise_names(state) == [name for name, _ in long]


def test_new_sets_follow_a_set_that_was_moved() -> None:
    """The athlete put the row before the presses; what the longer export adds to the presses goes to the presses."""
    (workout,) = read(session(("Press", 1), ("Row", 1))).workouts
    press, row = workout.patch["sets"]
    state = merged(workout.patch, {"sets": {row: {"order": "1"}, press: {"order": "2"}}})
    (longer,) = read(session(("Press", 1), ("Press", 2), ("Row", 1), ("Row", 2))).workouts
    assert exercise_names(merged(state, new_leaves(state, longer.patch))) == ["Row", "Row", "Press", "Press"]


def test_order_keys_of_another_program_do_not_stop_an_import() -> None:
    (workout,) = read(session(("Press", 1), ("Press", 2))).workouts
    first_key, _ = workout.patch["sets"]
    state = merged(workout.patch, {"sets": {first_key: {"order": "zz!Ä"}}})
    (longer,) = read(session(("Press", 1), ("Press", 2), ("Press", 3))).workouts
    assert len(new_leaves(state, longer.patch)["sets"]) == 1


def test_a_report_whose_rows_do_not_add_up_cannot_be_made() -> None:
    plan = read(session(("Press", 1), ("Press", 2)))
    with pytest.raises(AssertionError, match="2 rows in, 0 out"):
        ImportTally(plan).report()


# The rendering


def rendered(report: ImportReport, *, show_all: bool = False) -> str:
    console = Console(width=110, record=True, file=io.StringIO())
    console.print(render_report(report, show_all=show_all))
    return console.export_text()


def test_the_report_shows_where_every_row_went(data_dir: Path) -> None:
    text = rendered(bring_in(read_export(data_dir / "strong_zh_lbs_dericmei.csv", unit="lb"), {}))
    lines = [line.split() for line in text.splitlines()]
    for row in (["read", "384", "6,778"], ["imported", "355", "5,912"], ["quarantined", "29", "866"], ["skipped", "0"]):
        assert row in lines
    assert "1223-1262" in text
    assert "and 9 more; --all shows them" in text
    assert "--accept-doubled once" in text
    assert "6540" in text
    assert "nobody ended this session" in text


def test_skipped_rows_are_listed_with_line_and_reason_and_bounded() -> None:
    bad = "".join('2025-06-03 20:23:00,"Push",30m,"Press",1,NaN,-3,0,0,"","",\n' for _ in range(30))
    timers = '2025-06-03 20:23:00,"Push",30m,"Press",Rest Timer,0,0,0,90,"","",\n' * 40
    report = bring_in(read(session(("Press", 1)) + timers + bad), {})
    text = rendered(report)
    assert "'NaN' is not a number" in text
    assert REST_TIMER not in text
    assert "and 50 more; --all shows them" in text
    whole = rendered(report, show_all=True)
    assert whole.count(REST_TIMER) == 40
    assert "more; --all" not in whole


def test_what_a_file_says_is_never_read_as_markup() -> None:
    report = bring_in(read(session(("Press", 1)) + "[bold red]x[/nope],\x1b[2JA,,,,,,,,,,\n"), {})
    (skipped,) = report.skipped
    assert skipped == SkippedRow(3, "'[bold red]x[/nope]' is not a date", "[bold red]x[/nope],\x1b[2JA,,,,,,,,,,")
    assert "[bold red]x[/nope],\ufffd[2JA" in rendered(report)


def test_the_public_names_are_sorted_and_there() -> None:
    assert importers.__all__ == sorted(importers.__all__)
    assert all(hasattr(importers, name) for name in importers.__all__)
