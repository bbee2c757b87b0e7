"""Somebody with second factors: an app that knows the time, a phone, and signing in with them."""

import json
import re
from pathlib import Path
from typing import Any

import httpx
import pyotp

from tests.server.accounts_app import PASSWORD, Clock, bearer, problem

EMAIL = "anna@example.com"
NUMBER = "+44 7400 123456"
DEVICE = {"name": "Anna's phone", "kind": "phone", "client_id": 7}


class App:
    """An authenticator app: it knows the seed, and the test's time."""

    def __init__(self, seed: str, clock: Clock) -> None:
        self._totp, self._clock = pyotp.TOTP(seed), clock

    def code(self, *, steps: int = 0) -> str:
        return self._totp.at(self._clock.time, counter_offset=steps)

    def wrong_code(self) -> str:
        good = {self.code(steps=step) for step in (-1, 0, 1)}
        return next(code for code in ("000000", "111111", "222222", "333333") if code not in good)


async def set_up_app(client: httpx.AsyncClient, session: dict[str, Any], clock: Clock) -> tuple[App, list[str]]:
    offer = await client.post("/api/auth/mfa/totp", headers=bearer(session))
    assert offer.status_code == 201, offer.text
    app = App(offer.json()["secret"], clock)
    answer = await client.post("/api/auth/mfa/totp/confirm", json={"code": app.code()}, headers=bearer(session))
    assert answer.status_code == 200, answer.text
    clock.advance(seconds=60)
    return app, answer.json()["recovery_codes"]


async def set_up_phone(client: httpx.AsyncClient, session: dict[str, Any], texts: Path) -> list[str]:
    answer = await client.put("/api/auth/mfa/phone", json={"number": NUMBER}, headers=bearer(session))
    assert answer.status_code == 204, answer.text
    body = {"code": newest_code(texts)}
    answer = await client.post("/api/auth/mfa/phone/confirm", json=body, headers=bearer(session))
    assert answer.status_code == 200, answer.text
    codes: list[str] = answer.json()["recovery_codes"]
    return codes


def newest_code(texts: Path) -> str:
    (*_, newest) = sorted(texts.iterdir())
    found = re.match(r"[0-9]{6}", json.loads(newest.read_text())["text"])
    assert found
    return found[0]


async def first_step(client: httpx.AsyncClient, **more: Any) -> dict[str, Any]:
    """Give the right password, and get the demand for the second factor."""
    answer = await client.post("/api/auth/login", json={"email": EMAIL, "password": PASSWORD, **more})
    assert problem(answer) == (401, "mfa_required"), answer.text
    return dict(answer.json())


async def second_step(
    client: httpx.AsyncClient, demand: dict[str, Any], code: str, method: str = "totp", **more: Any
) -> httpx.Response:
    body = {"mfa_token": demand["mfa_token"], "method": method, "code": code, **more}
    return await client.post("/api/auth/login/mfa", json=body)
