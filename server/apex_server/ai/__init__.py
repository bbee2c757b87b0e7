"""Wording: findings of the rules put into words, by a template or by a model that is checked sentence by sentence.

A model never decides anything: it ranks and words what the rules found, and whatever it says beyond that is refused.
"""

from apex_server.ai.template import TemplateWording
from apex_server.ai.wording import Claim, FlagClaim, Recommendation, WordedInsight, Wording, WordingContext

__all__ = [
    "Claim",
    "FlagClaim",
    "Recommendation",
    "TemplateWording",
    "WordedInsight",
    "Wording",
    "WordingContext",
]
