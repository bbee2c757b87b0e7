"""Waiting until a replica is where a test wants it, in the background of which it syncs."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import anyio
from anyio.abc import TaskGroup

from apex_client import Replica
from tests.client.loopback_transport import LoopbackTransport

SECONDS_MAX = 5


@asynccontextmanager
async def running(*replicas: Replica) -> AsyncIterator[TaskGroup]:
    async with anyio.create_task_group() as tasks:
        for replica in replicas:
            tasks.start_soon(replica.run)
        yield tasks
        tasks.cancel_scope.cancel()


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    with anyio.fail_after(SECONDS_MAX):
        while not await condition():  # noqa: ASYNC110
            await anyio.sleep(0.005)


async def until_state(replica: Replica, state: str) -> None:
    async def reached() -> bool:
        return (await replica.status()).state == state

    await until(reached)


async def synced(replica: Replica, count: int) -> None:
    async def reached() -> bool:
        status = await replica.status()
        return (status.pending, status.synced) == (0, count)

    await until(reached)


async def until_no_error(replica: Replica) -> None:
    async def reached() -> bool:
        return (await replica.status()).last_error is None

    await until(reached)


def transport_of(replica: Replica) -> LoopbackTransport:
    transport = replica._account.transport
    assert isinstance(transport, LoopbackTransport)
    return transport
