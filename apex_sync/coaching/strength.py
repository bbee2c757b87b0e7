"""Estimated one-repetition maximum (e1RM) of a set.

Rules kept here: estimates only within the range a formula is used for; prefer the RPE table where effort was logged;
never mix formulas in one trend line (`exposures.trend_formula` picks one for a whole line). All formulas get clearly
worse above ten reps, and two to five per cent of error is the best to hope for [V, easy1rm.com].
"""

from functools import lru_cache
from typing import Literal

from msgspec import Struct

from apex_sync.coaching.sets import PerformedSet, counts_as_working, effort_rpe
from apex_sync.errors import ApexError

Formula = Literal["epley", "brzycki", "lombardi", "rpe_table"]

RPE_PERCENT = (
    *(100.0, 97.8, 95.5, 93.9, 92.2, 90.7, 89.2, 87.8, 86.3, 85.0, 83.7, 82.4, 81.1, 79.9, 78.6),
    *(77.4, 76.2, 75.1, 73.9, 72.3, 70.7, 69.4, 68.0, 66.7, 65.3, 64.0, 62.6, 61.3, 59.9),
)
"""Per cent of the maximum by effective reps (reps + 10 - RPE), from 1 to 15 in halves: the chart of Tuchscherer's
Reactive Training Systems [V, ten public copies agree to 10]. Other charts exist: name this one where it is shown."""

EFFECTIVE_REPS_MAX = 15.0
FORMULA_NAMES: dict[Formula, str] = {
    "epley": "Epley",
    "brzycki": "Brzycki",
    "lombardi": "Lombardi",
    "rpe_table": "RPE table",
}
"""As a reader is told by what an estimate is."""

REPS_MAX: dict[Formula, int] = {"epley": 12, "brzycki": 12, "lombardi": 10, "rpe_table": 12}
"""Most reps that a formula is used for [V for the loss of accuracy, D for the cut]."""

TABLE_RPE_MIN = 6.0
CONFIDENT_REPS_MAX = 10
CONFIDENT_RPE_MIN = 7.0
"""Estimates from more reps, or from less effort, are marked `low_confidence` [V: self-rated reserve is a rep off near
failure and more than two at 7-10 in reserve, Hackett 2017]."""


ESTIMATES_KEPT_MAX = 4096
"""Some 1 MB. Eight reps of 100 kg at RPE 8 recur for a year of training."""


class OutsideFormula(ApexError):
    """A set that a formula says nothing about; `quantity` is the one out of range."""

    def __init__(self, formula: Formula, quantity: Literal["load_kg", "reps", "rpe"], value: float) -> None:
        super().__init__(f"the {formula} formula does not take {quantity} {value:g}")
        self.formula = formula
        self.quantity = quantity
        self.value = value


class StrengthEstimate(Struct, frozen=True, gc=False):
    """An e1RM in kilograms, with the formula it came from."""

    e1rm_kg: float
    formula: Formula
    low_confidence: bool


def epley_kg(load_kg: float, reps: int) -> float:
    """Estimate by Epley: load * (1 + reps / 30); one rep returns the load itself (the raw formula would add 3 %).

    >>> round(epley_kg(100.0, 5), 1), epley_kg(100.0, 1)
    (116.7, 100.0)

    Raises OutsideFormula beyond 12 reps. Source: Epley (1985).
    """
    _hold("epley", load_kg, reps)
    return load_kg if reps == 1 else load_kg * (1 + reps / 30)


def brzycki_kg(load_kg: float, reps: int) -> float:
    """Estimate by Brzycki: load * 36 / (37 - reps); equals Epley at ten reps and is lower below.

    >>> round(brzycki_kg(100.0, 10), 1) == round(epley_kg(100.0, 10), 1)
    True

    Raises OutsideFormula beyond 12 reps. Source: Brzycki (1993).
    """
    _hold("brzycki", load_kg, reps)
    return load_kg * 36 / (37 - reps)


def lombardi_kg(load_kg: float, reps: int) -> float:
    """Estimate by Lombardi: load * reps ** 0.10 [R].

    >>> round(lombardi_kg(100.0, 5), 1)
    117.5

    Raises OutsideFormula beyond 10 reps.
    """
    _hold("lombardi", load_kg, reps)
    return float(load_kg * reps**0.10)


