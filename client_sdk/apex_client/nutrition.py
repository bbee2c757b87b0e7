"""What is eaten and what is planned to be.

[oats, *others] = await replica.foods.search("oats")
day = await replica.nutrition_logs.log_food(oats, 80, "g", meal="Breakfast")
plan = await replica.meal_plans.plan({"energy_kcal": 2600, "protein_g": 180}, diet="vegetarian")
day = await replica.nutrition_logs.log_planned("Lunch", plan=plan)
"""

from collections.abc import Mapping, Sequence
from datetime import date as Date
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from apex_client.eating import log_food
from apex_client.records import DatedRecords, Record, Records
from apex_sync.ids import athlete_scope
from apex_sync.models import Food, MealPlan, NutritionLog

if TYPE_CHECKING:
    from apex_client.replica import Replica
    from apex_sync.coaching.meal_planning import Diet


class NutritionLogs(DatedRecords[Record[NutritionLog]]):
    """What an athlete ate, a record a day."""

    def __init__(self, replica: "Replica", scope: str | None = None) -> None:
        super().__init__(replica, "nutrition_logs", scope)

    async def log_food(
        self,
        food: Record[Food],
        quantity: float,
        unit: str = "g",
        *,
        meal: str | None = None,
        day: Date | str | None = None,
    ) -> Record[NutritionLog]:
        """Add so much of a food to a day, today unless said otherwise, in the meal of that name.

        `unit` is a weight (g, kg, oz, lb), ml of what is drunk, or a serving of the food (`slice`). Raises OutOfBounds
        where it is none of these, and AthleteNeeded on a coach's replica.
        """
        snapshot = await self._replica._do(
            log_food,
            self._scope,
            food.snapshot,
            quantity,
            unit,
            meal=meal,
            day=self._replica._day(day) or self._replica._wall_clock(None)[:10],
            keys=(self._replica._new_key(), self._replica._new_key()),
        )
        return Record(self._replica, snapshot)

    async def log_planned(
        self, meal: str, *, plan: Record[MealPlan] | None = None, day: Date | str | None = None
    ) -> Record[NutritionLog]:
        """Add what is planned for a meal to a day, today unless said otherwise; a second time changes nothing.

        `meal` is its name (`Lunch`, or `Rest day/Lunch` where several are called so) or its key, `plan` by itself the
        one that is followed that day. The meal in the log names the plan in `meal_plan_id`. Raises OutOfBounds where
        there is no such meal or plan, and AthleteNeeded on a coach's replica.
        """
        from apex_client.planned_eating import log_planned

        snapshot = await self._replica._do(
            log_planned,
            self._scope,
            meal,
            None if plan is None else plan.snapshot,
            day=self._replica._day(day) or self._replica._wall_clock(None)[:10],
        )
        return Record(self._replica, snapshot)


class MealPlanAssignment(NamedTuple):
    """The plan that an athlete follows now, and those that ended with it."""

    plan: Record[MealPlan]
    ended: list[Record[MealPlan]]


class MealPlans(Records[Record[MealPlan]]):
    """Plans of meals."""

    def __init__(self, replica: "Replica", scope: str | None = None) -> None:
        super().__init__(replica, "meal_plans", scope)

    async def followed(self, day: Date | str | None = None) -> Record[MealPlan] | None:
        """Give the plan that is followed on a day, today unless said otherwise: the active one that started last."""
        from apex_client.planned_eating import followed_plan

        on = self._replica._day(day) or self._replica._wall_clock(None)[:10]
        found = await self._replica._do(followed_plan, self._scope, on)
        return None if found is None else Record(self._replica, found)

    async def assign(
        self,
        plan: Record[MealPlan],
        athlete_id: str | None = None,
        *,
        start_date: Date | str | None = None,
        end_date: Date | str | None = None,
        keep: bool = False,
    ) -> MealPlanAssignment:
        """Let an athlete follow a copy of a plan, by itself from today on; one of their own begins itself.

        Assigned again it is the same one, as the athlete adapted it. What they follow in the same days ends, unless
        `keep` is true, and is told. An athlete who follows a plan of theirs names nobody. Raises OutOfBounds for days
        that are none and the plan of another athlete, NotGranted, and AthleteNeeded.
        """
        from apex_client.meal_plan_assigning import assign

        assigned = await self._replica._do(
            assign,
            plan.id,
            plan.scope,
            athlete_scope(athlete_id) if athlete_id else self._scope,
            start_date=self._replica._day(start_date),
            end_date=self._replica._day(end_date),
            today=self._replica._wall_clock(None)[:10],
            keep=keep,
        )
        return MealPlanAssignment(
            Record(self._replica, assigned.plan), [Record(self._replica, one) for one in assigned.ended]
        )

    async def plan(
        self,
        targets: Mapping[str, float] | None = None,
        *,
        diet: "Diet" = "any",
        excluded: Sequence[str] = (),
        meals_per_day: int = 4,
        days: int = 1,
        seed: int = 0,
        name: str = "Meal plan",
    ) -> Record[MealPlan]:
        """Plan days of meals that meet targets (those in force when none are named), and keep them as a draft.

        The same call gives the same plan on every device and the server; another `seed` gives another one. Raises
        TargetsUnmet, which names what no choice of foods met, and OutOfBounds for what no plan can be.
        """
        from apex_client.meal_planning import plan_meals
        from apex_sync.coaching.meal_planning import DayTargets, MealWishes
        from apex_sync.coaching.nutrition import Macros
        from apex_sync.errors import OutOfBounds
        from apex_sync.problems import problem_of

        wishes = {"diet": diet, "excluded": list(excluded), "meals_per_day": meals_per_day, "days": days, "seed": seed}
        try:
            named = None if targets is None else msgspec.convert(dict(targets), DayTargets)
            wanted = msgspec.convert(wishes, MealWishes)
        except msgspec.ValidationError as error:
            raise OutOfBounds("meal_plans", problem_of(error)) from error
        asked = None if named is None else Macros(**msgspec.structs.asdict(named))
        today = self._replica._wall_clock(None)[:10]
        return Record(
            self._replica, await self._replica._do(plan_meals, self._scope, asked, wanted, name=name, today=today)
        )
