"""Turns every failure of a request into an `application/problem+json` answer (RFC 9457) with a stable `code`.

One table of handlers for the whole app, `exception_handlers`: our own errors speak for themselves, what the framework
or the database raises is put in the same words, and anything else is logged and answered without a word of what it was.
No answer repeats a value that came in, because it may have been a password.
"""

import re
from collections import defaultdict
from collections.abc import Mapping
from http import HTTPStatus
from math import ceil
from typing import Any

import msgspec
import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException, WebSocketException
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.datastructures import ResponseSpec
from litestar.types import ExceptionHandlersMap

from apex_server.db.errors import DatabaseUnavailable as PostgresAway
from apex_server.errors import (
    AccessTokenExpired,
    AccessTokenInvalid,
    ApiError,
    BodyTooLarge,
    BodyTooSlow,
    CredentialsMissing,
    CsrfRefused,
    DatabaseUnavailable,
    FieldError,
    InternalError,
    InvalidFields,
    MalformedRequest,
    MethodNotAllowed,
    NotFound,
    SessionEnded,
    TooManyRequests,
    Unavailable,
    UnsupportedMediaType,
)
from apex_server.known_parameters import parameter_names
from apex_server.second_factor_errors import SecondFactorDemanded
from apex_server.vault import KeyDestroyed, MasterKeyMissing, MasterKeyOutdated
from apex_sync.problems import choices_of, in_words

__all__ = [
    "BODY_REFUSALS",
    "PROBLEM_MEDIA_TYPE",
    "SIGN_IN_REFUSALS",
    "Problem",
    "answer_framework_error",
    "exception_handlers",
    "problem_responses",
    "websocket_refusal",
]

PROBLEM_MEDIA_TYPE = "application/problem+json"

BODY_REFUSALS: tuple[type[ApiError], ...] = (InvalidFields, BodyTooLarge, BodyTooSlow)
"""What a handler that takes a body may answer with."""
SIGN_IN_REFUSALS: tuple[type[ApiError], ...] = (
    CredentialsMissing,
    AccessTokenInvalid,
    AccessTokenExpired,
    SessionEnded,
    CsrfRefused,
    SecondFactorDemanded,
)
"""What a handler that wants a signed-in caller may answer with."""
_ANY_HANDLER_REFUSALS: tuple[type[ApiError], ...] = (
    MalformedRequest,
    InvalidFields,
    TooManyRequests,
    DatabaseUnavailable,
)

_WEBSOCKET_CODE_BASE = 4000
"""Close codes from here on belong to applications; 4401 says about a socket what 401 says about a request."""

_VALUE_MISSING = "Expected a value"
_MISSING_PARAMETER = re.compile(r"Missing required \w+ parameter '(?P<name>[^']+)'")
"""The one refusal of a field that the framework words in a sentence only."""

_HUNG_UP = "client disconnected prematurely"
"""What the framework calls an internal error and is a phone that lost its network while sending."""

_log = structlog.get_logger(__name__)


class Problem(msgspec.Struct, omit_defaults=True):
    """The body of every error answer; errors with values of their own add members beside these."""

    type: str
    """`urn:apex:problem:<code>`."""
    title: str
    status: int
    detail: str
    code: str
    """Stable; what a program branches on."""
    next_step: str
    """What a person can do about it."""
    retry_after: int | None = None
    """Seconds to wait before the same request may succeed."""
    budget: str | None = None
    """What is used up, for the code `too_many_requests`."""
    errors: list[FieldError] = []
    """The fields that were refused, for the code `invalid_fields`."""


def problem_responses(*errors: type[ApiError]) -> dict[int, ResponseSpec]:
    """Describe in the API description which errors a handler answers with, one entry per status.

    What any handler may answer with, an unreadable request and an absent database, need not be named.
    """
    errors_by_status: defaultdict[int, list[type[ApiError]]] = defaultdict(list)
    for error in dict.fromkeys((*errors, *_ANY_HANDLER_REFUSALS)):
        errors_by_status[error.status].append(error)
    return {
        status: ResponseSpec(
            data_container=Problem,
            generate_examples=False,
            description=" ".join(f"`{error.code}`: {error.title}" for error in same_status),
            media_type=PROBLEM_MEDIA_TYPE,
        )
        for status, same_status in sorted(errors_by_status.items())
    }


def websocket_refusal(error: ApiError) -> WebSocketException:
    """Close a WebSocket with 4000 + the HTTP status, and the error's code as the reason."""
    return WebSocketException(detail=error.code, code=_WEBSOCKET_CODE_BASE + error.status)


def _answer(error: ApiError, headers: Mapping[str, str] | None = None) -> Response[dict[str, Any]]:
    body = {
        "type": f"urn:apex:problem:{error.code}",
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
        "code": error.code,
        "next_step": error.next_step,
        **error.members(),
    }
    return Response(
        body,
        status_code=error.status,
        media_type=PROBLEM_MEDIA_TYPE,
        headers={"Cache-Control": "no-store", **(headers or {}), **error.headers()},
    )


