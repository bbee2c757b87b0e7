"""Worlds whose store can be looked into, held up and cut off: what the conformance suite needs, in both flavours."""

import asyncio
from abc import abstractmethod
from uuid import UUID

import anyio
from anyio import wait_all_tasks_blocked
from typing_extensions import override

from apex_server.sync.projection_tables import TABLES
from apex_server.sync.sealing import seal_of_scope
from apex_server.sync.store import (
    Row,
)
from apex_sync.ids import Scope
from tests.server.sync_world import SyncWorld, World
from tests.simulation.memory_database import EMPTY
from tests.simulation.memory_world import MemoryWorld

COMMITTED_BY = ("apex_app", "apex_commit")

Audited = tuple[int, int, bytes, int, int, int, UUID | None, UUID | None]
"""Seq, client, record, previous seq, first and next clock, user, device."""


class StoreWorld(SyncWorld):
    """A world seen from its store."""

    @abstractmethod
    async def projected(self, scope: str, table: str) -> list[Row]:
        """Give a projection table: the record id and the columns of every row."""

    @abstractmethod
    async def audited(self, scope: str) -> list[Audited]:
        """Give the audit of a scope, ordered by seq and client."""

    @abstractmethod
    async def links(self, scope: str) -> list[bytes]:
        """Give the links of the audit of a scope, ordered by seq and client."""

    @abstractmethod
    async def until_waiting(self) -> None:
        """Return when somebody waits for the lock of a scope."""

    @abstractmethod
    async def cut_connections(self) -> None:
        """End all connections to the database, as its crash does."""


class MemoryStoreWorld(MemoryWorld, StoreWorld):
    """One whose data is in memory."""

    @override
    async def projected(self, scope: str, table: str) -> list[Row]:
        content = self.database.scopes.get(scope, EMPTY)
        return [(record_id, *row) for record_id, rows in content.rows(table).items() for row in rows]

    @override
    async def audited(self, scope: str) -> list[Audited]:
        content = self.database.scopes.get(scope, EMPTY)
        return sorted(
            (
                entry.seq,
                entry.client_id,
                entry.record_id,
                entry.previous_seq,
                entry.first_clock,
                entry.next_clock,
                entry.writer.user_id,
                entry.writer.device_id,
            )
            for entry in content.audit
        )

    @override
    async def links(self, scope: str) -> list[bytes]:
        content = self.database.scopes.get(scope, EMPTY)
        return [entry.link for entry in sorted(content.audit)]

    @override
    async def until_waiting(self) -> None:
        await wait_all_tasks_blocked()

    @override
    async def cut_connections(self) -> None:
        self.database.cut_connections()


class PostgresStoreWorld(World, StoreWorld):
    """One on a real database."""

    @override
    async def projected(self, scope: str, table: str) -> list[Row]:
        async with self.db.commit_connection() as connection:
            seal = await seal_of_scope(connection, self.db.vault, scope)
        columns = ", ".join(column.name for column in TABLES[table].columns)
        statement = f"SELECT record_id, {columns} FROM {table} WHERE scope_id = $1"
        rows = map(tuple, await self.sql(statement, Scope.parse(scope).id))
        return [(row[0].bytes, *seal.open_row(table, row[1:])) for row in rows]

    @override
    async def audited(self, scope: str) -> list[Audited]:
        rows = await self.sql(
            "SELECT seq, client_id, record_id, previous_seq, first_clock, next_clock, user_id, device_id "
            "FROM audit WHERE scope_id = $1 ORDER BY seq, client_id",
            Scope.parse(scope).id,
        )
        return [(row[0], row[1], row[2].bytes, *row[3:]) for row in map(tuple, rows)]

    @override
    async def links(self, scope: str) -> list[bytes]:
        rows = await self.sql(
            "SELECT link FROM audit WHERE scope_id = $1 ORDER BY seq, client_id", Scope.parse(scope).id
        )
        return [row["link"] for row in rows]

    @override
    async def until_waiting(self) -> None:
        statement = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        with anyio.fail_after(10):
            while not await self.sql(statement):  # noqa: ASYNC110 - another connection waits.
                await anyio.sleep(0.005)

    @override
    async def cut_connections(self) -> None:
        # asyncpg reports what a dying connection had left over to the loop, which here would fail the test.
        asyncio.get_running_loop().set_exception_handler(lambda _loop, _context: None)
        await self.sql(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
            "WHERE datname = current_database() AND usename = ANY($1)",
            COMMITTED_BY,
        )
