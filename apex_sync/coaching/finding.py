"""A finding: what a rule found, with every number it rests on, so that a coach can click through to it.

The engine decides and a model or a template only words it, so a finding carries all that may be said: `statement` and
`recommendation` in neutral words made by the rule alone, and facts `F1`, `F2` … that a text may cite. Text that came
from people (an exercise's name in `about`, an excerpt as a fact's value) never stands in them: it stays data.

The same input gives the same bytes: numbers are rounded when they become facts, findings are in one order, and facts
are numbered along it.
"""

import datetime
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import Any, Literal

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from apex_sync.coaching.exposures import Best
from apex_sync.coaching.rules import RULES, FindingType, FlagType, Priority
from apex_sync.coaching.sets import PerformedSet
from apex_sync.coaching.weeks import days_before

ActionCode = Literal[
    "add_reps",
    "ask_athlete",
    "ask_check_in",
    "check_effort",
    "confirm_weight",
    "consider_deload",
    "hold_plan",
    "keep_load",
    "lower_load",
    "raise_load",
    "read_note",
    "review_exercise",
    "review_nutrition",
    "review_plan",
    "review_recovery",
    "review_volume",
]
"""What a finding may suggest to the coach; nothing else may be suggested."""

LOW_CONFIDENCE_FACTOR = 0.8
"""Confidence is so much less where an input is of low confidence [D]."""

DECIMALS = 2
"""Numbers are rounded to this when they become facts, so that a text can quote them exactly."""

INPUTS_MAX = 24
FINDINGS_MAX = 200
TEXT_MAX, FIELD_MAX = 400, 200
"""Bounds of a finding and of a result; the most urgent findings are kept."""

PRIORITY_ORDER: tuple[Priority, ...] = ("critical", "high", "medium", "low")

Value = bool | int | float | str


class Fact(Struct, frozen=True, kw_only=True):
    """One number or text that a finding rests on, or that its rule computed.

    `record_id` and `field` say where an input is written; computed facts have no record. `version` is the version of
    the record as the caller named it, and is no part of `facts_digest`.
    """

    id: str = ""
    label: str
    value: Value
    unit: str = ""
    record_id: str = ""
    field: str = ""
    version: str | int | None = None


class Window(Struct, frozen=True, rename={"from_": "from"}):
    """The days a finding looked at, both included."""

    from_: datetime.date
    to: datetime.date


class Finding(Struct, frozen=True, kw_only=True):
    """What one rule found about one subject; `key` stays the same from run to run, so that a later one supersedes it.

    `about` names the subject for people, in their own words (untrusted text); `n` is the sample size, `confidence`
    from 0 to 1. `action` is what the coach might do, `recommendation` the same in a sentence.
    """

    rule_id: str
    rule_version: int
    subject: str
    about: str
    type: FindingType
    priority: Priority
    flag: FlagType | None
    statement: str
    action: ActionCode | None
    recommendation: str | None
    window: Window
    inputs: tuple[Fact, ...]
    computed: tuple[Fact, ...]
    threshold: Mapping[str, float]
    n: int
    confidence: float
    expires_at: datetime.date

    @property
    def key(self) -> str:
        """The identity of a finding across runs."""
        return f"{self.rule_id}:{self.subject}"

    @property
    def facts(self) -> tuple[Fact, ...]:
        """All facts that a text on this finding may cite."""
        return self.inputs + self.computed


def finding(
    rule_id: str,
    subject: str,
    *,
    statement: str,
    window: tuple[datetime.date, datetime.date],
    inputs: Iterable[Fact],
    n: int,
    confidence: float,
    expires_after_days: int,
    about: str = "",
    computed: Iterable[Fact] = (),
    threshold: Mapping[str, float] | None = None,
    action: ActionCode | None = None,
    recommendation: str | None = None,
    priority: Priority | None = None,
    flag: FlagType | None = None,
) -> Finding:
    """Make a finding of a rule in the catalogue; it expires so many days after the end of its window."""
    rule = RULES[rule_id]
    return Finding(
        rule_id=rule_id,
        rule_version=rule.version,
        subject=subject,
        about=one_line(about),
        type=rule.type,
        priority=priority or rule.priority,
        flag=flag or rule.flag,
        statement=statement,
        action=action,
        recommendation=recommendation,
        window=Window(*window),
        inputs=tuple(inputs)[:INPUTS_MAX],
        computed=tuple(computed),
        threshold=dict(threshold or {}),
        n=n,
        confidence=confidence,
        expires_at=days_before(window[1], -expires_after_days),
    )


def confidence(n: int, n_wanted: int, *, completeness: float = 1.0, low: bool = False) -> float:
    """State confidence from sample size, completeness of the data, and whether an input is of low confidence.

    >>> confidence(4, 4), confidence(2, 4), confidence(4, 4, low=True)
    (1.0, 0.5, 0.8)
    """
    full = min(1.0, n / n_wanted) * min(1.0, max(0.0, completeness))
    return round(full * (LOW_CONFIDENCE_FACTOR if low else 1.0), DECIMALS)


