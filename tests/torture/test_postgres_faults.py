"""Some of each fault of Postgres, under the whole server; `make torture` makes hundreds. Takes about a minute."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import anyio
import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal

from apex_server.db.roles import APP_ROLE, login_url
from apex_server.serving import until_ready
from tests.server.sync_world import SECRET
from tests.torture.postgres_arena import Arena, arena_on
from tests.torture.postgres_cluster import own_cluster
from tests.torture.postgres_faults import OPTIONS, Fault, hurt, torture
from tests.torture.report import Scale

pytestmark = pytest.mark.slow

OUTAGE_SECONDS = 8.0
"""Long enough for granian to give up starting a web process, so that it has to be started anew itself."""


def test_devices_get_through_every_fault() -> None:
    outcomes = list(torture(Scale.CI))
    assert sum(outcome.runs for outcome in outcomes) >= 29
    assert [failure for outcome in outcomes for failure in outcome.failures] == []


@asynccontextmanager
async def nothing(_arena: Arena) -> AsyncIterator[None]:
    yield


@asynccontextmanager
async def a_record_lost(arena: Arena) -> AsyncIterator[None]:
    """What was acknowledged is gone, and the scope does not know."""
    await arena.world.sql(
        "DELETE FROM records WHERE (scope_id, record_id) IN ("
        "SELECT scope_id, record_id FROM records JOIN scopes USING (scope_id) WHERE name LIKE 'athlete:%' LIMIT 1)"
    )
    yield


@asynccontextmanager
async def a_wrong_statement(arena: Arena) -> AsyncIterator[None]:
    """The server fails, and says so."""
    await arena.world.sql("ALTER TABLE audit RENAME TO elsewhere")
    await anyio.sleep(0.5)
    await arena.world.sql("ALTER TABLE elsewhere RENAME TO audit")
    yield


@asynccontextmanager
async def a_process_dead(arena: Arena) -> AsyncIterator[None]:
    """The worker ends; another is started, but this one is gone."""
    [worker] = [process for process in arena.server.processes if process.cmdline()[-1] == "worker"]
    worker.kill()
    yield


@pytest.fixture(scope="module")
def portal() -> Iterator[BlockingPortal]:
    with start_blocking_portal("asyncio") as started:
        yield started


@pytest.fixture(scope="module")
def arena(portal: BlockingPortal) -> Iterator[Arena]:
    with (
        own_cluster(OPTIONS) as cluster,
        cluster.database() as url,
        portal.wrap_async_context_manager(arena_on(cluster, url)) as ready,
    ):
        yield ready


def test_connections_that_are_left_are_noticed(portal: BlockingPortal, arena: Arena) -> None:
    portal.call(leak, arena)


async def leak(arena: Arena) -> None:
    await arena.until_tidy()
    async with arena.owner(login_url(arena.url, APP_ROLE, SECRET)) as left, left.transaction():
        with pytest.raises(AssertionError, match="connections are left"):
            await arena.until_tidy(seconds=2.0)


@pytest.mark.parametrize(
    ("planted", "complaint"),
    [
        (a_record_lost, "differs from the server|ops are lost"),
        (a_wrong_statement, "answers, the first .* 500 "),
        (a_process_dead, "died"),
    ],
)
def test_what_must_not_happen_is_noticed(portal: BlockingPortal, arena: Arena, planted: Fault, complaint: str) -> None:
    portal.call(arena.change_crew)
    portal.call(hurt, arena, nothing)
    with pytest.raises(AssertionError, match=complaint):
        portal.call(hurt, arena, planted)


def test_processes_that_start_during_an_outage_serve_once_it_is_over(portal: BlockingPortal, arena: Arena) -> None:
    portal.call(restart_in_an_outage, arena)


async def restart_in_an_outage(arena: Arena) -> None:
    await arena.proxy.refuse()
    for process in arena.server.children():
        process.kill()
    await anyio.sleep(OUTAGE_SECONDS)
    await arena.proxy.heal()
    await until_ready(arena.server.address)
    await arena.change_crew()
