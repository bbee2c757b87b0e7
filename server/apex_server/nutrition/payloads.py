"""What the endpoints of nutrition take and give: the models themselves, with their place in the world."""

from collections.abc import Sequence
from datetime import date
from typing import Annotated, Literal
from uuid import UUID

from msgspec import UNSET, Meta, Struct, UnsetType

from apex_server.resources import record_view
from apex_sync.coaching.meal_planning import DayTargets, MealWishes
from apex_sync.coaching.nutrition import Macros, MealTotals
from apex_sync.models import Food, MealPlan, NutritionLog, NutritionTargets
from apex_sync.models.fields import Date, Name
from apex_sync.problems import patterned

__all__ = [
    "AssignedMealPlan",
    "AthleteTargets",
    "Barcode",
    "EndedMealPlan",
    "FoodResource",
    "FoodsFound",
    "FoodsPage",
    "LogsPage",
    "MealPlanAssignment",
    "MealPlanRequest",
    "MealPlanResource",
    "MealPlansPage",
    "NewFood",
    "NewLog",
    "NewMealPlan",
    "NutritionLogResource",
    "PlannedMeals",
    "TargetsResource",
]


class NewLog(NutritionLog, kw_only=True):
    """What somebody ate on a day; a coach names the athlete. The id follows from athlete and day."""

    athlete_id: UUID | UnsetType = UNSET


@record_view
class NutritionLogResource(NutritionLog, kw_only=True):
    """One day, with what it adds up to and how well it met the targets that were in force.

    `adherence_score` is null where there are none, and where the day is `incomplete`.
    """

    totals: Macros = Macros()
    meal_totals: Sequence[MealTotals] = ()
    targets: Macros | None = None
    adherence_score: float | None = None
    incomplete: bool = False


class LogsPage(Struct):
    """Days, the newest first; `next` goes into `after` for the page that follows, null on the last."""

    logs: list[NutritionLogResource]
    next: str | None


@record_view
class TargetsResource(NutritionTargets, kw_only=True):
    """What a day should hold, from `start_date` until the next targets begin."""


class AthleteTargets(Struct):
    """The targets in force on the day asked for, and all there are, the latest start first."""

    on: date
    in_force: TargetsResource | None
    targets: list[TargetsResource]


class NewMealPlan(MealPlan, kw_only=True):
    """A plan to be made: a template of the coach, or with `athlete_id` one that the athlete follows."""

    id: UUID | UnsetType = UNSET
    athlete_id: UUID | UnsetType = UNSET


@record_view
class MealPlanResource(MealPlan, kw_only=True):
    """One plan; days, meals and foods are maps of entries by id. `athlete_id` is null for a template."""


class MealPlansPage(Struct):
    """Plans, the latest start first and undated ones before; `next` goes into `after` for the page that follows."""

    meal_plans: list[MealPlanResource]
    next: str | None


class MealPlanAssignment(Struct, forbid_unknown_fields=True):
    """Who is to follow a plan, and from when; an athlete who follows one of theirs names nobody."""

    athlete_id: UUID | None = None
    start_date: Date | None = None
    """The first day; by itself that of a copy that is followed, else the plan's own where it is to come, else today."""
    end_date: Date | None = None
    """The last day; by itself it is open, or the plan's own where it starts on the plan's own day."""
    keep: bool = False
    """Leave plans that the athlete follows in these days as they are; by itself, assigning ends them."""


class EndedMealPlan(Struct):
    """A plan that ended with an assignment: from its last day on, or `archived` where it would have begun later."""

    id: str
    name: str | None
    status: str | None
    end_date: str | None


class AssignedMealPlan(Struct):
    """The plan that an athlete follows now, and those that ended with it."""

    meal_plan: MealPlanResource
    ended: list[EndedMealPlan]


A_DAY = {"energy_kcal": 2400, "protein_g": 180, "carbs_g": 260, "fat_g": 70}


class MealPlanRequest(MealWishes, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """For whom, what each day shall hold, and what is liked; without `targets`, those in force on the day `on`.

    `save` makes a draft of it among the athlete's plans; otherwise it is only shown.
    """

    athlete_id: UUID | None = None
    targets: Annotated[DayTargets | None, Meta(examples=[A_DAY])] = None
    on: date | None = None
    save: bool = False
    name: Name | None = None
    assisted: bool = False
    """Let a language model combine the dishes, where the server has one, a coach asks and the athlete consents."""


class PlannedMeals(Struct):
    """A plan that meets its targets; `id` is null where it was not saved.

    `assistance` is `given` where a model combined the dishes; otherwise the plan is that of the rules, and it says why:
    `not_asked`, `no_model`, `no_consent`, `coaches_only`, `budget_spent`, `timed_out`, `unverifiable` …
    """

    id: str | None
    plan: MealPlan
    totals: list[Macros]
    """What each day adds up to."""
    targets: Macros
    planned_by: Literal["rules", "model"] = "rules"
    assistance: str = "not_asked"


class NewFood(Food, kw_only=True):
    """A food for the coach's library."""

    id: UUID | UnsetType = UNSET


@record_view
class FoodResource(Food, kw_only=True):
    """One food, for 100 g of it; custom ones belong to a coach, the others to everybody."""

    is_custom: bool = True


class FoodsPage(Struct):
    """Foods by name; `next` goes into `after` for the page that follows, null on the last."""

    foods: list[FoodResource]
    next: str | None


class Barcode(Struct, forbid_unknown_fields=True):
    """The digits under the bars."""

    barcode: Annotated[
        str, Meta(pattern=patterned(r"^[0-9]{6,14}$(?!\n)", "a barcode of 6 to 14 digits"), examples=["4006040197539"])
    ]


class FoodsFound(Struct):
    """What a search found, the best first; or what a barcode means, where a coach's own foods go first."""

    foods: list[FoodResource]
