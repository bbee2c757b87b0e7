"""What this device could open of messages that were encrypted for it, kept beside them.

It is opened once, in the transaction that brings it, and stands here until it is taken back or its thread is forgotten:
so it is searched and queried as any message, and what was read once stays readable when a key is gone. What no device
of this person was ever to read, or was changed on the way, is kept as that.
"""

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import Meta, Struct

from apex_sync.coaching.message_view import Encryption, SentMessage
from apex_sync.models import MESSAGES
from apex_sync.models.fields import Instant, Name, Ref
from apex_sync.models.message import SIDES, MessageText, Side
from apex_sync.session.held import HeldRecord

if TYPE_CHECKING:
    from apex_client.message_sealing import KeyPair

__all__ = ["SEALED", "Content", "MessageOpener", "Opened", "open_said", "read_opened"]


class Content(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What is sealed of a message; the key of its media opens these, and stands nowhere else.

    Of what stands in the open as well, for those who cannot read it, this is what its author said.
    """

    type: Name | None = None
    sent_at: Instant | None = None
    reply_to: Ref | None = None
    text: MessageText | None = None
    media_id: Ref | None = None
    media_key: Annotated[bytes, Meta(min_length=32, max_length=32)] | None = None
    file_name: Name | None = None
    duration_seconds: Annotated[float, Meta(ge=0, le=6 * 3600)] | None = None


class Opened(Struct, frozen=True):
    """What became of one sealed part; `signer` is the key id of the device that wrote it."""

    encryption: Encryption
    content: Content = Content()
    signer: str | None = None


SEALED = ("type", "sent_at", "reply_to", "text", "media_id", "file_name", "duration_seconds")
"""What is said in a message, by the names it has there."""

UNREADABLE = ("locked", "damaged")

OpenedParts = Mapping[str, Opened]
"""By side."""

NOTHING: OpenedParts = {}

OPENED = "SELECT side, encryption, content, signer FROM opened_messages WHERE record_no = ?"


class MessageOpener:
    """Opens messages as they are saved; `pairs` are the keys of this device, and are asked for when one is sealed."""

    def __init__(self, sql: sqlite3.Connection) -> None:
        self._sql = sql
        self.pairs: Callable[[], Sequence[KeyPair]] = tuple

    def take(self, held: HeldRecord) -> OpenedParts:
        """Open what is sealed in a record that is being saved, and keep that; for what holds still, nothing is done."""
        if held.collection != MESSAGES.name:
            return NOTHING
        known = {row[0]: row[1:] for row in self._sql.execute(_KNOWN, (held.place,))}
        opened: dict[str, Opened] = {}
        for side in SIDES:
            sealed, wrapped = _sealed(held.state.get(side))
            if not sealed:
                if side in known:
                    self._sql.execute(_FORGET, (held.place, side))
                continue
            digest = sha256(sealed.encode()).digest()
            if side in known and known[side][0] == digest and known[side][1] == "open":
                opened[side] = _opened(*known[side][1:])
                continue
            opened[side] = self._open(held, side, sealed, wrapped)
            self._sql.execute(_KEEP, (held.place, side, digest, *_as_row(opened[side])))
        return opened

    def _open(self, held: HeldRecord, side: Side, sealed: str, wrapped: Mapping[str, str]) -> Opened:
        from apex_client.message_sealing import Place, SealBroken, unseal

        try:
            found = unseal(sealed, wrapped, Place(held.scope, held.record_id, side), self.pairs())
        except SealBroken:
            return Opened("damaged")
        return Opened("locked") if found is None else Opened("open", found[1], found[0])


def read_opened(rows: Sequence[tuple[Any, ...]]) -> OpenedParts:
    """Read what OPENED selects."""
    return {side: _opened(*row) for side, *row in rows}


def open_said(said: SentMessage, opened: OpenedParts) -> SentMessage:
    """Put what could be opened in its place."""
    found = opened.get(said.sender)
    if said.encryption is None or found is None:
        return said
    if found.encryption in UNREADABLE:
        return msgspec.structs.replace(said, encryption=found.encryption)
    content = {name: getattr(found.content, name) for name in SEALED}
    for needed in ("type", "sent_at"):
        content[needed] = content[needed] or getattr(said, needed)
    return msgspec.structs.replace(said, encryption=found.encryption, **content)


def _sealed(part: Any) -> tuple[str, Mapping[str, str]]:
    """Give what is sealed in a part, whatever the record holds."""
    if not isinstance(part, Mapping) or part.get("deleted") is True or not isinstance(part.get("sealed"), str):
        return "", {}
    wrapped = part.get("wrapped")
    found = wrapped.items() if isinstance(wrapped, Mapping) else ()
    return part["sealed"], {key_id: value for key_id, value in found if isinstance(value, str)}


def _opened(encryption: Encryption, content: bytes, signer: str | None) -> Opened:
    return Opened(encryption, msgspec.msgpack.decode(content, type=Content), signer)


def _as_row(opened: Opened) -> tuple[str, bytes, str | None]:
    return opened.encryption, msgspec.msgpack.encode(opened.content), opened.signer


_KNOWN = "SELECT side, digest, encryption, content, signer FROM opened_messages WHERE record_no = ?"
_KEEP = (
    "INSERT OR REPLACE INTO opened_messages (record_no, side, digest, encryption, content, signer)"
    " VALUES (?, ?, ?, ?, ?, ?)"
)
_FORGET = "DELETE FROM opened_messages WHERE record_no = ? AND side = ?"
