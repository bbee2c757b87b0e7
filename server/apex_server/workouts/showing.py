"""Showing a workout over REST: the view, whose it is, and on demand where its values come from."""

from collections.abc import Collection, Sequence
from functools import partial
from uuid import UUID

import msgspec

from apex_server.db import Connection
from apex_server.resources import KnownRecord, RecordKind, personal_records_of, placed
from apex_server.vault import Vault
from apex_server.workouts.payloads import BulkItem, Workout
from apex_sync.coaching.records import PersonalRecord
from apex_sync.coaching.workout_draft import workout_patch
from apex_sync.coaching.workout_view import workout_view
from apex_sync.models import WORKOUT_LOGS

__all__ = ["WORKOUTS", "show_workouts"]

WORKOUTS = RecordKind(
    WORKOUT_LOGS,
    "workout",
    partial(workout_patch, known=frozenset({*Workout.__struct_fields__, *BulkItem.__struct_fields__})),
)


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
    return [_show(known, records.get(known.athlete_id or "")) for known in found]


def _show(known: KnownRecord, records: list[PersonalRecord] | None) -> Workout:
    view = workout_view(known.id, known.record, problems=known.problems, records=records)
    return Workout(**msgspec.structs.asdict(view), **placed(known))
