"""What people are asked to consent to, in the words that they are shown; the API hands them out with each consent.

Whoever changes what a text says changes its version: what was given stands for the version that was read, and for what
that said. Where a text comes to ask for more, the versions that do are listed below it, and what is done under the new
part asks for one of them; whoever gave an earlier one is offered the text anew, and what they gave stands as it was.
"""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from apex_server.policy import ConsentKind

__all__ = ["CONSENT_TEXTS", "VERSIONS_NAMING_MEALS", "ConsentText"]


class ConsentText(Struct, frozen=True):
    """The words of one consent; `version` is the month, or the day, that they are from."""

    version: str
    title: str
    text: str


CONSENT_TEXTS: Final[Mapping[ConsentKind, ConsentText]] = {
    "ai_analysis": ConsentText(
        "2026-11-23",
        "Analysis and meals by a language model",
        "What is logged and reported about me may go to the language model that this server uses, which words it "
        "for my coach. When my coach has it combine dishes for me, it is told the meals of my day and the foods that "
        "my diet allows, which shows what I prefer or leave out; my targets and my name stay here. Without this, a "
        "template words the same findings, and rules plan my meals.",
    ),
    "messages": ConsentText(
        "2026-11",
        "A mail when messages wait",
        "Apex may write to my confirmed e-mail address when messages to me have been unread for some hours: who wrote "
        "and how many, never what. Once a day at most, and each such mail has a link that ends them.",
    ),
    "support_access": ConsentText(
        "2026-11",
        "Support may look",
        "People who look after this server may read what I have here, for as many days as I say, to help me. I see "
        "when they did.",
    ),
}

VERSIONS_NAMING_MEALS: Final = frozenset({"2026-11-23"})
"""Of `ai_analysis`: the one before, `2026-11`, spoke of what is logged alone."""
