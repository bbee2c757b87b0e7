"""A program made for an athlete: dated, with loads, and nothing of it shared with what it was made from."""

from datetime import date
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apex_sync.coaching.assigning import (
    assigned_days,
    assignment_id,
    exercises_by_percent,
    followed_program,
    maxima_kg,
    program_copy,
)
from apex_sync.coaching.exercise_library import builtin_exercises, builtin_id
from apex_sync.coaching.plan_history import history_of_record, sessions_due
from apex_sync.coaching.profile import library_of
from apex_sync.coaching.program_ends import ends_with, replaced_program
from apex_sync.coaching.sets import performed_sets
from apex_sync.models import PROGRAMS, Exercise, Program, WorkoutLog

TODAY = date(2026, 3, 1)


def program(**fields: Any) -> Program:
    return msgspec.convert({"name": "Base", **fields}, Program)


def followed(source: Program, **more: Any) -> dict[str, Any]:
    given: dict[str, Any] = {"start_date": "2026-03-02", "end_date": None, "maxima_kg": {}, "library": {}, **more}
    return followed_program(source, source_id="t", **given)


def test_a_day_whose_copies_were_all_moved_has_an_id_that_none_of_them_has() -> None:
    held: dict[str, dict[str, Any]] = {"of-another": {"source_id": "other", "start_date": "2026-03-02"}}
    made = ""
    for moved_to in ("2026-03-09", None, "2026-03-09"):
        made = assignment_id("t", "a", "2026-03-02", held)
        assert made not in held
        held[made] = {"source_id": "t", "status": "active", "start_date": moved_to}
    assert assignment_id("t", "a", "2026-03-02", held) not in held
    held[made] |= {"status": "archived"}
    assert assignment_id("t", "a", "2026-03-02", held) == made, "that gave way, and is followed anew"


@pytest.mark.parametrize(
    ("fields", "days", "expected"),
    [
        ({"duration_weeks": 4}, {"start_date": "2026-03-02"}, ("2026-03-02", "2026-03-29")),
        ({"duration_weeks": 4}, {"start_date": "2026-03-02", "end_date": "2026-03-20"}, ("2026-03-02", "2026-03-20")),
        ({}, {"start_date": "2026-03-02"}, ("2026-03-02", None)),
        ({"start_date": "2026-01-05", "end_date": "2026-02-01"}, {}, ("2026-01-05", "2026-02-01")),
        ({"start_date": "2026-01-05", "end_date": "2026-02-01"}, {"start_date": "2026-03-02"}, ("2026-03-02", None)),
        ({"duration_weeks": 2}, {}, ("2026-03-02", "2026-03-15")),
        ({}, {}, ("2026-03-02", None)),
        ({"end_date": "2026-01-31"}, {}, ("2026-03-02", None)),
    ],
)
def test_a_program_runs_from_its_start_to_the_end_of_its_weeks(
    fields: dict[str, Any], days: dict[str, Any], expected: tuple[str | None, str | None]
) -> None:
    asked = {"start_date": None, "end_date": None, **days}
    start_date, end_date = assigned_days(program(**fields), today=TODAY, **asked)
    made = followed(program(**fields), start_date=start_date, end_date=end_date)
    assert (made.get("start_date"), made.get("end_date")) == (start_date, end_date) == expected
    PROGRAMS.check_bounds(made)


@pytest.mark.parametrize(
    ("today", "monday"),
    [("2026-03-01", "2026-03-02"), ("2026-03-02", "2026-03-02"), ("2026-03-03", "2026-03-09")],
)
def test_without_a_first_day_a_program_begins_on_the_next_monday_or_on_a_monday_today(today: str, monday: str) -> None:
    days = assigned_days(program(), start_date=None, end_date=None, today=date.fromisoformat(today))
    assert days == (monday, None)


def test_a_load_that_was_written_stays_and_one_nobody_knows_is_left_open() -> None:
    source = program(
        exercises={"e": {"name": "Squat"}, "f": {"name": "Row", "exercise_id": "r1"}},
        sets={
            "a": {"exercise": "e", "load_percent": 80},
            "b": {"exercise": "e", "load_percent": 80, "load_kg": 70},
            "c": {"exercise": "f", "load_percent": 50},
            "d": {"exercise": "gone", "load_percent": 50},
            "e": {"exercise": "e", "reps_min": 5},
        },
    )
    made = followed(source, maxima_kg={"name:squat": 151.0, "id:r1": 61.0})
    assert {key: planned.get("load_kg") for key, planned in made["sets"].items()} == {
        "a": 120.0, "b": 70.0, "c": 30.0, "d": None, "e": None,
    }  # fmt: skip


def test_a_load_is_one_that_there_is_for_what_the_exercise_is_loaded_with() -> None:
    library = library_of({one.id: Exercise(**one.patch) for one in builtin_exercises()})
    for name, expected in (("Barbell Bench Press", 72.5), ("Dumbbell Bench Press", 72.0), ("Leg Press", 70.0)):
        source = program(exercises={"e": {"name": name}}, sets={"s": {"exercise": "e", "load_percent": 71}})
        made = followed(source, maxima_kg=dict.fromkeys(exercises_by_percent(source), 100.5), library=library)
        assert made["sets"]["s"]["load_kg"] == expected, name


