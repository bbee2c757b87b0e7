"""The endpoints of media in messages: a recording, picture, film or document, handed in to a thread before it is sent.

The bytes go up as those of any media (`/api/media`); a message then names them by its `media_id`.
"""

from litestar import Controller, post
from litestar.di import NamedDependency, Provide
from litestar.params import JSONBody

from apex_server.caller import Caller
from apex_server.db import Database
from apex_server.errors import RoleRequired, ThreadEncrypted
from apex_server.limits import Limits
from apex_server.media import HandingIn, MediaStore
from apex_server.media.errors import MediaFull, MediaStoreAway
from apex_server.media.payloads import MediaContent, Upload
from apex_server.messages.payloads import NewMessageMedia
from apex_server.messages.routes import provide_threads
from apex_server.messages.threads import Threads
from apex_server.problems import problem_responses
from apex_server.resources.requests import WRITE_REFUSALS
from apex_sync.ids import Scope
from apex_sync.models.media import CONTENT_TYPES, Kind

__all__ = ["MessageMediaController"]

_REFUSALS = (*WRITE_REFUSALS, RoleRequired, MediaFull, MediaStoreAway, ThreadEncrypted)

A_PICTURE = {
    "thread_id": "01922f6c-4b7e-7c3a-9d51-6a2f0c8e4b11",
    "media_id": "9f86d081884c7d659a2feaa0c55ad0159f86d081884c7d659a2feaa0c55ad015",
    "size_bytes": 2_345_678,
    "content_type": "image/jpeg",
}
"""An example for the description of the API."""


def provide_handing_in(
    caller: NamedDependency[Caller],
    database: NamedDependency[Database],
    limits: NamedDependency[Limits],
    media_store: NamedDependency[MediaStore],
) -> HandingIn:
    """Give what takes media of the caller."""
    return HandingIn(caller, database, limits, media_store)


class MessageMediaController(Controller):
    """What messages carry beside words."""

    path = "/api/messages"
    tags = ("messages",)
    dependencies = {  # noqa: RUF012 - as Litestar has it.
        "handing_in": Provide(provide_handing_in, sync_to_thread=False),
        "threads": Provide(provide_threads, sync_to_thread=False),
    }

    @post("/voice", status_code=200, responses=problem_responses(*_REFUSALS))
    async def hand_in_voice(
        self,
        data: JSONBody[NewMessageMedia],
        threads: NamedDependency[Threads],
        handing_in: NamedDependency[HandingIn],
    ) -> Upload:
        """Announce a recording for a thread; send its parts, complete it, then send a message that names it."""
        return await handing_in.declare(await _scope(threads, data), _content(data, "voice"))

    @post("/media", status_code=200, responses=problem_responses(*_REFUSALS), opt={"example": A_PICTURE})
    async def hand_in_media(
        self,
        data: JSONBody[NewMessageMedia],
        threads: NamedDependency[Threads],
        handing_in: NamedDependency[HandingIn],
    ) -> Upload:
        """Announce a picture, film or document for a thread; send its parts, complete it, then a message."""
        kinds: tuple[Kind, ...] = ("image", "video", "file", "sealed")
        kind: Kind = next((each for each in kinds if data.content_type in CONTENT_TYPES[each]), "file")
        return await handing_in.declare(await _scope(threads, data), _content(data, kind))


async def _scope(threads: Threads, data: NewMessageMedia) -> Scope:
    async with threads.reading() as connection:
        return Scope.parse(await threads.scope_of(connection, data.thread_id))


def _content(data: NewMessageMedia, kind: Kind) -> MediaContent:
    return MediaContent(media_id=data.media_id, size_bytes=data.size_bytes, content_type=data.content_type, kind=kind)
