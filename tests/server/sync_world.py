"""People, devices and a server without HTTP: what the tests of commits and feed share.

A `Device` is the smallest replica that obeys the protocol: documents in memory, writes and syncs when it is told to.
"""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import count
from random import Random
from typing import Any, Self
from uuid import UUID

import asyncpg

from apex_server.caller import Caller, Role
from apex_server.db import Database, Hint
from apex_server.sync import (
    Committer,
    Feed,
    PostgresCommitStore,
    PostgresFeedStore,
    ServerIdentity,
    SyncExchange,
    load_identity,
    look_for_damage,
)
from apex_server.sync.projection_tables import TABLES
from apex_server.sync.projections import project
from apex_server.sync.store import CommitStore, FeedStore
from apex_server.vault import MasterKeys
from apex_sync.clock import next_hlc
from apex_sync.digest import digest_bytes, record_digest
from apex_sync.document import Document
from apex_sync.fold import Fold, fold
from apex_sync.ids import client_id_from, record_id_from
from apex_sync.models import COLLECTIONS
from apex_sync.op import Patch, Write, encode_op, flat_vector
from apex_sync.protocol.messages import (
    PROTOCOL_VERSION,
    PulledRecord,
    PushedRecord,
    PushResult,
    ScopeCursor,
    ScopePage,
    SyncRequest,
    SyncResponse,
)
from apex_sync.wire import encode_document, encode_push, parse_delta, parse_document
from tests.server.sealed_rows import Reads, insert_device, insert_user, vault_over, with_open_documents

SECRET = "a secret for tests, long enough to be taken"
START_US = 1_767_225_600_000_000
Key = tuple[str, bytes]


class SyncWorld(ABC):
    """A server, its people, and a clock that moves by itself, wherever the data is kept."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.now = START_US
        self.hints: list[Hint] = []

    @abstractmethod
    def commit_store(self) -> CommitStore: ...

    @abstractmethod
    def feed_store(self) -> FeedStore: ...

    @abstractmethod
    async def load_identity(self) -> ServerIdentity: ...

    @abstractmethod
    async def add_person(self, user_id: UUID, role: Role) -> None: ...

    @abstractmethod
    async def add_device(self, user_id: UUID, device_id: UUID) -> None: ...

    @abstractmethod
    async def engage(self, coach_id: UUID, athlete_id: UUID) -> None: ...

    @abstractmethod
    async def dismiss(self, coach_id: UUID, athlete_id: UUID) -> None: ...

    async def open(self, store: CommitStore | None = None) -> Self:
        """Start the server; again, for one that was restored or restarted."""
        self.identity = await self.load_identity()
        self.committer = Committer(
            store or self.commit_store(),
            identity=self.identity,
            now_us=self.now_us,
            hints=self.hear,
            entropy=self.random.randbytes,
        )
        self.feed = Feed(self.feed_store(), self.identity)
        self.exchange = SyncExchange(self.committer, self.feed, identity=self.identity, now_us=self.now_us)
        return self

    def now_us(self) -> int:
        self.now += 1_000
        return self.now

    async def hear(self, hints: list[Hint]) -> None:
        self.hints += hints

    async def person(self, role: Role) -> UUID:
        user_id = UUID(int=self.random.getrandbits(128), version=4)
        await self.add_person(user_id, role)
        return user_id

    async def athlete(self) -> UUID:
        return await self.person("athlete")

    async def coach(self, *athletes: UUID) -> UUID:
        coach_id = await self.person("coach")
        for athlete_id in athletes:
            await self.engage(coach_id, athlete_id)
        return coach_id

    async def device(self, user_id: UUID, client_id: int | None = None) -> "Device":
        device_id = UUID(int=self.random.getrandbits(128), version=4)
        await self.add_device(user_id, device_id)
        return Device(self, user_id, device_id, client_id or client_id_from(self.random.randbytes(7)))

    def record_id(self) -> bytes:
        return UUID(record_id_from(self.now_us() // 1000, self.random.randbytes(10))).bytes


class World(SyncWorld):
    """The same on a real database."""

    def __init__(self, db: Database, owner_url: str, seed: int = 1) -> None:
        super().__init__(seed)
        self.db = db
        self.owner_url = owner_url

    @property
    def master_keys(self) -> MasterKeys:
        return self.db.vault.master_keys

    def commit_store(self) -> CommitStore:
        return PostgresCommitStore(self.db)

    def feed_store(self) -> FeedStore:
        return PostgresFeedStore(self.db)

    async def load_identity(self) -> ServerIdentity:
        return await load_identity(self.db, SECRET)

    async def sql(self, statement: str, *arguments: Any) -> list[asyncpg.Record]:
        """Ask the database as its owner."""
        async with self.as_owner() as connection:
            rows: list[asyncpg.Record] = await connection.fetch(statement, *arguments)
            return rows

    @asynccontextmanager
    async def as_owner(self) -> AsyncIterator[asyncpg.Connection]:
        """Give a connection of the database's owner."""
        connection = await asyncpg.connect(self.owner_url)
        try:
            yield connection
        finally:
            await connection.close()

    async def add_person(self, user_id: UUID, role: Role) -> None:
        async with self.as_owner() as connection:
            await insert_user(connection, await vault_over(connection, self.master_keys), user_id, role)

    async def engage(self, coach_id: UUID, athlete_id: UUID) -> None:
        await self.sql(
            "INSERT INTO coach_athletes (coach_id, athlete_id, since) VALUES ($1, $2, now())", coach_id, athlete_id
        )

    async def dismiss(self, coach_id: UUID, athlete_id: UUID) -> None:
        await self.sql(
            "UPDATE coach_athletes SET ended_at = now(), ended_by = $2 WHERE coach_id = $1 AND athlete_id = $2",
            coach_id,
            athlete_id,
        )

    async def add_device(self, user_id: UUID, device_id: UUID) -> None:
        token_hash = self.random.randbytes(32)
        async with self.as_owner() as connection:
            vault = await vault_over(connection, self.master_keys)
            await insert_device(connection, vault, user_id, device_id, token_hash, name="phone", kind="phone")


