"""A database from before there was a vault: its upgrade seals what people wrote, and leaves no plain copy behind."""

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg
import pytest

from apex_server.db import Database, migrate
from apex_server.db.migrate import Migration, load_migrations
from apex_server.people import DEVICE_NAME, USER_EMAIL, USER_NAME
from apex_server.settings import Settings
from apex_server.sync.sealing import open_documents
from apex_server.sync.store import DAMAGED
from apex_server.vault import MasterKeyNeeded, master_keys_of
from apex_sync.ids import Scope
from tests.server.conftest import SECRET
from tests.server.sealed_rows import vault_over

pytestmark = pytest.mark.anyio

FIRST_SEALED = 51
FIRST_SEALED_DOCUMENT = 60
FIRST_BOUND = 75
ANNA = UUID(int=1)
CARLA = UUID(int=2)


def migrations_before(version: int) -> list[Migration]:
    return [migration for migration in load_migrations() if migration.version < version]


@pytest.fixture
def older(empty_database_url: str, tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path, secret=SECRET, database_url=empty_database_url)


@pytest.fixture
async def owner(older: Settings) -> AsyncIterator[asyncpg.Connection]:
    """Give the owner's connection to a database with two people in it, as servers before this one left them."""
    await migrate(str(older.database_url), secret=SECRET, migrations=migrations_before(FIRST_SEALED))
    connection = await asyncpg.connect(str(older.database_url))
    for user_id, name, role in ((ANNA, "Ännchen Canary", "athlete"), (CARLA, "Carla", "coach")):
        await connection.execute(
            "INSERT INTO users (id, email, email_typed, password_hash, name, role, created_at) "
            "VALUES ($1, $2, $3, 'x', $4, $5, now())",
            user_id,
            f"{role}@example.com",
            f"{role.title()}@Example.com",
            name,
            role,
        )
        await connection.execute(
            "INSERT INTO devices (id, user_id, name, kind, token_hash, created_at, last_seen_at) "
            "VALUES ($1, $2, $3, 'watch', $4, now(), now())",
            uuid4(),
            user_id,
            f"{name}'s watch",
            bytes(32),
        )
    for number, address in ((b"1", "athlete@example.com"), (b"2", None)):
        await connection.execute(
            "INSERT INTO invites (code_hash, coach_id, email, created_at, expires_at) "
            "VALUES (sha256($1), $2, $3, now(), now())",
            number,
            CARLA,
            address,
        )
    yield connection
    await connection.close()


async def test_an_upgrade_seals_names_addresses_and_devices(owner: asyncpg.Connection, older: Settings) -> None:
    await migrate(str(older.database_url), secret=SECRET, master_keys=master_keys_of(older))
    async with Database.open(older) as database, database.request(ANNA) as connection:
        key = await database.vault.user_key(connection, ANNA)
        user = await connection.fetchrow("SELECT email_index, email, name FROM users WHERE id = $1", ANNA)
        assert key.open_text(user["name"], what=USER_NAME) == "Ännchen Canary"
        assert key.open_text(user["email"], what=USER_EMAIL) == "Athlete@Example.com"
        assert user["email_index"] == database.vault.email_index("athlete@example.com")
        device = await connection.fetchval("SELECT name FROM devices")
        assert key.open_text(device, what=DEVICE_NAME) == "Ännchen Canary's watch"
        indexes = {row["email_index"] for row in await owner.fetch("SELECT email_index FROM invites")}
        assert indexes == {user["email_index"], None}


async def test_an_upgrade_leaves_no_plain_value_in_the_files(owner: asyncpg.Connection, older: Settings) -> None:
    """A dropped column stays in the rows that had it, until they are written anew."""
    await migrate(str(older.database_url), secret=SECRET, master_keys=master_keys_of(older))
    await owner.execute("CHECKPOINT")
    for table in ("users", "devices", "invites"):
        path = await owner.fetchval("SELECT pg_relation_filepath($1)", table)
        content = await owner.fetchval("SELECT pg_read_binary_file($1)", path)
        for plain in ("Canary", "xample.com"):
            assert plain.encode() not in content, table


