"""Pages of lists: newest first, by key rather than by number, so nothing is skipped or doubled while records arrive."""

import base64
import binascii
from datetime import date, datetime
from uuid import UUID

import msgspec
from msgspec import Struct

from apex_server.errors import InvalidFields

__all__ = ["PAGE_LENGTH_DEFAULT", "PAGE_LENGTH_MAX", "PageMark"]

PAGE_LENGTH_DEFAULT = 50
PAGE_LENGTH_MAX = 200
"""Records in one answer: about 400 kB of workouts."""


class PageMark(Struct, array_like=True, frozen=True):
    """Where a page ended: the sort key of its last record. Opaque to the caller, and no secret."""

    date: date | None
    time: datetime | None
    id: UUID

    def encode(self) -> str:
        """Write it so that it fits into an address."""
        return base64.urlsafe_b64encode(msgspec.msgpack.encode(self)).decode().rstrip("=")

    @classmethod
    def decode(cls, text: str) -> "PageMark":
        """Read one that `encode` wrote. Raises InvalidFields for anything else."""
        try:
            padded = text + "=" * (-len(text) % 4)
            mark = msgspec.msgpack.decode(base64.b64decode(padded, altchars=b"-_", validate=True), type=cls)
        except (binascii.Error, ValueError, msgspec.DecodeError) as error:
            raise InvalidFields.one("after", "Expected the 'next' of an earlier page") from error
        if mark.time is not None and mark.time.tzinfo is not None:
            raise InvalidFields.one("after", "Expected the 'next' of an earlier page")
        return mark
