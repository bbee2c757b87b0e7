"""The endpoints of progress photos: what is known of them, and two or more of them side by side.

The pictures themselves are media (`/api/media`), named by a photo's `media_id`.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any
from uuid import UUID

from litestar import Controller, Response, post
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromQuery, JSONBody, QueryParameter

from apex_server.caller import Caller
from apex_server.db import Connection, Database, load_queries
from apex_server.errors import InvalidFields, NotFound, ServerBusy
from apex_server.media import MediaStore, ReadyMedia, find_ready, readable, whole_file
from apex_server.media.errors import MediaDamaged, MediaStoreAway
from apex_server.media.pictures import DrawingBroke, PictureRefused, compare, drawing_turn
from apex_server.problems import problem_responses
from apex_server.progress.examples import PHOTO, PHOTO_PATCH
from apex_server.progress.payloads import Comparison, NewPhoto, PhotosPage, ProgressPhotoResource
from apex_server.resources import (
    AthleteRecordController,
    DayMark,
    FirstDay,
    KnownRecord,
    LastDay,
    RecordKind,
    read_record,
    view_of_model,
)
from apex_server.resources.requests import READ_REFUSALS
from apex_server.vault import Vault
from apex_sync.coaching.drafts import model_patch
from apex_sync.ids import Scope
from apex_sync.models import PROGRESS_PHOTOS, ProgressPhoto
from apex_sync.models.body import PhotoType

__all__ = ["CompareController", "PhotosController"]

_queries = load_queries(__package__)

_JPEG = "image/jpeg"

COMPARED_BYTES_MAX = 48 * 1024 * 1024
"""In memory while they are drawn: four of the largest that a camera makes, drawn anew, are half of it."""


@dataclass(frozen=True)
class PhotoFilters:
    """Which photos are listed."""

    athlete_id: FromQuery[UUID | None] = None
    first_day: FirstDay = None
    last_day: LastDay = None
    type: Annotated[PhotoType | None, QueryParameter(description="From which side.")] = None


class PhotosController(AthleteRecordController):
    """What athletes look like, as they photographed themselves."""

    path = "/api/progress/photos"
    tags = ("progress",)
    kind = RecordKind(
        PROGRESS_PHOTOS,
        "progress photo",
        partial(model_patch, known=frozenset(ProgressPhotoResource.__struct_fields__)),
    )
    view, page, new, draft = ProgressPhotoResource, PhotosPage, NewPhoto, ProgressPhoto
    examples = (PHOTO, PHOTO, PHOTO_PATCH)
    filters = PhotoFilters
    list_query, sorted_by, mark = _queries.list_photos, "-date", DayMark
    made_by = ("athlete",)

    async def show(
        self, connection: Connection, vault: Vault, found: Sequence[KnownRecord], include: Collection[str]
    ) -> list[ProgressPhotoResource]:
        """Show photos with where their pictures are."""
        return [show_photo(known) for known in found]


class CompareController(Controller):
    """Then and now."""

    path = "/api/progress/compare"
    tags = ("progress",)

    @post(
        status_code=200,
        media_type=_JPEG,
        responses={
            200: ResponseSpec(bytes, description="A JPEG.", media_type=_JPEG, generate_examples=False),
            **problem_responses(*READ_REFUSALS, ServerBusy, MediaDamaged, MediaStoreAway),
        },
    )
    async def compare_photos(
        self,
        data: JSONBody[Comparison],
        caller: NamedDependency[Caller],
        database: NamedDependency[Database],
        media_store: NamedDependency[MediaStore],
    ) -> Response[bytes]:
        """Put two to four photos of one athlete side by side, of one height, each with its day beneath."""
        async with database.request(caller.user_id) as connection:
            found = [
                await read_record(connection, database.vault, PROGRESS_PHOTOS, each, "progress photo")
                for each in dict.fromkeys(data.photo_ids)
            ]
            if len({known.scope for known in found}) > 1:
                raise InvalidFields.one("photo_ids", "Expected photos of one athlete")
            ready = [await _ready(connection, database.vault, known) for known in found]
        if sum(each.stored_bytes for each in ready) > COMPARED_BYTES_MAX:
            raise InvalidFields.one("photo_ids", f"Expected photos of at most {COMPARED_BYTES_MAX} bytes together")
        try:
            async with drawing_turn():
                with readable():
                    pictures = [await whole_file(media_store, each, "original") for each in ready]
                drawn = await compare(pictures, [_label(known) for known in found])
        except DrawingBroke as error:
            raise ServerBusy from error
        except PictureRefused as error:
            raise InvalidFields.one("photo_ids", f"Expected pictures that can be drawn: {error.reason}") from error
        return Response(drawn.files[0], media_type=_JPEG)


def show_photo(known: KnownRecord) -> ProgressPhotoResource:
    """Show one photo."""
    shown = view_of_model(ProgressPhotoResource, known)
    if media_id := known.fold.state.get("media_id"):
        shown.url = f"/api/media/{media_id}"
        shown.thumbnail_url = f"{shown.url}/thumbnail"
    return shown


async def _ready(connection: Connection, vault: Vault, known: KnownRecord) -> ReadyMedia:
    """Find the picture of a photo, which is read whole. Raises NotFound, and InvalidFields for what is no picture."""
    media_id = known.fold.state.get("media_id")
    if not isinstance(media_id, str):
        raise NotFound("media")
    with readable():
        ready = await find_ready(connection, vault, media_id, Scope.parse(known.scope).id)
    if not ready.thumbnail_bytes:  # Pictures are drawn anew, which bounds them, and have one; a film has not.
        raise InvalidFields.one("photo_ids", "Expected photos whose media are pictures")
    return ready


def _label(known: KnownRecord) -> str:
    state: Mapping[str, Any] = known.fold.state
    return "  ·  ".join(str(state[name]) for name in ("date", "pose") if state.get(name))
