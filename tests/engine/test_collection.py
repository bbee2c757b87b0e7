"""Meaning and permission are different: bounds mark a record for review, types and writers refuse an op."""

import math
from typing import Annotated, Any, Literal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import UNSET, Meta, UnsetType
from msgspec.structs import fields

from apex_sync.collection import Collection, Entry, Leaf, Record
from apex_sync.errors import FieldProblem, OutOfBounds
from apex_sync.fold import fold
from apex_sync.models import CHECK_INS, COLLECTIONS, INSIGHTS, PROGRAMS, WORKOUT_LOGS
from apex_sync.op import Patch, StampedWrite
from apex_sync.problems import PROBLEMS_MAX, find_problems

FEW = settings(max_examples=25)
"""Each example is a whole record, and there is one test for every collection."""

EVERY = [pytest.param(collection, id=name) for name, collection in COLLECTIONS.items()]


class Dish(Entry):
    grams: Leaf[Annotated[int, Meta(ge=0, le=5000)]] = UNSET


class Day(Record):
    kind: Leaf[Literal["rest", "training"]] = UNSET
    score: Leaf[Annotated[int, Meta(ge=1, le=10)]] = UNSET
    dishes: dict[Annotated[str, Meta(max_length=8)], Dish] | UnsetType = UNSET
    tags: Leaf[Annotated[list[Annotated[str, Meta(max_length=5)]], Meta(max_length=3)]] = UNSET


DAYS = Collection(
    name="days",
    model=Day,
    scope_kinds=frozenset({"athlete"}),
    default_writers=frozenset({"athlete"}),
    writers={"score": frozenset({"coach"})},
)


def _values(annotation: Any) -> st.SearchStrategy[Any]:
    """Draw well-typed values of a field, within its bounds or not."""
    text = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=30)
    number = st.integers(-(2**53) + 1, 2**53 - 1)
    kind = msgspec.inspect.type_info(annotation)
    strategies: list[st.SearchStrategy[Any]] = []
    for arm in kind.types if isinstance(kind, msgspec.inspect.UnionType) else (kind,):
        match arm:
            case msgspec.inspect.NoneType():
                strategies.append(st.none())
            case msgspec.inspect.BoolType():
                strategies.append(st.booleans())
            case msgspec.inspect.IntType():
                strategies.append(number | st.integers(-20, 20))
            case msgspec.inspect.FloatType():
                strategies.append(st.floats(-1e300, 1e300) | st.floats(-20, 20) | number)
            case msgspec.inspect.StrType(pattern=pattern):
                strategies.append(st.from_regex(pattern, fullmatch=True) if pattern else text)
            case msgspec.inspect.LiteralType(values=values):
                strategies.append(text | st.sampled_from(values))
            case msgspec.inspect.StructType(cls=cls):
                strategies.append(_patches(cls))
            case msgspec.inspect.DictType(value_type=value_type):
                inner = _values_of(value_type)
                strategies.append(st.dictionaries(text.filter(bool), inner, min_size=1, max_size=3))
            case msgspec.inspect.ListType(item_type=item_type):
                strategies.append(st.lists(_values_of(item_type), max_size=3))
    return st.one_of(strategies) if strategies else st.nothing()


def _values_of(kind: msgspec.inspect.Type) -> st.SearchStrategy[Any]:
    if isinstance(kind, msgspec.inspect.AnyType):
        return st.integers(0, 9)
    if isinstance(kind, msgspec.inspect.StructType):
        return _patches(kind.cls)
    return _values(_annotation_of(kind))


def _annotation_of(kind: msgspec.inspect.Type) -> Any:
    match kind:
        case msgspec.inspect.StrType() | msgspec.inspect.LiteralType():
            return str
        case msgspec.inspect.FloatType():
            return float
        case msgspec.inspect.IntType():
            return int
        case msgspec.inspect.NoneType():
            return None
        case msgspec.inspect.DictType():
            return dict[str, int]
        case msgspec.inspect.UnionType(types=types):
            return float | str | None if len(types) > 1 else None
    raise AssertionError(kind)


def _patches(model: type[Any]) -> st.SearchStrategy[Patch]:
    return st.fixed_dictionaries({}, optional={each.name: _values(each.type) for each in fields(model)})


