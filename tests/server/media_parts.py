"""What the tests of media share: pictures, and people who hand them in as an app does."""

import hashlib
import io
from datetime import UTC, datetime
from typing import Any

from PIL import Image

from apex_server.media import MediaKeeper
from tests.server.whole_app import Signed, WholeApp

__all__ = ["declared", "hand_in", "keep_media", "picture", "sha256"]


def picture(
    width: int = 60, height: int = 40, *, form: str = "PNG", colour: tuple[int, int, int] = (200, 60, 20), **more: Any
) -> bytes:
    """Give a picture of one colour."""
    out = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(out, form, **more)
    return out.getvalue()


def sha256(content: bytes) -> str:
    """Name bytes as records do."""
    return hashlib.sha256(content).hexdigest()


def declared(content: bytes, *, kind: str = "photo", content_type: str = "image/png", **more: Any) -> dict[str, Any]:
    """Give what announces bytes."""
    known = {"media_id": sha256(content), "size_bytes": len(content), "kind": kind, "content_type": content_type}
    return known | more


async def hand_in(person: Signed, content: bytes, **more: Any) -> str:
    """Hand bytes in, and give what they are named by; the server has not looked at them yet."""
    told = await person("POST", "/api/media", declared(content, **more))
    assert told.status_code == 200, told.text
    upload = told.json()
    for part in upload["parts"]:
        piece = content[part["offset"] : part["offset"] + part["size_bytes"]]
        put = await person("PUT", part["url"], content=piece)
        assert put.status_code == 204, put.text
    done = await person("POST", f"/api/media/uploads/{upload['upload_id']}/complete")
    assert done.status_code == 200, done.text
    return str(upload["media_id"])


async def keep_media(whole: WholeApp) -> None:
    """Do what the worker does with media that came in, and with what is gone."""
    state = whole.app.state
    keeper = MediaKeeper(state.database, state.media_store, now=lambda: datetime.now(UTC))
    await keeper.check_all()
    await keeper.sweep()
