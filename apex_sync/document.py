"""A record as the set of its ops: what each client wrote, clock by clock, and which clocks are dead.

Clocks of a client are contiguous from 0. A clock without an op is dead: the server refused it, or a compaction carried
its content into a summary. Dead clocks are the gaps below `next_clocks`, so a dead run of any length costs nothing.
"""

from collections.abc import Iterable

from msgspec import Struct, field

from apex_sync.errors import ClockGap
from apex_sync.op import CLOCK_MAX, StampedWrite, Vector, decode_op

Ranges = dict[int, list[tuple[int, int]]]
"""Half-open runs of clocks by client, ascending, not touching."""


_NEVER = (CLOCK_MAX + 1, CLOCK_MAX + 1)


class Delta(Struct):
    """What continues a record: by client its ops from `first_clocks` to `next_clocks`, and all dead runs."""

    ops: dict[int, dict[int, bytes]] = field(default_factory=dict)
    first_clocks: dict[int, int] = field(default_factory=dict)
    next_clocks: dict[int, int] = field(default_factory=dict)
    dead: Ranges = field(default_factory=dict)


class Document(Struct):
    """The ops of one record by client and clock.

    `ops[client][clock]` holds op bytes as they were sent, in ascending clock; `next_clocks[client]` is one past the
    last clock known, dead or alive. Both have the same clients.
    """

    ops: dict[int, dict[int, bytes]] = field(default_factory=dict)
    next_clocks: dict[int, int] = field(default_factory=dict)

    def append(self, client_id: int, op: bytes) -> int:
        """Add an op at the client's next clock, and give that clock."""
        clock = self.append_dead(client_id)
        self.ops[client_id][clock] = op
        return clock

    def append_dead(self, client_id: int, count: int = 1) -> int:
        """Let clocks pass without content, and give the first of them."""
        clock = self.next_clocks.get(client_id, 0)
        self.ops.setdefault(client_id, {})
        self.next_clocks[client_id] = clock + count
        return clock

    def kill(self, client_id: int, clock: int) -> None:
        """Take the content of one clock away; the clock stays. Nothing happens where there is none."""
        self.ops.get(client_id, {}).pop(clock, None)

    def merge(self, other: "Document") -> None:
        """Take in everything another replica of this record knows."""
        self.apply(other.since({}))

    def apply(self, delta: Delta) -> None:
        """Take in what a delta brings: ops that are new here, and clocks that have died.

        Raises ClockGap when it starts after a clock that is unknown here; then nothing has changed.
        """
        for client_id, first in delta.first_clocks.items():
            if self.next_clocks.get(client_id, 0) < first:
                raise ClockGap(client_id, self.next_clocks.get(client_id, 0))
        for client_id, theirs in delta.ops.items():
            known = self.next_clocks.get(client_id, 0)
            mine = self.ops.setdefault(client_id, {})
            mine.update((clock, op) for clock, op in theirs.items() if clock >= known)
            self.next_clocks[client_id] = max(known, delta.next_clocks[client_id])
        for client_id, ranges in delta.dead.items():
            if client_id in self.ops:
                self.ops[client_id] = _without(self.ops[client_id], ranges)

    def since(self, vector: Vector) -> Delta:
        """Give what a reader who knows `vector` lacks."""
        delta = Delta(dead=self.dead_ranges())
        for client_id, next_clock in self.next_clocks.items():
            first = vector.get(client_id, 0)
            if first < next_clock:
                delta.first_clocks[client_id] = first
                delta.next_clocks[client_id] = next_clock
                delta.ops[client_id] = {clock: op for clock, op in self.ops[client_id].items() if clock >= first}
        return delta

    def dead_ranges(self) -> Ranges:
        """List the dead clocks as runs."""
        dead: Ranges = {}
        for client_id, ops in self.ops.items():
            next_clock = self.next_clocks[client_id]
            if len(ops) == next_clock:
                continue
            dead[client_id] = gaps(ops, 0, next_clock)
        return dead

    def copy(self) -> "Document":
        """Give a document that can change without changing this one."""
        return Document({client_id: dict(ops) for client_id, ops in self.ops.items()}, dict(self.next_clocks))

    def covers(self, vector: Vector) -> bool:
        """Tell whether every clock that a vector names is known here."""
        return all(self.next_clocks.get(client_id, 0) >= clock for client_id, clock in vector.items())

    def others(self, client_id: int) -> dict[int, int]:
        """Give the `seen` of that client's next write: every other client's next clock."""
        return {other: clock for other, clock in self.next_clocks.items() if other != client_id}

    def writes(self) -> list[StampedWrite]:
        """Decode every live op. Raises MalformedOp."""
        return [
            write
            for client_id, ops in self.ops.items()
            for clock, op in ops.items()
            for write in decode_op(op, client_id=client_id, clock=clock)
        ]

    @property
    def op_count(self) -> int:
        """How many live ops there are."""
        return sum(map(len, self.ops.values()))


def gaps(live: Iterable[int], first: int, end: int) -> list[tuple[int, int]]:
    """List the runs of clocks from `first` up to `end` that are not among the live ones, which ascend.

    >>> gaps([0, 3], 0, 6)
    [(1, 3), (4, 6)]
    """
    runs = []
    clock = first
    for there in live:
        if there > clock:
            runs.append((clock, there))
        clock = there + 1
    if end > clock:
        runs.append((clock, end))
    return runs


def _without(ops: dict[int, bytes], ranges: list[tuple[int, int]]) -> dict[int, bytes]:
    """Leave out the ops of dead clocks; both are ascending, so one pass does."""
    kept = {}
    runs = iter(ranges)
    start, end = next(runs, _NEVER)
    for clock, op in ops.items():
        while end <= clock:
            start, end = next(runs, _NEVER)
        if clock < start:
            kept[clock] = op
    return kept
