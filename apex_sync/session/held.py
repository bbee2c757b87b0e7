"""A record as a device holds it: the ops, which of its own are durable elsewhere, and what they fold to.

Of the device's own clocks those below `acked` are durable on the server, those below `sent` may have left this device
and are frozen for ever, and the rest, at most the last op, takes further writes until it is sent. Pure: no clock, no
I/O.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from enum import IntEnum

import msgspec

from apex_sync.clock import next_hlc
from apex_sync.compaction import portions
from apex_sync.deaths import lost_ops, lost_writes
from apex_sync.digest import record_digest
from apex_sync.document import Delta, Document
from apex_sync.errors import FieldProblem
from apex_sync.fold import Conflict, fold, surviving_writes
from apex_sync.op import (
    OP_BYTES_MAX,
    WRITES_MAX,
    Patch,
    StampedWrite,
    Vector,
    Write,
    decode_op,
    encode_op,
    flat_vector,
    without_empty_maps,
)

_EMPTY_MAP = b"\x80"
"""How msgpack writes one; where no such byte is, there is no such map."""

_encode = msgspec.msgpack.Encoder().encode
_decode_raw = msgspec.msgpack.Decoder(list[msgspec.Raw]).decode


class Offer(IntEnum):
    """How a record has to go up next, each step for when the server could not take the one before.

    Its new ops; the whole record, with the receipt of the last acknowledgement or with that of the last pull; every
    own op from clock 0. A record in RESCUE waits for what the server has of it; see `rescue.py`.
    """

    NONE = 0
    WHOLE = 1
    AS_PULLED = 2
    FROM_ZERO = 3
    RESCUE = 4


class OpTooLarge(Exception):
    """A patch that has to be split; nothing was written."""


class HeldRecord:
    """One record and its place between here and the server.

    `digest` is that of the acknowledged content. `receipt` came with the last acknowledgement: the server's proof of
    what it held then, which may be more than was here. `pull_receipt` came with the last pull and proves what is here
    up to the own clock `pull_clock`. `blocked` is the code with which the server refused the whole record: it is kept
    and not sent. `encoded` is the document as it came, while it is the same; `problems` are the bounds that the state
    breaks, once somebody has looked.

    `place`, `pending_since_us` and `stored_digest` belong to the store; `known_conflicts` is how many conflicts it had
    when the store gave it out.
    """

    __slots__ = (
        "_conflicts",
        "_last_hlc",
        "_state",
        "_writes",
        "acked",
        "blocked",
        "client_id",
        "collection",
        "digest",
        "document",
        "encoded",
        "known_conflicts",
        "offer",
        "pending_since_us",
        "place",
        "problems",
        "pull_clock",
        "pull_receipt",
        "receipt",
        "record_id",
        "scope",
        "sent",
        "stored_digest",
    )

    def __init__(
        self,
        record_id: str,
        scope: str,
        collection: str,
        client_id: int,
        *,
        document: Document | None = None,
        acked: int = 0,
        sent: int = 0,
        digest: int = 0,
        receipt: bytes = b"",
        pull_receipt: bytes = b"",
        pull_clock: int = 0,
        offer: Offer = Offer.NONE,
        blocked: str = "",
        pending_since_us: int = 0,
        place: int = 0,
        known_conflicts: int = 0,
    ) -> None:
        self.record_id = record_id
        self.scope = scope
        self.collection = collection
        self.client_id = client_id
        self.document = document if document is not None else Document()
        self.acked = acked
        self.sent = sent
        self.digest = digest
        self.receipt = receipt
        self.pull_receipt = pull_receipt
        self.pull_clock = pull_clock
        self.offer = offer
        self.blocked = blocked
        self.pending_since_us = pending_since_us
        self.place = place
        self.known_conflicts = known_conflicts
        self.stored_digest = digest
        self.encoded = b""
        self.problems: Sequence[FieldProblem] | None = None
        self._writes: list[StampedWrite] | None = None
        self._state: Patch | None = None
        self._conflicts: list[Conflict] = []
        self._last_hlc = 0

    @property
    def key(self) -> bytes:
        """The record id as it stands on the wire."""
        return bytes.fromhex(self.record_id.replace("-", ""))

    @property
    def next_clock(self) -> int:
        """The clock of the device's next own op."""
        return self.document.next_clocks.get(self.client_id, 0)

    @property
    def unacknowledged(self) -> int:
        """How many own ops the server is not known to have."""
        return self.next_clock - self.acked

    @property
    def pending(self) -> bool:
        """Whether there is something to send."""
        return not self.blocked and (self.unacknowledged > 0 or self.offer is not Offer.NONE)

    @property
    def in_flight(self) -> bool:
        """Whether the server may have more of it than it has acknowledged."""
        return self.sent > self.acked or self.offer is not Offer.NONE

    @property
    def state(self) -> Patch:
        """What the ops fold to. Never changed in place."""
        if self._state is None:
            self._fold()
        assert self._state is not None  # noqa: S101
        return self._state

    @property
    def conflicts(self) -> list[Conflict]:
        """What was written concurrently."""
        if self._state is None:
            self._fold()
        return self._conflicts

    @property
    def last_hlc(self) -> int:
        """The newest stamp in the record."""
        if self._state is None:
            self._fold()
        return self._last_hlc

    @property
    def writes(self) -> list[StampedWrite]:
        """Every write of the record, in no order."""
        if self._writes is None:
            self._writes = self.document.writes()
        return self._writes

    def write(self, patch: Patch, now_us: int) -> bool:
        """Record an edit made now by somebody who has seen the record as it is here; tell whether it wrote anything.

        Unsent edits share one op, each write keeping its own stamp. Raises OpTooLarge, and MalformedOp or
        what msgspec raises for what no op can hold.
        """
        before, conflicts = self.state, self._conflicts
        hlc, seen = next_hlc(now_us, self._last_hlc), self.document.others(self.client_id)
        flat = flat_vector(seen)
        op = _encode([Write(hlc, flat, patch)])
        if _EMPTY_MAP in op:
            patch = without_empty_maps(patch)
            if not patch:
                return False
            op = _encode([Write(hlc, flat, patch)])
        if len(op) > OP_BYTES_MAX:
            raise OpTooLarge
        # Reading it back checks it, and gives a patch that nobody else can change.
        patch = decode_op(op, client_id=self.client_id, clock=0)[0].patch
        clock, index = self._append(op)
        if conflicts or self._writes is None:
            self.forget_fold()
            return True
        # Its author has seen everything here, so it simply lies on top.
        self._writes.append(StampedWrite(hlc, self.client_id, clock, index, seen, patch))
        self._state, self._last_hlc, self.problems = overlaid(before, patch) if before else patch, hlc, None
        return True

    def rewrite(self, patch: Patch, hlc: int, seen: Vector) -> None:
        """Append a write that was made before under another clock or client id, with the stamp and sight it had."""
        self._append(encode_op([Write(hlc, flat_vector(seen), patch)]))
        self.forget_fold()

    def is_forked_by(self, theirs: Delta) -> bool:
        """Tell whether this device has to leave its client id, since what stands under it there is not what it wrote.

        Others wrote under it: that shows in other bytes, and in clocks it never used. Or a restored server, which knew
        no more of an own op than that somebody had seen it, let its clock die. Own ops from there on count as not
        acknowledged.
        """
        mine = self.document.ops.get(self.client_id, {})
        lost = [clock for clock, op in theirs.ops.get(self.client_id, {}).items() if mine.get(clock, op) != op]
        lost += self._own_deaths(theirs)
        self.acked = min([self.acked, *lost])
        return bool(lost) or theirs.next_clocks.get(self.client_id, 0) > self.next_clock

    def absorb(self, theirs: Delta) -> list[StampedWrite]:
        """Take in what the server holds of this record, and give the writes of others that died of it.

        Own ops that it has not acknowledged are left alone: a refusal reaches this device with the answer to its push.
        What a summary speaks for is not given. Raises ClockGap, with nothing changed.
        """
        before = dict(self.document.ops)
        self._apply(theirs)
        return self._displaced(before)

    def absorb_whole(self, theirs: Document) -> list[StampedWrite]:
        """Take in the whole record as the server holds it, and give the writes of others that it displaced.

        Two devices can have written under one client id before the server told them apart, and this device read the one
        that the server, restored since, does not have. What the server has stands.
        """
        before = dict(self.document.ops)
        for client_id, ops in theirs.ops.items():
            if client_id in before:
                end = theirs.next_clocks[client_id]
                if client_id == self.client_id:
                    end = min(end, self.acked)
                earlier = {clock: op for clock, op in ops.items() if clock < end}
                later = {clock: op for clock, op in before[client_id].items() if clock >= end}
                self.document.ops[client_id] = earlier | later
        self._apply(theirs.since({}))
        return self._displaced(before)

    def acknowledged(self) -> Document:
        """Give the part of the record that the server is known to have."""
        return self.up_to(self.acked)

    def up_to(self, own_clock: int) -> Document:
        """Give the record without own ops from a clock on."""
        if own_clock >= self.next_clock:
            return self.document
        ops, next_clocks = dict(self.document.ops), dict(self.document.next_clocks)
        if own_clock:
            ops[self.client_id] = {clock: op for clock, op in ops[self.client_id].items() if clock < own_clock}
            next_clocks[self.client_id] = own_clock
        else:
            del ops[self.client_id], next_clocks[self.client_id]
        return Document(ops, next_clocks)

    def settle(self) -> None:
        """Recompute the digest after the acknowledged content has changed."""
        self.digest = record_digest(self.key, self.acknowledged())

    def keep_pull_receipt(self, receipt: bytes, own_clock: int) -> None:
        """Keep the proof of what is here now, without own ops from a clock on."""
        self.receipt, self.pull_receipt, self.pull_clock = b"", receipt, min(own_clock, self.acked)

    def kill(self, clock: int) -> list[StampedWrite]:
        """Take an own refused op out of the record and give its writes."""
        op = self.document.ops[self.client_id].get(clock)
        if op is None:
            return []
        self.document.kill(self.client_id, clock)
        self.forget_fold()
        return decode_op(op, client_id=self.client_id, clock=clock)

    def bury_compacted(self, first: int) -> None:
        """Let acknowledged own ops from a clock on die that a summary has: a pull of before had put them back."""
        mine = (write for write in self.writes if write.client_id == self.client_id)
        times = Counter((write.clock, write.hlc) for write in mine if first <= write.clock < self.acked)
        for clock in {clock for (clock, _), count in times.items() if count > 1}:
            self.kill(clock)

    def take_unacknowledged(self) -> list[StampedWrite]:
        """Take every own op that is not acknowledged out of the record, clocks and all, and give their writes."""
        writes = self._take_from(self.acked)
        self.sent = min(self.sent, self.acked)
        return writes

    def take_unsent(self) -> list[StampedWrite]:
        """Take the ops that were never sent out of the record, clocks and all, and give their writes."""
        return self._take_from(max(self.sent, self.acked))

    def drop_overwritten(self) -> int:
        """Write the ops that were never sent anew, without what later ones of them overwrote; give the bytes it frees.

        State and conflicts stay the same for everyone, as with a compaction: nobody else can have seen any of it.
        """
        before = sum(map(len, self._unsent()))
        survivors = surviving_writes(self.take_unsent())
        sized = ((write, len(encode_op([write_of(write)]))) for write in survivors)
        for portion in portions(sized, OP_BYTES_MAX):
            self.document.append(self.client_id, encode_op(map(write_of, portion)))
        return before - sum(map(len, self._unsent()))

    def forget_fold(self) -> None:
        """Let the state be folded anew when it is next asked for."""
        self._writes = self._state = self.problems = None
        self.encoded = b""

    def _take_from(self, first: int) -> list[StampedWrite]:
        if self.next_clock <= first:
            return []
        mine = self.document.ops.pop(self.client_id)
        if first:
            self.document.ops[self.client_id] = {clock: op for clock, op in mine.items() if clock < first}
            self.document.next_clocks[self.client_id] = first
        else:
            del self.document.next_clocks[self.client_id]
        self.forget_fold()
        return [
            write
            for clock, op in mine.items()
            if clock >= first
            for write in decode_op(op, client_id=self.client_id, clock=clock)
        ]

    def _unsent(self) -> list[bytes]:
        mine = self.document.ops.get(self.client_id, {})
        return [op for clock, op in mine.items() if clock >= max(self.sent, self.acked)]

    def _apply(self, theirs: Delta) -> None:
        own = self._own_unacknowledged()
        self.document.apply(theirs)
        self._put_back(own)
        self.forget_fold()

    def _own_deaths(self, theirs: Delta) -> list[int]:
        """Give the clocks of acknowledged own ops that the server let die, though no summary speaks for them."""
        if self.client_id not in theirs.dead:
            return []
        mine = self.document.ops.get(self.client_id, {})
        acknowledged = {clock: op for clock, op in mine.items() if clock < self.acked}
        after = self.document.copy()
        after.apply(theirs)
        before = Document({self.client_id: acknowledged}, {self.client_id: self.acked})
        return [*lost_ops(before, after).get(self.client_id, ())]

    def _displaced(self, before: dict[int, dict[int, bytes]]) -> list[StampedWrite]:
        """Give the writes of others that were here before, and are not here any more in any form."""
        after = self.document.ops
        others = {each: ops for each, ops in before.items() if each != self.client_id and after[each] is not ops}
        return lost_writes(Document(others), self.document)

    def _own_unacknowledged(self) -> dict[int, bytes]:
        mine = self.document.ops.get(self.client_id, {})
        return {clock: op for clock, op in mine.items() if clock >= self.acked}

    def _put_back(self, own: dict[int, bytes]) -> None:
        mine = self.document.ops.get(self.client_id)
        if mine is None or not own.keys() - mine.keys():
            return
        self.document.ops[self.client_id] = dict(sorted((mine | own).items()))

    def _append(self, op: bytes) -> tuple[int, int]:
        """Put the write of an op into the last op if that has never been sent and has room, else let it be one."""
        self.encoded = b""
        clock = self.next_clock - 1
        if clock >= max(self.sent, self.acked):
            last = self.document.ops[self.client_id][clock]
            writes = _decode_raw(last)
            joined = _encode([*writes, *_decode_raw(op)])
            if len(writes) < WRITES_MAX and len(joined) <= OP_BYTES_MAX:
                self.document.ops[self.client_id][clock] = joined
                return clock, len(writes)
            if self.drop_overwritten() >= len(last) // 2:
                return self._append(op)
        return self.document.append(self.client_id, op), 0

    def _fold(self) -> None:
        folded = fold(self.writes)
        self._state, self._conflicts, self._last_hlc = folded.state, folded.conflicts, folded.last_hlc


