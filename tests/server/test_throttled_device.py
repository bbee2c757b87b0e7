"""A device that is throttled for its whole first sync: slower, and nothing else."""

import ssl
import time
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from msgspec.structs import replace

from apex_client import Replica, stepping
from apex_client.accounts import Credentials
from apex_client.http_transport import HttpTransport
from apex_server.app import create_app
from apex_server.limits import tiers
from apex_server.settings import Settings
from apex_sync.session.session import SyncSession
from tests.confirmation import confirmation_token
from tests.e2e.whole_server import replica_digest
from tests.server.accounts_app import PASSWORD, register, speak_to

pytestmark = pytest.mark.anyio

ANNA = "anna@apex.example"
WORKOUTS = 70
SMALL_PUSH_BYTES = 2_000
REQUESTS_AT_ONCE = 8
WINDOW_SECONDS = 4.0


class WatchedTransport(HttpTransport):
    """HTTP to the app in this process, which notes when it was asked and when it refused."""

    def __init__(self, app: Any) -> None:
        super().__init__()
        self._own: httpx.AsyncClient | None = None
        self.asked: list[float] = []
        self.refused: list[tuple[float, float]] = []
        self._app = app

    def _client(self, _context: ssl.SSLContext) -> httpx.AsyncClient:
        if self._own is None:
            self._own = httpx.AsyncClient(
                transport=httpx.ASGITransport(self._app),
                event_hooks={"request": [self._note_request], "response": [self._note_response]},
            )
        return self._own

    async def connect(self, server: str, token: str) -> None:
        """There is no live channel here."""

    async def _note_request(self, _request: httpx.Request) -> None:
        self.asked.append(time.monotonic())

    async def _note_response(self, response: httpx.Response) -> None:
        if response.status_code == 429:
            self.refused.append((time.monotonic(), float(response.headers["retry-after"])))


@pytest.fixture
def small_tier(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let an athlete ask eight times at once and then twice a second."""
    few = tiers.Allowance(REQUESTS_AT_ONCE, WINDOW_SECONDS)
    free = replace(tiers.TIERS["athlete_free"], requests=few)
    monkeypatch.setattr(tiers, "TIERS", {**tiers.TIERS, "athlete_free": free})
    monkeypatch.setattr(stepping, "SyncSession", partial(SyncSession, push_bytes=SMALL_PUSH_BYTES))


@pytest.mark.usefixtures("small_tier")
async def test_a_device_throttled_for_its_whole_first_sync_ends_with_the_servers_digest(
    settings: Settings, tmp_path: Path, database_url: str
) -> None:
    """It asks nothing before the time it was told, loses nothing, and both sides end with one content."""
    app = create_app(settings)
    async with app.lifespan(), speak_to(app) as client:
        signed_in = await register(client, ANNA)
        answer = await client.post("/api/auth/verify-email", json={"token": await confirmation_token(settings, ANNA)})
        assert answer.is_success, answer.text
        scope = f"athlete:{signed_in['user']['id']}"
        transport = WatchedTransport(app)
        async with Replica.open(
            tmp_path / "phone.db",
            server="http://127.0.0.1",
            credentials=Credentials(ANNA, PASSWORD),
            transport=transport,
        ) as phone:
            for number in range(WORKOUTS):
                log = await phone.workouts.start(title=f"number {number}")
                await log.add_set("Bench Press", reps=5, load=100 + number, unit="kg")
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(phone.run)
                with anyio.fail_after(60):
                    while (await phone.status()).pending:  # noqa: ASYNC110 - what the person sees is what counts.
                        await anyio.sleep(0.02)
                phone.stop()
            await anyio.sleep(1.1)
            report = await phone.sync()
            assert (report.pending, report.rejected, report.repaired) == (0, 0, 0)
            assert await replica_digest(phone, scope) == await stored_digest(app, scope)
            assert (await phone.status()).synced == WORKOUTS
    assert len(transport.refused) >= 2, "it was throttled again and again"
    for refused_at, seconds in transport.refused:
        early = [asked for asked in transport.asked if refused_at < asked < refused_at + seconds - 0.05]
        assert not early


async def stored_digest(app: Any, scope: str) -> int:
    async with app.state.database.commit_connection() as connection:
        stored = await connection.fetchval("SELECT digest FROM scopes WHERE name = $1", scope)
    return int.from_bytes(stored, "big")
