"""One of a coach's athletes at a glance, from the tables of this device; takes the local replica, in its thread.

It shows what `GET /api/clients/{id}/dashboard` shows, by the same arithmetic.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec
from msgspec import Struct

from apex_client import listing, training
from apex_client.client_facts import DONE, Client, clients_of, macros_of, standings
from apex_client.errors import NotGranted
from apex_client.local import LocalReplica
from apex_client.standing import ClientSummary
from apex_client.store_file import sqlite_errors
from apex_sync.coaching.analytics import MuscleWeek, tallies_of, volume_of
from apex_sync.coaching.body_weight_lifts import BodyWeights
from apex_sync.coaching.bodyweight import WEIGHT_KG_MAX, WEIGHT_KG_MIN, WeighIn, weight_trend
from apex_sync.coaching.client_dashboard import (
    CHECK_INS_SHOWN,
    INSIGHTS_SHOWN,
    TO_LOOK_AT_SHOWN,
    WORKOUTS_SHOWN,
    FollowedProgram,
    MessageCounts,
    NutritionDay,
    SessionFigures,
    WeightDay,
    WeightTrend,
    first_day_shown,
    followed_program,
    nutrition_days,
    session_figures,
    sets_by_workout,
    weight_days_since,
    weight_now,
)
from apex_sync.coaching.leaves import day, text
from apex_sync.coaching.nutrition import DayTotals
from apex_sync.coaching.sets import PerformedSet, performed_sets
from apex_sync.coaching.strain import ANSWERS
from apex_sync.ids import athlete_scope
from apex_sync.models import PROGRAMS, WORKOUT_LOGS

_WORKOUTS = f"""
    SELECT log.id, coalesce(log.date, substr(coalesce(log.start_time, log.end_time), 1, 10)) AS day, log.title,
        log.duration_minutes
    FROM workout_log_rows AS log
    WHERE log.scope_no = :scope_no
        AND day BETWEEN :first AND :until
        AND {DONE}
    ORDER BY day DESC, substr(log.start_time, 1, 19) DESC NULLS FIRST, log.id DESC
    LIMIT :limit
"""  # noqa: S608 - made of constants.
_WEIGHTS = """
    SELECT id, date, weight_kg
    FROM check_in_rows
    WHERE scope_no = :scope_no AND submitted_at IS NOT NULL AND date <= :until
    UNION ALL
    SELECT id, date, weight_kg
    FROM body_metric_rows
    WHERE scope_no = :scope_no AND date <= :until
    ORDER BY date DESC, id DESC
    LIMIT 4000
"""
_CHECK_INS = f"""
    SELECT row.id, row.date, row.coach_reviewed, row.weight_kg, {", ".join(f"row.{name}" for name in ANSWERS)}
    FROM check_in_rows AS row
    WHERE row.scope_no = :scope_no AND row.submitted_at IS NOT NULL AND row.date IS NOT NULL
    ORDER BY row.date DESC, row.submitted_at DESC, row.id DESC
    LIMIT :limit
"""  # noqa: S608 - made of constants.
_EATEN = """
    SELECT row.date, row.meal_count, row.food_count, row.energy_kcal, row.protein_g, row.carbs_g, row.fat_g
    FROM nutrition_log_rows AS row
    WHERE row.scope_no = :scope_no AND row.date BETWEEN :first AND :until AND row.food_count > 0
    ORDER BY row.date, row.id
    LIMIT 100
"""
_ASKED = """
    SELECT row.start_date, row.energy_kcal, row.protein_g, row.carbs_g, row.fat_g
    FROM nutrition_target_rows AS row
    WHERE row.scope_no = :scope_no AND row.start_date <= :until
    ORDER BY row.start_date DESC, row.id DESC
    LIMIT 30
