"""Limits on the whole app, with the real Postgres: refused in time, told how long, charged to the right account."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import anyio
import pytest
from click.testing import CliRunner
from litestar.testing import TestClient
from msgspec.structs import replace

from apex_server.app import create_app
from apex_server.cli import main
from apex_server.errors import SessionEnded
from apex_server.limits.tiers import ANONYMOUS, TIERS
from apex_server.settings import Settings
from apex_sync.protocol.messages import (
    PROTOCOL_VERSION,
    PushedRecord,
    SyncRequest,
    SyncResponse,
    decode_response,
    encode_message,
)
from tests.confirmation import confirmation_token
from tests.server.accounts_app import PASSWORD, bearer
from tests.server.conftest import execute

Client = TestClient[Any]
MEDIA_TYPE = "application/vnd.apex.sync+msgpack"


@contextmanager
def server(settings: Settings, factor: float = 1.0) -> Iterator[Client]:
    with TestClient(create_app(replace(settings, limits_factor=factor))) as client:
        yield client


def register(client: Client, name: str = "anna", role: str = "athlete") -> dict[str, Any]:
    body = {"email": f"{name}@apex.example", "password": PASSWORD, "name": name, "role": role}
    answer = client.post("/api/auth/register", json=body)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def use_up(client: Client, user: dict[str, Any], budget: str, share: float = 1.01) -> None:
    """Spend on behalf of a user, as a request would."""
    limits = client.app.state.limits
    account = limits.user(UUID(user["user"]["id"]), user["user"]["role"])
    limits.charge(account, budget, account.tier.allowance(budget).amount * share)


def test_who_asks_too_often_is_told_when_to_come_back(settings: Settings) -> None:
    with server(settings, factor=0.02) as client:
        anna, bert = register(client), register(client, "bert")
        answers = [client.get("/api/devices", headers=bearer(anna)) for _ in range(15)]
        allowed = int(TIERS["athlete_free"].requests.amount * 0.02)
        statuses = [answer.status_code for answer in answers]
        assert statuses[:allowed] == [200] * allowed and statuses[-1] == 429
        refused = answers[-1]
        assert refused.headers["content-type"] == "application/problem+json"
        problem = refused.json()
        assert (problem["code"], problem["budget"]) == ("too_many_requests", "requests")
        assert refused.headers["retry-after"] == str(problem["retry_after"]) and problem["retry_after"] >= 1
        assert refused.headers["ratelimit-policy"] == f'"requests";q={allowed};w=60'
        assert refused.headers["ratelimit"] == f'"requests";r=0;t={problem["retry_after"]}'
        assert client.get("/api/devices", headers=bearer(bert)).status_code == 200, "the others go on"
        time.sleep(problem["retry_after"])
        assert client.get("/api/devices", headers=bearer(anna)).status_code == 200


def test_who_is_not_signed_in_pays_from_their_address_and_nobody_elses(settings: Settings) -> None:
    """Guessing tokens uses up the guesser's address, and neither a user's budget nor a signed-in neighbour's access."""
    with server(settings, factor=0.01) as client:
        anna = register(client)
        allowed = int(ANONYMOUS.requests.amount * 0.01)
        statuses = [
            client.get("/api/devices", headers={"Authorization": "Bearer guess"}).status_code
            for _ in range(allowed + 2)
        ]
        assert set(statuses) == {401, 429} and statuses[-1] == 429
        assert client.post("/api/auth/login", json={}).status_code == 429
        assert client.get("/api/devices", headers=bearer(anna)).status_code == 200
        assert client.get("/health").status_code == 200


