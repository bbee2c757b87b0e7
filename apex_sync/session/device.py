"""What a device is beside its records: who it is, where it stands in each scope, what was refused; its store's seam.

Everything the sync needs of storage is `Store`: the SDK keeps it in SQLite, a simulation in memory. Clock
and randomness are handed in, so a run repeats from its seed.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Literal, Protocol

from msgspec import Struct
from msgspec.structs import replace

from apex_sync.collection import Collection
from apex_sync.ids import client_id_from
from apex_sync.op import Patch
from apex_sync.session.held import HeldRecord

CLOCK_ERROR_MIN_US = 60_000_000
"""A wall clock within a minute of the server's is left alone: that much may be the network."""

FORK_CHUNK_RECORDS = 500

SELF_SCOPE = "athlete:self"
"""Where an athlete's records live before the first sign-in; it never leaves the device."""

Origin = Literal["local", "pulled"]


class Identity(Struct, frozen=True):
    """What the device remembers of itself.

    `clock_ahead_us` is how far its wall clock is ahead of the server's, `epoch` the life of the server's data in which
    everything was acknowledged that is not on offer.
    """

    client_id: int
    clock_ahead_us: int = 0
    repairs: int = 0
    epoch: bytes = b""


class HeldScope(Struct, frozen=True):
    """One scope: the role the user has in it, and how far it was read.

    `digest` is the sum over the acknowledged content of its records; `remaining` of `total` records are still to come.
    """

    name: str
    role: str
    cursor: bytes = b""
    digest: int = 0
    remaining: int = 0
    total: int = 0


class Rejection(Struct, frozen=True, kw_only=True):
    """Content that the server did not take. `held`: it still stands in the record, whose sending is stopped."""

    record_id: str
    scope: str
    collection: str
    code: str
    field: str
    message: str
    patches: Sequence[Patch]
    at_us: int
    held: bool


class Store(Protocol):
    """Where a device keeps everything; every method but `transaction` and `identity` is called within one.

    A record is given out as one object per transaction, to be changed and saved.
    """

    def transaction(self, *, durable: bool = True) -> AbstractContextManager[None]:
        """Keep everything in the block together, or nothing of it, also when the process is killed.

        What is not `durable` may be lost with the power, though never without all that was kept after it: good for what
        a server has and sends again.
        """

    def identity(self) -> Identity:
        """Read who this device is; cheap, and asked within a transaction or without."""

    def save_identity(self, identity: Identity) -> None:
        """Replace it."""

    def scopes(self) -> dict[str, HeldScope]:
        """Give the scopes by name, without the placeholder of before the first sign-in."""

    def save_scope(self, scope: HeldScope) -> None:
        """Add or replace a scope; its digest is kept by the store itself and not taken from here."""

    def drop_scope(self, name: str) -> None:
        """Forget a scope with all its records."""

    def load(self, scope: str, record_ids: Sequence[str]) -> dict[str, HeldRecord]:
        """Give those records of a scope that are here."""

    def save(self, records: Sequence[HeldRecord], origin: Origin) -> None:
        """Add or replace records with what is queried of them."""

    def save_progress(self, records: Sequence[HeldRecord]) -> None:
        """Keep what became of sending records whose content has not changed."""

    def outbox(self, records_max: int, skip: Iterable[tuple[str, str]]) -> list[HeldRecord]:
        """Give pending records of scopes that can be sent, the longest waiting first."""

    def unacknowledged(self, after_place: int, records_max: int) -> list[HeldRecord]:
        """Give records with own ops the server does not have, blocked ones too, in the order of `place`."""

    def in_flight(self, scope: str) -> bool:
        """Tell whether the server may have more of a scope than it has acknowledged."""

    def digests(self, scope: str) -> list[tuple[str, int]]:
        """Give the digest of the acknowledged content of every record of a scope."""

    def offering(self, skip: Iterable[tuple[str, str]]) -> bool:
        """Tell whether a record waits to be offered to a server that may have lost it."""

    def offer_all(self, scope: str) -> None:
        """Let every record of a scope be sent whole."""

    def renew_clocks(self) -> None:
        """Let the device begin at clock 0 in every record: it writes under a new client id."""

    def drop_held_rejections(self, scope: str) -> None:
        """Take out of the rejected box what still stands in records of a scope."""

    def reject(self, rejections: Sequence[Rejection]) -> None:
        """Put content into the rejected box."""


class Device:
    """One installation: its store, the collections it knows, its clock and its randomness."""

    def __init__(
        self,
        store: Store,
        *,
        collections: Mapping[str, Collection],
        now_us: Callable[[], int],
        entropy: Callable[[int], bytes],
    ) -> None:
        self.store = store
        self.collections = collections
        self.entropy = entropy
        self._wall_us = now_us

    @property
    def identity(self) -> Identity:
        """Who this device is. The store knows, since a transaction that failed may have been about to change it."""
        return self.store.identity()

    def now_us(self) -> int:
        """Read the time, corrected by what a server has said about this device's clock."""
        return self._wall_us() - self.identity.clock_ahead_us

    def new_record(self, record_id: str, scope: str, collection: str) -> HeldRecord:
        """Begin a record."""
        return HeldRecord(record_id, scope, collection, self.identity.client_id)

    def learn_time(self, server_now_us: int) -> None:
        """Take the server's clock for this device's where the two are far apart."""
        ahead = self._wall_us() - server_now_us
        ahead = ahead if abs(ahead) >= CLOCK_ERROR_MIN_US else 0
        if abs(ahead - self.identity.clock_ahead_us) >= CLOCK_ERROR_MIN_US or (
            not ahead and self.identity.clock_ahead_us
        ):
            self.save_identity(replace(self.identity, clock_ahead_us=ahead))

    def save_identity(self, identity: Identity) -> None:
        """Remember what changed about this device."""
        self.store.save_identity(identity)

    def fork(self) -> None:
        """Take a new client id, because another device writes under this one.

        Every write that the server does not have is written again under the new id, with the stamp and the sight it
        had; what the server took under the old id stays as another device's.
        """
        client_id = client_id_from(self.entropy(7))
        place = 0
        while records := self.store.unacknowledged(place, FORK_CHUNK_RECORDS):
            for held in records:
                _write_again_as(held, client_id)
            place = records[-1].place
            self.store.save(records, "local")
        self.store.renew_clocks()
        self.save_identity(replace(self.identity, client_id=client_id))


def _write_again_as(held: HeldRecord, client_id: int) -> None:
    old, durable = held.client_id, held.acked
    writes = held.take_unacknowledged()
    held.settle()
    if held.pull_clock != durable:
        held.pull_receipt = b""
    held.pull_clock = 0
    held.client_id, held.acked, held.sent = client_id, 0, 0
    for write in writes:
        seen = {**write.seen, old: durable} if durable else write.seen
        held.rewrite(write.patch, write.hlc, seen)
