"""The next heavier or lighter load that can be put on a bar, in the unit the athlete counts in.

An increase is never more than ten per cent of the load, except below 20 kg, where the smallest step may be more [D].
"""

from math import floor

from msgspec import Struct

KG_PER_LB = 0.45359237
"""Exact, by definition of the pound."""

INCREASE_SHARE_MAX = 0.10
INCREASE_FREE_BELOW_KG = 20.0
"""Most that a load rises at once, and the load below which one step is allowed all the same [D]."""

HALVINGS_MAX = 2
"""A step of plates may be halved so often to stay within the share: 5 kg to 2.5 to 1.25 [D]."""


class Step(Struct, frozen=True, kw_only=True):
    """How a kind of equipment is loaded: the usual increase, and the grid that loads lie on, in both units.

    Plates can be divided into smaller steps; a rack of dumbbells or a stack of plates with a pin cannot.
    """

    kg: float
    lb: float
    grid_kg: float
    grid_lb: float
    divisible: bool


BARBELL_UPPER = Step(kg=2.5, lb=5.0, grid_kg=2.5, grid_lb=5.0, divisible=True)
BARBELL_LOWER = Step(kg=5.0, lb=10.0, grid_kg=2.5, grid_lb=5.0, divisible=True)
DUMBBELL = Step(kg=2.0, lb=5.0, grid_kg=2.0, grid_lb=5.0, divisible=False)
KETTLEBELL = Step(kg=4.0, lb=10.0, grid_kg=4.0, grid_lb=10.0, divisible=False)
MACHINE = Step(kg=5.0, lb=10.0, grid_kg=5.0, grid_lb=10.0, divisible=False)
CABLE = Step(kg=2.5, lb=5.0, grid_kg=2.5, grid_lb=5.0, divisible=False)
"""Usual increases: 2.5 kg for upper-body and 5 kg for lower-body barbell work, the next dumbbell, one pin [D; common
practice]."""

STEPS_BY_EQUIPMENT = {
    "barbell": BARBELL_UPPER,
    "e-z curl bar": BARBELL_UPPER,
    "ez_bar": BARBELL_UPPER,
    "smith_machine": BARBELL_UPPER,
    "trap_bar": BARBELL_UPPER,
    "safety_squat_bar": BARBELL_UPPER,
    "dumbbell": DUMBBELL,
    "kettlebell": KETTLEBELL,
    "kettlebells": KETTLEBELL,
    "machine": MACHINE,
    "cable": CABLE,
}
DEFAULT_STEP = BARBELL_UPPER
"""For equipment that is not known: the smallest usual step of plates."""


def step_for(equipment: str | None, *, lower_body: bool = False) -> Step:
    """Give the step for a kind of equipment, by its name in the built-in library or in free-exercise-db.

    >>> step_for("barbell", lower_body=True).kg, step_for("dumbbell").kg, step_for(None).kg
    (5.0, 2.0, 2.5)
    """
    step = STEPS_BY_EQUIPMENT.get((equipment or "").casefold(), DEFAULT_STEP)
    return BARBELL_LOWER if step is BARBELL_UPPER and lower_body and equipment else step


def raised_kg(load_kg: float, unit: str, step: Step, share: float | None = None) -> float | None:
    """Give the next heavier load in kilograms; None where no step is small enough.

    With `share`, about that share heavier, but at least one step. Less assistance (a negative load) is a heavier load.

    >>> raised_kg(100.0, "kg", BARBELL_UPPER), raised_kg(24.0, "kg", BARBELL_UPPER), raised_kg(22.0, "kg", MACHINE)
    (102.5, 25.25, None)
    """
    value = typed(load_kg, unit)
    usual = step.lb if unit == "lb" else step.kg
    increase = usual * max(1, floor(abs(value) * (share or 0.0) / usual + 0.5))
    if load_kg >= INCREASE_FREE_BELOW_KG:
        limit = value * INCREASE_SHARE_MAX
        for _ in range(HALVINGS_MAX if step.divisible else 0):
            increase = increase if increase <= limit else increase / 2
        if increase > limit:
            return None
    return canonical_kg(value + increase, unit)


def lowered_kg(load_kg: float, unit: str, step: Step, share: float) -> float | None:
    """Give a load at least this share lighter, rounded down to what can be loaded; None where nothing lighter is left.

    >>> lowered_kg(102.5, "kg", BARBELL_UPPER, 0.05), lowered_kg(2.5, "kg", BARBELL_UPPER, 0.05)
    (95.0, None)
    """
    grid = step.grid_lb if unit == "lb" else step.grid_kg
    value = floor(typed(load_kg, unit) * (1 - share) / grid + 1e-9) * grid
    return canonical_kg(value, unit) if value > 0 else None


def typed(load_kg: float, unit: str) -> float:
    """Give a canonical load in the unit the athlete counts in.

    >>> typed(canonical_kg(225.0, "lb"), "lb")
    225.0
    """
    return round(load_kg / KG_PER_LB, 3) if unit == "lb" else load_kg


def canonical_kg(value: float, unit: str) -> float:
    """Give a load in kilograms."""
    return round(value * KG_PER_LB, 6) if unit == "lb" else round(value, 6)