def _answer_api_error(_request: Request[Any, Any, Any], error: ApiError) -> Response[dict[str, Any]]:
    return _answer(error)


def _answer_postgres_away(_request: Request[Any, Any, Any], error: PostgresAway) -> Response[dict[str, Any]]:
    _log.warning("database_unavailable", reason=error.reason)
    return _answer(DatabaseUnavailable(retry_after=ceil(error.retry_after_seconds)))


def _answer_master_key_changed(
    _request: Request[Any, Any, Any], error: MasterKeyMissing | MasterKeyOutdated
) -> Response[dict[str, Any]]:
    _log.error("master_key_changed", reason=str(error))
    return _answer(Unavailable())


def _answer_key_destroyed(_request: Request[Any, Any, Any], _error: KeyDestroyed) -> Response[dict[str, Any]]:
    return _answer(NotFound("user"))


def _answer_bad_text(_request: Request[Any, Any, Any], _error: UnicodeDecodeError) -> Response[dict[str, Any]]:
    return _answer(MalformedRequest())


def answer_framework_error(request: Request[Any, Any, Any], error: HTTPException) -> Response[dict[str, Any]]:
    """Put what the framework refuses in our words."""
    if error.detail == _HUNG_UP:
        return _answer(MalformedRequest())
    if error.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return _answer_unexpected(request, error)
    return _answer(_in_our_words(request, error), error.headers)


def _answer_unexpected(request: Request[Any, Any, Any], error: Exception) -> Response[dict[str, Any]]:
    _log.error("request_failed", method=request.method, route=request.scope.get("path_template"), exc_info=error)
    return _answer(InternalError())


def _in_our_words(request: Request[Any, Any, Any], error: HTTPException) -> ApiError:
    if isinstance(error, ValidationException):
        return InvalidFields(_field_errors(request, error))
    match error.status_code:
        case HTTPStatus.NOT_FOUND:
            return NotFound("address")
        case HTTPStatus.METHOD_NOT_ALLOWED:
            return MethodNotAllowed()
        case HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            return BodyTooLarge(limit_bytes=request.route_handler.resolve_request_max_body_size() or 0)
        case HTTPStatus.UNSUPPORTED_MEDIA_TYPE:
            return UnsupportedMediaType()
    return MalformedRequest()


def _field_errors(request: Request[Any, Any, Any], error: ValidationException) -> list[FieldError]:
    details = error.extra if isinstance(error.extra, list) else []
    if missing := _MISSING_PARAMETER.match(error.detail):
        return [FieldError(field=missing["name"], message=_VALUE_MISSING)]
    return [FieldError(field=_field_name(request, detail), message=_message(request, detail)) for detail in details]


def _field_name(request: Request[Any, Any, Any], detail: Mapping[str, Any]) -> str:
    """Name the field as the sender does: the handler's own name for it, or for the body, is none of their business."""
    key = str(detail.get("key", ""))
    if key == "data" or detail.get("source") == "body":
        return "" if key == "data" else key.removeprefix("data.")
    return parameter_names(request.route_handler, tuple(request.path_params)).get(key, key)


def _message(request: Request[Any, Any, Any], detail: Mapping[str, Any]) -> str:
    """Say that a value is missing where the framework only repeats the name, and what there is to choose from."""
    message, key = str(detail.get("message", "")), str(detail.get("key", ""))
    if message == repr(detail.get("key")):
        return _VALUE_MISSING
    if message.startswith("Invalid RFC3339 encoded date"):
        return "Expected a day that is in the calendar, as `2026-03-01`"
    if message.startswith("Invalid enum value") and (choices := _choices(request.route_handler, key)):
        return f"Expected one of {', '.join(choices)}"
    return in_words(message)


def _choices(handler: HTTPRouteHandler, parameter: str) -> list[str]:
    """List the words that a parameter of an endpoint, or of what it depends on, lets one choose from."""
    depends_on = (provided.parsed_fn_signature for provided in handler.resolve_dependencies().values())
    signatures = (handler.parsed_fn_signature, *depends_on)
    asked = (signature.parameters.get(parameter) for signature in signatures)
    return next((choices_of(field.annotation) for field in asked if field is not None), [])


exception_handlers: ExceptionHandlersMap = {
    ApiError: _answer_api_error,
    PostgresAway: _answer_postgres_away,
    MasterKeyMissing: _answer_master_key_changed,
    MasterKeyOutdated: _answer_master_key_changed,
    KeyDestroyed: _answer_key_destroyed,
    HTTPException: answer_framework_error,
    UnicodeDecodeError: _answer_bad_text,
    Exception: _answer_unexpected,
}
