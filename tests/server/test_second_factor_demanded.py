"""A second factor that an operator or an owner demands of coaches: without one they set one up, and do nothing else."""

from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import msgspec
import pytest

from apex_server.auth.access_tokens import AccessTokens, SigningKeys
from apex_server.settings import Settings
from tests.server.accounts_app import Clock, log_in, problem
from tests.server.second_factor_parts import NUMBER, App, set_up_phone
from tests.server.whole_app import Signed, WholeApp, whole_app

pytestmark = pytest.mark.anyio

DEMANDED = (403, "second_factor_demanded")

OPEN = {
    "DELETE /api/auth/mfa/phone",
    "DELETE /api/auth/mfa/totp",
    "DELETE /api/auth/passkeys/{passkey_id}",
    "GET /api/auth/me",
    "GET /api/auth/mfa",
    "GET /api/auth/passkeys",
    "PATCH /api/auth/passkeys/{passkey_id}",
    "POST /api/auth/logout",
    "POST /api/auth/mfa/phone/confirm",
    "POST /api/auth/mfa/recovery_codes",
    "POST /api/auth/mfa/totp",
    "POST /api/auth/mfa/totp/confirm",
    "POST /api/auth/passkeys",
    "POST /api/auth/passkeys/options",
    "POST /api/auth/passkeys/prove",
    "POST /api/auth/reauthenticate",
    "PUT /api/auth/mfa/phone",
}
"""What somebody with a password alone may call of what asks for a session."""


@pytest.fixture
async def app(settings: Settings) -> AsyncIterator[WholeApp]:
    async with whole_app(settings) as opened:
        yield opened


async def set_up_app(person: Signed) -> None:
    offer = (await person("POST", "/api/auth/mfa/totp")).json()
    answer = await person("POST", "/api/auth/mfa/totp/confirm", {"code": App(offer["secret"], Clock()).code()})
    assert answer.status_code == 200, answer.text


async def add_passkey(app: WholeApp, person: Signed) -> str:
    """Let somebody have a passkey, as from another day."""
    row = "INSERT INTO passkeys SELECT $1, $2, $3, '', 0, '', false, now()"
    passkey_id = uuid4()
    await app.owner.execute(row, passkey_id, person.id, passkey_id.bytes)
    return str(passkey_id)


async def session_stands(app: WholeApp, person: Signed) -> bool:
    """Tell what a live channel of the person asks now and then."""
    keys = SigningKeys.derive(app.app.state.settings.secret)
    caller = AccessTokens(keys).read(str(person.token), now=Clock()())
    return bool(await app.app.state.is_session_open(caller))


async def test_an_operator_demands_one_of_whoever_reads_others_and_of_no_athlete(settings: Settings) -> None:
    async with whole_app(msgspec.structs.replace(settings, second_factor_demanded=True)) as app:
        coach, owner = await app.person("c", "coach"), await app.person("o", "owner")
        athlete = await app.person("a", "athlete")
        for person in (coach, owner):
            assert problem(await person("GET", "/api/devices")) == DEMANDED
        assert (await athlete("GET", "/api/devices")).status_code == 200

        await set_up_app(coach)
        assert (await coach("GET", "/api/clients")).status_code == 200
        assert problem(await owner("GET", "/api/organisation")) == DEMANDED


async def test_an_owner_demands_one_of_their_coaches_at_once_and_in_every_session(app: WholeApp) -> None:
    olga, carla = await app.person("olga", "owner"), await app.person("carla", "coach")
    foreign = await app.person("fay", "coach")
    await app.joins(carla, olga)
    demand = {"name": "Iron House", "second_factor_demanded": True}
    assert problem(await olga("PUT", "/api/organisation", demand)) == (401, "second_factor_again")
    await app.shows_second_factor(await session_of(app, olga))
    assert (await olga("PUT", "/api/organisation", demand)).json()["second_factor_demanded"] is True
    assert (await olga("PUT", "/api/organisation", {"name": "Iron"})).json()["second_factor_demanded"] is True

    for method, path in (
        ("GET", "/api/clients"),
        ("POST", "/api/sync"),
        ("DELETE", "/api/organisation/membership"),
        ("POST", "/api/auth/change-password"),
    ):
        assert problem(await carla(method, path, {} if method == "POST" else None)) == DEMANDED
    assert not await session_stands(app, carla)
    assert (await foreign("GET", "/api/clients")).status_code == 200

    await set_up_app(carla)
    assert (await carla("GET", "/api/clients")).status_code == 200
    assert await session_stands(app, carla)
    await app.owner.execute("UPDATE sessions SET second_factor_at = NULL WHERE user_id = $1", carla.id)
    assert problem(await carla("GET", "/api/clients")) == DEMANDED

    assert (await olga("PUT", "/api/organisation", {**demand, "second_factor_demanded": False})).status_code == 200
    assert (await carla("GET", "/api/clients")).status_code == 200
    actions = [event["action"] for event in (await olga("GET", "/api/audit")).json()["events"]]
    assert [each for each in actions if each.startswith("second_factor")] == [
        "second_factor_not_demanded",
        "second_factor_demanded",
    ]