def write_of(write: StampedWrite) -> Write:
    """Give a write as it stands in an op."""
    return Write(write.hlc, flat_vector(write.seen), write.patch)


def overlaid(state: Patch, patch: Patch) -> Patch:
    """Give a state with a later patch on top; neither is changed.

    >>> overlaid({"sets": {"a": {"reps": 8}}}, {"sets": {"a": {"rpe": 9}}})
    {'sets': {'a': {'reps': 8, 'rpe': 9}}}
    """
    result = dict(state)
    for key, value in patch.items():
        if type(value) is dict:
            if value:
                before = result.get(key)
                result[key] = overlaid(before if type(before) is dict else {}, value)
        else:
            result[key] = value
    return result


def without_leaves(patch: Patch, later: Iterable[Patch]) -> Patch:
    """Give what is left of a patch when everything that later patches wrote is taken out.

    >>> without_leaves({"fatigue": 7, "sets": {"a": {"reps": 8, "rpe": 9}}}, [{"sets": {"a": {"reps": 10}}}])
    {'fatigue': 7, 'sets': {'a': {'rpe': 9}}}
    """
    for other in later:
        patch = _without(patch, other)
    return without_empty_maps(patch)


def covering(one: Patch, other: Patch) -> Patch:
    """Give a patch that takes out, by `without_leaves`, whatever one or the other does; the values mean nothing.

    >>> covering({"a": 1, "b": {"c": 2}}, {"a": {"d": 3}, "b": {"e": 4}})
    {'a': 1, 'b': {'c': 2, 'e': 4}}
    """
    result = dict(one)
    for key, value in other.items():
        before = result.get(key)
        if key not in result or type(value) is not dict:
            result[key] = value
        elif type(before) is dict:
            result[key] = covering(before, value)
    return result


def _without(patch: Patch, other: Patch) -> Patch:
    left: Patch = {}
    for key, value in patch.items():
        if key not in other:
            left[key] = value
        elif type(value) is dict and type(other[key]) is dict:
            left[key] = _without(value, other[key])
    return left
