"""The key file: what opens backups, kept apart from them, and only in its newest state.

A backup holds what people wrote sealed under their data keys, and not these keys. They stand in one file beside it,
wrapped under the master key as in the database, which every backup replaces. So a key that is destroyed is gone from
the file with the next backup, and nobody can open what it sealed in any backup, however old.

The rows of destroyed keys are in it, too: a restore takes away what an old backup holds of those people.
"""

import os
from datetime import datetime
from pathlib import Path
from uuid import UUID

import asyncpg
import msgspec
from msgspec import Struct

from apex_server.db import load_queries
from apex_server.operations.errors import KeyFileForeign, KeyFileMissing, KeysLacking, NotAKeyFile
from apex_server.vault import MasterKeys, server_key_context

__all__ = ["KEY_FILE_NAME", "KeyFile", "check_master_keys", "put_keys", "read_key_file", "read_keys", "write_key_file"]

queries = load_queries(__package__)

KEY_FILE_NAME = "apex-server.keys"
FORM = 1
KEY_FILE_BYTES_MAX = 1024 * 1024 * 1024
"""Some four million people."""


class StoredKey(Struct, frozen=True):
    """The data key of a person, as it stands in the database; without `wrapped` it is destroyed."""

    user_id: UUID
    wrapped: bytes | None
    master_key_id: str | None
    created_at: datetime
    destroyed_at: datetime | None


class StoredServerKey(Struct, frozen=True):
    """A key of the installation, as it stands in the database."""

    name: str
    wrapped: bytes
    master_key_id: str


class KeyFile(Struct, frozen=True, kw_only=True):
    """All keys of one moment, each wrapped under the master key."""

    form: int = FORM
    made_at: datetime
    server_keys: list[StoredServerKey]
    data_keys: list[StoredKey]


async def read_keys(owner: asyncpg.Connection, made_at: datetime) -> KeyFile:
    """Read all keys out of the database."""
    return KeyFile(
        made_at=made_at,
        server_keys=[StoredServerKey(**dict(row)) for row in await owner.fetch(queries.list_server_keys)],
        data_keys=[StoredKey(**dict(row)) for row in await owner.fetch(queries.list_data_keys)],
    )


def write_key_file(path: Path, keys: KeyFile) -> None:
    """Put the keys in the place of those that were there, whole or not at all.

    Rows of keys are never deleted, so a file that knows people whom the database does not is another installation's.
    Raises KeyFileForeign, NotAKeyFile, OSError; then the file is as it was.
    """
    if path.exists():
        unknown = {key.user_id for key in read_key_file(path).data_keys} - {key.user_id for key in keys.data_keys}
        if unknown:
            raise KeyFileForeign(path, len(unknown))
    part = path.with_name(f"{path.name}.part")
    part.unlink(missing_ok=True)
    try:
        with os.fdopen(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
            file.write(msgspec.json.encode(keys))
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def read_key_file(path: Path) -> KeyFile:
    """Read a key file. Raises KeyFileMissing, NotAKeyFile, OSError."""
    try:
        if path.stat().st_size > KEY_FILE_BYTES_MAX:
            raise NotAKeyFile(path, "it is too large")
        keys = msgspec.json.decode(path.read_bytes(), type=KeyFile)
    except FileNotFoundError as error:
        raise KeyFileMissing(path) from error
    except msgspec.DecodeError as error:
        raise NotAKeyFile(path, str(error)) from error
    if keys.form != FORM:
        raise NotAKeyFile(path, f"it has form {keys.form}, and this server reads {FORM}")
    return keys


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


async def erase_destroyed(owner: asyncpg.Connection) -> int:
    """Take away what a backup brought back of people whose keys are destroyed, and give how many they were."""
    rows = await owner.fetch(queries.list_brought_back)
    for row in rows:
        await owner.execute(queries.erase_account, row["id"], row["destroyed_at"])
    return len(rows)


async def check_keys(owner: asyncpg.Connection, path: Path) -> None:
    """Return when everybody has a key. Raises KeysLacking."""
    lacking = await owner.fetchval(queries.count_without_key)
    if lacking:
        raise KeysLacking(path, lacking)
