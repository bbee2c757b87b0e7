"""Passkeys: registering one, signing in with it, and every answer that only looks like one."""

import copy
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import anyio
import asyncpg
import httpx
import pytest
from anyio.abc import TaskGroup
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from apex_server.auth.passkey_ceremonies import CeremonyFailed, relying_party
from apex_server.db import Database
from tests.server.accounts_app import PASSWORD, SECRET, Clock, bearer, log_in, problem, register
from tests.server.mailbox import Mailbox, confirmed
from tests.server.passkey_parts import EMAIL, PUBLIC_URL, REFUSED, add, authenticator, options, sign_in, sign_in_options
from tests.server.software_authenticator import SoftwareAuthenticator, decoded, encoded


@pytest.fixture
def app_options() -> dict[str, Any]:
    return {"public_url": PUBLIC_URL}


@pytest.mark.anyio
async def test_a_passkey_signs_in_without_an_address_and_without_a_code(client: httpx.AsyncClient) -> None:
    session, device = await register(client, EMAIL), authenticator()
    added = await add(client, session, device)
    assert added.status_code == 201, added.text

    asked = await sign_in_options(client)
    answer = await sign_in(client, device.get(asked), device={"name": "Anna's phone", "kind": "phone"})

    assert (asked["rpId"], asked["userVerification"], asked.get("allowCredentials", [])) == (
        "coach.example",
        "required",
        [],
    )
    assert answer.status_code == 200, answer.text
    me = (await client.get("/api/auth/me", headers=bearer(answer.json()))).json()
    assert (me["user"]["email"], me["device"]["name"]) == (EMAIL, "Anna's phone")
    (listed,) = (await client.get("/api/auth/passkeys", headers=bearer(session))).json()
    assert (listed["id"], listed["name"], listed["copied"]) == (added.json()["id"], "Anna's phone", False)
    assert listed["last_used_at"] is not None


@pytest.mark.anyio
async def test_the_options_ask_for_a_passkey_that_wants_its_person(client: httpx.AsyncClient) -> None:
    session, device = await register(client, EMAIL), authenticator()
    await add(client, session, device)
    asked = await options(client, session)
    assert asked["authenticatorSelection"]["userVerification"] == "required"
    assert asked["authenticatorSelection"]["residentKey"] == "required"
    assert asked["attestation"] == "none"
    assert [decoded(each["id"]) for each in asked["excludeCredentials"]] == [device.credential_id]
    assert decoded(asked["user"]["id"]) == UUID(session["user"]["id"]).bytes


@pytest.mark.anyio
async def test_a_device_that_signs_in_by_passkey_is_known_by_its_token(client: httpx.AsyncClient) -> None:
    device = authenticator()
    session = await register(client, EMAIL, device={"name": "Phone", "kind": "phone"})
    await add(client, session, device)
    answer = await sign_in(
        client,
        device.get(await sign_in_options(client)),
        device={"name": "Phone", "kind": "phone"},
        device_token=session["device_token"],
    )
    assert answer.json()["device_id"] == session["device_id"]


Change = Callable[[SoftwareAuthenticator, dict[str, Any]], dict[str, Any]]


def another_origin(device: SoftwareAuthenticator, asked: dict[str, Any]) -> dict[str, Any]:
    device.origin = "https://coach.example.evil"
    return device.get(asked)


def plain_http(device: SoftwareAuthenticator, asked: dict[str, Any]) -> dict[str, Any]:
    device.origin = "http://coach.example"
    return device.get(asked)


def another_rp(device: SoftwareAuthenticator, asked: dict[str, Any]) -> dict[str, Any]:
    device.rp_id = "example"
    return device.get(asked)


def a_challenge_of_its_own(device: SoftwareAuthenticator, asked: dict[str, Any]) -> dict[str, Any]:
    return device.get({**asked, "challenge": encoded(b"x" * 56)})


