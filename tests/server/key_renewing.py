"""What tests of renewed keys have in common: a server with a worker that renews, and a look into a person's ring."""

import math
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import anyio

from apex_server.db import Database
from apex_server.key_renewal import KeyRenewal, ask_for_renewal
from apex_server.key_renewal.renewal import KEYS_HELD_MAX
from apex_server.key_renewal.resealing import KEPT_FOR_THEM, THEIR_OWN, SealedColumn
from apex_server.vault import KeyRing, UserKey
from apex_server.vault.vault import user_key_context
from tests.server.accounts_app import Clock
from tests.server.sync_world import World, workout

BACKED_UP = datetime(2100, 1, 1, tzinfo=UTC)
TO_KEPT = (timedelta(0), KEYS_HELD_MAX, KEYS_HELD_MAX)
"""A new key is made; it seals, and everything is sealed with it; everything is looked through once more."""


async def open_world(db: Database, database_url: str) -> World:
    """Give a server of which there always is a newer backup, unless a test says otherwise."""
    world = await World(db, database_url).open()
    await note_backup(world, BACKED_UP)
    return world


async def train(world: World, workouts: int = 3) -> tuple[UUID, Any]:
    """Let an athlete with a phone log."""
    athlete = await world.athlete()
    phone = await world.device(athlete)
    for number in range(workouts):
        phone.write({**workout(), "notes": f"canary {number}"})
    await phone.sync()
    return athlete, phone


async def ask(world: World, clock: Clock) -> int | None:
    return await ask_for_renewal(world.db, older_than=max(datetime.now(UTC), clock.time), email=None, now=clock.time)


async def pass_time(renewal: KeyRenewal, clock: Clock, *spans: timedelta) -> None:
    """Let time pass, and the worker do what is due."""
    for span in spans:
        clock.time += span
        await renewal.step()


async def note_backup(world: World, moment: datetime | None) -> None:
    await world.sql("UPDATE server_identity SET backed_up_at = $1", moment)


async def renew_just_now(world: World, renewal: KeyRenewal, clock: Clock) -> None:
    """Give everybody another key, so that it ends now; backups have the time of the machine."""
    now = datetime.fromtimestamp(math.ceil(time.time()), UTC)
    clock.time = now - sum(TO_KEPT, timedelta(0))
    await ask(world, clock)
    await pass_time(renewal, clock, *TO_KEPT)
    await anyio.sleep(1)


async def erase(world: World, person: UUID) -> None:
    async with world.db.commit_connection() as connection, connection.transaction():
        await connection.execute("SELECT apex_erase_account($1, now())", person)
        await world.db.vault.destroy_user_key(connection, person)


def and_then(work: Callable[..., Any], then: Callable[[], Awaitable[None]]) -> Callable[..., Any]:
    """Do something, and then what happens at just that moment."""

    async def run(*arguments: Any) -> Any:
        done = await work(*arguments)
        await then()
        return done

    return run


async def fail() -> None:
    raise ConnectionAbortedError


async def ring_of(world: World, user_id: UUID) -> KeyRing:
    [row] = await world.sql("SELECT wrapped, master_key_id FROM data_keys WHERE user_id = $1", user_id)
    master = world.db.vault.master_keys
    context = user_key_context(user_id)
    return KeyRing.read(await master.unwrap(row["wrapped"], master_key_id=row["master_key_id"], context=context))


async def step_of(world: World, user_id: UUID) -> str | None:
    [row] = await world.sql("SELECT renewal FROM data_keys WHERE user_id = $1", user_id)
    return str(row["renewal"]) if row["renewal"] else None


async def key_of(world: World, user_id: UUID) -> UserKey:
    async with world.db.commit_connection() as connection:
        return await world.db.vault.user_key(connection, user_id)


ROWS = {
    "passkeys": "INSERT INTO passkeys (id, user_id, credential_id, public_key, sign_count, synced, name_sealed, "
    "created_at) VALUES (gen_random_uuid(), $1, uuid_send(gen_random_uuid()), '', 0, false, $2, now())",
    "totp_seeds": "INSERT INTO totp_seeds (user_id, seed_sealed, offered_at) VALUES ($1, $2, now())",
    "phones": "INSERT INTO phones (user_id, number_sealed, number_index, added_at) VALUES ($1, $2, sha256('x'), now())",
    "email_changes": "INSERT INTO email_changes (id, user_id, old_index, old_email, new_index, new_email, asked_at) "
    "VALUES (gen_random_uuid(), $1, sha256('x'), $2, sha256('y'), $2, now())",
    "organisations": "INSERT INTO organisations (owner_id, name, created_at) VALUES ($1, $2, now())",
    "invites": "INSERT INTO invites (code_hash, coach_id, draft, created_at, expires_at) "
    "VALUES (sha256('x'), $1, $2, now(), now())",
    "mails": "INSERT INTO mails (purpose, user_id, invite_id, invite_code, asked_at, due_at) "
    "SELECT 'invite', $1, invites.id, $2, now(), 'infinity' FROM invites WHERE coach_id = $1",
    "media": "INSERT INTO media (id, scope, scope_id, owner_id, media_id, kind, content_type, size_bytes, uploaded_by, "
    "handle, declared_at, key_sealed) VALUES (gen_random_uuid(), 'athlete:' || $1::uuid, gen_random_uuid(), $1, "
    "repeat('0', 64), 'photo', 'image/jpeg', 1, $1, '', now(), $2)",
    "worded_texts": "INSERT INTO worded_texts (key, athlete_id, reply, created_at) VALUES (sha256('x'), $1, $2, now())",
}


async def fill_columns(world: World, person: UUID, key: UserKey) -> dict[SealedColumn, bytes]:
    """Put a value into every column of a person; gives what was sealed."""
    values = {}
    for column in (*THEIR_OWN, *KEPT_FOR_THEM):
        values[column] = uuid4().bytes * 2
        sealed = key.seal(values[column], what=column.place)
        if not await world.sql(f"SELECT 1 FROM {column.table} WHERE {column.person} = $1", person):
            await world.sql(ROWS[column.table], person, sealed)
        put = f"UPDATE {column.table} SET {column.column} = $2 WHERE {column.person} = $1"
        await world.sql(put, person, sealed)
    return values


async def value_in(world: World, column: SealedColumn, person: UUID) -> bytes:
    statement = f"SELECT {column.column} AS value FROM {column.table} WHERE {column.person} = $1"
    return bytes((await world.sql(statement, person))[0]["value"])