@pytest.mark.parametrize("collection", EVERY)
@FEW
@given(data=st.data())
def test_every_well_typed_record_can_be_read_and_reviewed(collection: Collection, data: st.DataObject) -> None:
    """`read` is total for what `check_types` lets through, and has the attributes of the model either way."""
    patch = data.draw(_patches(collection.model))
    mistyped = collection.check_types(patch)
    assert mistyped is None or "..." not in mistyped.field
    if mistyped is not None:
        return
    record, problems = collection.read(patch)
    bounded = isinstance(record, collection.model)
    assert bounded == (not find_problems(patch, collection.model))
    assert all(problem.message for problem in problems)
    for field in collection.model.__struct_fields__:
        assert (getattr(record, field) is UNSET) == (field not in patch)


@pytest.mark.parametrize("collection", EVERY)
@FEW
@given(data=st.data())
def test_what_the_bounds_take_the_types_take(collection: Collection, data: st.DataObject) -> None:
    field = data.draw(st.sampled_from(fields(collection.model)))
    patch = {field.name: data.draw(_values(field.type))}
    try:
        collection.check_bounds(patch)
    except OutOfBounds as error:
        assert error.problem.message
        return
    assert collection.check_types(patch) is None


@pytest.mark.parametrize("collection", EVERY)
@FEW
@given(data=st.data())
def test_whatever_well_typed_patches_merge_to_can_be_read(collection: Collection, data: st.DataObject) -> None:
    patches = data.draw(st.lists(_patches(collection.model), min_size=1, max_size=4))
    typed = [patch for patch in patches if patch and collection.check_types(patch) is None]
    writes = [StampedWrite(hlc, hlc, 0, 0, {}, patch) for hlc, patch in enumerate(typed, 1)]
    collection.read(fold(writes).state)


@pytest.mark.parametrize("collection", EVERY)
def test_every_role_that_may_write_a_field_is_known(collection: Collection) -> None:
    roles = {"athlete", "coach", "system"}
    assert collection.default_writers <= roles
    for field, writers in collection.writers.items():
        assert field in collection.model.__struct_fields__
        assert writers <= roles
    for role in ("athlete", "coach", "system"):
        patch = dict.fromkeys(collection.model.__struct_fields__, 1)
        forbidden = collection.forbidden_fields(patch, role)
        allowed = [field for field in patch if role in collection.writers.get(field, collection.default_writers)]
        assert sorted([*forbidden, *allowed]) == sorted(patch)


def test_every_problem_is_named_by_its_path() -> None:
    state = {
        "score": 14,
        "kind": "party",
        "dishes": {"soup": {"grams": -1, "order": "x" * 65}, "a very long key": {"grams": 3}},
        "tags": ["fine", "too long", "x", "y"],
    }
    record, problems = DAYS.read(state)
    assert record.score == 14  # type: ignore[attr-defined]
    assert {problem.field for problem in problems} == {
        "score",
        "kind",
        "dishes.soup.grams",
        "dishes.soup.order",
        "tags[1]",
    }


def test_a_bound_of_a_whole_list_or_map_is_found_when_its_parts_are_fine() -> None:
    assert DAYS.read({"tags": ["a", "b", "c", "d"]})[1] == [FieldProblem("tags", "Expected `array` of length <= 3")]
    (problem,) = DAYS.read({"dishes": {"a very long key": {"grams": 3}}})[1]
    assert problem.field == "dishes"


def test_fields_of_a_newer_app_are_kept_and_are_no_problem() -> None:
    state = {"score": 3, "newer": {"deep": [1]}, "dishes": {"a": {"grams": 1, "colour": "red"}}}
    assert DAYS.check_types(state) is None
    record, problems = DAYS.read(state)
    assert problems == []
    assert record.dishes["a"].grams == 1  # type: ignore[attr-defined]


def test_a_person_may_not_write_a_field_that_is_not_there() -> None:
    with pytest.raises(OutOfBounds, match="unknown field `newer`"):
        DAYS.check_bounds({"newer": 1})


def test_problems_are_bounded() -> None:
    state = {"dishes": {str(number): {"grams": -1} for number in range(1000)}}
    assert len(DAYS.read(state)[1]) == PROBLEMS_MAX


