"""A device's store in memory: what `session.Store` promises, with every way in which a device can lose its power.

It passes the same conformance suite as the SDK's SQLite store. `image` and `put_back` are the phone's backup: an image
is a value, cheap to take, and any store can be made of it, twice for a cloned phone.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal, NamedTuple

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from apex_sync.digest import add_digests
from apex_sync.document import Document
from apex_sync.session.device import SELF_SCOPE, HeldScope, Identity, Origin, Rejection
from apex_sync.session.held import HeldRecord, Offer

Key = tuple[str, str]
"""Scope and record id."""

Stage = Literal["begin", "commit", "committed"]
"""Where a fault can strike: before anything is written, after all of it but before it is kept, after it is kept."""


class Row(Struct, frozen=True):
    """A record as it is kept; its document is never changed."""

    place: int
    collection: str
    client_id: int
    document: Document
    acked: int
    sent: int
    digest: int
    receipt: bytes
    pull_receipt: bytes
    pull_clock: int
    offer: Offer
    blocked: str
    pending_since_us: int
    conflicts: int

    @property
    def next_clock(self) -> int:
        """The clock of the device's next own op."""
        return self.document.next_clocks.get(self.client_id, 0)


class Image(NamedTuple):
    """Everything a device holds, at one moment."""

    settings: dict[str, bytes]
    scopes: dict[str, HeldScope]
    records: dict[Key, Row]
    rejections: dict[int, Rejection]

    def copy(self) -> "Image":
        """Give the same in dicts of its own."""
        return Image(dict(self.settings), dict(self.scopes), dict(self.records), dict(self.rejections))


def strike_never(stage: Stage) -> None:
    """Let every write succeed."""