async def test_who_has_one_shows_it_before_anything_is_changed(settings: Settings) -> None:
    async with whole_app(msgspec.structs.replace(settings, second_factor_demanded=True)) as app:
        thief = await app.person("carla", "coach")
        passkey = await add_passkey(app, thief)
        for method, path, body in (
            ("POST", "/api/auth/mfa/totp", None),
            ("POST", "/api/auth/mfa/totp/confirm", {"code": "123456"}),
            ("DELETE", "/api/auth/mfa/totp", None),
            ("PUT", "/api/auth/mfa/phone", {"number": NUMBER}),
            ("POST", "/api/auth/mfa/phone/confirm", {"code": "123456"}),
            ("DELETE", "/api/auth/mfa/phone", None),
            ("POST", "/api/auth/mfa/recovery_codes", None),
            ("POST", "/api/auth/passkeys/options", None),
            ("POST", "/api/auth/passkeys", {"name": "Mine", "credential": {}}),
            ("DELETE", f"/api/auth/passkeys/{passkey}", None),
        ):
            assert problem(await thief(method, path, body)) == (401, "second_factor_again"), path
        assert problem(await thief("GET", "/api/clients")) == DEMANDED


@pytest.mark.parametrize("last", ["app", "passkey"])
async def test_once_the_last_one_is_taken_away_no_session_has_shown_any(settings: Settings, last: str) -> None:
    async with whole_app(msgspec.structs.replace(settings, second_factor_demanded=True)) as app:
        coach = await app.person("carla", "coach")
        await set_up_app(coach)
        ways = ["/api/auth/mfa/totp", f"/api/auth/passkeys/{await add_passkey(app, coach)}"]
        for way in ways if last == "passkey" else reversed(ways):
            assert (await coach("GET", "/api/clients")).status_code == 200
            assert (await coach("DELETE", way)).status_code == 204
        assert problem(await coach("GET", "/api/clients")) == DEMANDED


async def test_a_telephone_number_does_not_count(settings: Settings) -> None:
    async with whole_app(msgspec.structs.replace(settings, second_factor_demanded=True)) as app:
        coach = await app.person("carla", "coach")
        await set_up_phone(coach.client, {"access_token": coach.token}, settings.data_dir / "texts")
        assert problem(await coach("GET", "/api/clients")) == DEMANDED
        assert "Set one up: an app" in (await coach("GET", "/security")).text


async def test_an_owner_without_one_is_bound_by_their_own_demand(app: WholeApp) -> None:
    olga = await app.person("olga", "owner")
    await app.verified(olga)
    await app.shows_second_factor(await session_of(app, olga))
    assert (await olga("PUT", "/api/organisation", {"name": "x", "second_factor_demanded": True})).status_code == 200
    by_password = app.signed(await log_in(app.client, "olga@example.com"))
    assert problem(await by_password("GET", "/api/organisation")) == DEMANDED
    assert (await olga("GET", "/api/organisation")).status_code == 200


async def session_of(app: WholeApp, person: Signed) -> UUID:
    return UUID(str(await app.owner.fetchval("SELECT id FROM sessions WHERE user_id = $1", person.id)))


async def test_pages_lead_to_where_it_is_set_up(settings: Settings) -> None:
    async with whole_app(msgspec.structs.replace(settings, second_factor_demanded=True)) as app:
        coach = await app.person("carla", "coach")
        answer = await coach("GET", "/athletes")
        assert (answer.status_code, answer.headers["location"]) == (303, "/security#second")
        assert "Coaches need one here" in (await coach("GET", "/security")).text
        await set_up_app(coach)
        assert (await coach("GET", "/athletes")).status_code == 200


async def test_no_route_is_open_without_it_but_those_that_set_it_up(app: WholeApp) -> None:
    opened = {
        f"{method} {route.path_format}"
        for route in app.app.routes
        for handler in getattr(route, "route_handlers", ())
        for method in handler.http_methods
        if "open_without_second_factor" in handler.opt and not handler.opt.get("exclude_from_auth")
    }
    assert {each for each in opened if not each.startswith("OPTIONS ")} == OPEN
