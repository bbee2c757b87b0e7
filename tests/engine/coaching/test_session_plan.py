"""A day of a program as it is trained: groups, their rounds, and what comes after each set."""

from typing import Any

import pytest

from apex_sync.coaching.session_plan import PlannedDay, label_in_log, next_after, planned_days
from apex_sync.models import PROGRAMS

PROGRAM: dict[str, Any] = {
    "start_date": "2026-03-04",
    "end_date": "2026-03-15",
    "weeks": {"w1": {"week_number": 1}, "w2": {"week_number": 2}},
    "days": {"d": {"week": "w2", "day_number": 1, "name": "Push"}},
    "exercises": {
        "c2": {"day": "d", "name": "Swing", "circuit_order": 2, "rest_seconds": 60, "order": "1"},
        "a1": {"day": "d", "name": "Press", "superset": "A", "order": "2"},
        "b": {"day": "d", "name": "Dip", "rest_seconds": 120, "order": "3"},
        "a2": {"day": "d", "name": "Row", "superset": "A", "rest_seconds": 90, "order": "4"},
        "c1": {"day": "d", "name": "Push-up", "circuit_order": 1, "order": "5"},
    },
    "sets": {f"{key}{n}": {"exercise": key, "reps_min": 8} for key in ("a1", "a2", "b", "c1", "c2") for n in (1, 2)},
}


def day_of(program: dict[str, Any]) -> PlannedDay:
    [day] = planned_days(PROGRAMS.read(program)[0])
    return day


def test_a_group_stands_where_its_first_exercise_does_and_a_circuit_in_its_own_order() -> None:
    day = day_of(PROGRAM)
    assert [(group.kind, label_in_log(group), [work.key for work in group.works]) for group in day.groups] == [
        ("circuit", "circuit", ["c1", "c2"]), ("superset", "A", ["a1", "a2"]), ("straight", None, ["b"]),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("done", "after", "following"),
    [
        ({"c1": 1}, "c1", ("c2", None)),
        ({"c1": 1, "c2": 1}, "c2", ("c1", 60)),
        ({"c1": 2, "c2": 2}, "c2", ("a1", 60)),
        ({"a1": 2}, "a1", ("a2", None)),
        ({"c1": 2, "c2": 2, "a1": 2, "a2": 2, "b": 1}, "b", ("b", 120)),
        ({"a1": 2, "a2": 2, "b": 2}, "b", ("c1", 120)),
        ({"c1": 2, "c2": 2, "a1": 2, "a2": 2, "b": 3}, "b", None),
    ],
)
def test_nobody_rests_within_a_round_and_what_was_left_out_comes_last(
    done: dict[str, int], after: str, following: tuple[str, int | None] | None
) -> None:
    day = day_of(PROGRAM)
    work = next(work for group in day.groups for work in group.works if work.key == after)
    found = next_after(day, work, done)
    assert (None if found is None else (found.work.key, found.rest_seconds)) == following


@pytest.mark.parametrize(
    ("planned", "rest_seconds"),
    [
        ({"type": "working"}, 120),
        ({"type": "dropset"}, None),
        ({"type": "dropset", "rest_before_seconds": 10}, 10),
        ({"type": "working", "rest_before_seconds": 240}, 240),
        ({"type": "working", "rest_before_seconds": 0}, 0),
    ],
)
def test_a_set_that_names_its_own_rest_has_it_and_a_drop_set_has_none(
    planned: dict[str, Any], rest_seconds: int | None
) -> None:
    sets = {"b1": {"exercise": "b", "order": "1"}, "b2": {"exercise": "b", "order": "2", **planned}}
    day = day_of(PROGRAM | {"exercises": {"b": PROGRAM["exercises"]["b"]}, "sets": sets})
    [work] = day.groups[0].works
    following = next_after(day, work, {"b": 1})
    assert following is not None
    assert following.rest_seconds == rest_seconds


def test_a_program_that_breaks_every_bound_can_be_shown() -> None:
    odd = {
        "weeks": {"w": {"week_number": 1}},
        "days": {"d": {"week": "w", "day_number": 3}, "x": {"week": "w", "day_number": 9}},
        "exercises": {"e": {"day": "d", "superset": "A", "circuit_order": -4, "rest_seconds": 10**9}},
        "sets": {"s": {"exercise": "e", "type": "cluster", "reps_min": -1, "load_kg": 1e9}},
    }
    record, problems = PROGRAMS.read(odd)
    assert any(problem.field == "exercises.e.superset" for problem in problems)
    [day] = planned_days(record)
    assert (day.groups[0].kind, day.groups[0].works[0].sets[0].type) == ("straight", "cluster")
