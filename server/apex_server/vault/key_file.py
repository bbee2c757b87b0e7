"""The key file: what opens backups, kept apart from them, and only in its newest state.

A backup holds what people wrote sealed under their data keys, and not these keys. They stand in one file beside it,
wrapped under the master key as in the database, which every backup replaces, and every erasure in the folder that the
server knows (APEX_BACKUP_DIR). So a key that is destroyed is gone from the file, and nobody can open what it sealed in
any backup, however old.

The rows of destroyed keys are in it, too: a restore takes away what an old backup holds of those people. And so are the
fingerprints of their devices' secrets, of which a backup from before they signed in knows nothing.
"""

import fcntl
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
from anyio import to_thread
from msgspec import Struct

from apex_server.named_sql import load_queries
from apex_server.vault.errors import KeyFileForeign, KeyFileMissing, NotAKeyFile

__all__ = ["KEY_FILE_NAME", "KeyFile", "read_key_file", "renew_key_file"]

queries = load_queries(__package__)

# asyncpg ships no types.
Connection = Any

KEY_FILE_NAME = "apex-server.keys"
FORM = 2
FORMS_READ = (1, 2)
"""Of the first form, every person had one key."""
KEY_FILE_BYTES_MAX = 1024 * 1024 * 1024
"""Some four million people."""


class StoredKey(Struct, frozen=True):
    """The keys of a person, as they stand in the database; without `wrapped` they are destroyed."""

    user_id: UUID
    wrapped: bytes | None
    master_key_id: str | None
    created_at: datetime
    destroyed_at: datetime | None
    renewed_at: datetime | None = None
    renewal: str | None = None
    opens_since: datetime | None = None


class StoredServerKey(Struct, frozen=True):
    """A key of the installation, as it stands in the database."""

    name: str
    wrapped: bytes
    master_key_id: str


class KeyFile(Struct, frozen=True, kw_only=True):
    """All keys of one moment, each wrapped under the master key, and by what the devices of the erased are known."""

    form: int = FORM
    made_at: datetime
    server_keys: list[StoredServerKey]
    data_keys: list[StoredKey]
    erased_tokens: list[bytes] = []
    erased_client_ids: list[int] = []


async def renew_key_file(connection: Connection, path: Path, made_at: datetime) -> None:
    """Put the keys as they are now in the place of those that were there, whole or not at all.

    `connection` is the owner's or of the commit role, and in no transaction, which might see keys that are destroyed
    meanwhile. Raises KeyFileForeign, NotAKeyFile, OSError; then the file is as it was.
    """
    async with folder_held(path.parent) as folder:
        keys = await read_keys(connection, made_at)
        await to_thread.run_sync(write_key_file, path, keys)
        await to_thread.run_sync(os.fsync, folder)


@asynccontextmanager
async def folder_held(folder: Path) -> AsyncIterator[int]:
    """Keep out others of us: who reads keys before somebody is erased must not write them after it."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        await to_thread.run_sync(fcntl.flock, descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)


async def read_keys(connection: Connection, made_at: datetime) -> KeyFile:
    """Read all keys out of the database, and then by what the erased are known, which grows only."""
    return KeyFile(
        made_at=made_at,
        server_keys=[StoredServerKey(**dict(row)) for row in await connection.fetch(queries.list_server_keys)],
        data_keys=[StoredKey(**dict(row)) for row in await connection.fetch(queries.list_data_keys)],
        erased_tokens=[row["token_hash"] for row in await connection.fetch(queries.list_erased_tokens)],
        erased_client_ids=[row["client_id"] for row in await connection.fetch(queries.list_erased_client_ids)],
    )


def write_key_file(path: Path, keys: KeyFile) -> None:
    """Replace a key file by another one of the same installation.

    Rows of keys are never deleted, so a file that knows people whom the database does not is another installation's.
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
    if keys.form not in FORMS_READ:
        raise NotAKeyFile(path, f"it has form {keys.form}, and this server reads up to {FORM}")
    return keys
