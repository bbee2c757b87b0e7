"""Two real web processes share one limit, and one of them may be killed in the middle of it."""

import os
import signal
import time
from pathlib import Path

import httpx
import pytest
from anyio.from_thread import BlockingPortal

from apex_server.limits.tiers import TIERS
from apex_server.settings import Settings
from tests.e2e.whole_server import PASSWORD, SECRET, running_server, web_processes

pytestmark = pytest.mark.slow

FACTOR = 0.1
REQUESTS = 120


def test_two_processes_let_through_one_limit_also_when_one_is_killed(portal: BlockingPortal, tmp_path: Path) -> None:
    """Every request is a connection of its own, so the kernel spreads them over both."""
    allowance = TIERS["athlete_free"].scaled(FACTOR).requests
    settings = Settings(data_dir=tmp_path / "server", secret=SECRET, workers=2, limits_factor=FACTOR)
    with running_server(portal, settings) as server:
        body = {"email": "anna@apex.example", "password": PASSWORD, "name": "Anna", "role": "athlete"}
        signed_in = httpx.post(f"{server.address}/api/auth/register", json=body).raise_for_status().json()
        headers = {"Authorization": f"Bearer {signed_in['access_token']}", "Connection": "close"}
        began = time.monotonic()
        statuses: list[int] = []
        for number in range(REQUESTS):
            if number == REQUESTS // 4:
                os.kill(web_processes(server, parents=False)[0].pid, signal.SIGKILL)
            try:
                statuses.append(httpx.get(f"{server.address}/api/devices", headers=headers).status_code)
            except httpx.TransportError:
                continue
        drained = (time.monotonic() - began) * allowance.drains_per_second
        passed = statuses.count(200)
    assert set(statuses) == {200, 429}
    lost = allowance.slice + 1
    assert allowance.amount - 5 <= passed <= allowance.amount + 2 * allowance.slice + lost + drained + 1
