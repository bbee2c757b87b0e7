"""What goes up of a record, and what becomes of it with each answer."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from msgspec import Struct

from apex_sync.acceptance import NewestStamps, Refusal
from apex_sync.clock import next_hlc
from apex_sync.op import Patch, StampedWrite
from apex_sync.protocol import PushedRecord, PushResult
from apex_sync.session.device import Device, Rejection
from apex_sync.session.held import HeldRecord, Offer, covering, without_leaves
from apex_sync.session.tally import Tally
from apex_sync.wire import encode_document, encode_push

RESTAMPED = frozenset({"clock_skew", "clock_order"})
"""Refused for its stamp alone: the content is fine."""

TRIMMED = frozenset({"forbidden", "mistyped"})
"""Refused for a field: the other fields of the edit are fine."""

RECORD_BYTES_MAX = 512 * 1024
"""Own ops of one record that go up at once; what is left follows when these are acknowledged."""

STEPS = {
    Offer.NONE: Offer.WHOLE,
    Offer.WHOLE: Offer.AS_PULLED,
    Offer.FROM_ZERO: Offer.RESCUE,
    Offer.RESCUE: Offer.RESCUE,
}
"""What is tried after what failed; after AS_PULLED it depends on what there is."""

OWN_ROLE = "athlete"
"""Who writes to a scope of which no page has come yet: the athlete it belongs to."""

REISSUES_MAX = 3
"""How often one sync writes refused content of one record again; a server that refuses that too will not take it."""


class SentRecord(Struct, frozen=True):
    """What a request carried of a record: its own ops below `next_clock`, and none from there on, as this offer."""

    scope: str
    record_id: str
    next_clock: int
    offer: Offer = Offer.NONE


class Outgoing(NamedTuple):
    """What goes up of a record now, and the own clock up to which that is."""

    pushed: PushedRecord
    next_clock: int


def outgoing(held: HeldRecord) -> Outgoing | None:
    """Give what goes up of a record now; None when it can't go up as it is."""
    if held.offer is Offer.WHOLE and not held.receipt:
        held.offer = Offer.AS_PULLED
    if held.offer is Offer.AS_PULLED and not held.pull_receipt:
        held.offer = _without_proof(held)
    first, receipt = _start(held)
    ops = {clock: op for clock, op in held.document.ops.get(held.client_id, {}).items() if clock >= first}
    if len(ops) < held.next_clock - first or (held.offer is Offer.FROM_ZERO and not ops):
        # Nothing here can be proven, and dead clocks cannot be sent.
        held.offer = Offer.RESCUE
    if held.offer is Offer.RESCUE:
        return None
    next_clock = _end(held, ops)
    part = [op for clock, op in ops.items() if clock < next_clock]
    pushed = PushedRecord(
        scope=held.scope,
        collection=held.collection,
        record_id=held.key,
        update=encode_push(held.client_id, first, part) if part else b"",
        base=encode_document(held.up_to(first)) if receipt else b"",
        receipt=receipt,
    )
    return Outgoing(pushed, next_clock)


def _without_proof(held: HeldRecord) -> Offer:
    """Say how a record goes up of which nothing can be proven.

    Own ops from clock 0 leave out what others wrote, and name it as seen, whatever the server has in its place.
    """
    others = held.document.next_clocks.keys() - {held.client_id}
    return Offer.RESCUE if others else Offer.FROM_ZERO


def _start(held: HeldRecord) -> tuple[int, bytes]:
    """Give the own clock that goes up first, and the receipt for what is before it."""
    match held.offer:
        case Offer.WHOLE:
            return held.acked, held.receipt
        case Offer.AS_PULLED:
            return held.pull_clock, held.pull_receipt
        case Offer.FROM_ZERO:
            return 0, b""
    return held.acked, b""


def _end(held: HeldRecord, ops: Mapping[int, bytes]) -> int:
    """Give the own clock up to which ops go up together.

    Those that may have left before go alone: while they have no answer what follows is still coalesced, so that however
    often an attempt fails there is one more op at most.
    """
    size = 0
    for clock, op in ops.items():
        size += len(op)
        again_alone = clock == held.sent > held.acked
        if again_alone or (size > RECORD_BYTES_MAX and size > len(op)):
            return clock
    return held.next_clock


