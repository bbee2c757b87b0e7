"""What sync and the one write path refuse, beside the errors every slice knows."""

from collections.abc import Sequence
from dataclasses import dataclass

from apex_server.errors import ApiError, Conflict, Forbidden, MalformedRequest, Unavailable

__all__ = [
    "FieldForbidden",
    "NotMsgpack",
    "NotZstd",
    "RecordDamaged",
    "RecordFull",
    "UnsupportedVersion",
    "VersionUnknown",
]


class NotZstd(MalformedRequest):
    """The body says it is zstd and is not."""

    code = "not_zstd"
    title = "The body is not a zstd frame."
    next_step = "Compress the message as one zstd frame with a window of 8 MB at most."


@dataclass(eq=False)
class NotMsgpack(MalformedRequest):
    """The body is no sync message."""

    reason: str

    code = "not_msgpack"
    title = "The body is not a sync message in msgpack."
    next_step = "Send a SyncRequest as docs/protocol.md describes it."

    @property
    def detail(self) -> str:
        """Say where it stopped being one."""
        return f"The body is not a sync message: {self.reason}."


@dataclass(eq=False)
class UnsupportedVersion(ApiError):
    """The app speaks a protocol version that this server no longer reads from."""

    version: int
    oldest: int
    newest: int

    status = 426
    code = "unsupported_version"
    title = "This version of the app can no longer read from the server."
    next_step = "Update the app. What it has not sent yet can still be sent."

    @property
    def detail(self) -> str:
        """Name the versions."""
        return f"Protocol version {self.version} is not one of {self.oldest} to {self.newest}."


@dataclass(eq=False)
class FieldForbidden(Forbidden):
    """The caller sees the record and may not write these fields of it."""

    fields: Sequence[str]
    role: str

    code = "field_forbidden"
    title = "Your role may not write these fields."
    next_step = "Leave the named fields out."

    @property
    def detail(self) -> str:
        """Name the fields."""
        return f"As {self.role} you may not write {', '.join(self.fields)}."


class VersionUnknown(Conflict):
    """The version that a write builds on is none that this record ever had here."""

    code = "version_unknown"
    title = "The record never had the version named in If-Match."
    next_step = "Read the record again and repeat the change on what it holds now."


class RecordDamaged(Unavailable):
    """The server's copy of a record can be read no more, and no device has brought it back yet."""

    retry_after: int = 60

    code = "record_damaged"
    title = "The server's copy of this record is damaged."
    next_step = "Let a device that has the record sync: it brings it back by itself. Else the server needs its backup."


class RecordFull(Conflict):
    """The record holds as much as one may hold, however short its history is made."""

    code = "record_full"
    title = "The record holds as much as a record can."
    next_step = "Shorten what it says, or go on in a new record."