class Device:
    """A replica in memory."""

    def __init__(self, world: SyncWorld, user_id: UUID, device_id: UUID, client_id: int) -> None:
        self.world = world
        self.client_id = client_id
        self.caller = Caller(user_id, "athlete", device_id, UUID(int=1), 2**40)
        self.scope = f"athlete:{user_id}"
        self.docs: dict[Key, Document] = {}
        self.collections: dict[Key, str] = {}
        self.acked: dict[Key, int] = {}
        self.sent: dict[Key, int] = {}
        self.offers: set[Key] = set()
        self.receipts: dict[Key, tuple[bytes, int]] = {}
        self.cursors: dict[str, bytes] = {}
        self.refusals: list[Any] = []
        self.last_hlc = 0
        self.forgotten: list[str] = []

    def write(
        self, patch: Patch, record_id: bytes | None = None, *, collection: str = "workout_logs", scope: str = ""
    ) -> bytes:
        """Save a patch; gives the id of the record."""
        key = scope or self.scope, record_id or self.world.record_id()
        document = self.docs.setdefault(key, Document())
        self.collections[key] = collection
        newest = max((write.hlc for write in document.writes()), default=0)
        self.last_hlc = next_hlc(self.world.now_us(), self.last_hlc, newest)
        seen = flat_vector(document.others(self.client_id))
        document.append(self.client_id, encode_op([Write(self.last_hlc, seen, patch)]))
        return key[1]

    def pushed(self, key: Key) -> PushedRecord:
        """Make what this device sends for one record: the whole of it, after a gap or a restore."""
        document, acked = self.docs[key], self.acked.get(key, 0)
        own = document.ops.get(self.client_id, {})
        ops = [op for clock, op in own.items() if clock >= acked]
        base, receipt = b"", b""
        if key in self.offers and key in self.receipts:
            receipt, receipt_clock = self.receipts[key]
            base = encode_document(self.as_of(key, receipt_clock))
            acked = receipt_clock
            ops = [op for clock, op in own.items() if clock >= acked]
        update = encode_push(self.client_id, acked, ops) if ops else b""
        self.sent[key] = acked + len(ops)
        return PushedRecord(key[0], self.collections[key], key[1], update, base, receipt)

    def as_of(self, key: Key, own_clock: int) -> Document:
        """Give a record without the own ops from a clock on."""
        document = self.docs[key].copy()
        if document.next_clocks.get(self.client_id, 0) > own_clock:
            document.ops[self.client_id] = {
                clock: op for clock, op in document.ops[self.client_id].items() if clock < own_clock
            }
            document.next_clocks[self.client_id] = own_clock
            if not own_clock:
                del document.ops[self.client_id], document.next_clocks[self.client_id]
        return document

    def outbox(self) -> list[Key]:
        """List the records with own ops that are not acknowledged, and those to be offered again."""
        return [
            key
            for key, document in self.docs.items()
            if document.next_clocks.get(self.client_id, 0) > self.acked.get(key, 0) or key in self.offers
        ]

    def request(self, keys: Sequence[Key] | None = None, *, pull: bool = True, **options: Any) -> SyncRequest:
        """Make the next request."""
        cursors = [ScopeCursor(scope, cursor, self.digest(scope)) for scope, cursor in sorted(self.cursors.items())]
        return SyncRequest(
            PROTOCOL_VERSION,
            self.client_id,
            self.world.now,
            [self.pushed(key) for key in (self.outbox() if keys is None else keys)],
            cursors if pull else None,
            **options,
        )

    async def send(self, request: SyncRequest) -> SyncResponse:
        """Send a request over the wire, which loses types that msgpack has not."""
        return await self.world.exchange(self.caller, request)

    async def sync(self, **options: Any) -> SyncResponse:
        """Sync until nothing is left, in steps that must be bounded; gives the last answer."""
        for _ in range(60):
            keys = self.outbox()[:300]
            offering = bool(self.offers)
            response = await self.send(self.request(keys, pull=not offering, **options))
            self.take(keys, response)
            left = offering or any(page.remaining or page.reset for page in response.pages)
            settled = not self.outbox() and not left
            if settled:
                return response
        raise AssertionError(f"{len(self.outbox())} records are stuck")

    def take(self, keys: Sequence[Key], response: SyncResponse) -> None:
        """Take an answer in."""
        assert len(response.results) == len(keys)
        for key, result in zip(keys, response.results, strict=True):
            self.take_result(key, result)
        for scope in response.forget:
            self.forget(scope)
        for page in response.pages:
            self.take_page(page)

    def take_result(self, key: Key, result: PushResult) -> None:
        if result.status in ("applied", "duplicate"):
            self.offers.discard(key)
            self.acked[key] = max(self.acked.get(key, 0), result.next_clock)
            for refusal in result.refusals:
                self.docs[key].kill(self.client_id, refusal.clock)
                self.refusals.append((key, refusal))
            if result.receipt:
                self.receipts[key] = result.receipt, self.acked[key]
        elif result.status == "gap":
            self.offers.add(key)
        elif result.status == "rejected":
            self.offers.discard(key)
            self.refusals += [(key, refusal) for refusal in result.refusals]
            self.acked[key] = self.docs[key].next_clocks.get(self.client_id, 0)

    def take_page(self, page: ScopePage) -> None:
        if page.reset:
            for key in self.docs:
                if key[0] == page.scope:
                    self.acked[key] = 0
                    self.offers.add(key)
        for record in page.records:
            key = page.scope, record.record_id
            document = self.docs.setdefault(key, Document())
            self.collections[key] = record.collection
            if record.delta:
                document.apply(parse_delta(record.update, document.next_clocks))
            else:
                whole = parse_document(record.update)
                document.merge(whole)
                self.acked[key] = max(self.acked.get(key, 0), whole.next_clocks.get(self.client_id, 0))
            if self.sent.get(key, 0) <= self.acked.get(key, 0) and self.is_all(key, record):
                self.receipts[key] = record.receipt, self.acked.get(key, 0)
        self.cursors[page.scope] = page.cursor
        if page.digest and not self.is_waiting(page.scope):
            assert self.digest(page.scope) == page.digest, f"{page.scope} differs from the server"

    def is_all(self, key: Key, record: PulledRecord) -> bool:
        """Tell whether the server sent all that is acknowledged here; a restored one has less, and vouches for less."""
        return record.delta or self.as_of(key, self.acked.get(key, 0)) == parse_document(record.update)

    def forget(self, scope: str) -> None:
        self.forgotten.append(scope)
        self.cursors.pop(scope, None)
        for key in [key for key in self.docs if key[0] == scope]:
            del self.docs[key]

    def is_waiting(self, scope: str) -> bool:
        """Tell whether the server may hold more than it acknowledged: then digests can't be compared."""
        offered = any(key[0] == scope for key in self.offers)
        return offered or any(sent > self.acked.get(key, 0) for key, sent in self.sent.items() if key[0] == scope)

    def digest(self, scope: str) -> bytes:
        """Sum up what is acknowledged of a scope."""
        total = sum(
            record_digest(key[1], self.as_of(key, self.acked.get(key, 0))) for key in self.docs if key[0] == scope
        )
        return digest_bytes(total % 2**128)

    def state(self, record_id: bytes, scope: str = "") -> Fold:
        """Fold a record."""
        return fold(self.docs[scope or self.scope, record_id].writes())


