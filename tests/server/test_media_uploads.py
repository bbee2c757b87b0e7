"""Whose an upload is, and how much of them there may be: nobody's declaration stands in another's way."""

import asyncio
import shutil
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from apex_server.db.pool import APP_CONNECTIONS_MAX
from apex_server.limits.tiers import TIERS
from apex_server.media import MediaKeeper, handing_in
from tests.server.accounts_app import problem
from tests.server.media_parts import declared, hand_in, keep_media, picture, sha256
from tests.server.whole_app import Signed, WholeApp

pytestmark = pytest.mark.anyio

FILM = {"kind": "video", "content_type": "video/mp4", "size_bytes": 500_000_000}


@pytest.fixture
async def athlete(whole: WholeApp) -> Signed:
    return await whole.person("anna", "athlete")


@pytest.fixture
async def coach(whole: WholeApp, athlete: Signed) -> Signed:
    coach = await whole.person("carla", "coach")
    await whole.coaches(coach, athlete)
    return coach


async def declare(person: Signed, content: bytes, **changes: Any) -> dict[str, Any]:
    answer = await person("POST", "/api/media", declared(content) | changes)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def mark_store(whole: WholeApp) -> None:
    """Let the worker see once that the directory is this database's."""
    await MediaKeeper(
        whole.app.state.database, whole.app.state.media_store, now=lambda: datetime.now(UTC)
    ).note_strays()


async def status_of(person: Signed, content: bytes) -> int:
    return (await person("GET", f"/api/media/{sha256(content)}")).status_code


async def test_who_declares_wrongly_stops_nobody_else(whole: WholeApp, athlete: Signed, coach: Signed) -> None:
    content = picture()
    lies = {"size_bytes": len(content) + 7, "kind": "file", "content_type": "application/pdf"}
    await declare(coach, content, athlete_id=str(athlete.id), **lies)
    await hand_in(athlete, content)
    await keep_media(whole)
    assert await status_of(athlete, content) == 200
    told = await declare(coach, content, athlete_id=str(athlete.id), **lies)
    assert (told["state"], told["parts"]) == ("ready", []), "it is here, and nothing is replaced"


async def test_an_upload_is_gone_on_with_by_its_declarer_alone(whole: WholeApp, athlete: Signed, coach: Signed) -> None:
    content = picture()
    told = await declare(athlete, content)
    [part] = told["parts"]
    complete = f"/api/media/uploads/{told['upload_id']}/complete"
    assert problem(await coach("PUT", part["url"], content=bytes(len(content))))[0] == 404
    assert problem(await coach("POST", complete))[0] == 404
    assert (await athlete("PUT", part["url"], content=content)).status_code == 204
    assert (await athlete("POST", complete)).json()["state"] == "checking"


async def test_the_walls_beneath_hold_an_upload_to_its_declarer(
    whole: WholeApp, athlete: Signed, coach: Signed
) -> None:
    """Row-level security alone: others change nothing, and what is ready is changed by nobody."""
    upload_id = UUID((await declare(athlete, picture()))["upload_id"])
    media_id = await hand_in(athlete, picture(colour=(1, 2, 3)))
    await keep_media(whole)
    ready = await whole.owner.fetchval("SELECT id FROM media WHERE media_id = $1", media_id)
    for person, row, changed in (
        (coach, upload_id, 0),
        (coach, ready, 0),
        (athlete, ready, 0),
        (athlete, upload_id, 1),
    ):
        async with whole.app.state.database.request(person.id) as connection:
            assert await connection.execute("DELETE FROM media WHERE id = $1", row) == f"DELETE {changed}"
    upload_id = UUID((await declare(athlete, picture()))["upload_id"])
    for person, changed in ((coach, 0), (athlete, 1)):
        async with whole.app.state.database.request(person.id) as connection:
            told = await connection.execute("UPDATE media SET state = 'checking' WHERE id = $1", upload_id)
            assert told == f"UPDATE {changed}"


