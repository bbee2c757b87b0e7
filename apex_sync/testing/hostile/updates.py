"""Crafted updates: what no reader of records takes, what no push may be, and what must be taken all the same."""

import struct

from apex_sync.op import CLOCK_MAX, EXACT_INT_MAX, SUMMARY_BYTES_MAX
from apex_sync.testing.hostile.parts import (
    GOOD,
    GOOD_OP,
    HUGE,
    ME,
    OTHER,
    crafted_op,
    item_of,
    with_item,
    with_raw_patch,
)
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
from apex_sync.wire import CLIENTS_MAX, DOCUMENT_BYTES_MAX, OPS_MAX, STRUCTS_MAX

UPDATES: dict[str, bytes] = {
    "nothing at all": b"",
    "one byte": b"\x01",
    "no delete set": b"\x00",
    "bytes after the end": update() + b"\x00",
    "two updates in a row": with_item(GOOD) * 2,
    "a huge count of clients": varint(HUGE) + b"\x00",
    "more clients than a record has": update(
        *(section(client, 0, [dead_run(1)]) for client in range(CLIENTS_MAX + 1, 0, -1)),
        dead=delete_set(*((client, [(0, 1)]) for client in range(1, CLIENTS_MAX + 2))),
    ),
    "live ops of more clients than a record has": update(
        *(section(client, 0, [any_item(client, 0, b"\x90")]) for client in range(CLIENTS_MAX + 1, 0, -1))
    ),
    "a huge count of structs": with_item(GOOD, count=HUGE),
    "a count of structs of all there is": with_item(GOOD, count=EXACT_INT_MAX),
    "one struct more than there is": with_item(GOOD, count=2),
    "no structs": update(section(ME, 0, [])),
    "8193 ops": update(section(ME, 0, [any_item(ME, clock, b"\x90") for clock in range(OPS_MAX + 1)])),
    "8193 ops of two clients": update(
        section(ME, 0, [any_item(ME, clock, b"\x90") for clock in range(OPS_MAX)]),
        section(OTHER, 0, [any_item(OTHER, 0, b"\x90")]),
    ),
    "a hundred thousand dead items": update(
        section(ME, 0, [dead_item(ME, clock) for clock in range(100_000)]), dead=delete_set((ME, [(0, 100_000)]))
    )[:DOCUMENT_BYTES_MAX],
    "1 MB and a byte": with_item(GOOD) + bytes(DOCUMENT_BYTES_MAX),
    "a client id of zero": with_item(any_item(0, 0, crafted_op()), client_id=0),
    "a client id of 2**53": with_item(any_item(2**53, 0, crafted_op()), client_id=2**53),
    "a client id of 2**64": with_item(any_item(2**64, 0, crafted_op()), client_id=2**64),
    "a number without an end": b"\x01\x01" + b"\x80" * 1000,
    "a number of ten bytes": b"\x01\x01" + b"\xff" * 9 + b"\x01\x00" + GOOD + b"\x00",
    "an over-long client id": b"\x01\x01" + varint(ME, padding=3) + b"\x00" + GOOD + b"\x00",
    "an over-long count of clients": b"\x81\x00" + with_item(GOOD)[1:],
    "an over-long length of an op": with_item(item_of(b"\x01\x74" + varint(2, padding=1) + b"\x90\x90")),
    "an over-long first clock": b"\x01\x01" + varint(ME) + b"\x80\x00" + GOOD + b"\x00",
    "clients that ascend": update(section(1, 0, [any_item(1, 0, b"a")]), section(2, 0, [any_item(2, 0, b"b")])),
    "a client twice": update(section(ME, 0, [GOOD]), section(ME, 0, [GOOD])),
    "the ops of a client in two sections": update(section(ME, 0, [GOOD]), section(ME, 1, [any_item(ME, 1, b"b")])),
    "a first clock beyond any": with_item(any_item(ME, HUGE, crafted_op()), HUGE),
    "a skip": with_item(skip(3), 0),
    "a skip of nothing": with_item(skip(0), 0),
    "a skip between ops": update(section(ME, 0, [GOOD, skip(1), any_item(ME, 2, b"b")])),
    "a dead run of nothing": with_item(dead_run(0)),
    "a dead run without an end": with_item(dead_run(HUGE), dead=delete_set((ME, [(0, HUGE)]))),
    "a dead run one beyond the clocks": with_item(dead_run(CLOCK_MAX + 1), dead=delete_set((ME, [(0, CLOCK_MAX + 1)]))),
    "dead runs that sum beyond the clocks": update(
        section(ME, 0, [dead_run(CLOCK_MAX), dead_item(ME, CLOCK_MAX), dead_run(CLOCK_MAX)]),
        dead=delete_set((ME, [(0, CLOCK_MAX)])),
    ),
    "dead runs that are not joined": update(
        section(ME, 0, [dead_run(1), dead_run(1)]), dead=delete_set((ME, [(0, 2)]))
    ),
    "a dead item of two clocks": with_item(dead_item(ME, 0, 2), dead=delete_set((ME, [(0, 1)]))),
    "a dead item of no clocks": with_item(dead_item(ME, 0, 0), dead=delete_set((ME, [(0, 1)]))),
    "a dead item of many clocks": with_item(dead_item(ME, 0, 1000), dead=delete_set((ME, [(0, 1000)]))),
    "a dead run that the delete set does not name": with_item(dead_run(2)),
    "a delete set that kills a live op": with_item(GOOD, dead=delete_set((ME, [(0, 1)]))),
    "a delete set of another client": with_item(GOOD, dead=delete_set((OTHER, [(0, 1)]))),
    "a delete set beyond the clocks": with_item(GOOD, dead=delete_set((ME, [(1, 5)]))),
    "a delete set of everything": with_item(GOOD, dead=delete_set((ME, [(0, HUGE)]))),
    "a delete set with a huge count": with_item(GOOD, dead=varint(HUGE)),
    "a delete set with a huge count of runs": with_item(GOOD, dead=b"\x01" + varint(ME) + varint(HUGE)),
    "a delete set without runs": with_item(GOOD, dead=delete_set((ME, []))),
    "a delete set of empty runs": with_item(dead_run(1), dead=delete_set((ME, [(0, 0)]))),
    "a delete set of runs that touch": with_item(dead_run(2), dead=delete_set((ME, [(0, 1), (1, 1)]))),
    "a delete set of runs that overlap": with_item(dead_run(2), dead=delete_set((ME, [(0, 2), (1, 1)]))),
    "a delete set that descends": update(
        section(ME, 0, [dead_run(1), any_item(ME, 1, b"a"), dead_run(1)]), dead=delete_set((ME, [(2, 1), (0, 1)]))
    ),
    "a delete set that names a client twice": with_item(dead_run(3), dead=delete_set((ME, [(0, 1)]), (ME, [(2, 1)]))),
    "a delete set in no order of clients": update(
        *(section(client, 0, [dead_run(1)]) for client in (3, 2, 1)),
        dead=delete_set((2, [(0, 1)]), (3, [(0, 1)]), (1, [(0, 1)])),
    ),
    "a delete set of a hundred thousand runs": with_item(
        GOOD, dead=delete_set((ME, [(place, 1) for place in range(0, 200_000, 2)]))
    ),
    "the key of another client": with_item(any_item(OTHER, 0, crafted_op()), client_id=ME),
    "the key of another clock": with_item(any_item(ME, 1, crafted_op())),
    "a key without a client": with_item(any_item(ME, 0, crafted_op(), named=".0")),
    "a key with a padded clock": with_item(any_item(ME, 0, crafted_op(), named=f"{key(ME, 0)[:-1]}00")),
    "a key with more behind it": with_item(any_item(ME, 0, crafted_op(), named=f"{key(ME, 0)}x")),
    "a key with a NUL": with_item(any_item(ME, 0, crafted_op(), named=f"{key(ME, 0)}\x00")),
    "an empty key": with_item(any_item(ME, 0, crafted_op(), named="")),
    "a key of a gigabyte": with_item(bytes([ANY_ITEM, 1]) + text("o") + varint(2**30)),
    "another root": with_item(any_item(ME, 0, crafted_op(), root="p")),
    "the empty root": with_item(any_item(ME, 0, crafted_op(), root="")),
    "a root with more behind it": with_item(any_item(ME, 0, crafted_op(), root="oo")),
    "a root of a gigabyte": with_item(bytes([ANY_ITEM, 1]) + varint(2**30)),
    "a parent that is an item": with_item(
        bytes([ANY_ITEM, 0]) + varint(ME) + b"\x00" + text(key(ME, 0)) + b"\x01\x74\x01\x90"
    ),
    "an item with a left origin": with_item(item_of(b"\x01\x74\x01\x90", info=0xA8)),
    "an item with a right origin": with_item(item_of(b"\x01\x74\x01\x90", info=0x68)),
    "an item with both origins": with_item(item_of(b"\x01\x74\x01\x90", info=0xE8)),
    "an item without a key": with_item(bytes([0x08, 1]) + text("o") + b"\x01\x74\x01\x90"),
    "a nested map": with_item(item_of(b"\x01", info=0x27)),
    "a nested array": with_item(item_of(b"\x00", info=0x27)),
    "a subdocument": with_item(item_of(text("guid") + b"\x76\x00", info=0x29)),
    "a string": with_item(item_of(text("text"), info=0x24)),
    "JSON": with_item(item_of(b"\x01" + text("{}"), info=0x22)),
    "an embedded object": with_item(item_of(text("{}"), info=0x25)),
    "a format": with_item(item_of(text("b") + text("true"), info=0x26)),
    "no Any value": with_item(item_of(b"\x00")),
    "two Any values": with_item(item_of(b"\x02" + (b"\x74\x01\x90") * 2)),
    "a huge count of Any values": with_item(item_of(varint(HUGE) + b"\x74\x01\x90")),
    "an Any map nested without end": with_item(item_of(b"\x01" + (b"\x76\x01" + text("a")) * 50_000)),
    "an Any array nested without end": with_item(item_of(b"\x01" + b"\x75\x01" * 100_000)),
    "an Any text": with_item(item_of(b"\x01\x77" + text("x"))),
    "an Any bigint": with_item(item_of(b"\x01\x7a" + struct.pack(">q", -1))),
    "an empty op": with_item(any_item(ME, 0, b"")),
    "an empty binary op": with_item(binary_item(ME, 0, b"")),
    "an op longer than the update": with_item(item_of(b"\x01\x74" + varint(1000) + b"\x90")),
    "an op of a gigabyte": with_item(item_of(b"\x01\x74" + varint(2**30) + b"\x90")),
    "an op one byte too long for any reader": with_item(any_item(ME, 0, b"x" * (SUMMARY_BYTES_MAX + 1))),
    "every other clock dead, more structs than a record has": update(
        section(
            ME,
            0,
            [part for clock in range(0, STRUCTS_MAX + 1, 2) for part in (any_item(ME, clock, b"\x90"), dead_run(1))],
        ),
        dead=delete_set((ME, [(clock, 1) for clock in range(1, STRUCTS_MAX + 2, 2)])),
    ),
    "dead items, more structs than a record has": update(
        section(ME, 0, [dead_item(ME, clock) for clock in range(STRUCTS_MAX + 1)]),
        dead=delete_set((ME, [(0, STRUCTS_MAX + 1)])),
    ),
    "a delete set of more runs than a record has": with_item(
        dead_run(2**20), dead=delete_set((ME, [(clock, 1) for clock in range(0, STRUCTS_MAX * 2, 2)]))
    ),
    "no clients, and one after all": b"\x00" + section(ME, 0, [GOOD]) + b"\x00",
    "one client more than there is": b"\x02" + section(ME, 0, [GOOD]) + b"\x00",
    "one client less than there is": b"\x01"
    + section(ME, 0, [GOOD])
    + section(OTHER, 0, [any_item(OTHER, 0, GOOD_OP)])
    + b"\x00",
    "an update of the second version": bytes.fromhex("000002a5010103070a000100010200000002280101000101000100"),
    "a state vector": delete_set((ME, [(1, 1)])) + b"\x00",
    "an awareness message": b"\x01\x05\x01\x09\x00\x02{}",
    "a sync step of y-protocols": b"\x00\x02" + text(with_item(GOOD)),
    "a page of a captive portal": b"<!DOCTYPE html><html><body>Please sign in to the hotel network</body></html>",
    "JSON instead of an update": b'{"ops":{"9.0":"kJMKkIGl"}}',
    "a zstd frame": bytes.fromhex("28b52ffd2004210000") + b"\x00\x00\x00",
    "a gzip stream": bytes.fromhex("1f8b08000000000000ff63600000"),
    "zeros": bytes(1000),
    "ones": b"\xff" * 1000,
    "continuation bytes and nothing else": b"\x80" * 1000,
    "a client id of 2**53 - 1 and one": with_item(GOOD, client_id=EXACT_INT_MAX),
    "the clients of a record twice over": update(*(section(client, 0, [dead_run(1)]) for client in (3, 2, 1, 3, 2, 1))),
    "a key in other base-64 digits": with_item(any_item(ME, 0, GOOD_OP, named="9.A")),
    "a key with a plus sign": with_item(any_item(ME, 0, GOOD_OP, named="+9.0")),
    "a key with a padded client": with_item(any_item(ME, 0, GOOD_OP, named="09.0")),
    "a key with two dots": with_item(any_item(ME, 0, GOOD_OP, named="9..0")),
    "a key without a dot": with_item(any_item(ME, 0, GOOD_OP, named="90")),
    "a key with a blank": with_item(any_item(ME, 0, GOOD_OP, named=" 9.0")),
    "a key in full-width digits": with_item(any_item(ME, 0, GOOD_OP, named="\uff19.\uff10")),
    "a key that JavaScript knows": with_item(any_item(ME, 0, GOOD_OP, named="__proto__")),
    "a key that is not UTF-8": with_item(
        bytes([ANY_ITEM, 1]) + text("o") + text(b"\xff\xfe\xfd") + b"\x01\x74\x01\x90"
    ),
    "an over-long length of a key": with_item(
        bytes([ANY_ITEM, 1]) + text("o") + varint(3, padding=1) + b"9.0" + b"\x01\x74\x01\x90"
    ),
    "an over-long length of the root": with_item(
        bytes([ANY_ITEM, 1]) + varint(1, padding=1) + b"o" + text(key(ME, 0)) + b"\x01\x74\x01\x90"
    ),
    "an over-long count of values": with_item(item_of(varint(1, padding=1) + b"\x74\x01\x90")),
    "an over-long dead run": with_item(b"\x00" + varint(1, padding=2), dead=delete_set((ME, [(0, 1)]))),
    "a negative length of an op": with_item(item_of(b"\x01\x74" + b"\xff" * 9 + b"\x01" + GOOD_OP)),
    "a root that is a capital": with_item(any_item(ME, 0, GOOD_OP, root="O")),
    "a root with a NUL": with_item(any_item(ME, 0, GOOD_OP, root="o\x00")),
    "a parent that is neither": with_item(bytes([ANY_ITEM, 2]) + text("o") + text(key(ME, 0)) + b"\x01\x74\x01\x90"),
    "a moved item": with_item(item_of(b"\x00" + varint(ME) + b"\x00", info=0x2B)),
    "a kind of struct that no library has": with_item(item_of(b"\x01\x74\x01\x90", info=0x2F)),
    "a weak link": with_item(item_of(b"\x07" + varint(ME) + b"\x00", info=0x27)),
    "an XML element": with_item(item_of(b"\x03" + text("script"), info=0x27)),
    "a text type": with_item(item_of(b"\x02", info=0x27)),
    "a live item marked as dead": with_item(bytes([0x21, 1]) + text("o") + text(key(ME, 0)) + b"\x01\x74\x01\x90"),
    "undefined": with_item(item_of(b"\x01\x7f")),
    "an Any null": with_item(item_of(b"\x01\x7e")),
    "an Any integer": with_item(item_of(b"\x01\x7d\x05")),
    "an Any float that is not a number": with_item(item_of(b"\x01\x7b" + struct.pack(">d", float("nan")))),
    "an Any truth": with_item(item_of(b"\x01\x78")),
    "an Any value of no known type": with_item(item_of(b"\x01\x00")),
    "an Any array of 2**52 values": with_item(item_of(b"\x01\x75" + varint(HUGE))),
    "an Any map of 2**52 entries": with_item(item_of(b"\x01\x76" + varint(HUGE))),
    "a binary item of a gigabyte": with_item(bytes([0x23, 1]) + text("o") + text(key(ME, 0)) + varint(2**30)),
    "a subdocument in a subdocument": with_item(
        item_of(text("guid") + b"\x76\x01" + text("doc") + b"\x76\x00", info=0x29)
    ),
    "a dead run behind the last clock": with_item(dead_run(1), CLOCK_MAX, dead=delete_set((ME, [(CLOCK_MAX, 1)]))),
    "an op at the last clock and one more": update(
        section(
            ME, CLOCK_MAX - 1, [any_item(ME, CLOCK_MAX - 1, b"\x90"), any_item(ME, CLOCK_MAX, b"\x90"), dead_run(1)]
        )
    ),
    "a delete set of a client of zero": with_item(GOOD, dead=delete_set((0, [(0, 1)]))),
    "a delete set of a client of 2**53": with_item(GOOD, dead=delete_set((2**53, [(0, 1)]))),
    "a delete set whose runs wrap around": with_item(
        dead_run(1), dead=delete_set((ME, [(EXACT_INT_MAX, EXACT_INT_MAX)]))
    ),
    "a delete set that is cut off": with_item(dead_run(1), dead=delete_set((ME, [(0, 1)]))[:-1]),
    "two delete sets": with_item(dead_run(1), dead=delete_set((ME, [(0, 1)])) * 2),
}
"""Bytes that no reader of records takes."""


