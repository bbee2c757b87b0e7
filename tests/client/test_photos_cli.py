"""`apex photos` as a process of its own."""

from pathlib import Path
from typing import Any

import pytest

from tests.client.apex_command import Terminal
from tests.client.conftest import OpenReplica
from tests.client.loopback import LoopbackServer
from tests.client.test_media_queue import photo, upload
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
    assert "name one by its id" in apex("photos", "remove", "2026-03-01").text
    apex("photos", "remove", "2026-03-01", "--side", "back").ok()
    apex("photos", "remove", "2026-03-01").ok()
    assert apex.rows("SELECT 1 FROM progress_photos") == apex.rows("SELECT 1 FROM media_queue") == []


async def test_of_two_refused_photos_of_one_pose_and_day_the_one_that_is_named_is_removed(
    open_replica: OpenReplica, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    athlete = await open_replica("athlete")
    kept, gone = [
        await athlete.photos.add(photo(tmp_path, f"{shade}.jpg", shade), type="front", pose="relaxed", day="2026-03-01")
        for shade in (50, 90)
    ]

    async def request(method: str, path: str, body: Any = None) -> dict[str, Any]:
        return upload("refused", "not_a_picture")

    monkeypatch.setattr(athlete, "request", request)
    await athlete.media.upload()
    assert [item.refusal for item in await athlete.media.queue()] == ["not_a_picture", "not_a_picture"]
    await athlete.aclose()
    apex = Terminal(tmp_path, "athlete")
    refused = apex("photos", "remove", "2026-03-01", "--side", "front", "--pose", "relaxed")
    assert refused.code == 1 and "there are 2 photos of 2026-03-01; name one by its id" in refused.err
    listed = apex("photos").ok().out
    for one in (kept, gone):
        assert f"{one.id[-6:]} (front, relaxed, " in refused.err and one.id[-6:] in listed
    assert "no day and no id of a photo" in apex("photos", "remove", "absent").err
    apex("photos", "remove", gone.id[-6:]).ok()
    assert apex.rows("SELECT id FROM progress_photos") == [{"id": kept.id}]
    assert apex.rows("SELECT media_id FROM media_queue") == [{"media_id": kept.media_id}]


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
