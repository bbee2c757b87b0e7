"""Handing in: announcing media for a scope, and telling how far it is; for the slices whose records carry media."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from apex_server.caller import Caller
from apex_server.db import Connection, Database, load_queries
from apex_server.errors import InvalidFields, NotFound, ThreadEncrypted
from apex_server.limits import Limits
from apex_server.media.directory import DirectoryStore
from apex_server.media.errors import MediaFull, MediaStoreAway
from apex_server.media.payloads import MediaContent, Part, Upload
from apex_server.media.sealed_files import sealed_size
from apex_server.media.store import MediaStore, part_sizes
from apex_server.resources import encrypted_threads
from apex_server.sync.sealing import person_of
from apex_sync.ids import Scope
from apex_sync.models.media import CONTENT_TYPES, SIZE_MAX

__all__ = ["HandingIn", "upload_of"]

PASSING = frozenset({"hash_mismatch", "takes_too_long"})
"""Refusals that say nothing of the bytes that were announced: they may come once more."""

ROW_BYTES_MIN = 64 * 1024
"""What one counts for at least: its row, its files and its thumbnail. So a quota bounds their number, too."""

_queries = load_queries(__package__)


class HandingIn:
    """What one caller hands in."""

    def __init__(self, caller: Caller, database: Database, limits: Limits, store: MediaStore) -> None:
        self._caller = caller
        self._database = database
        self._limits = limits
        self._store = store

    async def declare(self, scope: Scope, content: MediaContent) -> Upload:
        """Begin an upload to a scope, or continue.

        Raises InvalidFields, NotFound, MediaFull, ThreadEncrypted, MediaStoreAway.
        """
        _check(content)
        async with self._database.request(self._caller.user_id) as connection:
            if not await connection.fetchval(_queries.may_hand_in, self._caller.user_id, scope.name):
                raise NotFound("scope")
            if scope.kind == "thread" and content.kind != "sealed":
                pair = UUID(scope.owner_id), UUID(scope.about_id)
                if await encrypted_threads(connection, self._database.vault, [pair]):
                    raise ThreadEncrypted
            row = await self._find(connection, scope, content)
        lost = None
        if row is not None and await self._is_lost(row):
            lost = row  # It stays until the upload that takes its place is ready.
            async with self._database.request(self._caller.user_id) as connection:
                row = await self._find(connection, scope, content, lost)
        if row is None or _begins_anew(row, content):
            row = await self._begin(scope, content, lost)
        return await upload_of(self._store, row, content.media_id)

    async def _is_lost(self, row: Any) -> bool:
        """Tell whether the store has lost what the caller handed in: then they may hand it in once more.

        Raises MediaStoreAway, also for a directory that is not the one where this database's media lie.
        """
        if row["state"] != "ready" or row["uploaded_by"] != self._caller.user_id:
            return False
        if await self._store.size(f"{row['id']}/original") == sealed_size(row["stored_bytes"]):
            return False
        if isinstance(self._store, DirectoryStore):
            async with self._database.request(self._caller.user_id) as connection:
                database_id = await connection.fetchval(_queries.get_database_id)
            if str(database_id) not in await self._store.databases():
                raise MediaStoreAway
        return True

    async def _begin(self, scope: Scope, content: MediaContent, lost: Any) -> Any:
        """Begin an upload, or give the one that another device of theirs began in the same moment.

        The store may be slow, so nobody's connection to the database waits for it.
        """
        upload_id, row = uuid4(), None
        handle = await self._store.begin(upload_id)
        try:
            async with self._database.request(self._caller.user_id) as connection:
                row = await self._insert(connection, upload_id, handle, scope, content, lost)
        finally:
            if row is None or row["id"] != upload_id:
                await self._store.delete(upload_id, handle)
        return row

    async def _insert(
        self, connection: Connection, upload_id: UUID, handle: str, scope: Scope, content: MediaContent, lost: Any
    ) -> Any:
        await connection.execute(_queries.lock_uploader, self._caller.user_id)
        row = await self._find(connection, scope, content, lost)
        if row is not None and _begins_anew(row, content):
            # It stays where another device has completed it in this moment: then it is being looked at.
            await connection.execute(_queries.forget_upload, row["id"])
            row = await self._find(connection, scope, content, lost)
        if row is not None:
            return row
        await self._check_room(connection, content.size_bytes, lost)
        return await connection.fetchrow(
            _queries.declare_media,
            upload_id, scope.name, scope.id, person_of(scope.name), content.media_id, content.kind,
            content.content_type, content.size_bytes, self._caller.user_id, handle, datetime.now(UTC),
        )  # fmt: skip

    async def _find(self, connection: Connection, scope: Scope, content: MediaContent, lost: Any = None) -> Any:
        """Find what is ready or on its way; beside what is `lost`, the caller's upload in its place."""
        return await connection.fetchrow(
            _queries.find_media, scope.id, content.media_id, self._caller.user_id, lost is not None
        )

    async def _check_room(self, connection: Connection, size_bytes: int, lost: Any) -> None:
        """Return where there is room for so much more, counting that of what is lost. Raises MediaFull."""
        account = self._limits.user(self._caller.user_id, self._caller.role)
        stored = await connection.fetchval(_queries.media_bytes, ROW_BYTES_MIN)
        freed = max(lost["size_bytes"], ROW_BYTES_MIN) if lost is not None else 0
        if stored - freed + max(size_bytes, ROW_BYTES_MIN) > account.tier.media_bytes:
            raise MediaFull(account.tier.media_bytes)
        if not isinstance(self._store, DirectoryStore):
            # What goes past this server is charged when it is announced.
            self._limits.charge(account, "upload_bytes", size_bytes)


def _begins_anew(row: Any, content: MediaContent) -> bool:
    """Tell whether an upload is another than the one that is declared, or failed for what passes."""
    if row["state"] not in ("open", "refused"):
        return False
    declared = (row["kind"], row["content_type"], row["size_bytes"])
    return row["refusal"] in PASSING or declared != (content.kind, content.content_type, content.size_bytes)


async def upload_of(store: MediaStore, row: Any, media_id: str) -> Upload:
    """Tell how far an upload is, with a place for each part that is missing."""
    parts = []
    if row["state"] == "open":
        sizes = part_sizes(row["size_bytes"], store.part_bytes)
        for number in await store.missing(row["id"], row["handle"], sizes):
            link = store.link(row["id"], row["handle"], number, sizes[number - 1])
            parts.append(Part(number, (number - 1) * store.part_bytes, sizes[number - 1], link))
    return Upload(row["id"], media_id, row["state"], row["refusal"], parts)


def _check(content: MediaContent) -> None:
    if content.content_type not in CONTENT_TYPES[content.kind]:
        raise InvalidFields.one("content_type", f"Expected one of {', '.join(CONTENT_TYPES[content.kind])}")
    if content.size_bytes > SIZE_MAX[content.kind]:
        raise InvalidFields.one("size_bytes", f"Expected at most {SIZE_MAX[content.kind]}")