def a_challenge_that_lives_longer(device: SoftwareAuthenticator, asked: dict[str, Any]) -> dict[str, Any]:
    raw = bytearray(decoded(asked["challenge"]))
    raw[18] ^= 1
    return device.get({**asked, "challenge": encoded(bytes(raw))})


def a_foreign_user_handle(device: SoftwareAuthenticator, asked: dict[str, Any]) -> dict[str, Any]:
    device.user_handle = uuid4().bytes
    return device.get(asked)


def no_user_handle(device: SoftwareAuthenticator, asked: dict[str, Any]) -> dict[str, Any]:
    credential = device.get(asked)
    del credential["response"]["userHandle"]
    return credential


def nobody_unlocked_it(device: SoftwareAuthenticator, asked: dict[str, Any]) -> dict[str, Any]:
    device.verifies_user = False
    return device.get(asked)


def another_key(device: SoftwareAuthenticator, asked: dict[str, Any]) -> dict[str, Any]:
    device.key = authenticator().key
    return device.get(asked)


def an_unknown_credential(device: SoftwareAuthenticator, asked: dict[str, Any]) -> dict[str, Any]:
    device.credential_id = b"y" * 32
    return device.get(asked)


def a_signature_of_something_else(device: SoftwareAuthenticator, asked: dict[str, Any]) -> dict[str, Any]:
    credential = device.get(asked)
    data = bytearray(decoded(credential["response"]["authenticatorData"]))
    data[-1] ^= 1
    credential["response"]["authenticatorData"] = encoded(bytes(data))
    return credential


def the_answer_to_a_registration(device: SoftwareAuthenticator, asked: dict[str, Any]) -> dict[str, Any]:
    return device.create({**asked, "user": {"id": encoded(device.user_handle)}})


def nothing(device: SoftwareAuthenticator, asked: dict[str, Any]) -> dict[str, Any]:
    return {}


@pytest.mark.anyio
async def test_every_answer_that_only_looks_right_gets_the_same_refusal(client: httpx.AsyncClient) -> None:
    session, device = await register(client, EMAIL), authenticator()
    await add(client, session, device)
    changes: list[Change] = [
        another_origin, plain_http, another_rp, a_challenge_of_its_own, a_challenge_that_lives_longer,
        a_foreign_user_handle, no_user_handle, nobody_unlocked_it, another_key, an_unknown_credential,
        a_signature_of_something_else, the_answer_to_a_registration, nothing,
    ]  # fmt: skip
    texts = set()
    for change in changes:
        answer = await sign_in(client, change(device.copied(), await sign_in_options(client)))
        assert problem(answer) == REFUSED, change.__name__
        texts.add(answer.text)
    assert len(texts) == 1
    good = await sign_in(client, device.get(await sign_in_options(client)))
    assert good.status_code == 200


@pytest.mark.anyio
async def test_a_challenge_is_answered_once_even_in_a_race(client: httpx.AsyncClient) -> None:
    session, device = await register(client, EMAIL), authenticator()
    await add(client, session, device)
    asked, statuses = await sign_in_options(client), list[int]()

    async def attempt(credential: dict[str, Any]) -> None:
        statuses.append((await sign_in(client, credential)).status_code)

    credential = device.get(asked)
    async with anyio.create_task_group() as attempts:
        for _ in range(4):
            attempts.start_soon(attempt, credential)
    assert sorted(statuses) == [200, 401, 401, 401]
    assert problem(await sign_in(client, device.get(asked))) == REFUSED
    assert (await sign_in(client, device.get(await sign_in_options(client)))).status_code == 200


@pytest.mark.anyio
@pytest.mark.parametrize(("seconds", "status"), [(299, 200), (301, 401)])
async def test_a_challenge_is_good_for_five_minutes(
    client: httpx.AsyncClient, clock: Clock, seconds: int, status: int
) -> None:
    session, device = await register(client, EMAIL), authenticator()
    await add(client, session, device)
    asked = await sign_in_options(client)
    clock.advance(seconds=seconds)
    assert (await sign_in(client, device.get(asked))).status_code == status