class MemoryStore:
    """A `session.Store`. `strike` is called at every stage of every transaction and may raise to end it there."""

    def __init__(
        self,
        now_us: Callable[[], int],
        image: Image | None = None,
        *,
        strike: Callable[[Stage], None] = strike_never,
    ) -> None:
        self.strike = strike
        self.edition = 0
        """Grows with every change to what is kept, also when it is taken back."""
        self._now_us = now_us
        self._image = Image({}, {}, {}, {})
        self._undo: list[tuple[dict[Any, Any], Any, Any]] = []
        self._not_durable: list[tuple[dict[Any, Any], Any, Any]] = []
        self._given: dict[Key, HeldRecord] = {}
        self._identity: tuple[bytes | None, Identity] = None, Identity(0)
        """What was read last, and what it says."""
        self._depth = 0
        if image is not None:
            self.put_back(image)

    # What a machine does to it.

    def image(self) -> Image:
        """Give everything that is kept now."""
        return self._image.copy()

    def put_back(self, image: Image) -> None:
        """Hold what an image holds, and nothing else."""
        self.edition += 1
        self._image = image.copy()
        self._undo, self._not_durable = [], []
        self._given.clear()

    def lose_power(self) -> None:
        """Lose what was kept without being durable, as if it had never been."""
        self._roll_back(self._not_durable)
        self._given.clear()
        self._depth = 0

    @contextmanager
    def transaction(self, *, durable: bool = True) -> Iterator[None]:
        """Keep everything in the block together, or nothing of it; blocks may be nested."""
        if self._depth:
            yield
            return
        self.strike("begin")
        self._depth = 1
        try:
            yield
            self.strike("commit")
        except BaseException:
            self._roll_back(self._undo)
            raise
        else:
            if durable:
                self._not_durable.clear()
            else:
                self._not_durable += self._undo
            self._undo.clear()
        finally:
            self._depth = 0
            self._given.clear()
        self.committed()
        self.strike("committed")

    def committed(self) -> None:
        """Hear that a transaction was kept."""

    def _roll_back(self, undo: list[tuple[dict[Any, Any], Any, Any]]) -> None:
        self.edition += 1
        for table, key, before in reversed(undo):
            if before is None:
                table.pop(key, None)
            else:
                table[key] = before
        undo.clear()

    def _put(self, table: dict[Any, Any], key: Any, value: Any) -> None:
        """Set an item, or remove it (None)."""
        self.edition += 1
        self._undo.append((table, key, table.get(key)))
        if value is None:
            table.pop(key, None)
        else:
            table[key] = value

    # Who the device is.

    def setting(self, name: str) -> bytes | None:
        """Read a value that was kept by name."""
        return self._image.settings.get(name)

    def keep_setting(self, name: str, value: bytes | None) -> None:
        """Keep a value by name; None removes it."""
        self._put(self._image.settings, name, value)

    def identity(self) -> Identity:
        """Read who this device is; a new store has client id 0."""
        value = self._image.settings.get("identity")
        if value is not self._identity[0]:
            self._identity = value, Identity(0) if value is None else msgspec.json.decode(value, type=Identity)
        return self._identity[1]

    def save_identity(self, identity: Identity) -> None:
        """Replace it."""
        self.keep_setting("identity", msgspec.json.encode(identity))

    # Scopes.

    def scopes(self) -> dict[str, HeldScope]:
        """Give the scopes by name, without the placeholder of before the first sign-in."""
        return {name: scope for name, scope in sorted(self._image.scopes.items()) if name != SELF_SCOPE}

    def save_scope(self, scope: HeldScope) -> None:
        """Add or replace a scope; its digest is kept by the store itself."""
        before = self._image.scopes.get(scope.name)
        self._put(self._image.scopes, scope.name, replace(scope, digest=before.digest if before else 0))

    def drop_scope(self, name: str) -> None:
        """Forget a scope with all its records."""
        if name in self._image.scopes:
            for key in [key for key in self._image.records if key[0] == name]:
                self._put(self._image.records, key, None)
                self._given.pop(key, None)
            self._put(self._image.scopes, name, None)

    # Records.

    def load(self, scope: str, record_ids: Sequence[str]) -> dict[str, HeldRecord]:
        """Give those records of a scope that are here."""
        keys = ((scope, record_id) for record_id in record_ids)
        return {key[1]: self._give(key) for key in keys if key in self._image.records}

    def save(self, records: Sequence[HeldRecord], origin: Origin) -> None:
        """Add or replace records."""
        self.save_progress(records)

    def save_progress(self, records: Sequence[HeldRecord]) -> None:
        """Keep records and what became of sending them."""
        for held in records:
            if not held.place:
                held.place = 1 + max((row.place for row in self._image.records.values()), default=0)
            held.pending_since_us = (held.pending_since_us or max(self._now_us(), 1)) if held.pending else 0
            held.known_conflicts, held.encoded = len(held.conflicts), b""
            self._keep((held.scope, held.record_id), self._row(held))
            held.stored_digest = held.digest
            self._given[held.scope, held.record_id] = held

    def _row(self, held: HeldRecord) -> Row:
        return Row(
            held.place, held.collection, held.client_id, held.document.copy(), held.acked, held.sent, held.digest,
            held.receipt, held.pull_receipt, held.pull_clock, held.offer, held.blocked, held.pending_since_us,
            held.known_conflicts,
        )  # fmt: skip

    def _keep(self, key: Key, row: Row | None) -> None:
        """Set or remove a record, and carry the digest of its scope."""
        before = self._image.records.get(key)
        scope = self._image.scopes.get(key[0]) or HeldScope(key[0], "athlete")
        carried = (before.digest if before else 0), (row.digest if row else 0)
        self._put(self._image.scopes, key[0], replace(scope, digest=add_digests(scope.digest, carried)))
        self._put(self._image.records, key, row)

    def _give(self, key: Key) -> HeldRecord:
        held = self._given.get(key)
        if held is None:
            row = self._image.records[key]
            held = HeldRecord(
                key[1], key[0], row.collection, self.identity().client_id, document=row.document.copy(),
                acked=row.acked, sent=row.sent, digest=row.digest, receipt=row.receipt,
                pull_receipt=row.pull_receipt, pull_clock=row.pull_clock, offer=row.offer, blocked=row.blocked,
                pending_since_us=row.pending_since_us, place=row.place, known_conflicts=row.conflicts,
            )  # fmt: skip
            if self._depth:
                self._given[key] = held
        return held

    # What waits, and what was refused.

    def outbox(self, records_max: int, skip: Iterable[tuple[str, str]]) -> list[HeldRecord]:
        """Give pending records of scopes that can be sent, the longest waiting first."""
        left_out = set(skip)
        waiting = sorted(
            (row.pending_since_us, row.place, key)
            for key, row in self._image.records.items()
            if row.pending_since_us and key[0] != SELF_SCOPE and key not in left_out
        )
        return [self._give(key) for _, _, key in waiting[:records_max]]

    def unacknowledged(self, after_place: int, records_max: int) -> list[HeldRecord]:
        """Give records with own ops the server does not have, blocked ones too, in the order of `place`."""
        found = sorted(
            (row.place, key)
            for key, row in self._image.records.items()
            if row.next_clock > row.acked and row.place > after_place
        )
        return [self._give(key) for _, key in found[:records_max]]

    def in_flight(self, scope: str) -> bool:
        """Tell whether the server may have more of a scope than it has acknowledged."""
        return any(
            row.pending_since_us and (row.sent > row.acked or row.offer)
            for key, row in self._image.records.items()
            if key[0] == scope
        )

    def digests(self, scope: str) -> list[tuple[str, int]]:
        """Give the digest of the acknowledged content of every record of a scope."""
        rows = sorted((row.place, key[1], row.digest) for key, row in self._image.records.items() if key[0] == scope)
        return [(record_id, digest) for _, record_id, digest in rows if digest]

    def offering(self, skip: Iterable[tuple[str, str]]) -> bool:
        """Tell whether a record waits to be offered to a server that may have lost it."""
        left_out = set(skip)
        return any(
            row.pending_since_us and row.offer and key not in left_out for key, row in self._image.records.items()
        )

    def offer_all(self, scope: str) -> None:
        """Let every record of a scope be sent whole."""
        now_us = self._now_us()
        for key, row in list(self._image.records.items()):
            if key[0] == scope and not row.blocked:
                since_us = row.pending_since_us or now_us
                self._put(self._image.records, key, replace(row, offer=Offer.WHOLE, pending_since_us=since_us))
        self._given.clear()

    def renew_clocks(self) -> None:
        """Let the device begin at clock 0 in every record but those it has rewritten already."""
        for key, row in list(self._image.records.items()):
            if row.next_clock <= row.acked:
                receipt = row.pull_receipt if row.pull_clock == row.acked else b""
                renewed = replace(row, client_id=0, acked=0, sent=0, pull_clock=0, pull_receipt=receipt)
                self._put(self._image.records, key, renewed)
        self._given.clear()

    def drop_held_rejections(self, scope: str) -> None:
        """Take out of the rejected box what still stands in records of a scope."""
        for number, item in list(self._image.rejections.items()):
            if item.held and item.scope == scope:
                self._put(self._image.rejections, number, None)

    def reject(self, rejections: Sequence[Rejection]) -> None:
        """Put content into the rejected box."""
        for item in rejections:
            self._put(self._image.rejections, 1 + max(self._image.rejections, default=0), item)
