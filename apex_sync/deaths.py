"""Ops that a merge takes away: which of them are in a summary, and which would be lost.

Merging two documents lets an op die that is dead in one of them. That is right where it died for good, by a refusal or
in a compaction. But a restored server takes ops anew: under a clock that was dead before there can live what was
refused then, or what a clone wrote, and its author was told that it is durable.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from apex_sync.document import Document
from apex_sync.op import StampedWrite, decode_op, is_summary

_WriteKey = tuple[int, int, int]
"""Client, clock and stamp: the last tells two writes under one clock apart."""


class Taken(NamedTuple):
    """A record with what a device brought back of it, and the writes in whose place the device knows others."""

    document: Document
    strange: list[StampedWrite]


def with_offered(current: Document, offered: Document) -> Taken:
    """Give what a server has of a record, with all that a device brings back of it beyond that; neither is changed.

    No op dies of it that no summary speaks for. Whoever has seen the clocks of those that are spared for it has seen
    something else there.
    """
    taken = current.copy()
    taken.merge(offered)
    strange: list[StampedWrite] = []
    spared: dict[int, dict[int, bytes]] = {}
    for client_id, clock, op, writes in _lost(current, taken):
        spared.setdefault(client_id, {})[clock] = op
        strange += writes
    for client_id, ops in spared.items():
        taken.ops[client_id] = dict(sorted((taken.ops[client_id] | ops).items()))
    return Taken(taken, strange)


def lost_ops(before: Document, after: Document) -> dict[int, dict[int, bytes]]:
    """Give the ops of one state of a record that another one has not.

    They died there without a summary that speaks for them, or somebody else's op stands under their clock.
    """
    lost: dict[int, dict[int, bytes]] = {}
    for client_id, clock, op, _ in _lost(before, after):
        lost.setdefault(client_id, {})[clock] = op
    return lost


def lost_writes(before: Document, after: Document) -> list[StampedWrite]:
    """Give the writes of these ops that are nowhere in the other state, in no order."""
    return [write for *_, writes in _lost(before, after) for write in writes]


def _lost(before: Document, after: Document) -> Iterator[tuple[int, int, bytes, list[StampedWrite]]]:
    """Give client, clock and content of each lost op, and which of its writes are lost."""
    summarised: dict[_WriteKey, StampedWrite] | None = None
    for client_id, ops in before.ops.items():
        there = after.ops.get(client_id, {})
        if there == ops:
            continue
        for clock, op in ops.items():
            if there.get(clock) == op:
                continue
            writes = decode_op(op, client_id=client_id, clock=clock)
            if clock not in there:
                if summarised is None:
                    # The newest first: it has most likely seen whatever is asked about.
                    summarised = {
                        _key(write): write for write in sorted(summarised_writes(after), key=_hlc, reverse=True)
                    }
                strange = _strange_places(writes, summarised)
                writes = [
                    write
                    for write in writes
                    if not _is_spoken_for(
                        write, summarised, after, is_strange=(write.client_id, write.clock) in strange
                    )
                ]
            if writes:
                yield client_id, clock, op, writes


def _strange_places(
    writes: Sequence[StampedWrite], summarised: Mapping[_WriteKey, StampedWrite]
) -> set[tuple[int, int]]:
    """Give client and clock of those writes in whose place the summaries have another: a clone's."""
    places: dict[tuple[int, int], set[int]] = {}
    for write in writes:
        places.setdefault((write.client_id, write.clock), set()).add(write.hlc)
    return {
        (client_id, clock)
        for client_id, clock, hlc in summarised
        if (client_id, clock) in places and hlc not in places[client_id, clock]
    }


def summarised_writes(document: Document) -> Iterator[StampedWrite]:
    """Give what the summaries of a record hold."""
    for client_id, ops in document.ops.items():
        for clock, op in ops.items():
            if is_summary(op):
                yield from decode_op(op, client_id=client_id, clock=clock)


def _is_spoken_for(
    write: StampedWrite, summarised: Mapping[_WriteKey, StampedWrite], after: Document, *, is_strange: bool
) -> bool:
    """Tell whether a summary has a write, or whatever overwrote it, or it stands there as it was before a summary.

    A device that was put back to a backup may have gone on with an op that it had not sent by then. So one clock has
    two ops that begin alike, and the rest of one of them nobody has seen. And a restored server may have a summary of
    before the one that is lost, or none. Where its place is strange, whoever claims to have seen it saw the other one.
    """
    if _key(write) in summarised or (not is_strange and _is_overwritten(write, summarised.values())):
        return True
    op = after.ops.get(write.client_id, {}).get(write.clock)
    return op is not None and any(
        _key(other) == _key(write) for other in decode_op(op, client_id=write.client_id, clock=write.clock)
    )


def _is_overwritten(write: StampedWrite, summarised: Iterable[StampedWrite]) -> bool:
    """Tell whether there is a write by somebody who had this one: whatever overwrote it, or overwrote that in turn."""
    return any(later.hlc > write.hlc and later.saw(write) for later in summarised)


def _hlc(write: StampedWrite) -> int:
    return write.hlc


def _key(write: StampedWrite) -> _WriteKey:
    return write.client_id, write.clock, write.hlc
