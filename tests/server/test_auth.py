"""Registering, signing in, signing out, and what a password is put through."""

import logging
import re
import time
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import anyio
import asyncpg
import httpx
import pytest
import structlog
from argon2 import PasswordHasher
from litestar import Litestar

from apex_server.auth import Passwords
from apex_server.auth.payloads import AccountView, LoginRequest, RefreshRequest, RegisterRequest, SignedIn
from apex_server.db import Database
from tests.server.accounts_app import (
    CHEAP_PASSWORDS,
    PASSWORD,
    Clock,
    accounts_app,
    bearer,
    log_in,
    open_socket,
    problem,
    refresh,
    register,
    speak_to,
    status_of,
)
from tests.server.mailbox import Mailbox, confirmed

pytestmark = pytest.mark.anyio


@pytest.fixture
def app(db: Database, clock: Clock) -> Litestar:
    return accounts_app(db, clock)


@pytest.fixture
async def client(app: Litestar) -> AsyncIterator[httpx.AsyncClient]:
    async with speak_to(app) as opened:
        yield opened


async def test_who_registers_is_signed_in(client: httpx.AsyncClient) -> None:
    device = {"name": "Anna's watch", "kind": "watch", "client_id": 77}
    signed_in = await register(client, "Anna@Example.com", name="  Anna  ", device=device)

    me = (await client.get("/api/auth/me", headers=bearer(signed_in))).json()

    assert me["user"] == signed_in["user"]
    assert (me["user"]["name"], me["user"]["email"], me["user"]["role"]) == ("Anna", "Anna@Example.com", "athlete")
    assert me["device"].items() >= {"id": signed_in["device_id"], "current": True, **device}.items()
    assert me["session_id"] == signed_in["session_id"]
    assert me["coaches"] == []


async def test_answers_with_tokens_are_not_cached(client: httpx.AsyncClient) -> None:
    body = {"email": "anna@example.com", "password": PASSWORD, "name": "Anna", "role": "athlete"}
    for path in ("register", "login"):
        answer = await client.post(f"/api/auth/{path}", json=body)
        assert answer.headers["cache-control"] == "no-store"
        body["device_token"] = answer.json()["device_token"]
    answer = await refresh(client, answer.json()["refresh_token"])
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "spelling",
    ["anna@example.com", "ANNA@example.COM", " anna@example.com ", "\N{FULLWIDTH LATIN SMALL LETTER A}nna@example.com"],
)
async def test_one_address_is_one_account_however_it_is_spelled(
    client: httpx.AsyncClient, mailbox: Mailbox, spelling: str
) -> None:
    first = await confirmed(client, mailbox, "Anna@Example.com")
    assert (await log_in(client, spelling))["user"]["id"] == first["user"]["id"]
    await register(client, spelling, role="coach")
    assert (await mailbox.one()).subject == "You already have an Apex account"


async def test_a_letter_of_another_script_is_another_address(client: httpx.AsyncClient) -> None:
    latin = await register(client, "anna@example.com")
    cyrillic = await register(client, "\N{CYRILLIC SMALL LETTER A}nna@example.com")
    assert latin["user"]["id"] != cyrillic["user"]["id"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("email", "anna"),
        ("email", "anna@"),
        ("email", "an na@example.com"),
        ("email", "anna@exam\x00ple.com"),
        ("email", "a@b@c"),
        ("email", "anna@gmail"),
        ("email", "a" * 250 + "@b.example"),
        ("name", ""),
        ("name", "   "),
        ("name", "Anna\x00"),
        ("name", "Anna\nadmin"),
        ("name", "x" * 201),
        ("password", "seven77"),
        ("password", "e\u0301" * 4),
        ("password", "x" * 1001),
        ("password", 12345678),
        ("role", "support"),
        ("device.name", {"name": "\x1b[2J", "kind": "phone"}),
        ("device.kind", {"name": "x", "kind": "toaster"}),
        ("device.client_id", {"name": "x", "kind": "phone", "client_id": 0}),
        ("device.client_id", {"name": "x", "kind": "phone", "client_id": 2**53}),
    ],
)
async def test_a_bad_field_is_named_and_its_value_not_repeated(
    client: httpx.AsyncClient, field: str, value: Any
) -> None:
    body = {"email": "anna@example.com", "password": PASSWORD, "name": "Anna", "role": "athlete"}
    body[field.partition(".")[0]] = value

    answer = await client.post("/api/auth/register", json=body)

    assert problem(answer) == (422, "invalid_fields")
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert str(value) not in answer.text or len(str(value)) < 8


