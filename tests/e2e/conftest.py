"""One real server for all end-to-end tests: an own Postgres in a temporary directory, web processes, real HTTP.

Fixtures:

    portal          the event loop in which servers are supervised, so that a test that blocks does not stop that
    server          the session's server; a test may kill its web processes, which are started again, not its Postgres
    second_server   another server (web processes of its own) on the same database
    page            a tab of Chromium that lets no page break its own Content-Security-Policy, or throw
    athlete         somebody without an account yet, who opens devices with `athlete.device("phone")`
"""

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from playwright.sync_api import Browser, Page, sync_playwright

from apex_server.settings import Settings
from tests.e2e.whole_server import SECRET, Athlete, WholeServer, athlete_of, running_server

CHROMIUM_ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


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


@pytest.fixture(scope="module")
def browser(chromium_path: Path) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium_path, args=CHROMIUM_ARGUMENTS)
        yield started
        started.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.set_default_timeout(30_000)
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if "Security Policy" in message.text else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("dialog", lambda dialog: dialog.accept())
    yield page
    context.close()
    assert complaints == []
