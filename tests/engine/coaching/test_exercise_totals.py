"""Totals of an exercise in a session are what the rules find in its sets, and parts merge to the whole."""

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apex_sync.coaching.exercise_totals import HardSet, exercise_totals, merged_totals
from apex_sync.coaching.exposures import Exposure, session_best, top_set
from apex_sync.coaching.sets import PerformedSet

SETS = st.lists(
    st.builds(
        HardSet,
        share=st.sampled_from([0.5, 1.0, 1.0]),
        reps=st.sampled_from([1, 5, 5, 8, 11, 12, 13]),
        load_kg=st.sampled_from([None, -20.0, 0.0, 100.0, 100.0, 102.5]),
        rpe=st.sampled_from([None, 6.0, 6.5, 8.0, 9.25, 10.0]),
    ),
    min_size=1,
    max_size=8,
)


def exposure_of(sets: list[HardSet]) -> Exposure:
    on = datetime.date(2026, 3, 1)
    performed = (
        PerformedSet(
            workout_id="w", set_key=f"s{place}", exercise_key="e", exercise_id=None, exercise_name="Row", date=on,
            performed_at=str(on), position=place, type="dropset", reps=each.reps, load_kg=each.load_kg,
            load_unit="kg", rpe=each.rpe, rir=None, completed=True, later_drop=each.share < 1,
        )
        for place, each in enumerate(sets)
    )  # fmt: skip
    return Exposure("w", on, str(on), tuple(performed))


@given(SETS)
def test_they_are_what_the_rules_find_in_the_sets(sets: list[HardSet]) -> None:
    found, exposure = exercise_totals(sets), exposure_of(sets)
    top = top_set(exposure)
    assert (found.top_load_kg, found.top_reps, found.top_rpe) == (top.load_kg, top.reps, top.rpe)
    for estimate, formula in ((found.epley, "epley"), (found.rpe_table, "rpe_table")):
        best = session_best(exposure, formula)  # type: ignore[arg-type]
        assert estimate == (best.estimate if best else None)
    assert found.hard_sets == sum(each.share for each in sets)
    assert found.volume_load_kg == pytest.approx(sum(each.reps * max(0.0, each.load_kg or 0.0) for each in sets))


@given(SETS, SETS)
def test_parts_merge_to_the_whole(first: list[HardSet], second: list[HardSet]) -> None:
    assert merged_totals(exercise_totals(first), exercise_totals(second)) == exercise_totals([*first, *second])
