"""Lifts in which the whole body moves: which they are, what they move, and what the athlete weighed on the day.

Pull-ups, chin-ups, dips and muscle-ups move the body with all that hangs on it: body weight + load - assistance. The
load that is logged is what hangs on the body, and a negative one is assistance; in an exercise called assisted any load
is. The body weight of a day is its trend (`bodyweight.weight_trend`), so a slip of the scale moves no lift. Where it is
not known, reps are told apart (`body_weight_reps`) and no load is made up. What part of the body a push-up or a lunge
moves is not settled [D], so their load is what was logged.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from datetime import date
from functools import cache, lru_cache
from typing import Literal

from msgspec.structs import replace

from apex_sync.coaching.bodyweight import TrendDay, WeighIn, weight_trend
from apex_sync.coaching.exercise_library import builtin_exercises, builtin_id
from apex_sync.coaching.exercise_totals import ExerciseTotals, HardSet, exercise_totals
from apex_sync.coaching.names import NAMES_REMEMBERED_MAX, name_words
from apex_sync.coaching.weeks import days_between

BodyWeightLift = Literal["free", "assisted"]

BODY_WEIGHT_DAYS_MAX = 42
"""A body weight holds for so many days: a monthly weigh-in may be ten days late, and at the usual 1 % a week it is then
about 6 % off [D]."""

_MOVES_THE_BODY = re.compile(r"\b(pull ?ups?|chin ?ups?|muscle ?ups?|dips?)\b")
_ASSISTED = re.compile(r"\b(assisted|assistance|assist|band|bands|banded|gravitron)\b")
_MOVES_LESS = re.compile(
    r"\b(australian|bench|cable|floor|hips?|inverted|jackknife|lat|machine|plank|raises?|rows?|scap|scapula|scapular|"
    r"seated|shrugs?|smith)\b"
)
"""A machine moves its own weights; feet on the floor or a bench carry a part; shoulder blades lift little."""


class BodyWeights:
    """What an athlete weighed, by the trend up to each day; readings that it held out are none."""

    def __init__(self, days: Iterable[TrendDay] = ()) -> None:
        known = [day for day in days if day.held_out is None]
        self._dates = [day.date for day in known]
        self._weights_kg = [day.trend_kg for day in known]

    def on(self, day: date | None) -> float | None:
        """Give the weight in kilograms of the last reading on or before a day; None where it is too long ago."""
        at = bisect_right(self._dates, day) - 1 if day is not None else -1
        if day is None or at < 0 or days_between(self._dates[at], day) > BODY_WEIGHT_DAYS_MAX:
            return None
        return self._weights_kg[at]


def body_weights(readings: Iterable[WeighIn]) -> BodyWeights:
    """Read weigh-ins, in any order.

    >>> weighed = body_weights([WeighIn(record_id="c", date=date(2026, 3, 2), weight_kg=80.0)])
    >>> weighed.on(date(2026, 3, 1)), weighed.on(date(2026, 3, 9)), weighed.on(date(2026, 5, 1))
    (None, 80.0, None)
    """
    return BodyWeights(weight_trend(readings))


@lru_cache(maxsize=NAMES_REMEMBERED_MAX)
def body_weight_lift(exercise_id: str | None, name: str | None) -> BodyWeightLift | None:
    """Say whether an exercise, as a log names it, moves the whole body, and whether something takes part of it off.

    The built-in library's name decides where it knows the id or the name, else the words of the name itself.

    >>> body_weight_lift(None, "Klimmzüge"), body_weight_lift(None, "Pull Up (Assisted)"), body_weight_lift(None, "Row")
    ('free', 'assisted', None)
    """
    known_as = (
        _builtin_names().get(exercise_id or "") or (name and _builtin_names().get(builtin_id(name) or "")) or name
    )
    words = " ".join(name_words(known_as)) if known_as else ""
    if not _MOVES_THE_BODY.search(words):
        return None
    if _ASSISTED.search(words):
        return "assisted"
    return None if _MOVES_LESS.search(words) else "free"


def hung_kg(lift: BodyWeightLift | None, load_kg: float | None) -> float | None:
    """Give the load that hangs on the body, assistance as a negative one; of other exercises the load as it is.

    >>> hung_kg("free", -20.0), hung_kg("assisted", 20.0), hung_kg("free", 20.0)
    (-20.0, -20.0, 20.0)
    """
    return -abs(load_kg) if lift == "assisted" and load_kg is not None else load_kg


def moved_kg(lift: BodyWeightLift, load_kg: float | None, body_weight_kg: float | None) -> float | None:
    """Give the load that a set moved; None where the body weight is not known, or how much assistance there was.

    >>> moved_kg("free", 20.0, 80.0), moved_kg("free", None, 80.0), moved_kg("assisted", 20.0, 80.0)
    (100.0, 80.0, 60.0)
    """
    hung = hung_kg(lift, load_kg)
    if body_weight_kg is None or (lift == "assisted" and not hung):
        return None
    return max(0.0, body_weight_kg + (hung or 0.0))


def moved_sets(sets: Sequence[HardSet], lift: BodyWeightLift, body_weight_kg: float | None) -> list[HardSet]:
    """Give the hard sets of a lift with the load that moved in place of the one that hung."""
    return [HardSet(share, reps, moved_kg(lift, load_kg, body_weight_kg), rpe) for share, reps, load_kg, rpe in sets]


def lift_totals(sets: Sequence[HardSet], lift: BodyWeightLift | None, body_weight_kg: float | None) -> ExerciseTotals:
    """Add up the hard sets of an exercise in a session: the top set by what hangs, all else by what moves."""
    if lift is None or not sets:
        return exercise_totals(sets)
    hung = [hung_kg(lift, each.load_kg) for each in sets]
    top_load_kg, top = max(zip(hung, sets, strict=True), key=lambda pair: (pair[0] or 0.0, pair[1].reps))
    moved = moved_sets(sets, lift, body_weight_kg)
    return replace(
        exercise_totals(moved),
        body_weight_reps=reps_apart(moved),
        top_load_kg=top_load_kg,
        top_reps=top.reps,
        top_rpe=top.rpe,
    )


def reps_apart(moved: Iterable[HardSet]) -> int:
    """Count the reps that moved nobody knows how much."""
    return sum(each.reps for each in moved if each.load_kg is None)


@cache
def _builtin_names() -> dict[str, str]:
    return {each.id: each.name for each in builtin_exercises()}
