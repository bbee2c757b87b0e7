"""Photos and files of a directory: copied beside the backups, brought back by a restore, and looked for by verify.

They are sealed and never change, so each is copied once, as a second name of the same bytes (a hard link) where both
places are on one disk; then a bad sector spoils both, and only a copy on another disk helps. A copy stays until no
backup has named it for as long as backups are kept. A bucket is copied by its own means.
"""

import os
import shutil
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import anyio
from anyio import to_thread

from apex_server.db import Connection, Database, load_queries
from apex_server.media import MediaStore, ReadyMedia, pieces_of
from apex_server.media.directory import DirectoryStore, size_of, whole
from apex_server.media.reading import FileName, ready_of
from apex_server.media.sealed_files import sealed_size
from apex_server.media.store import NoSuchObject
from apex_server.operations.verify import Damage, Progress, Verification
from apex_server.personal_data import BACKUPS_KEPT
from apex_server.vault import KeyDestroyed, SealBroken

__all__ = ["COPIES_NAME", "copy_media", "prune_copies", "verify_media"]

COPIES_NAME = "apex-server.media"
"""The folder of copies, beside the backups, as `apex-server.keys` is."""

PAGE_ROWS = 100
"""Looked at in one go: a bucket is asked for that many at a time."""

OPENED_AT_ONCE = 4
"""Of which each has a piece or two in memory; more are no faster."""

FILES: tuple[FileName, ...] = ("original", "thumbnail")
LACKING = "the store lacks a {kind}"
SPOILT = "a {kind} in the store is spoilt and does not open"

FIRST_ID = UUID(int=0)

queries = load_queries(__package__)


async def copy_media(connection: Connection, source: Path, target: Path) -> int:
    """Copy what is ready and not there yet; gives how many are in neither place. Raises OSError."""
    lacking, last = 0, FIRST_ID
    while page := await connection.fetch(queries.list_ready_media, last, PAGE_ROWS):
        lacking += await to_thread.run_sync(_copy_page, page, source, target)
        last = page[-1]["id"]
    return lacking


def prune_copies(copies: Path, now: datetime) -> None:
    """Delete copies that no backup has named for too long; what one names is touched by it."""
    for folder in copies.iterdir() if copies.exists() else ():
        if folder.stat().st_mtime < (now - BACKUPS_KEPT).timestamp():
            shutil.rmtree(folder)


async def verify_media(
    database: Database, store: MediaStore, verification: Verification, told: Progress = lambda done, total: None
) -> None:
    """Look whether what is said to be ready is in the store and whole: opened in a directory, by its size in a bucket.

    Raises DatabaseUnavailable, MediaStoreAway.
    """
    last, done, turns = FIRST_ID, 0, anyio.CapacityLimiter(OPENED_AT_ONCE)
    async with database.commit_connection() as connection:
        total = await connection.fetchval(queries.verify_media_bytes)
        while page := await connection.fetch(queries.verify_media, last, PAGE_ROWS):
            wrong: dict[UUID, str] = {}
            async with anyio.create_task_group() as looking:
                for row in page:
                    try:
                        ready = await ready_of(connection, database.vault, row)
                    except (KeyDestroyed, SealBroken):
                        wrong[row["id"]] = SPOILT
                    else:
                        looking.start_soon(_look_at, store, ready, turns, wrong)
            verification.looked("media", len(page))
            # What was deleted meanwhile is rightly gone.
            for row in await connection.fetch(queries.still_ready_media, list(wrong)):
                words = wrong[row["id"]].format(kind=row["kind"])
                verification.found(Damage("media", words, row["scope"], str(row["id"])))
            last = page[-1]["id"]
            done += sum(size for row in page for _, size in _files_of(row))
            told(done, max(done, total))


async def _look_at(store: MediaStore, ready: ReadyMedia, turns: anyio.CapacityLimiter, wrong: dict[UUID, str]) -> None:
    for name in FILES:
        if not (plain := ready.size_of(name)):
            continue
        size = await store.size(f"{ready.id}/{name}")
        if size is None:
            wrong[ready.id] = LACKING
        elif size != sealed_size(plain):
            wrong[ready.id] = SPOILT
        elif isinstance(store, DirectoryStore):
            try:
                async with turns:
                    async for _ in pieces_of(store, ready, name):
                        pass
            except (NoSuchObject, SealBroken):
                wrong[ready.id] = SPOILT


def _copy_page(page: Sequence[Any], source: Path, target: Path) -> int:
    lacking = 0
    for row in page:
        if all([_copy(source / name, target / name, size) for name, size in _files_of(row)]):
            os.utime(target / str(row["id"]))
        else:
            lacking += 1
    return lacking


def _copy(source: Path, target: Path, size: int) -> bool:
    """Copy a file of so many bytes, whole or not at all; False where there is none that has them."""
    if size_of(target) == size:
        return True
    if size_of(source) != size:
        return False
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        target.hardlink_to(source)
    except OSError:  # Another disk, or one that knows no links; or the target is there and was cut short.
        with source.open("rb") as original, whole(target) as copy:
            shutil.copyfileobj(original, copy)
    return True


def _files_of(row: Any) -> list[tuple[str, int]]:
    """List the files of a piece of media with the sizes that they have sealed."""
    sizes = zip(FILES, (row["stored_bytes"], row["thumbnail_bytes"]), strict=True)
    return [(f"{row['id']}/{name}", sealed_size(size)) for name, size in sizes if size]
