"""A corpus of crafted input: what an attacker would send, each with a name that says what is wrong with it.

`UPDATES` are bytes that no reader of records may take. `OPS` are op bytes that stand in a well-formed push and are
refused, each alone. `PUSHES` are well-formed pushes of client `ME` that the grammar or the judge must not let through
as they are. Random fuzzing finds none of these.
"""

import math
import struct
from typing import Any

import msgspec

from apex_sync.op import CLOCK_MAX, EXACT_INT_MAX, OP_BYTES_MAX, SUMMARY_BYTES_MAX, WRITES_MAX
from apex_sync.testing.updates import (
    ANY_ITEM,
    any_item,
    binary_item,
    dead_item,
    dead_run,
    delete_set,
    key,
    section,
    skip,
    text,
    update,
    varint,
)
from apex_sync.wire import CLIENTS_MAX, DOCUMENT_BYTES_MAX, OPS_MAX

ME = 9
OTHER = 7
HUGE = 2**52


def _op(patch: Any = None, *, hlc: Any = 10, seen: Any = ()) -> bytes:
    return msgspec.msgpack.encode([[hlc, list(seen), {"notes": "x"} if patch is None else patch]])


def _raw_patch(raw: bytes) -> bytes:
    return b"\x91\x93\x0a\x90" + raw


def _one(item: bytes, first_clock: int = 0, *, client_id: int = ME, dead: bytes = b"\x00", **more: Any) -> bytes:
    return update(section(client_id, first_clock, [item], **more), dead=dead)


def _item_with(content: bytes, info: int = ANY_ITEM) -> bytes:
    return bytes([info, 1]) + text("o") + text(key(ME, 0)) + content


GOOD_OP = _op()
GOOD = any_item(ME, 0, GOOD_OP)

