"""Every failure is a problem document with a stable code, a next step, and nothing that should stay inside."""

import inspect
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any

import httpx
import msgspec
import pytest
import structlog
from litestar import Litestar, get, post
from litestar.di import NamedDependency, Provide
from litestar.exceptions import HTTPException
from litestar.params import FromQuery, JSONBody

from apex_server import errors, invite_errors, second_factor_errors
from apex_server.db import DatabaseBusy
from apex_server.db import DatabaseUnavailable as PostgresAway
from apex_server.errors import (
    ApiError,
    BodyTooLarge,
    ClientIdTaken,
    FieldError,
    InvalidFields,
    NotFound,
    RoleRequired,
    TooManyAttempts,
    TooManyClients,
    TooManyRequests,
)
from apex_server.invite_errors import TooManyInvites
from apex_server.problems import Problem, exception_handlers, problem_responses, websocket_refusal

pytestmark = pytest.mark.anyio

SECRET = "hunter2-hunter2"


class Meal(msgspec.Struct):
    grams: Annotated[int, msgspec.Meta(ge=1)]


class Day(msgspec.Struct):
    name: Annotated[str, msgspec.Meta(max_length=5)]
    meals: list[Meal]


@get("/raise")
async def raise_something(what: FromQuery[str]) -> None:
    failures: dict[str, Exception] = {
        "not_found": NotFound("workout"),
        "busy": DatabaseBusy("deadlock"),
        "away": PostgresAway("connection refused"),
        "bug": ValueError(SECRET),
        "framework": HTTPException(status_code=507, detail=SECRET),
        "teapot": HTTPException(status_code=418, detail=SECRET),
        "media": HTTPException(status_code=415),
    }
    raise failures[what]


@post("/days", request_max_body_size=1000)
async def take_day(data: JSONBody[Day]) -> None:
    """Take a day."""


async def fail() -> None:
    raise NotFound("dependency")


@get("/dependency", dependencies={"failing": Provide(fail)})
async def depend(failing: NamedDependency[Any]) -> None:
    """Never run."""


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    app = Litestar(
        [raise_something, take_day, depend], exception_handlers=exception_handlers, logging_config=None, debug=False
    )
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x") as opened:  # type: ignore[arg-type]
        yield opened


def concrete_errors() -> list[type[ApiError]]:
    known = vars(errors) | vars(invite_errors) | vars(second_factor_errors)
    classes = [value for value in known.values() if inspect.isclass(value) and issubclass(value, ApiError)]
    return [cls for cls in classes if hasattr(cls, "code")]


EXAMPLES: dict[type[ApiError], ApiError] = {
    BodyTooLarge: BodyTooLarge(limit_bytes=10),
    ClientIdTaken: ClientIdTaken(7),
    InvalidFields: InvalidFields([FieldError("a", "b")]),
    NotFound: NotFound("thing"),
    RoleRequired: RoleRequired("coach"),
    TooManyAttempts: TooManyAttempts(retry_after=5),
    TooManyClients: TooManyClients(1000),
    TooManyInvites: TooManyInvites(200),
    TooManyRequests: TooManyRequests(7, "requests"),
}


@pytest.mark.parametrize("error", concrete_errors(), ids=lambda cls: cls.__name__)
def test_every_error_has_a_code_of_its_own_and_says_what_to_do(error: type[ApiError]) -> None:
    example = EXAMPLES.get(error) or error()
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", error.code)
    assert [other for other in concrete_errors() if other.code == error.code] == [error]
    assert 400 <= error.status < 600
    for sentence in (error.title, error.next_step, example.detail):
        assert re.fullmatch(r"[A-Z'].*\.", sentence)
    assert str(example) == f"{error.code}: {example.detail}"
    assert json.loads(msgspec.json.encode(example.members())) is not None


def test_the_tree_in_the_docstring_names_every_error() -> None:
    drawn = re.findall(r"(?<=── )[^\n]+", errors.__doc__ or "")
    names = {name for entry in drawn for name in re.findall(r"[A-Z][A-Za-z]+", entry)}
    classes = {cls.__name__ for cls in vars(errors).values() if inspect.isclass(cls) and issubclass(cls, ApiError)}
    assert names | {"ApiError"} == classes


def test_codes_are_never_changed_once_published() -> None:
    """Clients branch on them; add a line here for a new one and change none."""
    published = json.loads(Path(__file__).with_name("error_codes.json").read_text())
    assert {cls.__name__: [cls.status, cls.code] for cls in concrete_errors()} == published


async def test_an_error_of_ours_is_a_problem_document(client: httpx.AsyncClient) -> None:
    answer = await client.get("/raise?what=not_found")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json() == {
        "type": "urn:apex:problem:not_found",
        "title": "There is nothing here.",
        "status": 404,
        "detail": "There is no such workout.",
        "code": "not_found",
        "next_step": "Check the address and that you are signed in as the right user.",
        "noun": "workout",
    }
    msgspec.json.decode(answer.content, type=Problem)


async def test_an_error_in_a_dependency_is_one_too(client: httpx.AsyncClient) -> None:
    assert (await client.get("/dependency")).json()["code"] == "not_found"


