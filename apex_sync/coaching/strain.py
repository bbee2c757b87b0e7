"""Subjective strain from the 1-10 answers of check-ins, and how an answer compares with the athlete's own last weeks.

Self-reported answers follow training load in many sports studies [V, adamvirgile.com review], but did not tell
performance in a six-week strength program [V, PMC6355136]: strain is one of two signals that are needed, never enough
by itself.
"""

import datetime
from collections.abc import Iterable, Mapping, Sequence
from math import fsum
from typing import Literal

from msgspec import Struct

from apex_sync.coaching.leaves import day, local_day, whole
from apex_sync.coaching.trend import Spread, spread
from apex_sync.coaching.weeks import days_between
from apex_sync.collection import Record

ANSWERS = ("energy", "hunger", "stress", "sleep", "adherence", "enjoyment", "soreness", "motivation")
SCORE_MIN, SCORE_MAX = 1, 10

STRAINING = ("stress", "soreness")
RESTORING = ("sleep", "energy")
"""Answers that strain is the mean of; of the restoring ones their distance from 11."""

STRAIN_ANSWERS_MIN = 3
"""Fewer than these of the four answers make no strain [D]."""

STRAIN_YELLOW, STRAIN_RED = 6.0, 7.5
"""Levels of strain, 1 to 10 [D]."""

STRAIN_LOW = 3.5
"""At or below this strain is low enough to be said [D]."""

DEVIATION_SDS = 1.5
"""This many standard deviations above the athlete's own mean are yellow whatever the level [D]."""

SD_MIN = 0.5
"""A spread smaller than this counts as this: after equal answers half a point is no event [D]."""

BASELINE_DAYS = 28
BASELINE_ANSWERS_MIN = 4
"""The trailing days an answer is compared with, and how many answers a baseline needs [D]."""

COMPARED_ANSWERS_MIN = 2
NOTABLE_DIFFERENCE = 2.0
"""How many earlier answers a comparison needs, and the difference in points that is worth a word [D]."""

BETTER_HIGH = frozenset({"energy", "sleep", "adherence", "enjoyment", "motivation"})
BETTER_LOW = frozenset({"stress", "soreness"})
"""Which way an answer is better; hunger has no better side."""

Level = Literal["low", "normal", "yellow", "red"]


class Answers(Struct, frozen=True, kw_only=True):
    """The scores of one check-in, as far as they were given and are within 1 to 10."""

    check_in_id: str
    date: datetime.date
    scores: Mapping[str, int]


class Strain(Struct, frozen=True, kw_only=True):
    """Strain of one check-in; `baseline` is that of the trailing four weeks, None where too few answered."""

    check_in_id: str
    date: datetime.date
    value: float
    answered: int
    baseline: Spread | None
    level: Level


class Comparison(Struct, frozen=True, kw_only=True):
    """One answer beside the mean of the athlete's own trailing four weeks."""

    field: str
    value: int
    mean: float
    n: int
    difference: float
    direction: Literal["better", "worse", "neutral"]

    @property
    def notable(self) -> bool:
        """Whether the difference is worth a word."""
        return abs(self.difference) >= NOTABLE_DIFFERENCE


def answers_of(check_in_id: str, record: Record) -> Answers | None:
    """Read the scores of a check-in; None where it is deleted or has no day. Total for any record."""
    on = day(getattr(record, "date", None)) or local_day(getattr(record, "submitted_at", None))
    if on is None or getattr(record, "deleted", None) is True:
        return None
    responses = getattr(record, "responses", None)
    scores = {
        field: score
        for field in ANSWERS
        if (score := whole(getattr(responses, field, None), SCORE_MIN, SCORE_MAX)) is not None
    }
    return Answers(check_in_id=check_in_id, date=on, scores=scores)


def is_submitted(record: Record) -> bool:
    """Say whether a check-in was handed in; drafts are nobody's business."""
    return local_day(getattr(record, "submitted_at", None)) is not None


def strain_value(scores: Mapping[str, int]) -> float | None:
    """Give the mean of stress, soreness, 11 - sleep and 11 - energy; None where too few were answered.

    >>> strain_value({"stress": 8, "soreness": 7, "sleep": 4, "energy": 3})
    7.5
    """
    parts = [float(scores[field]) for field in STRAINING if field in scores]
    parts += [float(11 - scores[field]) for field in RESTORING if field in scores]
    return fsum(parts) / len(parts) if len(parts) >= STRAIN_ANSWERS_MIN else None


def strain_of(answers: Answers, history: Iterable[Answers]) -> Strain | None:
    """Judge the strain of a check-in by its level and by the athlete's own trailing four weeks."""
    value = strain_value(answers.scores)
    if value is None:
        return None
    before = [v for earlier in trailing(answers, history) if (v := strain_value(earlier.scores)) is not None]
    baseline = spread(before) if len(before) >= BASELINE_ANSWERS_MIN else None
    return Strain(
        check_in_id=answers.check_in_id,
        date=answers.date,
        value=value,
        answered=sum(field in answers.scores for field in STRAINING + RESTORING),
        baseline=baseline,
        level=_level(value, baseline),
    )


def comparisons(answers: Answers, history: Iterable[Answers]) -> list[Comparison]:
    """Compare each answer with the mean of the trailing four weeks, in the order of the questions."""
    before = trailing(answers, history)
    found = []
    for field in ANSWERS:
        own = spread([float(earlier.scores[field]) for earlier in before if field in earlier.scores])
        if field not in answers.scores or own is None or own.n < COMPARED_ANSWERS_MIN:
            continue
        difference = answers.scores[field] - own.mean
        found.append(
            Comparison(
                field=field,
                value=answers.scores[field],
                mean=own.mean,
                n=own.n,
                difference=difference,
                direction=_direction(field, difference),
            )
        )
    return found


def trailing(answers: Answers, history: Iterable[Answers]) -> Sequence[Answers]:
    """Give the check-ins of the 28 days before one, oldest first, without itself."""
    before = [
        earlier
        for earlier in history
        if earlier.check_in_id != answers.check_in_id and 0 < days_between(earlier.date, answers.date) <= BASELINE_DAYS
    ]
    return sorted(before, key=lambda earlier: (earlier.date, earlier.check_in_id))


def _level(value: float, baseline: Spread | None) -> Level:
    if value >= STRAIN_RED:
        return "red"
    deviates = baseline is not None and value >= baseline.mean + DEVIATION_SDS * max(baseline.sd or 0.0, SD_MIN)
    if value >= STRAIN_YELLOW or deviates:
        return "yellow"
    return "low" if value <= STRAIN_LOW else "normal"


def _direction(field: str, difference: float) -> Literal["better", "worse", "neutral"]:
    if field not in BETTER_HIGH | BETTER_LOW or not difference:
        return "neutral"
    return "better" if (difference > 0) == (field in BETTER_HIGH) else "worse"
