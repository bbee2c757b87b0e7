"""Personal records by event time: what makes one, what ties, and what a late set cancels."""

import datetime
import random

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from apex_sync.coaching.records import LOAD_TOLERANCE_KG, PersonalRecord, personal_records, record_as_shown
from apex_sync.coaching.sets import PerformedSet
from tests.engine.coaching.logs import Set, day, performed_on, sets


def history(*sessions: tuple[int, list[Set]]) -> list[PerformedSet]:
    return [performed for offset, logged in sessions for performed in performed_on(day(offset), logged)]


def kinds(records: list[PersonalRecord], on: datetime.date) -> set[str]:
    return {record.kind for record in records if record.date == on}


def test_the_first_session_is_what_later_ones_are_measured_against() -> None:
    assert personal_records(history((0, sets((100, 5), (110, 5))))) == []


def test_a_heavier_load_is_a_load_record() -> None:
    (record,) = [
        r for r in personal_records(history((0, sets((100, 5))), (7, sets((102.5, 1))))) if r.kind == "load_pr"
    ]
    assert (record.value, record.previous, record.unit, record.set_key) == (102.5, 100.0, "kg", "s0-0")


def test_a_tie_is_no_record() -> None:
    assert personal_records(history((0, sets((100, 5), (90, 8))), (7, sets((100, 5), (90, 8))))) == []


def test_pounds_rounded_differently_by_two_apps_are_a_tie() -> None:
    assert personal_records(history((0, sets((102.05828325, 5))), (7, sets((102.1, 5))))) == []
    assert kinds(personal_records(history((0, sets((100.0, 5))), (7, sets((100.25, 5))))), day(7)) >= {"load_pr"}


def test_more_reps_at_a_load_done_before_or_at_a_lighter_one_are_a_repetition_record() -> None:
    before = (0, sets((100, 5)))
    assert "rep_pr" in kinds(personal_records(history(before, (7, sets((100, 6))))), day(7))
    assert "rep_pr" in kinds(personal_records(history(before, (7, sets((80, 6))))), day(7))
    assert "rep_pr" not in kinds(personal_records(history(before, (7, sets((80, 5))))), day(7))


def test_a_repetition_record_names_the_reps_it_beat() -> None:
    records = personal_records(history((0, sets((100, 5), (110, 3))), (7, sets((105, 4)))))
    assert [(r.value, r.previous, r.load_kg, r.unit) for r in records if r.kind == "rep_pr"] == [
        (4.0, 3.0, 105.0, "reps")
    ]


def test_a_first_set_at_a_new_load_is_no_repetition_record() -> None:
    assert "rep_pr" not in kinds(personal_records(history((0, sets((100, 5))), (7, sets((110, 6))))), day(7))


def test_an_estimated_maximum_must_be_beaten_by_more_than_one_per_cent() -> None:
    baseline = (0, sets((100, 5)))  # Epley: 116.67
    assert "e1rm_pr" not in kinds(personal_records(history(baseline, (7, sets((101.0, 5))))), day(7))
    assert "e1rm_pr" in kinds(personal_records(history(baseline, (7, sets((101.1, 5))))), day(7))


def test_sets_of_more_than_ten_reps_make_no_record_of_estimated_maximum() -> None:
    assert "e1rm_pr" not in kinds(personal_records(history((0, sets((50, 5))), (7, sets((50, 11))))), day(7))
    assert "e1rm_pr" in kinds(personal_records(history((0, sets((50, 5))), (7, sets((50, 10))))), day(7))


def test_reported_effort_alone_makes_no_record() -> None:
    assert personal_records(history((0, sets((100, 5), rpe=10)), (7, sets((100, 5), rpe=6)))) == []


def test_volume_records_are_of_a_session_and_of_a_set() -> None:
    records = personal_records(history((0, sets((100, 5))), (7, sets((90, 5), (90, 5)))))
    assert kinds(records, day(7)) == {"volume_pr"}
    (volume,) = records
    assert (volume.value, volume.previous, volume.set_key) == (900.0, 500.0, None)
    assert "set_volume_pr" in kinds(personal_records(history((0, sets((100, 5))), (7, sets((60, 10))))), day(7))


def test_a_session_holds_one_record_of_a_kind_the_best() -> None:
    records = personal_records(history((0, sets((100, 5))), (7, sets((105, 1), (110, 1), (107.5, 1)))))
    assert [r.value for r in records if r.kind == "load_pr"] == [110.0]


def test_less_assistance_is_a_heavier_load() -> None:
    records = personal_records(history((0, sets((-20.0, 8))), (7, sets((-10.0, 8)))))
    assert kinds(records, day(7)) == {"load_pr"}


def test_body_weight_sets_make_repetition_records() -> None:
    assert kinds(personal_records(history((0, sets((None, 8))), (7, sets((None, 9))))), day(7)) == {"rep_pr"}