@pytest.mark.parametrize("password", ["correct horse " * 71, "пароль без правил", "\x00 a tab\t", "🏋️💪🥦🚴 🏔️⏱️🧊🥇"])
async def test_any_password_of_eight_characters_or_more_will_do(
    client: httpx.AsyncClient, password: str, mailbox: Mailbox
) -> None:
    await confirmed(client, mailbox, "anna@example.com", password=password)
    await log_in(client, "anna@example.com", password=password)


async def test_a_password_is_the_same_however_the_keyboard_composed_it(
    client: httpx.AsyncClient, mailbox: Mailbox
) -> None:
    await confirmed(client, mailbox, "anna@example.com", password="schöne Größe")
    await log_in(client, "anna@example.com", password="scho\u0308ne Gro\u0308ße")


@pytest.mark.parametrize(("known", "body"), [(True, PASSWORD + "!"), (True, ""), (False, PASSWORD)])
async def test_a_wrong_password_and_an_unknown_address_get_one_answer(
    client: httpx.AsyncClient, known: bool, body: str, mailbox: Mailbox
) -> None:
    await confirmed(client, mailbox, "anna@example.com")
    email = "anna@example.com" if known else "nobody@example.com"

    answer = await client.post("/api/auth/login", json={"email": email, "password": body})

    assert problem(answer) == (401, "wrong_credentials")
    assert answer.json()["detail"] == "The e-mail address or the password is wrong."
    assert sorted(answer.headers) == ["cache-control", "content-length", "content-type", "www-authenticate"]


@pytest.mark.parametrize("email", ["x@@", "\x00@example.com", "not an address"])
async def test_an_impossible_address_is_as_unknown_as_any(client: httpx.AsyncClient, email: str) -> None:
    answer = await client.post("/api/auth/login", json={"email": email, "password": PASSWORD})
    assert problem(answer) == (401, "wrong_credentials")


async def test_a_wrong_password_and_an_unknown_address_take_the_same_time(
    db: Database, clock: Clock, mailbox: Mailbox
) -> None:
    app = accounts_app(db, clock, passwords=Passwords())
    async with speak_to(app) as client:
        await confirmed(client, mailbox, "anna@example.com")

        async def processor_seconds(email: str) -> float:
            """Measure what our own process works, all threads of it: a busy machine does not change that."""
            started = time.process_time()
            await client.post("/api/auth/login", json={"email": email, "password": "a wrong password"})
            return time.process_time() - started

        wrong, unknown = [], []
        for _ in range(6):
            wrong.append(await processor_seconds("anna@example.com"))
            unknown.append(await processor_seconds("nobody@example.com"))

    assert 0.5 < min(unknown) / min(wrong) < 2


async def test_only_an_argon2id_hash_is_stored(client: httpx.AsyncClient, database_url: str) -> None:
    await register(client, "anna@example.com")
    owner = await asyncpg.connect(database_url)
    try:
        stored = await owner.fetchval("SELECT password_hash FROM users")
    finally:
        await owner.close()
    assert stored.startswith("$argon2id$v=19$")
    assert PASSWORD not in stored


def test_the_cost_of_a_hash_is_at_least_what_asvs_asks_for() -> None:
    parameters = Passwords()._hasher
    assert (parameters.memory_cost, parameters.parallelism) == (19_456, 1)
    assert parameters.time_cost >= 2


async def test_a_hash_of_older_parameters_is_renewed_at_sign_in(
    client: httpx.AsyncClient, database_url: str, mailbox: Mailbox
) -> None:
    await confirmed(client, mailbox, "anna@example.com")
    old = PasswordHasher(time_cost=2, memory_cost=128, parallelism=1).hash(PASSWORD)
    owner = await asyncpg.connect(database_url)
    try:
        await owner.execute("UPDATE users SET password_hash = $1", old)
        await log_in(client, "anna@example.com")
        assert CHEAP_PASSWORDS.is_outdated(old)
        assert not CHEAP_PASSWORDS.is_outdated(await owner.fetchval("SELECT password_hash FROM users"))
    finally:
        await owner.close()
    await log_in(client, "anna@example.com")