@pytest.mark.anyio
@pytest.mark.parametrize("ending", ["reset", "change", "everywhere"])
async def test_a_sign_in_begun_before_all_sessions_were_ended_gives_none(
    client: httpx.AsyncClient, db: Database, clock: Clock, tmp_path: Path, ending: str
) -> None:
    mailbox, device = Mailbox(db, tmp_path / "mails", clock), authenticator()
    anna = await register(client, EMAIL)
    await client.post("/api/auth/verify-email", json={"token": (await mailbox.one()).token})
    assert (await add(client, anna, device)).status_code == 201
    if ending == "reset":
        clock.advance(days=2)  # So soon after its first answer a reset would take the passkey away.
    begun = await sign_in_options(client)
    clock.advance(seconds=1)
    await end_all_sessions(client, anna, mailbox, ending)

    assert problem(await sign_in(client, device.get(begun))) == REFUSED
    clock.advance(seconds=1)
    assert (await sign_in(client, device.get(await sign_in_options(client)))).status_code == 200


async def end_all_sessions(client: httpx.AsyncClient, anna: dict[str, Any], mailbox: Mailbox, how: str) -> None:
    new = "one that nobody has had so far"
    match how:
        case "reset":
            await mailbox.look()
            await client.post("/api/auth/forgot-password", json={"email": EMAIL})
            body = {"token": (await mailbox.one()).token, "password": new}
            ended = await client.post("/api/auth/reset-password", json=body)
        case "change":
            body = {"current_password": PASSWORD, "new_password": new}
            ended = await client.post("/api/auth/change-password", json=body, headers=bearer(anna))
        case _:
            ended = await client.post("/api/auth/logout", params={"everywhere": "true"}, headers=bearer(anna))
    assert ended.status_code == 204, ended.text


@pytest.mark.anyio
async def test_a_passkey_waits_for_a_reset_under_way_and_gives_no_session_after_it(
    client: httpx.AsyncClient, database_url: str, clock: Clock
) -> None:
    anna, device = await register(client, EMAIL), authenticator()
    assert (await add(client, anna, device)).status_code == 201
    credential = device.get(await sign_in_options(client))
    clock.advance(seconds=1)
    answers: list[httpx.Response] = []

    async def come_in() -> None:
        answers.append(await sign_in(client, credential))

    async with meanwhile(database_url, "UPDATE users SET sessions_ended_at = $1", clock()) as tasks:
        tasks.start_soon(come_in)
        await anyio.sleep(0.3)
        assert answers == []
    assert problem(answers[0]) == REFUSED


@pytest.mark.anyio
async def test_a_dangerous_act_waits_for_a_reset_under_way_and_finds_its_session_ended(
    client: httpx.AsyncClient, database_url: str
) -> None:
    """Or else it is over before the reset looks which factors are to go."""
    anna = await register(client, EMAIL)
    answers: list[httpx.Response] = []

    async def act() -> None:
        answers.append(await client.post("/api/auth/passkeys/options", headers=bearer(anna)))

    ending = "UPDATE sessions SET ended_at = now(), end_reason = 'password_reset'"
    async with meanwhile(database_url, ending) as tasks:
        tasks.start_soon(act)
        await anyio.sleep(0.3)
        assert answers == []
    assert problem(answers[0]) == (401, "sign_in_again")


@asynccontextmanager
async def meanwhile(database_url: str, change: str, *values: Any) -> AsyncIterator[TaskGroup]:
    """Hold a change of the owner's uncommitted; commit it when the block ends, and let the tasks come to an end."""
    owner = await asyncpg.connect(database_url)
    try:
        async with anyio.create_task_group() as tasks, owner.transaction():
            await owner.execute(change, *values)
            yield tasks
    finally:
        await owner.close()