UPDATES: dict[str, bytes] = {
    "nothing at all": b"",
    "one byte": b"\x01",
    "no delete set": b"\x00",
    "bytes after the end": update() + b"\x00",
    "two updates in a row": _one(GOOD) * 2,
    "a huge count of clients": varint(HUGE) + b"\x00",
    "more clients than a record has": update(
        *(section(client, 0, [dead_run(1)]) for client in range(CLIENTS_MAX + 1, 0, -1)),
        dead=delete_set(*((client, [(0, 1)]) for client in range(1, CLIENTS_MAX + 2))),
    ),
    "live ops of more clients than a record has": update(
        *(section(client, 0, [any_item(client, 0, b"\x90")]) for client in range(CLIENTS_MAX + 1, 0, -1))
    ),
    "a huge count of structs": _one(GOOD, count=HUGE),
    "a count of structs of all there is": _one(GOOD, count=EXACT_INT_MAX),
    "one struct more than there is": _one(GOOD, count=2),
    "no structs": update(section(ME, 0, [])),
    "8193 ops": update(section(ME, 0, [any_item(ME, clock, b"\x90") for clock in range(OPS_MAX + 1)])),
    "8193 ops of two clients": update(
        section(ME, 0, [any_item(ME, clock, b"\x90") for clock in range(OPS_MAX)]),
        section(OTHER, 0, [any_item(OTHER, 0, b"\x90")]),
    ),
    "a hundred thousand dead items": update(
        section(ME, 0, [dead_item(ME, clock) for clock in range(100_000)]), dead=delete_set((ME, [(0, 100_000)]))
    )[:DOCUMENT_BYTES_MAX],
    "1 MB and a byte": _one(GOOD) + bytes(DOCUMENT_BYTES_MAX),
    "a client id of zero": _one(any_item(0, 0, _op()), client_id=0),
    "a client id of 2**53": _one(any_item(2**53, 0, _op()), client_id=2**53),
    "a client id of 2**64": _one(any_item(2**64, 0, _op()), client_id=2**64),
    "a number without an end": b"\x01\x01" + b"\x80" * 1000,
    "a number of ten bytes": b"\x01\x01" + b"\xff" * 9 + b"\x01\x00" + GOOD + b"\x00",
    "an over-long client id": b"\x01\x01" + varint(ME, padding=3) + b"\x00" + GOOD + b"\x00",
    "an over-long count of clients": b"\x81\x00" + _one(GOOD)[1:],
    "an over-long length of an op": _one(_item_with(b"\x01\x74" + varint(2, padding=1) + b"\x90\x90")),
    "an over-long first clock": b"\x01\x01" + varint(ME) + b"\x80\x00" + GOOD + b"\x00",
    "clients that ascend": update(section(1, 0, [any_item(1, 0, b"a")]), section(2, 0, [any_item(2, 0, b"b")])),
    "a client twice": update(section(ME, 0, [GOOD]), section(ME, 0, [GOOD])),
    "the ops of a client in two sections": update(section(ME, 0, [GOOD]), section(ME, 1, [any_item(ME, 1, b"b")])),
    "a first clock beyond any": _one(any_item(ME, HUGE, _op()), HUGE),
    "a skip": _one(skip(3), 0),
    "a skip of nothing": _one(skip(0), 0),
    "a skip between ops": update(section(ME, 0, [GOOD, skip(1), any_item(ME, 2, b"b")])),
    "a dead run of nothing": _one(dead_run(0)),
    "a dead run without an end": _one(dead_run(HUGE), dead=delete_set((ME, [(0, HUGE)]))),
    "a dead run one beyond the clocks": _one(dead_run(CLOCK_MAX + 1), dead=delete_set((ME, [(0, CLOCK_MAX + 1)]))),
    "dead runs that sum beyond the clocks": update(
        section(ME, 0, [dead_run(CLOCK_MAX), dead_item(ME, CLOCK_MAX), dead_run(CLOCK_MAX)]),
        dead=delete_set((ME, [(0, CLOCK_MAX)])),
    ),
    "dead runs that are not joined": update(
        section(ME, 0, [dead_run(1), dead_run(1)]), dead=delete_set((ME, [(0, 2)]))
    ),
    "a dead item of two clocks": _one(dead_item(ME, 0, 2), dead=delete_set((ME, [(0, 1)]))),
    "a dead item of no clocks": _one(dead_item(ME, 0, 0), dead=delete_set((ME, [(0, 1)]))),
    "a dead item of many clocks": _one(dead_item(ME, 0, 1000), dead=delete_set((ME, [(0, 1000)]))),
    "a dead run that the delete set does not name": _one(dead_run(2)),
    "a delete set that kills a live op": _one(GOOD, dead=delete_set((ME, [(0, 1)]))),
    "a delete set of another client": _one(GOOD, dead=delete_set((OTHER, [(0, 1)]))),
    "a delete set beyond the clocks": _one(GOOD, dead=delete_set((ME, [(1, 5)]))),
    "a delete set of everything": _one(GOOD, dead=delete_set((ME, [(0, HUGE)]))),
    "a delete set with a huge count": _one(GOOD, dead=varint(HUGE)),
    "a delete set with a huge count of runs": _one(GOOD, dead=b"\x01" + varint(ME) + varint(HUGE)),
    "a delete set without runs": _one(GOOD, dead=delete_set((ME, []))),
    "a delete set of empty runs": _one(dead_run(1), dead=delete_set((ME, [(0, 0)]))),
    "a delete set of runs that touch": _one(dead_run(2), dead=delete_set((ME, [(0, 1), (1, 1)]))),
    "a delete set of runs that overlap": _one(dead_run(2), dead=delete_set((ME, [(0, 2), (1, 1)]))),
    "a delete set that descends": update(
        section(ME, 0, [dead_run(1), any_item(ME, 1, b"a"), dead_run(1)]), dead=delete_set((ME, [(2, 1), (0, 1)]))
    ),
    "a delete set that names a client twice": _one(dead_run(3), dead=delete_set((ME, [(0, 1)]), (ME, [(2, 1)]))),
    "a delete set in no order of clients": update(
        *(section(client, 0, [dead_run(1)]) for client in (3, 2, 1)),
        dead=delete_set((2, [(0, 1)]), (3, [(0, 1)]), (1, [(0, 1)])),
    ),
    "a delete set of a hundred thousand runs": _one(
        GOOD, dead=delete_set((ME, [(place, 1) for place in range(0, 200_000, 2)]))
    ),
    "the key of another client": _one(any_item(OTHER, 0, _op()), client_id=ME),
    "the key of another clock": _one(any_item(ME, 1, _op())),
    "a key without a client": _one(any_item(ME, 0, _op(), named=".0")),
    "a key with a padded clock": _one(any_item(ME, 0, _op(), named=f"{key(ME, 0)[:-1]}00")),
    "a key with more behind it": _one(any_item(ME, 0, _op(), named=f"{key(ME, 0)}x")),
    "a key with a NUL": _one(any_item(ME, 0, _op(), named=f"{key(ME, 0)}\x00")),
    "an empty key": _one(any_item(ME, 0, _op(), named="")),
    "a key of a gigabyte": _one(bytes([ANY_ITEM, 1]) + text("o") + varint(2**30)),
    "another root": _one(any_item(ME, 0, _op(), root="p")),
    "the empty root": _one(any_item(ME, 0, _op(), root="")),
    "a root with more behind it": _one(any_item(ME, 0, _op(), root="oo")),
    "a root of a gigabyte": _one(bytes([ANY_ITEM, 1]) + varint(2**30)),
    "a parent that is an item": _one(
        bytes([ANY_ITEM, 0]) + varint(ME) + b"\x00" + text(key(ME, 0)) + b"\x01\x74\x01\x90"
    ),
    "an item with a left origin": _one(_item_with(b"\x01\x74\x01\x90", info=0xA8)),
    "an item with a right origin": _one(_item_with(b"\x01\x74\x01\x90", info=0x68)),
    "an item with both origins": _one(_item_with(b"\x01\x74\x01\x90", info=0xE8)),
    "an item without a key": _one(bytes([0x08, 1]) + text("o") + b"\x01\x74\x01\x90"),
    "a nested map": _one(_item_with(b"\x01", info=0x27)),
    "a nested array": _one(_item_with(b"\x00", info=0x27)),
    "a subdocument": _one(_item_with(text("guid") + b"\x76\x00", info=0x29)),
    "a string": _one(_item_with(text("text"), info=0x24)),
    "JSON": _one(_item_with(b"\x01" + text("{}"), info=0x22)),
    "an embedded object": _one(_item_with(text("{}"), info=0x25)),
    "a format": _one(_item_with(text("b") + text("true"), info=0x26)),
    "no Any value": _one(_item_with(b"\x00")),
    "two Any values": _one(_item_with(b"\x02" + (b"\x74\x01\x90") * 2)),
    "a huge count of Any values": _one(_item_with(varint(HUGE) + b"\x74\x01\x90")),
    "an Any map nested without end": _one(_item_with(b"\x01" + (b"\x76\x01" + text("a")) * 50_000)),
    "an Any array nested without end": _one(_item_with(b"\x01" + b"\x75\x01" * 100_000)),
    "an Any text": _one(_item_with(b"\x01\x77" + text("x"))),
    "an Any bigint": _one(_item_with(b"\x01\x7a" + struct.pack(">q", -1))),
    "an empty op": _one(any_item(ME, 0, b"")),
    "an empty binary op": _one(binary_item(ME, 0, b"")),
    "an op longer than the update": _one(_item_with(b"\x01\x74" + varint(1000) + b"\x90")),
    "an op of a gigabyte": _one(_item_with(b"\x01\x74" + varint(2**30) + b"\x90")),
    "an op one byte too long for any reader": _one(any_item(ME, 0, b"x" * (SUMMARY_BYTES_MAX + 1))),
}

