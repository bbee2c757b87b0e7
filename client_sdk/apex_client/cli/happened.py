"""What happened to an athlete, in the words of a person: a line of the timeline with its figures and their units."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from apex_client.cli.screen import counted

if TYPE_CHECKING:
    from apex_client.standing import TimelineEntry
    from apex_sync.coaching.client_timeline import TimelineKind

__all__ = ["KINDS", "kind_in_words", "told"]

KINDS: "Mapping[str, TimelineKind]" = {
    "workout": "workout", "check-in": "check_in", "measuring": "metrics", "photo": "photo", "food": "nutrition",
    "messages": "messages", "program": "program", "insight": "insight", "linked": "linked",
}  # fmt: skip
"""What a person calls each kind."""

_SIDES = {"side-left": "left side", "side-right": "right side"}

Fact = str | float | bool | None


def kind_in_words(kind: "TimelineKind") -> str:
    """Give what a person calls a kind.

    >>> kind_in_words("check_in"), kind_in_words("metrics")
    ('check-in', 'measuring')
    """
    return next(word for word, known in KINDS.items() if known == kind)


def told(entry: "TimelineEntry") -> str:
    """Write in a line what an entry is called, and its figures.

    >>> from datetime import date, datetime
    >>> from apex_client.standing import TimelineEntry
    >>> on, at = date(2026, 3, 1), datetime(2026, 3, 1)
    >>> told(
    ...     TimelineEntry("workout", "1", on, at, {"title": "Push", "sets": 2, "exercises": 1, "duration_minutes": 60})
    ... )
    'Push: 2 sets of 1 exercise, 60 min'
    >>> told(TimelineEntry("metrics", "1", on, at, {"weight_kg": 82.4, "body_fat_percent": None}))
    '82.4 kg'
    """
    name = entry.facts.get("title") or entry.facts.get("name")
    figures = ", ".join(filter(None, _figures(entry.kind, entry.facts)))
    return f"{name}: {figures}" if name and figures else str(name or figures)


def _figures(kind: "TimelineKind", facts: Mapping[str, Fact]) -> tuple[str, ...]:
    match kind:
        case "workout":
            sets, exercises = _count(facts, "sets"), _count(facts, "exercises")
            performed = f"{counted(sets, 'set')} of {counted(exercises, 'exercise')}" if sets else "no set"
            return performed, _amount(facts, "duration_minutes", " min", digits=0)
        case "check_in":
            photos = _count(facts, "photos")
            answer = "answered" if facts.get("reviewed") else "waits for your answer"
            return _amount(facts, "weight_kg", " kg"), counted(photos, "photo") if photos else "", answer
        case "metrics":
            fat = _amount(facts, "body_fat_percent", " %")
            return _amount(facts, "weight_kg", " kg"), f"body fat {fat}" if fat else ""
        case "photo":
            side = str(facts.get("type") or "")
            return (_SIDES.get(side, side),)
        case "nutrition":
            return _eaten(facts, "energy_kcal", " kcal"), _eaten(facts, "protein_g", " g of protein")
        case "messages":
            sides = ("from_athlete", "them"), ("from_coach", "you")
            return tuple(f"{number} from {who}" for side, who in sides if (number := _count(facts, side)))
        case "program":
            last_day = facts.get("end_date")
            return _words(facts, "status"), f"until {last_day}" if last_day else ""
        case "insight":
            priority = _words(facts, "priority")
            return _words(facts, "type"), f"{priority} priority" if priority else ""
        case "linked":
            return ("you work together",)


def _count(facts: Mapping[str, Fact], name: str) -> int:
    return int(facts.get(name) or 0)


def _words(facts: Mapping[str, Fact], name: str) -> str:
    return str(facts.get(name) or "").replace("_", " ")


def _amount(facts: Mapping[str, Fact], name: str, unit: str, *, digits: int = 1) -> str:
    """Write a figure with its unit; nothing where none is known."""
    value = facts.get(name)
    return f"{round(float(value), digits):,g}{unit}" if value is not None else ""


def _eaten(facts: Mapping[str, Fact], name: str, unit: str) -> str:
    eaten, asked = facts.get(name), facts.get(f"target_{name}")
    if eaten is None:
        return ""
    return f"{float(eaten):,.0f}{unit}" if asked is None else f"{float(eaten):,.0f} of {float(asked):,.0f}{unit}"
