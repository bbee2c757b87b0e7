"""The edits of a check-in as patches."""

from collections.abc import Mapping
from typing import Any

from msgspec import UNSET

from apex_client.loads import weight_leaves
from apex_sync.coaching.reviewing import answers_digest
from apex_sync.models import CHECK_INS
from apex_sync.op import Patch

INCH_CM = 2.54
GIRTH_DECIMALS = 4


def fields(given: Mapping[str, Any], default_unit: str, *, drop_none: bool = False) -> Patch:
    """Turn what a form holds into leaves: weight and girths canonical, with the unit they were typed in.

    What is UNSET stays as it is; with `drop_none`, so does None.
    """
    unset = (UNSET, None) if drop_none else (UNSET,)
    patch = {
        field: value
        for field, value in given.items()
        if field not in ("weight", "unit", "measurements", "length_unit") and not any(value is skip for skip in unset)
    }
    for field in ("responses", "questionnaire"):
        if isinstance(patch.get(field), Mapping):
            patch[field] = dict(patch[field])
    weight = given.get("weight", UNSET)
    if not any(weight is skip for skip in unset):
        leaves = weight_leaves(weight, given.get("unit") or default_unit)
        patch |= leaves if drop_none else {"weight": None, "weight_unit": None} | leaves
    measurements = given.get("measurements", UNSET)
    if isinstance(measurements, Mapping):
        patch["measurements"] = girth_leaves(measurements, given.get("length_unit") or "cm")
    return patch


def girth_leaves(measurements: Mapping[str, float | None], unit: str) -> dict[str, Any]:
    """Give the leaves of girths.

    >>> girth_leaves({"waist": 32}, "in")
    {'waist_cm': 81.28, 'unit': 'in'}
    """
    factor = INCH_CM if unit == "in" else 1
    leaves: dict[str, Any] = {
        name if name.endswith("_cm") else f"{name}_cm": None if value is None else round(value * factor, GIRTH_DECIMALS)
        for name, value in measurements.items()
    }
    return {**leaves, "unit": unit}


def review(state: Mapping[str, Any], feedback: str | None, reviewed_at: str) -> Patch:
    """Answer as the coach what the check-in says now."""
    seen = answers_digest(CHECK_INS.read(state)[0])
    patch: Patch = {"coach_reviewed": True, "reviewed_at": reviewed_at, "reviewed_answers": seen}
    return patch if feedback is None else {**patch, "coach_feedback": feedback}
