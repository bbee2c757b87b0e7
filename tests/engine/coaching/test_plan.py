"""What the rules read from a program record."""

import datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from apex_sync.coaching.exercise_library import builtin_id
from apex_sync.coaching.plan import Target, followed_on, plan_from_program
from apex_sync.coaching.plan_history import asked_for, history_of_record, sessions_due
from apex_sync.coaching.profile import TrainingProfile, training_profile
from apex_sync.collection import Record
from apex_sync.models import PROGRAMS, Profile
from tests.engine.coaching.garbage import program_states
from tests.engine.coaching.logs import MONDAY, day, program

TWO_WEEKS: dict[str, Any] = {
    "status": "active",
    "start_date": MONDAY.isoformat(),
    "weeks": {"a": {"week_number": 1}, "b": {"week_number": 2, "deload": True}},
    "days": {
        "a1": {"week": "a", "day_number": 1},
        "a3": {"week": "a", "day_number": 3},
        "b1": {"week": "b", "day_number": 1},
    },
    "exercises": {
        "bench": {"day": "a1", "name": "Bench Press"},
        "squat": {"day": "a3", "exercise_id": "7", "name": "Squat"},
        "light": {"day": "b1", "name": "Bench Press"},
    },
    "sets": {
        "0": {"exercise": "bench", "type": "warmup", "reps_min": 15},
        "1": {"exercise": "bench", "reps_min": 8, "reps_max": 12, "rpe": 7},
        "2": {"exercise": "bench", "reps_min": 6, "reps_max": 10, "rir": 2},
        "3": {"exercise": "bench", "type": "dropset", "reps_min": 20, "reps_max": 30},
        "4": {"exercise": "squat", "reps_min": 5, "reps_max": 5},
        "5": {"exercise": "squat", "reps_min": 5, "deleted": True},
    },
}


def test_targets_are_of_straight_working_sets() -> None:
    plan = plan_from_program("p", program(**TWO_WEEKS))
    assert plan.target("name:bench press", (1, 1)) == Target(reps_low=6, reps_high=12, sets=2, rpe=8.0)
    assert plan.target("id:7", (1, 3)) == Target(reps_low=5, reps_high=5, sets=1)
    assert plan.target("name:deadlift", (1, 1)) is None


def test_a_name_in_a_program_means_the_exercise_of_the_library_that_was_logged() -> None:
    plan = plan_from_program("p", program(**TWO_WEEKS))
    assert plan.target(f"id:{builtin_id('Bench Press')}", (1, 1)) == plan.target("name:bench press", (1, 1)) != Target()
    assert plan.target(f"id:{builtin_id('Romanian Deadlift')}", (1, 1)) is None


def test_an_exercise_without_a_place_has_the_target_of_its_latest_session() -> None:
    plan = plan_from_program("p", program(**TWO_WEEKS))
    assert plan.target("name:bench press", None) == plan.target("name:bench press", (2, 1)) == Target()


def test_sessions_are_due_on_the_days_of_the_program() -> None:
    plan = plan_from_program("p", program(**TWO_WEEKS))
    assert [(s.date, s.sets, s.week_number, s.day_number) for s in plan.scheduled] == [
        (day(0), 3, 1, 1),
        (day(2), 1, 1, 3),
        (day(7), None, 2, 1),
    ]


def test_a_start_in_mid_week_drops_the_days_before_it_and_an_end_those_after() -> None:
    mid = {**TWO_WEEKS, "start_date": day(1).isoformat(), "end_date": day(6).isoformat()}
    assert [s.date for s in plan_from_program("p", program(**mid)).scheduled] == [day(2)]


def test_a_draft_expects_nobody() -> None:
    assert plan_from_program("p", program(**{**TWO_WEEKS, "status": "draft"})).scheduled == ()


def test_deload_weeks_are_known_by_number_and_by_day() -> None:
    plan = plan_from_program("p", program(**TWO_WEEKS))
    assert plan.deload_weeks == {2}
    assert [plan.deload_on(day(offset)) for offset in (-1, 6, 7, 13, 14)] == [False, False, True, True, False]


