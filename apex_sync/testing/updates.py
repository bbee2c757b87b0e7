"""Yjs updates put together piece by piece, so that any piece can be wrong."""

from collections.abc import Sequence

from apex_sync.ids import b64

GC, SKIP, DELETED_ITEM, BINARY_ITEM, ANY_ITEM = 0x00, 0x0A, 0x21, 0x23, 0x28


def varint(number: int, *, padding: int = 0) -> bytes:
    """Write an unsigned LEB128, with continuation bytes that say nothing where `padding` asks for them."""
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    for _ in range(padding):
        out[-1] |= 128
        out.append(0)
    return bytes(out)


def text(value: str | bytes) -> bytes:
    """Write text or bytes behind their length."""
    raw = value.encode() if isinstance(value, str) else value
    return varint(len(raw)) + raw


def key(client_id: int, clock: int) -> str:
    """Name the entry of an op in the root map."""
    return f"{b64(client_id)}.{b64(clock)}"


def any_item(client_id: int, clock: int, op: bytes, *, root: str = "o", named: str | None = None) -> bytes:
    """Write a live op as pycrdt does: one Any value, a buffer."""
    head = bytes([ANY_ITEM, 1]) + text(root) + text(key(client_id, clock) if named is None else named)
    return head + b"\x01\x74" + text(op)


def binary_item(client_id: int, clock: int, op: bytes) -> bytes:
    """Write a live op as yjs does for a Uint8Array."""
    return bytes([BINARY_ITEM, 1]) + text("o") + text(key(client_id, clock)) + text(op)


def dead_item(client_id: int, clock: int, length: int = 1) -> bytes:
    """Write a deleted item, as a plain Yjs peer leaves it behind."""
    return bytes([DELETED_ITEM, 1]) + text("o") + text(key(client_id, clock)) + varint(length)


def dead_run(length: int) -> bytes:
    """Write a run of dead clocks."""
    return bytes([GC]) + varint(length)


def skip(length: int) -> bytes:
    """Write a gap, as a Yjs library does when it merges updates that do not meet."""
    return bytes([SKIP]) + varint(length)


def section(client_id: int, first_clock: int, structs: Sequence[bytes], *, count: int | None = None) -> bytes:
    """Write the structs of one client, with a count that may be wrong."""
    numbers = varint(len(structs) if count is None else count) + varint(client_id) + varint(first_clock)
    return numbers + b"".join(structs)


def delete_set(*clients: tuple[int, Sequence[tuple[int, int]]]) -> bytes:
    """Write dead clocks as (start, length) by client, in the order given."""
    out = varint(len(clients))
    for client_id, runs in clients:
        out += varint(client_id) + varint(len(runs))
        out += b"".join(varint(start) + varint(length) for start, length in runs)
    return out


def update(*sections: bytes, dead: bytes = b"\x00") -> bytes:
    """Write a whole update from its sections and its delete set."""
    return varint(len(sections)) + b"".join(sections) + dead
