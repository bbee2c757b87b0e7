"""What requests for records have in common: ids that may come from the device, what to include, and the refusals."""

import secrets
import time
from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from litestar.params import HeaderParameter, QueryParameter

from apex_server.caller import Caller
from apex_server.errors import (
    AccessTokenExpired,
    AccessTokenInvalid,
    ApiError,
    BodyTooLarge,
    BodyTooSlow,
    CredentialsMissing,
    CsrfRefused,
    InvalidFields,
    MalformedRequest,
    NotFound,
    SessionEnded,
)
from apex_server.resources.errors import VersionStale
from apex_server.resources.pages import PAGE_LENGTH_MAX
from apex_server.sync.errors import FieldForbidden, RecordDamaged, RecordFull, VersionUnknown
from apex_sync.ids import Scope, athlete_scope, derived_id, private_scope, record_id_from
from apex_sync.problems import patterned

__all__ = [
    "NO_NUL",
    "READ_REFUSALS",
    "WRITE_REFUSALS",
    "After",
    "Deleted",
    "Fields",
    "FirstDay",
    "IdempotencyKey",
    "IfMatch",
    "IfNoneMatch",
    "LastDay",
    "Limit",
    "included",
    "new_record_id",
    "now",
    "scope_of_athlete",
    "scopes_about",
]

READ_REFUSALS: tuple[type[ApiError], ...] = (
    CredentialsMissing, AccessTokenInvalid, AccessTokenExpired, SessionEnded, NotFound, InvalidFields,
    RecordDamaged,
)  # fmt: skip
WRITE_REFUSALS: tuple[type[ApiError], ...] = (
    *READ_REFUSALS, CsrfRefused, MalformedRequest, FieldForbidden, VersionUnknown, VersionStale, RecordFull,
    BodyTooLarge, BodyTooSlow,
)  # fmt: skip

IDEMPOTENCY_KEY_LENGTH_MAX = 200

NO_NUL = patterned(r"^[^\x00]*\Z", "text without NUL characters")
"""Postgres holds no text with a NUL character, so nothing can be found by one."""

FirstDay = Annotated[date | None, QueryParameter(name="from", description="The first day, `2026-03-01`.")]
LastDay = Annotated[date | None, QueryParameter(name="to", description="The last day.")]
Limit = Annotated[int, QueryParameter(ge=1, le=PAGE_LENGTH_MAX, description="Records on a page.")]
IfMatch = Annotated[
    str | None,
    HeaderParameter(
        name="If-Match",
        description="The ETag of the version you read. What you change is then judged against what came since; `*` is "
        "whatever stands there now.",
    ),
]
IfNoneMatch = Annotated[
    str | None,
    HeaderParameter(
        name="If-None-Match",
        description="The ETag of the answer you have: 304 without a body where it would be the same.",
    ),
]
IdempotencyKey = Annotated[
    str | None,
    HeaderParameter(
        name="Idempotency-Key",
        min_length=1,
        max_length=IDEMPOTENCY_KEY_LENGTH_MAX,
        description="In place of an id of your own: the same key makes the same record, however often it is sent.",
    ),
]
After = Annotated[str | None, QueryParameter(max_length=2000, description="The `next` of the page before.")]
Fields = Annotated[
    str | None,
    QueryParameter(
        max_length=1000, description="Separated by commas: the fields to answer with, beside the id; all when absent."
    ),
]
Deleted = Annotated[
    Literal["only"] | None,
    QueryParameter(description="`only`: what was deleted and can be restored, the newest id first."),
]


def included(include: str | None, *known: str, parameter: str = "include") -> frozenset[str]:
    """Read what a caller names, separated by commas. Raises InvalidFields for what there is not."""
    asked = frozenset(part.strip() for part in (include or "").split(",") if part.strip())
    if not asked <= set(known):
        raise InvalidFields.one(parameter, f"Expected some of {', '.join(known)}")
    return asked


def new_record_id(idempotency_key: str | None, caller: Caller, noun: str, named: Any) -> UUID:
    """Give the id of a record to be made: the one made on the device, or one that follows from the Idempotency-Key.

    Raises InvalidFields.
    """
    if named is not None:
        try:
            if str(record_id := UUID(named)) == named:
                return record_id
        except (ValueError, TypeError, AttributeError):
            pass
        raise InvalidFields.one("id", "Expected a UUID in its canonical form")
    if idempotency_key is None:
        return UUID(record_id_from(time.time_ns() // 1_000_000, secrets.token_bytes(10)))
    return UUID(derived_id("rest", str(caller.user_id), noun, idempotency_key))


def scope_of_athlete(caller: Caller, athlete_id: Any) -> str:
    """Give the scope of the athlete a body names; athletes need not name themselves. Raises InvalidFields."""
    if athlete_id is None:
        if caller.role != "athlete":
            raise InvalidFields.one("athlete_id", "Expected the id of one of your athletes")
        return athlete_scope(str(caller.user_id))
    try:
        return Scope.parse(athlete_scope(athlete_id)).name
    except (ValueError, TypeError, AttributeError) as error:
        raise InvalidFields.one("athlete_id", "Expected a UUID in its canonical form") from error


def scopes_about(user_id: UUID, athlete_id: UUID) -> tuple[str, ...]:
    """Give the scopes in which a caller finds records about an athlete."""
    athlete = str(athlete_id)
    return athlete_scope(athlete), private_scope(str(user_id), athlete)


def now() -> str:
    """Give the time as records write it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