PUSHES: dict[str, bytes] = {
    "the ops of another client": update(section(OTHER, 0, [any_item(OTHER, 0, crafted_op())])),
    "another client's ops beside one's own": update(
        section(ME, 0, [GOOD]), section(OTHER, 0, [any_item(OTHER, 0, crafted_op())])
    ),
    "nothing": update(),
    "a dead run of one's own": update(section(ME, 0, [dead_run(1)]), dead=delete_set((ME, [(0, 1)]))),
    "a dead item of one's own": update(section(ME, 0, [dead_item(ME, 0)]), dead=delete_set((ME, [(0, 1)]))),
    "a delete set of one's own op": update(section(ME, 0, [GOOD]), dead=delete_set((ME, [(0, 1)]))),
    "a delete set of a stranger's op": update(section(ME, 0, [GOOD]), dead=delete_set((OTHER, [(0, 1)]))),
    "a delete set and nothing else": update(dead=delete_set((OTHER, [(0, 1)]))),
    "8193 ops of one's own": UPDATES["8193 ops"],
    "the ops of a neighbouring client id": update(section(ME + 1, 0, [any_item(ME + 1, 0, crafted_op())])),
    "one's own ops twice": update(section(ME, 0, [GOOD]), section(ME, 0, [GOOD])),
    "a dead run between one's own ops": update(
        section(ME, 0, [GOOD, dead_run(1), any_item(ME, 2, GOOD_OP)]), dead=delete_set((ME, [(1, 1)]))
    ),
    "a dead run behind one's own ops": update(section(ME, 0, [GOOD, dead_run(1)]), dead=delete_set((ME, [(1, 1)]))),
    "a delete set of a clock to come": update(section(ME, 0, [GOOD]), dead=delete_set((ME, [(1, 1)]))),
    "a delete set of everyone": update(
        section(ME, 0, [GOOD]), dead=delete_set(*((client, [(0, CLOCK_MAX - 1)]) for client in range(1, CLIENTS_MAX)))
    ),
}
"""Pushes of client `ME` in the grammar of a record that are not its own ops."""

