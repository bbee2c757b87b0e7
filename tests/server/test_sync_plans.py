"""How Postgres goes about it: hot queries use their indexes, and a commit role without BYPASSRLS works all the same."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg
import msgspec
import pytest

from apex_server.db import Database, EmbeddedPostgres, load_queries
from apex_server.settings import Settings
from apex_server.sync.projection_tables import TABLES
from apex_server.sync.save_one import save_one_arguments, save_one_statement
from apex_sync.models import COLLECTIONS
from tests.server.conftest import SECRET, TEMPLATE, execute, url_of
from tests.server.sync_world import World, assert_consistent, workout

pytestmark = pytest.mark.anyio

queries = load_queries("apex_server.sync")
LARGE = ("records", "audit", "dead_ops", *TABLES)


DATABASE = "sync_plans"


class Filled(NamedTuple):
    """A database with many rows, and the athlete whom a quarter of them belongs to."""

    world: World
    db: Database
    athlete: UUID


@pytest.fixture(scope="module")
async def filled(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Filled]:
    """Filled once: who asks how Postgres would go about something changes nothing."""
    await execute(postgres.dsn, f"CREATE DATABASE {DATABASE} TEMPLATE {TEMPLATE}")
    url = url_of(postgres, DATABASE)
    settings = Settings(data_dir=tmp_path_factory.mktemp("plans"), secret=SECRET, database_url=url)
    async with Database.open(settings) as db:
        world = await World(db, url).open()
        yield Filled(world, db, await fill(world))
    await execute(postgres.dsn, f"DROP DATABASE {DATABASE} WITH (FORCE)")


VALUE_BY_TYPE = {
    "uuid": "gen_random_uuid()",
    "bigint": "number",
    "integer": "number",
    "text": "number::text",
    "bytea": "decode(md5(number::text), 'hex')",
    "boolean": "false",
    "double precision": "number",
}


async def fill(world: World) -> UUID:
    """Make thousands of rows of everything, a quarter of them in one athlete's scope."""
    athlete = await world.athlete()
    phone = await world.device(athlete)
    phone.write(workout())
    await phone.sync()
    for table in LARGE:
        rows = await world.sql(
            "SELECT attname AS name, format_type(atttypid, NULL) AS type FROM pg_attribute "
            "WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped",
            table,
        )
        values = {row["name"]: VALUE_BY_TYPE.get(row["type"], f"now()::{row['type']}") for row in rows}
        values["scope_id"] = f"CASE WHEN number < 3000 THEN '{athlete}' ELSE gen_random_uuid() END"
        await world.sql(
            f"INSERT INTO {table} ({', '.join(values)}) SELECT {', '.join(values.values())} "
            "FROM generate_series(1001, 13000) AS number"
        )
    await world.sql("ANALYZE")
    return athlete


def scans(plan: dict[str, Any]) -> Iterator[str]:
    if plan["Node Type"] == "Seq Scan" and plan["Relation Name"] in LARGE:
        yield f"{plan['Node Type']} on {plan['Relation Name']}"
    for inner in plan.get("Plans", ()):
        yield from scans(inner)


async def explain(connection: Any, sql: str, *arguments: Any) -> list[str]:
    """Name the large tables that a plan reads from end to end."""
    plan = msgspec.json.decode(await connection.fetchval(f"EXPLAIN (FORMAT JSON) {sql}", *arguments))
    return list(scans(plan[0]["Plan"]))


async def test_readers_go_by_the_index_under_row_level_security(filled: Filled) -> None:
    _, db, athlete = filled
    ids = [UUID(int=1), UUID(int=2)]
    async with db.request(athlete) as connection:
        for sql, arguments in (
            (queries.granted_scopes, [athlete]),
            (queries.feed_above, [athlete, 3000, 1000, 29]),
            (queries.feed_below, [athlete, 2000, 1000, 100_000, 29]),
            (queries.spans_between, [athlete, 3000, 3100]),
            (queries.records_by_id, [athlete, ids, 100_000, 29]),
            (queries.count_outside, [athlete, 1500, 3900]),
        ):
            assert await explain(connection, sql, *arguments) == [], sql