async def test_hashing_neither_stops_the_event_loop_nor_queues_without_bound(db: Database, clock: Clock) -> None:
    app = accounts_app(db, clock, passwords=Passwords(workers=1, waiting_max=3))
    statuses: list[int] = []
    longest_pause = 0.0

    async def attempt(client: httpx.AsyncClient, number: int) -> None:
        body = {"email": f"{number}@example.com", "password": PASSWORD}
        answer = await client.post("/api/auth/login", json=body)
        statuses.append(answer.status_code)
        if answer.status_code == 503:
            assert problem(answer) == (503, "server_busy")
            assert int(answer.headers["retry-after"]) == answer.json()["retry_after"] >= 1

    async with speak_to(app) as client, anyio.create_task_group() as attempts:
        for number in range(12):
            attempts.start_soon(attempt, client, number)
        while len(statuses) < 12:
            started = time.perf_counter()
            await anyio.sleep(0.001)
            longest_pause = max(longest_pause, time.perf_counter() - started)

    assert statuses.count(401) >= 4
    assert statuses.count(503) >= 1
    assert len(statuses) == statuses.count(401) + statuses.count(503)


async def test_logging_out_ends_the_session_at_once_and_no_other(client: httpx.AsyncClient, mailbox: Mailbox) -> None:
    phone = await confirmed(client, mailbox, "anna@example.com")
    watch = await log_in(client, "anna@example.com")

    assert (await client.post("/api/auth/logout", headers=bearer(phone))).status_code == 204

    after = await client.get("/api/whoami", headers=bearer(phone))
    assert problem(after) == (401, "session_ended")
    assert problem(await refresh(client, phone["refresh_token"], phone["device_token"])) == (401, "session_ended")
    assert await status_of(client, watch) == 200


async def test_logging_out_everywhere_ends_every_session_of_this_user(
    client: httpx.AsyncClient, mailbox: Mailbox
) -> None:
    sessions = [await confirmed(client, mailbox, "anna@example.com"), await log_in(client, "anna@example.com")]
    other = await confirmed(client, mailbox, "ben@example.com")

    await client.post("/api/auth/logout?everywhere=true", headers=bearer(sessions[0]))

    assert [await status_of(client, session) for session in sessions] == [401, 401]
    assert await status_of(client, other) == 200


async def test_a_refused_part_refuses_the_whole_registration(client: httpx.AsyncClient) -> None:
    device = {"name": "phone", "kind": "phone", "client_id": 5}
    await register(client, "ben@example.com", device=device)
    body = {"email": "anna@example.com", "password": PASSWORD, "name": "Anna", "role": "athlete"}

    taken = await client.post("/api/auth/register", json={**body, "device": device})
    unknown = await client.post("/api/auth/register", json={**body, "invite": "00000-00000-00000-00000"})
    coach = await client.post("/api/auth/register", json={**body, "role": "coach", "invite": "0"})

    assert problem(taken) == (409, "client_id_taken")
    assert taken.json()["client_id"] == 5
    assert problem(unknown) == (404, "not_found")
    assert problem(coach) == (422, "invalid_fields")
    await register(client, "anna@example.com")


