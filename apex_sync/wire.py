"""The strict codec: the one thing that touches record bytes from outside.

A record on the wire and at rest is a valid Yjs update in one narrow grammar (docs/protocol.md): one root map `o`, one
entry per op, key `"<client>.<clock>"`, value one binary blob. Whatever is not this grammar is refused with
`MalformedUpdate`; a well-formed update that continues after a gap with `ClockGap`. Cost is linear in the bytes, memory
bounded by them.

`parse_document` reads whole records, `parse_delta` what continues a known record, `parse_push` what one device sends.
The exact rules, and why general CRDT libraries must not read foreign bytes, were measured: see docs/decisions/.
"""

from collections.abc import Collection
from functools import lru_cache

from apex_sync.document import Delta, Document, Ranges, gaps
from apex_sync.errors import ClockGap, MalformedUpdate
from apex_sync.ids import ALPHABET, b64
from apex_sync.op import CLOCK_MAX, EXACT_INT_MAX, SUMMARY_BYTES_MAX, Vector

__all__ = [
    "CLIENTS_MAX",
    "CLOCK_MAX",
    "DOCUMENT_BYTES_MAX",
    "OPS_MAX",
    "STRUCTS_MAX",
    "encode_delta",
    "encode_document",
    "encode_push",
    "encode_refusals",
    "fits",
    "parse_delta",
    "parse_document",
    "parse_held_document",
    "parse_push",
]

DOCUMENT_BYTES_MAX = 1024 * 1024
"""A year of daily edits of one record is 100 kB before compaction."""

OPS_MAX = 8192
"""Live ops in a record; compaction starts long before."""

CLIENTS_MAX = 1024
"""Clients in a record; a person has a few, and each restore of the server adds one."""

STRUCTS_MAX = OPS_MAX + CLIENTS_MAX
"""Live ops and runs of dead clocks in a record. It bounds what the worst update costs to read to 5 ms."""

_RUNS_MAX = (STRUCTS_MAX + CLIENTS_MAX) // 2
"""Dead runs in a record: live ops part them, and each client may end with one."""

_OP_OVERHEAD_BYTES_MAX = 64
"""What the codec puts around an op and the dead run before it, in structs and delete set, or around a client."""

_GC = 0x00
_SKIP = 0x0A
_DELETED_ITEM = 0x21
_BINARY_ITEM = 0x23
_ANY_ITEM = 0x28
_ITEM_HEAD = b"\x01\x01o"
"""Parent by name, name length 1, `o`: the root map that holds the ops."""
_ANY_BUFFER = b"\x01t"
"""One Any value, of the type buffer."""
_DIGITS = [digit.encode() for digit in ALPHABET]
_NOWHERE = (CLOCK_MAX + 1, CLOCK_MAX + 1)


def encode_document(document: Document) -> bytes:
    """Write a whole record."""
    return encode_delta(document.since({}))


def encode_delta(delta: Delta) -> bytes:
    """Write what continues a record."""
    out = bytearray()
    _put_varint(out, len(delta.ops))
    for client_id in sorted(delta.ops, reverse=True):
        _put_structs(out, client_id, delta.first_clocks[client_id], delta.ops[client_id], delta.next_clocks[client_id])
    _put_delete_set(out, delta.dead)
    return bytes(out)


def encode_push(client_id: int, first_clock: int, ops: list[bytes]) -> bytes:
    """Write what a device sends: its own ops from one clock on."""
    out = bytearray(b"\x01")
    _put_structs(out, client_id, first_clock, dict(enumerate(ops, first_clock)), first_clock + len(ops))
    out.append(0)
    return bytes(out)


def encode_refusals(client_id: int, clocks: Collection[int]) -> bytes:
    """Write the update that makes clocks of one client dead, for any Yjs device to apply.

    Our own reads it with `parse_delta`, as a delta that brings nothing but dead clocks.
    """
    out = bytearray(b"\x00")
    ordered = sorted(set(clocks))
    _put_delete_set(out, {client_id: _runs(ordered)} if ordered else {})
    return bytes(out)


