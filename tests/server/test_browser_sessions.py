"""A browser's session: tokens out of reach of scripts, and no other site can use it."""

from collections.abc import AsyncIterator
from http.cookies import Morsel, SimpleCookie
from typing import Any

import httpx
import pytest
from litestar import Litestar

from apex_server.db import Database
from tests.server.accounts_app import PASSWORD, Clock, accounts_app, bearer, open_socket, problem, register, speak_to

pytestmark = pytest.mark.anyio

CSRF_REFUSED = (403, "csrf_refused")
EMAIL = "coach@example.com"


@pytest.fixture
def app(db: Database, clock: Clock) -> Litestar:
    return accounts_app(db, clock)


@pytest.fixture
async def browser(app: Litestar) -> AsyncIterator[httpx.AsyncClient]:
    async with speak_to(app) as opened:
        yield opened


@pytest.fixture
async def csrf(browser: httpx.AsyncClient) -> dict[str, str]:
    """Sign the browser in; gives the header its pages send."""
    signed_in = await register(browser, EMAIL, role="coach", token_delivery="cookie")
    return {"X-CSRF-Token": signed_in["csrf_token"]}


def cookies_of(answer: httpx.Response) -> dict[str, Morsel[str]]:
    jar: dict[str, Morsel[str]] = {}
    for line in answer.headers.get_list("set-cookie"):
        jar.update(SimpleCookie(line))
    return jar


@pytest.mark.parametrize(("https", "host", "secure"), [(False, "", ""), (True, "__Host-", "__Secure-")])
async def test_tokens_go_into_cookies_that_scripts_and_other_sites_cannot_use(
    db: Database, clock: Clock, https: bool, host: str, secure: str
) -> None:
    app = accounts_app(db, clock, public_url="https://coach.example" if https else None)
    body = {"email": EMAIL, "password": PASSWORD, "name": "C", "role": "coach", "token_delivery": "cookie"}
    async with speak_to(app, scheme="https" if https else "http") as browser:
        answer = await browser.post("/api/auth/register", json=body)
        assert (await browser.get("/api/auth/me")).status_code == 200

    cookies = cookies_of(answer)
    paths = {name: cookie["path"] for name, cookie in cookies.items()}
    assert paths == {
        f"{host}apex_access": "/",
        f"{host}apex_csrf": "/",
        f"{secure}apex_refresh": "/api/auth",
        f"{secure}apex_device": "/api/auth",
    }
    for name, cookie in cookies.items():
        assert cookie["samesite"].lower() == "strict"
        assert bool(cookie["httponly"]) is (name != f"{host}apex_csrf")
        assert bool(cookie["secure"]) is https
        assert not cookie["domain"]
    shown = answer.json()
    assert (shown["access_token"], shown["refresh_token"], shown["device_token"]) == (None, None, None)
    assert [name for name, cookie in cookies.items() if cookie.value in answer.text] == [f"{host}apex_csrf"]


async def test_a_page_reads_with_the_cookie_alone(browser: httpx.AsyncClient, csrf: dict[str, str]) -> None:
    assert (await browser.get("/api/auth/me")).json()["user"]["email"] == EMAIL


async def test_a_change_needs_the_token_of_this_very_session(
    app: Litestar, browser: httpx.AsyncClient, csrf: dict[str, str]
) -> None:
    async with speak_to(app) as another:
        foreign = (await register(another, "other@example.com", token_delivery="cookie"))["csrf_token"]

    for headers in ({}, {"X-CSRF-Token": ""}, {"X-CSRF-Token": "guess"}, {"X-CSRF-Token": foreign}):
        assert problem(await browser.post("/api/invites", json={}, headers=headers)) == CSRF_REFUSED
    assert (await browser.post("/api/invites", json={}, headers=csrf)).status_code == 201


@pytest.mark.parametrize(
    ("header", "value", "passes"),
    [
        ("Origin", "http://coach.example", True),
        ("Origin", "http://evil.example", False),
        ("Origin", "http://coach.example.evil.example", False),
        ("Origin", "http://coach.example:8080", False),
        ("Origin", "http://coach.example:80", True),
        ("Origin", "https://coach.example", False),
        ("Origin", "http://coach.example:80:80", False),
        ("Origin", "null", False),
        ("Sec-Fetch-Site", "same-origin", True),
        ("Sec-Fetch-Site", "same-site", False),
        ("Sec-Fetch-Site", "cross-site", False),
    ],
)
async def test_a_change_asked_for_by_another_site_is_refused_even_with_the_token(
    browser: httpx.AsyncClient, csrf: dict[str, str], header: str, value: str, passes: bool
) -> None:
    answer = await browser.post("/api/invites", json={}, headers={**csrf, header: value})
    assert answer.status_code == (201 if passes else 403)
    if not passes:
        assert problem(answer) == CSRF_REFUSED


async def test_behind_a_proxy_the_public_address_counts_as_our_own(db: Database, clock: Clock) -> None:
    app = accounts_app(db, clock, public_url="http://train.example")
    async with speak_to(app) as browser:
        signed_in = await register(browser, EMAIL, role="coach", token_delivery="cookie")
        csrf = {"X-CSRF-Token": signed_in["csrf_token"]}
        statuses = [
            (await browser.post("/api/invites", json={}, headers={**csrf, "Origin": origin})).status_code
            for origin in ("http://train.example", "http://evil.example", "null")
        ]
    assert statuses == [201, 403, 403]