@pytest.mark.parametrize("limit", [1, 3, PROBLEMS_MAX])
def test_a_value_that_is_wrong_everywhere_is_not_searched_to_the_end(
    limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counted in conversions: the value, its map, the entries and their two leaves up to the last that is told."""
    state = {"dishes": {str(number): {"grams": -1} for number in range(1000)}}
    conversions = 0
    convert = msgspec.convert

    def counted(*arguments: Any) -> Any:
        nonlocal conversions
        conversions += 1
        return convert(*arguments)

    monkeypatch.setattr("apex_sync.problems.msgspec.convert", counted)
    assert len(find_problems(state, Day, limit)) == limit
    assert conversions <= 2 + 3 * limit


@pytest.mark.parametrize(
    ("patch", "field"),
    [
        ({"score": "7"}, "score"),
        ({"score": 7.5}, "score"),
        ({"score": True}, "score"),
        ({"dishes": None}, "dishes"),
        ({"dishes": []}, "dishes"),
        ({"dishes": {"soup": 3}}, "dishes.soup"),
        ({"dishes": {"soup": {"grams": "much"}}}, "dishes.soup.grams"),
        ({"dishes": {"x" * 201: {"grams": 1}}}, "dishes"),
        ({"tags": ["a", 1]}, "tags[1]"),
        ({"kind": {"nested": 1}}, "kind"),
    ],
)
def test_a_mistyped_leaf_is_named_by_its_path(patch: Patch, field: str) -> None:
    problem = DAYS.check_types(patch)
    assert problem is not None
    assert problem.field == field


@pytest.mark.parametrize("patch", [{"score": 14}, {"kind": "party"}, {"tags": ["longer than five"]}, {"newer": [1]}])
def test_what_only_breaks_a_bound_is_not_mistyped(patch: Patch) -> None:
    assert DAYS.check_types(patch) is None


@pytest.mark.parametrize(
    ("patch", "field"),
    [
        ({"score": 14}, "score"),
        ({"dishes": {"soup": {"grams": -1}}}, "dishes.soup.grams"),
        ({"dishes": {"soup": {"order": "\x00"}}}, ""),
        ({"tags": ["\ud800"]}, ""),
    ],
)
def test_a_person_is_told_which_field_it_is(patch: Patch, field: str) -> None:
    with pytest.raises(OutOfBounds) as raised:
        DAYS.check_bounds(patch)
    assert (raised.value.collection, raised.value.problem.field) == ("days", field)


def test_a_number_that_is_none_is_refused_where_a_field_has_no_bounds() -> None:
    for number in (math.nan, math.inf):
        with pytest.raises(OutOfBounds) as raised:
            CHECK_INS.check_bounds({"questionnaire": {"mood": number}})
        assert raised.value.problem.field == "questionnaire.mood"


def test_an_athlete_may_not_write_what_is_the_coachs() -> None:
    assert CHECK_INS.forbidden_fields({"coach_feedback": "well done", "notes": "tired"}, "athlete") == [
        "coach_feedback"
    ]
    assert CHECK_INS.forbidden_fields({"ai_summary": "fine"}, "coach") == ["ai_summary"]
    assert CHECK_INS.forbidden_fields({"unknown": 1}, "athlete") == []
    assert CHECK_INS.forbidden_fields({"unknown": 1}, "coach") == ["unknown"]
    assert PROGRAMS.forbidden_fields({"name": "5x5"}, "athlete") == ["name"]
    assert INSIGHTS.forbidden_fields({"status": "approved"}, "athlete") == ["status"]


@pytest.mark.parametrize("day", ["2026-02-31", "0000-01-01", "2026-13-01"])
def test_a_day_that_is_not_in_the_calendar_is_for_review(day: str) -> None:
    assert CHECK_INS.check_types({"date": day}) is None
    assert CHECK_INS.read({"date": day})[1] == [FieldProblem("date", "is not in the calendar")]


@pytest.mark.parametrize("day", ["2026-2-3", "2026-02-03\n", "٢٠٢٦-٠٢-٠٣", "2026-02-03T10:00:00", "yesterday", ""])
def test_what_has_not_the_form_of_a_day_is_mistyped(day: str) -> None:
    assert CHECK_INS.check_types({"date": day}) is not None


@pytest.mark.parametrize(
    ("start", "end", "fine"),
    [
        ("2026-03-01T18:05:00", "2026-03-01T19:00:00", True),
        ("2026-03-01T18:05:00", "2026-03-01T18:04:59.5", False),
        ("2026-03-01T18:05:00+01:00", "2026-03-01T17:30:00Z", True),
        ("2026-03-01T18:05:00Z", "2026-03-01T18:30:00+01:00", False),
        ("2026-03-01T18:05:00", "2026-03-01T10:00:00Z", True),
        ("0001-01-01T00:00:00+14:00", "0001-01-01T00:00:00-12:00", True),
    ],
)
def test_a_session_that_ends_before_it_starts_is_for_review(start: str, end: str, fine: bool) -> None:
    _, problems = WORKOUT_LOGS.read({"start_time": start, "end_time": end})
    assert problems == ([] if fine else [FieldProblem("end_time", "ends before it starts")])