def fits(document: Document, new_ops: Collection[bytes] = (), new_clients: int = 0) -> bool:
    """Tell whether a record with these ops added, alive or dead, stays within what `parse_document` reads."""
    ops = [*new_ops, *(op for client_ops in document.ops.values() for op in client_ops.values())]
    clients = len(document.next_clocks) + new_clients
    structs = len(ops) + sum(map(len, document.dead_ranges().values())) + new_clients
    size = sum(map(len, ops)) + _OP_OVERHEAD_BYTES_MAX * (len(ops) + clients)
    return len(ops) <= OPS_MAX and structs <= STRUCTS_MAX and clients <= CLIENTS_MAX and size <= DOCUMENT_BYTES_MAX


def parse_document(data: bytes) -> Document:
    """Read a whole record. Raises MalformedUpdate, or ClockGap when a client does not start at clock 0."""
    return _document(data, times=1)


def parse_held_document(data: bytes) -> Document:
    """Read a whole record as a device keeps it: a full one of the server's, and beside it as much that is unsent."""
    return _document(data, times=2)


def _document(data: bytes, *, times: int) -> Document:
    delta = _parse(data, {}, times)
    document = Document(delta.ops, delta.next_clocks)
    if delta.dead != document.dead_ranges():
        raise MalformedUpdate("a delete set that is not the dead clocks", len(data))
    return document


def parse_delta(data: bytes, known: Vector) -> Delta:
    """Read what continues a record whose next clocks are `known`.

    A delta may start before the known clock (what is there already stays), never after it: that raises ClockGap. Its
    delete set is the whole record's, and may kill what is known; for the clocks that the delta brings it is exact.
    """
    delta = _parse(data, known)
    for client_id, ops in delta.ops.items():
        first, end = delta.first_clocks[client_id], delta.next_clocks[client_id]
        if gaps(ops, first, end) != _cut(delta.dead.get(client_id, []), first, end):
            raise MalformedUpdate("a delete set that is not the dead clocks", len(data))
    return delta


def parse_push(data: bytes, client_id: int, current: Document | None = None) -> tuple[int, list[bytes]]:
    """Read what a device sends of its own: the first clock and the ops from there on.

    Dead runs are refused: a device can't decide that an op never was. A plain Yjs client echoes the delete set of the
    record it has, so one is allowed, and ignored, as far as those clocks are dead in `current`, the record on the
    server.
    """
    _check_size(data)
    count, at = _varint(data, 0)
    if count != 1:
        raise MalformedUpdate("a push holds the ops of one client", 0)
    author, first, ops, next_clock, at = _structs(data, at, OPS_MAX)
    if author != client_id:
        raise MalformedUpdate(f"ops of client {author} sent by client {client_id}", 1)
    if len(ops) != next_clock - first:
        raise MalformedUpdate("a dead clock in a push", 1)
    echoed = _delete_set(data, at)
    if echoed and not _are_dead(echoed, current or Document()):
        raise MalformedUpdate("a push that deletes", at)
    return first, list(ops.values())


def _are_dead(ranges: Ranges, current: Document) -> bool:
    dead = current.dead_ranges()
    return all(_lie_within(runs, dead.get(client_id, [])) for client_id, runs in ranges.items())


def _lie_within(runs: list[tuple[int, int]], outer: list[tuple[int, int]]) -> bool:
    """Tell whether each run lies within one of the outer runs; both ascend, so one pass does."""
    candidates = iter(outer)
    start, stop = next(candidates, _NOWHERE)
    for first, end in runs:
        while stop < end:
            start, stop = next(candidates, _NOWHERE)
        if first < start:
            return False
    return True


