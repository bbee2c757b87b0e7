"""Processes of a server that crash again and again: each is started anew, and takes none of the others with it."""

from collections.abc import Iterator

import anyio
import httpx
import psutil
import pytest
from anyio.from_thread import BlockingPortal
from msgspec.structs import replace

from tests.e2e.whole_server import WholeServer, running_server, web_processes

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

CRASHES = 4
PATIENCE_SECONDS = 30.0


@pytest.fixture
def server_of_two(portal: BlockingPortal, server: WholeServer) -> Iterator[WholeServer]:
    with running_server(portal, replace(server.settings, workers=2)) as running:
        yield running


async def test_a_web_process_that_crashes_over_and_over_leaves_the_others_alone(server_of_two: WholeServer) -> None:
    """granian gives up when a process crashes twice in 5.5 seconds, and stops all that it started."""
    crashing, sound = await pairs(server_of_two)
    for _ in range(CRASHES):
        crashing.kill()
        crashing = await successor(server_of_two, crashing, sound)
    assert sound.is_running()
    assert sound.status() != psutil.STATUS_ZOMBIE
    async with httpx.AsyncClient(base_url=server_of_two.address, timeout=PATIENCE_SECONDS) as client:
        assert (await client.get("/ready")).is_success


async def pairs(server: WholeServer) -> list[psutil.Process]:
    with anyio.fail_after(PATIENCE_SECONDS):
        while len(found := web_processes(server, parents=False)) < 2:  # noqa: ASYNC110 - processes give no event.
            await anyio.sleep(0.05)
    return found


async def successor(server: WholeServer, crashed: psutil.Process, sound: psutil.Process) -> psutil.Process:
    """Wait for the process that takes the place of the crashed one, while the sound one goes on."""
    with anyio.fail_after(PATIENCE_SECONDS):
        while True:
            found = web_processes(server, parents=False)
            assert sound in found
            for process in found:
                if process not in (crashed, sound):
                    return process
            await anyio.sleep(0.05)
