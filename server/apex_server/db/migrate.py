"""Brings a database to this server's schema: numbered SQL files, forwards only.

    migrations/0021_records.sql      version 21, name "records"

The invariant: `schema_migrations` names exactly the files whose effects are in the database. A file and its row are
committed together, so an interrupted migration left nothing and simply runs again. A file that starts with the line
`-- no transaction` (for CREATE INDEX CONCURRENTLY) runs statement by statement, each ended by a semicolon at the end of
its line; it may be interrupted between them, so each statement must bear being run twice.

A line `-- python: module:function` in a file with a transaction is a step that SQL cannot do (sealing): the function
gets the owner's connection and the master keys, after the SQL above the line and before the SQL below it.

Numbers may have gaps and may be filled in later; an applied file never changes. Two processes may migrate at once: one
works, the other waits by polling, because a session that blocks on an advisory lock holds a snapshot, for which CREATE
INDEX CONCURRENTLY of the first would wait in turn.
"""

import asyncio
import hashlib
import importlib
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import asyncpg

from apex_server.db.errors import (
    DatabaseNewer,
    DatabaseUnavailable,
    MigrationChanged,
    MigrationFailed,
    MigrationInvalid,
    MigrationLockTimeout,
    OwnerRefused,
)
from apex_server.db.outage import connecting
from apex_server.db.roles import ensure_roles
from apex_server.vault import MasterKeys

__all__ = [
    "MIGRATIONS_DIR",
    "Migration",
    "apply_together",
    "connect_owner",
    "load_migrations",
    "migrate",
    "migration_lock",
]

MIGRATIONS_DIR = Path(__file__).parent / "migrations"
FILE_NAME = re.compile(r"(?P<version>\d{4})_(?P<name>[a-z0-9_]+)\.sql")
NO_TRANSACTION = "-- no transaction"
PYTHON_STEP = re.compile(r"^-- python: (?P<module>[a-z_.]+):(?P<function>[a-z_]+)$", re.MULTILINE)
OWN_TRANSACTION = re.compile(r"^\s*(BEGIN|START TRANSACTION|COMMIT|ROLLBACK)\s*;", re.IGNORECASE | re.MULTILINE)

LOCK_KEY = 0x61706578  # "apex"; an advisory lock belongs to one database, so one key does for all installations.
LOCK_POLL_SECONDS = 0.1
LOCK_TIMEOUT_SECONDS = 600.0  # Longer than any index build the other process may be at.
OWNER_SETTINGS = {
    "application_name": "apex_server migrate",
    "search_path": "public",
    "statement_timeout": "0",
    # The statement of a killed process ends soon after it, and the lock with it (Postgres 14 and later).
    "client_connection_check_interval": "1s",
    # A migration that queues for a table makes every later query queue behind it; so it rather gives up and runs again.
    "lock_timeout": "10s",
}

CREATE_LEDGER = """
    CREATE TABLE IF NOT EXISTS schema_migrations (
        version integer PRIMARY KEY,
        name text NOT NULL,
        sha256 bytea NOT NULL,
        applied_at timestamptz NOT NULL DEFAULT now()
    )
"""


class Migration(NamedTuple):
    """One file: what it is called, what is in it, and how it is to run."""

    version: int
    name: str
    sql: str

    @property
    def sha256(self) -> bytes:
        """Tell whether the file was edited; line endings do not count."""
        return hashlib.sha256(self.sql.encode()).digest()

    @property
    def in_transaction(self) -> bool:
        """False for a file that starts with `-- no transaction`."""
        return self.sql.partition("\n")[0].strip() != NO_TRANSACTION


def load_migrations(directory: Path = MIGRATIONS_DIR) -> list[Migration]:
    """Read the migration files in order of version.

    Raises MigrationInvalid for a file whose name is not `NNNN_name.sql`, that ends its own transaction, or whose number
    is taken.
    """
    by_version: dict[int, Migration] = {}
    for path in sorted(directory.glob("*.sql")):
        match = FILE_NAME.fullmatch(path.name)
        if match is None:
            raise MigrationInvalid(path.name, "is not called NNNN_name.sql")
        migration = Migration(int(match["version"]), match["name"], path.read_text(encoding="utf-8"))
        if OWN_TRANSACTION.search(migration.sql):
            raise MigrationInvalid(path.name, "opens or ends a transaction; the runner does that")
        if migration.version in by_version:
            raise MigrationInvalid(path.name, f"has the number of {by_version[migration.version].name}")
        by_version[migration.version] = migration
    return list(by_version.values())


async def migrate(
    owner_url: str,
    *,
    secret: str,
    master_keys: MasterKeys | None = None,
    migrations: Sequence[Migration] | None = None,
    lock_timeout_seconds: float = LOCK_TIMEOUT_SECONDS,
) -> list[Migration]:
    """Apply what is missing, as the owner, and give what was applied; an empty list when the schema was up to date.

    Makes the login roles first (see roles.py). `master_keys` are needed where there is something to seal.
    Raises a MigrationError or RolesMissing; each leaves the database
    usable and a later call goes on from there.
    """
    known = await asyncio.to_thread(load_migrations) if migrations is None else list(migrations)
    owner = await connect_owner(owner_url)
    try:
        async with migration_lock(owner, lock_timeout_seconds):
            await ensure_roles(owner, secret=secret)
            await owner.execute(CREATE_LEDGER)
            pending = await find_pending(owner, known)
            for migration in pending:
                await apply(owner, migration, master_keys)
        return pending
    finally:
        await owner.close()