def test_warm_ups_undone_sets_and_sets_without_a_day_make_no_record() -> None:
    first = (0, sets((100, 5)))
    for leaves in ({"type": "warmup"}, {"completed": False}, {"rpe": 5}):
        assert personal_records(history(first, (7, sets((120, 5), **leaves)))) == []
    undated = performed_on(day(0), sets((100, 5)))
    nowhere = [replace(s, date=None, performed_at="", load_kg=200.0) for s in undated]
    assert personal_records(undated + nowhere) == []


def test_a_late_set_with_an_earlier_time_cancels_a_record() -> None:
    known = history((0, sets((100, 5))), (14, sets((110, 5))))
    assert "load_pr" in kinds(personal_records(known), day(14))
    late = performed_on(day(7), sets((115, 5)))
    after = personal_records(known + late)
    assert "load_pr" not in kinds(after, day(14))
    assert "load_pr" in kinds(after, day(7))


def test_two_sessions_of_one_day_are_ordered_by_their_start() -> None:
    def at(time: str, load: float) -> list[PerformedSet]:
        found = performed_on(day(7), sets((load, 5)), workout_id=f"w-{time}")
        return [replace(s, performed_at=f"{day(7)}T{time}") for s in found]

    base = history((0, sets((100, 5))))
    morning_heavier = personal_records([*base, *at("18:00", 105), *at("08:00", 110)])
    assert [r.workout_id for r in morning_heavier if r.kind == "load_pr"] == ["w-08:00"]
    evening_heavier = personal_records([*base, *at("18:00", 110), *at("08:00", 105)])
    assert [r.workout_id for r in evening_heavier if r.kind == "load_pr"] == ["w-08:00", "w-18:00"]


SESSIONS = st.lists(
    st.tuples(
        st.integers(1, 60),
        st.lists(
            st.tuples(st.sampled_from([-10.0, 0.0, 60.0, 60.04, 100.0, 102.5, 140.0]), st.integers(0, 13)), max_size=4
        ),
    ),
    max_size=8,
    unique_by=lambda session: session[0],
)


@given(SESSIONS, st.integers(0, 99))
def test_the_order_in_which_sets_arrive_changes_nothing(
    sessions: list[tuple[int, list[tuple[float, int]]]], seed: int
) -> None:
    performed = history(*((offset, sets(*pairs)) for offset, pairs in sessions))
    assert personal_records(random.Random(seed).sample(performed, len(performed))) == personal_records(performed)


@given(SESSIONS, st.integers(0, 61), st.tuples(st.sampled_from([60.0, 100.0, 200.0]), st.integers(1, 13)))
def test_a_late_session_gives_no_record_to_a_later_session_that_held_none(
    sessions: list[tuple[int, list[tuple[float, int]]]], offset: int, late: tuple[float, int]
) -> None:
    known = history((-1, sets((20, 1))), *((at, sets(*pairs)) for at, pairs in sessions))
    arrived = performed_on(day(offset), sets(late), workout_id="late")
    held = {record.workout_id for record in personal_records(known)}
    held_after = {record.workout_id for record in personal_records(known + arrived)} - {"late"}
    assert held_after <= held


@given(SESSIONS)
def test_records_agree_with_a_naive_reading_of_the_definition(
    sessions: list[tuple[int, list[tuple[float, int]]]],
) -> None:
    ordered = sorted((at, [(load, reps) for load, reps in pairs if reps]) for at, pairs in sessions)
    ordered = [(at, pairs) for at, pairs in ordered if pairs]
    expected: set[tuple[str, int]] = set()
    for number, (at, pairs) in enumerate(ordered):
        earlier = [pair for _, before in ordered[:number] for pair in before]
        if not earlier:
            continue
        if max(load for load, _ in pairs) > max(load for load, _ in earlier) + LOAD_TOLERANCE_KG:
            expected.add(("load_pr", at))
        for load, reps in pairs:
            at_least = [r for other, r in earlier if other >= load - LOAD_TOLERANCE_KG]
            if at_least and reps > max(at_least):
                expected.add(("rep_pr", at))
    found = personal_records(history(*((at, sets(*pairs)) for at, pairs in sessions)))
    assert {(r.kind, (r.date - day(0)).days) for r in found if r.kind in ("load_pr", "rep_pr")} == expected


def test_an_estimated_maximum_says_by_what_formula_it_is_and_nothing_measured_does() -> None:
    records = personal_records(history((0, sets((100, 5), rpe=8)), (7, sets((105, 6), rpe=8))))
    assert {(r.kind, r.formula) for r in records if r.kind in ("load_pr", "e1rm_pr")} == {
        ("load_pr", None),
        ("e1rm_pr", "epley"),
    }


def test_a_record_of_pounds_is_shown_to_the_gram() -> None:
    records = personal_records(history((0, sets((102.05828325, 5))), (7, sets((104.32624510, 5)))))
    shown = [record_as_shown(record) for record in records if record.kind == "load_pr"]
    assert [(r.value, r.previous, r.load_kg) for r in shown] == [(104.326, 102.058, 104.326)]
