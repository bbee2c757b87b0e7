"""Body weights that are hardly meant, far from the last or of no athlete: a person is asked before one is saved."""

import sys
from datetime import date
from typing import TYPE_CHECKING, Annotated

import typer

from apex_client.cli.asking import agreed
from apex_client.cli.failures import WrongUsage
from apex_client.cli.sessions import athlete_id_of

if TYPE_CHECKING:
    from apex_client.blocking.resources import AthleteResources

__all__ = ["WeightYes", "ask_about_weight"]

WeightYes = Annotated[
    bool, typer.Option("--yes", metavar="", help="Do not ask about a body weight far from the last one.")
]


def ask_about_weight(records: "AthleteResources", weight: float, unit: str, day: str, *, yes: bool) -> None:
    """Ask about a body weight that is unlikely, before it is saved.

    Raises CommandFailed where it was a slip, WrongUsage without a terminal to ask.
    """
    from apex_sync.coaching.bodyweight import LIKELY_KG_MIN, WEIGHT_KG_MAX, is_likely_weight, readings_beside
    from apex_sync.coaching.weights import kilograms

    on, weight_kg = date.fromisoformat(day), kilograms(weight, unit)
    if yes or weight_kg > WEIGHT_KG_MAX:
        return  # Beyond the bounds of the model nobody is asked: saving it is refused.
    beside = readings_beside(records.body_metrics.trend(), on)
    if is_likely_weight(weight_kg, on, beside):
        return
    if beside:
        whose = "Your" if athlete_id_of(records) is None else "Their"
        compared = f"{whose} weight of {beside[0].date} is {_in_unit(beside[0].weight_kg, unit)}."
    else:
        rare = "light" if weight_kg < LIKELY_KG_MIN else "heavy"
        compared = f"Nothing was weighed before, and hardly anybody is so {rare}."
    doubt = f"{weight:g} {unit} on {day}? {compared}"
    if not sys.stdin.isatty():
        raise WrongUsage(f"{doubt} Nothing was saved; if it is right, say --yes")
    agreed(f"{doubt} Is it right?", yes=False)


def _in_unit(weight_kg: float, unit: str) -> str:
    from apex_sync.coaching.increments import KG_PER_LB

    return f"{round(weight_kg / KG_PER_LB if unit == 'lb' else weight_kg, 1):g} {unit}"
