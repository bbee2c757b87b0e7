"""What Postgres holds, held against what devices know, and against itself.

Documents are opened with pycrdt, digests summed up by the formula of docs/protocol.md, the feed and the audit followed
in SQL: none of it by the code that wrote them. Only what a projection must equal is asked of the server, `project`.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from hashlib import blake2b
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
import pycrdt

from apex_server.sync.store import DAMAGED
from apex_sync.ids import ALPHABET
from tests.server.sealed_rows import known_master_keys, with_open_documents
from tests.server.sync_world import assert_consistent

Ops = Mapping[tuple[int, int], bytes | None]
"""Everything of a record: op by client id and clock; None is a clock that died."""

OpsByRecord = Mapping[tuple[str, bytes], Ops]
"""... by scope and record id."""

UNSOUND = {
    "a feed with a gap": """
        SELECT scopes.name
        FROM scopes
        WHERE (SELECT array_agg(DISTINCT seq ORDER BY seq) FROM audit WHERE audit.scope_id = scopes.scope_id)
            IS DISTINCT FROM (SELECT array_agg(seq ORDER BY seq) FROM generate_series(1, scopes.seq) AS seq)
    """,
    "two records at one place of the feed": """
        SELECT scope_id, seq FROM audit GROUP BY scope_id, seq HAVING count(DISTINCT record_id) > 1
    """,
    "a record that is not at its last place in the feed": """
        SELECT scope_id, record_id, records.seq, last.seq
        FROM records
        FULL JOIN (SELECT scope_id, record_id, max(seq) AS seq FROM audit GROUP BY scope_id, record_id) AS last
            USING (scope_id, record_id)
        WHERE records.seq IS DISTINCT FROM last.seq
    """,
    "a change that does not follow the one before it": """
        SELECT scope_id, record_id, seq
        FROM (
            SELECT *, lag(seq, 1, 0::bigint) OVER (PARTITION BY scope_id, record_id ORDER BY seq) AS before
            FROM (SELECT DISTINCT scope_id, record_id, seq, previous_seq FROM audit) AS changes
        ) AS changes
        WHERE previous_seq <> before
    """,
    "clocks lost or doubled between two changes": """
        SELECT scope_id, record_id, client_id, seq
        FROM (
            SELECT *, lag(next_clock, 1, 0::bigint)
                OVER (PARTITION BY scope_id, record_id, client_id ORDER BY seq) AS before
            FROM audit
        ) AS spans
        WHERE first_clock <> before OR next_clock <= first_clock
    """,
    "a scope that miscounts its records": """
        SELECT name
        FROM scopes
        WHERE record_count <> (SELECT count(*) FROM records WHERE records.scope_id = scopes.scope_id)
    """,
}
"""What must never be found, by what it means."""


UNMARKED = """
    SELECT scopes.name
    FROM scopes
    JOIN records USING (scope_id)
    LEFT JOIN dirty ON dirty.athlete_id = scopes.scope_id
    WHERE scopes.name LIKE 'athlete:%' AND records.collection = 'workout_logs' AND dirty.athlete_id IS NULL
