"""What only media refuses."""

from collections.abc import Mapping
from dataclasses import dataclass

from apex_server.errors import ApiError, Conflict, InternalError, LimitReached, Unavailable

__all__ = ["MediaDamaged", "MediaFull", "MediaStoreAway", "RangeNotSatisfiable", "UploadIncomplete"]


class MediaDamaged(InternalError):
    """What the store has does not open: its bytes changed behind the server's back."""

    code = "media_damaged"
    title = "This photo or file is damaged on the server."
    next_step = "Tell whoever runs the server: 'apex-server verify' names it, and a copy of it may be brought back."


class MediaFull(LimitReached):
    """There is as much media as the tier allows; the limit is in bytes."""

    code = "media_full"
    title = "You have handed in as much media as your tier allows."
    next_step = (
        "Delete photos, or messages with files, that nobody needs any more: 30 days later there is room again. "
        "Or ask for a larger tier."
    )


@dataclass(eq=False)
class UploadIncomplete(Conflict):
    """Parts are missing; `parts` are their numbers."""

    parts: list[int]

    code = "upload_incomplete"
    title = "Parts of this upload have not arrived."
    next_step = "Declare the media again, which gives a place for each part that is missing, and send them."


class MediaStoreAway(Unavailable):
    """The store of media does not answer, or answers nonsense; its cause says more."""

    code = "media_store_unavailable"
    title = "The store of photos and files does not answer right now."


@dataclass(eq=False)
class RangeNotSatisfiable(ApiError):
    """The bytes that were asked for begin behind the end of the file, or are none."""

    size_bytes: int

    status = 416
    code = "range_not_satisfiable"
    title = "The file has no such bytes."
    next_step = "Ask for bytes within 'size_bytes', or leave the Range header away for the whole file."

    @property
    def detail(self) -> str:
        """Say how long the file is."""
        return f"The file has {self.size_bytes} bytes, and none where you asked for them."

    def headers(self) -> Mapping[str, str]:
        """Give the size of the file, as RFC 9110 has it."""
        return {"Content-Range": f"bytes */{self.size_bytes}"}