VALID: dict[str, bytes] = {
    "an empty record": update(),
    "one op": with_item(GOOD),
    "one op in the other form": with_item(binary_item(ME, 0, GOOD_OP)),
    "a float of 32 bits": with_item(any_item(ME, 0, with_raw_patch(b"\x81\xa9weight_kg\xca\x42\xa0\x00\x00"))),
    "a key that JavaScript knows": with_item(any_item(ME, 0, crafted_op({"__proto__": {"polluted": True}}))),
    "a key without a letter": with_item(any_item(ME, 0, crafted_op({"": 1}))),
    "text that looks like a NUL": with_item(any_item(ME, 0, crafted_op({"notes": "\\u0000"}))),
    "text of all planes, turned round": with_item(
        any_item(ME, 0, crafted_op({"notes": "\u202e\U0001f3cb\ufeff\ufffe\x1b[2J"}))
    ),
    "text that is SQL": with_item(any_item(ME, 0, crafted_op({"notes": "'); DROP TABLE records; --"}))),
    "text that is HTML": with_item(any_item(ME, 0, crafted_op({"notes": "<script>alert(1)</script>"}))),
    "numbers at both ends": with_item(
        any_item(ME, 0, crafted_op({"unknown": [EXACT_INT_MAX, -EXACT_INT_MAX, 1e300, -1e300, 5e-324, -0.0]}))
    ),
    "a number spelled longer than it need be": with_item(
        any_item(ME, 0, b"\x91\x93\xcf" + bytes(7) + b"\x0a\x90\x81\xa1x\x01")
    ),
    "the last stamp": with_item(any_item(ME, 0, crafted_op(hlc=EXACT_INT_MAX))),
}
"""What must be taken, so that a reader that refuses everything is found out."""
