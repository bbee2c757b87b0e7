"""Bulk sync: one offline log of an app without the SDK, brought in on the one write path and answered for alone."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import structlog

from apex_server.errors import ApiError, InvalidFields
from apex_server.resources import AlreadyExists, Made, RecordWriter, VersionStale, etag_of
from apex_server.resources.requests import now, scope_of_athlete
from apex_server.resources.versions import read_etag
from apex_server.resources.writing import leaf_paths
from apex_server.sync.errors import FieldForbidden, VersionUnknown
from apex_server.workouts.payloads import BulkResult

__all__ = ["bulk_sync"]

_log = structlog.get_logger(__name__)


async def bulk_sync(workouts: RecordWriter, item: Any) -> BulkResult:
    """Bring in one item; whatever is wrong with it is its own answer and stops no other."""
    record_id = item.get("id") if isinstance(item, Mapping) else None
    named = record_id if isinstance(record_id, str) else None
    try:
        return _result(named, await _merge(workouts, item))
    except (AlreadyExists, VersionStale, VersionUnknown) as error:
        return BulkResult(id=named, status="conflict", code=error.code, message=error.next_step)
    except InvalidFields as error:
        first = error.errors[0] if error.errors else None
        return BulkResult(
            id=named,
            status="rejected",
            code=error.code,
            field=first.field if first else None,
            message=first.message if first else None,
            fields=[problem.field for problem in error.errors],
        )
    except FieldForbidden as error:
        return BulkResult(
            id=named, status="rejected", code=error.code, field=error.fields[0], message=error.detail,
            fields=list(error.fields),
        )  # fmt: skip
    except ApiError as error:
        if error.status >= 500:
            raise
        return BulkResult(id=named, status="rejected", code=error.code, message=error.detail)


async def _merge(workouts: RecordWriter, item: Any) -> Made:
    if not isinstance(item, Mapping):
        raise InvalidFields.one("", "Expected an object")
    record_id = _record_id(item.get("id"))
    etag = item.get("etag")
    version = read_etag(etag) if isinstance(etag, str) else None
    scope = scope_of_athlete(workouts.caller, item.get("athlete_id"))
    edited_at_us = _edited_at_us(item.get("updated_at"))
    if item.get("deleted") is True:
        return await workouts.apply_patch(record_id, {"deleted": True}, version, deleted=True)
    return await workouts.merge(scope, record_id, item, version, {"created_at": now()}, edited_at_us=edited_at_us)


def _record_id(named: Any) -> UUID:
    try:
        if str(record_id := UUID(named)) == named:
            return record_id
    except (ValueError, TypeError, AttributeError):
        pass
    raise InvalidFields.one("id", "Expected a UUID in its canonical form, made on the device")


def _edited_at_us(value: Any) -> int | None:
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except (ValueError, TypeError) as error:
        raise InvalidFields.one("updated_at", "Expected a time with its offset") from error
    if moment.tzinfo is None:
        raise InvalidFields.one("updated_at", "Expected a time with its offset")
    return int(moment.astimezone(UTC).timestamp() * 1_000_000)


def _result(record_id: str | None, made: Made) -> BulkResult:
    """Answer for what was taken in; only conflicts about the values of this item are its own."""
    written = set(leaf_paths(made.patch))
    fields = [".".join(path) for path in made.kept_newer]
    fields += [".".join(conflict.path) for conflict in made.known.fold.conflicts if conflict.path in written]
    status: Any = "conflict" if fields else made.outcome
    code = "newer_values_kept" if made.kept_newer else "conflict" if fields else None
    return BulkResult(id=record_id, status=status, etag=etag_of(made.known.version), code=code, fields=fields)
