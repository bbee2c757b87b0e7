"""Compaction: a long record shortened to the writes that still matter, without changing what anyone sees.

Every op of the record dies, and a summary under the server's own client id carries the surviving writes with their
original stamps: winners and unresolved losers. An earlier summary dies with the rest. Fold and conflicts stay the same,
and what a device wrote concurrently merges as if nothing had happened. Only the server compacts; devices take the
result in like any other change, dead runs and one op.

A job of the server does it from time to time. Where that is late, the commit does it itself (`acceptance.py`) from half
the limits of a record on: well before a device, whose own unsent ops come on top, finds it full.
"""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from msgspec import Struct

from apex_sync.digest import op_hash
from apex_sync.document import Document
from apex_sync.fold import surviving_writes
from apex_sync.op import SUMMARY_BYTES_MAX, WRITES_MAX, Patch, StampedWrite, encode_summary, is_summary
from apex_sync.wire import DOCUMENT_BYTES_MAX, OPS_MAX

COMPACTION_OPS = 1024
"""From here on a record is worth compacting: parsing and folding it takes a few milliseconds."""

COMPACTION_BYTES = 64 * 1024
"""The same for its size. What summaries hold is not counted, unless it is outweighed by what came since."""


CROWDED = 0.5
"""The share of the limits from which on a push compacts; a push to a record of half the ops still takes 20 ms."""

WORTHWHILE = 0.25
"""The share of all leaves that somebody has to have written over, so that compacting a large record pays."""

STRUCT_OVERHEAD_BYTES_MAX = 64
"""What the codec puts around an op or a client, as `fits` counts it."""


class Load(NamedTuple):
    """How much a record holds: ops and runs of dead clocks, and the bytes of all that at most."""

    structs: int
    size_bytes: int

    def plus(self, *ops: bytes) -> "Load":
        """Give it with more ops, live or dead."""
        size = sum(map(len, ops)) + STRUCT_OVERHEAD_BYTES_MAX * len(ops)
        return Load(self.structs + len(ops), self.size_bytes + size)

    def is_crowded(self) -> bool:
        """Tell whether it is ops that are many, whatever they hold; a compaction makes few of them."""
        return self.structs > CROWDED * OPS_MAX

    def exceeds(self, share: float) -> bool:
        """Tell whether it is more than a share of what a record may hold; beyond 1 it may not be readable."""
        return self.structs > share * OPS_MAX or self.size_bytes > share * DOCUMENT_BYTES_MAX

    def outgrows(self, settled: "Load") -> bool:
        """Tell whether it is so much more than the last compaction left that the next one pays."""
        grown = self.size_bytes - settled.size_bytes
        return self.structs - settled.structs >= COMPACTION_OPS or grown >= COMPACTION_BYTES


def load_of(document: Document) -> Load:
    """Measure a record."""
    runs = sum(map(len, document.dead_ranges().values()))
    clients = STRUCT_OVERHEAD_BYTES_MAX * (len(document.next_clocks) + 1)
    return Load(runs, clients).plus(*(op for ops in document.ops.values() for op in ops.values()))


def settled_load(document: Document) -> Load:
    """Measure what the last compaction of a record left of it, or less."""
    return Load(0, 0).plus(*(op for ops in document.ops.values() for op in ops.values() if is_summary(op)))


class Compacted(Struct, frozen=True):
    """A record after its compaction.

    `hashes` tells by client and clock what the ops were that died. They are kept like those of refused ops: an op that
    is sent again is then known as a duplicate, and another one under its clock as a fork.
    """

    document: Document
    hashes: dict[int, dict[int, bytes]]


def needs_compaction(document: Document) -> bool:
    """Tell whether so much has come since the last compaction that the next one pays."""
    summarised = since = 0
    for ops in document.ops.values():
        for op in ops.values():
            if is_summary(op):
                summarised += len(op)
            else:
                since += len(op)
    return document.op_count >= COMPACTION_OPS or since >= max(COMPACTION_BYTES, summarised)


def is_worthwhile(writes: Iterable[StampedWrite]) -> bool:
    """Tell whether so many leaves were written over that a compaction frees bytes; it takes 20 µs a leaf, this 1."""
    paths: dict[str, Any] = {}
    counts = [_count(paths, write.patch) for write in writes]
    written, first = sum(one for one, _ in counts), sum(one for _, one in counts)
    return written - first >= WORTHWHILE * written


def _count(paths: dict[str, Any], patch: Patch) -> tuple[int, int]:
    """Note the paths of a patch; give how many leaves it has, and how many of them are at a path that is new."""
    written = first = 0
    for key, value in patch.items():
        known = paths.get(key)
        if type(value) is dict:
            if type(known) is not dict:
                paths[key] = known = {}
            leaves, new = _count(known, value)
            written, first = written + leaves, first + new
        else:
            written += 1
            if key not in paths:
                paths[key] = None
                first += 1
    return written, first


def compact(document: Document, server_client_id: int) -> Compacted:
    """Shorten a record to summaries under the server's client id; the given document stays as it is.

    Raises MalformedOp when the record holds an op that is none.
    """
    compacted = document.copy()
    hashes: dict[int, dict[int, bytes]] = {}
    for client_id, ops in document.ops.items():
        compacted.ops[client_id] = {}
        hashes[client_id] = {clock: op_hash(op) for clock, op in ops.items()}
    survivors = surviving_writes(document.writes())
    for writes in portions(((write, len(encode_summary([write]))) for write in survivors), SUMMARY_BYTES_MAX):
        compacted.append(server_client_id, encode_summary(writes))
    return Compacted(compacted, hashes)


def portions(sized: Iterable[tuple[StampedWrite, int]], bytes_max: int) -> Iterator[list[StampedWrite]]:
    """Split writes, each with its size in an op of its own, into what fits one op; nearly always they all do."""
    portion: list[StampedWrite] = []
    size = 0
    for write, write_size in sized:
        if portion and (size + write_size > bytes_max or len(portion) == WRITES_MAX):
            yield portion
            portion, size = [], 0
        portion.append(write)
        size += write_size
    if portion:
        yield portion