"""
_MESSAGES = """
    SELECT count(*) FILTER (WHERE said.sender = 'athlete' AND said.sent_at >= :first),
        count(*) FILTER (WHERE said.sender = 'coach' AND said.sent_at >= :first),
        count(*) FILTER (WHERE said.sender = 'athlete' AND said.read_at IS NULL)
    FROM said_rows AS said
    JOIN message_rows AS row ON row.record_no = said.record_no
    JOIN held_scopes AS scope ON scope.scope_no = row.scope_no
    WHERE scope.name = :thread AND NOT said.deleted
"""
_INSIGHTS = """
    SELECT row.id, row.title, row.type, row.priority
    FROM insight_rows AS row
    WHERE row.scope_no = :private_no AND row.status = 'draft'
    ORDER BY CASE row.priority WHEN 'critical' THEN 1 WHEN 'high' THEN 2 WHEN 'medium' THEN 3 WHEN 'low' THEN 4 END
        NULLS LAST, row.id DESC
    LIMIT :limit
"""
_TO_LOOK_AT = """
    SELECT record.record_id, record.collection, record.conflicts > 0, record.needs_review
    FROM held_records AS record
    WHERE record.scope_no = :scope_no
        AND (record.conflicts > 0 OR record.needs_review)
        AND NOT record.deleted
    ORDER BY record.changed_us DESC, record.record_no DESC
    LIMIT :limit
"""


class RecentWorkout(SessionFigures, frozen=True, kw_only=True):
    """A session of the last weeks."""

    id: str


class RecentCheckIn(Struct, frozen=True, kw_only=True):
    """What an athlete answered, each 1 to 10."""

    id: str
    date: date
    coach_reviewed: bool
    weight_kg: float | None
    answers: dict[str, int]


class OpenInsight(Struct, frozen=True, kw_only=True):
    """An insight that waits for the coach's word."""

    id: str
    title: str | None
    type: str | None
    priority: str | None


class ToLookAt(Struct, frozen=True, kw_only=True):
    """A record with a conflict, or with a value out of bounds."""

    id: str
    collection: str
    has_conflicts: bool
    needs_review: bool


class ClientDashboard(Struct, frozen=True, kw_only=True):
    """One athlete at a glance: four weeks of training, weight, food and messages, the last check-ins, and what waits.

    Days are listed with the earliest first, what has an id with the latest first.
    """

    client: ClientSummary
    workouts: list[RecentWorkout]
    volume: list[MuscleWeek]
    weight: WeightTrend | None
    weight_days: list[WeightDay]
    program: FollowedProgram | None
    nutrition: list[NutritionDay]
    messages: MessageCounts | None
    check_ins: list[RecentCheckIn]
    insights: list[OpenInsight]
    to_look_at: list[ToLookAt]


def dashboard(local: LocalReplica, athlete_id: str) -> ClientDashboard:
    """Show one client. Raises CoachNeeded, NotGranted."""
    client = client_named(local, athlete_id)
    [summary] = standings(local, athlete_id)
    until = datetime.fromtimestamp(local.device.now_us() / 1e6, UTC).date() + timedelta(days=1)
    first = first_day_shown(until)
    asked = {
        "scope_no": client.scope_no, "private_no": client.private_no, "first": str(first), "until": str(until),
        "thread": f"thread:{summary.coach_id}:{athlete_id}",
    }  # fmt: skip
    weights = weight_trend(_weigh_ins(local, asked))
    body_weights = BodyWeights(weights)
    workouts, sets = _workouts(local, athlete_id, asked, body_weights)
    return ClientDashboard(
        client=summary,
        workouts=workouts,
        volume=volume_of(tallies_of(sets, body_weights), training.library(local)).muscles,
        weight=weight_now(weights),
        weight_days=weight_days_since(weights, first),
        program=_followed(local, summary, until - timedelta(days=1)),
        nutrition=_nutrition(local, asked),
        messages=_message_counts(local, asked),
        check_ins=[
            RecentCheckIn(
                id=record_id,
                date=on,
                coach_reviewed=bool(reviewed),
                weight_kg=weight_kg,
                answers={name: value for name, value in zip(ANSWERS, answers, strict=True) if value is not None},
            )
            for record_id, on_day, reviewed, weight_kg, *answers in _rows(local, _CHECK_INS, asked, CHECK_INS_SHOWN)
            if (on := day(on_day)) is not None
        ],
        insights=[
            OpenInsight(id=record_id, title=title or None, type=type_ or None, priority=priority or None)
            for record_id, title, type_, priority in _rows(local, _INSIGHTS, asked, INSIGHTS_SHOWN)
        ],
        to_look_at=[
            ToLookAt(id=record_id, collection=collection, has_conflicts=bool(conflicts), needs_review=bool(review))
            for record_id, collection, conflicts, review in _rows(local, _TO_LOOK_AT, asked, TO_LOOK_AT_SHOWN)
        ],
    )


