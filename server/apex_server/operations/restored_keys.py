"""What the key file does in a restore: it opens what comes back, and keeps away who was erased since."""

from datetime import datetime
from pathlib import Path

import asyncpg

from apex_server.db import load_queries
from apex_server.operations.errors import KeysLacking, KeysRenewed
from apex_server.vault import KeyFile, MasterKeys, server_key_context

__all__ = ["check_keys", "check_master_keys", "keep_erased", "put_keys", "resume_renewals"]

queries = load_queries(__package__)


async def check_master_keys(keys: KeyFile, master_keys: MasterKeys) -> None:
    """Return when the master keys open the file. Raises MasterKeyMissing, or SealBroken for a file that was altered."""
    for key in keys.server_keys:
        context = server_key_context(key.name)
        await master_keys.unwrap(key.wrapped, master_key_id=key.master_key_id, context=context)


async def put_keys(owner: asyncpg.Connection, keys: KeyFile) -> None:
    """Give a restored database its keys; what it has already stays, but for keys that are destroyed since."""
    await owner.executemany(
        queries.put_server_key, [(key.name, key.wrapped, key.master_key_id) for key in keys.server_keys]
    )
    await owner.executemany(
        queries.put_data_key,
        [(key.user_id, key.wrapped, key.master_key_id, key.created_at, key.destroyed_at) for key in keys.data_keys],
    )


async def resume_renewals(owner: asyncpg.Connection, keys: KeyFile) -> None:
    """Let every renewal that had begun when the key file was written go through all that came back, once more."""
    await owner.executemany(
        queries.resume_renewal, [(key.user_id, key.renewed_at, key.renewal, key.opens_since) for key in keys.data_keys]
    )


async def keep_erased(owner: asyncpg.Connection, keys: KeyFile | None) -> int:
    """Take away what a backup brought back of people whose keys are destroyed, and give how many they were.

    Their devices are told to forget, also those that signed in after the backup was made.
    """
    rows = await owner.fetch(queries.list_brought_back)
    for row in rows:
        await owner.execute(queries.erase_account, row["id"], row["destroyed_at"])
    if keys is not None:
        await owner.execute(queries.put_erased_tokens, keys.erased_tokens)
        await owner.execute(queries.put_erased_client_ids, keys.erased_client_ids)
    return len(rows)


async def check_keys(owner: asyncpg.Connection, path: Path, made_at: datetime) -> None:
    """Return when everybody has the key of what a backup of this moment holds. Raises KeysLacking, KeysRenewed."""
    lacking = await owner.fetchval(queries.count_without_key)
    if lacking:
        raise KeysLacking(path, lacking)
    renewed = await owner.fetchval(queries.count_renewed_since, made_at)
    if renewed:
        raise KeysRenewed(path, renewed)
