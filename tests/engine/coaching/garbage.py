"""Records as bad as a partial merge, a newer app or an enemy can make them, as Hypothesis strategies.

`workout_states` and `check_in_states` are well typed and break bounds; `hostile_values` are of no type at all.
"""

from typing import Any

from hypothesis import strategies as st

KEYS = st.sampled_from(["a", "b", "c", "zz"])
NUMBERS = st.one_of(
    st.none(), st.floats(-1e300, 1e300), st.sampled_from([0.0, -20.0, 20.0, 60.0, 61.0, 100.0, 100.04, 102.5, 1e9])
)
COUNTS = st.one_of(st.none(), st.integers(-(2**52), 2**52), st.integers(0, 15))
TEXTS = st.one_of(st.none(), st.text(max_size=12), st.sampled_from(["Bench Press", "bench press", "Squat", "working"]))
DATES = st.one_of(
    st.none(),
    st.dates().map(str),
    st.integers(1, 90).map(lambda n: f"2026-{1 + n // 31:02}-{n % 31 + 1:02}"),
    st.sampled_from(["2026-02-31", "0001-01-01", "9999-12-31", "2026-03-02"]),
)
TIMES = st.one_of(
    st.none(), st.sampled_from(["2026-03-02T18:05:00", "2026-03-02T18:05:00+14:00", "0001-01-01T00:00:00Z"])
)
FLAGS = st.one_of(st.none(), st.booleans())
SCORES = st.one_of(st.none(), st.integers(-3, 14))
NOTES = st.one_of(st.none(), st.text(max_size=30), st.sampled_from(["sharp pain in the knee", "good session"]))


def _optional(fields: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=fields)


EXERCISES = st.dictionaries(
    KEYS,
    _optional(
        {"name": TEXTS, "exercise_id": TEXTS, "order": TEXTS, "skipped": FLAGS, "deleted": FLAGS, "notes": NOTES}
    ),
    max_size=3,
)
SETS = st.dictionaries(
    st.sampled_from(["1", "2", "3", "4", "5"]),
    _optional(
        {
            "exercise": KEYS,
            "order": TEXTS,
            "type": st.one_of(TEXTS, st.sampled_from(["warmup", "dropset", "backoff"])),
            "reps": COUNTS,
            "load_kg": NUMBERS,
            "load": NUMBERS,
            "load_unit": st.sampled_from(["kg", "lb", "stone"]),
            "rpe": NUMBERS | st.floats(1, 10),
            "rir": NUMBERS | st.floats(0, 5),
            "completed": FLAGS,
            "failure_reason": st.sampled_from(["injury", "fatigue", "else"]),
            "deleted": FLAGS,
            "notes": NOTES,
        }
    ),
    max_size=5,
)


def workout_states() -> st.SearchStrategy[dict[str, Any]]:
    """Well-typed states of workout logs that break bounds, name nothing, and lie about their dates."""
    return _optional(
        {
            "date": DATES,
            "start_time": TIMES,
            "end_time": TIMES,
            "exercises": EXERCISES,
            "sets": SETS,
            "program_id": TEXTS,
            "week_number": COUNTS,
            "day_number": COUNTS,
            "deleted": FLAGS,
            "completed": FLAGS,
            "notes": NOTES,
        }
    )


def check_in_states() -> st.SearchStrategy[dict[str, Any]]:
    """Well-typed states of check-ins that break bounds and lack leaves."""
    answers = {name: SCORES for name in ("energy", "stress", "sleep", "soreness", "adherence", "motivation", "hunger")}
    return _optional(
        {
            "date": DATES,
            "submitted_at": TIMES,
            "weight_kg": NUMBERS | st.floats(70, 90),
            "responses": _optional(answers),
            "notes": NOTES,
            "questionnaire": st.dictionaries(st.text(min_size=1, max_size=8), NOTES | NUMBERS, max_size=3),
            "deleted": FLAGS,
        }
    )


def program_states() -> st.SearchStrategy[dict[str, Any]]:
    """Well-typed states of programs whose parts name each other wrongly."""
    return _optional(
        {
            "start_date": DATES,
            "end_date": DATES,
            "status": st.sampled_from(["active", "completed", "draft", "gone"]),
            "weeks": st.dictionaries(
                KEYS, _optional({"week_number": COUNTS, "deload": FLAGS, "deleted": FLAGS}), max_size=3
            ),
            "days": st.dictionaries(KEYS, _optional({"week": KEYS, "day_number": COUNTS}), max_size=3),
            "exercises": st.dictionaries(
                KEYS, _optional({"day": KEYS, "name": TEXTS, "exercise_id": TEXTS}), max_size=3
            ),
            "sets": st.dictionaries(
                KEYS,
                _optional({"exercise": KEYS, "type": TEXTS, "reps_min": COUNTS, "reps_max": COUNTS, "rpe": NUMBERS}),
                max_size=3,
            ),
        }
    )


def hostile_values() -> st.SearchStrategy[Any]:
    """Values of any type where a record should be."""
    leaf = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.binary(max_size=5)
    return st.recursive(leaf, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner))
