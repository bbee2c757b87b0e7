"""Crafted messages: requests and responses that nobody can read, and what stands in those that can be read."""

from typing import Any

import msgspec

from apex_sync.acceptance import RefusalCode, Status
from apex_sync.op import CLOCK_MAX, EXACT_INT_MAX
from apex_sync.protocol.messages import (
    BUCKET_SCOPES_MAX,
    BUCKETS,
    PUSH_RECORDS_MAX,
    RESEND_RECORDS_MAX,
    SCOPES_MAX,
    PushedRecord,
    ScopeCursor,
    SyncRequest,
)
from apex_sync.testing.hostile.parts import GOOD_OP, HUGE, ME
from apex_sync.wire import encode_push

SCOPE = "athlete:00000000-0000-4000-8000-000000000001"
STRANGER = "00000000-0000-4000-8000-0000000000ff"
RECORD_ID = bytes(range(16))
DIGEST = bytes(16)

Case = tuple[PushedRecord, Status, RefusalCode | None]


def _packed(value: Any) -> bytes:
    return msgspec.msgpack.encode(value)


def _request(**parts: Any) -> bytes:
    """Write a request of which any part may be wrong."""
    fields = {
        "version": 1,
        "client_id": ME,
        "now_us": 1,
        "push": [],
        "cursors": None,
        "cursors_hash": b"",
        "pull_bytes": 1024,
        "resend": [],
        "bucket_digests": [],
    }
    return _packed(list((fields | parts).values()))


def _response(**parts: Any) -> bytes:
    """Write a response of which any part may be wrong."""
    fields = {
        "version": 1,
        "now_us": 1,
        "epoch": bytes(8),
        "results": [],
        "pages": [],
        "forget": [],
        "send_cursors": False,
        "retry_after": 0.0,
        "repair": [],
    }
    return _packed(list((fields | parts).values()))


_PUSHED = [SCOPE, "check_ins", RECORD_ID, b"update", b"", b""]
_PAGE = [SCOPE, "athlete", b"cursor", [], 0, 0, b"", False]
_PULLED = ["check_ins", RECORD_ID, b"update", b"", False]
_BUCKETS = [DIGEST] * BUCKETS

_NO_MESSAGES: dict[str, bytes] = {
    "nothing at all": b"",
    "one byte": b"\x99",
    "null": b"\xc0",
    "a number": b"\x07",
    "text": _packed("sync"),
    "binary": _packed(b"sync"),
    "an empty list": b"\x90",
    "a map": _packed({"version": 1, "client_id": ME, "now_us": 1}),
    "a map of 2**32 fields": b"\xdf\xff\xff\xff\xff",
    "a list of 2**32 fields": b"\xdd\xff\xff\xff\xff\x01",
    "lists nested without end": b"\x91" * 100_000,
    "the byte that msgpack never uses": b"\xc1",
    "a page of a captive portal": b"<!DOCTYPE html><html><body>Please sign in to the hotel network</body></html>",
    "JSON": b'{"version":1,"client_id":9,"now_us":1}',
    "a zstd frame": bytes.fromhex("28b52ffd2004210000") + b"\x00\x00\x00",
    "a gzip stream": bytes.fromhex("1f8b08000000000000ff63600000"),
    "a TLS greeting": bytes.fromhex("16030100c2010000be0303"),
    "an HTTP request": b"POST /api/sync HTTP/1.1\r\nHost: coach.example\r\n\r\n",
    "zeros": bytes(1000),
    "ones": b"\xff" * 1000,
}

