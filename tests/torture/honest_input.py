"""Honest messages of every part, for mutations to start from."""

from datetime import date
from random import Random

from apex_sync.acceptance import Refusal
from apex_sync.document import Document
from apex_sync.op import Write, encode_op
from apex_sync.protocol.messages import (
    BUCKETS,
    PulledRecord,
    PushedRecord,
    PushResult,
    ScopeCursor,
    ScopePage,
    SyncRequest,
    SyncResponse,
)
from apex_sync.testing.hostile import ME, OTHER
from apex_sync.testing.hostile.messages import RECORD_ID, SCOPE
from apex_sync.testing.training import check_in_patch
from apex_sync.wire import encode_document, encode_push, encode_refusals

_CHECK_IN = check_in_patch(Random(1), on=date(2026, 3, 1), week=9)

OPS = [
    encode_op([Write(10, [], _CHECK_IN)]),
    encode_op([Write(11, [], {"notes": "Slept badly."}), Write(12, [], {"weight_kg": 81.5, "deleted": False})]),
    encode_op([Write(13, [], {"photos": {"k3f9": {"order": "a3", "type": "front"}}})]),
]


def _document() -> Document:
    document = Document()
    document.append_dead(OTHER, 2)
    document.append(OTHER, encode_op([Write(9, [], {"coach_feedback": "Well done."})]))
    for op in OPS:
        document.append(ME, op)
    document.append_dead(ME)
    return document


DOCUMENT = _document()

REQUEST = SyncRequest(
    1,
    ME,
    1_700_000_000_000_000,
    [PushedRecord(SCOPE, "check_ins", RECORD_ID, encode_push(ME, 0, OPS))],
    [ScopeCursor(SCOPE, b"epoch--1" + bytes(16), bytes(16))],
    resend=[(SCOPE, RECORD_ID)],
    bucket_digests=[(SCOPE, [b"x"] * BUCKETS)],
)

RESPONSE = SyncResponse(
    1,
    1_700_000_000_000_000,
    b"epoch--1",
    [
        PushResult(
            "applied", 3, bytes(24), [Refusal(1, "mistyped", "notes", "Expected `str`")], encode_refusals(ME, [1])
        )
    ],
    [
        ScopePage(
            SCOPE,
            "athlete",
            bytes(24),
            [PulledRecord("check_ins", RECORD_ID, encode_document(DOCUMENT))],
            3,
            9,
            bytes(16),
        )
    ],
    ["global"],
    repair=[(SCOPE, RECORD_ID, bytes(16))],
)
