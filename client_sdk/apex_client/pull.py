"""What comes down: pages of a scope's feed, taken in with their cursor."""

from collections.abc import Sequence
from uuid import UUID

from msgspec.structs import replace

from apex_client.device import Device, HeldScope
from apex_client.errors import BadAnswer
from apex_client.held import HeldRecord
from apex_client.tally import Tally
from apex_sync.errors import ClockGap, MalformedOp, MalformedUpdate
from apex_sync.op import decode_op
from apex_sync.protocol import PulledRecord, ScopePage
from apex_sync.wire import parse_delta, parse_document


class PulledPages:
    """Takes in pages during one sync.

    `missing` collects records that must come whole, because what came does not continue what is here.
    """

    def __init__(self, device: Device, tally: Tally) -> None:
        self.device = device
        self.tally = tally
        self.missing: set[tuple[str, str]] = set()

    def absorb(self, page: ScopePage) -> bool:
        """Store a page with its cursor; tell whether somebody else writes under this device's client id."""
        scope = self.device.store.scopes().get(page.scope) or HeldScope(page.scope, page.role)
        if page.reset and scope.cursor:
            self.device.store.offer_all(page.scope)
        forked = self._absorb_records(scope.name, page.records)
        self._store_place(scope, page)
        return forked

    def _store_place(self, scope: HeldScope, page: ScopePage) -> None:
        moved = replace(scope, role=page.role, cursor=page.cursor, remaining=page.remaining, total=page.total)
        self.tally.pages += moved.cursor != scope.cursor
        self.device.store.save_scope(moved)

    def _absorb_records(self, scope: str, records: Sequence[PulledRecord]) -> bool:
        if not records:
            return False
        ids = [record_id_text(record.record_id) for record in records]
        known = self.device.store.load(scope, ids)
        changed: list[HeldRecord] = []
        forked = False
        for record_id, record in zip(ids, records, strict=True):
            held = known.get(record_id)
            try:
                if held is None:
                    held = self._begin(scope, record_id, record)
                else:
                    forked |= _continue(held, record)
            except ClockGap:
                self.missing.add((scope, record_id))
                continue
            except (MalformedUpdate, MalformedOp):
                self.tally.unreadable += 1
                continue
            held.settle(record.receipt)
            changed.append(held)
        self.tally.conflicts += sum(max(0, len(held.conflicts) - held.known_conflicts) for held in changed)
        self.device.store.save(changed, "pulled")
        self.tally.pulled += len(changed)
        return forked

    def _begin(self, scope: str, record_id: str, record: PulledRecord) -> HeldRecord:
        """Hold a record that was not here; own ops in it (it was here once) are durable, so they are acknowledged."""
        held = self.device.new_record(record_id, scope, record.collection)
        if record.delta:
            held.absorb(parse_delta(record.update, {}))
        else:
            held.document = parse_document(record.update)
        held.acked = held.sent = held.next_clock
        held.writes  # noqa: B018
        return held


def _continue(held: HeldRecord, record: PulledRecord) -> bool:
    """Absorb what came of a record; tell whether somebody else has written in it under this device's client id.

    What a server relays is held to the same grammar as what a device sends; nothing has changed when this raises.
    """
    if record.delta:
        delta = parse_delta(record.update, held.document.next_clocks)
    else:
        delta = parse_document(record.update).since({})
    for client_id, ops in delta.ops.items():
        for clock, op in ops.items():
            decode_op(op, client_id=client_id, clock=clock)
    forked = held.is_forked_by(delta)
    held.absorb(delta)
    return forked


def record_id_text(key: bytes) -> str:
    """Write a record id that came over the wire. Raises BadAnswer where it is none."""
    if len(key) != 16:
        raise BadAnswer(f"a record id of {len(key)} bytes")
    return str(UUID(bytes=key))