REQUESTS: dict[str, bytes] = {
    **_NO_MESSAGES,
    "a request that is cut off": _request()[:-1],
    "a request and a byte": _request() + b"\x00",
    "two requests": _request() * 2,
    "only a version": _packed([1]),
    "a version below zero": _request(version=-1),
    "a version of 2**53": _request(version=2**53),
    "a version that is text": _request(version="1"),
    "a version that is null": _request(version=None),
    "a version that is an extension": _request(version=msgspec.msgpack.Ext(1, b"1")),
    "a client id of zero": _request(client_id=0),
    "a client id below zero": _request(client_id=-1),
    "a client id of 2**53": _request(client_id=2**53),
    "a client id of 2**64 - 1": _request(client_id=2**64 - 1),
    "a client id that is a float": _request(client_id=9.5),
    "a client id that is true": _request(client_id=True),
    "a time below zero": _request(now_us=-1),
    "a time of 2**63": _request(now_us=2**63),
    "a time that is not a number": _request(now_us=float("nan")),
    "a push that is null": _request(push=None),
    "a push that is a map": _request(push={"0": _PUSHED}),
    "a push of 1,001 records": _request(push=[_PUSHED] * (PUSH_RECORDS_MAX + 1)),
    "a push of 2**32 records": b"\x94\x01\x09\x01\xdd\xff\xff\xff\xff",
    "a pushed record that is null": _request(push=[None]),
    "a pushed record without an update": _request(push=[_PUSHED[:3]]),
    "a pushed record that is a map": _request(push=[{"scope": SCOPE}]),
    "a scope that is binary": _request(push=[[SCOPE.encode(), *_PUSHED[1:]]]),
    "a scope that is not UTF-8": _request(push=[["zzzz", *_PUSHED[1:]]]).replace(b"zzzz", b"\xff\xfe\xfd\xfc"),
    "a scope that is a number": _request(push=[[1, *_PUSHED[1:]]]),
    "a collection that is null": _request(push=[[SCOPE, None, *_PUSHED[2:]]]),
    "a record id that is text": _request(push=[[SCOPE, "check_ins", "0" * 16, *_PUSHED[3:]]]),
    "an update that is text": _request(push=[[*_PUSHED[:3], "update"]]),
    "an update that is a list of bytes": _request(push=[[*_PUSHED[:3], [1, 2, 3]]]),
    "an update of 2**32 bytes": _request(push=[_PUSHED]).replace(_packed(b"update"), b"\xc6\xff\xff\xff\xff"),
    "a receipt that is a number": _request(push=[[*_PUSHED[:5], 1]]),
    "cursors that are a map": _request(cursors={SCOPE: b""}),
    "cursors that are a number": _request(cursors=1),
    "20,001 cursors": _request(cursors=[[SCOPE]] * (SCOPES_MAX + 1)),
    "a cursor without a scope": _request(cursors=[[]]),
    "a cursor that is text": _request(cursors=[[SCOPE, "cursor"]]),
    "a digest that is a number": _request(cursors=[[SCOPE, b"", 1]]),
    "a hash that is text": _request(cursors_hash="0" * 16),
    "a hash that is null": _request(cursors_hash=None),
    "fewer bytes than none": _request(pull_bytes=-1),
    "2**53 bytes": _request(pull_bytes=2**53),
    "a fraction of bytes": _request(pull_bytes=0.5),
    "10,001 records to send again": _request(resend=[[SCOPE, RECORD_ID]] * (RESEND_RECORDS_MAX + 1)),
    "a record to send again without an id": _request(resend=[[SCOPE]]),
    "a record to send again with more": _request(resend=[[SCOPE, RECORD_ID, 1]]),
    "a record to send again that is text": _request(resend=["athlete"]),
    "255 buckets": _request(bucket_digests=[[SCOPE, _BUCKETS[1:]]]),
    "257 buckets": _request(bucket_digests=[[SCOPE, [*_BUCKETS, DIGEST]]]),
    "buckets that are text": _request(bucket_digests=[[SCOPE, ["0" * 16] * BUCKETS]]),
    "buckets of nothing": _request(bucket_digests=[[]]),
    "the buckets of 1,001 scopes": _request(bucket_digests=[[SCOPE, [b""] * BUCKETS]] * (BUCKET_SCOPES_MAX + 1)),
    "lists nested without end in a newer field": _request(newer=0)[:-1] + b"\x91" * 100_000,
    "a newer field that is cut off": _request(newer="text")[:-2],
    "a response": _response(pages=[_PAGE]),
}
"""What no server takes for a SyncRequest, over HTTP or in a live frame."""

