"""Findings on nutrition: days that were off their targets, by the one definition of `nutrition.day_score`."""

import datetime
from collections.abc import Iterable, Iterator, Sequence
from math import fsum

from msgspec import Struct

from apex_sync.coaching.finding import Finding, computed, confidence, finding, shown, written
from apex_sync.coaching.leaves import day
from apex_sync.coaching.nutrition import Macros, day_score, day_totals, target_macros, targets_on
from apex_sync.coaching.weeks import DAYS, days_before, days_between
from apex_sync.collection import Record

DAYS_MIN = 4
"""Days of the last week that were written down to their end; with fewer, nothing is said [D]."""

OFF_PERCENT = 10.0
"""Energy that far from its target over a week is worth a word: twice the tolerance of a day [D]."""

PROTEIN_LOW_PERCENT = 90.0
"""Under this share of its target protein counts as low: the tolerance of a day [D]."""

LOW_SCORE = 70.0
"""A mean score under this is low, as adherence of workouts is [D]."""


class ScoredDay(Struct, frozen=True):
    """A day that was written down to its end, with what was asked for."""

    log_id: str
    date: datetime.date
    eaten: Macros
    asked: Macros
    percent: float


def nutrition_findings(
    logs: Iterable[tuple[str, Record]], targets: Sequence[tuple[str, Record]], as_of: datetime.date
) -> Iterator[Finding]:
    """Say what a coach should know of what was eaten in the last seven days."""
    days = scored_days(logs, targets, as_of)
    if len(days) < DAYS_MIN:
        return
    window = days_before(as_of, DAYS - 1), as_of
    energy = _mean_percent(days, "energy_kcal")
    if energy is not None and abs(energy - 100) > OFF_PERCENT:
        rule = "nutrition.energy_low" if energy < 100 else "nutrition.energy_high"
        yield _off_target(rule, "energy", "energy_kcal", energy, OFF_PERCENT, days, window)
    protein = _mean_percent(days, "protein_g")
    if protein is not None and protein < PROTEIN_LOW_PERCENT:
        yield _off_target("nutrition.protein_low", "protein", "protein_g", protein, PROTEIN_LOW_PERCENT, days, window)
    score = fsum(each.percent for each in days) / len(days)
    if score < LOW_SCORE:
        yield _low_score(score, days, window)


def scored_days(
    logs: Iterable[tuple[str, Record]], targets: Sequence[tuple[str, Record]], as_of: datetime.date
) -> list[ScoredDay]:
    """List the days of the last week that have a score, the earliest first."""
    days = []
    for log_id, log in logs:
        on = day(getattr(log, "date", None))
        if on is None or not 0 <= days_between(on, as_of) < DAYS or getattr(log, "deleted", None) is True:
            continue
        in_force = targets_on(targets, on)
        if in_force is None:
            continue
        totals, asked = day_totals(log), target_macros(in_force[1])
        percent = day_score(totals, asked).percent
        if percent is not None:
            days.append(ScoredDay(log_id, on, totals.macros, asked, percent))
    return sorted(days, key=lambda each: (each.date, each.log_id))


def _mean_percent(days: Sequence[ScoredDay], nutrient: str) -> float | None:
    """Give what was eaten of a nutrient in per cent of its target, on average of the days that name both."""
    percents = [
        100 * eaten / asked
        for each in days
        if (asked := getattr(each.asked, nutrient)) and (eaten := getattr(each.eaten, nutrient)) is not None
    ]
    return fsum(percents) / len(percents) if len(percents) >= DAYS_MIN else None


def _off_target(
    rule: str,
    word: str,
    nutrient: str,
    percent: float,
    threshold: float,
    days: Sequence[ScoredDay],
    window: tuple[datetime.date, datetime.date],
) -> Finding:
    unit = "kcal" if nutrient == "energy_kcal" else "g"
    return finding(
        rule,
        nutrient,
        statement=f"{word} averaged {shown(percent, 0)} % of its target over {len(days)} days",
        window=window,
        inputs=[
            written(each.log_id, "foods", f"{word} eaten on {each.date.isoformat()}", value, unit, 0)
            for each in days
            if (value := getattr(each.eaten, nutrient)) is not None
        ],
        computed=[computed(f"{word} of its target", percent, "%", 0), computed("days", len(days))],
        threshold={"percent": threshold, "days": DAYS_MIN},
        n=len(days),
        confidence=confidence(len(days), DAYS),
        expires_after_days=DAYS,
        action="review_nutrition",
        recommendation="Ask how the week of eating went, and whether the targets fit it.",
    )


def _low_score(score: float, days: Sequence[ScoredDay], window: tuple[datetime.date, datetime.date]) -> Finding:
    return finding(
        "nutrition.adherence_low",
        "score",
        statement=f"days met their targets at {shown(score, 0)} % on average over {len(days)} days",
        window=window,
        inputs=[
            written(each.log_id, "foods", f"score of {each.date.isoformat()}", each.percent, "%", 0) for each in days
        ],
        computed=[computed("mean score", score, "%", 0), computed("days", len(days))],
        threshold={"percent": LOW_SCORE, "days": DAYS_MIN},
        n=len(days),
        confidence=confidence(len(days), DAYS),
        expires_after_days=DAYS,
        action="review_nutrition",
        recommendation="Ask what made the targets hard to meet, and offer others or a plan of meals.",
    )
