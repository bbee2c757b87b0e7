"""The messages of a sync: one request, one response, the same over HTTP and over the live WebSocket.

msgpack arrays in the order of the fields (a newer version appends fields; an older reader ignores them). Over HTTP both
bodies are zstd-compressed; a live frame is sent as it is. Record ids are 16 bytes, digests and hashes 16 bytes, times
microseconds since the Unix epoch, clocks and client ids integers below 2**53.

A **cursor** is opaque to devices; empty means "from the beginning". A **receipt** is the server's proof that it once
held a record in exactly that state: it lets a device bring back other devices' ops to a server that lost them.
"""

from collections.abc import Iterable
from hashlib import blake2b
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta, Struct

from apex_sync.acceptance import Refusal, Status
from apex_sync.errors import ProtocolError
from apex_sync.op import EXACT_INT_MAX

PROTOCOL_VERSION = 1
PROTOCOL_VERSION_OLDEST = 1
"""An older app may be refused pull, never push."""

REQUEST_BYTES_MAX = 4 * 1024 * 1024
"""Decompressed. About 1,000 to 2,000 workouts."""

RESPONSE_BYTES_TARGET = 1024 * 1024
PUSH_RECORDS_MAX = 1000
PULL_RECORDS_MAX = 1000
SCOPES_MAX = 20_000
"""Cursors in a request: a coach of ten thousand athletes has two scopes for each."""

RESEND_RECORDS_MAX = 10_000
BUCKETS = 256
"""Groups of the records of a scope, by which two sides find what differs without naming every record."""

BUCKET_SCOPES_MAX = 1000
"""As many as a request of REQUEST_BYTES_MAX can hold."""

_ClientId = Annotated[int, Meta(ge=1, le=EXACT_INT_MAX)]
_Natural = Annotated[int, Meta(ge=0, le=EXACT_INT_MAX)]
_ServerTime = Annotated[int, Meta(ge=0, le=2**52)]
"""Up to the year 2112. A device takes it for its own, so one at the end of all stamps would leave it none to write."""
_Seconds = Annotated[float, Meta(ge=0, le=1e9)]
"""No infinity, and no NaN, which fails every comparison."""


class PushedRecord(Struct, array_like=True, frozen=True):
    """The device's own unacknowledged ops of one record, as `encode_push` writes them.

    `base` is empty but after a `gap`: then it is the whole record as of `receipt`.
    """

    scope: str
    collection: str
    record_id: bytes
    update: bytes
    base: bytes = b""
    receipt: bytes = b""


class PushResult(Struct, array_like=True, frozen=True):
    """The answer to one pushed record, in the order of the request.

    `next_clock` is the device's first clock that is not durable on the server. With `refusals` comes `dead`, the update
    (docs/protocol.md) that marks the refused clocks dead.
    """

    status: Status
    next_clock: _Natural = 0
    receipt: bytes = b""
    refusals: list[Refusal] = []
    dead: bytes = b""


class ScopeCursor(Struct, array_like=True, frozen=True):
    """Where the device stands in one scope, and the digest of the acknowledged content it holds there."""

    scope: str
    cursor: bytes = b""
    digest: bytes = b""


class SyncRequest(Struct, array_like=True, frozen=True):
    """Pushes, and asks for what is new.

    `cursors` None means "only push". An idle device of many scopes sends `cursors_hash` instead of `cursors`: the
    BLAKE2b-128 of the msgpack of its cursors, ordered by scope; when it does not match, the answer has `send_cursors`.

    `epoch` is the server's as of the last answer, in which everything below the pushed clocks was acknowledged. A
    server that was restored since asks for whole records; empty says nothing.
    """

    version: _Natural
    client_id: _ClientId
    now_us: _Natural
    push: Annotated[list[PushedRecord], Meta(max_length=PUSH_RECORDS_MAX)] = []
    cursors: Annotated[list[ScopeCursor], Meta(max_length=SCOPES_MAX)] | None = None
    cursors_hash: bytes = b""
    pull_bytes: _Natural = RESPONSE_BYTES_TARGET
    resend: Annotated[list[tuple[str, bytes]], Meta(max_length=RESEND_RECORDS_MAX)] = []
    """Records (scope, id) to send whole, because digests differ."""
    bucket_digests: Annotated[
        list[tuple[str, Annotated[list[bytes], Meta(min_length=BUCKETS, max_length=BUCKETS)]]],
        Meta(max_length=BUCKET_SCOPES_MAX),
    ] = []
    """Scopes whose digests differ: the digests of their 256 buckets (first byte of BLAKE2b-128 of the record id)."""
    epoch: bytes = b""


class PulledRecord(Struct, array_like=True, frozen=True):
    """One record at its latest state: whole, or (`delta`) what continues the state the device had at its cursor."""

    collection: str
    record_id: bytes
    update: bytes
    receipt: bytes = b""
    delta: bool = False


class ScopePage(Struct, array_like=True, frozen=True):
    """A piece of a scope's feed, to be stored with its cursor in one transaction.

    First sync comes newest first. `remaining` records are still to come; when it is 0, `digest` is the digest of the
    scope at this cursor. `reset` tells to forget the old cursor (a new epoch): once everything is offered again, read
    on from here.
    """

    scope: str
    role: str
    cursor: bytes
    records: list[PulledRecord] = []
    remaining: _Natural = 0
    total: _Natural = 0
    digest: bytes = b""
    reset: bool = False


class SyncResponse(Struct, array_like=True, frozen=True):
    """The answer: results in the order of `push`, pages of every granted scope with news, and scopes to forget.

    `repair` lists records (scope, id) of differing buckets that the device should send or ask for whole.
    `retry_after` (seconds) asks the device to come back later; results then may be `retry`.
    """

    version: _Natural
    now_us: _ServerTime
    epoch: bytes
    results: list[PushResult] = []
    pages: list[ScopePage] = []
    forget: list[str] = []
    send_cursors: bool = False
    retry_after: _Seconds = 0.0
    repair: list[tuple[str, bytes, bytes]] = []
    """(scope, record id, digest) of every record in a differing bucket."""


Message = TypeVar("Message")

_request_decoder = msgspec.msgpack.Decoder(SyncRequest)
_response_decoder = msgspec.msgpack.Decoder(SyncResponse)
_encoder = msgspec.msgpack.Encoder()


def encode_message(message: SyncRequest | SyncResponse) -> bytes:
    """Write a message."""
    return _encoder.encode(message)


def decode_request(data: bytes) -> SyncRequest:
    """Read a request. Raises ProtocolError."""
    return _decode(_request_decoder, data)


def decode_response(data: bytes) -> SyncResponse:
    """Read a response. Raises ProtocolError."""
    return _decode(_response_decoder, data)


def hash_cursors(cursors: Iterable[ScopeCursor]) -> bytes:
    """Say in 16 bytes where a device stands: a device's `cursors_hash`, and what the server compares it with."""
    ordered = sorted(cursors, key=_scope)
    return blake2b(_encoder.encode(ordered), digest_size=16).digest()


def bucket_of(record_key: bytes) -> int:
    """Tell which of the buckets of its scope a record is in, by its id as 16 bytes."""
    return blake2b(record_key, digest_size=16).digest()[0]


def _scope(cursor: ScopeCursor) -> str:
    return cursor.scope


def _decode(decoder: "msgspec.msgpack.Decoder[Message]", data: bytes) -> Message:
    try:
        return decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ProtocolError(str(error)) from error