RESPONSES: dict[str, bytes] = {
    **_NO_MESSAGES,
    "a response that is cut off": _response()[:-1],
    "a response and a byte": _response() + b"\x00",
    "a response without an epoch": _packed([1, 1]),
    "a version that is text": _response(version="1"),
    "a time that is a float": _response(now_us=1.5),
    "an epoch that is text": _response(epoch="epoch--1"),
    "results that are null": _response(results=None),
    "a result without a status": _response(results=[[]]),
    "a status that nobody knows": _response(results=[["adored"]]),
    "a status that is a number": _response(results=[[200]]),
    "a next clock that is text": _response(results=[["applied", "1"]]),
    "a refusal of a code that nobody knows": _response(results=[["applied", 1, b"", [[0, "disliked", "", ""]]]]),
    "a refusal without a message": _response(results=[["applied", 1, b"", [[0, "malformed", ""]]]]),
    "a refusal that is text": _response(results=[["applied", 1, b"", ["malformed"]]]),
    "dead clocks that are a list": _response(results=[["applied", 1, b"", [], [0]]]),
    "pages that are a map": _response(pages={SCOPE: _PAGE}),
    "a page without a cursor": _response(pages=[_PAGE[:2]]),
    "a cursor that is text": _response(pages=[[SCOPE, "athlete", "cursor"]]),
    "records that are null": _response(pages=[[*_PAGE[:3], None]]),
    "a record without an update": _response(pages=[[*_PAGE[:3], [_PULLED[:2]]]]),
    "a record id that is text": _response(pages=[[*_PAGE[:3], [["check_ins", "0" * 16, b"update"]]]]),
    "an update of 2**32 bytes": _response(pages=[[*_PAGE[:3], [_PULLED]]]).replace(
        _packed(b"update"), b"\xc6\xff\xff\xff\xff"
    ),
    "a delta that is a number": _response(pages=[[*_PAGE[:3], [[*_PULLED[:4], 1]]]]),
    "records left that are text": _response(pages=[[*_PAGE[:4], "many"]]),
    "scopes to forget that are binary": _response(forget=[SCOPE.encode()]),
    "a scope to forget that is not UTF-8": _response(forget=["zzzz"]).replace(b"zzzz", b"\xff\xfe\xfd\xfc"),
    "cursors wanted by text": _response(send_cursors="yes"),
    "a wait of text": _response(retry_after="soon"),
    "a repair of two": _response(repair=[[SCOPE, RECORD_ID]]),
    "a repair of four": _response(repair=[[SCOPE, RECORD_ID, DIGEST, 1]]),
    "lists nested without end in a newer field": _response(newer=0)[:-1] + b"\x91" * 100_000,
}
"""What no device takes for a SyncResponse."""


