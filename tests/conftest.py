"""What every test may rely on: the event loop, the real exports, and the programs that a mark asks for.

A machine without one of these skips the tests that need it and says why; in CI (`CI=true`) the same lack is a failure,
so that nothing is ever green for want of being run.
"""

import gc
import os
import shutil
from collections import Counter
from pathlib import Path
from typing import NoReturn

import pytest
from hypothesis import settings

ROOT = Path(__file__).parents[1]
DATA_DIR = ROOT.parent / "shared" / "data"
YJS_DIR = ROOT / "tests" / "yjs"
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")

# A busy machine is no defect: bounds on time stand in the tests that are about time.
settings.register_profile("apex", deadline=None, print_blob=True)
settings.load_profile("apex")


def pytest_configure(config: pytest.Config) -> None:
    """Keep xdist from an order of its own, which is most tests first; the longest files have few."""
    config.option.loadscopereorder = False


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """On several cores, begin with files that have slow tests and end with small ones, or one core waits at the end."""
    if hasattr(config, "workerinput"):
        tests = Counter(item.path for item in items)
        slow = {item.path for item in items if item.get_closest_marker("slow")}
        items.sort(key=lambda item: (item.path not in slow, -tests[item.path], str(item.path)))


def pytest_collection_finish() -> None:
    """Let garbage be looked for in what tests make alone: what was imported and collected is most of the memory."""
    gc.collect()
    gc.freeze()


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("needs_node"):
        require_node()
    if item.get_closest_marker("needs_chromium"):
        require_chromium()
    if item.get_closest_marker("needs_strace"):
        require_strace()


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Run async tests on asyncio alone: asyncpg and aiosqlite know no other loop."""
    return "asyncio"


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Give the directory of real exports, `../shared/data` beside the clone."""
    if not DATA_DIR.is_dir():
        lacking(f"the real exports are not here: no {DATA_DIR}")
    return DATA_DIR


@pytest.fixture(scope="session")
def chromium_path() -> Path:
    """Give the system's Chromium, for a browser that Playwright starts with `executable_path`."""
    return require_chromium()


def require_node() -> None:
    if shutil.which("node") is None:
        lacking("no node on this machine")
    if not (YJS_DIR / "node_modules" / "yjs").is_dir():
        lacking("the node packages are not installed: npm install --prefix tests/yjs")


def require_chromium() -> Path:
    found = next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)
    if found is None:
        lacking("no Chromium on this machine")
    return Path(found)


def require_strace() -> None:
    if shutil.which("strace") is None:
        lacking("no strace on this machine")


def lacking(reason: str) -> NoReturn:
    if os.environ.get("CI") == "true":
        pytest.fail(f"{reason}, and in CI it must be", pytrace=False)
    pytest.skip(reason)