async def test_an_upgrade_seals_documents_and_leaves_no_plain_one(older: Settings) -> None:
    await migrate(str(older.database_url), secret=SECRET, migrations=migrations_before(FIRST_SEALED_DOCUMENT))
    owner = await asyncpg.connect(str(older.database_url))
    docs = {
        f"athlete:{ANNA}": b"Canary of a workout",
        f"private:{CARLA}:{ANNA}": b"Canary of a note",
        "global": b"Squat",
    }
    for scope, doc in docs.items():
        scope_id = Scope.parse(scope).id
        await owner.execute(
            "INSERT INTO scopes (scope_id, name, seq, digest, record_count, created_at) "
            "VALUES ($1, $2, 1, decode(repeat('00', 16), 'hex'), 1, now())",
            scope_id,
            scope,
        )
        await owner.execute(
            "INSERT INTO records (scope_id, record_id, seq, collection, doc, digest, needs_review, has_conflicts, "
            "deleted, is_long) "
            "VALUES ($1, $1, 1, 'check_ins', $2, decode(repeat('00', 16), 'hex'), false, false, false, false)",
            scope_id,
            doc,
        )
    await migrate(str(older.database_url), secret=SECRET, master_keys=master_keys_of(older))
    async with Database.open(older) as database, database.commit_connection() as connection:
        rows = await connection.fetch(
            "SELECT name AS scope, record_id, records.digest, doc FROM records JOIN scopes USING (scope_id)"
        )
        opened = await open_documents(connection, database.vault, rows)
    assert {row["scope"]: doc for row, doc in zip(rows, opened, strict=True)} == docs
    await owner.execute("CHECKPOINT")
    content = await owner.fetchval("SELECT pg_read_binary_file(pg_relation_filepath('records'))")
    await owner.close()
    assert b"Squat" in content and b"Canary" not in content


async def test_an_upgrade_binds_documents_to_what_they_hold(older: Settings) -> None:
    """So none can be put back to an older one; what is damaged already stays so, and holds up nothing."""
    await migrate(
        str(older.database_url),
        secret=SECRET,
        migrations=migrations_before(FIRST_BOUND),
        master_keys=master_keys_of(older),
    )
    scope, scope_id = f"athlete:{ANNA}", ANNA
    owner = await asyncpg.connect(str(older.database_url))
    vault = await vault_over(owner, master_keys_of(older))
    key = await vault.add_user_key(owner, ANNA)
    await owner.execute(
        "INSERT INTO scopes (scope_id, name, seq, digest, record_count, created_at) "
        "VALUES ($1, $2, 2, decode(repeat('00', 16), 'hex'), 2, now())",
        scope_id,
        scope,
    )
    docs = {UUID(int=1): b"\x00\x00", UUID(int=2): b"damaged"}
    for seq, (record_id, doc) in enumerate(docs.items(), 1):
        sealed = key.seal(doc, what=f"records.doc {scope_id.hex}/{record_id.hex}")
        await owner.execute(
            "INSERT INTO records (scope_id, record_id, seq, collection, doc, digest, needs_review, has_conflicts, "
            "deleted, is_long) VALUES ($1, $2, $3, 'check_ins', $4, $5, false, false, false, false)",
            *(scope_id, record_id, seq, sealed[:-1] if doc == b"damaged" else sealed, bytes([seq] * 16)),
        )
    await migrate(str(older.database_url), secret=SECRET, master_keys=master_keys_of(older))
    async with Database.open(older) as database, database.commit_connection() as connection:
        rows = [dict(row) for row in await connection.fetch("SELECT record_id, digest, doc FROM records ORDER BY seq")]
        assert await open_documents(connection, database.vault, rows, scope) == [b"\x00\x00", DAMAGED]
        rows[0]["digest"] = bytes(16)
        assert await open_documents(connection, database.vault, rows, scope) == [DAMAGED, DAMAGED]
    await owner.close()


async def test_without_a_master_key_nothing_is_changed(owner: asyncpg.Connection, older: Settings) -> None:
    with pytest.raises(MasterKeyNeeded):
        await migrate(str(older.database_url), secret=SECRET)
    assert await owner.fetchval("SELECT count(*) FROM users WHERE email_typed = 'Athlete@Example.com'") == 1
