"""Devices of somebody with a second factor: the SDK says what is wanted, and the command asks for it."""

import json
import re
import time
from pathlib import Path

import pyotp
import pytest

from apex_client import Credentials, MfaRequired, Replica
from apex_client.blocking import Replica as BlockingReplica
from apex_client.errors import ServerRefused, SignedOut, WrongCode, WrongCredentials
from tests.client.apex_command import Terminal
from tests.e2e.whole_server import PASSWORD, WholeServer


@pytest.fixture
def email(server: WholeServer) -> str:
    return server.new_email("mfa")


class SecondFactor:
    """What somebody carries beside their password."""

    def __init__(self, app: pyotp.TOTP, recovery_codes: list[str]) -> None:
        self._app = app
        self.recovery_codes = recovery_codes

    def code(self) -> str:
        """Give a code that was not used yet: the one that confirmed the app was of the step before."""
        return self._app.at(int(time.time()), counter_offset=1)

    def wrong_code(self) -> str:
        good = {self._app.at(int(time.time()), counter_offset=step) for step in (-1, 0, 1, 2)}
        return next(code for code in ("000000", "111111", "222222", "333333", "444444") if code not in good)


async def with_second_factor(server: WholeServer, email: str, path: Path) -> SecondFactor:
    """Make an account on a device, and set an authenticator app up from there."""
    async with Replica.open(path) as first:
        await first.register(server.address, email, PASSWORD, name="Mara")
        await server.confirm(email)
        offer = await first.request("POST", "/api/auth/mfa/totp")
        app = pyotp.TOTP(offer["secret"])
        now = app.at(int(time.time()), counter_offset=-1)
        codes = (await first.request("POST", "/api/auth/mfa/totp/confirm", {"code": now}))["recovery_codes"]
    return SecondFactor(app, codes)


@pytest.mark.anyio
async def test_the_sdk_says_that_a_code_is_wanted_and_signs_in_with_it(
    server: WholeServer, email: str, tmp_path: Path
) -> None:
    factor = await with_second_factor(server, email, tmp_path / "first.db")
    async with Replica.open(tmp_path / "second.db", device_name="Watch", device_kind="watch") as watch:
        with pytest.raises(MfaRequired) as demand:
            await watch.login(server.address, email, PASSWORD)
        assert demand.value.methods == ("totp", "recovery_code")
        assert demand.value.token not in str(demand.value)
        with pytest.raises(WrongCode):
            await watch.finish_login(demand.value, factor.wrong_code())
        user = await watch.finish_login(demand.value, factor.code())
        assert user.email == email
        assert (await watch.sync()).pending == 0
        with pytest.raises(SignedOut):
            await watch.finish_login(demand.value, factor.code())


@pytest.mark.anyio
async def test_a_code_may_come_with_the_password(server: WholeServer, email: str, tmp_path: Path) -> None:
    factor = await with_second_factor(server, email, tmp_path / "first.db")
    async with Replica.open(tmp_path / "second.db") as second:
        with pytest.raises(WrongCredentials):
            await second.login(server.address, email, "not the password", mfa_code=factor.code())
        await second.login(server.address, email, PASSWORD, mfa_code=factor.recovery_codes[0].lower())
    with BlockingReplica.open(tmp_path / "third.db") as third:
        with pytest.raises(MfaRequired) as demand:
            third.login(server.address, email, PASSWORD)
        third.finish_login(demand.value, factor.recovery_codes[1])


@pytest.mark.anyio
async def test_a_sync_that_has_only_a_password_pauses_and_loses_nothing(
    server: WholeServer, email: str, tmp_path: Path
) -> None:
    factor = await with_second_factor(server, email, tmp_path / "first.db")
    credentials = Credentials(email, PASSWORD)
    async with Replica.open(tmp_path / "second.db", server=server.address, credentials=credentials) as second:
        await second.workouts.start(title="Push")
        with pytest.raises(MfaRequired) as demand:
            await second.sync()
        assert (await second.status()).pending == 1
        await second.finish_login(demand.value, factor.code())
        assert (await second.sync()).pending == 0


@pytest.mark.anyio
async def test_a_session_that_is_to_prove_its_person_is_not_lost(
    server: WholeServer, email: str, tmp_path: Path
) -> None:
    async with Replica.open(tmp_path / "first.db") as first:
        user = await first.register(server.address, email, PASSWORD, name="Mara")
        await server.rows(
            "UPDATE sessions SET authenticated_at = now() - interval '1 hour' WHERE user_id = $1::uuid RETURNING id",
            user.id,
        )
        with pytest.raises(ServerRefused) as refused:
            await first.request("POST", "/api/auth/mfa/totp")
        assert refused.value.code == "sign_in_again"
        await first.request("POST", "/api/auth/reauthenticate", {"password": PASSWORD})
        assert (await first.request("POST", "/api/auth/mfa/totp"))["secret"]


@pytest.mark.anyio
async def test_a_code_by_sms_signs_a_device_in(server: WholeServer, email: str, tmp_path: Path) -> None:
    number = f"+4474001{int(time.time()) % 100000:05d}"
    async with Replica.open(tmp_path / "first.db") as first:
        await first.register(server.address, email, PASSWORD, name="Mara")
        await server.confirm(email)
        await first.request("PUT", "/api/auth/mfa/phone", {"number": number})
        await first.request("POST", "/api/auth/mfa/phone/confirm", {"code": code_sent_to(server, number)})
    await server.rows("UPDATE sms_sends SET sent_at = sent_at - interval '1 minute' RETURNING id")
    async with Replica.open(tmp_path / "second.db") as second:
        with pytest.raises(MfaRequired) as demand:
            await second.login(server.address, email, PASSWORD)
        assert demand.value.phone_hint == f"…{number[-2:]}"
        await second.send_mfa_code(demand.value)
        assert (await second.finish_login(demand.value, code_sent_to(server, number))).email == email


@pytest.mark.anyio
async def test_the_command_takes_a_code_and_says_when_it_needs_one(
    server: WholeServer, email: str, tmp_path: Path
) -> None:
    factor = await with_second_factor(server, email, tmp_path / "first.db")
    apex = Terminal(tmp_path, "laptop")
    sign_in = ("login", "--server", server.address, "--email", email, "--password-stdin")
    asked = apex(*sign_in, stdin=f"{PASSWORD}\n")
    assert asked.code == 2
    assert "--code" in asked.err
    wrong = apex(*sign_in, "--code", factor.wrong_code(), stdin=f"{PASSWORD}\n")
    assert wrong.code == 1, wrong.text
    assert "newest" in wrong.err
    assert email in apex(*sign_in, "--code", factor.code(), stdin=f"{PASSWORD}\n").ok().err


def code_sent_to(server: WholeServer, number: str) -> str:
    """Read the newest code that was sent to a number."""
    sent = [json.loads(path.read_text()) for path in sorted((server.settings.data_dir / "texts").glob("*.json"))]
    text = next(message["text"] for message in reversed(sent) if message["to"] == number)
    return str(re.match("[0-9]{6}", text)[0])  # type: ignore[index]
