"""A check-in in the shape people read, records in the shape of their model, and back to the smallest patch."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apex_sync.coaching.checkin_view import CheckInDraft, checkin_patch, checkin_view
from apex_sync.coaching.drafts import DraftPatch, InvalidDraft, check_draft, model_patch
from apex_sync.collection import Collection, Record
from apex_sync.fold import fold
from apex_sync.models import CHECK_INS, PROGRAMS, CheckIn, Program
from apex_sync.op import Patch, StampedWrite

ID = "0190a8b0-0000-7000-8000-000000000002"
REPORT: dict[str, Any] = {
    "date": "2026-03-01",
    "weight": 180.5,
    "weight_unit": "lb",
    "responses": {"energy": 7, "sleep": 6},
    "photos": [{"media_id": "m1", "type": "front"}, {"media_id": "m2"}],
    "questionnaire": {"Travelled?": "no", "Steps": 8000.0},
}


def read(*patches: Patch, collection: Collection = CHECK_INS) -> Record:
    writes = [StampedWrite(n + 1, 1, n, 0, {}, patch) for n, patch in enumerate(patches)]
    return collection.read(fold(writes).state)[0]


def show(record: Record) -> dict[str, Any]:
    view: dict[str, Any] = msgspec.to_builtins(checkin_view(ID, record))
    return view


def reported(**changes: Any) -> Patch:
    draft = checkin_patch(ID, REPORT | changes, CheckIn())
    check_draft(CHECK_INS, draft)
    return draft.patch


KEYS = st.sampled_from(["a", "b", "c"])
SCORES = st.none() | st.integers(-3, 14)
check_ins = st.fixed_dictionaries(
    {},
    optional={
        "notes": st.none() | st.text(max_size=5),
        "weight": st.none() | st.floats(1, 2000),
        "weight_unit": st.sampled_from(["kg", "lb", None]),
        "weight_kg": st.none() | st.floats(1, 2000),
        "responses": st.fixed_dictionaries({}, optional={"energy": SCORES, "sleep": SCORES}),
        "measurements": st.fixed_dictionaries({}, optional={"waist_cm": st.none() | st.floats(-5, 900)}),
        "questionnaire": st.dictionaries(KEYS, st.none() | st.floats(0, 9) | st.text(max_size=3)),
        "ai_flags": st.none() | st.just([{"type": "positive", "message": "!"}]),
        "photos": st.dictionaries(
            KEYS,
            st.fixed_dictionaries(
                {},
                optional={"order": st.sampled_from(["1", "2", ""]), "deleted": st.booleans(), "media_id": KEYS},
            ),
        ),
    },
)


@given(check_ins)
def test_what_is_read_and_sent_back_changes_nothing(patch: Patch) -> None:
    record = read(patch)
    assert checkin_patch(ID, show(record), record).patch == {}


def test_a_report_reads_back_as_it_was_typed() -> None:
    view = show(read(reported()))
    assert (view["weight"], view["weight_unit"], view["weight_kg"]) == (180.5, "lb", 81.873423)
    assert [photo["media_id"] for photo in view["photos"]] == ["m1", "m2"]
    assert view["questionnaire"] == REPORT["questionnaire"]


def test_one_changed_answer_is_one_leaf() -> None:
    record = read(reported())
    draft = show(record) | {"responses": {"energy": 4, "sleep": 6}}
    assert checkin_patch(ID, draft, record).patch == {"responses": {"energy": 4}}


def test_what_is_left_out_is_emptied() -> None:
    record = read(reported())
    draft = {name: value for name, value in REPORT.items() if name not in ("responses", "weight", "weight_unit")}
    assert checkin_patch(ID, draft, record).patch == {
        "responses": {"energy": None, "sleep": None},
        "weight": None,
        "weight_unit": None,
        "weight_kg": None,
    }


def test_photos_without_ids_are_known_by_their_media() -> None:
    record = read(reported())
    first, second = (photo["id"] for photo in show(record)["photos"])
    patch = checkin_patch(ID, REPORT | {"photos": [{"media_id": "m2"}]}, record).patch
    assert patch == {"photos": {first: {"deleted": True}}}
    assert second not in patch["photos"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"energy": 3}, "energy"),
        ({"responses": {"enrgy": 3}}, "responses.enrgy"),
        ({"responses": 3}, "responses"),
        ({"photos": [{"pixels": "…"}]}, "photos[0].pixels"),
        ({"weight_kg": 180.5}, "weight_kg"),
    ],
)
def test_a_draft_of_another_shape_is_refused(change: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidDraft) as refused:
        checkin_patch(ID, REPORT | change, CheckIn())
    assert [problem.field for problem in refused.value.problems] == [field]


def test_values_out_of_bounds_are_named() -> None:
    draft = checkin_patch(ID, REPORT | {"responses": {"energy": 14}, "photos": [{"type": "selfie"}]}, CheckIn())
    with pytest.raises(InvalidDraft) as refused:
        check_draft(CHECK_INS, draft)
    assert {problem.field for problem in refused.value.problems} == {"responses.energy", "photos[0].type"}


def test_the_draft_has_the_fields_of_the_model() -> None:
    """But for what stands for the reviewed answers: people read `edited_since_review`."""
    own = {*CheckIn.__struct_fields__} - {*Record.__struct_fields__, "reviewed_answers"}
    assert {*CheckInDraft.__struct_fields__} == own


programs = st.fixed_dictionaries(
    {},
    optional={
        "name": st.none() | st.text(max_size=3),
        "goals": st.none() | st.lists(st.text(max_size=3), max_size=2),
        "weeks": st.dictionaries(
            KEYS, st.fixed_dictionaries({}, optional={"week_number": st.integers(-1, 200), "deleted": st.booleans()})
        ),
    },
)


@given(programs, programs)
def test_a_draft_in_the_models_shape_becomes_what_it_says(before: Patch, wanted: Patch) -> None:
    record = read(before, collection=PROGRAMS)
    draft = msgspec.to_builtins(read(wanted, collection=PROGRAMS))

    after = msgspec.to_builtins(read(before, model_patch(ID, draft, record).patch, collection=PROGRAMS))

    for name in ("name", "goals"):
        assert after.get(name) == draft.get(name)
    assert live(after) == live(draft)


def live(program: dict[str, Any]) -> dict[str, Any]:
    """Give the entries that are there and not empty: an entry without values is none."""
    entries = {
        key: {name: value for name, value in entry.items() if name != "deleted"}
        for key, entry in program.get("weeks", {}).items()
        if not entry.get("deleted")
    }
    return {key: entry for key, entry in entries.items() if any(value is not None for value in entry.values())}


@pytest.mark.parametrize("draft", [{"week": 3}, {"weeks": [3]}, {"weeks": {"w": 3}}])
def test_a_draft_that_is_no_such_model_is_refused(draft: dict[str, Any]) -> None:
    with pytest.raises(InvalidDraft):
        check_draft(PROGRAMS, model_patch(ID, draft, Program()))


def test_a_path_is_named_as_the_draft_has_it() -> None:
    draft = DraftPatch({}, {("photos", "k"): "photos[1]"})
    assert [draft.place(path) for path in ("photos.k.type", "notes", "responses.energy")] == [
        "photos[1].type",
        "notes",
        "responses.energy",
    ]
