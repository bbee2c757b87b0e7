"""New passwords that a guesser tries first are refused; everything else is the person's own choice."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from zxcvbn.frequency_lists import FREQUENCY_LISTS

from apex_server.auth.guessable import guessable_because
from apex_server.db import Database
from apex_server.people import PASSWORD_LENGTH_ADVISED, PASSWORD_LENGTH_MAX, PASSWORD_LENGTH_MIN
from tests.conftest import ROOT
from tests.server.accounts_app import PASSWORD, Clock, accounts_app, bearer, problem, register, speak_to
from tests.server.mailbox import Mailbox

pytestmark = pytest.mark.anyio

KNOWN = ("Anna Smith", "anna.smith@gym.example")


@pytest.mark.parametrize(
    "password",
    [
        "password", "Password1", "PASSWORD!", "p a s s w o r d", "iloveyou", "12345678", "1234567890", "qwertyuiop",
        "football99", "baseball", "aaaaaaaa", "abababab", "abcdefgh", "87654321", "asdfghjkl", "        ",
        "annasmith", "AnnaSmith1990", "anna.smith", "smithsmith", "anna.smith@gym.example",
    ],
)  # fmt: skip
def test_what_is_tried_first_is_named(password: str) -> None:
    assert guessable_because(password, known=KNOWN) is not None


@pytest.mark.parametrize(
    "password",
    [
        "correct horse battery staple", "kettle under the bridge", "пароль без правил", "🏋️ 💪 🥦 🚴",
        "Anna likes her kettle blue", "x7#kQ!w9", "offline-is-fine", "zxcvbn but longer than that",
    ],
)  # fmt: skip
def test_whatever_else_is_theirs_to_choose(password: str) -> None:
    assert guessable_because(password, known=KNOWN) is None


def test_the_three_thousand_commonest_that_are_long_enough_are_all_refused() -> None:
    long_enough = [password for password in FREQUENCY_LISTS["passwords"] if len(password) >= 8]
    assert len(long_enough) > 10_000
    assert all(guessable_because(password) for password in long_enough[:3000])


@given(st.text(max_size=1000), st.text(max_size=300))
def test_no_text_makes_it_fail(password: str, name: str) -> None:
    guessable_because(password, known=(name,))


@pytest.fixture
async def client(db: Database) -> AsyncIterator[httpx.AsyncClient]:
    async with speak_to(accounts_app(db, Clock())) as opened:
        yield opened


@pytest.mark.parametrize("password", ["Password1", "annasmith1", "\N{FULLWIDTH LATIN SMALL LETTER A}nnasmith1"])
async def test_nobody_takes_one_at_any_of_the_three_doors(
    db: Database, client: httpx.AsyncClient, tmp_path: Path, password: str
) -> None:
    clock = Clock()
    mailbox = Mailbox(db, tmp_path / "mails", clock)
    body = {"email": "anna.smith@gym.example", "name": "Anna Smith", "role": "athlete"}
    refused = await client.post("/api/auth/register", json={**body, "password": password})
    assert problem(refused) == (422, "invalid_fields")
    assert refused.json()["errors"][0]["field"] == "password"

    anna = await register(client, body["email"], name=body["name"])
    change = {"current_password": PASSWORD, "new_password": password}
    refused = await client.post("/api/auth/change-password", json=change, headers=bearer(anna))
    assert problem(refused) == (422, "invalid_fields")
    assert refused.json()["errors"][0]["field"] == "new_password"

    await mailbox.look()
    await client.post("/api/auth/forgot-password", json={"email": body["email"]})
    token = (await mailbox.one()).token
    refused = await client.post("/api/auth/reset-password", json={"token": token, "password": password})
    assert problem(refused) == (422, "invalid_fields")
    accepted = await client.post(
        "/api/auth/reset-password", json={"token": token, "password": "kettle under the bridge"}
    )
    assert accepted.status_code == 204


@pytest.mark.parametrize(("length", "outcome"), [(1000, 201), (1001, 422), (10_000, 422), (100_000, 413)])
async def test_ten_thousand_characters_are_refused_before_they_cost_anything(
    client: httpx.AsyncClient, length: int, outcome: int
) -> None:
    password = ("correct horse battery staple " * 4000)[:length]
    body = {"email": "anna@example.com", "password": password, "name": "Anna", "role": "athlete"}
    answer = await client.post("/api/auth/register", json=body)
    assert answer.status_code == outcome
    if outcome == 201:
        body["device_token"] = answer.json()["device_token"]
        assert (await client.post("/api/auth/login", json=body)).status_code == 200


def test_the_docs_name_the_length_that_is_enforced() -> None:
    rule = f"{PASSWORD_LENGTH_MIN} to {PASSWORD_LENGTH_MAX:,} characters ({PASSWORD_LENGTH_ADVISED} or more are better)"
    assert rule in (ROOT / "docs" / "accounts.md").read_text()
