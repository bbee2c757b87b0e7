"""Holds a text to the facts it cites: the check that stands between any wording and a coach.

A schema makes an answer readable, not true. So every claim must cite facts that exist; every number must be the value
of a fact it cites, rounded at most, with its own unit; actions and flags must come from the findings; and nothing that
could be followed, rendered or taken for medicine may stand there. What people typed may not come back as text.

A text that fails is not mended here: it is asked for once more, and then the template stands in.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from apex_server.ai.untrusted import clean, excerpts_of, names_of, seems_link
from apex_server.ai.wording import Claim, Recommendation, WordedInsight
from apex_sync.coaching.finding import Fact, Finding

__all__ = ["find_faults"]

FAULTS_MAX = 12
"""So many are reported; a text with more is not worth a longer list."""

ECHO_LENGTH_MIN = 24
"""A run of so many characters from what somebody typed is a quotation; exercise names are mostly shorter."""

NUMBER = re.compile(
    r"(?<![\d.,])[-+\u2212]?\d+(?:[.,]\d+)*"
    r"(?P<unit>\s?(?:%|(?:kg|lbs?|pounds?|kilo(?:gram)?s?|reps?|sets?|days?|weeks?|sessions?|points?)\b))?",
    re.IGNORECASE,
)
DAY = re.compile(r"\b\d{4}-\d{2}-\d{2}\b")
PLACEHOLDER = re.compile(r"\{(S\d{1,3})\}")
OF_TEN = re.compile(r"\s*(?:/|\b(?:out )?of )\s*10\b")
"""How an answer's scale is said; the scale is a fact's unit, not its value."""

TERMS = re.compile(r"\be?1RM\b", re.IGNORECASE)
"""Words with a digit that are no number."""

COUNTED = ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
UNCOUNTED = ("half", "twice", "double", "doubled", "triple", "third", "quarter")
WORDS: dict[str, int | None] = {
    **{word: number for number, word in enumerate(COUNTED, start=2)},
    **dict.fromkeys(UNCOUNTED),
}
"""Numbers written out; those without a value are never a fact, and stand only where a rule itself says them."""

MEASURES = {
    **dict.fromkeys(("%",), "%"),
    **dict.fromkeys(("kg", "kilo", "kilos", "kilogram", "kilograms"), "kg"),
    **dict.fromkeys(("lb", "lbs", "pound", "pounds"), "lb"),
}
"""Units that a value has or has not; whoever mixes them up is wrong by a factor."""

MEDICAL = re.compile(
    r"diagnos|tend[io]n[io]|tendinopath|\btorn\b|ruptur|fractur|herniat|sciatic|arthrit|inflamm|bursitis|impinge|"
    r"concuss|infection|diseas|disorder|syndrome|illness|anorex|bulimi|depress|anxiety|burn-?out|hormon|thyroid|"
    r"testosterone|steroid|insulin|anemi|anaemi|medicat|medicine|ibuprofen|paracetamol|aspirin|painkiller|\bnsaid|"
    r"\bdos(?:e|age)\b|\bmg\b|therap|rehab|\bcur(?:e|es|ed)\b|\bheal(?:s|ed|ing)?\b|treatment|surger|injection|"
    r"\binjur(?:y|ies|ed)\b|sprain|strained|supplement|creatine|\bfast(?:ing)\b|\bcrash diet",
    re.IGNORECASE,
)
"""Words of medicine; a finding's own statement may use one (a set marked as ended by an injury), nothing else may."""


class Checked(NamedTuple):
    """A text on trial, where it stands, and the facts it cites."""

    place: str
    text: str
    facts: tuple[str, ...]


def find_faults(worded: WordedInsight, findings: Sequence[Finding]) -> list[str]:
    """List what is wrong with a text, most important first; none: every claim stands on the facts it cites."""
    return [fault for _, fault in zip(range(FAULTS_MAX), faults(worded, findings), strict=False)]


def faults(worded: WordedInsight, findings: Sequence[Finding]) -> Iterator[str]:
    """Go through the title and all claims."""
    facts = {fact.id: fact for found in findings for fact in found.facts}
    if not worded.summary:
        yield "the summary is empty"
    for text in texts_of(worded):
        yield from citation_faults(text, facts)
        yield from content_faults(text, findings)
        cited = [facts[id_] for id_ in text.facts if id_ in facts]
        yield from number_faults(text, cited, findings)
    yield from code_faults(worded, findings)


def texts_of(worded: WordedInsight) -> Iterator[Checked]:
    """List every piece of text; the title cites all facts that the rest does."""
    yield Checked("title", worded.title, tuple(sorted(worded.cited)))
    claims: list[tuple[str, Claim | Recommendation]] = [("summary", claim) for claim in worded.summary]
    claims += [("recommendations", advice) for advice in worded.recommendations]
    for place, claim in claims:
        yield Checked(place, claim.text, claim.facts)
    for flag in worded.flags:
        yield Checked("flags", flag.message, flag.facts)


def citation_faults(text: Checked, facts: Mapping[str, Fact]) -> Iterator[str]:
    """Every claim cites facts, and only such as there are."""
    if text.place == "title":
        return
    if not text.facts:
        yield f"{text.place}: a claim cites no fact"
    for id_ in text.facts:
        if id_ not in facts:
            yield f"{text.place}: there is no fact {clean(id_, 8)}"


