"""Lists of records, read from the tables that apps query; each takes the local replica and is run in its thread."""

import json
from collections.abc import Sequence
from typing import Any

from apex_client.errors import NoSuchRecord
from apex_client.local import LocalReplica
from apex_client.overview import AthleteSummary, PastWrite
from apex_client.status import RecordStatus
from apex_client.store_file import sqlite_errors
from apex_client.views import Snapshot
from apex_sync.op import StampedWrite
from apex_sync.session.held import HeldRecord

LAST_SUCCESS = "last_success_us"
"""The setting that holds when a sync last went through."""

_DATED = {
    "workout_logs": ("workout_log_rows", "start_time"),
    "check_ins": ("check_in_rows", "submitted_at"),
    "body_metrics": ("body_metric_rows", "measured_at"),
    "progress_photos": ("progress_photo_rows", "taken_at"),
    "nutrition_logs": ("nutrition_log_rows", "created_at"),
}
"""The table of each kind of record that has a day, and what sorts the records of one day."""

_RECENTLY_CHANGED = (
    "WHERE record.collection = ? AND record.deleted = 0 AND (scope.name = ? OR ? IS NULL)"
    " ORDER BY record.changed_us DESC, record.record_no DESC LIMIT ?"
)


def by_date(
    local: LocalReplica, collection: str, scope: str | None, *, since: str | None, until: str | None, limit: int
) -> list[Snapshot]:
    """List records by day, the latest first; those without a day come last."""
    table, then = _DATED[collection]
    where = (
        f"JOIN {table} AS row ON row.record_no = record.record_no"
        " WHERE (row.date >= ? OR ? IS NULL) AND (row.date <= ? OR ? IS NULL) AND (scope.name = ? OR ? IS NULL)"
        f" ORDER BY row.date DESC, row.{then} DESC, record.record_no DESC LIMIT ?"
    )
    return _snapshots(local, where, (since, since, until, until, scope, scope, limit))


def recently_changed(local: LocalReplica, collection: str, scope: str | None, *, limit: int) -> list[Snapshot]:
    """List records that are not deleted, the most recently changed first."""
    return _snapshots(local, _RECENTLY_CHANGED, (collection, scope, scope, limit))


def documents(local: LocalReplica, collection: str, scope: str | None, *, limit: int) -> list[HeldRecord]:
    """List the same with everything that was ever written to them."""
    with sqlite_errors(local.store.path):
        return local.store.select(_RECENTLY_CHANGED, (collection, scope, scope, limit))


def by_id(local: LocalReplica, collection: str, scope: str | None, record_ids: Sequence[str]) -> list[Snapshot]:
    """List records of these ids, in their order."""
    where = (
        "JOIN json_each(?) AS wanted ON wanted.value = record.record_id"
        " WHERE record.collection = ? AND (scope.name = ? OR ? IS NULL) ORDER BY wanted.key"
    )
    return _snapshots(local, where, (json.dumps(record_ids), collection, scope, scope))


def insights(local: LocalReplica, athlete_id: str | None, status: str | None, *, limit: int) -> list[Snapshot]:
    """List insights, the most recently changed first."""
    where = (
        "JOIN insight_rows AS row ON row.record_no = record.record_no"
        " WHERE (row.athlete_id = ? OR ? IS NULL) AND (row.status = ? OR ? IS NULL)"
        " ORDER BY record.changed_us DESC, record.record_no DESC LIMIT ?"
    )
    return _snapshots(local, where, (athlete_id, athlete_id, status, status, limit))


def history(local: LocalReplica, collection: str, record_id: str, *, scope: str | None) -> list[PastWrite]:
    """List the writes of a record that are remembered, the oldest first. Raises NoSuchRecord."""
    with sqlite_errors(local.store.path):
        held = local.find(collection, record_id, scope)
    return [
        PastWrite(write.patch, write.client_id, write.hlc, write.client_id == local.client_id)
        for write in sorted(held.document.writes(), key=_rank)
    ]


def athletes(local: LocalReplica) -> list[AthleteSummary]:
    """List the athletes on this replica by name."""
    sql = (
        "SELECT id, name, role, workouts, check_ins, last_workout_date, last_check_in_date, pending, conflicted"
        " FROM athletes ORDER BY name IS NULL, name, id"
    )
    with sqlite_errors(local.store.path):
        rows = local.store.sql.execute(sql).fetchall()
    return [AthleteSummary(**dict(zip(AthleteSummary.__struct_fields__, row, strict=True))) for row in rows]


def record_status(local: LocalReplica, record_id: str, *, scope: str | None = None) -> RecordStatus:
    """Tell where one record stands, by its id alone where it is not in the scope (any more). Raises NoSuchRecord."""
    sql = (
        "SELECT record.collection, scope.name, record.pending_since_us > 0, record.blocked <> '' OR EXISTS ("
        " SELECT 1 FROM rejections WHERE rejections.record_id = record.record_id AND rejections.scope = scope.name),"
        " record.conflicts > 0, record.needs_review, record.changed_us"
        " FROM held_records AS record JOIN held_scopes AS scope ON scope.scope_no = record.scope_no"
        " WHERE record.record_id = ? ORDER BY scope.name = ? DESC, scope.name LIMIT 1"
    )
    with sqlite_errors(local.store.path):
        row = local.store.sql.execute(sql, (record_id, scope)).fetchone()
    if row is None:
        raise NoSuchRecord("any collection", record_id)
    collection, home, pending, rejected, conflicted, needs_review, changed_us = row
    return RecordStatus(
        record_id=record_id,
        collection=collection,
        scope=home,
        state="rejected" if rejected else "conflicted" if conflicted else "pending" if pending else "synced",
        pending=bool(pending),
        rejected=bool(rejected),
        conflicted=bool(conflicted),
        needs_review=bool(needs_review),
        changed_us=changed_us,
    )


def counts(local: LocalReplica) -> dict[str, Any]:
    """Count records by where they stand."""
    with sqlite_errors(local.store.path):
        found = local.store.counts()
        last_success = local.store.setting(LAST_SUCCESS)
    return found | {"last_success_us": int(last_success) if last_success else 0}


def _snapshots(local: LocalReplica, where: str, parameters: tuple[Any, ...]) -> list[Snapshot]:
    with sqlite_errors(local.store.path):
        return [local.snapshot_of(held) for held in local.store.select(where, parameters)]


def _rank(write: StampedWrite) -> tuple[int, ...]:
    return write.rank
