"""The two pools that serve: `request` for people, `commit_connection` for the commit path and the jobs.

The invariant: a request sees what row-level security lets its user see. Its connections log in as a role that can
neither bypass the policies nor become one that can, which is checked when the pool opens, and the user's id is set for
one transaction only, so no connection carries it to the next user.

Server processes connect to Postgres itself or to a pooler in session mode: time limits are start-up parameters here,
and a listener needs a session.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any, NamedTuple
from uuid import UUID

import anyio
import asyncpg

from apex_server.db.errors import DatabaseNotMigrated, DatabaseUnavailable, RoleLoginRefused, RoleMisconfigured
from apex_server.db.outage import connecting, has_lost_track, outage_of
from apex_server.db.roles import APP_ROLE, COMMIT_ROLE, connect_role, role_urls
from apex_server.settings import Settings
from apex_server.vault import MasterKeys, Vault, master_keys_of

__all__ = ["Connection", "Database"]

# asyncpg ships no types; this is `asyncpg.pool.PoolConnectionProxy`.
Connection = Any

APP_CONNECTIONS_MAX = 10  # Requests are short; with four processes this leaves half of Postgres's usual 100 free.
COMMIT_CONNECTIONS_MAX = 4  # Commits of one scope queue anyway, and two batches are in flight per push.
CONNECT_TIMEOUT_SECONDS = 5.0
ACQUIRE_TIMEOUT_SECONDS = 10.0  # A request that waits longer for a connection is better repeated by its sender.
CLOSE_TIMEOUT_SECONDS = 10.0
STATEMENT_CACHE_SIZE = 200  # All named queries of all slices, so none is prepared twice on a connection.

SESSION_SETTINGS = {
    "jit": "off",  # Queries here are short; compiling one costs more than running it.
    "search_path": "public, pg_temp",  # A temporary table never stands in for a real one.
    "client_connection_check_interval": "2s",  # A killed process leaves no query running (Postgres 14 and later).
}


class Limits(NamedTuple):
    """How long Postgres may take for what."""

    statement_seconds: int
    lock_seconds: int
    idle_in_transaction_seconds: int

    @property
    def settings(self) -> dict[str, str]:
        """Give the limits as Postgres knows them."""
        return {
            "statement_timeout": f"{self.statement_seconds}s",
            "lock_timeout": f"{self.lock_seconds}s",
            "idle_in_transaction_session_timeout": f"{self.idle_in_transaction_seconds}s",
        }

    @property
    def silence_seconds(self) -> float:
        """How long an answer may take: only a connection that the network has forgotten takes so long."""
        return self.statement_seconds + 5.0


APP_LIMITS = Limits(statement_seconds=15, lock_seconds=5, idle_in_transaction_seconds=30)
COMMIT_LIMITS = Limits(statement_seconds=30, lock_seconds=10, idle_in_transaction_seconds=60)

LEFTOVERS = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)
"""What tidying up a connection may raise when Postgres is gone, and nobody needs to know."""

ACT_FOR = "SELECT set_config('apex.user_id', $1, true), set_config('apex.look_id', $2, true)"

DESCRIBE_LOGIN = """
    SELECT current_user AS role, rolsuper AS is_superuser, rolbypassrls AS bypasses_rls,
        pg_has_role(current_user, $1, 'USAGE') AS stands_for_role,
        pg_has_role(
            current_user,
            (SELECT relowner FROM pg_class WHERE oid = to_regclass('public.schema_migrations')),
            'MEMBER'
        ) AS is_owner
    FROM pg_roles
    WHERE rolname = current_user