async def apply_together(
    owner: asyncpg.Connection, migrations: Sequence[Migration], *, master_keys: MasterKeys | None = None
) -> None:
    """Apply files within the caller's transaction, to a schema that nobody uses yet.

    So no index has to be built beside the work of others, and files that usually run without a transaction need none
    of their own.
    """
    await owner.execute(CREATE_LEDGER)
    for migration in migrations:
        try:
            await run(owner, migration.sql.replace(" CONCURRENTLY", ""), master_keys)
            await record(owner, migration)
        except asyncpg.PostgresError as error:
            raise MigrationFailed(migration.version, migration.name, str(error), line=None) from error


async def connect_owner(owner_url: str) -> asyncpg.Connection:
    """Open a connection for work on the schema. Raises DatabaseUnavailable or OwnerRefused."""
    try:
        with connecting():
            return await asyncpg.connect(owner_url, server_settings=OWNER_SETTINGS)
    except (asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InvalidCatalogNameError) as error:
        raise OwnerRefused(str(error)) from error


@asynccontextmanager
async def migration_lock(
    owner: asyncpg.Connection, timeout_seconds: float = LOCK_TIMEOUT_SECONDS
) -> AsyncIterator[None]:
    """Keep every other process from migrating, and so from starting to serve, until the block ends.

    Raises MigrationLockTimeout.
    """
    clock = asyncio.get_running_loop().time
    give_up_at = clock() + timeout_seconds
    while not await owner.fetchval("SELECT pg_try_advisory_lock($1)", LOCK_KEY):
        if clock() >= give_up_at:
            raise MigrationLockTimeout(timeout_seconds)
        await asyncio.sleep(LOCK_POLL_SECONDS)
    try:
        yield
    finally:
        if not owner.is_closed():
            await owner.execute("SELECT pg_advisory_unlock_all()")


async def find_pending(owner: asyncpg.Connection, known: Sequence[Migration]) -> list[Migration]:
    rows = await owner.fetch("SELECT version, name, sha256 FROM schema_migrations ORDER BY version")
    applied = {row["version"]: row for row in rows}
    unknown = applied.keys() - {migration.version for migration in known}
    if unknown:
        raise DatabaseNewer(sorted(unknown))
    for migration in known:
        row = applied.get(migration.version)
        if row is not None and row["sha256"] != migration.sha256:
            raise MigrationChanged(migration.version, migration.name)
    return [migration for migration in known if migration.version not in applied]


async def apply(owner: asyncpg.Connection, migration: Migration, master_keys: MasterKeys | None) -> None:
    try:
        if migration.in_transaction:
            async with owner.transaction():
                await run(owner, migration.sql, master_keys)
                await record(owner, migration)
        else:
            for statement in split_statements(migration):
                await owner.execute(statement)
            await record(owner, migration)
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
        if owner.is_closed():
            raise DatabaseUnavailable(f"it went away during migration {migration.version:04d}") from error
        raise MigrationFailed(
            migration.version, migration.name, str(error), line=error_line(error, migration)
        ) from error


async def run(owner: asyncpg.Connection, sql: str, master_keys: MasterKeys | None) -> None:
    """Run a file's SQL, and its steps in Python where they stand."""
    start = 0
    for match in PYTHON_STEP.finditer(sql):
        await execute(owner, sql[start : match.start()])
        await getattr(importlib.import_module(match["module"]), match["function"])(owner, master_keys)
        start = match.end()
    await execute(owner, sql[start:])


async def execute(owner: asyncpg.Connection, sql: str) -> None:
    """Run statements, if there are any: asyncpg cannot run comments alone."""
    if any(line.strip() and not line.lstrip().startswith("--") for line in sql.splitlines()):
        await owner.execute(sql)


async def record(owner: asyncpg.Connection, migration: Migration) -> None:
    await owner.execute(
        "INSERT INTO schema_migrations (version, name, sha256) VALUES ($1, $2, $3)",
        migration.version,
        migration.name,
        migration.sha256,
    )


def split_statements(migration: Migration) -> list[str]:
    """Cut a file without a transaction where a line ends in a semicolon: several at once would be a transaction."""
    file_name = f"{migration.version:04d}_{migration.name}.sql"
    if "$$" in migration.sql:
        raise MigrationInvalid(file_name, "defines a function; that belongs into a file with a transaction")
    statements = [part.strip() for part in re.split(r";[ \t]*(?:\n|\Z)", migration.sql)]
    return [statement for statement in statements if statement]


def error_line(error: Exception, migration: Migration) -> int | None:
    """Tell where in the file Postgres stopped; unknown for a file that was run piecewise."""
    position = getattr(error, "position", None)
    if position is None or not migration.in_transaction or PYTHON_STEP.search(migration.sql):
        return None
    return migration.sql.count("\n", 0, int(position) - 1) + 1
