"""The endpoints of meal plans, `/api/nutrition/plans`, and planning meals that meet targets, `…/meals/plan`."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Any, Literal
from uuid import UUID

import anyio
import msgspec
from litestar import Controller, Response, post
from litestar.di import NamedDependency, Provide
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromQuery, JSONBody, QueryParameter

from apex_server.ai.asking import BoundedModel
from apex_server.caller import Caller, require_role
from apex_server.db import Connection, Database, load_queries
from apex_server.errors import RoleRequired
from apex_server.nutrition.assigning import assign
from apex_server.nutrition.assistance import assisted_days
from apex_server.nutrition.errors import NoTargets, TargetsNotMet
from apex_server.nutrition.examples import MEAL_PLAN, MEAL_PLAN_PATCH
from apex_server.nutrition.payloads import (
    AssignedMealPlan,
    MealPlanAssignment,
    MealPlanRequest,
    MealPlanResource,
    MealPlansPage,
    NewMealPlan,
    PlannedMeals,
)
from apex_server.problems import problem_responses
from apex_server.resources import (
    AlreadyExists,
    AthleteRecordController,
    DayMark,
    RecordKind,
    RecordWriter,
    read_records,
    require_scope,
)
from apex_server.resources.controller import RecordId
from apex_server.resources.requests import (
    NO_NUL,
    WRITE_REFUSALS,
    IdempotencyKey,
    new_record_id,
    now,
    scope_of_athlete,
)
from apex_server.sync.commit import Committer
from apex_sync.coaching.drafts import model_patch
from apex_sync.coaching.meal_planning import (
    PlanFood,
    TargetsUnmet,
    builtin_plan_foods,
    meal_plan_patch,
    plan_days,
    plan_food,
)
from apex_sync.coaching.nutrition import Macros, target_macros, targets_on
from apex_sync.ids import Scope
from apex_sync.models import FOODS, MEAL_PLANS, NUTRITION_TARGETS, MealPlan

__all__ = ["MealPlansController", "MealsController"]

_queries = load_queries(__package__)

KIND = RecordKind(MEAL_PLANS, "meal plan", partial(model_patch, known=frozenset(MealPlanResource.__struct_fields__)))

NAME = "Meal plan"

_FOLLOWED_BEFORE = {
    200: ResponseSpec(AssignedMealPlan, generate_examples=False, description="The record was there before.")
}


@dataclass(frozen=True)
class MealPlanFilters:
    """Which plans are listed."""

    athlete_id: FromQuery[UUID | None] = None
    status: Annotated[str | None, QueryParameter(max_length=20, pattern=NO_NUL)] = None


class MealPlansController(AthleteRecordController):
    """Plans of meals that the caller may read."""

    path = "/api/nutrition/plans"
    tags = ("nutrition",)
    request_max_body_size = 512 * 1024  # Two weeks of six meals, each of some foods.
    kind = KIND
    view, page, new, draft = MealPlanResource, MealPlansPage, NewMealPlan, MealPlan
    examples = (MEAL_PLAN, MEAL_PLAN, MEAL_PLAN_PATCH)
    entries = ("days", "meals", "foods")
    filters = MealPlanFilters
    list_query, sorted_by, mark = _queries.list_meal_plans, "-start_date", DayMark

    def scope_of_new(self, caller: Caller, draft: Mapping[str, Any]) -> str:
        """Make an athlete's own plan, as their coach one of theirs, or without `athlete_id` a coach's template."""
        athlete_id = draft.get("athlete_id")
        if athlete_id is None and caller.role == "coach":
            return f"coach:{caller.user_id}"
        return scope_of_athlete(caller, athlete_id)

    @post("/{record_id:uuid}/assign", responses=problem_responses(*WRITE_REFUSALS, RoleRequired) | _FOLLOWED_BEFORE)
    async def assign_record(
        self, record_id: "RecordId", data: JSONBody[MealPlanAssignment], records: NamedDependency[RecordWriter]
    ) -> Response[AssignedMealPlan]:
        """Let an athlete follow a copy of this plan, by itself from today on; a draft of their own begins itself.

        Assigning again changes nothing of what they follow, which they may have adapted. Another plan that they follow
        in the same days ends, unless `keep` is true; `ended` names it.
        """
        require_role(records.caller, "athlete", "coach")
        assigned = await assign(records, record_id, data)
        async with records.reading() as connection:
            [view] = await self.show(connection, records.database.vault, [assigned.plan], ())
        return Response(AssignedMealPlan(view, assigned.ended), status_code=201 if assigned.is_new else 200)


def provide_writer(
    caller: NamedDependency[Caller], database: NamedDependency[Database], committer: NamedDependency[Committer]
) -> RecordWriter:
    """Give what writes plans for the caller."""
    return RecordWriter(KIND, database, committer, caller)


class MealsController(Controller):
    """Planning meals."""

    path = "/api/nutrition/meals"
    tags = ("nutrition",)

    @post(
        "/plan",
        status_code=200,
        responses=problem_responses(*WRITE_REFUSALS, AlreadyExists, RoleRequired, NoTargets, TargetsNotMet),
        dependencies={"records": Provide(provide_writer, sync_to_thread=False)},
    )
    async def plan_meals(
        self,
        data: JSONBody[MealPlanRequest],
        records: NamedDependency[RecordWriter],
        model: NamedDependency[BoundedModel | None],
        idempotency_key: IdempotencyKey = None,
    ) -> Response[PlannedMeals]:
        """Plan days of meals that meet targets, of built-in foods and those of coach and athlete; `save` keeps it.

        The same request gives the same plan; another `seed` gives another one. Within 5 % of the energy and 10 % of
        each macro a target counts as met. With `assisted` a language model combines built-in foods into dishes, which
        are held to the same rules; where it cannot, the plan of the rules stands, and `assistance` says why.
        """
        require_role(records.caller, "athlete", "coach")
        scope = scope_of_athlete(records.caller, data.athlete_id and str(data.athlete_id))
        async with records.reading() as connection:
            await require_scope(connection, records.caller.user_id, scope, "athlete")
            targets = await _targets(connection, records, scope, data)
            foods = [*builtin_plan_foods(), *await _own_foods(connection, records, scope)]
        try:
            days = await anyio.to_thread.run_sync(plan_days, foods, targets, data)
        except TargetsUnmet as unmet:
            raise TargetsNotMet(unmet.misses) from unmet
        athlete_id = UUID(Scope.parse(scope).owner_id)
        assistance = "not_asked"
        if data.assisted:
            days, assistance = await assisted_days(
                days, model, records.database, records.caller, athlete_id, targets, data
            )
        patch = meal_plan_patch(days, name=data.name or NAME)
        plan_id = None
        if data.save:
            record_id = new_record_id(idempotency_key, records.caller, KIND.noun, None)
            plan_id = (await records.create(scope, record_id, patch, {"created_at": now()})).known.id
        plan = msgspec.convert(patch, MealPlan)
        planned_by: Literal["rules", "model"] = "model" if assistance == "given" else "rules"
        planned = PlannedMeals(plan_id, plan, [day.totals for day in days], targets, planned_by, assistance)
        return Response(planned, status_code=200 if plan_id is None else 201)


async def _targets(connection: Connection, records: RecordWriter, scope: str, data: MealPlanRequest) -> Macros:
    """Give the targets that are named, else those in force. Raises NoTargets."""
    if data.targets is not None:
        return Macros(**msgspec.structs.asdict(data.targets))
    rows = await connection.fetch(_queries.list_targets, UUID(Scope.parse(scope).owner_id))
    places = [(row["scope_id"], row["record_id"]) for row in rows]
    found = await read_records(connection, records.database.vault, NUTRITION_TARGETS, places)
    in_force = targets_on([(known.id, known.record) for known in found], data.on or datetime.now(UTC).date())
    targets = target_macros(in_force[1]) if in_force is not None else Macros()
    if not targets.energy_kcal:
        raise NoTargets
    return targets


async def _own_foods(connection: Connection, records: RecordWriter, scope: str) -> list[PlanFood]:
    """Read the foods that coaches and the athlete added, as far as meals can be planned with them."""
    rows = await connection.fetch(_queries.list_own_foods, Scope.parse(scope).id)
    places = [(row["scope_id"], row["record_id"]) for row in rows]
    found = await read_records(connection, records.database.vault, FOODS, places)
    return [food for known in found if (food := plan_food(known.id, known.record)) is not None]
