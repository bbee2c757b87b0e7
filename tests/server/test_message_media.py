"""Media in messages: handed in to a thread, read by the two who write there and by nobody else."""

from uuid import UUID

import pytest

from apex_sync.ids import Scope, thread_scope
from apex_sync.models import DEVICE_KEYS
from apex_sync.models.device_keys import device_keys_id
from tests.server.accounts_app import problem
from tests.server.media_parts import keep_media, picture, sha256
from tests.server.whole_app import Signed, WholeApp

pytestmark = pytest.mark.anyio

RECORDING = b"OggS" + bytes(3000)


async def hand_in(person: Signed, thread_id: str, path: str, content: bytes, content_type: str) -> str:
    """Hand bytes in to a thread, as an app without the SDK does."""
    told = {"media_id": sha256(content), "size_bytes": len(content), "content_type": content_type}
    answer = await person("POST", f"/api/messages/{path}", {"thread_id": thread_id, **told})
    assert answer.status_code == 200, answer.text
    upload = answer.json()
    for part in upload["parts"]:
        assert (await person("PUT", part["url"], content=content)).status_code == 204
    done = await person("POST", f"/api/media/uploads/{upload['upload_id']}/complete")
    assert done.status_code == 200, done.text
    return str(upload["media_id"])


async def test_the_two_of_a_thread_hear_a_recording_and_nobody_else_does(whole: WholeApp) -> None:
    athlete, coach = await whole.person("anna", "athlete"), await whole.person("carla", "coach")
    other = await whole.person("otto", "coach")
    for each in (coach, other):
        await whole.coaches(each, athlete)
    thread_id = str(Scope.parse(thread_scope(str(coach.id), str(athlete.id))).id)
    media_id = await hand_in(athlete, thread_id, "voice", RECORDING, "audio/ogg")
    sent = {"thread_id": thread_id, "type": "voice", "media_id": media_id, "duration_seconds": 3}
    assert (await athlete("POST", "/api/messages", sent)).status_code == 201
    await keep_media(whole)
    heard = await coach("GET", f"/api/media/{media_id}")
    assert (heard.content, heard.headers["content-type"]) == (RECORDING, "audio/ogg")
    assert (await other("GET", f"/api/media/{media_id}")).status_code == 404, "another coach of hers"
    assert (await coach("DELETE", f"/api/clients/{athlete.id}/link")).status_code == 204
    assert (await coach("GET", f"/api/media/{media_id}")).status_code == 404


async def test_a_picture_of_a_message_is_drawn_anew(whole: WholeApp) -> None:
    athlete, coach = await whole.person("anna", "athlete"), await whole.person("carla", "coach")
    await whole.coaches(coach, athlete)
    thread_id = str(Scope.parse(thread_scope(str(coach.id), str(athlete.id))).id)
    media_id = await hand_in(coach, thread_id, "media", picture(), "image/png")
    await keep_media(whole)
    assert (await athlete("GET", f"/api/media/{media_id}/thumbnail")).headers["content-type"] == "image/jpeg"


async def test_a_thread_of_others_takes_nothing(whole: WholeApp) -> None:
    athlete, coach = await whole.person("anna", "athlete"), await whole.person("carla", "coach")
    stranger = await whole.person("otto", "coach")
    await whole.coaches(coach, athlete)
    thread_id = str(Scope.parse(thread_scope(str(coach.id), str(athlete.id))).id)
    asked = {"thread_id": thread_id, "media_id": "0" * 64, "size_bytes": 9, "content_type": "audio/ogg"}
    for path in ("voice", "media"):
        assert problem(await stranger("POST", f"/api/messages/{path}", asked))[0] == 404
    assert problem(await athlete("POST", "/api/messages/media", asked))[0] == 422, "a recording is no picture"
    assert problem(await athlete("POST", "/api/messages/voice", asked | {"content_type": "image/png"}))[0] == 422


async def test_an_encrypted_thread_takes_only_what_is_encrypted_also_while_its_keys_are_damaged(
    whole: WholeApp,
) -> None:
    athlete, coach = await whole.person("anna", "athlete"), await whole.person("carla", "coach")
    await whole.coaches(coach, athlete)
    scope, keys_id = thread_scope(str(coach.id), str(athlete.id)), device_keys_id(str(coach.id), str(athlete.id))
    assert coach.id is not None
    await whole.app.state.committer.write(coach.id, scope, DEVICE_KEYS.name, keys_id, {"encryption": "on"})
    thread_id = str(Scope.parse(scope).id)
    told = {"media_id": "0" * 64, "size_bytes": 900, "content_type": "audio/ogg"}
    openly = [
        ("/api/messages/voice", {"thread_id": thread_id, **told}),
        ("/api/messages/media", {"thread_id": thread_id, **told, "content_type": "image/png"}),
        ("/api/media", {"scope": scope, "kind": "voice", **told}),
        ("/api/messages", {"thread_id": thread_id, "type": "text", "text": "knee"}),
    ]
    for damage in (None, "UPDATE records SET doc = set_byte(doc, 40, get_byte(doc, 40) # 1) WHERE record_id = $1"):
        if damage:
            await whole.owner.execute(damage, UUID(keys_id))
        for path, said in openly:
            assert problem(await athlete("POST", path, said)) == (409, "thread_encrypted"), (path, damage)
        sealed = {"scope": scope, "kind": "sealed", **told, "content_type": "application/octet-stream"}
        assert (await athlete("POST", "/api/media", sealed)).status_code == 200
