"""The oracles of a run: what must hold at every step, after everything has healed, and at the end."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any
from uuid import UUID

from apex_client.local import LocalReplica
from apex_server.sync.projections import project
from apex_sync.digest import add_digests, record_digest
from apex_sync.document import Document
from apex_sync.fold import Claim, fold
from apex_sync.models import COLLECTIONS
from apex_sync.op import Patch, is_summary
from apex_sync.session.held import Offer
from apex_sync.testing.memory_store import Row
from apex_sync.wire import parse_document
from tests.engine.naive_fold import NaiveConflict, naive_conflicts, naive_state
from tests.simulation.device import SimulatedDevice
from tests.simulation.grants import Grants
from tests.simulation.ledger import Ledger, RecordKey, Saved, in_boxes, leaves, on_server, values_of
from tests.simulation.memory_database import MemoryRecord, ScopeContent
from tests.simulation.memory_replica import MemoryReplicaStore
from tests.simulation.server import SimulatedServer

Expected = tuple[Patch, list[NaiveConflict]]
"""State and conflicts by the naive model."""

_parsed = lru_cache(4096)(parse_document)

WRITERS: dict[str, dict[str, set[str]]] = {
    "workout_logs": {"": {"athlete", "coach"}},
    "check_ins": {
        "": {"athlete"},
        "coach_feedback": {"coach"},
        "coach_reviewed": {"coach"},
        "ai_summary": {"system"},
    },
    "insights": {"": {"system"}},
}
"""Who may write what people write here, and "" all the rest: said once more, so that the rule cannot err alone."""


class Judge:
    """Looks at everything and believes nobody."""

    def __init__(self, server: SimulatedServer, ledger: Ledger, grants: Grants) -> None:
        self._server = server
        self._ledger = ledger
        self._grants = grants
        self._audited: dict[str, int] = {}
        """How many entries of a scope's audit were looked at."""
        self._seen: dict[MemoryReplicaStore, tuple[int, dict[RecordKey, Row]]] = {}
        """Of each store the edition that was looked at last, and the records in it."""
        self._settled: dict[MemoryReplicaStore, bytes] = {}
        """Of each store the epoch of the server that it had met when it was looked at last."""
        self._owners: dict[int, set[UUID | None]] = {}
        """Whose a client id ever was: a restored server has forgotten that, and may give it to another."""
        self.secret: dict[str, str] = {}
        """Values that were written into a private scope."""

    def server_is_restored(self) -> None:
        """From now on a server may lack what it has acknowledged, and what it has answered stays answered."""
        self._note_what_excuses()

    def server_was_restored(self) -> None:
        """What stands in the audit now was looked at when it came."""
        self._audited = {scope: len(content.audit) for scope, content in self._server.database.scopes.items()}

    # At every step.

    def on_the_way(self, devices: Iterable[SimulatedDevice]) -> Iterator[str]:
        """Look at what the stores of devices hold after a step, where anything was written to them."""
        for client_id, (owner, _) in self._server.database.bindings.items():
            self._owners.setdefault(client_id, set()).add(owner)
        for device in devices:
            edition, before = self._seen.get(device.store, (-1, {}))
            if edition != device.store.edition:
                yield from self._changed(device, before)
                self._seen[device.store] = device.store.edition, dict(device.rows)
                self._settled[device.store] = device.store.identity().epoch
        yield from self._unauthorised()

    def _unauthorised(self) -> Iterator[str]:
        """Look at whatever was committed since the last step, by whom, and whether they had any business there."""
        for scope, content in self._server.database.scopes.items():
            for entry in content.audit[self._audited.get(scope, 0) :]:
                if not self._grants.allowed(entry.writer.user_id, scope, entry.at_us):
                    yield f"{scope}: {entry.writer.user_id} wrote without access, as {entry.client_id}"
            self._audited[scope] = len(content.audit)

    def _changed(self, device: SimulatedDevice, before: dict[RecordKey, Row]) -> Iterator[str]:
        rows = device.rows
        epoch = device.store.identity().epoch
        knows_the_server = epoch == self._server.database.epoch == self._settled.get(device.store)
        sums: Counter[str] = Counter()
        for key, row in rows.items():
            sums[key[0]] = add_digests(sums[key[0]], (0, row.digest))
            old = before.get(key)
            if old is row:
                continue
            # What a restore took from the server, an offer that proves nothing says again as the device's own.
            is_current = old is not None and old.pull_receipt.startswith(epoch) and old.offer is Offer.NONE
            if old is not None and is_current and knows_the_server:
                yield from self._monotonic(device, key, old, row)
            if knows_the_server and row.offer is Offer.NONE:
                yield from self._acknowledged(device, key, row)
        for name, scope in device.local.store.scopes().items():
            if scope.digest != sums[name]:
                yield f"{device.lineage}: a torn page: the digest of {name} is not that of its records"

    def _monotonic(self, device: SimulatedDevice, key: RecordKey, old: Row, row: Row) -> Iterator[str]:
        own = {old.client_id, row.client_id}
        for client_id, clock in old.document.next_clocks.items():
            if client_id not in own and row.document.next_clocks.get(client_id, 0) < clock:
                yield f"{device.lineage}: {key} has forgotten ops of {client_id} that it had read"

    def _acknowledged(self, device: SimulatedDevice, key: RecordKey, row: Row) -> Iterator[str]:
        if row.acked and row.client_id:
            there = self._document(key)
            if there is None or there.next_clocks.get(row.client_id, 0) < row.acked:
                yield f"{device.lineage}: {key} counts {row.acked} ops as acknowledged that the server does not have"

    def own_write(self, device: SimulatedDevice, key: RecordKey, patch: Patch) -> Iterator[str]:
        """Read at once what was written."""
        held = device.store.one(*key)
        state = held.state if held else {}
        for path, value in leaves(patch):
            node: Any = state
            for part in path:
                node = node.get(part) if isinstance(node, dict) else None
            if node != value:
                yield f"{device.lineage}: {key} {path} reads {node!r} right after {value!r} was saved"

    # After everything has healed.

    def left_over(self, devices: Iterable[SimulatedDevice], when: str) -> list[str]:
        """List what is not settled."""
        return [f"{device.lineage} {when}: {what}" for device in devices for what in self._unsettled(device)]

    def _unsettled(self, device: SimulatedDevice) -> Iterator[str]:
        granted = self._server.people.scopes_of(device.person.id)
        for key, row in device.rows.items():
            if row.pending_since_us and key[0] in granted:
                yield f"{key} still waits to be sent (offer {row.offer!r}, {row.next_clock - row.acked} ops)"
        scopes = device.local.store.scopes()
        for name in granted:
            there = self._content(name).digest
            here = scopes[name].digest if name in scopes else 0
            if here != there:
                yield f"the digest of {name} differs from the server's"
        for name in scopes.keys() - granted.keys():
            yield f"{name} is still here, and not granted"

    # At the end.

    def at_the_end(self, devices: Sequence[SimulatedDevice], fresh: Sequence[SimulatedDevice]) -> Iterator[str]:
        """Judge what the server and every device hold."""
        yield from self.left_over(fresh, "as a new device")
        expected: dict[RecordKey, Expected] = {}
        for scope, content in self._server.database.scopes.items():
            for record_id, record in content.records.items():
                writes = _parsed(record.stored.doc).writes()
                expected[scope, str(UUID(bytes=record_id))] = naive_state(writes), naive_conflicts(writes)
            yield from self._scope(scope, content, expected)
        for device in [*devices, *fresh]:
            yield from self._device(device, expected)
            if device.local.device.identity.repairs and not self._ledger.may_double:
                yield f"{device.lineage}: had to be repaired, and nothing had happened that explains it"
        yield from self._values(devices)

    def _scope(self, scope: str, content: ScopeContent, expected: dict[RecordKey, Expected]) -> Iterator[str]:
        digest = 0
        clocks: dict[tuple[bytes, int], int] = {}
        seqs = set()
        for entry in content.audit:
            if entry.first_clock != clocks.get((entry.record_id, entry.client_id), 0):
                yield f"{scope}: the audit of {entry.record_id.hex()} has a gap or says something twice"
            clocks[entry.record_id, entry.client_id] = entry.next_clock
            seqs.add(entry.seq)
        if seqs != set(range(1, content.seq + 1)):
            yield f"{scope}: the feed has a gap"
        for record_id, record in content.records.items():
            document = _parsed(record.stored.doc)
            digest = add_digests(digest, (0, record.stored.digest))
            if record.stored.digest != record_digest(record_id, document):
                yield f"{scope}: the digest of {record_id.hex()} is not that of its ops"
            audited = {client: clock for (key, client), clock in clocks.items() if key == record_id}
            if audited != document.next_clocks:
                yield f"{scope}: the audit of {record_id.hex()} does not tell its ops"
            _, conflicts = expected[scope, str(UUID(bytes=record_id))]
            if record.has_conflicts != bool(conflicts):
                yield f"{scope}: {record_id.hex()} has conflicts, and does not say so, or the other way round"
            yield from self._projection(scope, record_id, record, document)
            yield from self._authors(scope, record_id, record, document)
        if digest != content.digest:
            yield f"{scope}: its digest is not that of its records"

    def _projection(self, scope: str, record_id: bytes, record: MemoryRecord, document: Document) -> Iterator[str]:
        folded = fold(document.writes())
        typed, problems = COLLECTIONS[record.stored.collection].read(folded.state)
        if (record.needs_review, record.deleted) != (bool(problems), typed.deleted is True):
            yield f"{scope}: {record_id.hex()} is deleted or needs a review, and its flags say otherwise"
        if project(record.stored.collection, typed) != record.rows:
            yield f"{scope}: the rows of {record_id.hex()} are not those of what it folds to"

    def _authors(self, scope: str, record_id: bytes, record: MemoryRecord, document: Document) -> Iterator[str]:
        for write in document.writes():
            roles = {self._grants.role(owner, scope) for owner in self._owners.get(write.client_id, ())} - {None}
            may_write = WRITERS[record.stored.collection]
            if not roles:
                yield f"{scope}: {record_id.hex()} has an op of {write.client_id}, who has no part in it"
            elif forbidden := [field for field in write.patch if not roles & may_write.get(field, may_write[""])]:
                yield f"{scope}: {record_id.hex()} has {forbidden}, written by the {'/'.join(sorted(map(str, roles)))}"

    def _device(self, device: SimulatedDevice, expected: dict[RecordKey, Expected]) -> Iterator[str]:
        local: LocalReplica = device.local
        granted = self._server.people.scopes_of(device.person.id)
        for scope in granted:
            there = {str(UUID(bytes=record_id)): record for record_id, record in self._content(scope).records.items()}
            here = {key[1] for key, row in device.rows.items() if key[0] == scope and row.digest}
            if here != there.keys():
                yield f"{device.lineage}: holds other records of {scope} than the server"
                continue
            for record_id in there:
                held = local.store.one(scope, record_id)
                if held is None or held.blocked:
                    continue
                state, conflicts = expected[scope, record_id]
                if held.state != state:
                    yield f"{device.lineage}: {record_id} reads {held.state}, by the naive model {state}"
                found = [
                    (each.path, each.kept and _claim(each.kept), [_claim(loser) for loser in each.discarded])
                    for each in held.conflicts
                ]
                if _told_once(found) != _told_once(conflicts):
                    yield f"{device.lineage}: {record_id} has the conflicts {found}, by the naive model {conflicts}"
        hidden = {value for value, scope in self.secret.items() if self._grants.role(device.person.id, scope) is None}
        for key, row in device.rows.items() if hidden else ():
            for value in hidden.intersection(values_of(row.document)):
                yield f"{device.lineage}: {key} shows {value}, which is private to others"

    def _values(self, devices: Sequence[SimulatedDevice]) -> Iterator[str]:
        counted = on_server(self._server.database)
        self._note_what_excuses()
        for saved in self._ledger.missing(set(counted) | in_boxes(devices)):
            yield f"lost: {_told(saved)}"
        for value, count in counted.items():
            if (
                count > 1
                and value in self._ledger.owed
                and self._ledger.owed[value].author not in self._ledger.may_double
            ):
                yield f"doubled: {_told(self._ledger.owed[value])}"

    def _note_what_excuses(self) -> None:
        self._ledger.refused |= self._refused()
        self._ledger.compacted |= self._compacted()

    def _refused(self) -> set[RecordKey]:
        return {
            (scope, str(UUID(bytes=record_id)))
            for scope, content in self._server.database.scopes.items()
            for (record_id, _), dead in content.dead.items()
            if any(op.refusal is not None for op in dead.values())
        }

    def _compacted(self) -> set[RecordKey]:
        return {
            (scope, str(UUID(bytes=record_id)))
            for scope, content in self._server.database.scopes.items()
            for record_id, record in content.records.items()
            if any(is_summary(op) for ops in _parsed(record.stored.doc).ops.values() for op in ops.values())
        }

    def _content(self, scope: str) -> ScopeContent:
        return self._server.database.scopes.get(scope, ScopeContent())

    def _document(self, key: RecordKey) -> Document | None:
        record = self._content(key[0]).records.get(UUID(key[1]).bytes)
        return _parsed(record.stored.doc) if record else None


def _told_once(conflicts: list[Any]) -> list[str]:
    """Give conflicts in words; a loser that stands in the summaries of two epochs is one loser."""
    return [repr((path, kept, sorted({repr(loser) for loser in losers}))) for path, kept, losers in conflicts]


def _claim(claim: Claim) -> tuple[Any, int, int]:
    return claim.value, claim.client_id, claim.hlc


def _told(saved: Saved) -> str:
    return f"{saved.value} of {saved.author} at {'.'.join(saved.path)} of {saved.record[1][-4:]}, save {saved.number}"
