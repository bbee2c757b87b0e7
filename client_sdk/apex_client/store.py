"""The store of the SDK: everything a device holds, in one SQLite file.

A save is one transaction for op, outbox and what apps query, durable when it returns. One thread at a time.
"""

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec

from apex_client.changes import Change
from apex_client.encryption import EncryptionKey
from apex_client.materialise import INDEXED_UP_TO, Materialiser
from apex_client.opened_messages import MessageOpener
from apex_client.store_file import ReplicaFile, sqlite_errors
from apex_sync.digest import add_digests, digest_bytes
from apex_sync.session.device import SELF_SCOPE, HeldScope, Identity, Origin, Rejection
from apex_sync.session.held import HeldRecord, Offer
from apex_sync.wire import encode_document, parse_held_document

REMEMBERED_RECORDS_MAX = 32
"""Records that stay decoded between edits: the session being logged, and a few that are looked at."""

LOOKUP_CHUNK = 500

_COLUMNS = (
    "record.record_no, record.record_id, scope.name, record.collection, record.acked, record.sent, record.offer,"
    " record.blocked, record.pending_since_us, record.conflicts, record.digest, record.receipt, record.pull_receipt,"
    " record.pull_clock, record.document"
)
_HELD = (
    f"SELECT {_COLUMNS} FROM held_records AS record"  # noqa: S608
    " JOIN held_scopes AS scope ON scope.scope_no = record.scope_no"
)

_SCOPE_NO = "(SELECT scope_no FROM held_scopes WHERE name = ?)"
"""For reading: whoever only asks about a scope does not make it."""

_INSERT = (
    "INSERT INTO held_records (record_no, record_id, scope_no, collection, acked, sent, next, offer, blocked,"
    " pending_since_us, changed_us, conflicts, needs_review, deleted, digest, receipt, pull_receipt,"
    " pull_clock, document)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_UPDATE = (
    "UPDATE held_records SET acked = ?, sent = ?, next = ?, offer = ?, blocked = ?, pending_since_us = ?,"
    " changed_us = ?, conflicts = ?, needs_review = ?, deleted = ?, digest = ?, receipt = ?, pull_receipt = ?,"
    " pull_clock = ?, document = ?"
    " WHERE record_no = ?"
)
_UPDATE_PROGRESS = (
    "UPDATE held_records SET acked = ?, sent = ?, next = ?, offer = ?, blocked = ?, pending_since_us = ?, digest = ?,"
    " receipt = ?, pull_receipt = ?, pull_clock = ? WHERE record_no = ?"
)