"""


class Truth:
    """A database as its owner sees it."""

    def __init__(self, owner_url: str) -> None:
        self._owner_url = owner_url

    @asynccontextmanager
    async def moment(self) -> AsyncIterator["Moment"]:
        """Look at one moment, while others may go on writing."""
        connection = await asyncpg.connect(self._owner_url)
        try:
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                yield Moment(connection)
        finally:
            await connection.close()

    async def sql(self, statement: str, *arguments: Any) -> list[asyncpg.Record]:
        """Run a statement."""
        connection = await asyncpg.connect(self._owner_url)
        try:
            rows: list[asyncpg.Record] = await connection.fetch(statement, *arguments)
            return rows
        finally:
            await connection.close()

    async def assert_sound(self) -> None:
        """Hold everything against everything else."""
        async with self.moment() as moment:
            await moment.assert_sound()

    async def assert_holds(self, expected: OpsByRecord) -> None:
        """Hold the scopes that are named to exactly these ops, but for the library, which the worker writes."""
        expected = {key: ops for key, ops in expected.items() if key[0] != "global"}
        async with self.moment() as moment:
            await moment.assert_holds(expected)

    async def assert_marked(self) -> None:
        """Hold that analysis will hear of every change; for a database on which no worker runs."""
        found = await self.sql(UNMARKED)
        assert not found, f"a change that was not marked for analysis: {found[:3]}"

    async def ops(self, scopes: Sequence[str]) -> dict[tuple[str, bytes], Ops]:
        """Read the ops of scopes; what died must be known by its hash."""
        async with self.moment() as moment:
            return await moment.ops(scopes)


class Moment:
    """The database as it was when the transaction began."""

    master_keys = known_master_keys()

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection

    async def sql(self, statement: str, *arguments: Any) -> list[asyncpg.Record]:
        """Read rows."""
        rows: list[asyncpg.Record] = await self._connection.fetch(statement, *arguments)
        return rows

    async def assert_sound(self) -> None:
        """Hold everything against everything else."""
        for meaning, query in UNSOUND.items():
            found = await self.sql(query)
            assert not found, f"{meaning}: {found[:3]}"
        await self._assert_digests()
        await assert_consistent(self)

    async def assert_holds(self, expected: OpsByRecord) -> None:
        """Hold the scopes that are named to exactly these ops, but for the library, which the worker writes."""
        expected = {key: ops for key, ops in expected.items() if key[0] != "global"}
        found = await self.ops(sorted({scope for scope, _ in expected}))
        lost = [(key, clock) for key, ops in expected.items() for clock in ops if clock not in found.get(key, {})]
        assert not lost, f"{len(lost)} ops are lost, the first {lost[0]}"
        extra = [(key, clock) for key, ops in found.items() for clock in ops if clock not in expected.get(key, {})]
        assert not extra, f"{len(extra)} ops that nobody wrote, the first {extra[0]}"
        altered = [key for key, ops in expected.items() if found[key] != ops]
        assert not altered, f"{len(altered)} records with other ops, the first {altered[0]}"

    async def ops(self, scopes: Sequence[str]) -> dict[tuple[str, bytes], Ops]:
        """Read the ops of scopes; what died must be known by its hash."""
        rows = await self.sql(
            "SELECT name AS scope, record_id, records.digest, doc FROM records "
            "JOIN scopes USING (scope_id) WHERE name = ANY($1)",
            scopes,
        )
        opened = await self._opened(rows)
        found = {(row["scope"], row["record_id"].bytes): ops_of(row["doc"]) for row in opened}
        dead = await self.sql(
            "SELECT name, record_id, client_id, clock FROM dead_ops JOIN scopes USING (scope_id) WHERE name = ANY($1)",
            scopes,
        )
        known = {(row["name"], row["record_id"].bytes, row["client_id"], row["clock"]) for row in dead}
        died = {(*key, *clock) for key, ops in found.items() for clock, op in ops.items() if op is None}
        assert known == died, f"dead clocks and what is known of them differ: {list(known ^ died)[:3]}"
        return found

    async def _opened(self, rows: Sequence[Any]) -> list[dict[str, Any]]:
        opened = await with_open_documents(self, rows)
        assert all(row["doc"] != DAMAGED for row in opened), "a document that does not open as the record it stands for"
        return opened

    async def _assert_digests(self) -> None:
        totals: dict[UUID, int] = {}
        rows = await self.sql(
            "SELECT scope_id, name AS scope, record_id, doc, records.digest FROM records JOIN scopes USING (scope_id)"
        )
        for row in await self._opened(rows):
            digest = digest_of(row["record_id"].bytes, ops_of(row["doc"]))
            assert row["digest"] == digest.to_bytes(16, "big"), f"the digest of {row['record_id']}"
            totals[row["scope_id"]] = (totals.get(row["scope_id"], 0) + digest) % 2**128
        for row in await self.sql("SELECT scope_id, name, digest FROM scopes"):
            assert row["digest"] == totals.get(row["scope_id"], 0).to_bytes(16, "big"), f"the digest of {row['name']}"


def ops_of(doc: bytes) -> Ops:
    """Read a record as any Yjs library would."""
    opened = pycrdt.Doc[Any]()
    opened.apply_update(doc)
    alive = {clock_of(key): bytes(op) for key, op in opened.get("o", type=pycrdt.Map).items()}
    return {(client, clock): alive.get((client, clock)) for client, end in next_clocks(opened) for clock in range(end)}


def next_clocks(opened: "pycrdt.Doc[Any]") -> list[tuple[int, int]]:
    """Read a Yjs state vector: how many clients, then client id and next clock of each, all as varints."""
    numbers, number, shift = [], 0, 0
    for byte in opened.get_state():
        number |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            numbers.append(number)
            number = shift = 0
    return list(zip(numbers[1::2], numbers[2::2], strict=True))


def clock_of(key: str) -> tuple[int, int]:
    """Read the key of an op: client id and clock in base 64."""
    client_id, clock = key.split(".")
    return number_of(client_id), number_of(clock)


def number_of(digits: str) -> int:
    """Read a number in the base 64 of docs/protocol.md."""
    number = 0
    for digit in digits:
        number = number * 64 + ALPHABET.index(digit)
    return number


def digest_of(record_id: bytes, ops: Ops) -> int:
    """Sum up a record by the formula of docs/protocol.md."""
    ends: dict[int, int] = {}
    total = 0
    for (client_id, clock), op in ops.items():
        ends[client_id] = max(ends.get(client_id, 0), clock + 1)
        if op is not None:
            total += hash_of((record_id, client_id, clock, op))
    return (total + sum(hash_of((record_id, *end)) for end in ends.items())) % 2**128


def hash_of(content: tuple[bytes | int, ...]) -> int:
    """Give BLAKE2b-128 of a msgpack array."""
    return int.from_bytes(blake2b(msgspec.msgpack.encode(content), digest_size=16).digest(), "big")
