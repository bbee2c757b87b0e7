"""The migration runner: forwards only, one at a time, and nothing half done, even when it is killed."""

import subprocess
import sys
from pathlib import Path

import anyio
import asyncpg
import pytest

from apex_server.db import DatabaseUnavailable, migrate
from apex_server.db.errors import (
    DatabaseNewer,
    MigrationChanged,
    MigrationFailed,
    MigrationInvalid,
    MigrationLockTimeout,
    OwnerRefused,
)
from apex_server.db.migrate import LOCK_KEY, Migration, load_migrations, split_statements

pytestmark = pytest.mark.anyio

SECRET = "a secret for tests, long enough to be taken"
ATHLETES = Migration(
    1, "athletes", "CREATE TABLE athletes (id integer PRIMARY KEY);\nCREATE TABLE brake (seconds float);"
)
LOGS = Migration(2, "logs", "CREATE TABLE logs (athlete_id integer);\nINSERT INTO logs VALUES (7);")
BROKEN = Migration(2, "logs", "CREATE TABLE logs (athlete_id integer);\n\nINSERT INTO no_such_table VALUES (7);")
INDEX = Migration(
    3, "index", "-- no transaction\nCREATE INDEX CONCURRENTLY IF NOT EXISTS logs_athlete ON logs (athlete_id);\n"
)
SLOW = Migration(
    2, "slow", "CREATE TABLE slow (id integer);\nSELECT pg_sleep(seconds) FROM brake;\nINSERT INTO slow VALUES (1);"
)
RUN_SCRIPT = """
import anyio, sys
from pathlib import Path
from apex_server.db.migrate import load_migrations, migrate
anyio.run(lambda: migrate(sys.argv[1], secret=sys.argv[2], migrations=load_migrations(Path(sys.argv[3]))))
"""


async def apply(url: str, *migrations: Migration) -> list[str]:
    return [each.name for each in await migrate(url, secret=SECRET, migrations=migrations)]


async def fetch(url: str, statement: str) -> list[object]:
    connection = await asyncpg.connect(url)
    try:
        return [row[0] for row in await connection.fetch(statement)]
    finally:
        await connection.close()


async def ledger(url: str) -> list[object]:
    return await fetch(url, "SELECT name FROM schema_migrations ORDER BY version")


async def test_the_shipped_migrations_build_the_schema_once(empty_database_url: str) -> None:
    shipped = load_migrations()
    assert await migrate(empty_database_url, secret=SECRET) == shipped
    assert await migrate(empty_database_url, secret=SECRET) == []
    assert await ledger(empty_database_url) == [each.name for each in shipped]


async def test_only_what_is_missing_is_applied_also_between_applied_numbers(empty_database_url: str) -> None:
    assert await apply(empty_database_url, ATHLETES, LOGS._replace(version=9)) == ["athletes", "logs"]
    goals = Migration(5, "goals", "CREATE TABLE goals (id integer)")
    assert await apply(empty_database_url, ATHLETES, goals, LOGS._replace(version=9)) == ["goals"]


async def test_a_failing_file_leaves_nothing_of_itself_and_keeps_those_before(empty_database_url: str) -> None:
    with pytest.raises(MigrationFailed, match="no_such_table") as failure:
        await apply(empty_database_url, ATHLETES, BROKEN)
    assert (failure.value.version, failure.value.name, failure.value.line) == (2, "logs", 3)
    assert await ledger(empty_database_url) == ["athletes"]
    assert await fetch(empty_database_url, "SELECT to_regclass('logs')") == [None]
    assert await apply(empty_database_url, ATHLETES, LOGS) == ["logs"]


async def test_a_file_and_its_row_in_the_ledger_are_committed_together(empty_database_url: str) -> None:
    """Here the row cannot be written, so the file must not have happened."""
    rival = "INSERT INTO schema_migrations (version, name, sha256) VALUES (2, 'rival', '')"
    with pytest.raises(MigrationFailed, match="duplicate key"):
        await apply(empty_database_url, ATHLETES, LOGS._replace(sql=f"{LOGS.sql}\n{rival}"))
    assert await ledger(empty_database_url) == ["athletes"]
    assert await fetch(empty_database_url, "SELECT to_regclass('logs')") == [None]


async def test_a_killed_migration_leaves_the_database_usable_and_runs_again(
    empty_database_url: str, tmp_path: Path
) -> None:
    for migration in (ATHLETES, SLOW):
        (tmp_path / f"{migration.version:04d}_{migration.name}.sql").write_text(migration.sql)
    await apply(empty_database_url, ATHLETES)
    await fetch(empty_database_url, "INSERT INTO brake VALUES (60) RETURNING 1")
    command = [sys.executable, "-c", RUN_SCRIPT, empty_database_url, SECRET, str(tmp_path)]
    process = await anyio.open_process(command, stdout=subprocess.DEVNULL)
    async with process:
        await until_sleeping(empty_database_url)
        process.kill()
    assert await ledger(empty_database_url) == ["athletes"]
    await fetch(empty_database_url, "UPDATE brake SET seconds = 0 RETURNING 1")
    with anyio.fail_after(10):  # The statement of the dead process is noticed and ended, and with it the lock.
        assert await apply(empty_database_url, ATHLETES, SLOW) == ["slow"]
    assert await fetch(empty_database_url, "SELECT count(*) FROM slow") == [1]


