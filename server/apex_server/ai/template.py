"""The template wording: the rules' own sentences, put in order. The default, and what stands in where a model fails.

It is deterministic: the same findings give the same text.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

from apex_server.ai.limits import (
    FLAGS_MAX,
    MESSAGE_LENGTH_MAX,
    RECOMMENDATIONS_MAX,
    SUMMARY_CLAIMS_MAX,
    TITLE_LENGTH_MAX,
)
from apex_server.ai.untrusted import name_to_show
from apex_server.ai.wording import Claim, FlagClaim, Recommendation, WordedInsight, WordingContext
from apex_sync.coaching.finding import Finding

__all__ = ["TemplateWording"]

Item = TypeVar("Item")

FACTS_CITED_MAX = 12
"""A sentence rests on so many facts at most; the first ones are what its rule puts first."""

TITLES = {
    "adherence.check_in_overdue": "A check-in is overdue",
    "adherence.workouts": "Sessions done against sessions due",
    "adherence.workouts_good": "Nearly every session was done",
    "adherence.workouts_low": "Few of the due sessions were done",
    "bodyweight.against_goal": "Body weight moves away from its target",
    "bodyweight.fast_gain": "Body weight rises fast",
    "bodyweight.fast_loss": "Body weight falls fast",
    "bodyweight.on_course": "Body weight is on course",
    "bodyweight.outlier": "A weight far from the trend",
    "bodyweight.trend": "Where body weight is going",
    "bodyweight.unit_slip": "A weight that looks like pounds taken for kilograms",
    "checkin.answers": "Nothing stands out",
    "checkin.change_better": "Better than the weeks before",
    "checkin.change_worse": "Worse than the weeks before",
    "checkin.low_answer": "An answer at the poor end",
    "checkin.training": "A usual week",
    "double_progression.below_range_once": "A set ended below its rep range",
    "double_progression.below_range_twice": "Below the rep range twice running",
    "double_progression.effort_high": "At the top of the range, with more effort than planned",
    "double_progression.in_range": "Within the rep range",
    "double_progression.range_topped": "Ready for more load",
    "double_progression.sets_missing": "Fewer sets than planned",
    "notes.mention": "A note to read",
    "notes.set_ended_by_injury": "Sets marked as ended by an injury",
    "nutrition.adherence_low": "Days of eating are far from their targets",
    "nutrition.energy_high": "More was eaten than asked for",
    "nutrition.energy_low": "Less was eaten than asked for",
    "nutrition.protein_low": "Protein is below its target",
    "plateau.no_gain": "Strength stands still",
    "plateau.regression": "Strength falls",
    "progression.deload_week": "A planned deload week is next",
    "records.new": "Personal records",
    "recovery.deload_due": "A deload may be due",
    "recovery.overtraining_risk": "Several signs of fatigue together",
    "recovery.performance_drop": "Main lifts below their recent best",
    "recovery.rpe_drift": "The same work takes more effort",
    "recovery.strain": "Answers show strain",
    "recovery.strain_low": "Little strain",
    "rpe.above_target": "A high effort",
    "rpe.below_target": "Room for more",
    "rpe.near_target": "Effort is nearly right",
    "rpe.on_target": "Effort is right",
    "volume.above_mrv": "More volume than can be recovered from",
    "volume.jump": "A jump in weekly sets",
    "volume.weak_point_low": "A weak point gets little volume",
}
"""What each rule finds, as a headline; a test holds it to the catalogue."""


class TemplateWording:
    """Words findings with the sentences that their rules made."""

    async def word(self, findings: Sequence[Finding], context: WordingContext) -> WordedInsight:
        """Word findings."""
        told = in_telling_order(findings)
        return WordedInsight(
            title=title_of(findings, context),
            summary=tuple(unique(map(claim_of, told), lambda claim: claim.text))[:SUMMARY_CLAIMS_MAX],
            recommendations=tuple(unique(recommendations_of(findings), lambda advice: advice.text))[
                :RECOMMENDATIONS_MAX
            ],
            flags=tuple(unique(flags_of(findings), lambda flag: flag.message))[:FLAGS_MAX],
        )


def title_of(findings: Sequence[Finding], context: WordingContext) -> str:
    """Give the headline of the most urgent finding."""
    first = findings[0]
    name = name_to_show(first.about)
    subject = "Check-in" if context.kind == "check_in" else name or "Training"
    return f"{subject}: {lower_first(TITLES[first.rule_id])}"[:TITLE_LENGTH_MAX]


def in_telling_order(findings: Sequence[Finding]) -> list[Finding]:
    """Put what needs a look first, then what went well, then the rest, each in its order of urgency."""
    ranks = {"warning": 0, "concern": 0, "positive": 1, None: 2}
    return sorted(findings, key=lambda found: ranks[found.flag])


def claim_of(found: Finding) -> Claim:
    """Say what was found."""
    return Claim(sentence(subject_and(found, found.statement)), cited(found))


def recommendations_of(findings: Iterable[Finding]) -> Iterator[Recommendation]:
    """Say what might be done."""
    for found in findings:
        if found.action is not None and found.recommendation:
            yield Recommendation(sentence(subject_and(found, found.recommendation)), found.action, cited(found))


def flags_of(findings: Iterable[Finding]) -> Iterator[FlagClaim]:
    """Say what to look at."""
    for found in findings:
        if found.flag is not None:
            yield FlagClaim(found.flag, sentence(subject_and(found, found.statement)), cited(found))


def subject_and(found: Finding, text: str) -> str:
    """Put the name of what it is about before a sentence."""
    name = name_to_show(found.about)
    if not name:
        return text
    return f"{name}{' –' if ':' in text else ':'} {lower_first(text)}"


def sentence(text: str) -> str:
    """Make it a sentence: a capital at the start and a stop at the end, within its bound."""
    whole = (text[:1].upper() + text[1:]).rstrip(". ")[: MESSAGE_LENGTH_MAX - 1]
    return f"{whole}."


def lower_first(text: str) -> str:
    """Take the capital off the first word, unless it is an abbreviation."""
    return text if text[1:2].isupper() else text[:1].lower() + text[1:]


def cited(found: Finding) -> tuple[str, ...]:
    """Name the facts of a finding, the computed ones first: they are what its sentence quotes."""
    return tuple(fact.id for fact in (*found.computed, *found.inputs))[:FACTS_CITED_MAX]


def unique(items: Iterable[Item], key: Callable[[Item], str]) -> Iterator[Item]:
    """Leave out what was said before."""
    said = set()
    for item in items:
        if key(item) not in said:
            said.add(key(item))
            yield item
