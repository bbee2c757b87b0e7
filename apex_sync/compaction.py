"""Compaction: a long record shortened to the writes that still matter, without changing what anyone sees.

Every op of the record dies, and a summary under the server's own client id carries the surviving writes with their
original stamps: winners and unresolved losers. An earlier summary dies with the rest. Fold and conflicts stay the same,
and what a device wrote concurrently merges as if nothing had happened. Only the server compacts; devices take the
result in like any other change, dead runs and one op.
"""

from collections.abc import Iterator

from msgspec import Struct

from apex_sync.digest import op_hash
from apex_sync.document import Document
from apex_sync.fold import surviving_writes
from apex_sync.op import SUMMARY_BYTES_MAX, WRITES_MAX, StampedWrite, encode_summary, is_summary

COMPACTION_OPS = 1024
"""From here on a record is worth compacting: parsing and folding it takes a few milliseconds."""

COMPACTION_BYTES = 64 * 1024
"""The same for its size. What summaries hold is not counted, unless it is outweighed by what came since."""


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


def compact(document: Document, server_client_id: int) -> Compacted:
    """Shorten a record to summaries under the server's client id; the given document stays as it is.

    Raises MalformedOp when the record holds an op that is none.
    """
    compacted = document.copy()
    hashes: dict[int, dict[int, bytes]] = {}
    for client_id, ops in document.ops.items():
        compacted.ops[client_id] = {}
        hashes[client_id] = {clock: op_hash(op) for clock, op in ops.items()}
    for writes in _portions(surviving_writes(document.writes())):
        compacted.append(server_client_id, encode_summary(writes))
    return Compacted(compacted, hashes)


def _portions(writes: list[StampedWrite]) -> Iterator[list[StampedWrite]]:
    """Split writes into what fits one summary each; nearly always they all do."""
    portion: list[StampedWrite] = []
    size = 0
    for write in writes:
        row_size = len(encode_summary([write]))
        if portion and (size + row_size > SUMMARY_BYTES_MAX or len(portion) == WRITES_MAX):
            yield portion
            portion, size = [], 0
        portion.append(write)
        size += row_size
    if portion:
        yield portion
