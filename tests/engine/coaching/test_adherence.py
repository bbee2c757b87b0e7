"""Adherence of sessions and check-ins, in the athlete's own ISO weeks."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apex_sync.coaching.adherence import (
    DoneSession,
    WeekAdherence,
    check_in_adherence,
    done_session,
    is_low,
    match_sessions,
    overall_adherence,
    overdue_check_in,
    weekly_adherence,
    weekly_schedule,
    workout_adherence,
)
from apex_sync.coaching.plan import ScheduledSession
from apex_sync.coaching.sets import performed_sets
from tests.engine.coaching.garbage import workout_states
from tests.engine.coaching.logs import day, read_workout, sets, workout


def due(offset: int, **place: int) -> ScheduledSession:
    return ScheduledSession(date=day(offset), **place)


def done(offset: int, workout_id: str | None = None, completed_sets: int = 10, **place: Any) -> DoneSession:
    return DoneSession(workout_id=workout_id or f"w{offset}", date=day(offset), completed_sets=completed_sets, **place)


def percent(scheduled: list[ScheduledSession], sessions: list[DoneSession], as_of: int, **options: int) -> float | None:
    return workout_adherence(scheduled, sessions, as_of=day(as_of), **options).percent


def test_adherence_is_sessions_done_out_of_sessions_due() -> None:
    scheduled = [due(0), due(2), due(4), due(7)]
    assert percent(scheduled, [done(0), done(4), done(7)], 13) == 75.0
    assert percent([], [done(0)], 13) is None


def test_a_session_moved_within_its_week_counts() -> None:
    assert percent([due(0)], [done(6)], 13) == 100.0
    assert percent([due(6)], [done(7)], 13) == 0.0


def test_one_session_done_stands_for_one_due() -> None:
    assert percent([due(0), due(2)], [done(0)], 13) == 50.0
    assert percent([due(0)], [done(0), done(1)], 13) == 100.0


def test_a_part_of_a_session_counts_as_a_part() -> None:
    assert percent([due(0, sets=20)], [done(0, completed_sets=15)], 13) == 75.0
    assert percent([due(0, sets=20)], [done(0, completed_sets=25)], 13) == 100.0


def test_a_session_of_this_week_is_open_not_missed() -> None:
    assert percent([due(0), due(7)], [done(0)], 10) == 100.0
    assert percent([due(0), due(7)], [done(0)], 14, window_days=21) == 50.0


def test_what_is_begun_today_is_judged_once_the_day_is_over() -> None:
    scheduled, begun = [due(0, sets=20), due(3, sets=20)], [done(0, "all", 20), done(3, "begun", 2)]
    assert percent(scheduled, begun, 3) == 100.0
    assert percent(scheduled, begun, 4) == pytest.approx(55.0)
    assert percent(scheduled[1:], begun[1:], 3) is None


def test_the_window_is_the_last_fourteen_days() -> None:
    assert percent([due(0), due(1)], [done(1)], 14) == 100.0
    assert percent([due(0), due(1)], [done(1)], 13) == 50.0
    assert percent([due(0), due(1)], [done(1)], 14, window_days=15) == 50.0


def test_a_log_is_matched_by_its_place_in_the_program_first() -> None:
    scheduled = [due(0, sets=20, week_number=1, day_number=1), due(2, sets=10, week_number=1, day_number=3)]
    sessions = [done(0, "legs", 10, week_number=1, day_number=3), done(2, "push", 20, week_number=1, day_number=1)]
    outcomes = match_sessions(scheduled, sessions, day(7))
    assert [(o.workout_id, o.share) for o in outcomes] == [("push", 1.0), ("legs", 1.0)]


def test_a_log_in_the_future_matches_nothing() -> None:
    assert percent([due(4)], [done(5)], 4) is None


def low(*percents: float | None) -> bool:
    weeks = []
    for number, value in enumerate(percents):
        adherence = workout_adherence([], [], as_of=day(0))
        week = WeekAdherence(week=day(7 * number), adherence=adherence)
        weeks.append(WeekAdherence(week=week.week, adherence=type(adherence)(done=0, due=1, percent=value)))
    return is_low(weeks)


def test_two_weeks_running_below_seventy_per_cent_are_low() -> None:
    assert low(69.9, 69.9)
    assert not low(69.9, 70.0)
    assert not low(70.0, 69.9)
    assert low(90.0, 50.0, 60.0)
    assert not low(60.0, None)
    assert not low(60.0)


def test_weeks_are_complete_iso_weeks() -> None:
    weeks = weekly_adherence([due(0), due(7), due(14)], [done(0), done(14)], as_of=day(16))
    assert [(week.week, week.adherence.percent) for week in weeks] == [(day(0), 100.0), (day(7), 0.0)]


def test_a_late_offline_log_withdraws_the_alert() -> None:
    scheduled, sessions = [due(0), due(7)], [done(8, "late")]
    assert is_low(weekly_adherence(scheduled, [], as_of=day(14)))
    assert not is_low(weekly_adherence(scheduled, sessions, as_of=day(14)))


def test_a_schedule_can_be_made_from_days_a_week() -> None:
    assert [s.date for s in weekly_schedule(4, day(0), day(6))] == [day(0), day(1), day(3), day(5)]
    assert [s.date for s in weekly_schedule(1, day(1), day(20))] == [day(7), day(14)]
    assert weekly_schedule(0, day(0), day(20)) == ()
    assert len(weekly_schedule(9, day(0), day(6))) == 7


@pytest.mark.parametrize(
    ("submitted", "expected"),
    [([7], 100.0), ([8], 100.0), ([9], 0.0), ([4], 100.0), ([3], 0.0), ([], 0.0)],
)
def test_a_check_in_is_on_time_until_a_day_after(submitted: list[int], expected: float) -> None:
    found = check_in_adherence([day(7)], [day(offset) for offset in submitted], as_of=day(14))
    assert (found.percent, found.due) == (expected, 1)


def test_a_due_day_is_judged_once_its_time_has_run_out() -> None:
    assert check_in_adherence([day(7)], [], as_of=day(8)).percent is None
    assert check_in_adherence([day(7)], [], as_of=day(9)).percent == 0.0
    assert check_in_adherence([day(7)], [day(6)], as_of=day(7)).percent == 100.0


def test_a_check_in_counts_for_one_due_day() -> None:
    assert check_in_adherence([day(7), day(9)], [day(8)], as_of=day(14)).percent == 50.0


def test_a_check_in_is_overdue_after_three_days() -> None:
    assert overdue_check_in([day(0)], [], day(2)) is None
    assert overdue_check_in([day(0)], [], day(3)) == day(0)
    assert overdue_check_in([day(0)], [day(3)], day(3)) is None
    assert overdue_check_in([day(0), day(7)], [day(0)], day(9)) is None
    assert overdue_check_in([day(0), day(7)], [day(0)], day(10)) == day(7)
    assert overdue_check_in([], [], day(10)) is None


def test_parts_that_do_not_apply_are_left_out_of_the_whole() -> None:
    assert overall_adherence(100.0, 50.0, 0.0) == pytest.approx(65.0)
    assert overall_adherence(100.0, None, 0.0) == pytest.approx(500 / 7)
    assert overall_adherence(None, 50.0, None) == pytest.approx(50.0)


def test_a_session_in_which_nothing_was_done_is_none() -> None:
    def read(record_sets: list[Mapping[str, Any]]) -> DoneSession | None:
        record = workout(day(0), {"Bench": record_sets}, program_id="p", week_number=2, day_number=1)
        return done_session("w", record, performed_sets("w", record))

    assert read(sets((100, 5), completed=False)) is None
    assert read(sets((100, 5), type="warmup")) is None
    session = read(sets((100, 5), (100, 5)))
    assert session is not None
    assert (session.completed_sets, session.program_id, session.week_number, session.day_number) == (2, "p", 2, 1)


@given(state=workout_states())
def test_reading_a_session_never_raises(state: dict[str, Any]) -> None:
    record = read_workout(state)
    session = done_session("w", record, performed_sets("w", record))
    assert session is None or session.completed_sets > 0


OFFSETS = st.lists(st.integers(0, 40), max_size=10, unique=True)


@given(OFFSETS, OFFSETS, st.integers(0, 45))
def test_one_more_session_never_lowers_adherence(scheduled: list[int], trained: list[int], as_of: int) -> None:
    sessions = [done(offset) for offset in trained]
    before = workout_adherence([due(offset) for offset in scheduled], sessions, as_of=day(as_of))
    after = workout_adherence([due(offset) for offset in scheduled], [*sessions, done(3, "more")], as_of=day(as_of))
    assert after.done >= before.done
    assert before.percent is None or after.percent is not None
    assert (after.percent or 0) >= (before.percent or 0)
    assert before.percent is None or 0 <= before.percent <= 100
