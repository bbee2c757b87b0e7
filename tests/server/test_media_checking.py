"""The worker and what came in: whose turn it is, what is refused for good, and that nothing stays in the clear."""

import os
import signal
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from apex_server.media import MediaKeeper, pictures
from apex_server.media.errors import MediaStoreAway
from tests.server.media_parts import declared, hand_in, keep_media, picture, sha256
from tests.server.whole_app import Signed, WholeApp

pytestmark = pytest.mark.anyio

PLACE = b"canary-of-a-bedroom"


@pytest.fixture
async def athlete(whole: WholeApp) -> Signed:
    return await whole.person("anna", "athlete")


def keeper_of(whole: WholeApp, **later: float) -> MediaKeeper:
    """Give a worker of so long from now."""
    now = datetime.now(UTC) + timedelta(**later)
    return MediaKeeper(whole.app.state.database, whole.app.state.media_store, now=lambda: now)


async def told_of(person: Signed, content: bytes, **more: Any) -> dict[str, Any]:
    return dict((await person("POST", "/api/media", declared(content, **more))).json())


def files_of(whole: WholeApp) -> list[Path]:
    return [path for path in whole.app.state.media_store.root.rglob("*") if path.is_file()]


async def test_somebodys_many_pictures_keep_another_waiting_for_one(whole: WholeApp, athlete: Signed) -> None:
    other = await whole.person("ben", "athlete")
    for shade in range(6):
        await hand_in(athlete, picture(colour=(shade, 0, 0)))
    keeper = keeper_of(whole)
    assert await keeper.check_next()
    for round_ in range(2):  # Also whoever had a turn before comes before one who had theirs since.
        media_id = await hand_in(other, picture(colour=(0, round_, 9)))
        assert await keeper.check_next()
        assert (await other("GET", f"/api/media/{media_id}")).status_code == 200
        assert await keeper.check_next()
    await keeper.check_all()
    assert await whole.owner.fetchval("SELECT count(*) FROM media WHERE state = 'ready'") == 8


async def test_who_begins_anew_does_not_jump_the_queue(whole: WholeApp, athlete: Signed) -> None:
    """Bytes that are not the announced ones are refused and forgotten, and their sender's turn is not."""
    other = await whole.person("ben", "athlete")
    contents = [picture(colour=(shade, 0, 0)) for shade in range(3)]

    async def spoil(content: bytes) -> None:
        told = await told_of(athlete, content)
        assert (await athlete("PUT", told["parts"][0]["url"], content=bytes(len(content)))).status_code == 204
        await athlete("POST", f"/api/media/uploads/{told['upload_id']}/complete")

    for content in contents:
        await spoil(content)
    keeper = keeper_of(whole)
    await keeper.check_next()
    await spoil(contents[0])
    media_id = await hand_in(other, picture())
    await keeper.check_next()
    assert (await other("GET", f"/api/media/{media_id}")).status_code == 200


