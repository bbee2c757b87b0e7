"""What the endpoints of media take and give."""

from typing import Annotated, Literal
from uuid import UUID

from msgspec import UNSET, Meta, Struct, UnsetType

from apex_sync.models.media import ContentType, Kind

__all__ = ["MEDIA_ID_PATTERN", "MediaContent", "MediaState", "NewMedia", "Part", "Upload"]

MEDIA_ID_PATTERN = r"^[0-9a-f]{64}$(?!\n)"

MediaState = Literal["open", "checking", "ready", "refused"]


class MediaContent(Struct, forbid_unknown_fields=True, kw_only=True):
    """Bytes that are to be handed in."""

    media_id: Annotated[str, Meta(pattern=MEDIA_ID_PATTERN, examples=["9f86d081884c7d659a2feaa0c55ad015" * 2])]
    """SHA-256 of the bytes, in hexadecimal: what records name it by."""
    size_bytes: Annotated[int, Meta(ge=1, examples=[2_345_678])]
    content_type: Annotated[ContentType, Meta(examples=["image/jpeg"])]
    kind: Annotated[Kind, Meta(examples=["photo"])]


class NewMedia(MediaContent, kw_only=True):
    """Bytes that are to be handed in, and where to: an athlete's records, or a scope by name.

    Without either, one's own records as an athlete. Whoever may read the scope may then read the media.
    """

    athlete_id: UUID | UnsetType = UNSET
    scope: Annotated[str, Meta(max_length=100)] | UnsetType = UNSET


class Part(Struct):
    """A part that has not arrived: PUT exactly these bytes to `url`, with nothing but them.

    A path is of this server and wants the access token; a whole address is the media store's, wants none, and is good
    for an hour.
    """

    number: int
    offset: int
    size_bytes: int
    url: str


class Upload(Struct):
    """How far an upload is. Without `parts` it wants completing; then it is `checking`, soon `ready` or `refused`."""

    upload_id: UUID
    media_id: str
    state: MediaState
    refusal: str | None
    """`hash_mismatch`, `wrong_format`, `not_a_picture`, `too_many_pixels`, `takes_too_long`."""
    parts: list[Part]
