"""The SDK's replica over a store in memory: the real `Replica`, `Account` and `SyncLoop`, without file and thread."""

import sqlite3
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, cast

from apex_client.accounts import Credentials, DeviceKind
from apex_client.changes import Change
from apex_client.hop import P, T
from apex_client.identity import IdentityFile, open_device
from apex_client.local import LocalReplica
from apex_client.own_keys import OwnKeys
from apex_client.replica import Replica
from apex_client.searching import index_some_words
from apex_client.store import ReplicaStore
from apex_client.store_file import migrations
from apex_client.transport import Transport
from apex_sync.op import Patch
from apex_sync.session.device import HeldScope, Origin, Rejection
from apex_sync.session.held import HeldRecord
from apex_sync.testing.memory_store import Image, MemoryStore, Row, Stage, strike_never

NOWHERE = Path("in memory")


def no_media() -> sqlite3.Connection:
    """Give the tables of a replica, empty: simulated devices take no photos, so all of them share these."""
    tables = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    for step in migrations():
        tables.executescript(step)
    return tables


class MemoryReplicaStore(MemoryStore):
    """A `session.Store` with what the SDK reads beside; see `apex_client.store.ReplicaStore`."""

    path = NOWHERE
    sql = no_media()
    """What the queue of media asks; records are not in it."""

    def __init__(
        self,
        now_us: Callable[[], int],
        image: Image | None = None,
        *,
        strike: Callable[[Stage], None] = strike_never,
    ) -> None:
        super().__init__(now_us, image, strike=strike)
        self.changes: list[Change] = []
        self._unpublished: list[Change] = []

    def committed(self) -> None:
        self.changes += self._unpublished
        self._unpublished = []

    def save(self, records: Any, origin: Origin) -> None:
        super().save(records, origin)
        self._unpublished += [Change(held.collection, held.record_id, held.scope, origin) for held in records]

    def delete(self, held: HeldRecord) -> None:
        self._keep((held.scope, held.record_id), None)
        self._given.pop((held.scope, held.record_id), None)

    def rename_scope(self, name: str, to: str, role: str) -> None:
        if to not in self._image.scopes:
            self.save_scope(HeldScope(to, role))
        for key, row in [item for item in self._image.records.items() if item[0][0] == name]:
            self._keep(key, None)
            self._keep((to, key[1]), row)
        self._put(self._image.scopes, name, None)
        self._given.clear()

    def one(self, scope: str, record_id: str) -> HeldRecord | None:
        return self.load(scope, [record_id]).get(record_id)

    def scope_role(self, name: str) -> str | None:
        scope = self._image.scopes.get(name)
        return scope.role if scope else None

    def scopes_of(self, record_id: str, collection: str) -> list[str]:
        found = ((key, row) for key, row in self._image.records.items() if key[1] == record_id)
        return sorted(key[0] for key, row in found if row.collection == collection)

    def counts(self) -> dict[str, Any]:
        rows = self._image.records.values()
        pending = [row.pending_since_us for row in rows if row.pending_since_us]
        return {
            "records": len(rows),
            "pending": len(pending),
            "blocked": sum(bool(row.blocked) and row.next_clock > row.acked for row in rows),
            "rejected": len(self._image.rejections),
            "conflicted": sum(row.conflicts > 0 for row in rows),
            "needs_review": 0,
            "oldest_pending_us": min(pending, default=None),
        }

    def unsent(self) -> int:
        rows = [row for row in self._image.records.values() if row.next_clock > row.acked]
        waiting = sum(bool(row.pending_since_us or row.blocked) for row in rows)
        return waiting + sum(not item.held for item in self._image.rejections.values())

    def empty_rejected_box(self) -> None:
        for number in list(self._image.rejections):
            self._put(self._image.rejections, number, None)

    def shorten_log(self) -> None:
        """There is none."""

    def close(self) -> None:
        """There is nothing to close."""

    def rows(self) -> dict[tuple[str, str], Row]:
        """Look at the records."""
        return self._image.records

    def rejected(self) -> Iterable[Rejection]:
        """Look into the rejected box."""
        return self._image.rejections.values()


class MemoryIdentityFile:
    """The file of seals that a device's backups leave out."""

    def __init__(self, seals: frozenset[str] = frozenset()) -> None:
        self.seals = seals

    def read(self) -> set[str]:
        return set(self.seals)

    def write(self, *seals: str, durable: bool) -> None:
        self.seals = frozenset(seals)


class InlineThread:
    """Runs calls where they are made: a simulation has one thread."""

    async def run(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        if cast(Any, call) is index_some_words or args[:1] == (index_some_words,):
            return cast(T, False)
        return call(*args, **kwargs)

    aside = run


class MemoryReplica(Replica):
    """A replica of which everything outside is simulated: `store`, `identity_file`, transport, clock, randomness."""

    def __init__(
        self,
        store: MemoryReplicaStore,
        identity_file: MemoryIdentityFile,
        transport: Transport,
        *,
        now_us: Callable[[], int],
        entropy: Callable[[int], bytes],
        credentials: Credentials | None = None,
    ) -> None:
        device: tuple[str, DeviceKind] = ("device", "phone")
        super().__init__(NOWHERE, None, "memory", credentials, lambda: transport, "kg", None, device, now_us, entropy)
        self._thread = cast(Any, InlineThread())
        self.store = store
        self.identity_file = identity_file

    def begin(self) -> LocalReplica:
        """Open the store, as `start` opens a file."""
        store = cast(ReplicaStore, self.store)
        identity_file = cast(IdentityFile, self.identity_file)
        device = open_device(store, identity_file, now_us=self._now_us, entropy=self._entropy)
        self._local = LocalReplica(store, device, OwnKeys(store, identity_file, self._entropy, "device"))
        return self._local

    def save(self, collection: str, scope: str, patch: Patch, record_id: str) -> None:
        """Write a record at once, and tell whoever watches, as `_do` does."""
        self._open.create(collection, scope, patch, record_id=record_id)
        self._loop.changed(self._open.take_changes())
