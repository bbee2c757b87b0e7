"""What the server takes of what a device pushes: the one place where ops are judged, pure and without I/O.

Every op is judged alone. A refused op becomes a dead clock, so the device's later ops still flow; its hash is kept, so
that sending it again gives the same answer, and other content under a known clock shows as a fork (a cloned or restored
device).
"""

from collections.abc import Iterable, Mapping
from typing import Literal

from msgspec import Struct, field

from apex_sync.clock import latest_acceptable_hlc
from apex_sync.collection import Collection, Role
from apex_sync.digest import op_hash
from apex_sync.document import Document
from apex_sync.errors import MalformedOp
from apex_sync.op import StampedWrite, decode_op
from apex_sync.wire import CLOCK_MAX, DOCUMENT_BYTES_MAX, OPS_MAX

Status = Literal["applied", "duplicate", "gap", "forked", "retry", "rejected"]
"""`applied`: durable (each refused op is listed). `duplicate`: it was durable before. `gap`: send the whole record.
`forked`: another device wrote under this client id; take a new one. `retry`: later, unchanged. `rejected`: nothing of
this record can be taken; see the refusals."""

RefusalCode = Literal[
    "malformed", "mistyped", "forbidden", "clock_skew", "clock_order", "not_granted", "unknown_collection"
]


class Refusal(Struct, frozen=True, array_like=True):
    """Why one op was not taken. `field` is the dotted path at fault, empty for the whole op."""

    clock: int
    code: RefusalCode
    field: str
    message: str


class RefusedOp(Struct, frozen=True):
    """What is kept of an op that was refused before: its hash, and the answer it got."""

    hash: bytes
    refusal: Refusal


class Acceptance(Struct):
    """The judgement on one pushed record.

    `document` is the record after the push, the same object as before when nothing changed. `first_clock` to
    `next_clock` are the clocks that are new; `writes` is every write of the record, for the fold. `refusals` answers
    every pushed op that was refused now or before; `newly_refused` is to be kept.
    """

    status: Status
    document: Document
    writes: list[StampedWrite]
    first_clock: int = 0
    next_clock: int = 0
    refusals: list[Refusal] = field(default_factory=list)
    newly_refused: dict[int, RefusedOp] = field(default_factory=dict)


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
) -> Acceptance:
    """Judge what a device pushed for one record.

    `refused` holds the author's dead clocks in this record, as far as they were refused (a compacted clock is dead as
    well, and its op, sent again, a duplicate). `bury_unknown` accepts, after the server was restored from a backup, an
    op that has seen clocks which survive nowhere: they become dead.
    """
    writes = list(current.writes())
    known = current.next_clocks.get(author.client_id, 0)
    if first_clock > known:
        return Acceptance("gap", current, writes)
    repeated = dict(enumerate(ops[: known - first_clock], first_clock))
    mine = current.ops.get(author.client_id, {})
    if any(_differs(op, mine.get(clock), refused.get(clock)) for clock, op in repeated.items()):
        return Acceptance("forked", current, writes)
    again = [refused[clock].refusal for clock in repeated if clock in refused]
    new = ops[len(repeated) :]
    if not new:
        return Acceptance("duplicate", current, writes, known, known, again)
    if known + len(new) > CLOCK_MAX or _too_large(current, new):
        return Acceptance("retry", current, writes)
    judge = _Judge(current.copy(), writes, author, collection, now_us, bury_unknown)
    for clock, op in enumerate(new, known):
        if not judge.take(clock, op):
            return Acceptance("gap", current, list(current.writes()))
    refusals = [*again, *(op.refusal for op in judge.refused.values())]
    return Acceptance("applied", judge.document, judge.writes, known, known + len(new), refusals, judge.refused)


def _differs(op: bytes, live: bytes | None, refused: RefusedOp | None) -> bool:
    """Tell whether an op that is sent again is another one than before."""
    if live is not None:
        return op != live
    return refused is not None and op_hash(op) != refused.hash


class _Judge:
    """Takes the new ops of one push in turn."""

    def __init__(
        self,
        document: Document,
        writes: list[StampedWrite],
        author: Author,
        collection: Collection,
        now_us: int,
        bury_unknown: bool,
    ) -> None:
        self.document = document
        self.writes = writes
        self.author = author
        self.collection = collection
        self.now_us = now_us
        self.bury_unknown = bury_unknown
        self.largest_hlc = max((write.hlc for write in writes), default=0)
        self.own_hlc = max((write.hlc for write in writes if write.client_id == author.client_id), default=0)
        self.refused: dict[int, RefusedOp] = {}

    def take(self, clock: int, op: bytes) -> bool:
        """Take or refuse one op; False when it has seen what is not here, so that nothing can be said of it."""
        try:
            writes = decode_op(op, client_id=self.author.client_id, clock=clock, summary_allowed=False)
        except MalformedOp as error:
            self._refuse(op, Refusal(clock, "malformed", "", error.reason))
            return True
        if not self._covers(writes):
            return False
        refusal = self._objection(clock, writes)
        if refusal is not None:
            self._refuse(op, refusal)
            return True
        self.document.append(self.author.client_id, op)
        self.writes += writes
        self.own_hlc = writes[-1].hlc
        self.largest_hlc = max(self.largest_hlc, self.own_hlc)
        return True

    def _covers(self, writes: Iterable[StampedWrite]) -> bool:
        """Check that what the author had seen is here, since only then can the fold tell what is concurrent."""
        for write in writes:
            if self.document.covers(write.seen):
                continue
            if not self.bury_unknown or max(write.seen.values()) > CLOCK_MAX:
                return False
            for client_id, next_clock in write.seen.items():
                missing = next_clock - self.document.next_clocks.get(client_id, 0)
                if missing > 0:
                    self.document.append_dead(client_id, missing)
        return True

    def _objection(self, clock: int, writes: list[StampedWrite]) -> Refusal | None:
        limit = latest_acceptable_hlc(self.now_us, self.largest_hlc, len(writes))
        previous = self.own_hlc
        for write in writes:
            if write.hlc > limit:
                return Refusal(clock, "clock_skew", "", f"stamped {write.hlc}, at most {limit}")
            if write.hlc <= max(previous, self._largest_seen(write)):
                return Refusal(clock, "clock_order", "", "stamped no later than a write its author had seen")
            previous = write.hlc
            forbidden = self.collection.forbidden_fields(write.patch, self.author.role)
            if forbidden:
                return Refusal(clock, "forbidden", forbidden[0], f"a {self.author.role} may not write it")
            problem = self.collection.check_types(write.patch)
            if problem is not None:
                return Refusal(clock, "mistyped", *problem)
        return None

    def _largest_seen(self, write: StampedWrite) -> int:
        if not write.seen:
            return 0
        return max((other.hlc for other in self.writes if write.saw(other)), default=0)

    def _refuse(self, op: bytes, refusal: Refusal) -> None:
        self.document.append_dead(self.author.client_id)
        self.refused[refusal.clock] = RefusedOp(op_hash(op), refusal)


def _too_large(current: Document, new: list[bytes]) -> bool:
    size = sum(len(op) for ops in current.ops.values() for op in ops.values()) + sum(map(len, new))
    # 64 bytes bound what the codec puts around an op.
    count = current.op_count + len(new)
    return count > OPS_MAX or size + 64 * count > DOCUMENT_BYTES_MAX
