"""The last resort for content that a server has lost and that no receipt proves: write it again, as this device's own.

It comes to that when a server was restored from a backup and several things went wrong beside: a device that was
cloned, a pull that came in between. What the server has stands; what is here and not there goes on top, with its stamp
where that is possible, and with what its author had seen as far as the server has it.
"""

from apex_sync.acceptance import NewestStamps
from apex_sync.clock import next_hlc
from apex_sync.deaths import lost_writes, summarised_writes
from apex_sync.document import Document
from apex_sync.op import StampedWrite, Vector
from apex_sync.session.held import HeldRecord, Offer


def rescue(held: HeldRecord, theirs: Document) -> bool:
    """Make a record what the server has of it, and what is lost there this device's own writes on top.

    Tell whether that needs a new client id first; then nothing has changed. It does where clocks that have left this
    device would come back with other content, and where the server has anything under its id that the author of a lost
    write had not seen: the next write under that id would claim to have seen it.
    """
    lost, own = _lost(held.document, theirs), theirs.ops.get(held.client_id, {})
    durable, newest = theirs.next_clocks.get(held.client_id, 0), max(own, default=-1)
    if lost and (held.sent > durable or any(newest >= _sight(write).get(held.client_id, 0) for write in lost)):
        return True
    agreed = _agreed(held.document, theirs)
    held.document = theirs.copy()
    held.acked = held.sent = durable
    held.offer = Offer.NONE
    held.forget_fold()
    _write_on_top(held, lost, agreed)
    held.settle()
    return False


def _agreed(mine: Document, theirs: Document) -> dict[int, int]:
    """Give by client the clock up to which nothing stands there, in an op or in a summary, that is not known here."""
    known = {(write.client_id, write.clock, write.hlc) for write in mine.writes()}
    strange: dict[int, list[int]] = {}
    for write in summarised_writes(theirs):
        if (write.client_id, write.clock, write.hlc) not in known:
            strange.setdefault(write.client_id, []).append(write.clock)
    agreed = {}
    for client_id, clock in theirs.next_clocks.items():
        here = mine.ops.get(client_id, {})
        others = (clock for clock, op in theirs.ops.get(client_id, {}).items() if here.get(clock, op) != op)
        agreed[client_id] = min([clock, mine.next_clocks.get(client_id, 0), *others, *strange.get(client_id, ())])
    return agreed


def _lost(mine: Document, theirs: Document) -> list[StampedWrite]:
    """Give the writes that are here and not there, in their order; what a summary there speaks for is there."""
    return sorted(lost_writes(mine, theirs), key=lambda write: write.rank)


def _write_on_top(held: HeldRecord, lost: list[StampedWrite], agreed: dict[int, int]) -> None:
    stamps = NewestStamps(held.writes)
    last = max((write.hlc for write in held.writes if write.client_id == held.client_id), default=0)
    for write in lost:
        seen = {
            client_id: min(clock, agreed[client_id])
            for client_id, clock in _sight(write).items()
            if client_id != held.client_id and min(clock, agreed.get(client_id, 0))
        }
        last = next_hlc(write.hlc, last=last, seen=stamps.newest(seen))
        held.rewrite(write.patch, last, seen)


def _sight(write: StampedWrite) -> Vector:
    """Give what an author had of each client, their own earlier writes included."""
    return {**write.seen, write.client_id: write.clock}
