"""What changed in a program is said as a coach would say it, an exercise with its sets as one change."""

from typing import Any

from apex_sync.coaching.program_changes import CHANGES_SHOWN_MAX, program_changes, program_version
from apex_sync.versions import Version

BASE: dict[str, Any] = {
    "name": "Base",
    "weeks": {"w": {"week_number": 1}},
    "days": {"d": {"week": "w", "day_number": 1, "name": "Upper A"}},
    "exercises": {"e": {"day": "d", "name": "Bench Press", "rest_seconds": 90, "order": "a1"}},
    "sets": {
        "s2": {"exercise": "e", "reps_min": 6, "load_kg": 100, "order": "a2"},
        "s1": {"exercise": "e", "reps_min": 8, "order": "a1"},
    },
}


def changed(**fields: Any) -> list[tuple[str, str]]:
    """Tell what is said of changed entries of the maps, each leaf by leaf, and of fields."""
    after: dict[str, Any] = dict(BASE)
    for field, value in fields.items():
        if isinstance(value, dict):
            entries = after.get(field, {})
            after[field] = entries | {key: entries.get(key, {}) | entry for key, entry in value.items()}
        else:
            after[field] = value
    return [(change.path, change.words) for change in program_changes(BASE, after)]


def test_a_value_is_told_with_its_place_and_unit() -> None:
    assert changed(name="Base II", sets={"s2": {"load_kg": 102.5, "load": 226, "load_unit": "lb"}}) == [
        ("name", "name Base → Base II"),
        ("sets.s2.load_kg", "week 1, Upper A, Bench Press, set 2: load 100 → 102.5 kg"),
    ]
    assert changed(exercises={"e": {"rest_seconds": None, "order": "a9"}}) == [
        ("exercises.e.order", "week 1, Upper A, Bench Press: moved"),
        ("exercises.e.rest_seconds", "week 1, Upper A, Bench Press: rest 90 → nothing"),
    ]


def test_what_comes_or_goes_is_one_change_with_all_that_is_beneath_it() -> None:
    row = {"exercises": {"r": {"day": "d", "name": "Row"}}, "sets": {k: {"exercise": "r"} for k in "xy"}}
    assert changed(**row) == [("exercises.r", "week 1, Upper A, Row added, with 2 sets")]
    assert changed(days={"d": {"deleted": True}}) == [
        ("days.d", "week 1, Upper A removed, with 1 exercise, 2 sets"),
    ]
    assert changed(sets={"s1": {"deleted": True}}) == [("sets.s1", "week 1, Upper A, Bench Press, set 1 removed")]


def test_the_first_version_is_the_program_as_it_was_made() -> None:
    [made] = program_changes({}, BASE)
    assert made.words == "made, with 1 week, 1 day, 1 exercise, 2 sets"
    assert [change.words for change in program_changes(BASE, BASE | {"deleted": True})] == ["deleted"]


def test_no_more_changes_are_told_than_anybody_reads() -> None:
    many = {f"n{i}": {"exercise": "e", "reps_min": 5} for i in range(CHANGES_SHOWN_MAX + 1)}
    after = BASE | {"sets": BASE["sets"] | many}
    told = program_version(Version(number=2, stamp=5, client_id=7, folded=False, before=BASE, after=after))
    assert (len(told.changes), told.more) == (CHANGES_SHOWN_MAX, True)


def test_whatever_a_merged_program_holds_can_be_told() -> None:
    odd = {"weeks": 5, "days": {"d": {"week": "gone", "day_number": None}}, "sets": {"s": {"exercise": ["x"]}, "t": 1}}
    assert [change.words for change in program_changes(BASE, odd)]
    assert [change.words for change in program_changes(odd, BASE)]