async def test_what_came_in_goes_though_the_store_fails_at_first(
    whole: WholeApp, athlete: Signed, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = whole.app.state.media_store
    taken, refused = picture(form="JPEG", comment=PLACE), PLACE + bytes(500)
    for content in (taken, refused):
        await hand_in(athlete, content, content_type="image/jpeg")

    async def away(*_args: Any, **_named: Any) -> None:
        raise MediaStoreAway

    with monkeypatch.context() as broken:
        broken.setattr(store, "delete", away)
        for _ in range(2):
            with pytest.raises(MediaStoreAway):
                await keeper_of(whole).check_all()
            with pytest.raises(MediaStoreAway):
                await keeper_of(whole).sweep()
    assert [PLACE in path.read_bytes() for path in files_of(whole) if path.name == "raw"] == [True, True]
    await keeper_of(whole).sweep()
    assert sorted(path.name for path in files_of(whole)) == ["original", "thumbnail"]
    assert (await athlete("GET", f"/api/media/{sha256(taken)}")).status_code == 200


async def test_one_object_that_the_store_does_not_delete_holds_up_no_other(
    whole: WholeApp, athlete: Signed, monkeypatch: pytest.MonkeyPatch
) -> None:
    for shade in range(3):
        await hand_in(athlete, picture(colour=(shade, 0, 0)))
    store = whole.app.state.media_store
    delete, stuck = store.delete, await whole.owner.fetchval("SELECT min(id::text)::uuid FROM media")
    await whole.owner.execute("DELETE FROM media")

    async def partly_away(upload_id: UUID, handle: str, **more: Any) -> None:
        if upload_id == stuck:
            raise MediaStoreAway
        await delete(upload_id, handle, **more)

    monkeypatch.setattr(store, "delete", partly_away)
    with pytest.raises(MediaStoreAway):
        await keeper_of(whole).sweep()
    with pytest.raises(MediaStoreAway):
        await keeper_of(whole, seconds=10).sweep()
    assert [path.parent.name for path in files_of(whole)] == [str(stuck)]


async def test_what_lies_in_the_store_without_a_row_goes_after_thirty_days(whole: WholeApp, athlete: Signed) -> None:
    """As after a restored backup: the row of what came after it is gone, and everything else of it is there."""
    strayed, kept = await hand_in(athlete, picture()), await hand_in(athlete, picture(colour=(1, 2, 3)))
    await keep_media(whole)
    root = whole.app.state.media_store.root
    (root / "lost+found").mkdir()
    async with whole.owner.transaction():
        await whole.owner.execute("SET LOCAL session_replication_role = replica")
        stray = await whole.owner.fetchval("DELETE FROM media WHERE media_id = $1 RETURNING id", strayed)
    row = await whole.owner.fetchval("SELECT id FROM media WHERE media_id = $1", kept)

    await keeper_of(whole).note_strays()
    assert await whole.owner.fetchval("SELECT count(*) FROM media_garbage") == 0, "it may be on its way to its row"
    for days in (2, 20, 31):
        await keeper_of(whole, days=days).note_strays()
        await keeper_of(whole, days=days).sweep()
        assert (root / str(stray)).exists(), days
    await keeper_of(whole, days=33).sweep()

    assert sorted(each.name for each in root.iterdir()) == sorted(["databases", "lost+found", str(row)])
    assert await whole.owner.fetchval("SELECT count(*) FROM media_garbage") == 0


async def forget_rows(whole: WholeApp) -> None:
    async with whole.owner.transaction():
        await whole.owner.execute("SET LOCAL session_replication_role = replica")
        await whole.owner.execute("DELETE FROM media")


async def become_another_database(whole: WholeApp) -> None:
    await whole.owner.execute("UPDATE server_identity SET database_id = gen_random_uuid()")


@pytest.mark.parametrize("other_is_first", [False, True], ids=["a newcomer", "whoever was there first"])
async def test_a_database_takes_away_nothing_of_another_that_uses_the_same_directory(
    whole: WholeApp, athlete: Signed, other_is_first: bool
) -> None:
    """As when a staging server runs beside production, with photos of its own in the same directory."""
    root = whole.app.state.media_store.root
    await hand_in(athlete, picture())
    await keep_media(whole)
    productions = [each.name for each in root.iterdir()]
    if not other_is_first:
        await keeper_of(whole).note_strays()
    await forget_rows(whole)
    production = await whole.owner.fetchval("SELECT database_id FROM server_identity")
    await become_another_database(whole)
    await hand_in(athlete, picture(colour=(1, 2, 3)))
    await keep_media(whole)
    await keeper_of(whole, days=2).note_strays()
    if other_is_first:
        assert await whole.owner.fetchval("SELECT count(*) FROM media_garbage") == 1
        await whole.app.state.media_store.mark(production)
    await keeper_of(whole, days=33).note_strays()
    await keeper_of(whole, days=66).sweep()
    assert all((root / name / "original").exists() for name in productions)
    assert await whole.owner.fetchval("SELECT count(*) FROM media_garbage") == 0


async def test_an_empty_database_takes_away_nothing(whole: WholeApp, athlete: Signed) -> None:
    """As when a server is started on the data directory of another, or its database is lost."""
    await hand_in(athlete, picture())
    await keep_media(whole)
    before = files_of(whole)
    await forget_rows(whole)
    for days in (2, 33, 66):
        await keeper_of(whole, days=days).note_strays()
        await keeper_of(whole, days=days).sweep()
    assert files_of(whole) == before


async def test_what_was_erased_while_it_was_looked_at_leaves_nothing(
    whole: WholeApp, athlete: Signed, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = whole.app.state.media_store
    await hand_in(athlete, picture())
    put = store.put

    async def slow(*args: Any) -> None:
        await whole.owner.execute("DELETE FROM media")
        await keeper_of(whole).sweep()
        await put(*args)

    monkeypatch.setattr(store, "put", slow)
    await keep_media(whole)
    assert not files_of(whole)
    assert await whole.owner.fetchval("SELECT count(*) FROM media_garbage") == 0


async def test_a_worker_that_comes_second_spoils_nothing(
    whole: WholeApp, athlete: Signed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One took so long that another took over, and both come to an end."""
    store = whole.app.state.media_store
    media_id = await hand_in(athlete, picture())
    put = store.put
    others = [keeper_of(whole, hours=1)]

    async def slow(*args: Any) -> None:
        await put(*args)
        if others:
            await others.pop().check_next()

    monkeypatch.setattr(store, "put", slow)
    await keep_media(whole)
    assert not others
    assert sorted(path.name for path in files_of(whole)) == ["original", "thumbnail"]
    assert (await athlete("GET", f"/api/media/{media_id}")).status_code == 200


async def test_a_refusal_is_told_for_a_week(whole: WholeApp, athlete: Signed) -> None:
    content = bytes(500)
    await hand_in(athlete, content)
    await keep_media(whole)
    await keeper_of(whole, days=6).sweep()
    assert (await told_of(athlete, content))["refusal"] == "wrong_format"
    await keeper_of(whole, days=8).sweep()
    assert await whole.owner.fetchval("SELECT count(*) FROM media") == 0


def ends_by(number: int) -> str:
    return f"import os; os.kill(os.getpid(), {number})"


ENDS = {
    "killed": (ends_by(signal.SIGKILL), None),
    "asked to end": (ends_by(signal.SIGTERM), None),
    "no program": ("raise ImportError", None),
    "crashed": (ends_by(signal.SIGSEGV), "not_a_picture"),
    "given up": (ends_by(signal.SIGABRT), "not_a_picture"),
    "out of time": (
        "import resource; resource.setrlimit(resource.RLIMIT_CPU, (0, 1))\nwhile True: pass",
        "takes_too_long",
    ),
}


@pytest.mark.parametrize("how", ENDS)
async def test_how_the_program_ends_says_whose_fault_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    ending, refusal = ENDS[how]
    program = tmp_path / "ends.py"
    program.write_text(f"import sys; sys.stdin.buffer.read()\n{ending}\n")
    monkeypatch.setattr(pictures, "PROGRAM", program)
    with pytest.raises(pictures.PictureRefused if refusal else pictures.DrawingBroke, match=refusal):
        await pictures.draw(b"x", "image/png")


async def test_a_program_that_hangs_is_the_machines_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "hangs.py"
    program.write_text("import time; time.sleep(60)")
    monkeypatch.setattr(pictures, "PROGRAM", program)
    monkeypatch.setattr(pictures, "SECONDS_MAX", 0.5)
    with pytest.raises(pictures.DrawingBroke):
        await pictures.draw(b"x", "image/png")


async def test_a_picture_that_could_not_be_drawn_is_tried_again_and_then_may_come_again(
    whole: WholeApp, athlete: Signed, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = picture()
    await hand_in(athlete, content)
    with monkeypatch.context() as loaded:
        loaded.setattr(pictures, "SECONDS_MAX", 0.0)
        assert await keeper_of(whole).check_next()
        assert not await keeper_of(whole).check_next(), "not at once: what kept it from being drawn may pass"
    await keeper_of(whole, hours=1).check_all()
    assert (await told_of(athlete, content))["state"] == "ready"

    again = picture(colour=(1, 2, 3))
    await hand_in(athlete, again)
    with monkeypatch.context() as loaded:
        loaded.setattr(pictures, "SECONDS_MAX", 0.0)
        for hours in range(4):
            assert (await told_of(athlete, again))["state"] == "checking"
            await keeper_of(whole, hours=hours).check_all()
    told = await told_of(athlete, again)
    assert (told["state"], len(told["parts"])) == ("open", 1), "refused for what passes, it may come again at once"


def tall(content: bytes) -> bytes:
    """Let a PNG of 1 x 1 pixels say it is of a decoder's nightmares."""
    return content[:16] + (60_000).to_bytes(4) + (60_000).to_bytes(4) + content[24:]


SPOILING: dict[str, Callable[[bytes], bytes]] = {
    "cut": lambda content: content[: len(content) // 2],
    "turned over": lambda content: content[:8] + content[8:][::-1],
    "noise": lambda content: content[:8] + os.urandom(400),
    "tall": tall,
}


@pytest.mark.parametrize("how", SPOILING)
@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
async def test_spoilt_pictures_are_refused_for_what_they_are(form: str, how: str) -> None:
    """Whatever the decoder trips over, it is not taken for the machine's fault, and tried thrice."""
    content = SPOILING[how](picture(form=form))
    with pytest.raises(pictures.PictureRefused):
        await pictures.draw(content, f"image/{form.lower()}")