_WRITE = [10, [], {"notes": "x"}]

OPS: dict[str, bytes] = {
    "no msgpack": b"\xc1",
    "a number": b"\x07",
    "text": msgspec.msgpack.encode("op"),
    "null": b"\xc0",
    "an empty list": b"\x90",
    "an empty map": b"\x80",
    "a write that is not in a list": msgspec.msgpack.encode(_WRITE),
    "bytes after the op": _op() + b"\x00",
    "a cut op": _op()[:-1],
    "64 KB and a byte": _op({"notes": "x" * (OP_BYTES_MAX + 1 - len(_op({"notes": "x" * 65_000})) + 65_000)}),
    "1025 writes": msgspec.msgpack.encode([_WRITE] * (WRITES_MAX + 1)),
    "a write with a fourth element": msgspec.msgpack.encode([[*_WRITE, 1]]),
    "a write without a patch": msgspec.msgpack.encode([_WRITE[:2]]),
    "a list of 2**32 writes": b"\xdd\xff\xff\xff\xff",
    "a list of 2**27 writes": b"\xdd\x08\x00\x00\x00" + _op()[1:],
    "a map of 2**32 leaves": _raw_patch(b"\xdf\xff\xff\xff\xff\xa1x"),
    "a text of 2**32 bytes": _raw_patch(b"\x81\xa5notes\xdb\xff\xff\xff\xff"),
    "a vector of 2**32 clocks": b"\x91\x93\x0a\xdd\xff\xff\xff\xff",
    "maps nested without end": _raw_patch(b"\x81\xa1x" * 20_000),
    "lists nested without end": _raw_patch(b"\x81\xa1x" + b"\x91" * 60_000),
    "lists nested seven deep": _op({"x": [[[[[[1]]]]]]}),
    "nesting in an element that is not read": b"\x91\x94\x0a\x90\x81\xa1x\x01" + b"\x91" * 60_000,
    "a patch that is a list": _raw_patch(b"\x91\x01"),
    "a patch that is null": _raw_patch(b"\xc0"),
    "an empty patch": _op({}),
    "an empty map in a patch": _op({"responses": {}}),
    "an empty map deep in a patch": _op({"photos": {"k": {}}, "notes": "x"}),
    "a key that is a number": _raw_patch(b"\x81\x01\x01"),
    "a key that is binary": _raw_patch(b"\x81\xc4\x01x\x01"),
    "a key with a NUL": _op({"no\x00tes": "x"}),
    "text with a NUL": _op({"notes": "a\x00b"}),
    "text with a NUL behind backslashes": _op({"notes": "\\\\\x00"}),
    "text with a NUL in a list": _op({"ai_flags": ["\x00"]}),
    "text that is not UTF-8": _op({"notes": "zz"}).replace(b"zz", b"\xff\xfe"),
    "a surrogate in UTF-8": _op({"notes": "zzz"}).replace(b"zzz", b"\xed\xa0\x80"),
    "an over-long NUL in UTF-8": _op({"notes": "zz"}).replace(b"zz", b"\xc0\x80"),
    "a key that is not UTF-8": _op({"zz": 1}).replace(b"zz", b"\xff\xfe"),
    "NaN": _op({"weight_kg": math.nan}),
    "infinity": _op({"weight_kg": math.inf}),
    "minus infinity": _op({"weight_kg": -math.inf}),
    "a NaN of 32 bits": _raw_patch(b"\x81\xa9weight_kg\xca" + struct.pack(">f", math.nan)),
    "an infinity of 32 bits": _raw_patch(b"\x81\xa9weight_kg\xca" + struct.pack(">f", math.inf)),
    "the largest double": _op({"weight_kg": 1.7e308}),
    "an integer of 2**53": _op({"unknown": 2**53}),
    "an integer of -2**53": _op({"unknown": -(2**53)}),
    "an integer of 2**63": _op({"unknown": 2**63}),
    "an integer of 2**64 - 1": _op({"unknown": 2**64 - 1}),
    "binary": _op({"unknown": b"bytes"}),
    "an extension": _op({"unknown": msgspec.msgpack.Ext(5, b"x")}),
    "a timestamp": _raw_patch(b"\x81\xa1x\xd6\xff\x00\x00\x00\x00"),
    "a stamp of zero": _op(hlc=0),
    "a stamp below zero": _op(hlc=-1),
    "a stamp of 2**53": _op(hlc=2**53),
    "a stamp that is a float": _op(hlc=10.0),
    "a stamp that is text": _op(hlc="10"),
    "half a vector": _op(seen=[OTHER]),
    "a vector that descends": _op(seen=[8, 1, OTHER, 1]),
    "a vector that names a client twice": _op(seen=[OTHER, 1, OTHER, 2]),
    "a vector that names its author": _op(seen=[ME, 1]),
    "a vector with a clock of zero": _op(seen=[OTHER, 0]),
    "a vector with a clock beyond any": _op(seen=[OTHER, CLOCK_MAX + 1]),
    "a vector with a client of 2**53": _op(seen=[2**53, 1]),
    "a vector of 1025 clients": _op(seen=[number for client in range(10, 1035) for number in (client, 1)]),
    "a summary": msgspec.msgpack.encode({"w": [[OTHER, 0, 10, [], {"notes": "forged"}]]}),
    "an empty summary": msgspec.msgpack.encode({"w": []}),
    "a summary with more": msgspec.msgpack.encode({"w": [[OTHER, 0, 10, [], {"notes": "x"}]], "x": 1}),
}