class ReplicaStore:
    """A replica file as a `device.Store`, with what the SDK reads beside.

    `changes` collects what has changed since it was last taken, for those who watch.
    """

    def __init__(self, path: Path, now_us: Callable[[], int], key: EncryptionKey | None = None) -> None:
        """Open or make the file. Raises a ReplicaError."""
        self.path = path
        self._now_us = now_us
        self.changes: list[Change] = []
        self._file = ReplicaFile(path, key)
        self.sql = self._file.connection
        self.opener = MessageOpener(self.sql)
        self._rows = Materialiser(self.sql, self.opener)
        self._depth = 0
        self._identity: Identity | None = None
        self._remembered: dict[tuple[str, str], HeldRecord] = {}
        self._scope_numbers: dict[str, int] = {}
        self._roles: dict[str, str | None] = {}
        self._next_record_no = 0
        self._unpublished: list[Change] = []

    def close(self) -> None:
        """Close the file."""
        self._remembered.clear()
        self._file.close()

    def transaction(self, *, durable: bool = True) -> AbstractContextManager[None]:
        """Keep everything in the block together, or nothing of it; blocks may be nested.

        Once it ends, a `durable` one is on the disk, and so is all that came before it.
        """
        return _NESTED if self._depth else _Transaction(self, durable)

    def begin(self, *, durable: bool) -> None:
        """Begin a transaction."""
        self._file.begin(durable=durable)
        self._depth = 1

    def commit(self) -> None:
        """Make it durable."""
        try:
            with sqlite_errors(self.path):
                self.sql.execute("COMMIT")
        except BaseException:
            self.roll_back()
            raise
        self._depth = 0
        self.changes += self._unpublished
        self._unpublished = []
        self._trim()

    def roll_back(self) -> None:
        """Let nothing of it have been, here and in the file."""
        self._depth = 0
        self._forget_uncommitted()

    def _forget_uncommitted(self) -> None:
        if self.sql.in_transaction:
            self.sql.execute("ROLLBACK")
        self._identity = None
        self._remembered.clear()
        self._forget_scopes()
        self._unpublished = []
        self._next_record_no = 0
        self._rows.forget()

    def _trim(self) -> None:
        while len(self._remembered) > REMEMBERED_RECORDS_MAX:
            key = next(iter(self._remembered))
            self._rows.forget(self._remembered.pop(key).place)

    def shorten_log(self) -> None:
        """Bring the log into the file now, so that it is no later save that does."""
        self._file.shorten_log()

    def scrub(self) -> None:
        """Write the file anew without what was deleted, which SQLite would leave in free pages and in its log."""
        self._file.scrub()

    # Settings.

    def setting(self, name: str) -> bytes | None:
        """Read a value that was kept by name."""
        row = self.sql.execute("SELECT value FROM settings WHERE name = ?", (name,)).fetchone()
        return None if row is None else bytes(row[0])

    def keep_setting(self, name: str, value: bytes | None) -> None:
        """Keep a value by name; None removes it."""
        if value is None:
            self.sql.execute("DELETE FROM settings WHERE name = ?", (name,))
        else:
            self.sql.execute("INSERT OR REPLACE INTO settings (name, value) VALUES (?, ?)", (name, value))

    def identity(self) -> Identity:
        """Read who this device is; a file without an identity has client id 0."""
        if self._identity is None:
            with sqlite_errors(self.path):
                value = self.setting("identity")
            self._identity = msgspec.json.decode(value, type=Identity) if value is not None else Identity(0)
        return self._identity

    def save_identity(self, identity: Identity) -> None:
        """Replace it."""
        if identity.client_id != self.identity().client_id:
            self._remembered.clear()
        self._identity = identity
        self.keep_setting("identity", msgspec.json.encode(identity))

    # Scopes.

    def scopes(self) -> dict[str, HeldScope]:
        """Give the scopes by name, without the placeholder."""
        rows = self.sql.execute(
            "SELECT name, role, cursor, digest, remaining, total FROM held_scopes WHERE name <> ? ORDER BY name",
            (SELF_SCOPE,),
        )
        return {
            name: HeldScope(name, role, cursor, int.from_bytes(digest, "big"), remaining, total)
            for name, role, cursor, digest, remaining, total in rows
        }

    def scope_role(self, name: str) -> str | None:
        """Give the role the user has in a scope; None where it is not here."""
        if name not in self._roles:
            row = self.sql.execute("SELECT role FROM held_scopes WHERE name = ?", (name,)).fetchone()
            self._roles[name] = None if row is None else str(row[0])
        return self._roles[name]

    def save_scope(self, scope: HeldScope) -> None:
        """Add or replace a scope; its digest follows from its records."""
        self._roles.clear()
        self.sql.execute(
            "INSERT INTO held_scopes (name, role, cursor, remaining, total) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT (name) DO UPDATE SET role = excluded.role, cursor = excluded.cursor,"
            " remaining = excluded.remaining, total = excluded.total",
            (scope.name, scope.role, scope.cursor, scope.remaining, scope.total),
        )

    def drop_scope(self, name: str) -> None:
        """Forget a scope with all its records."""
        row = self.sql.execute("SELECT scope_no FROM held_scopes WHERE name = ?", (name,)).fetchone()
        if row is None:
            return
        dropped = self.sql.execute("SELECT record_id, collection FROM held_records WHERE scope_no = ?", row).fetchall()
        self._rows.drop_scope(row[0])
        self.sql.execute("DELETE FROM held_records WHERE scope_no = ?", row)
        self.sql.execute("DELETE FROM held_scopes WHERE scope_no = ?", row)
        self._unpublished += [Change(collection, record_id, name, "forgotten") for record_id, collection in dropped]
        self._remembered.clear()
        self._forget_scopes()

    def rename_scope(self, name: str, to: str, role: str) -> None:
        """Give all records of one scope, which the server has none of, to another that may be there already."""
        old, new = self.scope_number(name), self.scope_number(to, role)
        self.sql.execute("UPDATE held_records SET scope_no = ? WHERE scope_no = ?", (new, old))
        self._rows.move_scope(old, new)
        self.sql.execute("DELETE FROM held_scopes WHERE scope_no = ?", (old,))
        self._remembered.clear()
        self._forget_scopes()

    def _forget_scopes(self) -> None:
        self._scope_numbers.clear()
        self._roles.clear()

    def scope_number(self, name: str, role: str | None = None) -> int:
        """Give the number of a scope, which is added where it is new: until a sync says the role, its writer's own."""
        number = self._scope_numbers.get(name)
        if number is None:
            row = self.sql.execute("SELECT scope_no FROM held_scopes WHERE name = ?", (name,)).fetchone()
            if row is None:
                self._roles.clear()
                role = role or ("coach" if name.startswith(("coach:", "library:", "private:")) else "athlete")
                added = self.sql.execute("INSERT INTO held_scopes (name, role) VALUES (?, ?)", (name, role))
                row = (added.lastrowid,)
            number = self._scope_numbers[name] = int(row[0])
        return number

    # Records.

    def load(self, scope: str, record_ids: Sequence[str]) -> dict[str, HeldRecord]:
        """Give those records of a scope that are here."""
        found: dict[str, HeldRecord] = {}
        for start in range(0, len(record_ids), LOOKUP_CHUNK):
            chunk = record_ids[start : start + LOOKUP_CHUNK]
            marks = ",".join("?" * len(chunk))
            held = self.select(f"WHERE record.record_id IN ({marks}) AND scope.name = ?", (*chunk, scope))
            found.update((record.record_id, record) for record in held)
        return found

    def one(self, scope: str, record_id: str) -> HeldRecord | None:
        """Give one record, and keep it decoded for the edits that may follow."""
        key = scope, record_id
        held = self._remembered.pop(key, None)
        if held is None:
            held = self.load(scope, [record_id]).get(record_id)
        if held is not None:
            self._remembered[key] = held
            if not self._depth:
                self._trim()
        return held

    def scopes_of(self, record_id: str, collection: str) -> list[str]:
        """List the scopes that hold a record of this id: one, but for a coach whose athletes imported alike."""
        sql = (
            "SELECT scope.name FROM held_records AS record"
            " JOIN held_scopes AS scope ON scope.scope_no = record.scope_no"
            " WHERE record.record_id = ? AND record.collection = ? ORDER BY scope.name"
        )
        return [name for (name,) in self.sql.execute(sql, (record_id, collection))]

    def select(self, where: str, parameters: Sequence[Any]) -> list[HeldRecord]:
        """Give records by a condition on `record` and `scope`; it is written in this package, never by a caller."""
        return [
            self._remembered.get((row[2], row[1])) or self._held(row)
            for row in self.sql.execute(f"{_HELD} {where}", parameters).fetchall()
        ]

    def _held(self, row: Sequence[Any]) -> HeldRecord:
        return HeldRecord(
            row[1], row[2], row[3], self.identity().client_id, place=row[0], acked=row[4], sent=row[5],
            offer=Offer(row[6]), blocked=row[7], pending_since_us=row[8], known_conflicts=row[9],
            digest=int.from_bytes(row[10], "big"), receipt=row[11], pull_receipt=row[12], pull_clock=row[13],
            document=parse_held_document(row[14]),
        )  # fmt: skip

    def save(self, records: Sequence[HeldRecord], origin: Origin) -> None:
        """Add or replace records with what is queried of them."""
        new, old = [], []
        now_us = self._now_us()
        few = len(records) <= REMEMBERED_RECORDS_MAX and origin == "local"
        for held in records:
            scope_no = self.scope_number(held.scope)
            added = not held.place
            if added:
                held.place = self._new_place()
            needs_review = self._rows.take(held, scope_no, new=added, remember=few)
            values = (
                held.acked, held.sent, held.next_clock, int(held.offer), held.blocked,
                self._pending_since(held, now_us), now_us, len(held.conflicts), needs_review,
                held.state.get("deleted") is True, digest_bytes(held.digest), held.receipt, held.pull_receipt,
                held.pull_clock, held.encoded or encode_document(held.document),
            )  # fmt: skip
            if added:
                new.append((held.place, held.record_id, scope_no, held.collection, *values))
            else:
                old.append((*values, held.place))
            self._unpublished.append(Change(held.collection, held.record_id, held.scope, origin))
        if old:
            self.sql.executemany(_UPDATE, old)
        if new:
            self.sql.executemany(_INSERT, new)
        self._rows.flush(records)
        self._carry_digests(records)
        for held in records:
            held.known_conflicts, held.encoded = len(held.conflicts), b""
            if few or (held.scope, held.record_id) in self._remembered:
                self._remembered[held.scope, held.record_id] = held

    def delete(self, held: HeldRecord) -> None:
        """Forget a record that holds nothing any more, or nothing that was ever sent."""
        self._rows.drop(held.place)
        self.sql.execute("DELETE FROM held_records WHERE record_no = ?", (held.place,))
        self._remembered.pop((held.scope, held.record_id), None)
        self._unpublished.append(Change(held.collection, held.record_id, held.scope, "forgotten"))

    def save_progress(self, records: Sequence[HeldRecord]) -> None:
        """Keep what became of sending records whose content has not changed."""
        now_us = self._now_us()
        rows = [
            (
                held.acked, held.sent, held.next_clock, int(held.offer), held.blocked, self._pending_since(held,
                now_us), digest_bytes(held.digest), held.receipt, held.pull_receipt, held.pull_clock, held.place,
            )
            for held in records
        ]  # fmt: skip
        self.sql.executemany(_UPDATE_PROGRESS, rows)
        self._carry_digests(records)

    def _new_place(self) -> int:
        """Give a number that no record here has, and none had that is indexed: its successor would not be found."""
        if not self._next_record_no:
            (last,) = self.sql.execute("SELECT coalesce(max(record_no), 0) FROM held_records").fetchone()
            self._next_record_no = 1 + max(last, int(self.setting(INDEXED_UP_TO) or 0))
        self._next_record_no += 1
        return self._next_record_no - 1

    def _pending_since(self, held: HeldRecord, now_us: int) -> int:
        held.pending_since_us = (held.pending_since_us or max(now_us, 1)) if held.pending else 0
        return held.pending_since_us

    def _carry_digests(self, records: Sequence[HeldRecord]) -> None:
        """Bring the digests of scopes to what their records hold now."""
        changes: dict[int, list[tuple[int, int]]] = {}
        for held in records:
            if held.digest != held.stored_digest:
                changes.setdefault(self.scope_number(held.scope), []).append((held.stored_digest, held.digest))
                held.stored_digest = held.digest
        for scope_no, carried in changes.items():
            (digest,) = self.sql.execute("SELECT digest FROM held_scopes WHERE scope_no = ?", (scope_no,)).fetchone()
            total = add_digests(int.from_bytes(digest, "big"), *carried)
            self.sql.execute("UPDATE held_scopes SET digest = ? WHERE scope_no = ?", (digest_bytes(total), scope_no))

    # What waits, and what was refused.

    def outbox(self, records_max: int, skip: Iterable[tuple[str, str]]) -> list[HeldRecord]:
        """Give pending records, the longest waiting first."""
        left_out = set(skip)
        waiting = self.select(
            "WHERE record.pending_since_us > 0 AND scope.name <> ?"
            " ORDER BY record.pending_since_us, record.record_no LIMIT ?",
            (SELF_SCOPE, records_max + len(left_out)),
        )
        return [held for held in waiting if (held.scope, held.record_id) not in left_out][:records_max]

    def unacknowledged(self, after_place: int, records_max: int) -> list[HeldRecord]:
        """Give records with own ops the server does not have, blocked ones too, in the order of `place`."""
        return self.select(
            "WHERE record.next > record.acked AND record.record_no > ? ORDER BY record.record_no LIMIT ?",
            (after_place, records_max),
        )

    def in_flight(self, scope: str) -> bool:
        """Tell whether the server may have more of a scope than it has acknowledged."""
        sql = (
            "SELECT EXISTS (SELECT 1 FROM held_records AS record WHERE record.pending_since_us > 0"  # noqa: S608
            f" AND (record.sent > record.acked OR record.offer > 0) AND record.scope_no = {_SCOPE_NO})"
        )
        return bool(self.sql.execute(sql, (scope,)).fetchone()[0])

    def digests(self, scope: str) -> list[tuple[str, int]]:
        """Give the digest of the acknowledged content of every record of a scope."""
        sql = f"SELECT record_id, digest FROM held_records WHERE scope_no = {_SCOPE_NO} ORDER BY record_no"  # noqa: S608
        rows = self.sql.execute(sql, (scope,))
        return [(record_id, number) for record_id, digest in rows if (number := int.from_bytes(digest, "big"))]

    def offering(self, skip: Iterable[tuple[str, str]]) -> bool:
        """Tell whether a record waits to be offered to a server that may have lost it."""
        sql = (
            "SELECT scope.name, record.record_id FROM held_records AS record"
            " JOIN held_scopes AS scope ON scope.scope_no = record.scope_no"
            " WHERE record.pending_since_us > 0 AND record.offer > 0"
        )
        left_out = set(skip)
        return any(key not in left_out for key in self.sql.execute(sql))

    def offer_all(self, scope: str) -> None:
        """Let every record of a scope be sent whole."""
        sql = (
            "UPDATE held_records SET offer = ?, pending_since_us = iif(pending_since_us, pending_since_us, ?)"  # noqa: S608
            f" WHERE scope_no = {_SCOPE_NO} AND blocked = ''"
        )
        self.sql.execute(sql, (int(Offer.WHOLE), self._now_us(), scope))
        self._remembered.clear()

    def renew_clocks(self) -> None:
        """Let the device begin at clock 0 in every record but those it has rewritten already."""
        self.sql.execute(
            "UPDATE held_records SET acked = 0, sent = 0, next = 0, pull_clock = 0,"
            " pull_receipt = CASE pull_clock WHEN acked THEN pull_receipt ELSE x'' END WHERE next <= acked"
        )
        self._remembered.clear()

    def counts(self) -> dict[str, Any]:
        """Count records by where they stand."""
        sql = (
            "SELECT"
            " (SELECT count(*) FROM held_records) AS records,"
            " (SELECT count(*) FROM held_records WHERE pending_since_us > 0) AS pending,"
            " (SELECT count(*) FROM held_records WHERE blocked <> '' AND next > acked) AS blocked,"
            " (SELECT count(*) FROM rejections) AS rejected,"
            " (SELECT count(*) FROM held_records WHERE conflicts > 0) AS conflicted,"
            " (SELECT count(*) FROM held_records WHERE needs_review) AS needs_review,"
            " (SELECT min(pending_since_us) FROM held_records WHERE pending_since_us > 0) AS oldest_pending_us"
        )
        cursor = self.sql.execute(sql)
        return dict(zip([column[0] for column in cursor.description], cursor.fetchone(), strict=True))

    def unsent(self) -> int:
        """Count records and rejected edits whose content is nowhere but here."""
        sql = (
            "SELECT (SELECT count(*) FROM held_records WHERE pending_since_us > 0 AND next > acked)"
            " + (SELECT count(*) FROM held_records WHERE blocked <> '' AND next > acked)"
            " + (SELECT count(*) FROM rejections WHERE NOT held)"
        )
        return int(self.sql.execute(sql).fetchone()[0])

    def empty_rejected_box(self) -> None:
        """Forget what was refused."""
        self.sql.execute("DELETE FROM rejections")

    def drop_held_rejections(self, scope: str) -> None:
        """Take out of the rejected box what still stands in records of a scope."""
        self.sql.execute("DELETE FROM rejections WHERE held AND scope = ?", (scope,))

    def reject(self, rejections: Sequence[Rejection]) -> None:
        """Put content into the rejected box."""
        self.sql.executemany(
            "INSERT INTO rejections (record_id, scope, collection, code, field, message, patches, at_us, held)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    item.record_id, item.scope, item.collection, item.code, item.field, item.message,
                    msgspec.msgpack.encode(item.patches), item.at_us, item.held,
                )
                for item in rejections
            ],
        )  # fmt: skip


class _Transaction:
    """One block of work on a store. SQLite's errors leave it as errors of the SDK."""

    def __init__(self, store: ReplicaStore, durable: bool) -> None:
        self._store = store
        self._durable = durable

    def __enter__(self) -> None:
        self._store.begin(durable=self._durable)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self._store.commit()
            return
        self._store.roll_back()
        if isinstance(error, sqlite3.Error):
            with sqlite_errors(self._store.path):
                raise error


_NESTED: AbstractContextManager[None] = nullcontext()
