"""The content digest: the only proof that two replicas hold the same ops.

Equal state vectors do not mean equal documents (a restored backup that reuses a client id), so each record carries a
sum over hashes of what it holds: every live op, and every client's next clock, so that a dead clock differs from a
missing one. A sum is commutative and can be kept incrementally; that of a scope is the sum over its records.
"""

from collections.abc import Mapping
from hashlib import blake2b

import msgspec

from apex_sync.document import Document

DIGEST_BYTES = 16
DIGEST_MODULUS = 1 << 8 * DIGEST_BYTES

_pack = msgspec.msgpack.Encoder().encode


def record_digest(record_key: bytes, document: Document) -> int:
    """Give the digest of everything a document holds; `record_key` is the record id as 16 bytes."""
    total = 0
    for client_id, next_clock in document.next_clocks.items():
        total += _hash((record_key, client_id, next_clock))
        for clock, op in document.ops[client_id].items():
            total += _hash((record_key, client_id, clock, op))
    return total % DIGEST_MODULUS


def extend_digest(
    digest: int, record_key: bytes, client_id: int, known: int, ops: Mapping[int, bytes], next_clock: int
) -> int:
    """Carry a record digest over the clocks from `known` up to `next_clock` of one client, of which `ops` are alive.

    Costs as much as is new. `known` is 0 for a client that the record did not have; `known == next_clock` changes
    nothing.
    """
    if known == next_clock:
        return digest
    total = digest + _hash((record_key, client_id, next_clock))
    if known:
        total -= _hash((record_key, client_id, known))
    for clock, op in ops.items():
        total += _hash((record_key, client_id, clock, op))
    return total % DIGEST_MODULUS


def add_digests(total: int, *changes: tuple[int, int]) -> int:
    """Carry a scope digest over records that went from one digest to another: `(before, after)`, 0 for absent."""
    for before, after in changes:
        total += after - before
    return total % DIGEST_MODULUS


def digest_bytes(digest: int) -> bytes:
    """Write a digest as it stands on the wire and in a database: 16 bytes, big-endian."""
    return digest.to_bytes(DIGEST_BYTES, "big")


def op_hash(op: bytes) -> bytes:
    """Give the 16 bytes by which a refused op is recognised when it is sent again."""
    return blake2b(op, digest_size=DIGEST_BYTES).digest()


def _hash(content: tuple[bytes | int, ...]) -> int:
    return int.from_bytes(blake2b(_pack(content), digest_size=DIGEST_BYTES).digest(), "big")
