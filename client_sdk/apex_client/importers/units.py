"""Guess from the numbers alone whether loads are kilograms or pounds; the guess is offered, never taken.

Three kinds of evidence, strongest first: numbers that only become round when converted were typed in the other unit;
lifts on a 45 lb or 20 kg bar are sums of that system's plates; and a log that goes beyond 360 is hardly in kilograms.
"""

from collections.abc import Sequence
from typing import NamedTuple

from apex_client.importers.errors import LoadUnit
from apex_sync.coaching.increments import KG_PER_LB

CONVERTED_SHARE_MIN = 0.2
"""Below this share, loads that look converted are chance."""

KG_HEAVIEST_USUAL = 360

_POUND_BAR_LOADS = frozenset({45, 55, 65, 95, 115, 135, 155, 185, 205, 225, 245, 275, 295, 315, 365, 405, 455, 495})
_KG_BAR_LOADS = frozenset(
    {20, 22.5, 27.5, 32.5, 42.5, 47.5, 52.5, 60, 62.5, 67.5, 70, 80, 82.5, 87.5, 100, 120, 140, 180}
)


class UnitGuess(NamedTuple):
    """The likelier unit, and a sentence that says why."""

    unit: LoadUnit
    evidence: str


def guess_unit(loads: Sequence[float]) -> UnitGuess:
    """Say which unit loads are likely in.

    >>> guess_unit([44.09245243697551, 198.4160359663898])
    UnitGuess(unit='lb', evidence='100 % of the loads are whole or half kilograms once divided by 2.20462')
    """
    loads = [load for load in loads if load]
    if not loads:
        return UnitGuess("kg", "there are no loads to tell by")
    in_kg = _converted_share(loads, KG_PER_LB)
    if in_kg >= CONVERTED_SHARE_MIN:
        return UnitGuess("lb", f"{_percent(in_kg)} of the loads are whole or half kilograms once divided by 2.20462")
    in_lb = _converted_share(loads, 1 / KG_PER_LB)
    if in_lb >= CONVERTED_SHARE_MIN:
        return UnitGuess("kg", f"{_percent(in_lb)} of the loads are whole or half pounds once multiplied by 2.20462")
    return _guess_by_plates(loads)


def _converted_share(loads: Sequence[float], factor: float) -> float:
    """Give the share of loads that are multiples of a half only after the conversion, or in both units."""
    converted = sum(_is_half_step(load * factor) for load in loads)
    plain = sum(_is_half_step(load) for load in loads)
    return converted / len(loads) if converted > plain or _converted_only(loads, factor) else 0.0


def _converted_only(loads: Sequence[float], factor: float) -> bool:
    only = sum(_is_half_step(load * factor) and not _is_half_step(load) for load in loads)
    return only / len(loads) >= CONVERTED_SHARE_MIN


def _is_half_step(load: float) -> bool:
    """Hevy rounds to two decimals, so a converted load is within a hundredth of its half step."""
    return abs(load * 2 - round(load * 2)) < 0.01


def _guess_by_plates(loads: Sequence[float]) -> UnitGuess:
    pounds = sum(load in _POUND_BAR_LOADS for load in loads) / len(loads)
    kilograms = sum(load in _KG_BAR_LOADS for load in loads) / len(loads)
    heaviest = max(loads)
    if heaviest > KG_HEAVIEST_USUAL:
        return UnitGuess("lb", f"the heaviest load is {heaviest:g}, more than most people lift in kg")
    if pounds > kilograms:
        return UnitGuess(
            "lb", f"{_percent(pounds)} of the loads are usual on a 45 lb bar, {_percent(kilograms)} on a 20 kg bar"
        )
    return UnitGuess(
        "kg", f"{_percent(kilograms)} of the loads are usual on a 20 kg bar, {_percent(pounds)} on a 45 lb bar"
    )


def _percent(share: float) -> str:
    return f"{share:.0%}".replace("%", " %")