@pytest.mark.anyio
async def test_a_copied_authenticator_opens_nothing_any_more_for_either_holder(
    client: httpx.AsyncClient, database_url: str, mailbox: Mailbox
) -> None:
    session, device = await confirmed(client, mailbox, EMAIL), authenticator()
    await add(client, session, device)
    thief = device.copied()
    assert (await sign_in(client, device.get(await sign_in_options(client)))).status_code == 200

    assert problem(await sign_in(client, thief.get(await sign_in_options(client)))) == REFUSED

    assert problem(await sign_in(client, device.get(await sign_in_options(client)))) == REFUSED
    (listed,) = (await client.get("/api/auth/passkeys", headers=bearer(session))).json()
    assert listed["copied"] is True
    await log_in(client, EMAIL)
    owner = await asyncpg.connect(database_url)
    try:
        events = [row["action"] for row in await owner.fetch("SELECT action FROM account_events ORDER BY seq")]
    finally:
        await owner.close()
    assert [action for action in events if action.startswith("passkey")] == ["passkey_added", "passkey_copied"]


@pytest.mark.anyio
async def test_a_synced_passkey_never_counts_and_is_no_copy(client: httpx.AsyncClient) -> None:
    session, device = await register(client, EMAIL), authenticator()
    await add(client, session, device)
    for _ in range(2):
        device.sign_count = -1
        assert (await sign_in(client, device.get(await sign_in_options(client)))).status_code == 200


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20) | st.binary(max_size=60).map(encoded),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@given(st.data())
@hypothesis_settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_comes_as_a_credential_is_verified_or_refused(data: st.DataObject) -> None:
    """No bytes that somebody made up end in anything but a refusal."""
    clock, person = Clock(), uuid4()
    party = relying_party(SECRET, PUBLIC_URL)
    assert party is not None
    device = authenticator()
    made = device.create(party.registration_options(person, account="a", name="a", known=[], now=clock()))
    passkey = party.registered(person, copy.deepcopy(made), now=clock())
    answered = device.get(party.sign_in_options(now=clock()))

    credential = data.draw(st.sampled_from([made, answered]).map(copy.deepcopy))
    place = credential if data.draw(st.booleans()) else credential["response"]
    field = data.draw(st.sampled_from(sorted(place)))
    value, places = place[field], st.integers(0, 1000)
    if isinstance(value, str) and data.draw(st.booleans()):
        raw = bytearray(decoded(value) if field != "type" else value.encode())
        for _ in range(data.draw(st.integers(1, 3))):
            raw[data.draw(places) % len(raw)] = data.draw(st.integers(0, 255))
        cut = data.draw(places) % len(raw) if data.draw(st.booleans()) else len(raw)
        place[field] = encoded(bytes(raw[:cut]))
    else:
        place[field] = data.draw(JSON)
    json.dumps(credential)
    for verify in (
        lambda: party.registered(person, credential, now=clock()),
        lambda: party.verified_count(party.answered(credential, now=clock()), person, passkey.public_key),
    ):
        try:
            verify()
        except CeremonyFailed:
            continue


@pytest.mark.anyio
async def test_a_passkey_planted_on_somebody_elses_address_goes_with_its_owners_reset(
    client: httpx.AsyncClient, db: Database, clock: Clock, tmp_path: Path
) -> None:
    """Whoever registered an address without reading its mail was not its owner."""
    mailbox, device = Mailbox(db, tmp_path / "mails", clock), authenticator()
    thief = await register(client, "victim@example.com")
    assert (await add(client, thief, device)).status_code == 201
    await mailbox.look()
    await client.post("/api/auth/forgot-password", json={"email": "victim@example.com"})
    reset = {"token": (await mailbox.one()).token, "password": "one that nobody has had so far"}
    assert (await client.post("/api/auth/reset-password", json=reset)).status_code == 204
    clock.advance(minutes=1)
    answer = await sign_in(client, device.get(await sign_in_options(client)))
    assert problem(answer) == (401, "passkey_refused")
