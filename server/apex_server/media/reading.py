"""Reading media: found under the reader's own row-level security, opened piece by piece on its way out."""

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any, Literal, NamedTuple
from uuid import UUID

import structlog

from apex_server.db import Connection, load_queries
from apex_server.errors import NotFound
from apex_server.media.errors import MediaDamaged
from apex_server.media.sealed_files import FileSeal, key_of_files, open_file
from apex_server.media.store import MediaStore, NoSuchObject
from apex_server.vault import SealBroken, UserKey, Vault

__all__ = ["FileName", "ReadyMedia", "find_ready", "pieces_of", "readable", "ready_of", "whole_file"]

FileName = Literal["original", "thumbnail"]

_queries = load_queries(__package__)
_log = structlog.get_logger(__name__)


class ReadyMedia(NamedTuple):
    """Media that was looked at and sealed, with the key that opens it."""

    id: UUID
    key: UserKey
    content_type: str
    digest: str
    stored_bytes: int
    thumbnail_bytes: int

    def size_of(self, name: FileName) -> int:
        """Give the size of one of its files."""
        return self.stored_bytes if name == "original" else self.thumbnail_bytes


async def find_ready(connection: Connection, vault: Vault, media_id: str, scope_id: UUID | None = None) -> ReadyMedia:
    """Find media by what was handed in, in any scope that the connection's user may read, or in one.

    Raises NotFound for what is not ready, too, KeyDestroyed, and SealBroken.
    """
    row = await connection.fetchrow(_queries.get_ready, media_id, scope_id)
    if row is None:
        raise NotFound("media")
    return await ready_of(connection, vault, row)


async def ready_of(connection: Connection, vault: Vault, row: Any) -> ReadyMedia:
    """Give what a row says is ready, with its key. Raises KeyDestroyed, SealBroken."""
    key = key_of_files(await vault.user_key(connection, row["owner_id"]), row["key_sealed"])
    return ReadyMedia(
        row["id"], key, row["content_type"], row["digest"], row["stored_bytes"], row["thumbnail_bytes"] or 0
    )


def pieces_of(
    store: MediaStore, ready: ReadyMedia, name: FileName, start: int = 0, end: int | None = None
) -> AsyncIterator[bytes]:
    """Give a file in the clear from a place on, to its end or up to and without `end`.

    Raises MediaStoreAway, NoSuchObject, SealBroken.
    """
    seal = FileSeal(ready.key, ready.id, name, ready.size_of(name))
    return open_file(store, f"{ready.id}/{name}", seal, start, end)


async def whole_file(store: MediaStore, ready: ReadyMedia, name: FileName) -> bytes:
    """Give a file in the clear; for pictures, which are small. Raises as `pieces_of` does."""
    return b"".join([piece async for piece in pieces_of(store, ready, name)])


@contextmanager
def readable() -> Iterator[None]:
    """Refuse to read what the store lost, as NotFound, and what does not open, as MediaDamaged, which is logged."""
    try:
        yield
    except NoSuchObject as error:
        raise NotFound("media") from error
    except SealBroken as error:
        _log.error("media_damaged", reason=str(error))
        raise MediaDamaged from error
