"""The request and the commit login: what they may do, what they may not, and how they come to be."""

import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID, uuid4

import anyio
import asyncpg
import msgspec
import pytest
from anyio.from_thread import BlockingPortal

from apex_server.db import Database, EmbeddedPostgres, ready_database
from apex_server.db.errors import (
    DatabaseNotMigrated,
    RoleLoginRefused,
    RoleMisconfigured,
    RolesMissing,
)
from apex_server.db.roles import role_urls
from apex_server.settings import Settings

pytestmark = pytest.mark.anyio

SECRET = "a secret for tests, long enough to be taken"
ANNA, BEN = uuid4(), uuid4()
DIARY = """
    CREATE TABLE diary (user_id uuid NOT NULL, page text NOT NULL);
    ALTER TABLE diary ENABLE ROW LEVEL SECURITY;
    ALTER TABLE diary FORCE ROW LEVEL SECURITY;
    CREATE POLICY own_pages ON diary TO apex_app USING (user_id = apex_user_id());
    GRANT SELECT, INSERT, UPDATE, DELETE ON diary TO apex_app, apex_commit;
"""


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


async def pages(db: Database, user_id: UUID | None) -> list[str]:
    async with db.request(user_id) as connection:
        return [row["page"] for row in await connection.fetch("SELECT page FROM diary ORDER BY page")]


@pytest.fixture
async def diary(db: Database, database_url: str) -> Database:
    """A table under row-level security with a page of Anna's and one of Ben's."""
    async with connected(database_url) as owner:
        await owner.execute(DIARY)
        await owner.executemany("INSERT INTO diary VALUES ($1, $2)", [(ANNA, "anna"), (BEN, "ben")])
    return db


async def test_a_request_sees_its_own_rows_and_a_stranger_none(diary: Database) -> None:
    assert await pages(diary, ANNA) == ["anna"]
    assert await pages(diary, BEN) == ["ben"]
    assert await pages(diary, None) == []


async def test_no_connection_carries_a_user_to_the_next_request(diary: Database) -> None:
    for _ in range(20):
        assert await pages(diary, ANNA) == ["anna"]
        assert await pages(diary, None) == []
    async with diary.app.acquire() as connection:
        assert await connection.fetch("SELECT page FROM diary") == []


async def test_a_request_commits_at_its_end_and_rolls_back_when_it_raises(diary: Database) -> None:
    async with diary.request(ANNA) as connection:
        await connection.execute("INSERT INTO diary VALUES ($1, 'kept')", ANNA)
    with pytest.raises(ZeroDivisionError):
        async with diary.request(ANNA) as connection:
            await connection.execute("INSERT INTO diary VALUES ($1, 'lost')", ANNA)
            raise ZeroDivisionError
    assert await pages(diary, ANNA) == ["anna", "kept"]


@pytest.mark.parametrize(
    "escape",
    [
        "SET ROLE NONE",
        "RESET ROLE",
        "RESET SESSION AUTHORIZATION",
        "SET ROLE apex_owner",
        "SET ROLE apex_commit",
        "SET SESSION AUTHORIZATION apex_owner",
        "SET row_security = off",
        "ALTER TABLE diary DISABLE ROW LEVEL SECURITY",
        "ALTER TABLE diary OWNER TO apex_app",
        "DROP POLICY own_pages ON diary",
        "CREATE POLICY all_pages ON diary USING (true)",
        "ALTER ROLE apex_app BYPASSRLS",
        "GRANT apex_commit TO apex_app",
        "CREATE TABLE public.mine (id integer)",
        "CREATE FUNCTION public.apex_user_id(integer) RETURNS uuid LANGUAGE sql RETURN NULL::uuid",
        "COPY diary TO PROGRAM 'cat'",
        "CREATE EXTENSION dblink",
    ],
)
async def test_sql_smuggled_into_a_request_does_not_reach_other_rows(diary: Database, escape: str) -> None:
    """Whatever the statement answers, the pages of others stay hidden, now and for the next request."""
    async with diary.app.acquire() as connection:
        try:
            await connection.execute(escape)
            seen = await connection.fetch("SELECT page FROM diary")
        except asyncpg.PostgresError:
            seen = []
        assert seen == []
        assert await connection.fetchval("SELECT current_user = 'apex_app' AND session_user = 'apex_app'")
    assert await pages(diary, ANNA) == ["anna"]


