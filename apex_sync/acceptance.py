"""What the server takes of what a device pushes: the one place where ops are judged, pure and without I/O.

Every op is judged alone. A refused op becomes a dead clock, so the device's later ops still flow; its hash is kept, so
that sending it again gives the same answer, and other content under a known clock shows as a fork (a cloned or restored
device). A record that gets crowded is compacted on the way, so that no history is ever too long to go on.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from typing import Literal

from msgspec import Struct, field

from apex_sync.clock import latest_acceptable_hlc
from apex_sync.collection import Collection, Role
from apex_sync.compaction import CROWDED, Load, compact, is_worthwhile, load_of, settled_load
from apex_sync.digest import op_hash
from apex_sync.document import Document, Ranges
from apex_sync.errors import MalformedOp
from apex_sync.op import CLOCK_MAX, StampedWrite, Vector, decode_op
from apex_sync.wire import CLIENTS_MAX, fits

SERVER_CLIENTS_MAX = 64
"""Clients of a record that are left to the server itself, which takes a new one with each restore."""

Status = Literal["applied", "duplicate", "gap", "forked", "retry", "rejected"]
"""`applied`: durable (each refused op is listed). `duplicate`: it was durable before. `gap`: send the whole record.
`forked`: another device wrote under this client id; take a new one. `retry`: later, unchanged. `rejected`: nothing of
this record can be taken; see the refusals."""

RefusalCode = Literal[
    "malformed",
    "mistyped",
    "forbidden",
    "clock_skew",
    "clock_order",
    "record_full",
    "not_granted",
    "unknown_collection",
]


class Refusal(Struct, frozen=True, array_like=True):
    """Why one op was not taken. `field` is the dotted path at fault, empty for the whole op."""

    clock: int
    code: RefusalCode
    field: str
    message: str


class RefusedOp(Struct, frozen=True):
    """What is kept of an op that is dead: its hash, and the answer it got.

    `refusal` is None for an op that was taken and later compacted away.
    """

    hash: bytes
    refusal: Refusal | None = None


class Acceptance(Struct):
    """The judgement on one pushed record.

    `document` is the record after the push, the same object as before when nothing changed. When the status is
    `applied`, `first_clock` to `next_clock` are the clocks that are new, and `writes` is every write of the record, for
    the fold; otherwise it is empty. `refusals` answers every pushed op that was refused now or before; `newly_refused`
    is to be kept. `buried` are clocks of other clients that died because an op had seen them and they survive nowhere.
    `compacted` has the hashes, by client and clock, of what went into a summary on the way; they are to be kept too.
    """

    status: Status
    document: Document
    writes: list[StampedWrite]
    first_clock: int = 0
    next_clock: int = 0
    refusals: list[Refusal] = field(default_factory=list)
    newly_refused: dict[int, RefusedOp] = field(default_factory=dict)
    buried: Ranges = field(default_factory=dict)
    compacted: dict[int, dict[int, bytes]] = field(default_factory=dict)


class Author(Struct, frozen=True):
    """Who pushes: the installation, and the role its user has in the scope."""

    client_id: int
    role: Role


def accept(
    current: Document,
    first_clock: int,
    ops: list[bytes],
    *,
    author: Author,
    collection: Collection,
    refused: Mapping[int, RefusedOp],
    now_us: int,
    bury_unknown: bool = False,
    compacting_as: int | None = None,
) -> Acceptance:
    """Judge what a device pushed for one record.

    `refused` holds what is kept of the author's dead clocks in this record: refused ops, and those that a compaction
    took away. An op for a dead clock of which nothing is kept is a fork: the clock was buried after a restore, and
    under a new client id the device loses nothing. `bury_unknown` accepts, after the server was restored from a backup,
    an op that has seen clocks which survive nowhere: they become dead.

    `compacting_as` is the client id under which the server writes summaries; without it a record that is full is
    answered `retry` until somebody else has compacted it. What is too much even for a compacted record is refused as
    `record_full`, and the whole push rejected where the record can take no more clients or clocks.
    """
    known = current.next_clocks.get(author.client_id, 0)
    if first_clock > known:
        return Acceptance("gap", current, [])
    repeated = dict(enumerate(ops[: known - first_clock], first_clock))
    mine = current.ops.get(author.client_id, {})
    if any(_differs(op, mine.get(clock), refused.get(clock)) for clock, op in repeated.items()):
        return Acceptance("forked", current, [])
    again = [kept.refusal for clock, kept in refused.items() if clock in repeated and kept.refusal is not None]
    new = ops[len(repeated) :]
    if not new and fits(current):
        return Acceptance("duplicate", current, [], known, known, again)
    is_newcomer = author.client_id not in current.next_clocks
    if known + len(new) > CLOCK_MAX or (is_newcomer and len(current.next_clocks) >= CLIENTS_MAX - SERVER_CLIENTS_MAX):
        return Acceptance("rejected", current, [], refusals=[_full(known)])
    if compacting_as is None and not fits(current, new, new_clients=is_newcomer):
        return Acceptance("retry", current, [])
    judge = _Judge(current.copy(), author, collection, now_us, bury_unknown, compacting_as)
    if not new and not judge.make_room():
        return Acceptance("rejected", current, [], refusals=[_full(known)])
    for op in new:
        if not judge.take(op):
            return Acceptance("gap", current, [])
    refusals = [*again, *(refusal for op in judge.refused.values() if (refusal := op.refusal) is not None)]
    refusals.sort(key=_clock)
    return Acceptance(
        "applied",
        judge.document,
        judge.writes,
        known,
        judge.document.next_clocks.get(author.client_id, 0),
        refusals,
        judge.refused,
        judge.buried,
        judge.compacted,
    )


def _differs(op: bytes, live: bytes | None, dead: RefusedOp | None) -> bool:
    """Tell whether an op that is sent again is another one than before."""
    if live is not None:
        return op != live
    return dead is None or op_hash(op) != dead.hash


def _clock(refusal: Refusal) -> int:
    return refusal.clock


def _full(clock: int) -> Refusal:
    return Refusal(clock, "record_full", "", "the record holds as much as a record can")


class _Judge:
    """Takes the new ops of one push in turn."""

    def __init__(
        self,
        document: Document,
        author: Author,
        collection: Collection,
        now_us: int,
        bury_unknown: bool,
        compacting_as: int | None,
    ) -> None:
        self.document = document
        self.writes = document.writes()
        self.load = load_of(document)
        self.settled: Load | None = None
        self.author = author
        self.collection = collection
        self.now_us = now_us
        self.bury_unknown = bury_unknown
        self.compacting_as = compacting_as
        self.largest_hlc = max((write.hlc for write in self.writes), default=0)
        self.own_hlc = max((write.hlc for write in self.writes if write.client_id == author.client_id), default=0)
        self.stamps = NewestStamps(self.writes)
        self.refused: dict[int, RefusedOp] = {}
        self.buried: Ranges = {}
        self.compacted: dict[int, dict[int, bytes]] = {}

    def take(self, op: bytes) -> bool:
        """Take or refuse one op; False when it has seen what is not here, so that nothing can be said of it."""
        has_room = self.make_room(op)
        clock = self.document.next_clocks.get(self.author.client_id, 0)
        try:
            writes = decode_op(op, client_id=self.author.client_id, clock=clock, summary_allowed=False)
        except MalformedOp as error:
            self._refuse(op, Refusal(clock, "malformed", "", error.reason))
            return True
        unknown = self._unknown(writes)
        if unknown and not (self.bury_unknown and fits(self.document, new_clients=len(unknown) + 1)):
            return False
        refusal = self._objection(clock, writes)
        if refusal is None and not has_room:
            refusal = _full(clock)
        if refusal is not None:
            self._refuse(op, refusal)
            return True
        self._bury(unknown)
        self.document.append(self.author.client_id, op)
        self.load = self.load.plus(op)
        self.writes += writes
        self.own_hlc = writes[-1].hlc
        self.largest_hlc = max(self.largest_hlc, self.own_hlc)
        return True

    def make_room(self, *ops: bytes) -> bool:
        """Compact a record that gets crowded, where that pays; tell whether it holds these ops then."""
        if self.compacting_as is None:
            return True
        wanted = self.load.plus(*ops)
        if wanted.exceeds(CROWDED):
            last_resort = wanted.exceeds(1) and not self.compacted
            if last_resort or self._pays(wanted):
                self._compact(self.compacting_as)
                wanted = self.load.plus(*ops)
        return not wanted.exceeds(1)

    def _pays(self, wanted: Load) -> bool:
        """Tell whether a compaction pays; where nothing is written over, it is looked at again after as much more."""
        self.settled = self.settled or settled_load(self.document)
        if not wanted.outgrows(self.settled):
            return False
        if wanted.is_crowded() or is_worthwhile(self.writes):
            return True
        self.settled = self.load
        return False

    def _compact(self, client_id: int) -> None:
        compacted = compact(self.document, client_id)
        for author_id, hashes in compacted.hashes.items():
            self.compacted.setdefault(author_id, {}).update(hashes)
        self.document = compacted.document
        self.writes = self.document.writes()
        self.load = self.settled = load_of(self.document)

    def _unknown(self, writes: Iterable[StampedWrite]) -> dict[int, int]:
        """Give what an author had seen and is not here; only without that can the fold tell what is concurrent."""
        unknown: dict[int, int] = {}
        for write in writes:
            for client_id, clock in write.seen.items():
                if clock > max(self.document.next_clocks.get(client_id, 0), unknown.get(client_id, 0)):
                    unknown[client_id] = clock
        return unknown

    def _bury(self, unknown: Vector) -> None:
        for client_id, next_clock in unknown.items():
            first = self.document.next_clocks.get(client_id, 0)
            self.document.append_dead(client_id, next_clock - first)
            self.buried.setdefault(client_id, []).append((first, next_clock))
            self.load = self.load.plus(b"")

    def _objection(self, clock: int, writes: list[StampedWrite]) -> Refusal | None:
        limit = latest_acceptable_hlc(self.now_us, self.largest_hlc, len(writes))
        previous = self.own_hlc
        for write in writes:
            if write.hlc > limit:
                return Refusal(clock, "clock_skew", "", f"stamped {write.hlc}, at most {limit}")
            if write.hlc <= max(previous, self.stamps.newest(write.seen)):
                return Refusal(clock, "clock_order", "", "stamped no later than a write its author had seen")
            previous = write.hlc
            forbidden = self.collection.forbidden_fields(write.patch, self.author.role)
            if forbidden:
                return Refusal(clock, "forbidden", forbidden[0], f"the {self.author.role} may not write it")
            problem = self.collection.check_types(write.patch)
            if problem is not None:
                return Refusal(clock, "mistyped", *problem)
        return None

    def _refuse(self, op: bytes, refusal: Refusal) -> None:
        self.document.append_dead(self.author.client_id)
        self.load = self.load.plus(b"")
        self.refused[refusal.clock] = RefusedOp(op_hash(op), refusal)


class NewestStamps:
    """Finds the newest stamp among the writes that a vector covers, in the logarithm of their number.

    What the author adds meanwhile may be missing: no author's vector names itself.
    """

    def __init__(self, writes: Iterable[StampedWrite]) -> None:
        self._writes = writes
        self._clocks: dict[int, list[int]] = {}
        self._stamps: dict[int, list[int]] = {}

    def newest(self, seen: Vector) -> int:
        """Give the newest stamp that is covered, 0 when there is none."""
        if seen and not self._clocks:
            self._index()
        found = 0
        for client_id, next_clock in seen.items():
            covered = bisect_left(self._clocks.get(client_id, ()), next_clock)
            if covered:
                found = max(found, self._stamps[client_id][covered - 1])
        return found

    def _index(self) -> None:
        for write in sorted(self._writes, key=_clock_of_write):
            stamps = self._stamps.setdefault(write.client_id, [])
            self._clocks.setdefault(write.client_id, []).append(write.clock)
            stamps.append(max(write.hlc, stamps[-1] if stamps else 0))


def _clock_of_write(write: StampedWrite) -> int:
    return write.clock