def client_named(local: LocalReplica, athlete_id: str) -> Client:
    """Find one client. Raises CoachNeeded, NotGranted."""
    found = clients_of(local, athlete_id)
    if not found:
        raise NotGranted(athlete_scope(athlete_id))
    return found[0]


def _rows(local: LocalReplica, sql: str, asked: Mapping[str, Any], limit: int = 0) -> list[tuple[Any, ...]]:
    with sqlite_errors(local.store.path):
        return local.store.sql.execute(sql, {**asked, "limit": limit}).fetchall()


def _workouts(
    local: LocalReplica, athlete_id: str, asked: Mapping[str, Any], weights: BodyWeights
) -> tuple[list[RecentWorkout], list[PerformedSet]]:
    """Add up each session; with the sets of all."""
    rows = _rows(local, _WORKOUTS, asked, WORKOUTS_SHOWN)
    held = listing.by_id(local, WORKOUT_LOGS.name, athlete_scope(athlete_id), [row[0] for row in rows])
    sets = [each for log in held for each in performed_sets(log.record_id, WORKOUT_LOGS.read(log.state)[0])]
    of_workout = sets_by_workout(sets)
    shown = []
    for workout_id, on_day, title, lasted in rows:
        if (on := day(on_day)) is not None:
            figures = session_figures(on, text(title), lasted, of_workout.get(workout_id, []), weights)
            shown.append(RecentWorkout(id=workout_id, **msgspec.structs.asdict(figures)))
    return shown, sets


def _weigh_ins(local: LocalReplica, asked: Mapping[str, Any]) -> list[WeighIn]:
    return [
        WeighIn(record_id=record_id, date=on, weight_kg=weight_kg)
        for record_id, on_day, weight_kg in _rows(local, _WEIGHTS, asked)
        if weight_kg is not None and WEIGHT_KG_MIN <= weight_kg <= WEIGHT_KG_MAX and (on := day(on_day)) is not None
    ]


def _followed(local: LocalReplica, client: ClientSummary, on: date) -> FollowedProgram | None:
    if client.current_program_id is None:
        return None
    [held] = listing.by_id(local, PROGRAMS.name, athlete_scope(client.id), [client.current_program_id])
    return followed_program(PROGRAMS.read(held.state)[0], on)


def _nutrition(local: LocalReplica, asked: Mapping[str, Any]) -> list[NutritionDay]:
    eaten = [
        (on, DayTotals(meals=meals, foods=foods, macros=macros_of(macros)))
        for on_day, meals, foods, *macros in _rows(local, _EATEN, asked)
        if (on := day(on_day)) is not None
    ]
    targets = [
        (start, macros_of(macros))
        for on_day, *macros in _rows(local, _ASKED, asked)
        if (start := day(on_day)) is not None
    ]
    return nutrition_days(eaten, targets[::-1])


def _message_counts(local: LocalReplica, asked: Mapping[str, Any]) -> MessageCounts:
    [(from_athlete, from_coach, unread)] = _rows(local, _MESSAGES, asked)
    return MessageCounts(from_athlete=from_athlete, from_coach=from_coach, unread=unread)