def rpe_table_kg(load_kg: float, reps: int, rpe: float) -> float:
    """Estimate from load, reps and effort by the table `RPE_PERCENT`.

    >>> round(rpe_table_kg(100.0, 5, 8.0), 1)
    123.3

    Raises OutsideFormula outside 1-12 reps, RPE 6-10, or 15 effective reps.
    """
    _hold("rpe_table", load_kg, reps)
    return load_kg * 100 / rpe_percent(reps, rpe)


def rpe_percent(reps: int, rpe: float) -> float:
    """Give the per cent of the maximum that so many reps at such an effort stand for.

    Between half points of RPE the table is read linearly [D].

    >>> rpe_percent(5, 8.0), rpe_percent(1, 10.0)
    (81.1, 100.0)

    Raises OutsideFormula outside the table.
    """
    _hold_reps("rpe_table", reps)
    if not TABLE_RPE_MIN <= rpe <= 10.0:
        raise OutsideFormula("rpe_table", "rpe", rpe)
    halves = 2 * (reps + 10.0 - rpe - 1.0)
    if halves > len(RPE_PERCENT) - 1:
        raise OutsideFormula("rpe_table", "reps", reps)
    below = int(halves)
    rest = halves - below
    return RPE_PERCENT[below] + rest * (RPE_PERCENT[below + 1] - RPE_PERCENT[below]) if rest else RPE_PERCENT[below]


def estimate(load_kg: float, reps: int, rpe: float | None = None) -> StrengthEstimate:
    """Estimate by the RPE table where effort is known and within it, else by Epley.

    >>> estimate(100.0, 5, 8.0).formula, estimate(100.0, 5).formula, estimate(100.0, 12).low_confidence
    ('rpe_table', 'epley', True)

    Raises OutsideFormula where neither says anything.
    """
    return estimate_by("rpe_table" if _in_table(reps, rpe) else "epley", load_kg, reps, rpe)


def estimate_by(formula: Formula, load_kg: float, reps: int, rpe: float | None = None) -> StrengthEstimate:
    """Estimate by one formula, as a trend line needs it. Raises OutsideFormula where it says nothing."""
    low_confidence = reps > CONFIDENT_REPS_MAX or (rpe is not None and rpe < CONFIDENT_RPE_MIN)
    if formula == "rpe_table":
        if rpe is None:
            raise OutsideFormula("rpe_table", "rpe", float("nan"))
        e1rm_kg = rpe_table_kg(load_kg, reps, rpe)
    else:
        e1rm_kg = {"epley": epley_kg, "brzycki": brzycki_kg, "lombardi": lombardi_kg}[formula](load_kg, reps)
    return StrengthEstimate(e1rm_kg, formula, low_confidence)


def set_estimate(performed: PerformedSet, formula: Formula | None = None) -> StrengthEstimate | None:
    """Estimate from a performed set, by one formula or by the preferred one; None where there is nothing to estimate.

    Warm-ups, easy sets, sets without external load, and reps beyond the range give None.
    """
    if not counts_as_working(performed):
        return None
    return estimate_of(performed.load_kg, performed.reps, effort_rpe(performed), formula)


@lru_cache(maxsize=ESTIMATES_KEPT_MAX)
def estimate_of(
    load_kg: float | None, reps: int | None, rpe: float | None, formula: Formula | None = None
) -> StrengthEstimate | None:
    """Estimate from the load, reps and effort of a hard set, as far as they are known; None where that says nothing."""
    if not load_kg or load_kg <= 0 or not reps or reps > REPS_MAX["epley"]:
        return None
    if formula == "rpe_table" and not _in_table(reps, rpe):
        return None
    if formula == "lombardi" and reps > REPS_MAX["lombardi"]:
        return None
    return estimate(load_kg, reps, rpe) if formula is None else estimate_by(formula, load_kg, reps, rpe)


def _in_table(reps: int, rpe: float | None) -> bool:
    """Say whether the RPE table has a value; twelve reps at RPE 6 lie just beyond it."""
    return rpe is not None and TABLE_RPE_MIN <= rpe <= 10.0 and reps + 10.0 - rpe <= EFFECTIVE_REPS_MAX


def _hold(formula: Formula, load_kg: float, reps: int) -> None:
    if not 0 < load_kg < float("inf"):
        raise OutsideFormula(formula, "load_kg", load_kg)
    _hold_reps(formula, reps)


def _hold_reps(formula: Formula, reps: int) -> None:
    if not 1 <= reps <= REPS_MAX[formula]:
        raise OutsideFormula(formula, "reps", reps)
