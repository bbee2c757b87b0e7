"""The rows an app queries say what the analysis says, whatever a record holds."""

import string
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from apex_client.rows import COLUMNS, project
from apex_sync.coaching.session import session_totals
from apex_sync.coaching.sets import performed_sets
from apex_sync.models import COLLECTIONS, WORKOUT_LOGS

keys = st.sampled_from(list(string.ascii_lowercase[:4]))
order = st.sampled_from(["a", "b", "c", None])
flag = st.sampled_from([True, False, None])
logged_set = st.fixed_dictionaries(
    {},
    optional={
        "exercise": keys,
        "order": order,
        "deleted": flag,
        "completed": flag,
        "type": st.sampled_from(["warmup", "working", "dropset", None, "unheard of"]),
        "reps": st.sampled_from([None, 0, 1, 8, 1000, 1001, -1]),
        "load_kg": st.sampled_from([None, 0, -20, 100, 102.5, 2000, 2001]),
        "rpe": st.sampled_from([None, 0, 1, 5.5, 6, 8.5, 10, 11]),
        "rir": st.sampled_from([None, -1, 0, 1, 4, 5, 30, 31]),
    },
)
logged_exercise = st.fixed_dictionaries(
    {}, optional={"order": order, "deleted": flag, "skipped": flag, "name": st.sampled_from(["Squat", None])}
)
workouts = st.fixed_dictionaries(
    {},
    optional={
        "sets": st.dictionaries(keys, logged_set),
        "exercises": st.dictionaries(keys, logged_exercise),
        "deleted": flag,
    },
)


@given(state=workouts)
def test_sets_volume_and_effort_are_those_of_the_analysis(state: dict[str, Any]) -> None:
    record, _ = WORKOUT_LOGS.read(state)
    sets = performed_sets("id", record)
    totals = session_totals(sets)
    rows, _ = project("workout_logs", (1, 1, "id"), state)
    if state.get("deleted") is True:
        assert rows == {} and sets == []
        return
    (row,) = (dict(zip(COLUMNS["workout_log_rows"], row, strict=True)) for row in rows["workout_log_rows"])
    assert row["set_count"] == totals.sets_logged
    assert abs(row["volume_load_kg"] - totals.volume_load_kg) < 1e-6
    assert (row["average_rpe"] is None) == (totals.average_rpe is None)
    if totals.average_rpe is not None:
        assert abs(row["average_rpe"] - totals.average_rpe) < 1e-9
    set_rows = [dict(zip(COLUMNS["logged_set_rows"], found, strict=False)) for found in rows["logged_set_rows"]]
    assert {(found["key"], found["completed"]) for found in set_rows} == {(s.set_key, s.completed) for s in sets}
    known = [found["key"] for found in set_rows if found["exercise_key"] in state.get("exercises", {})]
    assert known == [s.set_key for s in sets if s.exercise_key in state.get("exercises", {})]


def test_every_table_has_a_collection_and_rows_of_its_width() -> None:
    for name in COLLECTIONS:
        rows, _ = project(name, (1, 2, "id"), {})
        for table, found in rows.items():
            assert all(len(row) == len(COLUMNS[table]) for row in found)
