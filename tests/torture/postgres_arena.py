"""What Postgres is hurt beneath: a server in processes of its own, the proxy between the two, and somebody's devices.

Devices log and sync, and a coach looks, as if nothing could happen; `Arena.check` holds what is left of it all, once
all is well, to what it must be.
"""

import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from random import Random

import anyio
import asyncpg

from apex_server.db.pool import APP_CONNECTIONS_MAX, COMMIT_CONNECTIONS_MAX
from apex_server.jobs.worker import QUEUE_CONNECTIONS_MAX
from tests.server.sync_world import Device, workout
from tests.torture.postgres_cluster import Cluster
from tests.torture.postgres_proxy import PostgresProxy, postgres_proxy
from tests.torture.postgres_server import ComeBackLater, Served, ServedWorld, served
from tests.torture.postgres_truth import Ops, OpsByRecord, Truth

SEED = int(os.environ.get("APEX_TEST_SEED", "7"))

ATTEMPTS_MAX = 10
"""How often a device may be put off once all is well: each pooled connection may turn out to be dead once."""

NEW_RECORDS_MAX = 12
"""How many records a device begins while one fault lasts; beyond that it edits those it has."""

PATIENCE_SECONDS = 30.0
RECORDS_PER_BATCH = (1, 1, 2, 20)
MEMORY_GROWTH_BYTES_MAX = 64 * 2**20
HINT_CONNECTIONS = 2
WORKER_CONNECTIONS_MAX = APP_CONNECTIONS_MAX + COMMIT_CONNECTIONS_MAX + QUEUE_CONNECTIONS_MAX
CONNECTIONS_MAX = APP_CONNECTIONS_MAX + COMMIT_CONNECTIONS_MAX + WORKER_CONNECTIONS_MAX + HINT_CONNECTIONS

STRAY_CONNECTIONS = f"""
    SELECT pid, usename, application_name, state, query
    FROM pg_stat_activity
    WHERE usename IN ('apex_app', 'apex_commit')
        AND (state <> 'idle'
            OR (SELECT count(*) FROM pg_stat_activity WHERE usename IN ('apex_app', 'apex_commit')) > {CONNECTIONS_MAX})
"""


class Arena:
    """Everything there is: Postgres, the proxy before it, the server, and somebody's devices."""

    def __init__(
        self, cluster: Cluster, url: str, proxy: PostgresProxy, server: Served, world: ServedWorld, dice: Random
    ) -> None:
        self.cluster = cluster
        self.url = url
        self.proxy = proxy
        self.server = server
        self.world = world
        self.dice = dice
        self.truth = Truth(url)
        self.devices: list[Device] = []
        self.memory_bytes = 0

    async def change_crew(self) -> None:
        """Let new people take over: an athlete with two devices and a coach, and one with a single device."""
        athlete, other = await self.world.athlete(), await self.world.athlete()
        await self.world.coach(athlete, other)
        self.devices = [await self.world.device(user_id) for user_id in (athlete, athlete, other)]
        for device in self.devices:
            device.write(workout())
            await self.drain(device)

    async def work(self, device: Device) -> None:
        """Log and sync for ever, as somebody does who knows nothing of any fault."""
        begun = 0
        while True:
            for _ in range(self.dice.choice(RECORDS_PER_BATCH) if len(device.outbox()) < 50 else 0):
                if begun < NEW_RECORDS_MAX:
                    device.write(workout())
                    begun += 1
                else:
                    _, record_id = self.dice.choice([key for key in device.docs if key[0] == device.scope])
                    device.write({"fatigue": self.dice.randint(1, 10)}, record_id)
            with suppress(ComeBackLater):
                await self.world.sync_once(device)
            await anyio.sleep(self.dice.uniform(0.0, 0.1))

    async def look(self, device: Device) -> None:
        """Read for ever, as a coach's page does."""
        while True:
            for path in ("/api/workouts", "/health"):
                with suppress(ComeBackLater):
                    await self.world.ask("GET", path, device.caller)
            await anyio.sleep(0.1)

    async def drain(self, device: Device) -> None:
        """Sync until nothing is left."""
        put_off = 0
        while True:
            try:
                if await self.world.sync_once(device):
                    return
            except ComeBackLater as patience:
                put_off += 1
                assert put_off <= ATTEMPTS_MAX, f"still put off after {put_off} attempts, {self.world.wrong[-1:]}"
                await anyio.sleep(patience.retry_after)

    async def check(self) -> None:
        """Hold everything to what it must be once all is well."""
        for device in self.devices:
            await self.drain(device)
        wrong, self.world.wrong = self.world.wrong, []
        assert not wrong, f"{len(wrong)} answers, the first {wrong[0]}"
        self.server.assert_alive()
        await self.truth.assert_holds(written_by(self.devices))
        await self.until_tidy()
        failed = await self.world.sql("SELECT dedupe_key FROM pgqueuer WHERE status = 'failed'")
        assert not failed, f"{len(failed)} analyses failed for good, the first {failed[0]}"
        memory_bytes = self.server.memory_bytes()
        self.memory_bytes = self.memory_bytes or memory_bytes
        assert memory_bytes - self.memory_bytes < MEMORY_GROWTH_BYTES_MAX, f"{memory_bytes} bytes of memory"

    async def until_tidy(self, seconds: float = PATIENCE_SECONDS) -> None:
        """Wait for the connections to Postgres to be as few and as idle as ever."""
        with anyio.move_on_after(seconds):
            while await self.world.sql(STRAY_CONNECTIONS):  # noqa: ASYNC110 - backends give no event.
                await anyio.sleep(0.1)
            return
        raise AssertionError(f"connections are left: {(await self.world.sql(STRAY_CONNECTIONS))[:3]}")

    async def until_postgres_answers(self) -> None:
        """Wait for Postgres to be back."""
        with anyio.fail_after(PATIENCE_SECONDS):
            while True:
                with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                    await self.world.sql("SELECT 1")
                    return
                await anyio.sleep(0.05)

    @asynccontextmanager
    async def owner(self, url: str = "") -> AsyncIterator[asyncpg.Connection]:
        """Hold a connection beside the server's, until it is cut."""
        connection = await asyncpg.connect(url or self.url)
        try:
            yield connection
        finally:
            connection.terminate()


def written_by(devices: list[Device]) -> OpsByRecord:
    """Give all that devices have written themselves."""
    written: dict[tuple[str, bytes], dict[tuple[int, int], bytes | None]] = {}
    for device in devices:
        for key, document in device.docs.items():
            own: Ops = {(device.client_id, clock): op for clock, op in document.ops.get(device.client_id, {}).items()}
            written.setdefault(key, {}).update(own)
    return written


@asynccontextmanager
async def arena_on(cluster: Cluster, url: str) -> AsyncIterator[Arena]:
    """Bring up everything on a database."""
    dice = Random(SEED)
    folder = Path(tempfile.mkdtemp(prefix="proxy", dir=cluster.folder))
    sockets = Path(url.partition("?host=")[2].partition("&")[0].replace("%2F", "/"))
    async with (
        postgres_proxy(sockets, folder, dice) as proxy,
        served(url, folder, cluster.folder) as server,
    ):
        world = ServedWorld(server.address, url, SEED)
        try:
            yield Arena(cluster, url, proxy, server, world, dice)
        finally:
            await world.aclose()
