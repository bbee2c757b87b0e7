"""Pictures and files on the pages: a small picture that leads to the large one, or a word that leads to the file.

Both come from `/api/media`, which asks the policy each time and takes the cookie of the page's session.
"""

from collections.abc import Iterable, Mapping
from uuid import UUID

from msgspec import Struct

from apex_server.db import Connection, load_queries
from apex_server.web.wording import as_day

__all__ = ["Attached", "attached", "newest_photos", "ready_media"]

PHOTOS_MAX = 6
"""Front, side and back of two days; all others are in the API and on devices."""

_queries = load_queries(__package__)


class Attached(Struct, frozen=True, kw_only=True):
    """Something that can be looked at; what is no picture has no small one."""

    url: str
    thumbnail_url: str | None
    words: str


def attached(media_id: str, words: str, *, is_drawn: bool) -> Attached:
    """Give where a piece of media is that is ready."""
    url = f"/api/media/{media_id}"
    return Attached(url=url, thumbnail_url=f"{url}/thumbnail" if is_drawn else None, words=words)


async def ready_media(connection: Connection, scope_id: UUID, media_ids: Iterable[str | None]) -> Mapping[str, bool]:
    """Give those of a scope that the server has looked at, and whether each is a picture."""
    asked = list({each for each in media_ids if each})
    rows = await connection.fetch(_queries.list_ready_media, scope_id, asked) if asked else []
    return {row["media_id"]: row["is_drawn"] for row in rows}


async def newest_photos(connection: Connection, athlete_id: UUID) -> list[Attached]:
    """Give the progress photos that an athlete took last."""
    rows = await connection.fetch(_queries.list_photos, athlete_id, PHOTOS_MAX)
    return [
        attached(row["media_id"], ", ".join(filter(None, (as_day(row["date"]), row["type"]))), is_drawn=True)
        for row in rows
    ]
