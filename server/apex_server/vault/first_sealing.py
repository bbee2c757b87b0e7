"""Sealing what stood plain in the database before there was a vault: steps of migrations, in their transactions.

Each sees the plain and the sealed column side by side, and leaves no plain value unsealed; the SQL after it drops the
plain ones.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import asyncpg

from apex_server.named_sql import load_queries
from apex_server.people import DEVICE_NAME, USER_EMAIL, USER_NAME
from apex_server.vault.data_keys import UserKey
from apex_server.vault.errors import MasterKeyNeeded
from apex_server.vault.master_keys import MasterKeys
from apex_server.vault.vault import Vault
from apex_sync.addresses import email_key

__all__ = ["seal_people"]

queries = load_queries(__package__)

ROWS_AT_ONCE = 1000
"""A few hundred kilobytes in memory."""

FIRST_ID = UUID(int=0)


async def seal_people(owner: asyncpg.Connection, master_keys: MasterKeys | None) -> None:
    """Seal the names and addresses of all users, and give a key to whoever has none."""
    if not await owner.fetchval(queries.has_users):
        return
    vault = await vault_over(owner, master_keys)
    async for users in pages(owner, queries.plain_users_after):
        keys = await keys_of(owner, vault, [row["id"] for row in users])
        await owner.executemany(queries.seal_user, [sealed_user(row, keys[row["id"]], vault) for row in users])
    async for devices in pages(owner, queries.plain_devices_after):
        keys = await keys_of(owner, vault, [row["user_id"] for row in devices])
        await owner.executemany(
            queries.seal_device,
            [(row["id"], keys[row["user_id"]].seal_text(row["plain_name"], what=DEVICE_NAME)) for row in devices],
        )
    invites = await owner.fetch(queries.plain_invites)
    await owner.executemany(
        queries.seal_invite, [(row["code_hash"], vault.email_index(row["email"])) for row in invites]
    )


async def vault_over(owner: asyncpg.Connection, master_keys: MasterKeys | None) -> Vault:
    """Open the vault on the connection of a migration. Raises MasterKeyNeeded."""
    if master_keys is None:
        raise MasterKeyNeeded

    @asynccontextmanager
    async def lend() -> AsyncIterator[asyncpg.Connection]:
        yield owner

    return await Vault.open(lend, master_keys)


async def keys_of(owner: asyncpg.Connection, vault: Vault, user_ids: Sequence[UUID]) -> dict[UUID, UserKey]:
    """Give everybody's key; who was there before keys gets one now."""
    keys = dict(await vault.user_keys(owner, user_ids))
    for user_id in set(user_ids) - keys.keys():
        keys[user_id] = await vault.add_user_key(owner, user_id)
    return keys


async def pages(owner: asyncpg.Connection, query: str) -> AsyncIterator[Sequence[Any]]:
    """Read a table in the order of its ids, some rows at a time."""
    last = FIRST_ID
    while rows := await owner.fetch(query, last, ROWS_AT_ONCE):
        yield rows
        last = rows[-1]["id"]


def sealed_user(row: Any, key: UserKey, vault: Vault) -> tuple[Any, ...]:
    """Seal a row of `users`; what stood in it may be older than today's form of a key."""
    return (
        row["id"],
        vault.email_index(email_key(row["plain_email"])),
        key.seal_text(row["email_typed"], what=USER_EMAIL),
        key.seal_text(row["plain_name"], what=USER_NAME),
    )
