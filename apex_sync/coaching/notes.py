"""Words in an athlete's notes that a coach must read for themselves.

A note that names a pain or an injury is passed on word for word. It is never interpreted, never counted towards a
sign of fatigue, and the text stays data: it comes from outside.
"""

import re
from collections.abc import Iterable
from typing import Any

from msgspec import Struct

from apex_sync.coaching.leaves import live_entries
from apex_sync.collection import Record

TERMS: dict[str, str] = {
    "ache": r"ach(?:e|es|ed|ing|y)",
    "burning": r"burning",
    "dizzy": r"dizz(?:y|iness)|light-?headed",
    "hurt": r"hurt(?:s|ing)?",
    "injury": r"injur(?:y|ies|ed|e)",
    "numb": r"numb(?:ness)?",
    "pain": r"pain(?:s|ful|fully)?",
    "pinch": r"pinch(?:ed|es|ing)?",
    "pop": r"popp(?:ed|ing)",
    "pulled": r"pulled (?:a|my|something)",
    "sharp": r"sharp",
    "sprain": r"sprain(?:s|ed)?",
    "strain": r"strain(?:s|ed)?",
    "swollen": r"swollen|swelling",
    "tear": r"tore|torn",
    "tingle": r"tingl(?:e|es|ed|ing|y)",
    "tweak": r"tweak(?:s|ed)?",
}
"""Key terms and the forms they are looked for in, as whole words, in English [D]. A coach's list can replace them."""

EXCERPT_CHARACTERS = 160
MENTIONS_MAX = 20
NOTE_CHARACTERS_MAX = 10_000
"""Bounds: the excerpt shown, the mentions of one record, and how much of a note is read (its model's own bound)."""


class Mention(Struct, frozen=True, kw_only=True):
    """A term found in a note: the athlete's own words around it, with where they stand."""

    record_id: str
    field: str
    term: str
    excerpt: str


def find_mentions(record_id: str, texts: Iterable[tuple[str, str]], terms: dict[str, str] = TERMS) -> list[Mention]:
    """Find each term once in each of the texts, given as (field, text).

    >>> [m.term for m in find_mentions("w1", [("notes", "Sharp pain in the left shoulder on rep 3.")])]
    ['sharp', 'pain']
    """
    pattern = re.compile("|".join(rf"(?P<{term}>\b(?:{form})\b)" for term, form in terms.items()), re.IGNORECASE)
    mentions: list[Mention] = []
    for field, text in texts:
        seen: set[str] = set()
        for match in pattern.finditer(text[:NOTE_CHARACTERS_MAX]):
            term = match.lastgroup or ""
            if term in seen:
                continue
            seen.add(term)
            mentions.append(Mention(record_id=record_id, field=field, term=term, excerpt=_around(text, match.start())))
            if len(mentions) == MENTIONS_MAX:
                return mentions
    return mentions


def workout_texts(record: Record) -> list[tuple[str, str]]:
    """List the notes of a workout log, of its exercises and of its sets, with the field each stands in."""
    found = [("notes", getattr(record, "notes", None))]
    for part in ("exercises", "sets"):
        for key, entry in live_entries(getattr(record, part, None)):
            found.append((f"{part}.{key}.notes", getattr(entry, "notes", None)))
    return _only_texts(found)


def check_in_texts(record: Record) -> list[tuple[str, str]]:
    """List the notes of a check-in and its free answers, with the field each stands in."""
    found = [("notes", getattr(record, "notes", None))]
    answers = getattr(record, "questionnaire", None)
    if isinstance(answers, dict):
        found += [(f"questionnaire.{key}", answers[key]) for key in sorted(k for k in answers if isinstance(k, str))]
    return _only_texts(found)


def _only_texts(found: Iterable[tuple[str, Any]]) -> list[tuple[str, str]]:
    return [(field, value) for field, value in found if isinstance(value, str) and value]


def _around(text: str, at: int) -> str:
    """Cut the text around a place, at the ends of words where it is cut."""
    if len(text) <= EXCERPT_CHARACTERS:
        return text
    start = max(0, min(at - EXCERPT_CHARACTERS // 2, len(text) - EXCERPT_CHARACTERS))
    excerpt = text[start : start + EXCERPT_CHARACTERS]
    if start:
        excerpt = "…" + excerpt.partition(" ")[2] if " " in excerpt[: at - start] else "…" + excerpt
    return excerpt + "…" if start + EXCERPT_CHARACTERS < len(text) else excerpt