PUSHES: dict[str, bytes] = {
    "the ops of another client": update(section(OTHER, 0, [any_item(OTHER, 0, _op())])),
    "another client's ops beside one's own": update(
        section(ME, 0, [GOOD]), section(OTHER, 0, [any_item(OTHER, 0, _op())])
    ),
    "nothing": update(),
    "a dead run of one's own": update(section(ME, 0, [dead_run(1)]), dead=delete_set((ME, [(0, 1)]))),
    "a dead item of one's own": update(section(ME, 0, [dead_item(ME, 0)]), dead=delete_set((ME, [(0, 1)]))),
    "a delete set of one's own op": update(section(ME, 0, [GOOD]), dead=delete_set((ME, [(0, 1)]))),
    "a delete set of a stranger's op": update(section(ME, 0, [GOOD]), dead=delete_set((OTHER, [(0, 1)]))),
    "a delete set and nothing else": update(dead=delete_set((OTHER, [(0, 1)]))),
    "8193 ops of one's own": UPDATES["8193 ops"],
}


VALID: dict[str, bytes] = {
    "an empty record": update(),
    "one op": _one(GOOD),
    "one op in the other form": _one(binary_item(ME, 0, GOOD_OP)),
    "a float of 32 bits": _one(any_item(ME, 0, _raw_patch(b"\x81\xa9weight_kg\xca\x42\xa0\x00\x00"))),
}
"""What must be taken, so that a reader that refuses everything is found out."""
