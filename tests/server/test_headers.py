"""What every answer bears, whatever made it; who may call from another origin; and who may read the metrics."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from msgspec.structs import replace

from apex_server.app import create_app
from apex_server.settings import Settings, SettingsError
from tests.server.accounts_app import speak_to

pytestmark = pytest.mark.anyio

OTHER_SITE = "https://app.example"
TOKEN = "a token for the scraper of these tests"

ANSWERS = [
    ("GET", "/health"),
    ("GET", "/schema/openapi.json"),
    ("GET", "/no-such-page"),
    ("POST", "/health"),
    ("GET", "/api/workouts"),
    ("POST", "/api/auth/login"),
    ("POST", "/api/sync"),
    ("GET", "/"),
    ("GET", "/metrics"),
]
"""A page, the API, refusals of ours and of the framework, and an address that does not exist."""


@asynccontextmanager
async def whole_app(settings: Settings, address: str = "127.0.0.1", **changes: Any) -> AsyncIterator[httpx.AsyncClient]:
    """Speak to the app as the server composes it, from this address."""
    app = create_app(replace(settings, log_level="error", **changes))
    async with app.lifespan(), speak_to(app, address=address) as client:
        yield client


async def test_every_answer_bears_the_headers(settings: Settings) -> None:
    async with whole_app(settings) as client:
        for method, path in ANSWERS:
            headers = (await client.request(method, path)).headers
            assert headers["X-Content-Type-Options"] == "nosniff", path
            assert headers["Referrer-Policy"] in ("no-referrer", "same-origin"), path
            assert headers["Cross-Origin-Opener-Policy"] == headers["Cross-Origin-Resource-Policy"] == "same-origin", (
                path
            )
            assert headers["Cache-Control"] == "no-store", path
            assert "camera=()" in headers["Permissions-Policy"], path
            policy = headers["Content-Security-Policy"]
            assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy, path
            assert "unsafe" not in policy and "*" not in policy, path
            assert "Access-Control-Allow-Origin" not in headers, path
            assert "Strict-Transport-Security" not in headers, "over plain http it would say nothing"


async def test_static_files_may_be_kept_and_bear_the_rest(settings: Settings) -> None:
    async with whole_app(settings) as client:
        page = (await client.get("/")).text
        answer = await client.get(page.split('src="', 1)[1].split('"', 1)[0])
        assert answer.is_success and "immutable" in answer.headers["Cache-Control"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("changes", [{"public_url": "https://coach.example"}, {"tls_certificate": Path("c.pem")}])
async def test_over_https_browsers_are_told_to_keep_to_it(settings: Settings, changes: dict[str, Any]) -> None:
    async with whole_app(settings, **changes) as client:
        for path in ("/health", "/no-such-page"):
            told = (await client.get(path)).headers["Strict-Transport-Security"]
            assert told == "max-age=63072000; includeSubDomains"


async def test_no_other_origin_may_call_unless_it_was_named(settings: Settings) -> None:
    asks = {"Origin": OTHER_SITE, "Access-Control-Request-Method": "POST"}
    async with whole_app(settings) as closed:
        assert "Access-Control-Allow-Origin" not in (await closed.options("/api/auth/login", headers=asks)).headers
        assert "Access-Control-Allow-Origin" not in (await closed.get("/health", headers=asks)).headers
    async with whole_app(settings, cors_origins=OTHER_SITE) as client:
        answer = await client.options("/api/auth/login", headers=asks)
        assert answer.headers["Access-Control-Allow-Origin"] == OTHER_SITE
        assert (await client.get("/health", headers=asks)).headers["Access-Control-Allow-Origin"] == OTHER_SITE
        assert "Access-Control-Allow-Credentials" not in answer.headers, "never with this server's cookies"
        lookalike = {**asks, "Origin": "https://app.example.evil"}
        for refused in (
            await client.options("/api/auth/login", headers=lookalike),
            await client.get("/health", headers=lookalike),
        ):
            assert refused.headers.get("Access-Control-Allow-Origin") != lookalike["Origin"]


@pytest.mark.parametrize(
    "origins",
    ["*", "https://*.example", "app.example", "https://app.example/", "http://app.example", "https://a.example,null"],
)
def test_a_list_of_origins_that_lets_in_more_than_it_says_is_refused(tmp_path: Path, origins: str) -> None:
    with pytest.raises(SettingsError) as refused:
        Settings.from_environment({"APEX_DATA_DIR": str(tmp_path), "APEX_CORS_ORIGINS": origins})
    assert refused.value.variable == "APEX_CORS_ORIGINS"


def test_a_list_of_origins_reaches_the_web_processes(tmp_path: Path) -> None:
    given = {"APEX_DATA_DIR": str(tmp_path), "APEX_CORS_ORIGINS": "https://a.example, http://localhost:5173"}
    settings = Settings.from_environment(given)
    assert settings.allowed_origins == ["https://a.example", "http://localhost:5173"]
    again = Settings.from_environment({**given, "APEX_CORS_ORIGINS": settings.cors_origins or ""})
    assert again.allowed_origins == settings.allowed_origins


async def may_read_metrics(settings: Settings, address: str, changes: dict[str, Any], **headers: str) -> bool:
    async with whole_app(settings, address, **changes) as client:
        answer = await client.get(
            "/metrics", headers={name.replace("_", "-"): value for name, value in headers.items()}
        )
        assert answer.is_success or answer.json()["code"] == "metrics_refused"
        return answer.is_success


@pytest.mark.parametrize(
    ("address", "changes", "headers", "allowed"),
    [
        ("127.0.0.1", {}, {}, True),
        ("::1", {}, {}, True),
        ("192.0.2.7", {}, {}, False),
        ("127.0.0.1", {}, {"x_forwarded_for": "192.0.2.7"}, False),
        ("127.0.0.1", {"public_url": "https://coach.example"}, {}, False),
        ("127.0.0.1", {"metrics_token": TOKEN}, {}, False),
        ("192.0.2.7", {"metrics_token": TOKEN}, {"authorization": f"Bearer {TOKEN}"}, True),
        ("192.0.2.7", {"metrics_token": TOKEN}, {"authorization": f"Bearer {TOKEN}x"}, False),
    ],
    ids=["here", "here by IPv6", "elsewhere", "a proxy", "a silent proxy", "no token", "the token", "another token"],
)
async def test_the_metrics_are_for_this_machine_or_who_has_the_token(
    settings: Settings, address: str, changes: dict[str, Any], headers: dict[str, str], allowed: bool
) -> None:
    assert await may_read_metrics(settings, address, changes, **headers) is allowed


@pytest.mark.parametrize(
    ("path", "accept", "expected"),
    [
        ("/no-such-page", "text/html,application/xhtml+xml,*/*;q=0.8", "text/html"),
        ("/no-such-page", "*/*", "application/problem+json"),
        ("/api/no-such-thing", "text/html", "application/problem+json"),
    ],
)
async def test_a_person_who_opens_what_is_not_there_gets_a_page_and_a_program_a_problem(
    settings: Settings, path: str, accept: str, expected: str
) -> None:
    async with whole_app(settings) as client:
        answer = await client.get(path, headers={"Accept": accept})

    assert answer.status_code == 404
    assert answer.headers["Content-Type"].partition(";")[0] == expected
