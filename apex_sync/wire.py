"""The strict codec: the one thing that touches record bytes from outside.

A record on the wire and at rest is a valid Yjs update in one narrow grammar (docs/protocol.md): one root map `o`, one
entry per op, key `"<client>.<clock>"`, value one binary blob. Whatever is not this grammar is refused with
`MalformedUpdate`; a well-formed update that continues after a gap with `ClockGap`. Cost is linear in the bytes, memory
bounded by them.

`parse_document` reads whole records, `parse_delta` what continues a known record, `parse_push` what one device sends.
The exact rules, and why general CRDT libraries must not read foreign bytes, were measured: see docs/decisions/.
"""

from apex_sync.document import Delta, Document, Ranges
from apex_sync.errors import ClockGap, MalformedUpdate
from apex_sync.ids import b64
from apex_sync.op import EXACT_INT_MAX, OP_BYTES_MAX, Vector

DOCUMENT_BYTES_MAX = 1024 * 1024
OPS_MAX = 8192
"""Live ops in a record; compaction starts long before."""

CLIENTS_MAX = 1024
CLOCK_MAX = 2**32
"""Clocks of one client in one record: an op a second for 136 years."""

_GC = 0x00
_DELETED_ITEM = 0x21
_BINARY_ITEM = 0x23
_ANY_ITEM = 0x28
_ITEM_HEAD = b"\x01\x01o"
"""Parent by name, name length 1, `o`: the root map that holds the ops."""
_ANY_BUFFER = b"\x01t"
"""One Any value, of the type buffer."""


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


def encode_refusals(client_id: int, clocks: list[int]) -> bytes:
    """Write the update that makes clocks of one client dead, for a plain Yjs device to apply."""
    out = bytearray(b"\x00")
    _put_delete_set(out, {client_id: _runs(sorted(clocks))})
    return bytes(out)


def parse_document(data: bytes) -> Document:
    """Read a whole record. Raises MalformedUpdate, or ClockGap when a client does not start at clock 0."""
    delta = _parse(data, {})
    document = Document(delta.ops, delta.next_clocks)
    if delta.dead != document.dead_ranges():
        raise MalformedUpdate("a delete set that is not the dead clocks", len(data))
    return document


def parse_delta(data: bytes, known: Vector) -> Delta:
    """Read what continues a record whose next clocks are `known`.

    A delta may start before the known clock (what is there already stays), never after it: that raises ClockGap.
    """
    delta = _parse(data, known)
    for client_id, ops in delta.ops.items():
        alive = [clock for start, end in delta.dead.get(client_id, ()) for clock in ops if start <= clock < end]
        dead = sum(
            max(0, end - max(start, delta.first_clocks[client_id])) for start, end in delta.dead.get(client_id, ())
        )
        if alive or dead != delta.next_clocks[client_id] - delta.first_clocks[client_id] - len(ops):
            raise MalformedUpdate("a delete set that is not the dead clocks", len(data))
    return delta


def parse_push(data: bytes, client_id: int) -> tuple[int, list[bytes]]:
    """Read what a device sends of its own: the first clock and the ops from there on.

    Dead runs are refused: a device can't decide that an op never was. A delete set is only echoed by plain Yjs clients
    and carries nothing.
    """
    _check_size(data)
    count, at = _varint(data, 0)
    if count != 1:
        raise MalformedUpdate("a push holds the ops of one client", 0)
    author, first, ops, next_clock, at = _structs(data, at)
    if author != client_id:
        raise MalformedUpdate(f"ops of client {author} sent by client {client_id}", 1)
    if len(ops) != next_clock - first:
        raise MalformedUpdate("a dead clock in a push", 1)
    _delete_set(data, at)
    return first, list(ops.values())


def _parse(data: bytes, known: Vector) -> Delta:
    _check_size(data)
    delta = Delta()
    count, at = _varint(data, 0)
    if count > CLIENTS_MAX:
        raise MalformedUpdate(f"{count} clients, at most {CLIENTS_MAX}", 0)
    previous = EXACT_INT_MAX + 1
    for _ in range(count):
        client_id, first, ops, next_clock, at = _structs(data, at)
        if client_id >= previous:
            raise MalformedUpdate("clients that do not descend", at)
        if first > known.get(client_id, 0):
            raise ClockGap(client_id, known.get(client_id, 0), at)
        previous = client_id
        delta.ops[client_id], delta.first_clocks[client_id], delta.next_clocks[client_id] = ops, first, next_clock
    delta.dead = _delete_set(data, at)
    for client_id, ranges in delta.dead.items():
        if ranges[-1][1] > max(delta.next_clocks.get(client_id, 0), known.get(client_id, 0)):
            raise MalformedUpdate("a delete set beyond the known clocks", at)
    return delta


