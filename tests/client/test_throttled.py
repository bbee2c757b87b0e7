"""An account that has used up what it may use: the SDK waits as long as it was told, and asks nothing before."""

import time

import anyio
import pytest

from apex_client import sync_loop
from apex_client.errors import Throttled
from tests.client.conftest import OpenReplica
from tests.client.loopback import LoopbackServer
from tests.client.test_sync_loop import ANNA
from tests.client.waiting_for import running, synced, transport_of, until, until_state

pytestmark = pytest.mark.anyio

WAIT = 0.4


async def test_nothing_is_asked_before_the_wait_is_over(open_replica: OpenReplica, server: LoopbackServer) -> None:
    """Neither a sync nor a call of the JSON API, however often somebody tries."""
    replica = await open_replica("a", ANNA)
    await replica.sync()
    await replica.workouts.start(title="Push")
    server.throttled_seconds = WAIT
    with pytest.raises(Throttled, match="nothing is lost"):
        await replica.sync()
    refused_at = time.monotonic()
    server.throttled_seconds = 0.0
    answered = len(server.requests)
    while time.monotonic() < refused_at + WAIT - 0.05:
        with pytest.raises(Throttled):
            await replica.sync()
        with pytest.raises(Throttled):
            await replica._account.call("GET", "/api/devices", None)
        await anyio.sleep(0.03)
    assert (len(server.requests), server.refusals) == (answered, 1)
    await anyio.sleep(0.1)
    assert (await replica.sync()).acknowledged == 1


async def test_the_loop_goes_on_by_itself_and_a_nudge_does_not_hurry_it(
    open_replica: OpenReplica, server: LoopbackServer
) -> None:
    replica = await open_replica("a", ANNA)
    await replica.sync()
    await replica.workouts.start(title="Push")
    server.throttled_seconds = WAIT
    async with running(replica):
        await until_state(replica, "waiting")
        refused_at = time.monotonic()
        server.throttled_seconds = 0.0
        status = await replica.status()
        assert status.last_error == "the server asks this account to wait for 1 s; nothing is lost"
        for _ in range(5):
            replica.wake()
            await anyio.sleep(0.01)
        await synced(replica, 1)
        assert WAIT - 0.1 <= time.monotonic() - refused_at <= 3 * WAIT
    assert server.refusals == 1


async def test_a_live_frame_that_is_put_off_loses_nothing_and_is_not_asked_about_before(
    open_replica: OpenReplica, server: LoopbackServer
) -> None:
    """The answer says `retry` for its records; they stay in the outbox and go up when the wait is over."""
    replica = await open_replica("a", ANNA)
    transport_of(replica).live = True
    async with running(replica):
        await until_state(replica, "live")
        server.retry_after = WAIT
        await replica.workouts.start(title="Push")
        await until_state(replica, "waiting")
        put_off_at = time.monotonic()
        answered = len(server.requests)
        server.retry_after = 0.0
        for _ in range(5):
            replica.wake()
            with pytest.raises(Throttled):
                await replica.sync()
        assert (await replica.status()).pending == 1
        assert len(server.requests) == answered
        await synced(replica, 1)
        assert time.monotonic() - put_off_at >= WAIT - 0.1


async def test_the_status_tells_when_it_goes_on(open_replica: OpenReplica, server: LoopbackServer) -> None:
    replica = await open_replica("a", ANNA)
    await replica.sync()
    server.throttled_seconds = 50.0
    async with running(replica):

        async def planned() -> bool:
            return bool((await replica.status()).next_attempt_us > 0)

        await until(planned)
        status = await replica.status()
        assert status.state == "waiting"
        assert 49e6 <= status.next_attempt_us - status.last_attempt_us <= 57e6


async def test_saves_during_a_pause_do_not_lengthen_it(
    open_replica: OpenReplica, server: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An athlete who logs a set every minute must not keep a longer pause from ever ending."""
    monkeypatch.setattr(sync_loop, "PAUSE_SECONDS_MIN", 0.1)
    replica = await open_replica("a", ANNA)
    await replica.sync()
    server.throttled_seconds = WAIT
    async with running(replica):
        await until_state(replica, "waiting")
        server.throttled_seconds = 0.0
        began = time.monotonic()
        while (await replica.status()).state == "waiting":
            await replica.workouts.start(title="another")
            await anyio.sleep(0.02)
            assert time.monotonic() - began < 4 * WAIT