def _parse(data: bytes, known: Vector, times: int = 1) -> Delta:
    _check_size(data, times)
    delta = Delta()
    count, at = _varint(data, 0)
    if count > CLIENTS_MAX:
        raise MalformedUpdate(f"{count} clients, at most {CLIENTS_MAX}", 0)
    previous, structs_left = EXACT_INT_MAX + 1, times * STRUCTS_MAX
    for _ in range(count):
        structs, _ = _varint(data, at)
        client_id, first, ops, next_clock, at = _structs(data, at, structs_left)
        structs_left -= structs
        if client_id >= previous:
            raise MalformedUpdate("clients that do not descend", at)
        if first > known.get(client_id, 0):
            raise ClockGap(client_id, known.get(client_id, 0), at)
        previous = client_id
        delta.ops[client_id], delta.first_clocks[client_id], delta.next_clocks[client_id] = ops, first, next_clock
    if sum(map(len, delta.ops.values())) > times * OPS_MAX:
        raise MalformedUpdate(f"more than {OPS_MAX} ops", at)
    delta.dead = _delete_set(data, at)
    for client_id, ranges in delta.dead.items():
        next_clock = max(delta.next_clocks.get(client_id, 0), known.get(client_id, 0))
        if ranges[-1][1] > next_clock:
            raise ClockGap(client_id, next_clock, at)
    return delta


def _structs(data: bytes, at: int, structs_max: int) -> tuple[int, int, dict[int, bytes], int, int]:
    """Read one client's section: client id, first clock, live ops by clock, next clock, and where it ends."""
    count, at = _varint(data, at)
    client_id, at = _varint(data, at)
    first, at = _varint(data, at)
    if not 1 <= count <= structs_max or client_id < 1 or first > CLOCK_MAX:
        raise MalformedUpdate("a client section with a number out of range", at)
    ops: dict[int, bytes] = {}
    clock, end, size = first, -1, len(data)
    prefix, block = b"", -1
    starts_with = data.startswith
    try:
        for _ in range(count):
            info = data[at]
            if info == _GC:
                length, at = _varint(data, at + 1)
                if length < 1 or end == clock or length > CLOCK_MAX:
                    raise MalformedUpdate("dead runs that are empty, not joined or too long", at)
                end = clock = clock + length
                continue
            if info == _SKIP:
                raise ClockGap(client_id, clock, at)
            if clock >> 6 != block:
                block = clock >> 6
                prefix = _item_prefix(client_id, block)
            place = prefix + _DIGITS[clock & 63]
            if not starts_with(place, at + 1):
                raise MalformedUpdate("an item that is not the op of this client and clock", at)
            start = at + 1 + len(place)
            clock += 1
            if info == _ANY_ITEM and starts_with(_ANY_BUFFER, start):
                start += 2
            elif info == _DELETED_ITEM:
                if data[start] != 1:
                    raise MalformedUpdate("a deleted item longer than one op", start)
                at = start + 1
                continue
            elif info != _BINARY_ITEM:
                raise MalformedUpdate(f"a struct of kind {info:#04x} that is not one buffer", at)
            length = data[start]
            if length < 128:
                start += 1
            else:
                length, start = _varint(data, start)
            at = start + length
            if not 1 <= length <= SUMMARY_BYTES_MAX or at > size:
                raise MalformedUpdate("an op that is empty, too long or cut off", start)
            ops[clock - 1] = data[start:at]
    except IndexError:
        raise MalformedUpdate("it ends too early", size) from None
    if clock > CLOCK_MAX or len(ops) > OPS_MAX:
        raise MalformedUpdate(f"more than {CLOCK_MAX} clocks or {OPS_MAX} ops of one client", at)
    return client_id, first, ops, clock, at


@lru_cache(maxsize=1024)
def _item_prefix(client_id: int, block: int) -> bytes:
    """Give what stands between the kind of an item and the last digit of its clock; 64 clocks make a block."""
    start = f"{b64(client_id)}.{b64(block) if block else ''}".encode()
    return _ITEM_HEAD + bytes([len(start) + 1]) + start


