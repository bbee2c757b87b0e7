"""Changing the master key: every key is wrapped anew under the current one; what the keys sealed stays as it is.

The server keys go first, in one transaction. From its commit on the database takes no data key under another master key
(the policy of `data_keys`), so what follows goes through the data keys once, in pieces of any size, and misses none.
Stopped anywhere it is simply run again. Until it is done both master keys are needed, and servers that have both notice
nothing.
"""

from collections.abc import Callable
from typing import Any, Final

from apex_server.named_sql import load_queries
from apex_server.vault.errors import MasterKeyMissing
from apex_server.vault.master_keys import MasterKeys
from apex_server.vault.vault import Connect, Connection, server_key_context, user_key_context

__all__ = ["is_rotated", "rotate_master_key"]

queries = load_queries(__package__)

KEYS_AT_ONCE: Final = 500
"""A key service may take some milliseconds for each; a piece is a few seconds then, and is kept if it stops."""


async def is_rotated(connect: Connect, master_keys: MasterKeys) -> bool:
    """Tell whether everything is wrapped under the current master key."""
    async with connect() as connection:
        return bool(await connection.fetchval(queries.all_under, master_keys.current_id))


async def rotate_master_key(
    connect: Connect, master_keys: MasterKeys, told: Callable[[int], None] = lambda count: None
) -> int:
    """Wrap every key under the current master key, and give how many were not; `told` hears how many so far.

    Raises MasterKeyMissing where a former master key is not at hand; what was wrapped anew by then stays so.
    """
    current = master_keys.current_id
    if current is None:
        raise MasterKeyMissing("of this installation", source="its settings")
    count = await rotate_server_keys(connect, master_keys, current)
    while True:
        async with connect() as connection, connection.transaction():
            rotated = await rotate_some_data_keys(connection, master_keys, current)
        if not rotated:
            return count
        count += rotated
        told(count)


async def rotate_server_keys(connect: Connect, master_keys: MasterKeys, current: str) -> int:
    """Wrap the installation's own keys anew, all or none: their master key is the one that new keys must have."""
    async with connect() as connection, connection.transaction():
        rows = await connection.fetch(queries.lock_server_keys_not_under, current)
        for row in rows:
            wrapped = await wrapped_anew(master_keys, row, current, server_key_context(row["name"]))
            await connection.execute(queries.put_server_key_under, row["name"], wrapped, current)
    return len(rows)


async def rotate_some_data_keys(connection: Connection, master_keys: MasterKeys, current: str) -> int:
    """Wrap some data keys anew; none are left when it gives 0."""
    rows = await connection.fetch(queries.lock_data_keys_not_under, current, KEYS_AT_ONCE)
    wrapped = [await wrapped_anew(master_keys, row, current, user_key_context(row["user_id"])) for row in rows]
    await connection.execute(queries.put_data_keys_under, [row["user_id"] for row in rows], wrapped, current)
    return len(rows)


async def wrapped_anew(master_keys: MasterKeys, row: Any, current: str, context: str) -> bytes:
    """Unwrap a key with the master key it is under, and wrap it with the current one."""
    key = await master_keys.unwrap(row["wrapped"], master_key_id=row["master_key_id"], context=context)
    return await master_keys.wrap(key, master_key_id=current, context=context)
