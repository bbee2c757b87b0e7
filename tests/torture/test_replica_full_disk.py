"""A device on a full disk says so and can be read; every page with `make torture PARTS=replica_full_disk`."""

from pathlib import Path

import pytest

from apex_client import searching
from tests.torture.replica_full_disk import BALLASTS_BYTES, CI_BALLASTS, filled_everywhere, may_mount, open_without_room


@pytest.fixture(autouse=True)
def _needs_a_small_disk(tmp_path: Path) -> None:
    if not may_mount(tmp_path):
        pytest.skip("no file system may be mounted here")


def test_a_device_on_a_full_disk_loses_nothing_and_can_be_read(tmp_path: Path) -> None:
    outcome = filled_everywhere(tmp_path, BALLASTS_BYTES[:: len(BALLASTS_BYTES) // CI_BALLASTS])
    assert outcome.runs >= CI_BALLASTS
    assert outcome.failures == []


def test_a_device_that_cannot_even_be_opened_says_that_the_disk_is_full(tmp_path: Path) -> None:
    open_without_room(tmp_path)


def test_a_search_that_has_to_write_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searching, "index_what_fits", searching.index_words)
    assert filled_everywhere(tmp_path, BALLASTS_BYTES[:3]).failures, "the room ends at another page each time"