def lasting(start: str | None, end: str | None) -> dict[str, str | None]:
    return {"status": "active", "start_date": start, "end_date": end}


@pytest.mark.parametrize(
    ("held", "by", "expected"),
    [
        (lasting("2026-01-05", None), lasting("2026-03-02", None), {"end_date": "2026-03-01"}),
        (lasting("2026-01-05", "2026-03-01"), lasting("2026-03-02", None), {}),
        (lasting("2026-06-01", None), lasting("2026-03-02", "2026-05-31"), {}),
        (lasting("2026-03-02", "2026-04-01"), lasting("2026-03-02", None), {"status": "archived"}),
        (lasting(None, None), lasting("2026-03-02", None), {"status": "archived"}),
        (lasting("2026-01-05", None), lasting(None, None), {}),
        (lasting("2026-01-05", "2026-06-28"), lasting("2026-03-02", None), {"end_date": "2026-03-01"}),
        (lasting("2026-01-05", None) | {"status": "completed"}, lasting("2026-03-02", None), {}),
        (lasting("2026-01-05", None), lasting("2026-03-02", None) | {"status": "draft"}, {}),
    ],
)
def test_a_program_in_the_same_days_ends_when_another_is_assigned(
    held: dict[str, str | None], by: dict[str, str | None], expected: dict[str, str]
) -> None:
    assert replaced_program(held, by) == expected


def test_what_an_assignment_ends_is_neither_itself_nor_what_stays_as_it_is() -> None:
    new = lasting("2026-03-02", None)
    held = {
        "new": new,
        "running": lasting("2026-01-05", None),
        "over": lasting("2026-01-05", "2026-02-01"),
        "later": lasting("2026-05-04", None),
    }
    assert ends_with("new", new, held) == {"running": {"end_date": "2026-03-01"}, "later": {"status": "archived"}}


DAYS = st.dates(date(2026, 1, 1), date(2026, 3, 31))
TRAINING = {
    "weeks": {f"w{number}": {"week_number": number} for number in range(1, 14)},
    "days": {f"d{number}": {"week": f"w{number}", "day_number": number % 7 + 1} for number in range(1, 14)},
}


@st.composite
def trained(draw: st.DrawFn) -> dict[str, Any]:
    start, end = draw(DAYS), draw(st.none() | DAYS)
    days = {"start_date": start.isoformat()} | ({} if end is None else {"end_date": max(start, end).isoformat()})
    return {"status": "active", **days, **TRAINING}


def due(*programs: dict[str, Any]) -> set[tuple[date, int | None]]:
    histories = [history_of_record(str(number), PROGRAMS.read(one)[0]) for number, one in enumerate(programs)]
    return {(one.date, one.week_number) for one in sessions_due(histories)}


@given(trained(), trained() | st.just(TRAINING | {"status": "active"}))
def test_what_is_replaced_asks_for_nothing_from_the_first_day_of_the_other_on_and_for_all_before(
    held: dict[str, Any], by: dict[str, Any]
) -> None:
    """The dates alone say so, without looking at the other: the day's program, and SQL, read them."""
    ended, first = replaced_program(held, by), by.get("start_date")
    if first is None:
        assert ended == {}, "it is followed by nobody"
        return
    after, before = due(held | ended), due(held)
    assert ended == {} or all(on.isoformat() < first for on, _ in after)
    if ended != {"status": "archived"}:
        assert after >= {one for one in before if one[0].isoformat() < first}
        assert (held | ended).get("end_date", "9") >= held["start_date"]
    assert due(held | ended, by) >= due(by), "nothing else is asked for on its days"
    assert not ended or (held | ended)["status"] == "archived" or held["start_date"] < first


def test_a_copy_is_a_draft_without_days_feedback_and_what_was_deleted() -> None:
    source = program(
        status="active", start_date="2026-03-02", athlete_feedback="hard", source_id="x", created_at="2026",
        weeks={"w": {"week_number": 1}, "v": {"week_number": 2, "deleted": True}},
    )  # fmt: skip
    copy = program_copy(source, source_id="t")
    assert copy == {"name": "Base", "status": "draft", "source_id": "t", "weeks": {"w": {"week_number": 1}}}


def test_the_maximum_is_of_the_best_set_of_twelve_weeks_under_its_id_and_its_name() -> None:
    def log(day: str, load_kg: float, **exercise: str) -> Any:
        state = {
            "date": day,
            "exercises": {"e": exercise},
            "sets": {"s": {"exercise": "e", "reps": 1, "load_kg": load_kg, "rpe": 10}},
        }
        return performed_sets(day, msgspec.convert(state, WorkoutLog))

    sets = [
        *log("2025-11-01", 180.0, name="Squat"),
        *log("2026-02-01", 150.0, name="Squat"),
        *log("2026-02-08", 140.0, name="Squat", exercise_id="sq"),
        *log("2026-03-02", 200.0, name="Squat"),
    ]
    assert maxima_kg(sets, TODAY) == {
        "name:squat": 150.0,
        f"id:{builtin_id('Squat')}": 150.0,
        "id:sq": 140.0,
    }
