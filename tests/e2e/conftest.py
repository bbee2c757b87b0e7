"""One real server for all end-to-end tests: an own Postgres in a temporary directory, web processes, real HTTP.

Fixtures:

    portal          the event loop in which servers are supervised, so that a test that blocks does not stop that
    server          the session's server; a test may kill its web processes, which are started again, not its Postgres
    second_server   another server (web processes of its own) on the same database
    athlete         somebody without an account yet, who opens devices with `athlete.device("phone")`
"""

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal

from apex_server.settings import Settings
from tests.e2e.whole_server import SECRET, Athlete, WholeServer, athlete_of, running_server


@pytest.fixture(scope="session")
def portal() -> Iterator[BlockingPortal]:
    with start_blocking_portal("asyncio") as started:
        yield started


@pytest.fixture(scope="session")
def server(portal: BlockingPortal) -> Iterator[WholeServer]:
    data_dir = Path(tempfile.mkdtemp(prefix="apex-e2e-"))
    try:
        with running_server(portal, Settings(data_dir=data_dir, secret=SECRET)) as running:
            yield running
    finally:
        shutil.rmtree(data_dir, ignore_errors=True)


@pytest.fixture(scope="session")
def second_server(portal: BlockingPortal, server: WholeServer) -> Iterator[WholeServer]:
    with running_server(portal, server.settings) as running:
        yield running


@pytest.fixture
async def athlete(server: WholeServer, tmp_path: Path) -> AsyncIterator[Athlete]:
    async with athlete_of(server, tmp_path) as somebody:
        yield somebody