async def test_what_the_store_has_lost_is_taken_once_more_from_whoever_handed_it_in(
    whole: WholeApp, athlete: Signed, coach: Signed
) -> None:
    content, other = picture(), picture(colour=(1, 2, 3))
    for each in (content, other):
        await hand_in(athlete, each)
    await keep_media(whole)
    await mark_store(whole)
    for kept in await whole.owner.fetch("SELECT id FROM media WHERE media_id = $1", sha256(content)):
        shutil.rmtree(whole.app.state.media_store.root / str(kept["id"]))
    assert await status_of(athlete, content) == 404

    assert (await declare(coach, content, athlete_id=str(athlete.id)))["state"] == "ready", "it is not the coach's"
    assert (await declare(athlete, other))["state"] == "ready", "it is there"
    [part] = (told := await declare(athlete, content))["parts"]
    assert (await athlete("PUT", part["url"], content=other)).status_code == 422
    assert await declare(athlete, content) == told, "said twice it is the same upload"
    await hand_in(athlete, content)
    assert (await declare(athlete, content))["state"] == "checking"
    await keep_media(whole)

    assert await declare(athlete, content) == told | {"state": "ready", "parts": []}
    assert (await status_of(athlete, content), await status_of(coach, content)) == (200, 200)
    assert await whole.owner.fetchval("SELECT count(*) FROM media WHERE media_id = $1", sha256(content)) == 1


async def test_a_store_that_was_away_for_a_moment_costs_nothing(whole: WholeApp, athlete: Signed) -> None:
    """As when a disk is mounted late: the directory is there, and empty."""
    content = picture()
    await hand_in(athlete, content)
    await keep_media(whole)
    await mark_store(whole)
    root = whole.app.state.media_store.root
    away = root.rename(root.with_name("away"))
    root.mkdir()
    assert problem(await athlete("POST", "/api/media", declared(content)))[:2] == (503, "media_store_unavailable")
    root.rmdir()
    away.rename(root)
    await keep_media(whole)
    assert await status_of(athlete, content) == 200
    assert (await declare(athlete, content))["state"] == "ready"