@given(program_states(), st.dates())
def test_reading_a_program_never_raises(state: dict[str, Any], on: datetime.date) -> None:
    plan = plan_from_program("p", program(**state))
    plan.deload_on(on)
    assert list(plan.scheduled) == sorted(plan.scheduled, key=lambda s: s.date)
    assert all(
        target.rep_range is None or target.rep_range[0] <= target.rep_range[1] for target in plan.targets.values()
    )


def test_a_profile_is_read_as_far_as_it_can_be() -> None:
    assert training_profile(None) == TrainingProfile()
    record = Profile(training_age_years=3.5, volume_tolerance="high", goals=["Compete"], target_weight_kg=85.0)
    read = training_profile(record)
    assert (read.training_age_years, read.volume_tolerance, read.goals, read.target_weight_kg) == (
        3.5,
        "high",
        ("Compete",),
        85.0,
    )


def test_a_program_is_followed_on_its_days_and_of_several_the_one_that_started_last() -> None:
    programs = [
        ("old", PROGRAMS.read({"status": "active", "start_date": "2026-01-05", "end_date": "2026-03-01"})[0]),
        ("new", PROGRAMS.read({"status": "active", "start_date": "2026-03-02", "end_date": "2026-03-29"})[0]),
        ("kept", PROGRAMS.read({"status": "active", "start_date": "2026-02-02", "end_date": "2026-02-08"})[0]),
        ("draft", PROGRAMS.read({"status": "draft", "start_date": "2026-02-23"})[0]),
        ("undated", PROGRAMS.read({"status": "active"})[0]),
    ]
    found = {
        on: followed[0] if (followed := followed_on(programs, datetime.date.fromisoformat(on))) else None
        for on in ("2026-01-04", "2026-02-02", "2026-02-09", "2026-03-01", "2026-03-02", "2026-03-30")
    }
    assert list(found.values()) == [None, "kept", "old", "old", "new", None]


def test_a_day_is_judged_by_the_program_that_was_followed_on_it() -> None:
    def written(start: str, end: str | None, status: str = "active", weekday: int = 1) -> Record:
        return PROGRAMS.read({
            "start_date": start, "status": status, **({"end_date": end} if end else {}),
            "weeks": {f"w{n}": {"week_number": n} for n in range(1, 5)},
            "days": {f"d{n}": {"week": f"w{n}", "day_number": weekday} for n in range(1, 5)},
        })[0]  # fmt: skip

    def due(*programs: Record) -> list[str]:
        histories = [history_of_record(str(n), each) for n, each in enumerate(programs)]
        return [session.date.isoformat()[5:] for session in sessions_due(histories)]

    old, new = written("2026-03-02", "2026-03-15"), written("2026-03-16", None, weekday=2)
    assert due(old, new) == ["03-02", "03-09", "03-17", "03-24", "03-31", "04-07"]
    assert due(written("2026-03-02", None), new) == due(old, new), (
        "one that started later takes the place of an open one"
    )
    assert due(written("2026-03-02", "2026-03-15", "completed"), new) == due(old, new)
    ended = written("2026-03-09", "2026-03-15", weekday=2)
    assert due(written("2026-03-02", None), ended) == ["03-02", "03-10", "03-16", "03-23"]
    assert due(written("2026-03-02", None, "archived"), written("2026-03-02", None, "draft")) == []
    unknown = written("2026-03-03", None, "completed", weekday=7)
    assert due(written("2026-03-02", None), unknown)[:4] == ["03-02", "03-08", "03-09", "03-15"]


def test_training_days_a_week_count_where_no_program_asked_for_anything() -> None:
    ended = history_of_record("p", program(**TWO_WEEKS, end_date=day(9).isoformat()))
    assert [session.date for session in asked_for([ended], day(7), day(12))] == [
        session.date for session in sessions_due([ended])
    ], "its last days are judged by what it asked for"
    assert asked_for([ended], day(21), day(35)) == ()
    assert asked_for([], day(0), day(9)) == ()