class PushAnswers:
    """Takes in the results of pushes during one sync."""

    def __init__(self, device: Device, tally: Tally) -> None:
        self.device = device
        self.tally = tally
        self.deferred: set[tuple[str, str]] = set()
        """What the server asked to be sent later, or cannot take now."""
        self._reissues: dict[tuple[str, str], int] = {}

    def absorb(self, held: HeldRecord, sent: SentRecord, result: PushResult, *, role: str | None) -> bool:
        """Take in the answer to one record; tell whether somebody else writes under this device's client id.

        `role` is that of the user in the record's scope; None where no page of it has come yet.
        """
        match result.status:
            case "applied" | "duplicate":
                return self._acknowledge(held, sent, result, role)
            case "gap":
                self._escalate(held)
            case "forked":
                if held.offer is not Offer.NONE:
                    # Others may have written under clocks that count as acknowledged here: was that seen, or this?
                    held.offer = Offer.RESCUE
                return True
            case "retry":
                self.deferred.add((held.scope, held.record_id))
            case "rejected":
                if role in (None, "reader") or not _is_revoked(result):
                    self._block(held, result.refusals)
                else:
                    # The next page says that the scope is to be forgotten; if it does not, access has been given back.
                    self.deferred.add((held.scope, held.record_id))
        return False

    def _acknowledge(self, held: HeldRecord, sent: SentRecord, result: PushResult, role: str | None) -> bool:
        if result.next_clock > held.sent:
            # Clocks that this device has not used yet, or for what has not left it. What it sent is there, though.
            if not result.refusals:
                held.acked = max(held.acked, sent.next_clock)
                held.settle()
            return True
        if result.next_clock < sent.next_clock:
            self._escalate(held)
            return False
        # Of what another conversation of this device has brought meanwhile, its own answer says what was refused.
        first, held.acked = held.acked, max(held.acked, sent.next_clock)
        if result.status == "duplicate":
            held.bury_compacted(first)
        if held.offer is sent.offer:
            held.offer = Offer.NONE
        self.tally.acknowledged += 1
        if result.refusals:
            self._refuse(held, result.refusals, role or OWN_ROLE)
        held.receipt = result.receipt if result.next_clock == held.acked else b""
        held.settle()
        return False

    def _escalate(self, held: HeldRecord) -> None:
        """Send more of the record the next time."""
        held.offer = STEPS[held.offer] if held.offer in STEPS else _without_proof(held)
        self.tally.pages += 1

    def _block(self, held: HeldRecord, refusals: Sequence[Refusal]) -> None:
        """Stop sending a record of which the server takes nothing; it stays readable and editable here."""
        refusal = refusals[0] if refusals else Refusal(0, "malformed", "", "the server rejected the record")
        held.blocked = refusal.code
        self.tally.rejected += 1
        own = (write for write in held.writes if write.client_id == held.client_id and write.clock >= held.acked)
        patches = [write.patch for write in sorted(own, key=_own_order)]
        self._reject(held, refusal, patches, held=True)

    def _refuse(self, held: HeldRecord, refusals: Sequence[Refusal], role: str) -> None:
        """Take refused ops out of the record, and write again what is permitted of them."""
        refused = [(refusal, held.kill(refusal.clock)) for refusal in sorted(refusals, key=_clock)]
        refused = [(refusal, writes) for refusal, writes in refused if writes]
        if not refused:
            return
        key = held.scope, held.record_id
        self._reissues[key] = self._reissues.get(key, 0) + 1
        may_reissue = self._reissues[key] <= REISSUES_MAX
        again: list[tuple[StampedWrite, Patch]] = []
        for refusal, writes in refused:
            keep = [self._permitted(refusal, write, role, held) if may_reissue else {} for write in writes]
            again += zip(writes, keep, strict=True)
            left = [without_leaves(write.patch, [kept]) for write, kept in zip(writes, keep, strict=True)]
            left = [patch for patch in left if patch]
            if left:
                self._reject(held, refusal, left, held=False)
                self.tally.rejected += 1
            self.tally.reissued += any(keep)
        if any(refusal.code in RESTAMPED for refusal, _ in refused):
            again += [(write, write.patch) for write in held.take_unsent()]
        self._write_again(held, again)

    def _permitted(self, refusal: Refusal, write: StampedWrite, role: str, held: HeldRecord) -> Patch:
        if refusal.code in RESTAMPED:
            return write.patch
        collection = self.device.collections.get(held.collection)
        if refusal.code not in TRIMMED or not refusal.field or collection is None:
            return {}
        at_fault = {refusal.field.partition(".")[0], *collection.forbidden_fields(write.patch, role)}  # type: ignore[arg-type]
        return {field: value for field, value in write.patch.items() if field not in at_fault}

    def _write_again(self, held: HeldRecord, again: Iterable[tuple[StampedWrite, Patch]]) -> None:
        """Append content under new stamps, in its order, without leaves that this device has overwritten since.

        It keeps the sight it had, so that what was concurrent to it still is.
        """
        own = sorted((write for write in held.writes if write.client_id == held.client_id), key=_own_order)
        stamps = NewestStamps(held.writes)
        last_hlc = max((write.hlc for write in own), default=0)
        now_us = self.device.now_us()
        overwritten: Patch = {}
        left: list[tuple[StampedWrite, Patch]] = []
        for write, patch in sorted(again, key=_own_order_of_first, reverse=True):
            while own and _own_order(own[-1]) > _own_order(write):
                overwritten = covering(overwritten, own.pop().patch)
            left.append((write, without_leaves(patch, [overwritten])))
        for write, patch in reversed(left):
            if patch:
                last_hlc = next_hlc(now_us, last=last_hlc, seen=stamps.newest(write.seen))
                held.rewrite(patch, last_hlc, write.seen)

    def _reject(self, record: HeldRecord, refusal: Refusal, patches: Sequence[Patch], *, held: bool) -> None:
        rejection = Rejection(
            record_id=record.record_id,
            scope=record.scope,
            collection=record.collection,
            code=refusal.code,
            field=refusal.field,
            message=refusal.message,
            patches=patches,
            at_us=self.device.now_us(),
            held=held,
        )
        self.device.store.reject([rejection])


def _is_revoked(result: PushResult) -> bool:
    return any(refusal.code == "not_granted" for refusal in result.refusals)


def _clock(refusal: Refusal) -> int:
    return refusal.clock


def _own_order_of_first(item: tuple[StampedWrite, Patch]) -> tuple[int, int]:
    return _own_order(item[0])


def _own_order(write: StampedWrite) -> tuple[int, int]:
    return write.clock, write.index
