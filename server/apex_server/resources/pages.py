"""Pages of lists: by key rather than by number, so nothing is skipped or doubled while records arrive."""

import base64
import binascii
from collections.abc import Iterable
from datetime import date, datetime
from typing import Any, Self
from uuid import UUID

import msgspec
from msgspec import Struct

from apex_server.errors import InvalidFields

__all__ = [
    "PAGE_LENGTH_DEFAULT",
    "PAGE_LENGTH_MAX",
    "DayMark",
    "IdMark",
    "Mark",
    "NameMark",
    "PageMark",
    "StampMark",
    "backwards",
]

PAGE_LENGTH_DEFAULT = 50
PAGE_LENGTH_MAX = 200
"""Records in one answer: about 400 kB of workouts."""


class Mark(Struct, array_like=True, frozen=True):
    """Where a page ended: the sort key of its last record, its id last. Opaque to the caller, and no secret."""

    @classmethod
    def of(cls, key: Iterable[Any]) -> Self:
        """Mark the record with this sort key."""
        return cls(*key)

    @classmethod
    def key(cls, mark: "Mark | None") -> tuple[Any, ...]:
        """Give the sort key to go on from; all NULL is the beginning."""
        return (None,) * len(cls.__struct_fields__) if mark is None else msgspec.structs.astuple(mark)

    def encode(self) -> str:
        """Write it so that it fits into an address."""
        return base64.urlsafe_b64encode(msgspec.msgpack.encode(self)).decode().rstrip("=")

    @classmethod
    def decode(cls, text: str | None) -> Self | None:
        """Read one that `encode` wrote; None is the beginning. Raises InvalidFields for anything else."""
        if text is None:
            return None
        try:
            padded = text + "=" * (-len(text) % 4)
            mark = msgspec.msgpack.decode(base64.b64decode(padded, altchars=b"-_", validate=True), type=cls)
        except (binascii.Error, ValueError, msgspec.DecodeError) as error:
            raise InvalidFields.one("after", "Expected the 'next' of an earlier page") from error
        if any(_is_unheard_of(part) for part in msgspec.structs.astuple(mark)):
            raise InvalidFields.one("after", "Expected the 'next' of an earlier page")
        return mark


class PageMark(Mark, array_like=True, frozen=True):
    """Where a page ended that is sorted by day and time."""

    date: date | None
    time: datetime | None
    id: UUID


class DayMark(Mark, array_like=True, frozen=True):
    """Where a page ended that is sorted by day."""

    date: date | None
    id: UUID


class NameMark(Mark, array_like=True, frozen=True):
    """Where a page ended that is sorted by name."""

    name: str
    id: UUID


class IdMark(Mark, array_like=True, frozen=True):
    """Where a page ended that is sorted by id alone."""

    id: UUID


class StampMark(Mark, array_like=True, frozen=True):
    """Where a page of a record's versions ended."""

    stamp: int


def backwards(sql: str) -> str:
    """Give the statement of a list that reads it from its other end; the same index serves both.

    The statement orders by columns that are all DESC, and goes on where `(key) < (mark)`.
    """
    return sql.replace(" DESC NULLS LAST", " ASC NULLS FIRST").replace(" DESC", " ASC").replace("< (", "> (")


def _is_unheard_of(part: Any) -> bool:
    """Tell whether no row ever had this in its sort key: times have no zone there, and texts no NUL."""
    return (isinstance(part, datetime) and part.tzinfo is not None) or (isinstance(part, str) and "\0" in part)
