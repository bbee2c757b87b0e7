"""Which media records name, whatever leaf names them; and what becomes of media that none names any more."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from apex_server.db import Database
from apex_server.media import MediaKeeper
from apex_sync.ids import Scope, thread_scope
from apex_sync.models import COLLECTIONS
from tests.server.media_parts import hand_in, keep_media, picture, sha256
from tests.server.sync_world import World
from tests.server.whole_app import Signed, WholeApp

pytestmark = pytest.mark.anyio

MEDIA_ID = sha256(picture())


def leaves_of(schema: Any, parts: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    """List the paths of all leaves of a JSON Schema; the key of an entry is `k1`."""
    kinds = schema.get("anyOf", [schema])
    for kind in kinds:
        kind = parts[kind["$ref"].rpartition("/")[2]] if "$ref" in kind else kind
        inner = {"k1": kind["additionalProperties"]} if isinstance(kind.get("additionalProperties"), dict) else {}
        for name, below in (kind.get("properties", {}) | inner).items():
            yield from ((name, *path) for path in leaves_of(below, parts))
        if not kind.get("properties") and not inner:
            yield ()


NAMING = sorted(
    (collection.name, path)
    for collection in COLLECTIONS.values()
    for [schema], parts in [msgspec.json.schema_components([collection.model], ref_template="{name}")]
    for path in set(leaves_of(schema, parts))
    if path and path[-1].endswith("media_id")
)


def test_the_leaves_that_name_media_are_found() -> None:
    assert ("check_ins", ("photos", "k1", "media_id")) in NAMING and len(NAMING) >= 7


def patch_of(path: tuple[str, ...], value: str | None) -> dict[str, Any]:
    """Write one leaf, and beside it what makes a message one."""
    patch: Any = value
    for name in reversed(path):
        patch = {name: patch}
    if path[0] in ("coach", "athlete"):
        patch[path[0]] |= {"type": "image", "sent_at": "2026-03-01T18:05:00.000Z"}
    return dict(patch)


@pytest.mark.parametrize(("collection", "path"), NAMING, ids=lambda each: ".".join(each) if each is not str else each)
async def test_media_know_that_a_leaf_names_them_and_that_it_did(
    db: Database, database_url: str, collection: str, path: tuple[str, ...]
) -> None:
    world = await World(db, database_url).open()
    athlete = await world.athlete()
    coach = await world.coach(athlete)
    person = coach if path[0] == "coach" else athlete
    scope = thread_scope(str(coach), str(athlete)) if collection == "messages" else f"athlete:{athlete}"
    await world.sql(
        "INSERT INTO media (id, scope, scope_id, owner_id, media_id, kind, content_type, size_bytes, uploaded_by, "
        "handle, declared_at) VALUES ($1, $2, $3, $4, $5, 'photo', 'image/png', 1, $4, '', now())",
        uuid4(), scope, Scope.parse(scope).id, athlete, MEDIA_ID,
    )  # fmt: skip
    device = await world.device(person)

    async def known() -> tuple[int, bool]:
        [row] = await world.sql(
            "SELECT (SELECT count(*) FROM named_media WHERE media_id = media.media_id) AS names, was_named FROM media"
        )
        return row["names"], row["was_named"]

    deleted = {path[0]: {"deleted": True}} if collection == "messages" else {"deleted": True}
    assert await known() == (0, False)
    for left in (patch_of(path, "0" * 64), deleted):
        record_id = device.write(patch_of(path, MEDIA_ID), collection=collection, scope=scope)
        await device.sync()
        assert await known() == (1, False)
        device.write(left, record_id, collection=collection, scope=scope)
        await device.sync()
        assert not device.refusals
        assert await known() == (0, True)
        await world.sql("UPDATE media SET was_named = false")


async def house_is_kept_after(whole: WholeApp, **span: float) -> None:
    """Let the worker come by so long from now."""
    state, now = whole.app.state, datetime.now(UTC) + timedelta(**span)
    keeper = MediaKeeper(state.database, state.media_store, now=lambda: now)
    await keeper.forget_deleted()
    await keeper.sweep()


async def status_of(person: Signed, media_id: str) -> int:
    return (await person("GET", f"/api/media/{media_id}")).status_code


async def test_pictures_of_check_ins_and_those_that_nothing_names_yet_stay(whole: WholeApp) -> None:
    athlete = await whole.person("anna", "athlete")
    named, late = picture(), picture(colour=(1, 2, 3))
    for content in (named, late):
        await hand_in(athlete, content)
    await keep_media(whole)
    shown = [{"media_id": sha256(named)}]
    assert (await athlete("POST", "/api/checkins", {"date": "2026-03-01", "photos": shown})).status_code == 201
    for days in (0, 31, 62, 93):
        await house_is_kept_after(whole, days=days)
    assert [await status_of(athlete, sha256(content)) for content in (named, late)] == [200, 200]


async def test_a_picture_that_a_check_in_names_outlives_its_photo(whole: WholeApp) -> None:
    athlete = await whole.person("anna", "athlete")
    media_id = await hand_in(athlete, picture())
    await keep_media(whole)
    shown = [{"media_id": media_id}]
    await athlete("POST", "/api/checkins", {"date": "2026-03-01", "photos": shown})
    photo = (await athlete("POST", "/api/progress/photos", {"media_id": media_id, "date": "2026-03-01"})).json()
    assert (await athlete("DELETE", f"/api/progress/photos/{photo['id']}")).status_code == 204
    for days in (0, 31, 62):
        await house_is_kept_after(whole, days=days)
    assert await status_of(athlete, media_id) == 200


async def test_nobody_keeps_a_deleted_photo_by_naming_it_elsewhere(whole: WholeApp) -> None:
    athlete, coach = await whole.person("anna", "athlete"), await whole.person("carla", "coach")
    stranger = await whole.person("otto", "athlete")
    await whole.coaches(coach, athlete)
    media_id = await hand_in(athlete, picture())
    await keep_media(whole)
    photo = (await athlete("POST", "/api/progress/photos", {"media_id": media_id, "date": "2026-03-01"})).json()
    thread = Scope.parse(thread_scope(str(coach.id), str(athlete.id)))
    sent = await coach("POST", "/api/messages", {"thread_id": str(thread.id), "type": "image", "media_id": media_id})
    shown = await stranger("POST", "/api/checkins", {"date": "2026-03-01", "photos": [{"media_id": media_id}]})
    assert (sent.status_code, shown.status_code) == (201, 201)
    people = (athlete, coach, stranger)
    assert [await status_of(each, media_id) for each in people] == [200, 200, 404]
    assert (await athlete("DELETE", f"/api/progress/photos/{photo['id']}")).status_code == 204
    assert [await status_of(each, media_id) for each in people] == [404, 404, 404]
    for days in (0, 31):
        await house_is_kept_after(whole, days=days)
    assert await whole.owner.fetchval("SELECT count(*) FROM media") == 0


async def test_a_photo_that_its_scope_names_again_stays_and_another_scope_names_nothing(whole: WholeApp) -> None:
    athlete, stranger = await whole.person("anna", "athlete"), await whole.person("otto", "athlete")
    media_id = await hand_in(athlete, picture())
    await keep_media(whole)
    photo = (await athlete("POST", "/api/progress/photos", {"media_id": media_id, "date": "2026-03-01"})).json()
    await athlete("DELETE", f"/api/progress/photos/{photo['id']}")
    await house_is_kept_after(whole, days=0)
    shown = {"date": "2026-03-01", "photos": [{"media_id": media_id}]}
    unnamed = "SELECT count(*) FROM media WHERE unnamed_since IS NOT NULL"
    for person, left in ((stranger, 1), (athlete, 0)):
        assert (await person("POST", "/api/checkins", shown)).status_code == 201
        await house_is_kept_after(whole, days=0)
        assert await whole.owner.fetchval(unnamed) == left


async def test_what_a_message_carried_is_read_by_nobody_once_it_is_taken_back(whole: WholeApp) -> None:
    athlete, coach = await whole.person("anna", "athlete"), await whole.person("carla", "coach")
    await whole.coaches(coach, athlete)
    scope = Scope.parse(thread_scope(str(coach.id), str(athlete.id)))
    media_id = await hand_in(athlete, picture(), scope=scope.name, kind="image")
    sent = {"thread_id": str(scope.id), "type": "image", "media_id": media_id}
    twice = [(await athlete("POST", "/api/messages", sent)).json()["id"] for _ in range(2)]
    await keep_media(whole)
    for message_id, left in zip(twice, (200, 404), strict=True):
        assert (await athlete("DELETE", f"/api/messages/{message_id}")).status_code in (200, 204)
        assert [await status_of(each, media_id) for each in (coach, athlete)] == [left, left]
    for days in (0, 31):
        await house_is_kept_after(whole, days=days)
    assert await whole.owner.fetchval("SELECT count(*) FROM media") == 0
