"""Text that came from people: what of it may be shown, what a model may be told, and how.

Names, notes, goals and excerpts are data. They go to a model in one field of JSON that says so, bounded and without
control characters, and never into the instructions.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from datetime import date

from apex_sync.coaching.finding import Fact, Finding

__all__ = ["clean", "excerpts_of", "is_from_people", "name_to_show", "names_of", "seems_link"]

NAME_LENGTH_MAX = 60
EXCERPT_LENGTH_MAX = 300

LINK = re.compile(
    r"://|\bwww\.|\]\(|[<>]|\bmailto:|\S@\S+\.\S|\b[a-z0-9-]{2,}\.(?:com|net|org|io|co|me|app|dev|info|biz|ru|cn|de|uk)\b",
    re.IGNORECASE,
)


def clean(text: str, length_max: int) -> str:
    """Give text on one line without control, format and private characters, cut to a bound."""
    shown = "".join(" " if c.isspace() else c for c in text if c.isspace() or unicodedata.category(c)[0] != "C")
    return " ".join(shown.split())[:length_max]


def seems_link(text: str) -> bool:
    """Tell whether something could be followed or rendered: an address, a link, a tag."""
    return LINK.search(text) is not None


def name_to_show(about: str) -> str:
    """Give the name of what a finding is about, as it may stand in a text; empty where it may not or there is none."""
    name = clean(about, NAME_LENGTH_MAX)
    return "" if seems_link(name) else name


def is_from_people(fact: Fact) -> bool:
    """Tell whether the value of a fact was typed by somebody: any text that is not a day of the calendar."""
    return isinstance(fact.value, str) and not is_day(fact.value)


def names_of(findings: Iterable[Finding]) -> dict[str, str]:
    """Give a placeholder, `S1` and so on, for the name of everything that findings are about."""
    names = dict.fromkeys(name for found in findings if (name := name_to_show(found.about)))
    return {name: f"S{number}" for number, name in enumerate(names, start=1)}


def excerpts_of(findings: Iterable[Finding]) -> Mapping[str, str]:
    """Give what people wrote, by the id of the fact it stands in."""
    return {
        fact.id: clean(str(fact.value), EXCERPT_LENGTH_MAX)
        for found in findings
        for fact in found.facts
        if is_from_people(fact)
    }


def is_day(text: str) -> bool:
    """Tell whether text is a day, `2026-03-01`."""
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False