async def test_an_unknown_address_and_a_wrong_method_are_told_apart(client: httpx.AsyncClient) -> None:
    unknown, wrong = await client.get("/nowhere"), await client.delete("/days")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "not_found")
    assert (wrong.status_code, wrong.json()["code"]) == (405, "method_not_allowed")
    assert "POST" in wrong.headers["allow"]


@pytest.mark.parametrize(
    ("body", "field", "message"),
    [
        (b'{"name": "Monday", "meals": []}', "name", "Expected `str` of length <= 5"),
        (b'{"name": "Mon"}', "", "Object missing required field `meals`"),
        (b'{"name": "Mon", "meals": [{"grams": 5}, {"grams": 0}]}', "meals[1].grams", "Expected `int` >= 1"),
        (b'{"name": 7, "meals": []}', "name", "Expected `str`, got `int`"),
        (b"[]", "", "Expected `object`, got `array`"),
        (b"", "", "Expected a value"),
    ],
)
async def test_a_bad_field_is_named_by_its_path(
    client: httpx.AsyncClient, body: bytes, field: str, message: str
) -> None:
    answer = await client.post("/days", content=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_fields")
    assert answer.json()["errors"] == [{"field": field, "message": message}]


async def test_a_missing_parameter_is_named(client: httpx.AsyncClient) -> None:
    answer = await client.get("/raise")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "what"


@pytest.mark.parametrize(
    "body", [b"{", b"\xff\xfe", b'"\xed\xa0\x80"', b'{"name": "\\ud800"}', b"NaN", b"[" * 900], ids=repr
)
async def test_a_body_that_is_no_json_is_malformed(client: httpx.AsyncClient, body: bytes) -> None:
    answer = await client.post("/days", content=body)
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed_request")


async def test_a_body_beyond_the_bound_names_the_bound(client: httpx.AsyncClient) -> None:
    answer = await client.post("/days", content=b" " * 1001)
    assert (answer.status_code, answer.json()["code"], answer.json()["limit_bytes"]) == (413, "body_too_large", 1000)


@pytest.mark.parametrize(("what", "seconds"), [("busy", 1), ("away", 2)])
async def test_a_database_outage_says_when_to_come_back_and_nothing_else(
    client: httpx.AsyncClient, what: str, seconds: int
) -> None:
    answer = await client.get(f"/raise?what={what}")
    assert (answer.status_code, answer.json()["code"]) == (503, "database_unavailable")
    assert answer.json()["retry_after"] == int(answer.headers["retry-after"]) == seconds
    assert "refused" not in answer.text
    assert "deadlock" not in answer.text


@pytest.mark.parametrize("what", ["bug", "framework"])
async def test_a_bug_is_logged_and_not_told(client: httpx.AsyncClient, what: str) -> None:
    with structlog.testing.capture_logs() as lines:
        answer = await client.get(f"/raise?what={what}")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert SECRET not in answer.text
    assert [(line["event"], line["route"], line["method"]) for line in lines] == [("request_failed", "/raise", "GET")]
    assert isinstance(lines[0]["exc_info"], Exception)


async def test_a_sender_who_hangs_up_is_no_failure_of_ours() -> None:
    """A phone that loses its network in the midst of a body is every day's business, and nothing for the error log."""
    app = Litestar([take_day], exception_handlers=exception_handlers, logging_config=None, debug=False)
    arriving = iter([{"type": "http.request", "body": b'{"na', "more_body": True}])
    headers = [(b"content-type", b"application/json"), (b"content-length", b"400")]
    scope = {"type": "http", "method": "POST", "path": "/days", "headers": headers, "query_string": b""}
    scope |= {"http_version": "1.1", "scheme": "http", "server": ("x", 80), "client": ("y", 1), "root_path": ""}

    async def receive() -> dict[str, Any]:
        return next(arriving, {"type": "http.disconnect"})

    async def send(message: Any) -> None:
        """Nobody is there to hear it."""

    with structlog.testing.capture_logs() as lines:
        await app(scope, receive, send)  # type: ignore[arg-type]
    assert lines == []


@pytest.mark.parametrize(
    ("what", "status", "code"), [("teapot", 400, "malformed_request"), ("media", 415, "unsupported_media_type")]
)
async def test_what_the_framework_refuses_is_said_in_our_words(
    client: httpx.AsyncClient, what: str, status: int, code: str
) -> None:
    answer = await client.get(f"/raise?what={what}")
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert SECRET not in answer.text


def test_the_api_description_gets_one_entry_per_status() -> None:
    described = problem_responses(errors.EmailTaken, errors.ClientIdTaken, errors.WrongCredentials)
    assert list(described) == [400, 401, 409, 422, 429, 503]
    assert "`email_taken`" in described[409].description
    assert "`client_id_taken`" in described[409].description
    assert described[409].media_type == "application/problem+json"


def test_a_websocket_is_closed_with_the_status_and_the_code() -> None:
    refusal = websocket_refusal(errors.SessionEnded())
    assert (refusal.code, refusal.detail) == (4401, "session_ended")