def content_faults(text: Checked, findings: Sequence[Finding]) -> Iterator[str]:
    """Nothing to follow or render, nothing hidden, nothing medical, nothing quoted from people."""
    if clean(text.text, len(text.text)) != text.text:
        yield f"{text.place}: line breaks or characters that cannot be seen"
    if seems_link(without_names(text.text, findings)):
        yield f"{text.place}: a link or markup"
    if not is_english(without_names(text.text, findings)):
        yield f"{text.place}: not in English letters"
    own_words = " ".join(map(own_words_of, findings)).lower()
    for word in MEDICAL.findall(without_names(text.text, findings)):
        if word.lower() not in own_words:
            yield f"{text.place}: the medical word {word.lower()!r}"
    for excerpt in excerpts_of(findings).values():
        if echoes(text.text, excerpt):
            yield f"{text.place}: repeats what somebody typed"
    for placeholder in PLACEHOLDER.findall(text.text):
        if placeholder not in names_of(findings).values():
            yield f"{text.place}: there is no subject {placeholder}"
    if re.search(r"[{}]", PLACEHOLDER.sub("", text.text)):
        yield f"{text.place}: braces that are no placeholder"


def number_faults(text: Checked, cited: Sequence[Fact], findings: Sequence[Finding]) -> Iterator[str]:
    """Every number is a cited fact in its own unit, as it stands or rounded, or one that a cited rule itself says."""
    plain = PLACEHOLDER.sub("", without_names(text.text, findings))
    days = {str(fact.value) for fact in cited} | {day for fact in cited for day in DAY.findall(fact.label)}
    for day in DAY.findall(plain):
        if day not in days:
            yield f"{text.place}: the day {day} is not among the cited facts"
    plain = TERMS.sub("", DAY.sub("", plain))
    if any(fact.unit == "of 10" for fact in cited):
        plain = OF_TEN.sub("", plain)
    said = {number for found in resting_on(text.facts, findings) for number in numbers_in(own_words_of(found))}
    for match in NUMBER.finditer(plain):
        number, unit = match[0].removesuffix(match["unit"] or ""), (match["unit"] or "").strip().lower()
        if match[0].strip() not in said and not any(stands_for(number, unit, fact) for fact in cited):
            yield f"{text.place}: {match[0].strip()} is not among the cited facts"
    own_words = {word for found in findings for word in words_in(own_words_of(found))}
    for word in words_in(plain):
        if word in WORDS and word not in own_words:
            value = WORDS[word]
            if value is None or not any(stands_for(str(value), "", fact) for fact in cited):
                yield f"{text.place}: {word!r} is not among the cited facts"


def code_faults(worded: WordedInsight, findings: Sequence[Finding]) -> Iterator[str]:
    """Actions and types of flags are those of findings whose facts are cited."""
    for advice in worded.recommendations:
        if advice.action not in {found.action for found in resting_on(advice.facts, findings)}:
            yield f"recommendations: no cited finding suggests {advice.action}"
    for flag in worded.flags:
        if flag.type not in {found.flag for found in resting_on(flag.facts, findings)}:
            yield f"flags: no cited finding is a {flag.type}"


def resting_on(ids: Iterable[str], findings: Sequence[Finding]) -> list[Finding]:
    """List the findings that one of these facts belongs to."""
    wanted = set(ids)
    return [found for found in findings if wanted & {fact.id for fact in found.facts}]


def stands_for(number: str, unit: str, fact: Fact) -> bool:
    """Tell whether a number as written is the value of a fact: equal at the decimals it is written with.

    A sign may be left out, where words say the direction.

    >>> stands_for("102.5", "kg", Fact(label="load", value=102.5, unit="kg"))
    True
    >>> stands_for("102.5", "lb", Fact(label="load", value=102.5, unit="kg"))
    False
    """
    if isinstance(fact.value, str | bool) or not is_measured_in(fact, unit):
        return False
    written = number.replace("\u2212", "-").replace(",", "")
    if written.count(".") > 1:
        return False
    decimals = len(written.partition(".")[2])
    value, written_value = round(float(fact.value), decimals), float(written)
    return value == written_value or (written[0] not in "+-" and -value == written_value)


def is_measured_in(fact: Fact, unit: str) -> bool:
    """Tell whether a fact may stand before a unit: measures are strict, what is counted may be named by its label."""
    if unit in MEASURES:
        return fact.unit.startswith(MEASURES[unit])
    stem = unit.rstrip("s")
    return not stem or not fact.unit or fact.unit.startswith(stem) or stem in fact.label


def without_names(text: str, findings: Sequence[Finding]) -> str:
    """Take the names of what findings are about out of a text: they are not its own words or numbers."""
    for name in sorted(names_of(findings), key=len, reverse=True):
        text = re.sub(re.escape(name), "", text, flags=re.IGNORECASE)
    return text


def echoes(text: str, typed: str) -> bool:
    """Tell whether a text repeats a long run of what somebody typed."""
    plain, source = (" ".join(words_in(each)) for each in (text, typed))
    runs = (source[at : at + ECHO_LENGTH_MIN] for at in range(len(source) - ECHO_LENGTH_MIN + 1))
    return any(run in plain for run in runs)


def is_english(text: str) -> bool:
    """Tell whether a text is written in the letters of English."""
    letters = [c for c in text if c.isalpha()]
    return sum(c.isascii() for c in letters) >= 0.9 * len(letters)


def own_words_of(found: Finding) -> str:
    """Give what a rule itself says: numbers and words that stand there may be repeated."""
    return f"{found.statement} {found.recommendation or ''}"


def numbers_in(text: str) -> set[str]:
    """List the numbers of a text, with their units."""
    return {match[0].strip() for match in NUMBER.finditer(text)}


def words_in(text: str) -> list[str]:
    """List the words of a text."""
    return re.findall(r"[a-z]+|\d+", text.lower())
