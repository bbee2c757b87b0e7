"""The seam between the sync logic and where records are kept: Postgres, or the memory of a simulation.

In Postgres it is `postgres_commits.py` and `postgres_feed.py`. One conformance suite holds both (tests/simulation).

What every implementation promises:

- A scope has one writer at a time. It sees everything committed before it, and gives its changes the next seqs, so the
  order of commits is the order of the feed and a reader who has read up to a seq has missed nothing.
- Records, projections, audit, dead ops, scope counter and digest of one `Commit` become durable together or not
  at all.
- A feed snapshot shows one moment: every change up to each scope's seq, and none beyond.
- Access is looked up by the store itself, once it has the lock: what was revoked while it waited holds. Nobody passes
  it a role.

Record ids are 16 raw bytes here, digests integers, times microseconds since the Unix epoch. Whatever has to wait for
Postgres may raise DatabaseUnavailable: then it is not known whether a commit happened, and the same push is repeated.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, NamedTuple, Protocol
from uuid import UUID

from msgspec import Struct, field

from apex_server.audit.chain import AuditChain
from apex_server.policy import Access
from apex_sync.acceptance import RefusedOp
from apex_sync.digest import add_digests

__all__ = [
    "ABSENT",
    "DAMAGED",
    "Access",
    "AskedRecord",
    "ClockSpan",
    "Commit",
    "CommitSession",
    "CommitStore",
    "DeadClock",
    "FeedEntry",
    "FeedRecord",
    "FeedSnapshot",
    "FeedStore",
    "GrantedScope",
    "LockedScope",
    "RecordChange",
    "RecordState",
    "Row",
    "RowsByTable",
    "ScopeState",
    "ScopeUnreadable",
    "ScopeView",
    "SpanSince",
    "StoredRecord",
    "UnstorableBatch",
    "Writer",
]

Row = tuple[Any, ...]
RowsByTable = Mapping[str, Sequence[Row]]
"""Projection rows by table, without the two key columns `scope_id` and `record_id`, which all have."""


DAMAGED = b""
"""Stands for a document that can be read no more; no document is empty."""


class UnstorableBatch(Exception):
    """Postgres refused the content of a commit, and none of it is stored; `reason` is for the log."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"a commit that cannot be stored: {reason}")
        self.reason = reason


class ScopeUnreadable(Exception):
    """Nothing in a scope opens, because the key of its person is damaged; every other scope goes on."""

    def __init__(self, scope: str) -> None:
        super().__init__(f"the key that opens {scope} is damaged")
        self.scope = scope


class Writer(NamedTuple):
    """Who commits: a user on a device, a user through the server (`device_id` None), or the system (both None)."""

    user_id: UUID | None
    device_id: UUID | None
    client_id: int


class ScopeState(Struct, frozen=True):
    """Where a scope stands, and what the asking user may do in it; `access` None is nothing at all.

    `chain` is the state of the audit's chain (chaining.py); empty where nothing is chained yet.
    """

    access: Access | None
    seq: int = 0
    digest: int = 0
    record_count: int = 0
    chain: bytes = b""


class StoredRecord(Struct, frozen=True):
    """A record as it is kept; its `doc` may be DAMAGED."""

    collection: str
    seq: int
    doc: bytes
    digest: int

    @property
    def is_damaged(self) -> bool:
        """Whether only its digest is left to tell what it was."""
        return self.doc == DAMAGED


class RecordState(NamedTuple):
    """What is known of a record that is about to change: itself, and the dead ops of the client that changes it."""

    record: StoredRecord | None
    dead: Mapping[int, RefusedOp]


ABSENT = RecordState(None, {})
"""The state of a record that is not there."""


class AskedRecord(NamedTuple):
    """A record to look up; of what is dead in it only the asking client's clocks in this stretch."""

    record_id: bytes
    first_clock: int = 0
    end_clock: int = 0


class ScopeView(NamedTuple):
    """A scope and some of its records, by id; a record that is not there is not in `records`.

    `seal` belongs to the store: with what its `encode` seals the documents of this scope.
    """

    state: ScopeState
    records: Mapping[bytes, RecordState]
    seal: Any = None


class ClockSpan(NamedTuple):
    """The clocks that a commit added for one client: from `first_clock` up to but not including `next_clock`."""

    client_id: int
    first_clock: int
    next_clock: int


class DeadClock(NamedTuple):
    """A clock of a client that has died, and what it was."""

    client_id: int
    clock: int
    op: RefusedOp


class RecordChange(Struct, kw_only=True):
    """What a commit makes of one record.

    `rows` are all its projection rows afterwards. `encoded` belongs to the store: what its `encode` made of the change,
    and may stand in for the rows.
    """

    record_id: bytes
    collection: str
    before: StoredRecord | None
    doc: bytes
    digest: int
    needs_review: bool
    has_conflicts: bool
    deleted: bool
    is_long: bool
    spans: Sequence[ClockSpan]
    dead: Sequence[DeadClock]
    rows: RowsByTable
    encoded: Any = None


class Commit(Struct, kw_only=True):
    """Changes of one scope by one writer, to be stored together.

    The changes take the seqs after `before.seq`, in their order; a record occurs once. `digest` and `chain` are those
    of the scope afterwards, and `links` the links of the audit's rows, by change and then by client id. `dirty_kinds`
    are the analyses that the changes call for.
    """

    scope: str
    before: ScopeState
    writer: Writer
    at_us: int
    changes: Sequence[RecordChange]
    digest: int
    chain: bytes
    links: Sequence[bytes]
    dirty_kinds: Sequence[str] = field(default_factory=list)

    @property
    def seq(self) -> int:
        """The seq of the scope afterwards."""
        return self.before.seq + len(self.changes)

    @property
    def record_count(self) -> int:
        """How many records the scope has afterwards."""
        return self.before.record_count + sum(change.before is None for change in self.changes)


