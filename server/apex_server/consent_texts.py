"""What people are asked to consent to, in the words that they are shown; the API hands them out with each consent.

Whoever changes what a text says changes its version: what was given stands for the version that was read.
"""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from apex_server.policy import ConsentKind

__all__ = ["CONSENT_TEXTS", "ConsentText"]


class ConsentText(Struct, frozen=True):
    """The words of one consent; `version` is the month they are from."""

    version: str
    title: str
    text: str


CONSENT_TEXTS: Final[Mapping[ConsentKind, ConsentText]] = {
    "ai_analysis": ConsentText(
        "2026-11",
        "Analysis by a language model",
        "What is logged and reported about me may go to the language model that this server uses, which words it "
        "for my coach. Without this, a template words the same findings.",
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
