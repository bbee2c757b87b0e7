"""Messages between real devices and a real server: live while both are connected, forgotten when the two part."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import httpx
import pytest

from apex_client import Replica
from apex_client.http_transport import HttpTransport
from tests.e2e.whole_server import PASSWORD, WholeServer

pytestmark = pytest.mark.anyio

PATIENCE_SECONDS = 30.0


class CountingTransport(HttpTransport):
    """HTTP that counts the syncs which did not go over the live channel."""

    polls = 0

    async def exchange(self, server: str, token: str, message: bytes) -> bytes:
        self.polls += 1
        return await super().exchange(server, token, message)


class Pair:
    """A coach and an athlete, each with a device."""

    def __init__(self, coach: Replica, athlete: Replica, transports: list[CountingTransport]) -> None:
        self.coach, self.athlete, self.transports = coach, athlete, transports

    @property
    def polls(self) -> int:
        return sum(transport.polls for transport in self.transports)

    async def are_live(self) -> None:
        async def states() -> bool:
            return {(await each.status()).state for each in (self.coach, self.athlete)} == {"live"}

        await until(states)


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    while not await condition():  # noqa: ASYNC110 - it is another process that changes it.
        await anyio.sleep(0.02)


@asynccontextmanager
async def pair_on(server: WholeServer, folder: Path) -> AsyncIterator[Pair]:
    transports = [CountingTransport(allow_insecure=True) for _ in range(2)]
    coach_file, athlete_file = folder / "coach.db", folder / "athlete.db"
    async with (
        Replica.open(coach_file, transport=transports[0]) as coach,
        Replica.open(athlete_file, transport=transports[1]) as athlete,
    ):
        await coach.register(server.address, server.new_email("ines"), PASSWORD, name="Ines", role="coach")
        code = (await coach.request("POST", "/api/invites", {}))["code"]
        await athlete.register(server.address, server.new_email("mara"), PASSWORD, name="Mara", invite=code)
        await coach.sync()
        await athlete.sync()
        yield Pair(coach, athlete, transports)


async def test_a_message_and_that_it_was_read_arrive_by_the_live_channel_alone(
    server: WholeServer, tmp_path: Path
) -> None:
    async with pair_on(server, tmp_path) as pair, anyio.create_task_group() as tasks:
        tasks.start_soon(pair.coach.run)
        tasks.start_soon(pair.athlete.run)
        with anyio.fail_after(PATIENCE_SECONDS):
            await pair.are_live()
            polls = pair.polls
            news, receipts = pair.coach.changes("messages"), pair.athlete.changes("messages")
            sent = await pair.athlete.messages.send("How heavy?")
            change = await news.get()
            assert change is not None and change.record_id == sent.id
            assert await pair.coach.messages.unread() == 1
            await pair.coach.messages.read()
            while (await sent.refresh()).read_at is None:
                await receipts.get()
            assert pair.polls == polls, "a sync over HTTP brought it"
            assert {(await each.status()).repairs for each in (pair.coach, pair.athlete)} == {0}
        tasks.cancel_scope.cancel()


async def test_a_thread_begins_with_the_work_together_and_whoever_is_connected_hears_that_it_ends(
    server: WholeServer, tmp_path: Path
) -> None:
    async with (
        pair_on(server, tmp_path) as pair,
        httpx.AsyncClient(base_url=server.address) as otto,
        anyio.create_task_group() as tasks,
    ):
        athlete = pair.athlete

        async def has_one_thread() -> bool:
            return len(await athlete.messages.threads()) == 1

        async def is_live() -> bool:
            return (await athlete.status()).state == "live"

        with anyio.fail_after(PATIENCE_SECONDS):
            body = {"email": server.new_email("otto"), "password": PASSWORD, "name": "Otto", "role": "coach"}
            account = (await otto.post("/api/auth/register", json=body)).json()
            otto.headers["Authorization"] = f"Bearer {account['access_token']}"
            code = (await otto.post("/api/invites", json={})).json()["code"]
            await athlete.request("POST", f"/api/invites/{code}/accept")
            await athlete.sync()
            assert len(await athlete.messages.threads()) == 2
            await athlete.messages.thread(account["user"]["id"]).send("for Otto alone")
            await athlete.sync()
            await pair.coach.sync()
            assert await pair.coach.query("SELECT text FROM messages") == [], "another coach reads along"
            tasks.start_soon(athlete.run)
            await until(is_live)
            assert athlete.user is not None
            await otto.delete(f"/api/clients/{athlete.user.id}/link")
            await until(has_one_thread)
        assert await athlete.query("SELECT text FROM messages") == []
        tasks.cancel_scope.cancel()