async def test_a_pull_begins_without_the_policies_of_accounts(filled: Filled) -> None:
    """They took 20 ms to plan on every new connection, and who asks what is granted to themselves needs none."""
    world, db, athlete = filled
    other = await world.athlete()
    async with db.request(athlete) as connection:
        plan = await connection.fetchval(f"EXPLAIN (FORMAT JSON) {queries.granted_scopes}", athlete)
        assert set(relations(msgspec.json.decode(plan)[0]["Plan"])) == {"scopes"}
        assert await connection.fetch(queries.granted_scopes, athlete)
        assert await connection.fetch(queries.granted_scopes, other) == []


def relations(plan: dict[str, Any]) -> Iterator[str]:
    if "Relation Name" in plan:
        yield plan["Relation Name"]
    for inner in plan.get("Plans", ()):
        yield from relations(inner)


async def test_commits_go_by_the_index(filled: Filled) -> None:
    _, db, athlete = filled
    ids = [UUID(int=number) for number in range(1000)]
    scope = f"athlete:{athlete}"
    async with db.commit_connection() as connection:
        for sql, arguments in (
            (queries.view_scope, [athlete, athlete, scope]),
            (queries.view_records, [athlete, ids, 7, 0, [0] * 1000, [9] * 1000]),
            (queries.view_one, [athlete, athlete, scope, UUID(int=1), 7, 0, 9, athlete]),
            (queries.documents_page, [athlete, UUID(int=1), 500, 100_000]),
            (queries.long_records_after, [UUID(int=0), UUID(int=0), 100]),
        ):
            assert await explain(connection, sql, *arguments) == [], sql
        for table in ("records", *TABLES):
            assert await explain(connection, delete_of(table), athlete, ids) == [], table


def delete_of(table: str) -> str:
    return f"DELETE FROM {table} WHERE scope_id = $1 AND record_id = ANY($2::uuid[])"


@pytest.mark.parametrize("collection", sorted(COLLECTIONS))
async def test_a_single_op_goes_by_the_index(filled: Filled, collection: str) -> None:
    _, db, athlete = filled
    arguments = [
        athlete,
        UUID(int=1),
        5,
        bytes(16),
        1,
        athlete,
        "athlete",
        collection,
        b"",
        bytes(16),
        False,
        False,
        False,
    ]
    arguments += [
        0,
        None,
        datetime(2026, 3, 1, tzinfo=UTC),
        [7],
        [0],
        [1],
        [],
        False,
        [bytes(16)],
        bytes(32),
        *save_one_arguments(collection, {}),
    ]
    async with db.commit_connection() as connection:
        assert await explain(connection, save_one_statement(collection), *arguments) == []


@asynccontextmanager
async def without_bypass(owner_url: str) -> AsyncIterator[None]:
    """Take from the commit role what a managed Postgres may not give; roles are shared, so it is given back."""
    owner = await asyncpg.connect(owner_url)
    await owner.execute("ALTER ROLE apex_commit NOBYPASSRLS")
    try:
        yield
    finally:
        await owner.execute("ALTER ROLE apex_commit BYPASSRLS")
        await owner.close()


async def test_a_commit_role_under_row_level_security_commits_the_same(settings: Settings, database_url: str) -> None:
    async with without_bypass(database_url), Database.open(settings) as db:
        assert not db.commit_may_copy
        world = await World(db, database_url).open()
        athlete = await world.athlete()
        phone, watch = await world.device(athlete), await world.device(athlete)
        record_ids = [phone.write(workout()) for _ in range(30)]
        await phone.sync()
        await watch.sync()
        for record_id in record_ids:
            watch.write({"fatigue": 2}, record_id)
        await watch.sync()
        phone.write({"mood": 2}, record_ids[0])
        await phone.sync()
        await watch.sync()
        assert phone.digest(phone.scope) == watch.digest(watch.scope)
        await assert_consistent(world)
