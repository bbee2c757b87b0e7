"""The last resort for content that a server has lost and that no receipt proves: write it again, as this device's own.

It comes to that when a server was restored from a backup and several things went wrong beside: a device that was
cloned, a pull that came in between. What the server has stands; what is here and not there goes on top, with its stamp
where that is possible, and with what its author had seen as far as the server has it.
"""

from apex_sync.acceptance import NewestStamps
from apex_sync.clock import next_hlc
from apex_sync.deaths import lost_writes
from apex_sync.document import Document
from apex_sync.op import StampedWrite, Vector
from apex_sync.session.held import HeldRecord, Offer


def rescue(held: HeldRecord, theirs: Document) -> bool:
    """Make a record what the server has of it, and what is lost there this device's own writes on top.

    Tell whether that needs a new client id first; then nothing has changed. It does where clocks that have left this
    device would come back with other content, and where the server has anything under its id that the author of a lost
    write had not seen: the next write under that id would claim to have seen it.
    """
    lost, durable = _lost(held, theirs), theirs.next_clocks.get(held.client_id, 0)
    newest = max((write.clock for write in theirs.writes() if write.client_id == held.client_id), default=-1)
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
    agreed = {
        client_id: min(clock, mine.next_clocks.get(client_id, 0)) for client_id, clock in theirs.next_clocks.items()
    }
    for strange in lost_writes(theirs, mine):
        agreed[strange.client_id] = min(agreed[strange.client_id], strange.clock)
    return agreed


def _lost(held: HeldRecord, theirs: Document) -> list[StampedWrite]:
    """Give the writes that are here and not there, in their order; what a summary there speaks for is there.

    Of what this device never sent none speaks but by having it: who overwrote what stands under its clock there has
    seen what a clone made of an op that had begun alike.
    """
    there = {(write.client_id, write.hlc) for write in theirs.writes()}
    sent = max(held.sent, held.acked)
    unsent = (write for write in held.writes if write.client_id == held.client_id and write.clock >= sent)
    lost = {write.rank: write for write in unsent if (write.client_id, write.hlc) not in there}
    lost |= {write.rank: write for write in lost_writes(held.document, theirs)}
    return [lost[rank] for rank in sorted(lost)]


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
