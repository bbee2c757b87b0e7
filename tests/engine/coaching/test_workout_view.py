"""A workout in the shape people read, and back from that shape to the smallest patch."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apex_sync.coaching.drafts import InvalidDraft, check_draft, orders_for
from apex_sync.coaching.records import personal_records
from apex_sync.coaching.sets import performed_sets
from apex_sync.coaching.workout_draft import workout_patch
from apex_sync.coaching.workout_view import (
    EXERCISE_FIELDS,
    SET_FIELDS,
    WRITTEN_FIELDS,
    ExerciseDraft,
    SetDraft,
    WorkoutDraft,
    workout_view,
)
from apex_sync.collection import Entry, Record
from apex_sync.fold import fold
from apex_sync.models.workout import WORKOUT_LOGS, LoggedExercise, LoggedSet, WorkoutLog
from apex_sync.op import Patch, StampedWrite

ID = "0190a8b0-0000-7000-8000-000000000001"
BENCH: dict[str, Any] = {
    "name": "Bench Press",
    "sets": [{"reps": 8, "load": 100, "rpe": 8}, {"reps": 6, "load": 102.5, "rpe": 9}],
}
SQUAT: dict[str, Any] = {"name": "Squat", "sets": [{"reps": 5, "load": 225, "load_unit": "lb"}]}


def read(*patches: Patch) -> Record:
    """Fold patches, each made after the one before."""
    writes = [StampedWrite(n + 1, 1, n, 0, {}, patch) for n, patch in enumerate(patches)]
    return WORKOUT_LOGS.read(fold(writes).state)[0]


def show(record: Record) -> dict[str, Any]:
    """Give the view as it travels."""
    view: dict[str, Any] = msgspec.to_builtins(workout_view(ID, record))
    return view


def logged(*exercises: dict[str, Any], **fields: Any) -> Patch:
    """Give the patch that a new workout is."""
    draft = workout_patch(ID, {"exercises": list(exercises), **fields}, WorkoutLog())
    check_draft(WORKOUT_LOGS, draft)
    return draft.patch


def change(base: Patch, draft: dict[str, Any]) -> Patch:
    """Give what a draft changes about a workout."""
    return workout_patch(ID, draft, read(base)).patch


def test_exercises_and_sets_come_in_order_and_are_numbered() -> None:
    view = show(read(logged(BENCH, SQUAT, date="2026-03-01")))

    assert [exercise["name"] for exercise in view["exercises"]] == ["Bench Press", "Squat"]
    assert [(s["set_number"], s["reps"], s["load_kg"]) for s in view["exercises"][0]["sets"]] == [
        (1, 8, 100),
        (2, 6, 102.5),
    ]


def test_a_load_shows_back_as_it_was_typed() -> None:
    [squat] = show(read(logged(SQUAT)))["exercises"]
    assert squat["sets"][0].items() >= {"load": 225, "load_unit": "lb", "load_kg": 102.058283}.items()


def test_totals_are_derived_from_the_sets() -> None:
    view = show(read(logged(BENCH)))
    assert (view["total_volume_load_kg"], view["average_rpe"]) == (8 * 100 + 6 * 102.5, 8.5)


def test_records_of_the_session_mark_its_exercises() -> None:
    first, second = (
        read(logged(BENCH, date="2026-03-01")),
        read(logged(BENCH | {"sets": [{"reps": 8, "load": 110}]}, date="2026-03-08")),
    )
    records = personal_records([*performed_sets("earlier", first), *performed_sets(ID, second)])

    view = workout_view(ID, second, records=records)

    assert view.exercises[0].personal_record
    assert "load_pr" in {mark.kind for mark in view.personal_records or ()}
    assert not workout_view("earlier", first, records=records).exercises[0].personal_record


def test_skipped_exercises_are_named_and_their_sets_are_not_done() -> None:
    view = show(read(logged(BENCH | {"skipped": True})))
    assert view["skipped_exercises"] == ["Bench Press"]
    assert view["total_volume_load_kg"] == 0


def test_sets_that_lost_their_exercise_come_last_and_stay_when_sent_back() -> None:
    record = read(logged(SQUAT), {"sets": {"a": {"exercise": "gone", "reps": 5}}})
    view = show(record)
    assert [exercise["name"] for exercise in view["exercises"]] == ["Squat", None]
    assert workout_patch(ID, view, record).patch == {}


@given(st.data())
def test_what_is_read_and_sent_back_changes_nothing(data: st.DataObject) -> None:
    record = read(data.draw(patches))
    assert workout_patch(ID, show(record), record).patch == {}


KEYS = st.sampled_from(["a", "b", "c", "d"])
ORDERS = st.sampled_from(["1", "2", "i", "", "A?"])
patches = st.fixed_dictionaries(
    {},
    optional={
        "fatigue": st.integers(0, 14),
        "notes": st.none() | st.text(max_size=5),
        "exercises": st.dictionaries(
            KEYS,
            st.fixed_dictionaries(
                {},
                optional={
                    "name": st.sampled_from(["Squat", "Bench", None]),
                    "order": ORDERS,
                    "deleted": st.booleans(),
                    "skipped": st.booleans(),
                },
            ),
        ),
        "sets": st.dictionaries(
            KEYS,
            st.fixed_dictionaries(
                {},
                optional={
                    "exercise": KEYS | st.none(),
                    "order": ORDERS,
                    "deleted": st.booleans(),
                    "reps": st.integers(-5, 5000),
                    "load_kg": st.none() | st.floats(-1, 3000),
                    "load": st.none() | st.floats(-1, 3000),
                    "load_unit": st.sampled_from(["kg", "lb", None]),
                    "completed": st.booleans() | st.none(),
                    "type": st.sampled_from(["warmup", "working", "of the future"]),
                },
            ),
        ),
    },
)


@given(patches, st.permutations(["a", "b", "c", "d"]), st.integers(0, 14))
def test_a_draft_becomes_what_it_says(base: Patch, wanted_order: list[str], fatigue: int) -> None:
    record = read(base)
    view = show(record)
    named = [exercise for exercise in view["exercises"] if exercise["id"]]
    strays = [exercise for exercise in view["exercises"] if not exercise["id"]]
    draft = view | {
        "fatigue": fatigue,
        "exercises": sorted(named, key=lambda exercise: wanted_order.index(exercise["id"])) + strays,
    }

    shown = show(read(base, workout_patch(ID, draft, record).patch))

    assert shown["fatigue"] == fatigue
    assert shown["exercises"] == draft["exercises"]


def test_one_changed_value_is_one_leaf() -> None:
    base = logged(BENCH, SQUAT, fatigue=5)
    view = show(read(base))
    view["exercises"][0]["sets"][1]["reps"] = 7
    key = view["exercises"][0]["sets"][1]["id"]
    assert change(base, view) == {"sets": {key: {"reps": 7}}}


def test_a_draft_without_ids_speaks_of_the_entries_at_the_same_places() -> None:
    base = logged(BENCH, SQUAT)
    heavier = BENCH | {"sets": [BENCH["sets"][0], {"reps": 6, "load": 105, "rpe": 9}]}
    patch = change(base, {"exercises": [heavier, SQUAT]})
    assert list(patch) == ["sets"]
    [entry] = patch["sets"].values()
    assert entry == {"load_kg": 105, "load": None, "load_unit": None}


def test_the_same_draft_makes_the_same_ids() -> None:
    assert logged(BENCH, SQUAT) == logged(BENCH, SQUAT)


def test_a_set_that_is_left_out_is_removed_and_comes_back_when_named() -> None:
    base = logged(BENCH)
    whole = show(read(base))
    key = whole["exercises"][0]["sets"][1]["id"]
    shorter = whole | {"exercises": [whole["exercises"][0] | {"sets": whole["exercises"][0]["sets"][:1]}]}

    removal = change(base, shorter)

    assert removal == {"sets": {key: {"deleted": True}}}
    removed = read(base, removal)
    assert workout_patch(ID, whole, removed).patch["sets"][key]["deleted"] is False


def test_an_exercise_that_is_left_out_takes_its_sets_with_it() -> None:
    base = logged(BENCH, SQUAT)
    view = show(read(base))
    key = view["exercises"][0]["id"]
    assert change(base, view | {"exercises": view["exercises"][1:]}) == {"exercises": {key: {"deleted": True}}}


def test_a_set_moves_between_exercises_by_one_leaf_and_its_order() -> None:
    base = logged(BENCH, SQUAT)
    view = show(read(base))
    bench, squat = view["exercises"]
    moved = bench["sets"].pop()
    squat["sets"].append(moved)
    patch = change(base, view)
    assert patch.keys() == {"sets"}
    assert patch["sets"][moved["id"]]["exercise"] == squat["id"]
    assert [s["id"] for s in show(read(base, patch))["exercises"][1]["sets"]] == [s["id"] for s in squat["sets"]]


@pytest.mark.parametrize(
    ("edit", "load_kg", "typed"),
    [
        ({"load": 235}, 106.594207, (235, "lb")),
        ({"load": 100, "load_unit": "kg"}, 100, (None, None)),
        ({"load_kg": 110}, 110, (None, None)),
        ({"load": 235, "load_kg": 106.6}, 106.594207, (235, "lb")),
        ({"load": None, "load_kg": None}, None, (None, None)),
    ],
)
def test_whichever_of_load_and_kilograms_was_edited_counts(
    edit: dict[str, Any], load_kg: float | None, typed: tuple[float | None, str | None]
) -> None:
    base = logged(SQUAT)
    view = show(read(base))
    view["exercises"][0]["sets"][0] |= edit
    [entry] = change(base, view)["sets"].values()
    assert entry == {"load_kg": load_kg, "load": typed[0], "load_unit": typed[1]}


def test_a_load_that_contradicts_its_kilograms_is_refused() -> None:
    view = {"exercises": [{"name": "Squat", "sets": [{"load": 225, "load_unit": "lb", "load_kg": 225}]}]}
    with pytest.raises(InvalidDraft) as refused:
        workout_patch(ID, view, WorkoutLog())
    assert [problem.field for problem in refused.value.problems] == ["exercises[0].sets[0].load_kg"]


def test_every_value_out_of_bounds_is_named_as_the_draft_has_it() -> None:
    draft = {"fatigue": 14, "exercises": [{"name": "Squat", "sets": [{"reps": 5}, {"reps": -1, "rpe": 11, "type": 3}]}]}
    with pytest.raises(InvalidDraft) as refused:
        check_draft(WORKOUT_LOGS, workout_patch(ID, draft, WorkoutLog()))
    assert {problem.field for problem in refused.value.problems} == {
        "fatigue",
        "exercises[0].sets[1].reps",
        "exercises[0].sets[1].rpe",
        "exercises[0].sets[1].type",
    }


@pytest.mark.parametrize(
    ("draft", "field"),
    [
        ({"fatige": 3}, "fatige"),
        ({"exercises": {}}, "exercises"),
        ({"exercises": [3]}, "exercises[0]"),
        ({"exercises": [{"sets": [{"weight": 3}]}]}, "exercises[0].sets[0].weight"),
        ({"exercises": [{"id": "a"}, {"id": "a"}]}, "exercises[1].id"),
        ({"exercises": [{"id": "x" * 17}]}, "exercises[0].id"),
        ({"exercises": [{"id": 7}]}, "exercises[0].id"),
    ],
)
def test_a_draft_of_another_shape_is_refused(draft: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidDraft) as refused:
        workout_patch(ID, draft, WorkoutLog())
    assert [problem.field for problem in refused.value.problems] == [field]


def test_a_value_that_was_out_of_bounds_before_is_no_obstacle() -> None:
    base = {"fatigue": 14}
    draft = workout_patch(ID, show(read(base)) | {"mood": 5}, read(base))
    check_draft(WORKOUT_LOGS, draft)
    assert draft.patch == {"mood": 5}


@given(st.lists(KEYS, unique=True), st.dictionaries(KEYS, st.sampled_from(["1", "2", "2i", "9", "", "A?", "z"])))
def test_written_orders_put_entries_where_they_are_wanted(keys: list[str], orders: dict[str, str]) -> None:
    written = orders_for(keys, orders)
    assert sorted(keys, key=lambda key: (written.get(key, orders.get(key, "")), key)) == keys


def test_moving_one_of_many_writes_one_order() -> None:
    orders = {str(n): f"{n + 1}i" for n in range(8)}
    assert len(orders_for(["7", *map(str, range(7))], orders)) == 1


@pytest.mark.parametrize(
    ("model", "draft", "fields", "left_out"),
    [
        (WorkoutLog, WorkoutDraft, WRITTEN_FIELDS, {"exercises", "sets", *Record.__struct_fields__}),
        (LoggedExercise, ExerciseDraft, EXERCISE_FIELDS, {*Entry.__struct_fields__}),
        (LoggedSet, SetDraft, SET_FIELDS, {"exercise", *Entry.__struct_fields__}),
    ],
)
def test_drafts_have_the_fields_and_bounds_of_the_model(
    model: type, draft: type, fields: tuple[str, ...], left_out: set[str]
) -> None:
    assert {*fields} == {*model.__struct_fields__} - left_out  # type: ignore[attr-defined]
    schemas = {t: msgspec.json.schema_components([t])[1][t.__name__]["properties"] for t in (model, draft)}
    for name in fields:
        assert _bounds(schemas[model][name]) == _bounds(schemas[draft][name]), name


def _bounds(schema: dict[str, Any]) -> dict[str, Any]:
    """Give the bounds of a field, without default, doc and whether it may be empty."""
    arms = schema.get("anyOf", [schema])
    [arm] = [arm for arm in arms if arm.get("type") != "null"]
    bounds = {key: value for key, value in arm.items() if key not in ("default", "description", "examples", "anyOf")}
    if "enum" in bounds:
        bounds["enum"] = [value for value in bounds["enum"] if value is not None]
    return bounds


def test_the_view_is_total_for_a_loose_record() -> None:
    record = read({"sets": {"a": {"reps": 5000, "type": "new"}}, "mood": 99})
    view = workout_view(ID, record, problems=WORKOUT_LOGS.read({"mood": 99})[1])
    assert view.needs_review
    assert msgspec.json.decode(msgspec.json.encode(view))["exercises"][0]["sets"][0]["reps"] == 5000
