"""How a client stands follows from the last weeks alone, and what the coach set goes before it."""

from datetime import date, timedelta
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from apex_sync.coaching.adherence import DoneSession
from apex_sync.coaching.client_standing import (
    ClientFacts,
    Status,
    check_ins_due,
    client_standing,
    first_day_needed,
)
from apex_sync.coaching.plan import ScheduledSession

TODAY = date(2026, 3, 18)
"""A Wednesday."""


def ago(days: int) -> date:
    return TODAY - timedelta(days=days)


def sessions(*days_ago: int) -> list[DoneSession]:
    return [DoneSession(workout_id=f"w{days}", date=ago(days), completed_sets=10) for days in days_ago]


def due(*days_ago: int) -> list[ScheduledSession]:
    return [ScheduledSession(date=ago(days)) for days in days_ago]


days_back = st.lists(st.integers(0, 60), max_size=20)
facts = st.builds(
    ClientFacts,
    as_of=st.just(TODAY),
    since=st.integers(0, 400).map(ago),
    scheduled=days_back.map(lambda days: due(*days)),
    done=days_back.map(lambda days: sessions(*days)),
    check_ins=st.lists(st.integers(0, 400).map(ago), max_size=30),
    last_workout=st.none() | st.integers(0, 400).map(ago),
    check_in_day_number=st.none() | st.integers(1, 7),
    nutrition_percent=st.none() | st.floats(0, 100),
    critical_insights=st.integers(0, 3),
    status_set=st.none() | st.sampled_from(get_args(Status)),
)


@given(facts)
def test_every_client_stands_somewhere_and_percents_are_percents(known: ClientFacts) -> None:
    standing = client_standing(known)
    parts = (standing.adherence.workouts, standing.adherence.check_ins, standing.adherence.overall)
    assert all(percent is None or 0 <= percent <= 100 for percent in parts)
    assert known.status_set is None or standing.status == known.status_set
    assert (standing.status == "active") >= (not standing.reasons)


@given(facts)
def test_whoever_checks_in_today_is_neither_late_nor_silent(known: ClientFacts) -> None:
    standing = client_standing(
        ClientFacts(as_of=TODAY, since=known.since, check_ins=[*known.check_ins, TODAY], done=known.done)
    )
    assert standing.status == "active"
    assert TODAY < standing.next_check_in_due <= TODAY + timedelta(days=7)


@given(facts, st.integers(0, 60))
def test_a_session_that_arrives_late_never_lowers_adherence(known: ClientFacts, days: int) -> None:
    """Offline devices bring what was done; nobody may stand worse for it."""
    more = ClientFacts(as_of=TODAY, since=known.since, scheduled=known.scheduled, done=[*known.done, *sessions(days)])
    less = ClientFacts(as_of=TODAY, since=known.since, scheduled=known.scheduled, done=known.done)
    before, after = client_standing(less).adherence.workouts, client_standing(more).adherence.workouts
    assert before is None or (after is not None and after >= before - 1e-9)


@pytest.mark.parametrize(
    ("last_check_in", "status"), [(7, "active"), (8, "active"), (9, "overdue"), (10, "needs-attention")]
)
def test_a_check_in_is_late_after_a_day_and_a_matter_for_the_coach_after_three(last_check_in: int, status: str) -> None:
    standing = client_standing(ClientFacts(as_of=TODAY, since=ago(100), check_ins=[ago(last_check_in)]))
    assert standing.status == status


def test_four_weeks_of_silence_are_inactive_whatever_else_is_missed() -> None:
    silent = ClientFacts(as_of=TODAY, since=ago(100), check_ins=[ago(28)], last_workout=ago(30))
    assert client_standing(silent).status == "inactive"
    assert client_standing(ClientFacts(as_of=TODAY, since=ago(27))).status == "needs-attention"


def test_few_sessions_two_weeks_running_need_attention() -> None:
    scheduled = due(15, 13, 11, 8, 6, 4)
    known = ClientFacts(as_of=TODAY, since=ago(3), scheduled=scheduled)
    assert client_standing(replace(known, done=sessions(15, 8))).reasons == ("low_adherence",)
    assert client_standing(replace(known, done=sessions(15, 13, 11, 8))).status == "active"


def test_a_critical_insight_needs_attention_and_the_coach_may_say_otherwise() -> None:
    known = ClientFacts(as_of=TODAY, since=ago(1), critical_insights=1)
    assert client_standing(known).status == "needs-attention"
    said = client_standing(replace(known, status_set="active"))
    assert (said.status, said.reasons) == ("active", ("set_by_coach", "critical_insight"))


@given(st.lists(st.integers(0, 100).map(ago), max_size=20))
def test_a_check_in_each_week_is_all_that_was_due(handed_in: list[date]) -> None:
    weekly = [ago(weeks * 7) for weeks in range(10)]
    assert check_ins_due(ago(70), weekly, TODAY) == weekly[::-1]
    asked = check_ins_due(ago(100), handed_in, TODAY)
    assert asked == sorted(asked)
    assert len(asked) <= 100 // 7 + len(handed_in)


@given(st.integers(0, 100).map(ago), st.integers(1, 7))
def test_where_the_profile_names_a_day_check_ins_are_due_on_it(since: date, day_number: int) -> None:
    asked = check_ins_due(since, [], TODAY, day_number)
    assert all(on.isoweekday() == day_number and since < on <= TODAY for on in asked)
    assert len(asked) in ((TODAY - since).days // 7, (TODAY - since).days // 7 + 1)
    standing = client_standing(ClientFacts(as_of=TODAY, since=since, check_in_day_number=day_number))
    assert standing.next_check_in_due.isoweekday() == day_number
    assert (standing.next_check_in_due < TODAY) == any(on < TODAY for on in asked)


@given(st.dates(date(2000, 1, 1), date(2050, 1, 1)))
def test_what_is_read_covers_two_weeks_back_and_two_complete_weeks(as_of: date) -> None:
    first = first_day_needed(as_of)
    assert first.weekday() == 0
    assert timedelta(days=14) <= as_of - first <= timedelta(days=20)
