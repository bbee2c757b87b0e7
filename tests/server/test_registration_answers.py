"""Nobody learns at any door whether an address has an account; whoever reads its mail does."""

import io
import re
import zipfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import anyio
import asyncpg
import httpx
import pytest
from litestar import Litestar

from apex_server.auth import Passwords
from apex_server.db import Database
from apex_server.media.directory import DirectoryStore
from apex_server.personal_data import Exporter
from apex_server.privacy import privacy_routes
from apex_server.refused_sign_ins import record_refused_sign_ins
from tests.server.accounts_app import (
    PASSWORD,
    Clock,
    accounts_app,
    bearer,
    log_in,
    problem,
    register,
    speak_to,
    status_of,
)
from tests.server.mailbox import Mailbox, confirmed

pytestmark = pytest.mark.anyio

NEW, NAMED, ANSWERED = "new@example.com", "named@example.com", "answered@example.com"
ADDRESSES = (NEW, NAMED, ANSWERED)
"""One that nobody has named, one that an account names without having answered, and one that has an account."""

SPYS_PASSWORD = "what the spy has chosen"
FRESH = "one that nobody has had so far"
PHONE = {"name": "Visit spam.example", "kind": "phone"}
DEAD, TAKEN, WRONG = (410, "mail_token_invalid"), (409, "email_taken"), (401, "wrong_credentials")
SECRETS = re.compile(r"(id|token)$")


class CountedPasswords(Passwords):
    """Hashes cheaply, and counts how often."""

    def __init__(self) -> None:
        super().__init__(memory_kib=64, passes=1)
        self.hashed = 0

    async def _in_worker(self, work: Callable[[], Any]) -> Any:
        self.hashed += 1
        return await super()._in_worker(work)


@pytest.fixture
def passwords() -> CountedPasswords:
    return CountedPasswords()


@pytest.fixture
def app(db: Database, clock: Clock, passwords: CountedPasswords) -> Litestar:
    return accounts_app(db, clock, passwords=passwords, more_routes=privacy_routes)


@pytest.fixture
async def client(app: Litestar) -> AsyncIterator[httpx.AsyncClient]:
    async with speak_to(app) as opened:
        yield opened


@pytest.fixture
async def owners(client: httpx.AsyncClient, mailbox: Mailbox) -> dict[str, dict[str, Any]]:
    """Who has, or names, the addresses that somebody has or names."""
    named = await register(client, NAMED)
    answered = await confirmed(client, mailbox, ANSWERED)
    return {NAMED: named, ANSWERED: answered}


def claim(email: str, **more: Any) -> dict[str, Any]:
    return {"email": email, "password": SPYS_PASSWORD, "name": "Anna", "role": "athlete", "device": PHONE, **more}


def as_seen(answer: httpx.Response, email: str) -> tuple[Any, ...]:
    """Give everything of an answer that could tell: ids and secrets differ anyhow, and the address was asked about."""

    def masked(value: Any, name: str = "") -> Any:
        if isinstance(value, dict):
            return {key: masked(each, key) for key, each in value.items()}
        return len(value) if isinstance(value, str) and SECRETS.search(name) else value

    headers = dict(answer.headers.multi_items())
    cookies = [re.sub(r"=[^;]*", "=", each, count=1) for each in answer.headers.get_list("set-cookie")]
    headers.pop("set-cookie", None)
    headers.pop("content-length", None)
    body = masked(answer.json()) if answer.content else None
    return answer.status_code, headers, cookies, repr(body).replace(email, "ADDRESS")


