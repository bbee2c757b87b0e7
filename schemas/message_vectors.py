"""Golden messages: one of each kind of exchange, as it stands in a body before compression, or in a live frame."""

from typing import Any
from uuid import UUID

import msgspec

from apex_sync.acceptance import Refusal
from apex_sync.op import Write, encode_op
from apex_sync.protocol import (
    BUCKETS,
    PROTOCOL_VERSION,
    PulledRecord,
    PushedRecord,
    PushResult,
    ScopeCursor,
    ScopePage,
    SyncRequest,
    SyncResponse,
    bucket_of,
    encode_message,
    hash_cursors,
)
from apex_sync.wire import encode_push, encode_refusals

CLIENT_ID = 2**52 + 12_345
NOW_US = 1_772_384_700_000_000
SCOPE = "athlete:0195a1b2-0000-7000-8000-000000000001"
RECORD_ID = UUID("0195a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b").bytes
EPOCH = bytes.fromhex("0102030405060708")
CURSOR = EPOCH + bytes(15) + b"\x09"
DIGEST = bytes(range(16))
RECEIPT = EPOCH + bytes(range(16))


def message_vectors() -> dict[str, Any]:
    """Give the messages and the two hashes that both sides must agree on."""
    cursors = [ScopeCursor("global", CURSOR, DIGEST), ScopeCursor(SCOPE, CURSOR, bytes(16))]
    return {
        "requests": [_frame(name, request) for name, request in _requests().items()],
        "responses": [_frame(name, response) for name, response in _responses().items()],
        "cursors_hash": {
            "cursors": [_plain(cursor) for cursor in cursors],
            "hash": hash_cursors(cursors).hex(),
        },
        "buckets": {
            "count": BUCKETS,
            "records": [
                {"record_id": str(UUID(int=number)), "bucket": bucket_of(UUID(int=number).bytes)} for number in range(4)
            ],
        },
    }


def _requests() -> dict[str, SyncRequest]:
    op = encode_op([Write(NOW_US, [], {"fatigue": 7})])
    pushed = PushedRecord(SCOPE, "workout_logs", RECORD_ID, encode_push(CLIENT_ID, 0, [op]))
    return {
        "push one record and ask for news": SyncRequest(
            PROTOCOL_VERSION, CLIENT_ID, NOW_US, push=[pushed], cursors=[ScopeCursor(SCOPE, CURSOR, DIGEST)]
        ),
        "only push, as in a live frame": SyncRequest(PROTOCOL_VERSION, CLIENT_ID, NOW_US, push=[pushed]),
        "a first sync": SyncRequest(PROTOCOL_VERSION, CLIENT_ID, NOW_US, cursors=[]),
        "an idle device of many scopes": SyncRequest(
            PROTOCOL_VERSION, CLIENT_ID, NOW_US, cursors_hash=DIGEST, epoch=EPOCH
        ),
        "records to be sent again": SyncRequest(
            PROTOCOL_VERSION, CLIENT_ID, NOW_US, cursors=[], resend=[(SCOPE, RECORD_ID)]
        ),
    }


def _responses() -> dict[str, SyncResponse]:
    refusal = Refusal(1, "forbidden", "coach_feedback", "the athlete may not write it")
    refused = PushResult("applied", 3, RECEIPT, [refusal], encode_refusals(CLIENT_ID, [1]))
    page = ScopePage(
        SCOPE,
        "athlete",
        CURSOR,
        [PulledRecord("workout_logs", RECORD_ID, b"\x00\x00", RECEIPT)],
        total=1,
        digest=DIGEST,
    )
    return {
        "one op refused, two taken": SyncResponse(PROTOCOL_VERSION, NOW_US, EPOCH, results=[refused]),
        "a page of one record": SyncResponse(PROTOCOL_VERSION, NOW_US, EPOCH, pages=[page]),
        "nothing new": SyncResponse(PROTOCOL_VERSION, NOW_US, EPOCH),
        "every status": SyncResponse(
            PROTOCOL_VERSION,
            NOW_US,
            EPOCH,
            results=[
                PushResult("duplicate", 1, RECEIPT),
                PushResult("gap"),
                PushResult("forked"),
                PushResult("retry"),
                PushResult("rejected", 0, b"", [Refusal(0, "not_granted", "", "no such scope")]),
            ],
            forget=[SCOPE],
            send_cursors=True,
            retry_after=1.5,
            repair=[(SCOPE, RECORD_ID, DIGEST)],
        ),
    }


def _frame(name: str, message: SyncRequest | SyncResponse) -> dict[str, Any]:
    return {"name": name, "hex": encode_message(message).hex(), "message": _plain(message)}


def _plain(value: Any) -> Any:
    """Spell a message out with the names of its fields, and bytes in hex."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, msgspec.Struct):
        return {name: _plain(getattr(value, name)) for name in value.__struct_fields__}
    return value
