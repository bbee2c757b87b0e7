"""What holds for every file: rows are accounted for, ids survive a longer export, only an ImportFailed is raised."""

import csv
import io
import random
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from apex_client.importers import ImportFailed, ImportPlan, read_export
from apex_sync.models.workout import WORKOUT_LOGS

STRONG = "Date,Workout Name,Duration,Exercise Name,Set Order,Weight,Reps,Distance,Seconds,Notes,Workout Notes,RPE"
HEVY = (
    "title,start_time,end_time,description,exercise_title,superset_id,exercise_notes,set_index,set_type,weight_lbs,"
    "reps,distance_miles,duration_seconds,rpe"
)
FITNOTES = "Date,Exercise,Category,Weight,Weight Unit,Reps,Distance,Distance Unit,Time,Comment"

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
names = st.sampled_from(["Squat", "Press, seated", 'Row "wide"', "Zug\nenge", "卧推"])
numbers = st.sampled_from(["0", "0.0", "60", "62.5", "44.09245243697551", ""])
bad_numbers = st.sampled_from(["-3", "NaN", "inf", "1e999", "14", "99999999", "8.5", "½", "٣", "1_0", "0x10", "5+5"])
rpes = st.sampled_from(["", "8.5"])
cells = st.one_of(numbers, bad_numbers, texts)


def strong_rows(
    label: st.SearchStrategy[str], cell: st.SearchStrategy[str], reps: st.SearchStrategy[str]
) -> st.SearchStrategy[list[list[str]]]:
    start = st.sampled_from(["2025-06-03 20:23:00", "2025-06-04 07:00:00"])
    title = st.sampled_from(["A", "B"])
    row = st.tuples(start, title, st.just("30m"), names, label, cell, reps, cell, cell, texts, texts, rpes)
    return st.lists(row.map(list), max_size=30)


labels = st.sampled_from(["1", "2", "3", "W", "D", "F", "Rest Timer", "Note", "Pausa", ""])
set_labels = st.sampled_from(["1", "2", "3", "4", "W", "D", "Rest Timer"])
good_rows = strong_rows(set_labels, numbers, st.sampled_from(["0", "0.0", "8", "12.0", ""]))
any_rows = strong_rows(labels, cells, cells)


def written(header: str, rows: list[list[str]], delimiter: str = ",") -> bytes:
    buffer = io.StringIO()
    csv.writer(buffer, delimiter=delimiter).writerows([header.split(","), *rows])
    return buffer.getvalue().encode()


def accounted(plan: ImportPlan) -> int:
    kept = sum(workout.rows for workout in plan.workouts) + sum(workout.rows for workout in plan.quarantined)
    return kept + len(plan.skipped)


def within_bounds(plan: ImportPlan) -> None:
    for workout in plan.workouts:
        WORKOUT_LOGS.check_bounds(workout.patch)
        assert WORKOUT_LOGS.read(workout.patch)[1] == []


@given(rows=any_rows, delimiter=st.sampled_from([",", ";", "\t"]), accept=st.sampled_from([None, "once", "both"]))
def test_every_row_is_in_exactly_one_place(rows: list[list[str]], delimiter: str, accept: Any) -> None:
    plan = read_export(written(STRONG, rows, delimiter), unit="lb", accept_doubled=accept)
    assert plan.rows_read == len(rows) == accounted(plan)
    within_bounds(plan)
    skipped = [row.line for row in plan.skipped]
    assert skipped == sorted(set(skipped))


@given(rows=st.lists(st.lists(cells, min_size=14, max_size=14), max_size=10))
def test_any_cells_at_all_are_accounted_for(rows: list[list[str]]) -> None:
    for header in (STRONG, HEVY, FITNOTES):
        width = header.count(",") + 1
        blank = sum(not any(row[:width]) for row in rows)
        plan = read_export(written(header, [row[:width] for row in rows]), unit="kg")
        assert plan.rows_read == accounted(plan)
        assert plan.rows_read >= len(rows) - blank
        within_bounds(plan)


