"""The endpoints of media: handing in, part by part, and reading what was handed in.

    POST /api/media                     declare; gives a place for each part that is missing
    PUT  …                              each part, to its place
    POST /api/media/uploads/{upload_id}/complete
    GET  /api/media/{media_id}          once it was looked at and sealed; /thumbnail for a small picture

Declaring is asking, too: done again it tells what is missing, or what has become of it.
"""

from collections.abc import AsyncIterator
from typing import Annotated, Any
from uuid import UUID

from litestar import Controller, Request, Response, get, post, put
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, HeaderParameter, JSONBody, PathParameter
from litestar.response import Stream

from apex_server.caller import Caller, require_role
from apex_server.db import Database, load_queries
from apex_server.errors import BodyTooLarge, BodyTooSlow, InvalidFields, NotFound, RoleRequired, ThreadEncrypted
from apex_server.limits import Limits
from apex_server.media.directory import PART_BYTES, DirectoryStore
from apex_server.media.errors import MediaDamaged, MediaFull, MediaStoreAway, RangeNotSatisfiable, UploadIncomplete
from apex_server.media.handing_in import HandingIn, upload_of
from apex_server.media.payloads import NewMedia, Upload
from apex_server.media.ranges import ByteRange, range_of
from apex_server.media.reading import FileName, ReadyMedia, find_ready, pieces_of, readable
from apex_server.media.store import MediaStore, NoSuchObject, part_sizes
from apex_server.problems import SIGN_IN_REFUSALS, problem_responses
from apex_server.resources.requests import scope_of_athlete
from apex_server.sync.sealing import person_of
from apex_sync.ids import Scope

__all__ = ["media_routes"]

PARTS_MAX = 512
"""Of the largest file in parts of a mebibyte."""

MediaId = Annotated[
    str, PathParameter(name="media_id", max_length=64, description="SHA-256 of what was handed in, in hexadecimal.")
]
RangeHeader = Annotated[
    str | None,
    HeaderParameter(
        name="Range",
        max_length=100,
        description="`bytes=0-1`, `bytes=1000-` or `bytes=-500`; of several ranges you get the whole file.",
    ),
]
IfRange = Annotated[
    str | None,
    HeaderParameter(
        name="If-Range",
        max_length=200,
        description="The ETag of what you have a part of; of another file you get the whole.",
    ),
]
NoneMatch = Annotated[str | None, HeaderParameter(name="If-None-Match", description="The ETag of what you have.")]

_queries = load_queries(__package__)

_JPEG = "image/jpeg"
_NOT_CHANGED = {304: ResponseSpec(None, description="You have it.", generate_examples=False)}
_REFUSALS = (*SIGN_IN_REFUSALS, NotFound, InvalidFields, MediaDamaged, MediaStoreAway)
_CONTENT = {
    200: ResponseSpec(bytes, description="The bytes, as what they are.", media_type="*/*", generate_examples=False),
    206: ResponseSpec(bytes, description="The bytes of the range.", media_type="*/*", generate_examples=False),
    **_NOT_CHANGED,
    **problem_responses(*_REFUSALS, RangeNotSatisfiable),
}
_THUMBNAIL = {
    200: ResponseSpec(bytes, description="A JPEG.", media_type=_JPEG, generate_examples=False),
    **_NOT_CHANGED,
    **problem_responses(*_REFUSALS),
}