numbers = count(1)


def workout(sets: int = 2, **leaves: Any) -> Patch:
    """Make the first patch of a workout."""
    number = next(numbers)
    return {
        "date": "2026-03-01",
        "title": f"Workout {number}",
        "exercises": {"e1": {"name": "Bench Press", "order": "1"}},
        "sets": {
            f"s{place}": {"exercise": "e1", "order": f"{place:03}", "reps": 8, "load_kg": 100.0}
            for place in range(sets)
        },
        **leaves,
    }


async def looked_for_damage(db: Database) -> int:
    """Look at every document, as a worker does at night."""
    async with db.commit_connection() as connection:
        scopes = [row["name"] for row in await connection.fetch("SELECT name FROM scopes ORDER BY name")]
        return await look_for_damage(connection, db.vault, scopes)


async def assert_consistent(world: Reads) -> None:
    """Hold what Postgres has against what its documents say: rows, flags, digests, counts, and the audit's clocks."""
    expected: dict[str, list[tuple[Any, ...]]] = {name: [] for name in TABLES}
    digests: dict[UUID, int] = {}
    audited = await audited_clocks(world)
    stored = await world.sql(
        "SELECT scope_id, name AS scope, record_id, collection, doc, records.digest, needs_review, deleted "
        "FROM records JOIN scopes USING (scope_id)"
    )
    for row in await with_open_documents(world, stored):
        document = parse_document(row["doc"])
        collection = COLLECTIONS[row["collection"]]
        record, problems = collection.read(fold(document.writes()).state)
        flags = bool(problems), record.deleted is True
        assert (row["needs_review"], row["deleted"]) == flags, f"the flags of {row['record_id']}"
        digest = record_digest(row["record_id"].bytes, document)
        assert row["digest"] == digest_bytes(digest)
        digests[row["scope_id"]] = (digests.get(row["scope_id"], 0) + digest) % 2**128
        for table, rows in project(collection.name, record).items():
            sealed = row["seal"].seal_rows({table: rows})[table]
            expected[table] += [(row["scope_id"], row["record_id"], *projected) for projected in sealed]
        assert audited[row["scope_id"], row["record_id"]] == document.next_clocks
    for name, declared in TABLES.items():
        columns = ", ".join(["scope_id", "record_id", *(column.name for column in declared.columns)])
        found = [tuple(row) for row in await world.sql(f"SELECT {columns} FROM {name}")]
        assert sorted(map(repr, found)) == sorted(map(repr, expected[name])), name
    for row in await world.sql("SELECT scope_id, name, seq, digest, record_count FROM scopes"):
        assert row["digest"] == digest_bytes(digests.get(row["scope_id"], 0)), row["name"]
        [counted] = await world.sql("SELECT count(*), max(seq) FROM records WHERE scope_id = $1", row["scope_id"])
        assert (counted["count"], counted["max"] or 0) == (row["record_count"], row["seq"])


async def audited_clocks(world: Reads) -> dict[tuple[UUID, UUID], dict[int, int]]:
    """Give the next clocks of each record by its audit, which must name every clock exactly once."""
    clocks: dict[tuple[UUID, UUID], dict[int, int]] = {}
    for scope_id, record_id, client_id, first, following in await world.sql(
        "SELECT scope_id, record_id, client_id, first_clock, next_clock FROM audit ORDER BY scope_id, seq"
    ):
        of_record = clocks.setdefault((scope_id, record_id), {})
        assert of_record.get(client_id, 0) == first
        of_record[client_id] = following
    return clocks
