"""Bulk sync: offline logs of an app without the SDK, brought in on the one write path, each answered for alone."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any
from uuid import UUID

from apex_server.errors import ApiError, FieldError, InvalidFields
from apex_server.resources import AlreadyExists, Draft, Made, RecordMerger, VersionStale, etag_of
from apex_server.resources.requests import now, scope_of_athlete
from apex_server.resources.versions import read_etag
from apex_server.resources.writing import leaf_paths
from apex_server.sync.errors import FieldForbidden, VersionUnknown
from apex_server.workouts.payloads import BulkResult

__all__ = ["bulk_sync"]


async def bulk_sync(workouts: RecordMerger, items: Sequence[Any]) -> list[BulkResult]:
    """Bring in items; whatever is wrong with one is its own answer and stops no other.

    Raises DatabaseUnavailable, ServerBusy.
    """
    read = [_read(workouts, item) for item in items]
    drafts = [draft for draft in read if isinstance(draft, Draft)]
    made = iter(await workouts.merge_all(drafts))
    return [
        _result(_named(item), next(made) if isinstance(draft, Draft) else draft)
        for item, draft in zip(items, read, strict=True)
    ]


def _read(workouts: RecordMerger, item: Any) -> Draft | ApiError:
    try:
        return _draft(workouts, item)
    except ApiError as error:
        return error


def _draft(workouts: RecordMerger, item: Any) -> Draft:
    if not isinstance(item, Mapping):
        raise InvalidFields.one("", "Expected an object")
    etag = item.get("etag")
    return Draft(
        scope=scope_of_athlete(workouts.caller, item.get("athlete_id")),
        record_id=_record_id(item.get("id")),
        content=item,
        version=read_etag(etag, "etag") if isinstance(etag, str) else None,
        edited_at_us=_edited_at_us(item.get("updated_at")),
        more={"created_at": now()},
        deleted=item.get("deleted") is True,
    )


def _named(item: Any) -> str | None:
    named = item.get("id") if isinstance(item, Mapping) else None
    return named if isinstance(named, str) else None


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


def _result(record_id: str | None, answer: Made | ApiError) -> BulkResult:
    if isinstance(answer, Made):
        return _taken(record_id, answer)
    if isinstance(answer, AlreadyExists | VersionStale | VersionUnknown):
        return BulkResult(id=record_id, status="conflict", code=answer.code, message=answer.next_step)
    if isinstance(answer, InvalidFields):
        problems = answer.errors or [FieldError("", answer.detail)]
        fields = [problem.field for problem in problems]
        return _rejected(record_id, answer, problems[0].message, fields)
    if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        # Nothing is wrong with the item: the whole request is to come again, which doubles nothing.
        raise answer
    fields = list(answer.fields) if isinstance(answer, FieldForbidden) else []
    return _rejected(record_id, answer, answer.detail, fields)


def _rejected(record_id: str | None, error: ApiError, message: str, fields: list[str]) -> BulkResult:
    field = fields[0] if fields else None
    return BulkResult(id=record_id, status="rejected", code=error.code, field=field, message=message, fields=fields)


def _taken(record_id: str | None, made: Made) -> BulkResult:
    """Answer for what was taken in; only conflicts about the values of this item are its own."""
    written = set(leaf_paths(made.patch))
    fields = [".".join(path) for path in made.kept_newer]
    fields += [".".join(conflict.path) for conflict in made.known.fold.conflicts if conflict.path in written]
    status: Any = "conflict" if fields else made.outcome
    code = "newer_values_kept" if made.kept_newer else "conflict" if fields else None
    return BulkResult(id=record_id, status=status, etag=etag_of(made.known.version), code=code, fields=fields)
