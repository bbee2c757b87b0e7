"""Bugs to plant in a device: each torture has to find its own, or it proves nothing. Called in the device's process."""

import os
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from apex_client import store, store_file
from apex_client.materialise import Materialiser
from apex_sync.session.device import Device
from apex_sync.session.held import HeldRecord


def keep_rows_apart() -> None:
    """Keep the rows of a record in a transaction after that of the record."""
    flush = Materialiser.flush

    def flush_later(self: Materialiser, records: Sequence[HeldRecord]) -> None:
        self._sql.execute("COMMIT")
        self._sql.execute("BEGIN IMMEDIATE")
        flush(self, records)

    Materialiser.flush = flush_later  # type: ignore[method-assign]


def let_errors_out() -> None:
    """Give an app what SQLite raises."""

    def let_out(path: Path) -> AbstractContextManager[None]:
        return nullcontext()

    for module in (store, store_file):
        setattr(module, "sqlite_errors", let_out)  # noqa: B010 - one of them only imports it.


def leave_saves_to_the_cache() -> None:
    """Tell of saves that the disk does not have yet."""

    def begin(self: store.ReplicaStore, *, durable: bool) -> None:
        self.sql.execute("PRAGMA synchronous = OFF")
        self.sql.execute("BEGIN IMMEDIATE")
        self._depth = 1

    store.ReplicaStore.begin = begin  # type: ignore[method-assign]


def leave_seals_to_the_cache() -> None:
    """Replace the identity file by one that the disk does not have yet; SQLite syncs its own files itself."""

    def leave(file: object) -> None:
        pass

    os.fsync = leave  # type: ignore[assignment]


def go_on_as_another() -> None:
    """Write on under a client id that is another device's."""

    def stay(self: Device) -> None:
        pass

    Device.fork = stay  # type: ignore[method-assign]
