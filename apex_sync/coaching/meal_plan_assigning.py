"""Meal plans that an athlete follows: a copy of a template, or a draft of their own that begins.

A copy has an id that follows from plan, athlete and first day, so that a request that comes twice assigns once. What is
followed stays as the athlete adapted it; what is followed in the same days ends as programs do.
"""

import datetime
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from apex_sync.coaching.assigning import assignment_id, held_day, is_followed_anew, order_problem
from apex_sync.coaching.drafts import model_patch
from apex_sync.coaching.leaves import day
from apex_sync.coaching.program_ends import ends_with
from apex_sync.collection import Record
from apex_sync.errors import FieldProblem
from apex_sync.models import MealPlan
from apex_sync.op import Patch

OWN_FIELDS = frozenset({"created_at", "deleted", "start_date", "end_date", "source_id", "status"})
"""What is a plan's own and goes into no copy."""

MAPS = ("days", "meals", "foods")


class PlanDays(NamedTuple):
    """Which record an athlete follows, and on which days; `last` is None where it is open."""

    record_id: str
    first: str
    last: str | None


def planned_days(
    plan_id: str,
    plan: Record,
    athlete_id: str,
    held: Mapping[str, Mapping[str, Any]],
    *,
    is_own: bool,
    start_date: str | None,
    end_date: str | None,
    today: datetime.date,
) -> PlanDays:
    """Say which record an athlete follows when a plan is assigned: one of `held`, their plans by id, or a new one.

    `is_own` tells that the plan is one of these: it begins itself, unless it is followed already and another first day
    is asked for. Without a first day it is that of a copy that is followed, else the plan's own where it is to come,
    else today.

    >>> planned_days(
    ...     "p",
    ...     MealPlan(start_date="2026-03-09"),
    ...     "a",
    ...     {},
    ...     is_own=True,
    ...     start_date=None,
    ...     end_date=None,
    ...     today=datetime.date(2026, 3, 2),
    ... )
    PlanDays(record_id='p', first='2026-03-09', last=None)
    """
    own_start, own_end = held_day(plan, "start_date"), held_day(plan, "end_date")
    starts_later = (day(own_start) or datetime.date.min) >= today
    if is_own and _is_followed(msgspec.to_builtins(plan)) and start_date in (None, own_start):
        return PlanDays(plan_id, own_start or today.isoformat(), end_date or own_end)
    copy_start = None if is_own else _start_of_copy(plan_id, held, today)
    first = start_date or copy_start or (own_start if starts_later else None) or today.isoformat()
    last = end_date or (own_end if first == own_start else None)
    if is_own and not _is_followed(msgspec.to_builtins(plan)):
        return PlanDays(plan_id, first, last)
    return PlanDays(assignment_id(plan_id, athlete_id, first, held), first, last)


def followed_changes(
    days: PlanDays, plan_id: str, plan: Record, before: Record | None, *, end_date: str | None
) -> tuple[Patch, Patch]:
    """Give what is to be written so that a record is followed, and what it says of itself then.

    `before` is the record as it stands; one that is followed takes nothing but another last day that is asked for, and
    a copy that was completed stays so.
    """
    held: Patch = {} if before is None else msgspec.to_builtins(before)
    placed: Patch = {"status": "active", "start_date": days.first}
    if days.record_id != plan_id and held.get("status") == "completed" and not is_followed_anew(held):
        return {}, held
    if _is_followed(held):
        changes = {"end_date": end_date} if end_date not in (None, held.get("end_date")) else {}
        return changes, held | changes
    if days.record_id == plan_id:
        changes = placed | {"end_date": days.last}
        return changes, held | changes
    followed = _copy(plan, plan_id) | placed | ({"end_date": days.last} if days.last else {})
    changes = model_patch(days.record_id, followed, MealPlan() if before is None else before).patch
    return changes | ({} if before is None else {"deleted": False}), followed


def plans_that_end(followed: Patch, followed_id: str, held: Mapping[str, Mapping[str, Any]]) -> dict[str, Patch]:
    """Give what ends the other plans of an athlete, by id: those that are followed in the same days."""
    return ends_with(followed_id, followed, held)


def days_problem(followed: Patch) -> FieldProblem | None:
    """Tell what is wrong with a plan that ends before it starts."""
    return order_problem(followed)


def whose_problem(plan_scope: str, athletes_scope: str) -> FieldProblem | None:
    """Tell what is wrong where somebody is to follow the plan of another athlete, which may speak of that athlete.

    >>> whose_problem("athlete:a", "athlete:a"), whose_problem("coach:c", "athlete:a")
    (None, None)
    """
    kind, _, ids = plan_scope.partition(":")
    if kind == "coach" or plan_scope == athletes_scope:
        return None
    if kind == "private" and ids.rpartition(":")[2] == athletes_scope.rpartition(":")[2]:
        return None
    return FieldProblem("athlete_id", "Expected the athlete whose plan this is: only a template goes to others")


def _copy(plan: Record, plan_id: str) -> Patch:
    held: Patch = msgspec.to_builtins(plan)
    copy = {name: value for name, value in held.items() if name not in OWN_FIELDS}
    for name in MAPS:
        if name in copy:
            copy[name] = {key: entry for key, entry in copy[name].items() if entry.get("deleted") is not True}
    return {**copy, "source_id": plan_id}


def _is_followed(held: Mapping[str, Any]) -> bool:
    return held.get("status") == "active" and held.get("start_date") is not None and not is_followed_anew(held)


def _start_of_copy(plan_id: str, held: Mapping[str, Mapping[str, Any]], today: datetime.date) -> str | None:
    """Give the first day of the copy of a plan that is followed, now or soon; of several the one that starts last."""
    starts = [
        copy["start_date"]
        for copy in held.values()
        if copy.get("source_id") == plan_id
        and _is_followed(copy)
        and today <= (day(copy.get("end_date")) or datetime.date.max)
    ]
    return max(starts, default=None)