@asynccontextmanager
async def statements_of(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[list[str]]:
    """Note every statement that requests send to Postgres."""
    seen: list[str] = []
    request = Database.request

    @asynccontextmanager
    async def noted(self: Database, user_id: UUID | None, *more: Any) -> AsyncIterator[Any]:
        def note(query: Any) -> None:
            seen.append(query.query)

        async with request(self, user_id, *more) as connection:
            connection.add_query_logger(note)
            try:
                yield connection
            finally:
                connection.remove_query_logger(note)

    with monkeypatch.context() as patch:
        patch.setattr(Database, "request", noted)
        yield seen


Ask = Callable[[str], Awaitable[httpx.Response]]


async def assert_alike(ask: Ask, passwords: CountedPasswords, monkeypatch: pytest.MonkeyPatch) -> list[httpx.Response]:
    """Ask about each address, and hold answers, statements and hashes to be the same."""
    answers, work = [], []
    for email in ADDRESSES:
        before = passwords.hashed
        async with statements_of(monkeypatch) as statements:
            answers.append(await ask(email))
        work.append((statements, passwords.hashed - before))
    seen = [as_seen(answer, email) for answer, email in zip(answers, ADDRESSES, strict=True)]
    assert seen[0] == seen[1] == seen[2]
    assert work[0] == work[1] == work[2]
    assert work[0][0]
    return answers


@pytest.mark.parametrize("delivery", ["body", "cookie"])
@pytest.mark.usefixtures("owners")
async def test_registering_answers_and_works_alike_whoever_has_the_address(
    app: Litestar, passwords: CountedPasswords, monkeypatch: pytest.MonkeyPatch, delivery: str
) -> None:
    async def ask(email: str) -> httpx.Response:
        async with speak_to(app) as browser:
            origin = {"Origin": "http://coach.example"}
            return await browser.post("/api/auth/register", json=claim(email, token_delivery=delivery), headers=origin)

    answers = await assert_alike(ask, passwords, monkeypatch)
    assert [answer.status_code for answer in answers] == [201, 201, 201]


@pytest.mark.usefixtures("owners")
@pytest.mark.parametrize("password", [SPYS_PASSWORD, "a wrong guess"])
@pytest.mark.parametrize("same_device", [True, False])
async def test_the_door_after_it_tells_no_more(
    client: httpx.AsyncClient,
    passwords: CountedPasswords,
    monkeypatch: pytest.MonkeyPatch,
    password: str,
    same_device: bool,
) -> None:
    mine = {email: (await client.post("/api/auth/register", json=claim(email))).json() for email in ADDRESSES}

    async def ask(email: str) -> httpx.Response:
        token = mine[email]["device_token"] if same_device else None
        body = {"email": email, "password": password, "device": PHONE, "device_token": token}
        return await client.post("/api/auth/login", json=body)

    answers = await assert_alike(ask, passwords, monkeypatch)
    opens = same_device and password == SPYS_PASSWORD
    assert {answer.status_code for answer in answers} == {200 if opens else 401}


@pytest.mark.usefixtures("owners")
async def test_what_a_new_account_asks_for_by_mail_answers_alike(
    client: httpx.AsyncClient, passwords: CountedPasswords, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = {email: (await client.post("/api/auth/register", json=claim(email))).json() for email in ADDRESSES}

    async def resend(email: str) -> httpx.Response:
        return await client.post("/api/auth/resend-verification", headers=bearer(mine[email]))

    async def forget(email: str) -> httpx.Response:
        return await client.post("/api/auth/forgot-password", json={"email": email})

    async def change(email: str) -> httpx.Response:
        return await client.post("/api/auth/change-email", json={"email": email}, headers=bearer(spy))

    spy = await register(client, "spy@example.com")
    for ask in (resend, forget, change):
        answers = await assert_alike(ask, passwords, monkeypatch)
        assert {answer.status_code for answer in answers} == {204}


@pytest.mark.usefixtures("owners")
async def test_an_invite_for_an_address_tells_no_more(
    client: httpx.AsyncClient, mailbox: Mailbox, passwords: CountedPasswords, monkeypatch: pytest.MonkeyPatch
) -> None:
    coach = await confirmed(client, mailbox, "coach@example.com", role="coach")
    codes = {}
    for email in ADDRESSES:
        made = await client.post("/api/invites", json={"email": email}, headers=bearer(coach))
        codes[email] = made.json()["code"]
    mine: dict[str, dict[str, Any]] = {}

    async def ask(email: str) -> httpx.Response:
        answer = await client.post("/api/auth/register", json=claim(email, invite=codes[email]))
        mine[email] = answer.json()
        return answer

    async def accept(email: str) -> httpx.Response:
        return await client.post(f"/api/invites/{codes[email]}/accept", headers=bearer(mine[email]))

    answers = await assert_alike(ask, passwords, monkeypatch)
    assert [answer.json()["coach"] for answer in answers] == [None, None, None]
    answers = await assert_alike(accept, passwords, monkeypatch)
    assert problem(answers[0]) == (403, "email_not_verified")


@pytest.mark.usefixtures("owners")
async def test_what_stands_in_the_own_audit_and_copy_tells_no_more(
    client: httpx.AsyncClient, db: Database, mailbox: Mailbox, clock: Clock, tmp_path: Path
) -> None:
    mine = {email: (await client.post("/api/auth/register", json=claim(email))).json() for email in ADDRESSES}
    for email, session in mine.items():
        await client.post("/api/auth/resend-verification", headers=bearer(session))
        await client.post("/api/auth/forgot-password", json={"email": email})
        await client.post("/api/auth/login", json={"email": email, "password": "a wrong guess"})
    await mailbox.look()
    await record_refused_sign_ins(db)
    remembered, copies = [], []
    for email, session in mine.items():
        page = (await client.get("/api/audit", headers=bearer(session))).json()
        remembered.append([(event["action"], event["detail"]) for event in page["events"]])
        assert (await client.post("/api/privacy/export", headers=bearer(session))).status_code == 202
        assert await Exporter(db, DirectoryStore(tmp_path / "media"), now=clock).make_next()
        export = (await client.get("/api/privacy/exports", headers=bearer(session))).json()[0]["id"]
        file = await client.get(f"/api/privacy/exports/{export}/file", headers=bearer(session))
        copies.append(told_by(file.content, email))
    assert remembered[0] == remembered[1] == remembered[2]
    assert copies[0] == copies[1] == copies[2]
    told = "".join(copies[0].values())
    assert "account_created" in told
    assert "password_reset_asked" not in told


def told_by(archive: bytes, email: str) -> dict[str, str]:
    """Give what stands in the files of a copy, but for ids, times and sizes, and the address that was asked about."""
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        files = {name: opened.read(name).decode() for name in opened.namelist()}
    personal = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|\d{4}-\d\d-\d\dT[0-9:.]+(Z|\+00:00)|[0-9a-f]{64}")
    return {
        personal.sub("ID", name): personal.sub("ID", text).replace(email, "ADDRESS") for name, text in files.items()
    }


async def test_who_squats_on_an_address_gains_nothing_and_blocks_nothing(
    app: Litestar, client: httpx.AsyncClient, mailbox: Mailbox, clock: Clock
) -> None:
    async with speak_to(app, address="198.51.100.9") as squatters_browser:
        squatter = (await squatters_browser.post("/api/auth/register", json=claim("Anna@example.com"))).json()
    squatted = await mailbox.one()
    clock.advance(hours=1)

    anna = await confirmed(client, mailbox, "anna@example.com")

    assert (await log_in(client, "anna@example.com"))["user"]["id"] == anna["user"]["id"]
    elsewhere = {"email": "anna@example.com", "password": SPYS_PASSWORD}
    assert problem(await client.post("/api/auth/login", json=elsewhere)) == WRONG
    own = await client.post("/api/auth/login", json={**elsewhere, "device_token": squatter["device_token"]})
    assert own.json()["user"]["id"] == squatter["user"]["id"]
    assert problem(await client.post("/api/auth/verify-email", json={"token": squatted.token})) == TAKEN
    assert (await mailbox.one()).subject == "You already have an Apex account"
    await client.post("/api/auth/forgot-password", json={"email": "anna@example.com"})
    reset = {"token": (await mailbox.one()).token, "password": FRESH}
    assert (await client.post("/api/auth/reset-password", json=reset)).status_code == 204
    assert await status_of(client, anna) == 401
    assert await status_of(client, own.json()) == 200


async def test_leaving_an_address_that_never_answered_keeps_it_for_nobody(
    client: httpx.AsyncClient, mailbox: Mailbox
) -> None:
    """Nor does whoever reads its mail get a link to the account, which is not theirs."""
    squatter = await register(client, "anna@example.com")
    await mailbox.look()
    await client.post("/api/auth/change-email", json={"email": "own@example.com"}, headers=bearer(squatter))
    token = (await mailbox.one()).token
    assert (await client.post("/api/auth/verify-email", json={"token": token})).status_code == 204
    assert await mailbox.look() == []
    await confirmed(client, mailbox, "anna@example.com")


async def test_of_two_accounts_that_answer_at_once_one_has_the_address(
    client: httpx.AsyncClient, mailbox: Mailbox
) -> None:
    for _ in range(4):
        await register(client, "anna@example.com")
    tokens = [mail.token for mail in await mailbox.look()]
    statuses: list[int] = []

    async def answer(token: str) -> None:
        statuses.append((await client.post("/api/auth/verify-email", json={"token": token})).status_code)

    async with anyio.create_task_group() as group:
        for token in tokens:
            group.start_soon(answer, token)
    assert sorted(statuses) == [204, 409, 409, 409]


@pytest.mark.parametrize("late", ["verify", "reset"])
async def test_a_link_to_another_account_of_the_address_comes_too_late(
    client: httpx.AsyncClient, mailbox: Mailbox, late: str
) -> None:
    slow = await register(client, "anna@example.com")
    token = (await mailbox.one()).token
    if late == "reset":
        await client.post("/api/auth/forgot-password", json={"email": "anna@example.com"})
        token = (await mailbox.one()).token
    quick = await confirmed(client, mailbox, "anna@example.com")
    path = "verify-email" if late == "verify" else "reset-password"
    body = {"token": token} | ({} if late == "verify" else {"password": FRESH})
    for _ in range(2):  # It does nothing, so it is not used up either.
        answer = await client.post(f"/api/auth/{path}", json=body)
        assert problem(answer) == TAKEN
        assert "Sign in to that one" in answer.json()["next_step"]
    assert await status_of(client, slow) == await status_of(client, quick) == 200


async def test_the_mail_to_a_new_address_says_which_account_it_confirms_and_repeats_no_word_of_its_maker(
    client: httpx.AsyncClient, mailbox: Mailbox, clock: Clock
) -> None:
    await client.post("/api/auth/register", json=claim(NEW, name="Cheap pills"))
    mail = await mailbox.one()
    assert f"made on {clock().day} {clock():%B %Y at %H:%M} UTC on a phone" in mail.text
    assert "spam" not in mail.text + mail.html
    assert "Cheap" not in mail.text + mail.html


async def test_the_owner_of_an_address_is_told_and_let_in(
    client: httpx.AsyncClient, mailbox: Mailbox, owners: dict[str, dict[str, Any]]
) -> None:
    mine = (await client.post("/api/auth/register", json=claim(ANSWERED))).json()
    told = await mailbox.one()
    assert (told.to, told.subject) == (ANSWERED, "You already have an Apex account")
    assert "on a phone" in told.text
    assert "sign in on that same device" in told.text
    reset = {"token": told.token, "password": FRESH}
    assert (await client.post("/api/auth/reset-password", json=reset)).status_code == 204
    assert (await log_in(client, ANSWERED, password=FRESH))["user"]["id"] == owners[ANSWERED]["user"]["id"]
    await mailbox.look()
    await client.post("/api/auth/resend-verification", headers=bearer(mine))
    assert (await mailbox.one()).subject == "You already have an Apex account"


async def test_whoever_registered_twice_and_confirmed_once_is_told_of_the_other_account_by_mail_alone(
    client: httpx.AsyncClient, mailbox: Mailbox
) -> None:
    lost = (await client.post("/api/auth/register", json=claim(NEW, device={"name": "x", "kind": "watch"}))).json()
    await mailbox.look()
    alone = (await client.post("/api/auth/register", json=claim("alone@example.com"))).json()
    await confirmed(client, mailbox, NEW)
    told = [mail for mail in await mailbox.look() if mail.subject == "You already have an Apex account"]

    assert [mail.to for mail in told] == [NEW]
    assert "on a watch" in told[0].text
    assert "sign in on that same device" in told[0].text
    of_lost, of_alone = [
        (await client.get("/api/auth/me", headers=bearer(each))).json()["user"]["email_verified"]
        for each in (lost, alone)
    ]
    assert of_lost is of_alone is False


async def test_a_reset_tells_nobody_once_more_of_accounts_that_they_were_told_of(
    client: httpx.AsyncClient, mailbox: Mailbox, clock: Clock
) -> None:
    await register(client, NEW)
    await confirmed(client, mailbox, NEW)
    assert [mail.subject for mail in await mailbox.look()] == ["You already have an Apex account"]
    for _ in range(2):
        clock.advance(hours=30)
        await client.post("/api/auth/forgot-password", json={"email": NEW})
        reset = {"token": (await mailbox.one()).token, "password": FRESH}
        assert (await client.post("/api/auth/reset-password", json=reset)).status_code == 204
        assert [mail.subject for mail in await mailbox.look()] == ["Your password was reset"]


async def test_on_the_device_of_the_second_account_the_first_opens_too(
    client: httpx.AsyncClient, owners: dict[str, dict[str, Any]]
) -> None:
    """Whoever forgot that they have an account signs in to it where they have logged meanwhile."""
    second = (await client.post("/api/auth/register", json=claim(ANSWERED))).json()
    first = await log_in(client, ANSWERED, device=PHONE, device_token=second["device_token"])
    assert first["user"]["id"] == owners[ANSWERED]["user"]["id"]
    assert first["device_id"] != second["device_id"]


async def test_the_devices_of_accounts_that_anybody_makes_are_no_way_around_the_count_of_guesses(
    app: Litestar, client: httpx.AsyncClient, owners: dict[str, dict[str, Any]], clock: Clock
) -> None:
    """Their own account they still open: nobody is locked out of a device."""
    devices, refused = list[str](), 0
    for network in range(30):
        async with speak_to(app, address=f"203.0.{network}.1") as spy:
            devices.append((await spy.post("/api/auth/register", json=claim(ANSWERED))).json()["device_token"])
            for _ in range(4):
                body = {"email": ANSWERED, "password": "a wrong guess", "device_token": devices[-1]}
                refused += (await spy.post("/api/auth/login", json=body)).status_code == 429
    assert refused == 20
    body = {"email": ANSWERED, "password": SPYS_PASSWORD, "device_token": devices[-1]}
    assert (await client.post("/api/auth/login", json=body)).status_code == 200
    known = {"email": ANSWERED, "password": PASSWORD, "device_token": owners[ANSWERED]["device_token"]}
    assert (await client.post("/api/auth/login", json=known)).status_code == 200


async def test_a_forgotten_password_of_an_address_nobody_has_gets_a_link_to_each_of_the_latest(
    client: httpx.AsyncClient, mailbox: Mailbox, clock: Clock
) -> None:
    kinds, made = ("watch", "phone", "tablet", "desktop"), []
    for kind in kinds:
        clock.advance(minutes=1)
        made.append(await register(client, NEW, device={"name": "x", "kind": kind}))
    await mailbox.look()
    await client.post("/api/auth/forgot-password", json={"email": NEW})
    words = {"a watch", "a phone", "a tablet", "a computer"}
    links = {word: mail for mail in await mailbox.look() for word in words if f"UTC on {word};" in mail.text}
    assert set(links) == words - {"a watch"}

    reset = {"token": links["a tablet"].token, "password": FRESH}
    assert (await client.post("/api/auth/reset-password", json=reset)).status_code == 204
    signed_in = await log_in(client, NEW, password=FRESH)
    assert signed_in["user"] == {**made[2]["user"], "email_verified": True}


async def test_the_index_lets_one_account_have_an_address_whatever_the_code_does(
    client: httpx.AsyncClient, owners: dict[str, dict[str, Any]], database_url: str
) -> None:
    await register(client, ANSWERED)
    owner = await asyncpg.connect(database_url)
    try:
        with pytest.raises(asyncpg.UniqueViolationError):
            await owner.execute("UPDATE users SET email_verified_at = now()")
    finally:
        await owner.close()