def test_who_does_not_wait_is_refused_without_asking_the_database(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Being refused is cheap for the server, or refusing would be what an abuser makes it do."""
    with server(settings) as client:
        anna, bert = register(client), register(client, "bert")
        assert client.get("/api/devices", headers=bearer(anna)).status_code == 200
        use_up(client, anna, "cpu_ms")

        def ask_the_database(*_: Any) -> None:
            raise SessionEnded

        monkeypatch.setattr(client.app.state.authenticator, "_lacks_second_factor", ask_the_database)
        assert client.get("/api/devices", headers=bearer(anna)).status_code == 429
        assert client.get("/api/devices", headers=bearer(bert)).status_code == 401


@pytest.mark.parametrize(
    ("budget", "method", "path", "body", "status"),
    [
        ("cpu_ms", "GET", "/api/devices", None, 429),
        ("upload_bytes", "POST", "/api/workouts", {}, 429),
        ("upload_bytes", "GET", "/api/devices", None, 200),
        ("sync_bytes", "POST", "/api/sync", {}, 429),
        ("sync_bytes", "GET", "/api/devices", None, 200),
    ],
)
def test_each_budget_stops_what_it_is_for(
    settings: Settings, budget: str, method: str, path: str, body: Any, status: int
) -> None:
    with server(settings) as client:
        anna = register(client)
        use_up(client, anna, budget)
        answer = client.request(method, path, json=body, headers=bearer(anna))
        assert answer.status_code == status
        if status == 429:
            assert answer.json()["budget"] == budget


def test_what_a_request_took_is_charged_afterwards(settings: Settings) -> None:
    with server(settings) as client:
        anna = register(client)
        body = b'{"nothing": "' + b"x" * 5_000 + b'"}'
        client.post("/api/workouts", content=body, headers=bearer(anna))
        push = encode_message(SyncRequest(PROTOCOL_VERSION, 7, 1, cursors=[]))
        client.post("/api/sync", content=push, headers=bearer(anna) | {"Content-Type": MEDIA_TYPE})
        left = {one["budget"]: one for one in client.get("/api/limits", headers=bearer(anna)).json()["budgets"]}
        used = {budget: one["amount"] - one["left"] for budget, one in left.items()}
        assert used["requests"] == 3 and used["upload_bytes"] == len(body)
        assert used["sync_bytes"] >= len(push) and 1 <= used["cpu_ms"] < 2_000


def test_a_page_says_it_in_words(settings: Settings) -> None:
    """A coach whose browser asks too often reads a page, and not a problem document."""
    with server(settings) as client:
        coach = register(client, "coach", role="coach")
        use_up(client, coach, "cpu_ms")
        page = client.get("/athletes", headers=bearer(coach) | {"Accept": "text/html"})
        assert (page.status_code, page.headers["content-type"]) == (429, "text/html; charset=utf-8")
        assert int(page.headers["retry-after"]) >= 1


def test_two_processes_share_one_limit(settings: Settings) -> None:
    """Each is a whole app with a pool of its own; together they let through the limit and a slice each."""
    factor = 0.1
    amount = TIERS["athlete_free"].requests.amount * factor
    with server(settings, factor) as one, server(settings, factor) as other:
        anna = bearer(register(one))
        for client in (one, other):
            client.get("/api/limits", headers=anna)
        began = time.monotonic()
        passed = sum(
            client.get("/api/devices", headers=anna).status_code == 200 for _ in range(60) for client in (one, other)
        )
        drained = (time.monotonic() - began) * amount / 60
        assert amount - 3 <= passed + 2 <= amount + 2 * amount / 16 + drained + 1


def test_a_new_process_learns_what_was_used_before_it(settings: Settings) -> None:
    """Restarting a server process frees nobody: what it had not told it tells at its end."""
    with server(settings) as client:
        anna = register(client)
        use_up(client, anna, "cpu_ms", share=5)
        assert client.get("/api/devices", headers=bearer(anna)).status_code == 429
    with server(settings) as client:
        client.get("/api/limits", headers=bearer(anna))
        refused = client.get("/api/devices", headers=bearer(anna))
        assert refused.status_code == 429 and refused.json()["retry_after"] > 1_000


def test_who_makes_an_organisation_has_no_tier_of_one_until_the_operator_gives_it(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then its coaches are carried by it, as an athlete is by their coach."""
    speak_for_the_operator(settings, monkeypatch)
    with server(settings) as client:
        anna, coach = register(client), register(client, "coach", role="coach")

        def tier(user: dict[str, Any]) -> str:
            return str(client.get("/api/limits", headers=bearer(user)).json()["tier"])

        assert (tier(anna), tier(coach)) == ("athlete_free", "coach_solo")
        code = client.post("/api/invites", json={}, headers=bearer(coach)).json()["code"]
        assert client.post(f"/api/invites/{code}/accept", headers=bearer(anna)).status_code == 200
        assert tier(anna) == "athlete_coached"
        owner = register(client, "owner", role="owner")
        anyio.run(execute, str(settings.database_url), "UPDATE users SET email_verified_at = now()")
        assert client.put("/api/organisation", json={"name": "Iron"}, headers=bearer(owner)).is_success
        invite = client.post("/api/organisation/invites", json={}, headers=bearer(owner)).json()["code"]
        accepted = client.post(f"/api/organisation/invites/{invite}/accept", headers=bearer(coach))
        assert accepted.is_success, accepted.text
        assert (tier(owner), tier(coach)) == ("coach_solo", "coach_solo")
        for given, of_owner, of_coach in [
            ("coach_team", "coach_team", "coach_solo"),
            ("organisation", "organisation", "coach_team"),
            ("default", "coach_solo", "coach_solo"),
        ]:
            assert apex_server("set-tier", "owner@apex.example", given)[0] == 0
            assert (tier(owner), tier(coach)) == (of_owner, of_coach)


def speak_for_the_operator(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APEX_DATABASE_URL", str(settings.database_url))
    monkeypatch.setenv("APEX_SECRET", settings.secret)
    monkeypatch.setenv("APEX_DATA_DIR", str(settings.data_dir))


def apex_server(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, words)
    return result.exit_code, result.output


def test_an_operator_gives_a_tier_and_takes_it_back(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    speak_for_the_operator(settings, monkeypatch)
    with server(settings) as client:
        coach = register(client, "coach", role="coach")
        code, said = apex_server("set-tier", "coach@apex.example", "coach_team")
        assert (code, "nobody has an account" in said) == (1, True), said  # Anybody may name an address.
        token = anyio.run(confirmation_token, settings, "coach@apex.example")
        assert client.post("/api/auth/verify-email", json={"token": token}).status_code == 204

        def shown() -> tuple[str, int, int]:
            said = client.get("/api/limits", headers=bearer(coach)).json()
            return said["tier"], said["budgets"][0]["amount"], said["ai_tokens_left"]

        assert shown() == ("coach_solo", 1_800, 6_000_000)
        code, said = apex_server("set-tier", " COACH@apex.example", "coach_team")
        assert (code, "within a minute" in said) == (0, True), said
        assert shown() == ("coach_team", 3_600, 24_000_000)
        assert apex_server("set-tier", "coach@apex.example", "default")[0] == 0
        assert shown()[0] == "coach_solo"
        code, said = apex_server("set-tier", "nobody@apex.example", "coach_team")
        assert (code, "nobody has an account" in said) == (1, True)
        assert apex_server("set-tier", "coach@apex.example", "emperor")[0] == 2


def test_a_live_frame_over_the_limit_is_answered_and_not_dropped(settings: Settings) -> None:
    """Each of its records is to be sent again later, and the channel stays open."""
    with server(settings) as client:
        anna = register(client)
        record = PushedRecord(f"athlete:{anna['user']['id']}", "workout_logs", bytes(16), b"x")
        with client.websocket_connect("/api/sync/live", headers=bearer(anna)) as socket:
            socket.send_bytes(encode_message(SyncRequest(PROTOCOL_VERSION, 7, 1, cursors=[])))
            assert receive(socket).retry_after == 0
            use_up(client, anna, "cpu_ms")
            socket.send_bytes(encode_message(SyncRequest(PROTOCOL_VERSION, 7, 1, push=[record, record])))
            refused = receive(socket)
            assert [result.status for result in refused.results] == ["retry", "retry"]
            assert refused.retry_after >= 1
            socket.send_bytes(encode_message(SyncRequest(PROTOCOL_VERSION, 7, 1, push=[record])))
            assert receive(socket).retry_after >= 1


def receive(socket: Any) -> SyncResponse:
    return decode_response(socket.receive_bytes())
