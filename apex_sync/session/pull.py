"""What comes down: pages of a scope's feed, taken in with their cursor."""

from collections import Counter
from collections.abc import Sequence

from msgspec.structs import replace

from apex_sync.digest import record_digest
from apex_sync.document import Delta, Document
from apex_sync.errors import ClockGap, MalformedOp, MalformedUpdate, ProtocolError
from apex_sync.op import StampedWrite, decode_op
from apex_sync.protocol import PulledRecord, ScopePage
from apex_sync.session.device import Device, HeldScope, Rejection
from apex_sync.session.held import HeldRecord, Offer
from apex_sync.session.rescue import rescue
from apex_sync.session.tally import Tally
from apex_sync.wire import parse_delta, parse_document

RESETS_MAX = 3
"""How often a server may be restored during one sync; one that says so more often would keep it going for ever."""

DISPLACED = "displaced"
"""The code of edits in the rejected box that no server refused: the server has other content in their place."""


class PulledPages:
    """Takes in pages during one sync.

    `missing` collects records that must come whole, because what came does not continue what is here; `rescued` those
    that can be sent again; `arrived` what came since it was last looked at.
    """

    def __init__(self, device: Device, tally: Tally) -> None:
        self.device = device
        self.tally = tally
        self.missing: set[tuple[str, str]] = set()
        self.rescued: set[tuple[str, str]] = set()
        self.arrived: set[tuple[str, str]] = set()
        self._resets: Counter[str] = Counter()

    def absorb(self, page: ScopePage) -> bool:
        """Store a page with its cursor; tell whether somebody else writes under this device's client id."""
        scope = self.device.store.scopes().get(page.scope) or HeldScope(page.scope, page.role)
        if page.reset and scope.cursor:
            self._begin_again(scope, page)
            return False
        forked = self._absorb_records(scope.name, page.records)
        self._store_place(scope, page)
        return forked

    def _begin_again(self, scope: HeldScope, page: ScopePage) -> None:
        """Read a scope from its beginning. Raises ProtocolError when that happens again and again."""
        self._resets[page.scope] += 1
        if self._resets[page.scope] > RESETS_MAX:
            raise ProtocolError("a scope that begins again and again")
        again = replace(scope, role=page.role, cursor=b"", remaining=max(1, page.total), total=page.total)
        self.device.store.save_scope(again)
        self.tally.pages += 1

    def _store_place(self, scope: HeldScope, page: ScopePage) -> None:
        moved = replace(scope, role=page.role, cursor=page.cursor, remaining=page.remaining, total=page.total)
        self.tally.pages += moved.cursor != scope.cursor
        self.device.store.save_scope(moved)

    def _absorb_records(self, scope: str, records: Sequence[PulledRecord]) -> bool:
        if not records:
            return False
        ids = [record_id_text(record.record_id) for record in records]
        self.arrived |= {(scope, record_id) for record_id in ids}
        held_by_id = self.device.store.load(scope, ids)
        changed: dict[str, HeldRecord] = {}
        confirmed: dict[str, HeldRecord] = {}
        forked = False
        for record_id, record in zip(ids, records, strict=True):
            held = held_by_id.get(record_id)
            try:
                whole = None if record.delta else parse_document(record.update)
                if held is None:
                    if whole is None:
                        # It continues what is not here: the scope was dropped meanwhile, or a clone has it.
                        self.missing.add((scope, record_id))
                        continue
                    held = held_by_id[record_id] = self._begin(scope, record_id, record, whole)
                elif whole is not None and _is_confirmed(held, whole):
                    held.keep_pull_receipt(record.receipt, held.acked)
                    confirmed[record_id] = held
                    continue
                else:
                    forked |= self._continue(held, record, whole)
            except ClockGap:
                self.missing.add((scope, record_id))
            except (MalformedUpdate, MalformedOp):
                self.tally.unreadable += 1
            else:
                held.settle()
                changed[record_id] = held
        pulled = list(changed.values())
        self.tally.conflicts += sum(max(0, len(held.conflicts) - held.known_conflicts) for held in pulled)
        self.device.store.save(pulled, "pulled")
        self.device.store.save_progress([held for record_id, held in confirmed.items() if record_id not in changed])
        self.tally.pulled += len(changed.keys() | confirmed.keys())
        return forked

    def _begin(self, scope: str, record_id: str, record: PulledRecord, whole: Document) -> HeldRecord:
        """Hold a record that was not here; own ops in it (it was here once) are durable, so they are acknowledged."""
        held = self.device.new_record(record_id, scope, record.collection)
        held.document, held.encoded = whole, record.update
        held.acked = held.sent = held.next_clock
        held.keep_pull_receipt(record.receipt, held.acked)
        held.writes  # noqa: B018
        return held

    def _continue(self, held: HeldRecord, record: PulledRecord, whole: Document | None) -> bool:
        """Absorb what came of a record; tell whether somebody else wrote in it under this device's client id.

        What a server relays is held to the same grammar as what a device sends; nothing has changed when this raises.
        """
        delta = whole.since({}) if whole else parse_delta(record.update, held.document.next_clocks)
        for client_id, ops in delta.ops.items():
            for clock, op in ops.items():
                decode_op(op, client_id=client_id, clock=clock)
        if held.offer is Offer.RESCUE and whole is not None:
            return self.rescue(held, whole, record.receipt)
        forked = held.is_forked_by(delta)
        if forked:
            # What others wrote under this id is not this device's to write again under its next one. It comes once more
            # when this device has left the id to them.
            self.missing.add((held.scope, held.record_id))
            _leave_out(held.client_id, delta, whole)
        self._keep_displaced(held, held.absorb(delta) if whole is None else held.absorb_whole(whole))
        own_clock = held.acked if whole is None else whole.next_clocks.get(held.client_id, 0)
        held.keep_pull_receipt(b"" if forked else record.receipt, own_clock)
        return forked

    def rescue(self, held: HeldRecord, whole: Document, receipt: bytes) -> bool:
        """Put on top of what the server has what cannot be shown to it; tell whether that needs a new client id first.

        Then the record is asked for once more under the new one.
        """
        self.rescued.add((held.scope, held.record_id))
        if rescue(held, whole):
            return True
        held.keep_pull_receipt(receipt, held.acked)
        return False

    def _keep_displaced(self, held: HeldRecord, writes: Sequence[StampedWrite]) -> None:
        if writes:
            rejection = Rejection(
                record_id=held.record_id,
                scope=held.scope,
                collection=held.collection,
                code=DISPLACED,
                field="",
                message="two devices wrote under one id, and the server has lost this one's edit",
                patches=[write.patch for write in writes],
                at_us=self.device.now_us(),
                held=False,
            )
            self.device.store.reject([rejection])
            self.tally.rejected += 1


def _leave_out(client_id: int, delta: Delta, whole: Document | None) -> None:
    """Take what stands under one client id out of what came."""
    for section in (delta.ops, delta.first_clocks, delta.next_clocks, delta.dead):
        section.pop(client_id, None)
    if whole is not None:
        whole.ops.pop(client_id, None)
        whole.next_clocks.pop(client_id, None)


def _is_confirmed(held: HeldRecord, whole: Document) -> bool:
    """Tell whether the server has exactly what is acknowledged here."""
    return held.offer is not Offer.RESCUE and record_digest(held.key, whole) == held.digest


def record_id_text(key: bytes) -> str:
    """Write a record id that came over the wire. Raises ProtocolError where it is none."""
    if len(key) != 16:
        raise ProtocolError(f"a record id of {len(key)} bytes")
    text = key.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