async def until_sleeping(url: str) -> None:
    statement = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()"
    with anyio.fail_after(10):
        while await fetch(url, statement) == [0]:  # noqa: ASYNC110 - the killed process tells nobody.
            await anyio.sleep(0.05)


async def test_two_migrators_at_once_share_the_work(empty_database_url: str) -> None:
    applied: list[list[str]] = []

    async def one() -> None:
        applied.append(await apply(empty_database_url, ATHLETES, LOGS, INDEX))

    async with anyio.create_task_group() as tasks:
        for _ in range(4):
            tasks.start_soon(one)
    assert sorted(applied) == [[], [], [], ["athletes", "logs", "index"]]


async def test_two_databases_of_one_cluster_migrate_at_once(empty_database_url: str, database_url: str) -> None:
    """They share the roles, which only one of them can make."""
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(apply, empty_database_url, ATHLETES)
        tasks.start_soon(lambda: migrate(database_url, secret=SECRET))


async def test_an_index_is_built_concurrently_while_another_migrator_waits(empty_database_url: str) -> None:
    """A waiter blocked on the lock would hold a snapshot that the build waits for: a deadlock."""
    await apply(empty_database_url, ATHLETES, LOGS)
    with anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(apply, empty_database_url, ATHLETES, LOGS, INDEX)
    valid = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'logs_athlete'::regclass"
    assert await fetch(empty_database_url, valid) == [True]


async def test_waiting_for_another_migrator_is_bounded(empty_database_url: str) -> None:
    holder = await asyncpg.connect(empty_database_url)
    await holder.execute("SELECT pg_advisory_lock($1)", LOCK_KEY)
    with pytest.raises(MigrationLockTimeout):
        await migrate(empty_database_url, secret=SECRET, migrations=[ATHLETES], lock_timeout_seconds=0.2)
    await holder.close()
    assert await apply(empty_database_url, ATHLETES) == ["athletes"]


async def test_an_edited_migration_is_refused(empty_database_url: str) -> None:
    await apply(empty_database_url, ATHLETES)
    with pytest.raises(MigrationChanged) as refusal:
        await apply(empty_database_url, ATHLETES._replace(sql=ATHLETES.sql + "\n-- and more"), LOGS)
    assert (refusal.value.version, refusal.value.name) == (1, "athletes")
    assert await ledger(empty_database_url) == ["athletes"]


async def test_a_database_newer_than_the_code_is_refused(empty_database_url: str) -> None:
    await apply(empty_database_url, ATHLETES, LOGS)
    with pytest.raises(DatabaseNewer, match="update this server") as refusal:
        await apply(empty_database_url, ATHLETES)
    assert refusal.value.versions == (2,)


async def test_a_wrong_owner_or_database_is_named(empty_database_url: str) -> None:
    with pytest.raises(OwnerRefused, match="no_such_database"):
        await apply(empty_database_url.replace("/test_", "/no_such_database_"), ATHLETES)


async def test_a_postgres_that_is_not_there_may_be_there_later(tmp_path: Path) -> None:
    with pytest.raises(DatabaseUnavailable):
        await apply(f"postgresql://apex_owner@/apex?host={tmp_path}", ATHLETES)


async def test_a_file_without_transaction_runs_statement_by_statement() -> None:
    several = Migration(1, "several", "-- no transaction\nDROP INDEX CONCURRENTLY IF EXISTS a;\nSELECT ';' AS b;  \n")
    assert split_statements(several) == ["-- no transaction\nDROP INDEX CONCURRENTLY IF EXISTS a", "SELECT ';' AS b"]
    with pytest.raises(MigrationInvalid, match="defines a function"):
        split_statements(several._replace(sql="-- no transaction\nDO $$ BEGIN END $$;"))


@pytest.mark.parametrize(
    ("names", "sql", "reason"),
    [
        (["1_short.sql"], "SELECT 1", "not called NNNN_name.sql"),
        (["0001_Upper.sql"], "SELECT 1", "not called NNNN_name.sql"),
        (["0001_a.sql", "0001_b.sql"], "SELECT 1", "has the number of a"),
        (["0001_a.sql"], "SELECT 1;\ncommit;\nSELECT 2", "opens or ends a transaction"),
    ],
)
async def test_a_file_that_breaks_the_form_is_refused(tmp_path: Path, names: list[str], sql: str, reason: str) -> None:
    for name in names:
        (tmp_path / name).write_text(sql)
    with pytest.raises(MigrationInvalid, match=reason):
        load_migrations(tmp_path)


async def test_line_endings_do_not_count_as_an_edit(tmp_path: Path) -> None:
    (tmp_path / "0001_a.sql").write_bytes(b"SELECT 1;\nSELECT 2;\n")
    unix = load_migrations(tmp_path)[0].sha256
    (tmp_path / "0001_a.sql").write_bytes(b"SELECT 1;\r\nSELECT 2;\r\n")
    assert load_migrations(tmp_path)[0].sha256 == unix
