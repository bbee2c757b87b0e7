"""The live channel through two server processes on one database: an edit here is there within a second."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from statistics import median

import anyio
import httpx
import msgspec
import pytest

from apex_client import Replica, ReplicaStatus
from tests.e2e.whole_server import PASSWORD, Athlete, WholeServer, assert_one_digest, web_processes

pytestmark = pytest.mark.anyio

SECONDS_MAX = 1.0
PATIENCE_SECONDS = 60.0
"""How long a fact may take that must come; on a crowded machine a server alone takes 15 s to start again."""
EDITS = 10


@asynccontextmanager
async def live(*replicas: Replica) -> AsyncIterator[None]:
    """Keep devices connected for the block."""
    async with anyio.create_task_group() as tasks:
        for replica in replicas:
            tasks.start_soon(replica.run)
        for replica in replicas:
            await until(replica, lambda status: status.state == "live")
        yield
        for replica in replicas:
            replica.stop()
        tasks.cancel_scope.cancel()


async def eventually(look: Callable[[], Awaitable[object]]) -> None:
    """Look again and again until something is there."""
    with anyio.fail_after(PATIENCE_SECONDS):
        while True:
            if await look():
                return
            await anyio.sleep(0.005)


async def until(replica: Replica, found: Callable[[ReplicaStatus], bool]) -> None:
    await eventually(lambda: _found(replica, found))


async def _found(replica: Replica, found: Callable[[ReplicaStatus], bool]) -> bool:
    return found(await replica.status())


async def arrival(replica: Replica, record_id: str, notes: str) -> float:
    """Wait until an app that watches changes reads this note; give the time."""
    sql = "SELECT 1 FROM workout_logs WHERE id = ? AND notes = ?"
    await eventually(lambda: replica.query(sql, (record_id, notes)))
    return time.monotonic()


async def test_an_edit_reaches_a_device_on_another_server_within_a_second(
    server: WholeServer, second_server: WholeServer, athlete: Athlete
) -> None:
    phone = await athlete.device("phone")
    watch = await athlete.device("watch", "watch", address=second_server.address)
    seconds = []
    async with live(phone, watch):
        log = await phone.workouts.start(title="Push")
        await arrival_of_record(watch, log.id)
        on_watch = await watch.workouts.get(log.id)
        for number in range(EDITS):
            here, there = (log, watch) if number % 2 else (on_watch, phone)
            began = time.monotonic()
            await here.note(f"note {number}")
            seconds.append(await arrival(there, log.id, f"note {number}") - began)
        for replica in (phone, watch):
            await until(replica, lambda status: status.pending == 0)
    print(f"save to other device: median {median(seconds) * 1000:.0f} ms, slowest {max(seconds) * 1000:.0f} ms")
    assert max(seconds) < SECONDS_MAX
    await phone.sync()
    await watch.sync()
    await assert_one_digest(server, athlete.scope, phone, watch)
    assert (await phone.status()).conflicted == 0


async def arrival_of_record(replica: Replica, record_id: str) -> None:
    await eventually(lambda: replica.query("SELECT 1 FROM workout_logs WHERE id = ?", (record_id,)))


async def test_a_device_that_was_disconnected_catches_up(
    server: WholeServer, second_server: WholeServer, athlete: Athlete
) -> None:
    phone = await athlete.device("phone")
    watch = await athlete.device("watch", "watch", address=second_server.address)
    log = await phone.workouts.start(title="Push")
    async with live(phone, watch):
        await arrival_of_record(watch, log.id)
    on_watch = await watch.workouts.get(log.id)
    await on_watch.add_set("Squat", reps=5, load=100)
    async with live(phone):
        for number in range(20):
            await log.note(f"while the watch was away {number}")
        async with live(watch):
            await arrival(watch, log.id, "while the watch was away 19")
            await eventually(lambda: phone.query("SELECT 1 FROM logged_sets WHERE load_kg = 100"))
    await phone.sync()
    await watch.sync()
    await assert_one_digest(server, athlete.scope, phone, watch)


async def test_a_live_device_goes_on_when_its_server_is_restarted(server: WholeServer, athlete: Athlete) -> None:
    """The server's web process is killed under two live devices; both come back by themselves."""
    phone = await athlete.device("phone")
    watch = await athlete.device("watch", "watch")
    async with live(phone, watch):
        log = await phone.workouts.start(title="Push")
        await arrival_of_record(watch, log.id)
        (parent,) = web_processes(server, parents=True)
        parent.kill()
        await log.note("written while the server was down")
        phone.wake()
        await arrival(watch, log.id, "written while the server was down")
        await until(phone, lambda status: status.pending == 0)
    await assert_one_digest(server, athlete.scope, phone, watch)


async def test_a_hint_arrives_as_a_server_sent_event_from_another_process(
    server: WholeServer, second_server: WholeServer, athlete: Athlete
) -> None:
    phone = await athlete.device("phone")
    await phone.sync()
    async with httpx.AsyncClient(base_url=second_server.address, timeout=PATIENCE_SECONDS) as client:
        signed_in = (await client.post("/api/auth/login", json={"email": athlete.email, "password": PASSWORD})).json()
        headers = {"Authorization": f"Bearer {signed_in['access_token']}"}
        async with client.stream("GET", "/api/sync/events", headers=headers) as events:
            assert events.headers["content-type"].startswith("text/event-stream")
            lines = events.aiter_lines()
            assert await anext(lines) == ": connected"
            log = await phone.workouts.start(title="Push")
            await phone.sync()
            began = time.monotonic()
            hint = await first_hint(lines)
            assert time.monotonic() - began < SECONDS_MAX
    (row,) = await server.rows(
        "SELECT seq FROM records JOIN scopes USING (scope_id, seq) WHERE record_id = $1::text::uuid", log.id
    )
    assert hint == {"scope": athlete.scope, "seq": row["seq"]}


async def first_hint(lines: AsyncIterator[str]) -> dict[str, object]:
    with anyio.fail_after(PATIENCE_SECONDS):
        async for line in lines:
            if line.startswith("data: "):
                return msgspec.json.decode(line.removeprefix("data: "), type=dict[str, object])
    raise AssertionError("the stream ended")