"""


class Database:
    """A migrated database, open for serving; made by `Database.open`.

    `vault` has the keys, without which nothing that people wrote can be read. `look_id` names the look under which a
    support account reads; without it, support reads nothing.
    """

    def __init__(
        self,
        app: asyncpg.Pool,
        commit: asyncpg.Pool,
        *,
        commit_may_copy: bool,
        vault: Vault,
        look_id: UUID | None = None,
    ) -> None:
        self.app = app
        self.commit = commit
        self.commit_may_copy = commit_may_copy
        self.vault = vault
        self.look_id = look_id

    def under_look(self, look_id: UUID) -> "Database":
        """Give the same database to a support account that looks at somebody: all its requests are under this look."""
        return Database(self.app, self.commit, commit_may_copy=self.commit_may_copy, vault=self.vault, look_id=look_id)

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: Settings, *, master_keys: MasterKeys | None = None) -> AsyncIterator["Database"]:
        """Open both pools on `settings.database_url`, and close them at the end.

        `master_keys` are those of a key service; without it they come from the environment or the data directory.

        `commit_may_copy` is False where the commit role lacks BYPASSRLS: then COPY into a temporary table and
        INSERT … SELECT. Raises DatabaseUnavailable when Postgres does not answer, RoleLoginRefused or
        RoleMisconfigured when it would not be safe to serve, MasterKeyMissing when what people wrote cannot be read.
        """
        urls = role_urls(settings)
        async with (
            open_pool(
                urls.app,
                "APEX_DATABASE_URL_APP",
                APP_ROLE,
                APP_LIMITS,
                APP_CONNECTIONS_MAX,
                former_urls=urls.former_app,
            ) as app,
            open_pool(
                urls.commit,
                "APEX_DATABASE_URL_COMMIT",
                COMMIT_ROLE,
                COMMIT_LIMITS,
                COMMIT_CONNECTIONS_MAX,
                former_urls=urls.former_commit,
            ) as commit,
        ):
            await check_login(app, APP_ROLE, "APEX_DATABASE_URL_APP", may_bypass=False)
            bypasses = await check_login(commit, COMMIT_ROLE, "APEX_DATABASE_URL_COMMIT", may_bypass=True)
            vault = await Vault.open(partial(connection_of, commit), master_keys or master_keys_of(settings))
            yield cls(app, commit, commit_may_copy=bypasses, vault=vault)

    @asynccontextmanager
    async def request(self, user_id: UUID | None) -> AsyncIterator[Connection]:
        """Give a connection inside a transaction that acts for this user; None is somebody not signed in.

        Commits when the block ends, rolls back when it raises. Raises DatabaseUnavailable (retry) when Postgres is
        gone, or DatabaseBusy when a wait was lost, at any point of the block.
        """
        async with transaction_on(self.app) as connection:
            await connection.execute(ACT_FOR, str(user_id or ""), str(self.look_id or ""))
            yield connection

    @asynccontextmanager
    async def commit_connection(self) -> AsyncIterator[Connection]:
        """Give a connection of the commit role, outside a transaction: the caller opens its own.

        Row-level security does not hold here, so authority must have been checked. Raises as `request` does.
        """
        async with connection_of(self.commit) as connection:
            yield connection

    async def ping(self) -> None:
        """Return when both pools reach Postgres; raises DatabaseUnavailable. For `/ready`."""
        for pool in (self.app, self.commit):
            async with connection_of(pool) as connection:
                await connection.execute("SELECT 1")


@asynccontextmanager
async def transaction_on(pool: asyncpg.Pool) -> AsyncIterator[Connection]:
    async with connection_of(pool) as connection, connection.transaction():
        yield connection


@asynccontextmanager
async def connection_of(pool: asyncpg.Pool) -> AsyncIterator[Connection]:
    """Lend a connection; what passes with Postgres's outage leaves as DatabaseUnavailable."""
    if pool.is_closing():
        raise DatabaseUnavailable("this server is stopping")
    with connecting():
        connection = await pool.acquire(timeout=ACQUIRE_TIMEOUT_SECONDS)
    try:
        yield connection
    except Exception as error:
        outage = outage_of(error, closed=is_lost(connection))
        if outage is None:
            raise
        if isinstance(error, TimeoutError):
            await pool.expire_connections()  # What the network forgot of one connection, it forgot of all.
        if isinstance(error, TimeoutError) or has_lost_track(error):
            with suppress(*LEFTOVERS):
                connection.terminate()
        raise outage from error
    finally:
        # Postgres may die after the commit, in asyncpg's clean-up: what was committed must not look refused.
        with suppress(*LEFTOVERS):
            await pool.release(connection)


def is_lost(connection: Connection) -> bool:
    """Tell whether a lent connection is closed; asyncpg takes a closed one back at once and then answers no more."""
    try:
        return bool(connection.is_closed())
    except asyncpg.InterfaceError:
        return True


@asynccontextmanager
async def open_pool(
    url: str,
    variable: str,
    role: str,
    limits: Limits,
    connections_max: int,
    *,
    former_urls: Sequence[str] = (),
) -> AsyncIterator[asyncpg.Pool]:
    """Open a pool; its limits are start-up parameters, so the RESET ALL of asyncpg's release returns to them."""
    pool = asyncpg.create_pool(
        url,
        connect=partial(connect_role, former=former_urls),
        init_size=1,
        min_size=0,  # A floor would be restored in the background, with a traceback for each attempt of an outage.
        max_size=connections_max,
        timeout=CONNECT_TIMEOUT_SECONDS,
        command_timeout=limits.silence_seconds,
        statement_cache_size=STATEMENT_CACHE_SIZE,
        server_settings={"application_name": role, **SESSION_SETTINGS, **limits.settings},
    )
    try:
        with connecting():
            await pool
    except (asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InvalidPasswordError) as error:
        raise RoleLoginRefused(role, variable) from error
    try:
        yield pool
    finally:
        await close_pool(pool)


async def close_pool(pool: asyncpg.Pool) -> None:
    """Close when the last connection is back, or cut what is still out."""
    with anyio.CancelScope(shield=True), anyio.move_on_after(CLOSE_TIMEOUT_SECONDS), suppress(*LEFTOVERS):
        await pool.close()
    pool.terminate()


async def check_login(pool: asyncpg.Pool, role: str, variable: str, *, may_bypass: bool) -> bool:
    """Refuse a login that can do more or less than its part, and tell whether it bypasses row-level security."""
    async with connection_of(pool) as connection:
        login = await connection.fetchrow(DESCRIBE_LOGIN, role)
    if login["is_owner"] is None:
        raise DatabaseNotMigrated
    reasons = {
        "is a superuser": login["is_superuser"],
        "owns the tables or may become their owner": login["is_owner"],
        "bypasses row-level security": login["bypasses_rls"] and not may_bypass,
        f"is not a member of {role}": not login["stands_for_role"],
    }
    for reason, holds in reasons.items():
        if holds:
            raise RoleMisconfigured(login["role"], reason, variable)
    return bool(login["bypasses_rls"])