def _structs(data: bytes, at: int) -> tuple[int, int, dict[int, bytes], int, int]:
    """Read one client's section: client id, first clock, live ops by clock, next clock, and where it ends."""
    count, at = _varint(data, at)
    client_id, at = _varint(data, at)
    first, at = _varint(data, at)
    if not 1 <= count <= len(data) or not 1 <= client_id <= EXACT_INT_MAX or first > CLOCK_MAX:
        raise MalformedUpdate("a client section with a number out of range", at)
    if count > OPS_MAX:
        raise MalformedUpdate(f"more than {OPS_MAX} ops of one client", at)
    prefix = f"{b64(client_id)}.".encode()
    ops: dict[int, bytes] = {}
    clock, previous_was_gc, size = first, False, len(data)
    try:
        for _ in range(count):
            info = data[at]
            if info == _GC:
                length, at = _varint(data, at + 1)
                if length < 1 or previous_was_gc:
                    raise MalformedUpdate("dead runs that are empty or not joined", at)
                clock += length
                previous_was_gc = True
                continue
            previous_was_gc = False
            key = prefix + b64(clock).encode()
            start = at + 5 + len(key)
            if data[at + 1 : at + 4] != _ITEM_HEAD or data[at + 4] != len(key) or data[at + 5 : start] != key:
                raise MalformedUpdate("an item that is not the op of this client and clock", at)
            if info == _DELETED_ITEM:
                length, at = _varint(data, start)
                if length != 1:
                    raise MalformedUpdate("a deleted item longer than one op", at)
                clock += 1
                continue
            if info == _ANY_ITEM:
                if data[start : start + 2] != _ANY_BUFFER:
                    raise MalformedUpdate("an op that is not one buffer", start)
                start += 2
            elif info != _BINARY_ITEM:
                raise MalformedUpdate(f"a struct of kind {info:#04x}", at)
            length, start = _varint(data, start)
            at = start + length
            if not 1 <= length <= OP_BYTES_MAX or at > size:
                raise MalformedUpdate("an op that is empty, too long or cut off", start)
            ops[clock] = data[start:at]
            clock += 1
    except IndexError:
        raise MalformedUpdate("it ends too early", size) from None
    if clock > CLOCK_MAX:
        raise MalformedUpdate("more clocks than a client can have", at)
    return client_id, first, ops, clock, at


def _delete_set(data: bytes, at: int) -> Ranges:
    """Read the delete set up to the very end: half-open clock ranges by client."""
    count, at = _varint(data, at)
    if count > CLIENTS_MAX:
        raise MalformedUpdate(f"a delete set of {count} clients, at most {CLIENTS_MAX}", at)
    dead: Ranges = {}
    for _ in range(count):
        client_id, at = _varint(data, at)
        range_count, at = _varint(data, at)
        if not 1 <= range_count <= len(data) or client_id in dead or not 1 <= client_id <= EXACT_INT_MAX:
            raise MalformedUpdate("a delete set with a number out of range", at)
        ranges, end = [], -1
        for _ in range(range_count):
            start, at = _varint(data, at)
            length, at = _varint(data, at)
            if start <= end or length < 1 or start + length > CLOCK_MAX:
                raise MalformedUpdate("a delete set whose ranges are empty, touch or descend", at)
            end = start + length
            ranges.append((start, end))
        dead[client_id] = ranges
    clients = list(dead)
    if clients != sorted(clients) and clients != sorted(clients, reverse=True):
        raise MalformedUpdate("a delete set whose clients are in no order", at)
    if at != len(data):
        raise MalformedUpdate("bytes after the end", at)
    return dead


def _runs(clocks: list[int]) -> list[tuple[int, int]]:
    runs: list[tuple[int, int]] = []
    for clock in clocks:
        if runs and runs[-1][1] == clock:
            runs[-1] = (runs[-1][0], clock + 1)
        else:
            runs.append((clock, clock + 1))
    return runs


def _put_structs(out: bytearray, client_id: int, first: int, ops: dict[int, bytes], next_clock: int) -> None:
    prefix = f"{b64(client_id)}.".encode()
    body = bytearray()
    clock = first
    structs = len(ops)
    for live, op in ops.items():
        if live > clock:
            body.append(_GC)
            _put_varint(body, live - clock)
            structs += 1
        key = prefix + b64(live).encode()
        body.append(_ANY_ITEM)
        body += _ITEM_HEAD
        body.append(len(key))
        body += key
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
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Read a minimal unsigned LEB128 below 2**53, and where it ends."""
    number = shift = 0
    for place in range(at, min(at + 8, len(data))):
        byte = data[place]
        number |= (byte & 127) << shift
        if byte < 128:
            if (byte == 0 and shift) or number > EXACT_INT_MAX:
                raise MalformedUpdate("a number that is not minimal or too large", at)
            return number, place + 1
        shift += 7
    raise MalformedUpdate("a number that is cut off or too large", at)


def _check_size(data: bytes) -> None:
    if len(data) > DOCUMENT_BYTES_MAX:
        raise MalformedUpdate(f"{len(data)} bytes, at most {DOCUMENT_BYTES_MAX}", 0)