@settings(max_examples=300)
@given(junk=st.binary(max_size=400), cut=st.integers(0, 400), seed=st.integers(0, 1000))
@example(junk=b'"', cut=0, seed=0)
def test_any_bytes_give_a_plan_or_an_import_failed(junk: bytes, cut: int, seed: int) -> None:
    rows = [["2025-06-03 20:23:00", "A", "1h", "Row", str(n), "60", "8", "0", "0", "ü", "", "8"] for n in range(1, 6)]
    whole = written(random.Random(seed).choice([STRONG, HEVY, FITNOTES]), rows)
    for content in (junk, whole[:cut] + junk + whole[cut:], whole[:cut], STRONG.encode() + b"\n" + junk):
        try:
            plan = read_export(content, unit="kg")
        except ImportFailed:
            continue
        assert plan.rows_read == accounted(plan)
        within_bounds(plan)


@given(rows=good_rows, cut=st.integers(0, 30))
def test_a_longer_export_keeps_every_id_and_every_value(rows: list[list[str]], cut: int) -> None:
    """Sets keep record, key and leaves; only their place in the order may be written longer."""
    shorter, longer = (sets_by_id(written(STRONG, part)) for part in (rows[:cut], rows))
    assert shorter.items() <= longer.items()


@given(rows=good_rows, seed=st.integers(0, 1000))
def test_the_order_of_sessions_in_the_file_changes_no_id(rows: list[list[str]], seed: int) -> None:
    """Hevy writes the newest session first: a later export has other rows above the known ones."""
    sessions: dict[tuple[str, str], list[list[str]]] = {}
    for row in rows:
        sessions.setdefault((row[0], row[1]), []).append(row)
    shuffled = list(sessions.values())
    random.Random(seed).shuffle(shuffled)
    assert sets_by_id(written(STRONG, rows)) == sets_by_id(
        written(STRONG, [row for session in shuffled for row in session])
    )


@given(rows=good_rows)
def test_rest_timers_change_no_id(rows: list[list[str]]) -> None:
    without = [row for row in rows if row[4] != "Rest Timer"]
    assert sets_by_id(written(STRONG, rows)) == sets_by_id(written(STRONG, without))


@given(rows=good_rows)
def test_a_file_written_twice_over_is_quarantined_and_once_gives_the_first_copy(rows: list[list[str]]) -> None:
    sessions: dict[tuple[str, str], list[list[str]]] = {}
    for row in rows:
        if row[4] != "Rest Timer":
            sessions.setdefault((row[0], row[1]), []).append(row)
    doubled = [row for session in sessions.values() for row in (*session, *reformatted(session))]
    once = read_export(written(STRONG, doubled), unit="kg", accept_doubled="once")
    assert len(once.workouts) == len(sessions)
    assert once.rows_read == accounted(once)
    both = read_export(written(STRONG, doubled), unit="kg", accept_doubled="both")
    assert sum(workout.sets for workout in both.workouts) == len(doubled)
    asked = read_export(written(STRONG, doubled), unit="kg")
    assert len(asked.workouts) + len(asked.quarantined) == len(sessions)
    assert len(once.skipped) * 2 >= sum(workout.rows for workout in asked.quarantined)


def reformatted(rows: list[list[str]]) -> list[list[str]]:
    """Write the numbers in the other form, as the real second copies do."""
    return [[{"0": "0.0", "0.0": "0", "60": "60.0"}.get(cell, cell) for cell in row] for row in rows]


def sets_by_id(content: bytes) -> dict[tuple[str, str], Any]:
    plan = read_export(content, unit="kg", accept_doubled="both")
    return {
        (workout.record_id, key): tuple(sorted((name, value) for name, value in leaves.items() if name != "order"))
        for workout in plan.workouts
        for key, leaves in workout.patch["sets"].items()
    }