@pytest.mark.parametrize(
    ("origin", "passes"),
    [
        ("https://train.example:8443", True),
        ("http://train.example:8443", False),
        ("https://train.example", False),
        ("https://coach.example", True),
        ("http://coach.example", False),
    ],
)
async def test_an_origin_is_scheme_host_and_port(db: Database, clock: Clock, origin: str, passes: bool) -> None:
    """Of the public address, and of the one that the browser itself names: over HTTPS, as the cookies are."""
    app = accounts_app(db, clock, public_url="https://train.example:8443")
    async with speak_to(app, scheme="https") as browser:
        body = {"email": EMAIL, "password": PASSWORD, "token_delivery": "cookie", "name": "C", "role": "coach"}
        answer = await browser.post("/api/auth/register", json=body, headers={"Origin": origin})
    assert answer.status_code == (201 if passes else 403)


async def test_an_authorization_header_needs_no_csrf_token(browser: httpx.AsyncClient) -> None:
    coach = await register(browser, EMAIL, role="coach")
    assert (await browser.post("/api/invites", json={}, headers=bearer(coach))).status_code == 201


async def test_an_authorization_header_counts_before_a_cookie(browser: httpx.AsyncClient, csrf: dict[str, str]) -> None:
    other = await register(browser, "other@example.com")
    assert (await browser.get("/api/auth/me", headers=bearer(other))).json()["user"]["email"] == "other@example.com"


async def test_an_exchange_by_cookie_needs_the_csrf_token_and_is_untouched_by_a_refusal(
    browser: httpx.AsyncClient, csrf: dict[str, str], clock: Clock
) -> None:
    clock.advance(minutes=20)
    for headers in ({}, {**csrf, "Origin": "http://evil.example"}):
        assert problem(await browser.post("/api/auth/refresh", json={}, headers=headers)) == CSRF_REFUSED
    assert problem(await browser.get("/api/auth/me")) == (401, "token_expired")

    answer = await browser.post("/api/auth/refresh", json={}, headers=csrf)

    assert answer.status_code == 200
    assert answer.json()["csrf_token"] == csrf["X-CSRF-Token"]
    assert (answer.json()["access_token"], answer.json()["refresh_token"]) == (None, None)
    assert (await browser.get("/api/auth/me")).status_code == 200


async def test_a_second_tab_may_exchange_the_same_cookie_at_nearly_the_same_time(
    app: Litestar, browser: httpx.AsyncClient, csrf: dict[str, str]
) -> None:
    async with speak_to(app) as second_tab:
        second_tab.cookies.update(browser.cookies)
        assert (await browser.post("/api/auth/refresh", json={}, headers=csrf)).status_code == 200
        assert (await second_tab.post("/api/auth/refresh", json={}, headers=csrf)).status_code == 200


@pytest.mark.parametrize("path", ["login", "register"])
async def test_another_site_cannot_sign_a_browser_in(browser: httpx.AsyncClient, path: str) -> None:
    body: dict[str, Any] = {"email": EMAIL, "password": PASSWORD, "token_delivery": "cookie"}
    body |= {"name": "C", "role": "coach"} if path == "register" else {}
    answer = await browser.post(f"/api/auth/{path}", json=body, headers={"Origin": "http://evil.example"})
    assert problem(answer) == CSRF_REFUSED
    assert "set-cookie" not in answer.headers


async def test_a_browser_that_signs_in_again_is_the_same_device(
    browser: httpx.AsyncClient, csrf: dict[str, str]
) -> None:
    before = (await browser.get("/api/auth/me")).json()["device"]["id"]
    out = await browser.post("/api/auth/logout", headers=csrf)
    assert {name for name, cookie in cookies_of(out).items() if cookie["max-age"] == "0"} == {
        "apex_access",
        "apex_csrf",
        "apex_refresh",
    }
    assert problem(await browser.get("/api/auth/me")) == (401, "credentials_missing")

    body = {"email": EMAIL, "password": PASSWORD, "token_delivery": "cookie"}
    again = await browser.post("/api/auth/login", json=body)

    assert again.json()["device_id"] == before


async def test_a_cookie_of_a_session_that_has_ended_opens_nothing(
    browser: httpx.AsyncClient, csrf: dict[str, str]
) -> None:
    kept = dict(browser.cookies)
    await browser.post("/api/auth/logout", headers=csrf)
    browser.cookies.update(kept)
    assert problem(await browser.get("/api/auth/me")) == (401, "session_ended")


@pytest.mark.parametrize(
    ("origin", "opens"),
    [("http://coach.example", True), ("http://evil.example", False), ("null", False), (None, False)],
)
async def test_a_websocket_with_a_cookie_opens_only_from_our_own_pages(
    app: Litestar, browser: httpx.AsyncClient, csrf: dict[str, str], origin: str | None, opens: bool
) -> None:
    cookie = {"Cookie": f"apex_access={browser.cookies['apex_access']}"}
    sent = await open_socket(app, cookie | ({"Origin": origin} if origin else {}))
    if opens:
        assert sent[0]["type"] == "websocket.accept"
    else:
        assert (sent[0]["code"], sent[0]["reason"]) == (4403, "csrf_refused")