async def test_what_the_store_seemed_to_have_lost_stays_until_it_is_there_again(
    whole: WholeApp, athlete: Signed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also in the quota, where it takes the same room; and what no record names any more is not read once more."""
    content = picture()
    monkeypatch.setattr(handing_in, "ROW_BYTES_MIN", TIERS["athlete_free"].media_bytes)
    await hand_in(athlete, content)
    await keep_media(whole)
    await mark_store(whole)
    await whole.owner.execute("UPDATE media SET was_named = true, unnamed_since = now()")
    named = "SELECT was_named, unnamed_since FROM media WHERE state = 'ready'"
    before = await whole.owner.fetch(named)
    [folder] = (each for each in whole.app.state.media_store.root.iterdir() if each.name != "databases")
    away = folder.rename(folder.with_name("away"))
    told = await declare(athlete, content)
    assert told["state"] == "open"
    await keep_media(whole)
    away.rename(folder)
    assert (await declare(athlete, content))["state"] == "ready", "it was there all the time"

    folder.rename(away)
    await hand_in(athlete, content)
    await keep_media(whole)
    assert (await declare(athlete, content))["upload_id"] == told["upload_id"]
    assert await whole.owner.fetch(named) == before
    assert await whole.owner.fetchval("SELECT count(*) FROM media") == 1


async def test_another_declaration_of_the_same_bytes_begins_anew(whole: WholeApp, athlete: Signed) -> None:
    content = picture(form="JPEG")
    first = await declare(athlete, content, size_bytes=len(content) + 7)
    again = await declare(athlete, content, content_type="image/jpeg")
    assert again["upload_id"] != first["upload_id"]
    assert again == await declare(athlete, content, content_type="image/jpeg"), "said twice it is the same upload"
    await hand_in(athlete, content, content_type="image/png")
    await keep_media(whole)
    wrong = await declare(athlete, content, content_type="image/png")
    assert (wrong["state"], wrong["refusal"], wrong["parts"]) == ("refused", "wrong_format", [])
    await hand_in(athlete, content, content_type="image/jpeg")
    await keep_media(whole)
    assert await status_of(athlete, content) == 200


async def test_an_upload_that_is_declared_otherwise_while_it_is_completed_is_gone(
    whole: WholeApp, athlete: Signed, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = picture()
    upload = await declare(athlete, content)
    await athlete("PUT", upload["parts"][0]["url"], content=content)
    store = whole.app.state.media_store
    assemble = store.assemble

    async def meanwhile(*args: Any) -> None:
        await declare(athlete, content, size_bytes=len(content) + 1)
        await assemble(*args)

    monkeypatch.setattr(store, "assemble", meanwhile)
    gone = await athlete("POST", f"/api/media/uploads/{upload['upload_id']}/complete")
    assert problem(gone)[:2] == (404, "not_found")


async def test_an_upload_that_is_completed_while_it_is_declared_otherwise_stays(
    whole: WholeApp, athlete: Signed
) -> None:
    upload = await declare(athlete, picture())
    async with whole.owner.transaction():
        await whole.owner.execute("UPDATE media SET state = 'checking'")
        otherwise = asyncio.create_task(declare(athlete, picture(), content_type="image/jpeg"))
        async with asyncio.timeout(20):
            while not await whole.owner.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):  # noqa: ASYNC110 - Postgres tells nobody.
                await asyncio.sleep(0.01)
    told = await otherwise
    assert (told["upload_id"], told["state"]) == (upload["upload_id"], "checking")
    assert len(list(whole.app.state.media_store.root.iterdir())) == 1, "what was not begun is not left in the store"


async def test_media_declared_at_once_are_counted_one_after_the_other(whole: WholeApp, athlete: Signed) -> None:
    answers = await asyncio.gather(
        *(athlete("POST", "/api/media", FILM | {"media_id": f"{number:064x}"}) for number in range(12))
    )
    assert sorted(answer.status_code for answer in answers) == [200] * 4 + [409] * 8
    told = await whole.owner.fetchval("SELECT sum(size_bytes) FROM media")
    assert told <= TIERS["athlete_free"].media_bytes
    assert len(list(whole.app.state.media_store.root.iterdir())) == 4, "what was not taken is not begun in the store"


async def test_one_file_that_is_declared_twice_at_once_is_one_upload(whole: WholeApp, athlete: Signed) -> None:
    told = await asyncio.gather(*(declare(athlete, picture()) for _ in range(5)))
    assert len({each["upload_id"] for each in told}) == 1
    assert len(list(whole.app.state.media_store.root.iterdir())) == 1


async def test_the_quota_counts_what_its_person_can_no_longer_see(
    whole: WholeApp, athlete: Signed, coach: Signed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handing_in, "ROW_BYTES_MIN", TIERS["coach_solo"].media_bytes // 2)
    for shade in (1, 2):
        await declare(coach, picture(colour=(shade, 0, 0)), athlete_id=str(athlete.id))
    assert (await coach("DELETE", f"/api/clients/{athlete.id}/link")).status_code == 204
    full = await coach("POST", "/api/media", declared(picture(), scope=f"coach:{coach.id}"))
    assert problem(full)[:2] == (409, "media_full")
    assert "larger tier" in full.json()["next_step"]


async def test_the_smallest_file_takes_some_room_and_one_that_was_refused_takes_none(
    whole: WholeApp, athlete: Signed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So a quota bounds the number of files, too."""
    monkeypatch.setattr(handing_in, "ROW_BYTES_MIN", TIERS["athlete_free"].media_bytes // 3)
    contents = [picture(colour=(shade, 0, 0)) for shade in range(4)]
    for content in contents[:3]:
        await declare(athlete, content)
    assert problem(await athlete("POST", "/api/media", declared(contents[3])))[:2] == (409, "media_full")
    await hand_in(athlete, contents[0], content_type="image/jpeg")
    await keep_media(whole)
    assert (await declare(athlete, contents[0], content_type="image/jpeg"))["state"] == "refused"
    await declare(athlete, contents[3])


async def test_a_picture_counts_for_what_is_kept_of_it(whole: WholeApp, athlete: Signed) -> None:
    """A few bytes that are drawn as many would pass the quota else."""
    content = picture(2000, 2000, colour=(1, 2, 3))
    await hand_in(athlete, content)
    await keep_media(whole)
    async with whole.app.state.database.request(athlete.id) as connection:
        counted = await connection.fetchval("SELECT apex_media_bytes(1)")
    kept = await whole.owner.fetchval("SELECT stored_bytes + thumbnail_bytes FROM media")
    assert counted == kept > len(content)


async def test_nobodys_connection_waits_for_a_slow_store(
    whole: WholeApp, athlete: Signed, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = whole.app.state.media_store
    begin, asked, answers = store.begin, asyncio.Semaphore(0), asyncio.Event()

    async def slow(upload_id: UUID) -> str:
        asked.release()
        await answers.wait()
        return str(await begin(upload_id))

    monkeypatch.setattr(store, "begin", slow)
    contents = [picture(colour=(shade, 0, 0)) for shade in range(APP_CONNECTIONS_MAX + 2)]
    waiting = [asyncio.create_task(declare(athlete, content)) for content in contents]
    for _ in contents:
        await asyncio.wait_for(asked.acquire(), 30)
    async with asyncio.timeout(5):  # Half of what a request waits for a connection.
        assert (await athlete("GET", "/api/workouts")).status_code == 200
    answers.set()
    assert {told["state"] for told in await asyncio.gather(*waiting)} == {"open"}