class MediaController(Controller):
    """Handing in and reading media."""

    path = "/api/media"
    tags = ("media",)

    @post(
        status_code=200,
        responses=problem_responses(
            *(*SIGN_IN_REFUSALS, InvalidFields, NotFound, RoleRequired, MediaFull, BodyTooLarge, MediaStoreAway),
            ThreadEncrypted,
        ),
    )
    async def declare_media(
        self,
        data: JSONBody[NewMedia],
        caller: NamedDependency[Caller],
        database: NamedDependency[Database],
        limits: NamedDependency[Limits],
        media_store: NamedDependency[MediaStore],
    ) -> Upload:
        """Declare what you hand in, or ask how far it is. The same bytes are one media in a scope, sent once."""
        require_role(caller, "athlete", "coach")
        return await HandingIn(caller, database, limits, media_store).declare(_scope_of(caller, data), data)

    @put(
        "/uploads/{upload_id:uuid}/parts/{number:int}",
        status_code=204,
        request_max_body_size=PART_BYTES,
        responses={
            204: ResponseSpec(None, description="The part is kept."),
            **problem_responses(*SIGN_IN_REFUSALS, InvalidFields, NotFound, BodyTooLarge, BodyTooSlow, MediaStoreAway),
        },
    )
    async def put_part(
        self,
        upload_id: FromPath[UUID],
        number: Annotated[int, PathParameter(ge=1, le=PARTS_MAX)],
        request: Request[Any, Any, Any],
        caller: NamedDependency[Caller],
        database: NamedDependency[Database],
        media_store: NamedDependency[MediaStore],
    ) -> None:
        """Take one part, where this server keeps media itself; the body is its bytes and nothing else."""
        async with database.request(caller.user_id) as connection:
            row = await connection.fetchrow(_queries.find_upload, upload_id, caller.user_id)
        if row is None or row["state"] != "open" or not isinstance(media_store, DirectoryStore):
            raise NotFound("upload")
        sizes = part_sizes(row["size_bytes"], media_store.part_bytes)
        if number > len(sizes):
            raise NotFound("part")
        content = await request.body()
        if len(content) != sizes[number - 1]:
            raise InvalidFields.one("", f"Expected {sizes[number - 1]} bytes")
        try:
            await media_store.take_part(upload_id, number, content)
        except NoSuchObject as error:
            raise NotFound("upload") from error

    @post(
        "/uploads/{upload_id:uuid}/complete",
        status_code=200,
        responses=problem_responses(*SIGN_IN_REFUSALS, NotFound, UploadIncomplete, MediaStoreAway),
    )
    async def complete_upload(
        self,
        upload_id: FromPath[UUID],
        caller: NamedDependency[Caller],
        database: NamedDependency[Database],
        media_store: NamedDependency[MediaStore],
    ) -> Upload:
        """Say that all parts are there. What they are is looked at soon after; declare again to learn of it."""
        async with database.request(caller.user_id) as connection:
            row = await connection.fetchrow(_queries.find_upload, upload_id, caller.user_id)
        if row is None:
            raise NotFound("upload")
        if row["state"] == "open":
            sizes = part_sizes(row["size_bytes"], media_store.part_bytes)
            if missing := await media_store.missing(upload_id, row["handle"], sizes):
                raise UploadIncomplete(missing)
            await media_store.assemble(upload_id, row["handle"], sizes)
            async with database.request(caller.user_id) as connection:
                await connection.execute(_queries.hand_in_media, upload_id)
                row = await connection.fetchrow(_queries.find_upload, upload_id, caller.user_id)
            if row is None:  # Another device declared it otherwise meanwhile: there it begins anew.
                raise NotFound("upload")
        return await upload_of(media_store, row, row["media_id"])

    @get("/{media_id:str}", responses=_CONTENT)
    async def get_media(
        self,
        media_id: MediaId,
        caller: NamedDependency[Caller],
        database: NamedDependency[Database],
        media_store: NamedDependency[MediaStore],
        wanted: RangeHeader = None,
        if_range: IfRange = None,
        if_none_match: NoneMatch = None,
    ) -> Response[Any]:
        """Read a picture, recording or file of a scope that you may read; 404 until it was looked at."""
        ready = await _ready(database, caller, media_id)
        return await _answer(media_store, ready, "original", if_none_match, wanted, if_range)

    @get("/{media_id:str}/thumbnail", responses=_THUMBNAIL)
    async def get_thumbnail(
        self,
        media_id: MediaId,
        caller: NamedDependency[Caller],
        database: NamedDependency[Database],
        media_store: NamedDependency[MediaStore],
        if_none_match: NoneMatch = None,
    ) -> Response[Any]:
        """Read a picture small, as a JPEG of at most 480 pixels either way."""
        ready = await _ready(database, caller, media_id)
        if not ready.thumbnail_bytes:
            raise NotFound("thumbnail")
        return await _answer(media_store, ready, "thumbnail", if_none_match)


media_routes = (MediaController,)


def _scope_of(caller: Caller, data: NewMedia) -> Scope:
    """Read where media is to go. Raises InvalidFields, or NotFound for a scope that is none."""
    if not data.scope:
        return Scope.parse(scope_of_athlete(caller, str(data.athlete_id) if data.athlete_id else None))
    try:
        scope = Scope.parse(data.scope)
    except ValueError as error:
        raise NotFound("scope") from error
    if person_of(scope.name) is None:
        raise NotFound("scope")
    return scope


async def _ready(database: Database, caller: Caller, media_id: str) -> ReadyMedia:
    async with database.request(caller.user_id) as connection:
        with readable():
            return await find_ready(connection, database.vault, media_id)


async def _answer(
    store: MediaStore,
    ready: ReadyMedia,
    name: FileName,
    if_none_match: str | None,
    wanted: str | None = None,
    if_range: str | None = None,
) -> Response[Any]:
    """Answer with a file or a range of it. Raises NotFound, RangeNotSatisfiable, MediaDamaged, MediaStoreAway."""
    size = ready.size_of(name)
    headers = {
        "ETag": f'"{ready.digest}{"" if name == "original" else "-thumbnail"}"',
        "Cache-Control": "private, no-cache",
        "Accept-Ranges": "bytes",
    }
    if if_none_match == headers["ETag"]:
        return Response(None, status_code=304, headers=headers)
    asked = range_of(wanted, size) if if_range in (None, headers["ETag"]) else None
    start, end = asked or ByteRange(0, size)
    if asked:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    headers["Content-Length"] = str(end - start)
    if not ready.content_type.startswith(("image/", "audio/", "video/")):
        headers["Content-Disposition"] = "attachment"
    pieces = pieces_of(store, ready, name, start, end)
    with readable():
        first = await anext(pieces)  # So a store that is away is a refusal, and no answer that breaks off.
    return Stream(
        _again(first, pieces),
        media_type=ready.content_type if name == "original" else _JPEG,
        status_code=206 if asked else 200,
        headers=headers,
    )


async def _again(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for piece in rest:
        yield piece
