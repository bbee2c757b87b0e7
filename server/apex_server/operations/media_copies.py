"""Photos and files of a directory: copied beside the backups, brought back by a restore, and looked for by verify.

They are sealed and never change, so each is copied once, as a second name of the same bytes (a hard link) where both
places are on one disk. A copy stays until no backup has named it for as long as backups are kept. A bucket is copied by
its own means.
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
from apex_server.media import MediaStore
from apex_server.media.directory import whole
from apex_server.operations.verify import Damage, Verification
from apex_server.personal_data import BACKUPS_KEPT

__all__ = ["COPIES_NAME", "copy_media", "prune_copies", "verify_media"]

COPIES_NAME = "apex-server.media"
"""The folder of copies, beside the backups, as `apex-server.keys` is."""

PAGE_ROWS = 100
"""Looked at in one go: a bucket is asked for that many at a time."""

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


async def verify_media(database: Database, store: MediaStore, verification: Verification) -> None:
    """Look whether the store has what is said to be ready. Raises DatabaseUnavailable, MediaStoreAway."""
    last = FIRST_ID
    async with database.commit_connection() as connection:
        while page := await connection.fetch(queries.list_ready_media, last, PAGE_ROWS):
            lacking: list[UUID] = []
            async with anyio.create_task_group() as looking:
                for row in page:
                    looking.start_soon(_look_for, store, row, lacking)
            verification.looked("media", len(page))
            # What was deleted meanwhile is rightly gone.
            for row in await connection.fetch(queries.still_ready_media, lacking):
                words = f"the store lacks a {row['kind']}"
                verification.found(Damage("media", words, row["scope"], str(row["id"])))
            last = page[-1]["id"]


async def _look_for(store: MediaStore, row: Any, lacking: list[UUID]) -> None:
    if not all([await store.has(name) for name in _names_of(row)]):
        lacking.append(row["id"])


def _copy_page(page: Sequence[Any], source: Path, target: Path) -> int:
    lacking = 0
    for row in page:
        if all([_copy(source / name, target / name) for name in _names_of(row)]):
            os.utime(target / str(row["id"]))
        else:
            lacking += 1
    return lacking


def _copy(source: Path, target: Path) -> bool:
    """Copy a file, whole or not at all; False where there is none."""
    if target.exists():
        return True
    if not source.exists():
        return False
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        target.hardlink_to(source)
    except OSError:  # Another disk, or one that knows no links.
        with source.open("rb") as original, whole(target) as copy:
            shutil.copyfileobj(original, copy)
    return True


def _names_of(row: Any) -> list[str]:
    return [f"{row['id']}/{name}" for name in ("original", "thumbnail") if name == "original" or row["has_thumbnail"]]