def asks(scope: str) -> dict[str, SyncRequest]:
    """Give requests that can be read and ask for what there is not; `scope` is one that the sender may read."""

    def ask(**parts: Any) -> SyncRequest:
        return SyncRequest(**({"version": 1, "client_id": ME, "now_us": 1} | parts))

    def cursor(data: bytes, digest: bytes = b"") -> SyncRequest:
        return ask(cursors=[ScopeCursor(scope, data, digest)])

    epoch = bytes(8)
    return {
        "nothing": ask(),
        "the version of another century": ask(version=EXACT_INT_MAX, cursors=[]),
        "a version before the first": ask(version=0, cursors=[]),
        "a clock at zero": ask(now_us=0, cursors=[]),
        "a clock at the end of time": ask(now_us=EXACT_INT_MAX, cursors=[]),
        "a cursor of one byte": cursor(b"x"),
        "a cursor of a megabyte": cursor(bytes(2**20)),
        "a cursor of another epoch": cursor(b"epoch--1" + bytes(16)),
        "a cursor at the end of all feeds": cursor(epoch + b"\xff" * 16),
        "a cursor whose tail is before its head": cursor(epoch + bytes(7) + b"\x05" + bytes(7) + b"\x09"),
        "a cursor beyond what Postgres counts": cursor(epoch + b"\x80" + bytes(15)),
        "a cursor cut short at both ends": cursor(epoch + b"\x7f" + b"\xff" * 23),
        "a digest of one byte": cursor(b"", b"x"),
        "a digest of a megabyte": cursor(b"", bytes(2**20)),
        "the cursor of one scope twice": ask(cursors=[ScopeCursor(scope, b"x"), ScopeCursor(scope, b"y")]),
        "the cursor of a stranger": ask(cursors=[ScopeCursor(f"athlete:{STRANGER}", b"x")]),
        "the cursor of a name that is none": ask(cursors=[ScopeCursor("'; DROP TABLE scopes; --")]),
        "the cursor of a name with a NUL": ask(cursors=[ScopeCursor("athlete:\x00")]),
        "the cursor of a name of a megabyte": ask(cursors=[ScopeCursor("a" * 2**20)]),
        "20,000 cursors": ask(cursors=[ScopeCursor(f"coach:{number}") for number in range(SCOPES_MAX)]),
        "a hash of one byte": ask(cursors_hash=b"x"),
        "a hash of a megabyte": ask(cursors_hash=bytes(2**20)),
        "no bytes": ask(cursors=[], pull_bytes=0),
        "all bytes there are": ask(cursors=[], pull_bytes=EXACT_INT_MAX),
        "a record again that is not there": ask(cursors=[], resend=[(scope, RECORD_ID)]),
        "a record again by an id of one byte": ask(cursors=[], resend=[(scope, b"x")]),
        "a stranger's record again": ask(cursors=[], resend=[(f"athlete:{STRANGER}", RECORD_ID)]),
        "one record again ten thousand times": ask(cursors=[], resend=[(scope, RECORD_ID)] * RESEND_RECORDS_MAX),
        "buckets of no bytes": ask(cursors=[], bucket_digests=[(scope, [b""] * BUCKETS)]),
        "buckets of many bytes": ask(cursors=[], bucket_digests=[(scope, [bytes(1000)] * BUCKETS)]),
        "the buckets of one scope a thousand times": ask(
            cursors=[], bucket_digests=[(scope, [b""] * BUCKETS)] * BUCKET_SCOPES_MAX
        ),
        "the buckets of a stranger": ask(cursors=[], bucket_digests=[(f"athlete:{STRANGER}", [b""] * BUCKETS)]),
        "buckets with a NUL in the scope": ask(cursors=[], bucket_digests=[("athlete:\x00", [b""] * BUCKETS)]),
    }


