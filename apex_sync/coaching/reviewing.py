"""Whether a check-in has been reviewed as it stands: a review names the answers that the coach had before them.

Times would not do: an edit made offline before the review arrives after it, and the coach has not seen it all the same.
"""

from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

import msgspec

from apex_sync.models.checkin import CHECK_INS, CheckIn

ANSWERS = tuple(
    field
    for field in CheckIn.__struct_fields__
    if "athlete" in CHECK_INS.writers.get(field, CHECK_INS.default_writers)
    and field not in ("created_at", "deleted", "submitted_at")
)
"""What an athlete reports; handing it in, again or late, changes none of it."""

DIGEST_BYTES = 8
"""Two reports of one check-in are told apart but once in 10^19."""


def answers_digest(check_in: Any) -> str:
    """Give what stands for the answers of a check-in; what is empty is as good as absent.

    >>> answers_digest(CheckIn(notes="Tired.")) == answers_digest(CheckIn(notes="Tired.", date=None, photos={}))
    True
    """
    held = msgspec.to_builtins(check_in)
    answers = {field: answer for field in ANSWERS if (answer := _answer(held.get(field))) is not None}
    return blake2b(msgspec.json.encode(answers, order="deterministic"), digest_size=DIGEST_BYTES).hexdigest()


def is_reviewed(check_in: Any) -> bool:
    """Tell whether the coach has answered a check-in and nothing of it has changed since."""
    return check_in.coach_reviewed is True and not is_edited_since_review(check_in)


def is_edited_since_review(check_in: Any) -> bool:
    """Tell whether a check-in says something else than what was reviewed; a review of an older app cannot tell."""
    seen = check_in.reviewed_answers
    return check_in.coach_reviewed is True and isinstance(seen, str) and seen != answers_digest(check_in)


def _answer(value: Any) -> Any:
    """Leave out what is empty or deleted; None is nothing at all."""
    if not isinstance(value, Mapping):
        return value
    if value.get("deleted") is True:
        return None
    return {name: answer for name, inner in value.items() if (answer := _answer(inner)) is not None} or None