async def test_every_route_but_the_public_ones_wants_a_signed_in_user(app: Litestar, client: httpx.AsyncClient) -> None:
    """A new route is closed until somebody opens it on purpose, here, too."""
    public = set()
    for route in app.routes:
        path = re.sub(r"\{[a-z]+_id\}", str(UUID(int=1)), route.path_format)
        for method in sorted(getattr(route, "methods", ())):
            if method == "OPTIONS" or path.startswith("/schema"):
                continue
            answer = await client.request(method, path.replace("{code}", "00000"), json={})
            if answer.status_code != 401 or answer.json()["code"] != "credentials_missing":
                public.add((method, route.path_format))
    assert public == {
        ("POST", "/api/auth/register"),
        ("POST", "/api/auth/login"),
        ("POST", "/api/auth/login/mfa"),
        ("POST", "/api/auth/login/passkey"),
        ("POST", "/api/auth/login/passkey/options"),
        ("POST", "/api/auth/login/sms"),
        ("POST", "/api/auth/refresh"),
        ("POST", "/api/auth/verify-email"),
        ("POST", "/api/auth/forgot-password"),
        ("POST", "/api/auth/reset-password"),
        ("POST", "/api/auth/undo-email-change"),
        ("GET", "/api/invites/{code}"),
    }


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic YTpi", "Bearer x y", "bearer \u00e9"])
async def test_an_authorization_header_of_another_kind_is_refused(client: httpx.AsyncClient, header: str) -> None:
    answer = await client.get("/api/whoami", headers={b"Authorization": header.encode("latin-1")})
    assert problem(answer) == (401, "token_invalid")
    assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_a_websocket_is_closed_with_the_reason_unless_its_caller_is_signed_in(
    app: Litestar, client: httpx.AsyncClient, clock: Clock
) -> None:
    anna = await register(client, "anna@example.com")
    assert (await open_socket(app, bearer(anna)))[1]["text"] == anna["user"]["id"]

    clock.advance(minutes=16)
    refused = [await open_socket(app, headers) for headers in ({}, {"Authorization": "Bearer x"}, bearer(anna))]

    assert [(sent[0]["type"], sent[0]["code"], sent[0]["reason"]) for sent in refused] == [
        ("websocket.close", 4401, "credentials_missing"),
        ("websocket.close", 4401, "token_invalid"),
        ("websocket.close", 4401, "token_expired"),
    ]


async def test_no_log_line_holds_a_secret(
    app: Litestar, client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.WARNING, "httpx")  # The client's log, not the server's.
    with structlog.testing.capture_logs() as lines:
        coach = await register(client, "coach@example.com", role="coach")
        code = (await client.post("/api/invites", json={}, headers=bearer(coach))).json()["code"]
        anna = await register(client, "anna@example.com", invite=code)
        await client.get(f"/api/invites/{code}")
        await client.post("/api/auth/login", json={"email": "anna@example.com", "password": "wrong password"})
        new = (await refresh(client, anna["refresh_token"], anna["device_token"])).json()
        await refresh(client, anna["refresh_token"])
        await client.post("/api/auth/register", content=b'{"password": "' + PASSWORD.encode() + b'",')
        await client.post("/api/auth/logout", headers=bearer(coach))

    logged = f"{lines} {caplog.text}"
    assert {line["event"] for line in lines} >= {"user_registered", "login_refused", "refresh_token_reused"}
    secrets = [PASSWORD, "wrong password", code, anna["device_token"], "anna@example.com"]
    for session in (coach, anna, new):
        secrets += [session["access_token"], session["refresh_token"]]
    assert [secret for secret in secrets if secret in logged] == []


def test_no_payload_shows_a_secret_when_printed() -> None:
    register_request = RegisterRequest(email="e", password=PASSWORD, name="n", role="athlete")
    login_request = LoginRequest(email="e", password=PASSWORD, device_token="secret")
    refresh_request = RefreshRequest(refresh_token="secret")
    user = AccountView(id=UUID(int=1), email="e", name="n", role="coach", created_at=Clock()(), email_verified=False)
    signed_in = SignedIn(
        user=user, device_id=user.id, session_id=user.id, expires_in=1, access_token="secret", device_token="secret"
    )
    for payload in (register_request, login_request, refresh_request, signed_in):
        assert f"{payload} {payload!r}" == f"<{type(payload).__name__}> <{type(payload).__name__}>"


async def test_a_body_beyond_the_bound_is_refused(client: httpx.AsyncClient) -> None:
    answer = await client.post("/api/auth/login", content=b'{"email": "' + b"x" * 20_000)
    assert problem(answer) == (413, "body_too_large")
    assert answer.json()["limit_bytes"] == 16_384


async def test_the_api_description_tells_of_every_endpoint_and_its_refusals(client: httpx.AsyncClient) -> None:
    description = (await client.get("/schema/openapi.json")).json()
    login = description["paths"]["/api/auth/login"]["post"]
    assert set(login["responses"]) == {"200", "400", "401", "403", "408", "409", "413", "422", "429", "503"}
    assert list(login["responses"]["429"]["content"]) == ["application/problem+json"]
    assert "`too_many_attempts`" in login["responses"]["429"]["description"]
    operations = [operation for path in description["paths"].values() for operation in path.values()]
    ours = [operation for operation in operations if set(operation.get("tags", ())) & {"auth", "devices", "clients"}]
    assert len(ours) >= 13
    assert [operation["operationId"] for operation in ours if not operation.get("description")] == []