def pushed_records(scope: str) -> dict[str, Case]:
    """Give records that can be read and not be taken, with the answer; `scope` is one that client `ME` may write.

    What stands in the scope of somebody else must not show whether there is such a scope.
    """
    good = encode_push(ME, 0, [GOOD_OP])
    owner = scope.partition(":")[2]

    def record(**parts: Any) -> PushedRecord:
        given = {"scope": scope, "collection": "check_ins", "record_id": RECORD_ID, "update": good}
        return PushedRecord(**(given | parts))

    ids = {
        "a record id of nothing": b"",
        "a record id of 15 bytes": bytes(15),
        "a record id of 17 bytes": bytes(17),
        "a record id of a megabyte": bytes(2**20),
    }
    names = {
        "the empty scope": "",
        "a scope that is only a kind": "athlete:",
        "a scope without an id": "athlete",
        "a scope of a kind that is none": f"admin:{owner}",
        "a scope in capitals": scope.upper(),
        "a scope with an id in capitals": f"athlete:{owner.upper()}" if owner.upper() != owner else "athlete:A",
        "a scope with an id in braces": f"athlete:{{{owner}}}",
        "a scope with an id as a URN": f"athlete:urn:uuid:{owner}",
        "a scope with an id without hyphens": f"athlete:{owner.replace('-', '')}",
        "a scope with two ids": f"{scope}:{owner}",
        "a scope with a blank": f"{scope} ",
        "a scope with a NUL": f"{scope}\x00",
        "a scope with a line break": f"{scope}\n",
        "a scope of every athlete": "athlete:*",
        "a scope of any athlete": "athlete:%",
        "a scope that is SQL": f"athlete:{owner}' OR '1'='1",
        "a scope that is a path": f"athlete:../athlete:{owner}",
        "a scope of a megabyte": "athlete:" + "a" * 2**20,
    }
    foreign = {
        "a stranger's scope": f"athlete:{STRANGER}",
        "a stranger's private notes": f"private:{STRANGER}:{owner}",
        "a stranger's templates": f"coach:{STRANGER}",
        "a stranger's library": f"library:{STRANGER}",
        "one's own id as a coach's": f"coach:{owner}",
        "one's own id as a library's": f"library:{owner}",
        "private notes about oneself": f"private:{owner}:{owner}",
        "a thread with a stranger": f"thread:{STRANGER}:{owner}",
        "a thread with oneself": f"thread:{owner}:{owner}",
    }
    collections = {
        "no collection": "",
        "a collection that is none": "users",
        "a collection that is SQL": "check_ins; DROP TABLE records",
        "a collection with a NUL": "check_ins\x00",
        "a collection in capitals": "CHECK_INS",
        "a collection that Python knows": "__class__",
        "a collection of a megabyte": "c" * 2**20,
    }
    bases: dict[str, tuple[bytes, bytes]] = {
        "a base that is none": (b"\xff" * 100, b""),
        "a base that is a push of a stranger": (encode_push(ME + 1, 0, [GOOD_OP])[:-2], b""),
        "a base that deletes all": (b"\x00\x01" + bytes([ME]) + b"\x01\x00\x01", b""),
        "a base of a huge count": (b"\x80" * 8, b""),
    }
    cases: dict[str, Case] = {name: (record(record_id=one), "rejected", "malformed") for name, one in ids.items()}
    cases |= {name: (record(scope=one), "rejected", "malformed") for name, one in names.items()}
    cases |= {name: (record(scope=one), "rejected", "not_granted") for name, one in foreign.items()}
    cases |= {name: (record(collection=one), "rejected", "unknown_collection") for name, one in collections.items()}
    cases |= {
        name: (record(base=base, receipt=receipt), "rejected", "malformed") for name, (base, receipt) in bases.items()
    }
    return cases | {
        "a collection of another kind of scope": (record(collection="insights"), "rejected", "forbidden"),
        "a check-in of everyone's": (record(scope="global"), "rejected", "forbidden"),
        "an exercise of everyone's": (record(scope="global", collection="exercises"), "rejected", "not_granted"),
        "neither an update nor a base": (record(update=b""), "rejected", "malformed"),
        "a base without an update or a receipt": (
            record(update=b"", base=encode_push(ME, 0, [GOOD_OP])),
            "gap",
            None,
        ),
        "a forged receipt": (
            record(update=b"", base=encode_push(ME + 1, 0, [GOOD_OP]), receipt=bytes(24)),
            "gap",
            None,
        ),
        "a receipt of a megabyte": (
            record(update=b"", base=encode_push(ME + 1, 0, [GOOD_OP]), receipt=bytes(2**20)),
            "gap",
            None,
        ),
        "ops from a clock to come": (record(update=encode_push(ME, 5, [GOOD_OP])), "gap", None),
        "ops from the last clock": (record(update=encode_push(ME, CLOCK_MAX - 1, [GOOD_OP])), "gap", None),
        "an op that has seen what is not here": (
            record(update=encode_push(ME, 0, [_packed([[10, [HUGE, CLOCK_MAX], {"notes": "x"}]])])),
            "gap",
            None,
        ),
    }
