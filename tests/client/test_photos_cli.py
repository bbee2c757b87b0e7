"""`apex photos` as a process of its own."""

from pathlib import Path

import pytest

from tests.client.apex_command import Terminal
from tests.client.conftest import OpenReplica
from tests.client.loopback import LoopbackServer
from tests.client.test_media_queue import photo
from tests.client.test_messages import pair

pytestmark = pytest.mark.anyio


def test_the_same_picture_is_named_and_one_of_the_two_removed(tmp_path: Path) -> None:
    apex, front, back = Terminal(tmp_path), photo(tmp_path), photo(tmp_path, "back.jpg", 50)
    assert "the same picture" not in apex("photos", "add", front, "--date", "2026-03-01").ok().text
    again = apex("photos", "add", front, "--date", "2026-03-01").ok().text
    assert "the same picture is there" in again and "apex photos remove" in again
    apex("photos", "remove", "2026-03-01").ok()
    assert len(apex.rows("SELECT 1 FROM progress_photos")) == len(apex.rows("SELECT 1 FROM media_queue")) == 1
    apex("photos", "add", back, "--date", "2026-03-01", "--side", "back").ok()
    assert "say which" in apex("photos", "remove", "2026-03-01").text
    apex("photos", "remove", "2026-03-01", "--side", "back").ok()
    apex("photos", "remove", "2026-03-01").ok()
    assert apex.rows("SELECT 1 FROM progress_photos") == apex.rows("SELECT 1 FROM media_queue") == []


async def test_a_coach_lists_photos_by_the_names_of_athletes(
    open_replica: OpenReplica, server: LoopbackServer, tmp_path: Path
) -> None:
    coach, athlete = await pair(open_replica, server)
    await athlete.photos.add(photo(tmp_path), type="front", day="2026-03-01")
    await athlete._loop.sync()
    await coach.sync()
    for replica in (coach, athlete):
        await replica.aclose()
    apex = Terminal(tmp_path, "coach")
    for words in ((), ("list", "--athlete", "anna")):
        assert "anna" in apex("photos", *words).ok().out
    refused = apex("photos", "remove", "2026-03-01")
    assert refused.code == 1 and "Traceback" not in refused.text
    assert "of your athletes" in apex("photos", "list", "--athlete", "Zoe").text
