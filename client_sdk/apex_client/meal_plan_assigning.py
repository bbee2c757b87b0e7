"""Letting an athlete follow a meal plan on this replica; takes the local replica and is run in its thread."""

from datetime import date
from typing import NamedTuple

from apex_client import listing
from apex_client.local import LocalReplica
from apex_client.planned_eating import PLANS_MAX
from apex_client.times import utc_text
from apex_client.views import Snapshot
from apex_sync.coaching.meal_plan_assigning import (
    days_problem,
    followed_changes,
    planned_days,
    plans_that_end,
    whose_problem,
)
from apex_sync.errors import OutOfBounds
from apex_sync.models import MEAL_PLANS, NUTRITION_LOGS


class Assigned(NamedTuple):
    """The plan that is followed, and those that ended with it."""

    plan: Snapshot
    ended: list[Snapshot]


def assign(
    local: LocalReplica,
    plan_id: str,
    scope: str,
    athletes_scope: str | None,
    *,
    start_date: str | None,
    end_date: str | None,
    today: str,
    keep: bool,
) -> Assigned:
    """Let an athlete follow a meal plan; the server takes or makes the same one. All of it is saved at once.

    The plan is found in `scope`, and followed in the scope of an athlete, by itself this one's own.
    Raises NoSuchRecord, NotGranted, AthleteNeeded, OutOfBounds.
    """
    home = athletes_scope or local.own_scope(NUTRITION_LOGS.name)
    with local.store.transaction():
        found = local.find(MEAL_PLANS.name, plan_id, scope)
        if problem := whose_problem(found.scope, home):
            raise OutOfBounds(MEAL_PLANS.name, problem)
        plan = MEAL_PLANS.read(found.state)[0]
        kept = listing.recently_changed(local, MEAL_PLANS.name, home, limit=PLANS_MAX)
        held = {one.record_id: one.state for one in kept}
        days = planned_days(
            plan_id,
            plan,
            home.rpartition(":")[2],
            held,
            is_own=found.scope == home,
            start_date=start_date,
            end_date=end_date,
            today=date.fromisoformat(today),
        )
        stands = local.store.one(home, days.record_id)
        before = None if stands is None else MEAL_PLANS.read(stands.state)[0]
        changes, followed = followed_changes(days, plan_id, plan, before, end_date=end_date)
        if problem := days_problem(followed):
            raise OutOfBounds(MEAL_PLANS.name, problem)
        made_at = {"created_at": utc_text(local.device.now_us())} if stands is None else {}
        made = local.create(MEAL_PLANS.name, home, made_at | changes, record_id=days.record_id)
        ending = {} if keep else plans_that_end(followed, days.record_id, held)
        ended = [local.create(MEAL_PLANS.name, home, patch, record_id=one) for one, patch in ending.items()]
        return Assigned(made, ended)
