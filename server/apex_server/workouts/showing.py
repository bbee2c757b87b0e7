"""Showing a workout over REST: the view, whose it is, and on demand where its values come from."""

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

import msgspec

from apex_server.db import Connection
from apex_server.resources import KnownRecord, RecordKind, personal_records_of, provenance_of
from apex_server.vault import Vault
from apex_server.workouts.payloads import BulkItem, Workout
from apex_sync.coaching.records import PersonalRecord
from apex_sync.coaching.workout_draft import workout_patch
from apex_sync.coaching.workout_view import workout_view
from apex_sync.models import WORKOUT_LOGS
from apex_sync.models.workout import WorkoutLog

__all__ = ["INCLUDABLE", "WORKOUTS", "show_workout", "show_workouts"]

INCLUDABLE = ("conflicts", "contributions", "personal_records")

_SHOWN_BESIDE = frozenset({*Workout.__struct_fields__, *BulkItem.__struct_fields__})


def to_patch(workout_id: str, draft: Any, base: Any) -> Any:
    """Turn what a caller sent into the difference from a version. Raises InvalidDraft."""
    return workout_patch(workout_id, draft, base, known=_SHOWN_BESIDE)


WORKOUTS = RecordKind(WORKOUT_LOGS, "workout", to_patch)


async def show_workout(connection: Connection, vault: Vault, known: KnownRecord, include: Collection[str]) -> Workout:
    """Show one workout, with its personal records."""
    [workout] = await show_workouts(connection, vault, [known], {*include, "personal_records"})
    return workout


async def show_workouts(
    connection: Connection, vault: Vault, found: Sequence[KnownRecord], include: Collection[str]
) -> list[Workout]:
    """Show workouts.

    Personal records need the whole history of an athlete: those of one athlete always come, those of several on demand.
    """
    athletes = {known.athlete_id for known in found if known.athlete_id}
    records: dict[str, list[PersonalRecord]] = {}
    if len(athletes) == 1 or "personal_records" in include:
        records = {athlete: await personal_records_of(connection, vault, UUID(athlete)) for athlete in athletes}
    return [await _show(connection, vault, known, records.get(known.athlete_id or ""), include) for known in found]


async def _show(
    connection: Connection,
    vault: Vault,
    known: KnownRecord,
    records: list[PersonalRecord] | None,
    include: Collection[str],
) -> Workout:
    view = workout_view(known.id, known.record, problems=known.problems, records=records)
    workout = Workout(
        **{name: getattr(view, name) for name in view.__struct_fields__},
        athlete_id=known.athlete_id,
        created_at=known.created_at,
        updated_at=known.updated_at,
        synced_at=known.synced_at,
    )
    if {"conflicts", "contributions"} & set(include):
        provenance = await provenance_of(connection, vault, known, "exercises", "sets")
        for name in {"conflicts", "contributions"} & set(include):
            setattr(workout, name, getattr(provenance, name))
    return workout


def patch_of(data: WorkoutLog) -> dict[str, Any]:
    """Give the patch of a body in the model's own shape."""
    patch: dict[str, Any] = msgspec.to_builtins(data)
    return patch
