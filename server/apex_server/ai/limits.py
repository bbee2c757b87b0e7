"""How long a text may be, whoever words it: what a coach reads in half a minute on a phone."""

__all__ = [
    "FLAGS_MAX",
    "MESSAGE_LENGTH_MAX",
    "RECOMMENDATIONS_MAX",
    "SUMMARY_CLAIMS_MAX",
    "TITLE_LENGTH_MAX",
]

TITLE_LENGTH_MAX = 120
MESSAGE_LENGTH_MAX = 500
"""Of one sentence, recommendation or flag."""

SUMMARY_CLAIMS_MAX = 4
RECOMMENDATIONS_MAX = 3
FLAGS_MAX = 6