def computed(label: str, value: Value, unit: str = "", decimals: int = DECIMALS) -> Fact:
    """Make a fact of a computed value, rounded."""
    return Fact(label=label, value=rounded(value, decimals), unit=unit)


def written(record_id: str, field: str, label: str, value: Value, unit: str = "", decimals: int = 3) -> Fact:
    """Make a fact of a value that stands in a record."""
    shown = value[:TEXT_MAX] if isinstance(value, str) else rounded(value, decimals)
    return Fact(label=label, value=shown, unit=unit, record_id=record_id, field=field[:FIELD_MAX])


def set_facts(performed: PerformedSet) -> list[Fact]:
    """Make the facts of a set: its load, its reps and its effort, as far as they were logged."""
    at = f"sets.{performed.set_key}"
    facts = []
    if performed.load_kg is not None:
        facts.append(written(performed.workout_id, f"{at}.load_kg", "load", performed.load_kg, "kg"))
    if performed.reps is not None:
        facts.append(written(performed.workout_id, f"{at}.reps", "reps", performed.reps, "reps"))
    return facts + effort_facts(performed)


def effort_facts(performed: PerformedSet) -> list[Fact]:
    """Make the facts of a set's effort alone."""
    at = f"sets.{performed.set_key}"
    facts = []
    if performed.rpe is not None:
        facts.append(written(performed.workout_id, f"{at}.rpe", "effort", performed.rpe, "RPE"))
    if performed.rir is not None:
        facts.append(written(performed.workout_id, f"{at}.rir", "reps in reserve", performed.rir, "RIR"))
    return facts


def best_facts(bests: Iterable[Best]) -> list[Fact]:
    """Make the facts of the sets that session bests came from."""
    return [fact for best in bests for fact in set_facts(best.performed)]


def rounded(value: Value, decimals: int = DECIMALS) -> Value:
    """Round a number for quoting; whole numbers, truth values and text stay as they are.

    >>> rounded(81.0666), rounded(-0.001), rounded(3)
    (81.07, 0.0, 3)
    """
    return round(value, decimals) + 0.0 if isinstance(value, float) else value


def shown(value: float, decimals: int = DECIMALS) -> str:
    """Write a number as a statement quotes it: rounded, without needless zeros.

    >>> shown(102.50), shown(3.0), shown(1234567.0), shown(-0.001)
    ('102.5', '3', '1234567', '0')
    """
    text = f"{round(value, decimals) + 0.0:.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def one_line(text: str, length_max: int = 80) -> str:
    """Give text on one line without control characters, cut to a bound."""
    return " ".join("".join(c for c in text if c.isprintable() or c.isspace()).split())[:length_max]


def in_order(findings: Iterable[Finding], versions: Mapping[str, str | int] | None = None) -> list[Finding]:
    """Put findings in their one order (urgency, rule, subject), bound them, and number their facts along it.

    A finding that nothing can be clicked through to is dropped: no claim without an input.
    """
    ordered = sorted(
        (found for found in findings if found.inputs),
        key=lambda found: (PRIORITY_ORDER.index(found.priority), found.rule_id, found.subject, found.window.to),
    )
    numbered: list[Finding] = []
    count = 0
    for found in ordered[:FINDINGS_MAX]:
        inputs = [_numbered(fact, count + at, versions or {}) for at, fact in enumerate(found.inputs, start=1)]
        count += len(inputs)
        results = [_numbered(fact, count + at, {}) for at, fact in enumerate(found.computed, start=1)]
        count += len(results)
        numbered.append(replace(found, inputs=tuple(inputs), computed=tuple(results)))
    return numbered


def facts_digest(findings: Sequence[Finding]) -> str:
    """Give a digest of what findings say, so that unchanged facts need no new wording.

    Versions of records, windows and expiry are left out: a merge that touched only other fields, or a day that passed
    without changing a number, is no change.
    """
    content = [
        {
            "rule": [found.rule_id, found.rule_version],
            "subject": [found.subject, found.about],
            "kind": [found.type, found.priority, found.flag, found.action],
            "facts": [[f.label, f.value, f.unit, f.record_id, f.field] for f in found.facts],
            "threshold": found.threshold,
            "n": found.n,
            "confidence": found.confidence,
        }
        for found in findings
    ]
    return blake2b(canonical_json(content), digest_size=16).hexdigest()


def canonical_json(content: Any) -> bytes:
    """Write JSON in the one form that a digest is taken of: keys sorted, no spaces, shortest numbers."""
    return msgspec.json.encode(content, order="sorted")


def _numbered(fact: Fact, number: int, versions: Mapping[str, str | int]) -> Fact:
    return replace(fact, id=f"F{number}", version=versions.get(fact.record_id, fact.version))