def _delete_set(data: bytes, at: int) -> Ranges:
    """Read the delete set up to the very end: half-open clock ranges by client."""
    count, at = _varint(data, at)
    if count > CLIENTS_MAX:
        raise MalformedUpdate(f"a delete set of {count} clients, at most {CLIENTS_MAX}", at)
    dead: Ranges = {}
    runs_left = _RUNS_MAX
    for _ in range(count):
        client_id, at = _varint(data, at)
        run_count, at = _varint(data, at)
        runs_left -= run_count
        if run_count < 1 or runs_left < 0 or client_id in dead or client_id < 1:
            raise MalformedUpdate("a delete set with a number out of range", at)
        runs, end = [], -1
        for _ in range(run_count):
            start, at = _varint(data, at)
            length, at = _varint(data, at)
            if start <= end or length < 1 or start + length > CLOCK_MAX:
                raise MalformedUpdate("a delete set whose ranges are empty, touch or descend", at)
            end = start + length
            runs.append((start, end))
        dead[client_id] = runs
    clients = list(dead)
    if clients != sorted(clients) and clients != sorted(clients, reverse=True):
        raise MalformedUpdate("a delete set whose clients are in no order", at)
    if at != len(data):
        raise MalformedUpdate("bytes after the end", at)
    return dead


def _cut(runs: list[tuple[int, int]], first: int, end: int) -> list[tuple[int, int]]:
    """Leave of runs what lies from `first` up to `end`."""
    return [(max(start, first), min(stop, end)) for start, stop in runs if start < end and stop > first]


def _runs(clocks: list[int]) -> list[tuple[int, int]]:
    runs: list[tuple[int, int]] = []
    for clock in clocks:
        if runs and runs[-1][1] == clock:
            runs[-1] = (runs[-1][0], clock + 1)
        else:
            runs.append((clock, clock + 1))
    return runs


def _put_structs(out: bytearray, client_id: int, first: int, ops: dict[int, bytes], next_clock: int) -> None:
    body = bytearray()
    clock, prefix, block = first, b"", -1
    structs = len(ops)
    for live, op in ops.items():
        if live > clock:
            body.append(_GC)
            _put_varint(body, live - clock)
            structs += 1
        if live >> 6 != block:
            block = live >> 6
            prefix = _item_prefix(client_id, block)
        body.append(_ANY_ITEM)
        body += prefix
        body += _DIGITS[live & 63]
        body += _ANY_BUFFER
        _put_varint(body, len(op))
        body += op
        clock = live + 1
    if next_clock > clock:
        body.append(_GC)
        _put_varint(body, next_clock - clock)
        structs += 1
    _put_varint(out, structs)
    _put_varint(out, client_id)
    _put_varint(out, first)
    out += body


def _put_delete_set(out: bytearray, dead: Ranges) -> None:
    _put_varint(out, len(dead))
    for client_id in sorted(dead):
        _put_varint(out, client_id)
        _put_varint(out, len(dead[client_id]))
        for start, end in dead[client_id]:
            _put_varint(out, start)
            _put_varint(out, end - start)


def _put_varint(out: bytearray, number: int) -> None:
    if number < 128:
        out.append(number)
    else:
        out += _long_varint(number)


@lru_cache(maxsize=1024)
def _long_varint(number: int) -> bytes:
    """Write a number of several bytes; most of them are client ids, which come again and again."""
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Read a minimal unsigned LEB128 below 2**53, which takes 8 bytes at most, and where it ends."""
    try:
        byte = data[at]
        if byte < 128:
            return byte, at + 1
        number, shift, place = byte & 127, 7, at + 1
        while (byte := data[place]) >= 128 and shift < 49:
            number |= (byte & 127) << shift
            shift += 7
            place += 1
    except IndexError:
        raise MalformedUpdate("a number that is cut off", at) from None
    number |= byte << shift
    if byte == 0 or number > EXACT_INT_MAX:
        raise MalformedUpdate("a number that is not minimal or too large", at)
    return number, place + 1


def _check_size(data: bytes, times: int = 1) -> None:
    if len(data) > times * DOCUMENT_BYTES_MAX:
        raise MalformedUpdate(f"{len(data)} bytes, at most {times * DOCUMENT_BYTES_MAX}", 0)