class LockedScope(Protocol):
    """A scope that nobody else can write to, and nobody sees changed, until the block ends."""

    @property
    def state(self) -> ScopeState:
        """The scope now; when `access` is None, nothing may be saved."""

    async def changed(
        self, client_id: int, asked: Sequence[AskedRecord], since_seq: int
    ) -> Mapping[bytes, RecordState]:
        """Give those of the records that have changed after a seq."""

    async def save(self, commit: Commit) -> None:
        """Store a commit. Raises UnstorableBatch, after which only leaving the block by that error is possible."""


class CommitSession(Protocol):
    """One line to the store, for one user (None: the system)."""

    async def bind_client_id(self, device_id: UUID, client_id: int) -> bool:
        """Bind a client id to the device of the user that uses it first; False: it belongs to somebody else."""

    async def server_client_id(self, epoch: bytes, candidate: int, at_us: int) -> int:
        """Give the id under which the server writes for the user in an epoch; the candidate, where there was none."""

    async def view(self, scope: str, client_id: int, asked: Sequence[AskedRecord]) -> ScopeView:
        """Read without a lock: the scope as the user sees it, and those of the records that exist.

        Without access the records are left out.
        """

    def locked(self, scope: str) -> AbstractAsyncContextManager[LockedScope]:
        """Hold a scope for the block; a new one is made. Leaving without an error makes durable what was saved.

        A refusal while it becomes durable leaves the block as UnstorableBatch.
        """

    async def save_if_unchanged(self, commit: Commit) -> bool:
        """Store a commit of one change if the scope still stands at `commit.before` and the access is the same.

        For single ops: cheaper than `locked`, with the same result. False: nothing was stored, do it with `locked`;
        so it is for a scope that is held or was never locked, and for a change with dead ops. Raises UnstorableBatch.
        """


class CommitStore(Protocol):
    """Where commits go."""

    @property
    def audit_chain(self) -> AuditChain:
        """What makes the chains of the installation."""

    def session(self, user_id: UUID | None) -> AbstractAsyncContextManager[CommitSession]:
        """Open a line for a user, or the system."""

    def encode(self, scope_id: bytes, change: RecordChange, seal: Any = None) -> None:
        """Do ahead, before the lock, what saving will cost in CPU time; the result is `change.encoded`."""


class GrantedScope(NamedTuple):
    """A scope that a user may read, whether or not anything was ever written to it."""

    scope: str
    access: Access
    seq: int
    digest: int
    record_count: int

    def without(self, digests: Sequence[int]) -> "GrantedScope":
        """Give the scope as it is for readers when records with these digests are not to be had."""
        if not digests:
            return self
        digest = add_digests(self.digest, *((each, 0) for each in digests))
        return self._replace(digest=digest, record_count=self.record_count - len(digests))


class FeedEntry(NamedTuple):
    """A place in the feed, and the size of the document there."""

    record_id: bytes
    seq: int
    doc_bytes: int


class FeedRecord(NamedTuple):
    """A record at its place in the feed.

    Its `doc` is DAMAGED where that has just come to light; from then on the feed has no such record, until somebody
    brings back what it was.
    """

    record_id: bytes
    collection: str
    seq: int
    doc: bytes
    digest: int

    @property
    def is_damaged(self) -> bool:
        """Whether there is nothing to send."""
        return self.doc == DAMAGED


class SpanSince(NamedTuple):
    """What one client added to a record in a stretch of the feed: from which clock on.

    `previous_seq` is where the record stood before the first of these additions; 0 where it was new.
    """

    record_id: bytes
    client_id: int
    first_clock: int
    previous_seq: int


class FeedSnapshot(Protocol):
    """What one user may read, at one moment; a scope that is not granted has nothing in it."""

    async def granted(self) -> Sequence[GrantedScope]:
        """List the scopes by name."""

    async def above(self, scope: str, seq: int, records_max: int) -> Sequence[FeedEntry]:
        """List the feed upwards after a seq."""

    async def below(self, scope: str, seq: int, records_max: int, bytes_max: int) -> Sequence[FeedRecord]:
        """Read the feed downwards before a seq, until it is `bytes_max` of documents; the last may go beyond."""

    async def first_seq(self, scope: str, record_ids: Sequence[bytes]) -> int | None:
        """Give the place in the feed of the first of some records; None where there is none of them."""

    async def count_outside(self, scope: str, tail: int, head: int) -> int:
        """Count the records before `tail` and after `head`."""

    async def spans(self, scope: str, after_seq: int, up_to_seq: int) -> Sequence[SpanSince]:
        """Tell who added what to which record in a stretch of the feed, one item per record and client."""

    async def records(self, scope: str, record_ids: Sequence[bytes], bytes_max: int) -> Sequence[FeedRecord]:
        """Read records in the order of their ids, until it is `bytes_max` of documents; the last may go beyond."""

    async def digests(self, scope: str) -> Sequence[tuple[bytes, int]]:
        """Give the id and digest of every record of a scope."""


class FeedStore(Protocol):
    """Where the feed is read."""

    def snapshot(self, user_id: UUID) -> AbstractAsyncContextManager[FeedSnapshot]:
        """Open a snapshot."""