async def test_the_settings_of_a_session_survive_its_return_to_the_pool(db: Database) -> None:
    shown = "SELECT array[current_setting('jit'), current_setting('statement_timeout'), current_setting('search_path')]"
    for pool, timeout in ((db.app, "15s"), (db.commit, "30s")):
        async with pool.acquire() as connection:
            await connection.execute("SET jit = on; SET statement_timeout = 0; SET search_path = pg_catalog")
            pid = connection.get_server_pid()
        async with pool.acquire() as connection:
            assert connection.get_server_pid() == pid
            assert await connection.fetchval(shown) == ["off", timeout, "public, pg_temp"]


async def test_the_commit_login_copies_past_the_policies_and_is_neither_superuser_nor_owner(diary: Database) -> None:
    assert diary.commit_may_copy
    async with diary.commit_connection() as connection:
        await connection.copy_records_to_table("diary", records=[(ANNA, "copied")])
        assert await connection.fetchval("SELECT count(*) FROM diary") == 3
        for forbidden in ("ALTER TABLE diary DISABLE ROW LEVEL SECURITY", "SET ROLE apex_owner", "CREATE ROLE other"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(forbidden)


async def test_a_request_login_that_could_do_too_much_is_refused(settings: Settings, database_url: str) -> None:
    for url, reason in ((database_url, "is a superuser"), (role_urls(settings).commit, "bypasses row-level security")):
        with pytest.raises(RoleMisconfigured, match=reason) as refusal:
            async with Database.open(msgspec.structs.replace(settings, database_url_app=url)):
                pass
        assert refusal.value.variable == "APEX_DATABASE_URL_APP"


async def test_a_login_that_stands_for_no_role_is_refused(settings: Settings) -> None:
    stranger = msgspec.structs.replace(settings, database_url_commit=role_urls(settings).app)
    with pytest.raises(RoleMisconfigured, match="is not a member of apex_commit"):
        async with Database.open(stranger):
            pass


async def test_a_database_that_was_never_migrated_is_refused(settings: Settings, empty_database_url: str) -> None:
    with pytest.raises(DatabaseNotMigrated):
        async with Database.open(msgspec.structs.replace(settings, database_url=empty_database_url)):
            pass


@pytest.fixture
def guarded(fresh_data_dir: Path, portal: BlockingPortal) -> Iterator[EmbeddedPostgres]:
    """A Postgres like a provider's: passwords are asked for, and its owner `tenant` is no superuser."""
    server = EmbeddedPostgres(fresh_data_dir)
    with portal.wrap_async_context_manager(server):
        portal.call(make_tenant, server)
        yield server


async def make_tenant(server: EmbeddedPostgres) -> None:
    async with connected(server.dsn) as superuser:
        await superuser.execute("CREATE ROLE tenant LOGIN CREATEROLE PASSWORD 'tenant'")
        await superuser.execute("CREATE DATABASE tenant OWNER tenant")
        rules = "local all apex_owner trust\nlocal all all scram-sha-256\n"
        (server.directory.cluster / "pg_hba.conf").write_text(rules)
        await superuser.execute("SELECT pg_reload_conf()")
    while not await refuses(server.dsn.replace("apex_owner@/apex", "tenant:wrong@/tenant")):  # noqa: ASYNC110
        await anyio.sleep(0.02)


async def refuses(url: str) -> bool:
    try:
        async with connected(url):
            return False
    except asyncpg.InvalidPasswordError:
        return True


def tenant_settings(server: EmbeddedPostgres, tmp_path: Path, **more: str) -> Settings:
    url = server.dsn.replace("apex_owner@/apex", "tenant:tenant@/tenant")
    return msgspec.structs.replace(Settings(data_dir=tmp_path, secret=SECRET, database_url=url), **more)


async def test_an_owner_who_may_create_roles_needs_nothing_else(guarded: EmbeddedPostgres, tmp_path: Path) -> None:
    """Without the right to grant BYPASSRLS the commit path is told not to COPY."""
    async with ready_database(tenant_settings(guarded, tmp_path)) as settings, Database.open(settings) as db:
        assert not db.commit_may_copy
        async with db.request(ANNA) as connection:
            assert await connection.fetchval("SELECT apex_user_id()") == ANNA
    async with ready_database(settings), Database.open(settings):
        pass


async def test_a_changed_secret_is_named_and_mended_by_setting_the_passwords_anew(
    guarded: EmbeddedPostgres, tmp_path: Path
) -> None:
    first = tenant_settings(guarded, tmp_path)
    changed = msgspec.structs.replace(first, secret=SECRET[::-1])
    assert first.database_url is not None
    async with ready_database(first):
        pass
    with pytest.raises(RoleLoginRefused, match=r"apex_server\.db\.reset_passwords") as refusal:
        async with ready_database(changed), Database.open(changed):
            pass
    assert refusal.value.role == "apex_app"
    said = await anyio.run_process(
        [sys.executable, "-W", "error", "-m", "apex_server.db.reset_passwords"],
        env={"APEX_DATABASE_URL": first.database_url, "APEX_SECRET": changed.secret, "HOME": str(tmp_path)},
    )
    assert b"have new passwords" in said.stdout
    async with Database.open(changed):
        pass


async def test_an_owner_who_may_not_create_roles_is_told_what_to_have_run(
    guarded: EmbeddedPostgres, tmp_path: Path
) -> None:
    """What the error says is run as it stands, and the server then starts."""
    settings = tenant_settings(guarded, tmp_path)
    async with connected(guarded.dsn) as administrator:
        await administrator.execute("ALTER ROLE tenant NOCREATEROLE")
        with pytest.raises(RolesMissing) as refusal:
            async with ready_database(settings):
                pass
        for statement in refusal.value.statements:
            await administrator.execute(statement)
    by_hand = tenant_settings(
        guarded,
        tmp_path,
        database_url_app=guarded.dsn.replace("apex_owner@/apex", "apex_app:…@/tenant"),
        database_url_commit=guarded.dsn.replace("apex_owner@/apex", "apex_commit:…@/tenant"),
    )
    async with ready_database(by_hand), Database.open(by_hand) as db:
        assert db.commit_may_copy


async def test_a_login_of_another_name_serves_as_a_member_of_its_role(diary: Database, settings: Settings) -> None:
    assert settings.database_url is not None
    async with connected(settings.database_url) as owner:
        await owner.execute(
            "CREATE ROLE web LOGIN IN ROLE apex_app; CREATE ROLE jobs LOGIN BYPASSRLS IN ROLE apex_commit"
        )
    by_name = msgspec.structs.replace(
        settings,
        database_url_app=settings.database_url.replace("apex_owner", "web"),
        database_url_commit=settings.database_url.replace("apex_owner", "jobs"),
    )
    async with Database.open(by_name) as db:
        assert await pages(db, ANNA) == ["anna"]
        assert db.commit_may_copy
    async with connected(settings.database_url) as owner:
        await owner.execute("DROP ROLE web, jobs")


async def test_the_owner_may_not_serve_requests_even_where_it_is_no_superuser(
    guarded: EmbeddedPostgres, tmp_path: Path
) -> None:
    settings = tenant_settings(guarded, tmp_path)
    assert settings.database_url is not None
    async with ready_database(settings):
        with pytest.raises(RoleMisconfigured, match="owns the tables"):
            async with Database.open(msgspec.structs.replace(settings, database_url_app=settings.database_url)):
                pass
