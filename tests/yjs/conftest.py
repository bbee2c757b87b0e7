"""What the tests against other Yjs implementations share: one process of each."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine.conftest import pycrdt
from tests.yjs.yjs_process import Yjs

__all__ = ["pycrdt", "yjs"]


@pytest.fixture(scope="session")
def yjs() -> Iterator[Yjs]:
    """Give the real yjs."""
    worker = Path(__file__).with_name("worker.mjs")
    with subprocess.Popen(
        ["node", str(worker)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
    ) as process:
        yield Yjs(process)
        assert process.stdin is not None
        process.stdin.close()
