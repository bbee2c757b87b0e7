"""What the worker does with media that came in: sees what it really is, and keeps it sealed.

The bytes must be those that were announced, and of the format they were said to be. Pictures are drawn anew by a
program of its own (pictures.py); recordings, films and documents are kept as they are. Nothing stands in the clear on
the worker's disk. What came in becomes garbage in the statement that says what became of it, and garbage is tried
until the store has deleted it.
"""

import hashlib
import tempfile
from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import structlog

from apex_server.db import Database, load_queries
from apex_server.errors import ServerBusy
from apex_server.media.directory import DirectoryStore
from apex_server.media.errors import MediaStoreAway
from apex_server.media.pictures import DrawingBroke, Drawn, PictureRefused, draw, drawing_turn
from apex_server.media.sealed_files import MEDIA_KEY, FileSeal, key_of_files
from apex_server.media.store import MediaStore, NoSuchObject, raw_name
from apex_server.vault import KeyDestroyed, UserKey
from apex_sync.models.media import HEAD_BYTES, is_picture, looks_like

__all__ = ["MediaKeeper"]

LEASE = timedelta(minutes=10)
"""A worker that took one up so long ago is dead; the longest film is sealed in a tenth of that."""
ATTEMPTS_MAX = 3
"""What has killed so many workers is not tried again."""

UNFINISHED_KEPT = timedelta(days=7)
"""So long a telephone without a network goes on with an upload, or learns why it was refused; then it begins anew."""
DELETED_KEPT = timedelta(days=30)
"""So long a photo that was deleted can be restored with its picture; until then nobody reads it."""
STRAYS_KEPT = timedelta(days=30)
"""So long what lies in the store without a row stays: a later backup than the one that was restored may have it."""
SETTLED = timedelta(days=1)
"""What was put into the store in this time may be on its way to its row."""
UNNAMED_AT_ONCE = 10_000
SAMPLED = 100
"""Of so many pieces of media, whose ids are random, most are in a directory that is the database's own."""
AT_ONCE = 100
"""Rows in one statement, objects in one sweep."""
UPLOADERS_REMEMBERED = 100
"""Of how many who handed something in last it is known when they had their turn."""

_queries = load_queries(__package__)
_log = structlog.get_logger(__name__)


class Refusal(Exception):
    """It is not taken; `reason` is a word that stays the same."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class MediaKeeper:
    """Looks at what came in, and deletes from the store what is gone; `now` is the wall clock, with a zone."""

    def __init__(self, database: Database, store: MediaStore, *, now: Callable[[], datetime]) -> None:
        self._database = database
        self._store = store
        self._now = now
        self._served: dict[UUID, None] = {}

    async def check_next(self) -> bool:
        """Look at one; False when none is waiting. Raises DatabaseUnavailable, MediaStoreAway: it is taken up again."""
        now = self._now()
        async with self._database.commit_connection() as connection:
            row = await connection.fetchrow(_queries.take_unchecked, now, now - LEASE, list(self._served))
        if row is None:
            return False
        self._note_turn(row["uploaded_by"])
        try:
            await self._keep(row)
        except (Refusal, PictureRefused) as refusal:
            await self._refuse(row, refusal.reason)
        except (NoSuchObject, KeyDestroyed):  # Lost on its way, or gone with its person.
            await self._refuse(row, "hash_mismatch")
        except DrawingBroke as error:  # As if this worker had died: after the lease it is taken up again.
            _log.warning("drawing_broke", media=str(row["id"]), attempt=row["attempts"], error=str(error))
            return True
        except (MediaStoreAway, OSError, ServerBusy):  # Of the machine, and nothing of the picture.
            async with self._database.commit_connection() as connection:
                await connection.execute(_queries.put_back, row["id"])
            raise
        await self._delete(row, raw_only=True)  # It is noted as garbage; where this fails, the sweep makes up for it.
        return True

    async def check_all(self) -> None:
        """Look at all that wait. Raises as `check_next` does."""
        while await self.check_next():
            pass

    async def sweep(self) -> None:
        """Delete from the store what nobody wants any more, and forget uploads that nobody went on with.

        Raises MediaStoreAway; what was not deleted is tried again, after all others.
        """
        now = self._now()
        async with self._database.commit_connection() as connection:
            await connection.execute(_queries.forget_unfinished, now - UNFINISHED_KEPT, AT_ONCE)
        for _ in range(AT_ONCE):
            async with self._database.commit_connection() as connection:
                row = await connection.fetchrow(_queries.take_garbage, now)
            if row is None:
                return
            if row["stray"] and not await self._is_alone():
                await self._forget_garbage(row, raw_only=row["raw_only"])
            else:
                await self._delete(row, raw_only=row["raw_only"])

    async def forget_deleted(self) -> None:
        """Forget what records named and have not for a while; the next sweep takes it from the store."""
        now = self._now()
        async with self._database.commit_connection() as connection:
            await connection.execute(_queries.note_named)
            await connection.execute(_queries.forget_unnamed, now - DELETED_KEPT, AT_ONCE)
            await connection.execute(_queries.note_unnamed, now, UNNAMED_AT_ONCE)

    async def note_strays(self) -> None:
        """Note what lies in a directory without a row, to go once nobody has restored the row in time.

        Of a bucket nothing is noted, as it may be another installation's, too; nor of a directory where media of
        another database lie, or most of this one's do not. Raises MediaStoreAway.
        """
        if not isinstance(self._store, DirectoryStore):
            return
        await self._mark(self._store)
        if not await self._is_alone():
            return
        now = self._now()
        async for uploads in self._store.uploads(now - SETTLED):
            async with self._database.commit_connection() as connection:
                await connection.execute(_queries.note_strays, uploads, now + STRAYS_KEPT)

    async def _mark(self, store: DirectoryStore) -> None:
        """Note in a directory that media of this database lie there, once most of them do."""
        async with self._database.commit_connection() as connection:
            database_id = await connection.fetchval(_queries.get_database_id)
            sample = await connection.fetch(_queries.sample_ready, SAMPLED)
        there = [each["id"] for each in sample if await store.size(f"{each['id']}/original") is not None]
        if 2 * len(there) > len(sample):
            await store.mark(database_id)

    async def _is_alone(self) -> bool:
        """Tell whether media of this database lie in the directory, and of no other."""
        if not isinstance(self._store, DirectoryStore):
            return False
        async with self._database.commit_connection() as connection:
            database_id = await connection.fetchval(_queries.get_database_id)
        databases = await self._store.databases()
        if others := databases - {str(database_id)}:
            _log.warning("media_directory_shared", own=str(database_id), others=sorted(others))
        return databases == {str(database_id)}

    async def _delete(self, row: Any, *, raw_only: bool) -> None:
        """Delete garbage from the store, and the note of it."""
        await self._store.delete(row["id"], row["handle"], raw_only=raw_only)
        await self._forget_garbage(row, raw_only=raw_only)

    async def _forget_garbage(self, row: Any, *, raw_only: bool) -> None:
        async with self._database.commit_connection() as connection:
            await connection.execute(_queries.forget_garbage, row["id"], raw_only)

    def _note_turn(self, uploader: UUID) -> None:
        """Let all others go before this one, so somebody's hundred pictures keep another waiting for one."""
        self._served.pop(uploader, None)
        self._served[uploader] = None
        if len(self._served) > UPLOADERS_REMEMBERED:
            del self._served[next(iter(self._served))]

    async def _keep(self, row: Any) -> None:
        """Keep one, sealed. Raises Refusal, and what reading, drawing and sealing do."""
        if row["attempts"] > ATTEMPTS_MAX:
            raise Refusal("takes_too_long")
        key = await self._key(row)
        if is_picture(row["kind"]):
            content = b"".join([piece async for piece in self._announced(row)])
            async with drawing_turn():
                drawn = await draw(content, row["content_type"])
            await self._put_picture(row, key, drawn)
        else:
            digest = await self._put(row["id"], "original", key, row["size_bytes"], self._announced(row))
            await self._note(row, row["content_type"], digest, row["size_bytes"])

    async def _key(self, row: Any) -> UserKey:
        """Give the key of the files of one, made once. Raises KeyDestroyed, also of media that was just forgotten."""
        vault = self._database.vault
        async with self._database.commit_connection() as connection:
            person = await vault.user_key(connection, row["owner_id"])
            own = person.seal(vault.new_key(), what=MEDIA_KEY)
            sealed = await connection.fetchval(_queries.give_key, row["id"], own)
        if sealed is None:
            raise KeyDestroyed(row["owner_id"])
        return key_of_files(person, sealed)

    async def _put_picture(self, row: Any, key: UserKey, drawn: Drawn) -> None:
        picture, small = drawn.files
        digest = await self._put(row["id"], "original", key, len(picture), _once(picture))
        await self._put(row["id"], "thumbnail", key, len(small), _once(small))
        await self._note(row, "image/jpeg", digest, len(picture), len(small), drawn.width_px, drawn.height_px)

    async def _announced(self, row: Any) -> AsyncIterator[bytes]:
        """Give what came in, and raise Refusal when it is not what was announced, at the end at the latest."""
        seen, size, head = hashlib.sha256(), 0, b""
        async for piece in self._store.read(raw_name(row["id"])):
            if len(head) < HEAD_BYTES:
                head += piece[:HEAD_BYTES]
            seen.update(piece)
            size += len(piece)
            yield piece
        if size != row["size_bytes"] or seen.hexdigest() != row["media_id"]:
            raise Refusal("hash_mismatch")
        if not looks_like(head, row["content_type"]):
            raise Refusal("wrong_format")

    async def _put(self, media: UUID, name: str, key: UserKey, size: int, pieces: AsyncIterator[bytes]) -> str:
        """Seal a file into the store, and give the SHA-256 of its bytes."""
        seal, seen = FileSeal(key, media, name, size), hashlib.sha256()
        with tempfile.NamedTemporaryFile() as file:
            async for piece in pieces:
                seen.update(piece)
                file.writelines(seal.add(piece))
            file.writelines(seal.end())
            file.flush()
            await self._store.put(f"{media}/{name}", Path(file.name))
        return seen.hexdigest()

    async def _note(
        self, row: Any, content_type: str, digest: str, size: int, small: int | None = None,
        width_px: int | None = None, height_px: int | None = None,
    ) -> None:  # fmt: skip
        async with self._database.commit_connection() as connection, connection.transaction():
            await connection.execute(_queries.replace_lost, row["id"])
            await connection.execute(
                _queries.note_ready, row["id"], row["handle"], content_type, digest, size, small, width_px, height_px
            )
        _log.info("media_kept", media=str(row["id"]), kind=row["kind"], bytes=size)

    async def _refuse(self, row: Any, reason: str) -> None:
        _log.info("media_refused", media=str(row["id"]), reason=reason)
        async with self._database.commit_connection() as connection:
            await connection.execute(_queries.note_refused, row["id"], row["handle"], reason)


async def _once(content: bytes) -> AsyncIterator[bytes]:
    yield content
