"""The media store of one machine: a directory that only the server's account can enter.

A part is there whole or not at all: it is written beside its place, made durable, and renamed.
"""

import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import partial
from itertools import islice
from pathlib import Path
from typing import IO, ParamSpec, TypeVar
from uuid import UUID

from anyio import to_thread

from apex_server.media.errors import MediaStoreAway
from apex_server.media.store import PIECE_BYTES, NoSuchObject, raw_name

__all__ = ["DATABASES", "DirectoryStore"]

PART_BYTES = 1024 * 1024
"""What a cut connection costs; a part is in memory while it comes in."""

DATABASES = "databases"
"""The folder of marks, an empty file for each database whose media lie here."""

LISTED_AT_ONCE = 1000
"""Folders looked at without a pause, 5 ms."""

P = ParamSpec("P")
T = TypeVar("T")


class DirectoryStore:
    """Keeps media below `root`; the parts of an upload come in through this server."""

    def __init__(self, root: Path, *, part_bytes: int = PART_BYTES) -> None:
        self.root = root
        self.part_bytes = part_bytes

    async def begin(self, upload_id: UUID) -> str:
        """Be ready for parts."""
        await in_thread(partial(self._parts(upload_id).mkdir, mode=0o700, parents=True, exist_ok=True))
        return ""

    def link(self, upload_id: UUID, handle: str, number: int, size_bytes: int) -> str:
        """Give the path of this server that takes the part."""
        return f"/api/media/uploads/{upload_id}/parts/{number}"

    async def take_part(self, upload_id: UUID, number: int, content: bytes) -> None:
        """Keep a part. Raises NoSuchObject for an upload that never began or is gone: nothing of it comes back."""
        try:
            await in_thread(write_whole, self._parts(upload_id) / str(number), content)
        except NoSuchFile as error:
            raise NoSuchObject(str(upload_id)) from error

    async def missing(self, upload_id: UUID, handle: str, sizes: Sequence[int]) -> list[int]:
        """List the parts that are not there whole."""
        return await in_thread(self._missing, upload_id, sizes)

    async def assemble(self, upload_id: UUID, handle: str, sizes: Sequence[int]) -> None:
        """Write the parts into one file, one after the other."""
        with suppress(NoSuchFile):  # Another request did it in this moment, or the upload is gone.
            await in_thread(self._assemble, upload_id, len(sizes))

    async def put(self, name: str, file: Path) -> None:
        """Keep a copy of a file."""
        await in_thread(self._put, name, file)

    async def read(self, name: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """Give an object from a place on, to its end or up to and without `end`. Raises NoSuchObject."""
        try:
            file = await in_thread((self.root / name).open, "rb")
        except NoSuchFile as error:
            raise NoSuchObject(name) from error
        with file:
            await in_thread(file.seek, start)
            place = start
            while piece := await in_thread(file.read, PIECE_BYTES if end is None else min(PIECE_BYTES, end - place)):
                place += len(piece)
                yield piece

    async def size(self, name: str) -> int | None:
        """Give the size of a file; None where there is none."""
        return await in_thread(size_of, self.root / name)

    async def mark(self, database_id: UUID) -> None:
        """Note that media of a database lie here."""
        await in_thread(self._mark, database_id)

    async def unmark(self, database_id: UUID) -> None:
        """Forget a database that is no more."""
        await in_thread((self.root / DATABASES / str(database_id)).unlink, missing_ok=True)

    async def databases(self) -> set[str]:
        """Give the ids of the databases whose media lie here; none where the directory is not what it was."""
        try:
            return set(await in_thread(os.listdir, self.root / DATABASES))
        except NoSuchFile:
            return set()

    async def uploads(self, before: datetime) -> AsyncIterator[list[UUID]]:
        """List the uploads into whose folder nothing was put since a time, page by page."""
        folders = self.root.glob("*/")
        while page := await in_thread(lambda: list(islice(folders, LISTED_AT_ONCE))):
            yield await in_thread(_uploads_of, page, before)

    async def delete(self, upload_id: UUID, handle: str, *, raw_only: bool = False) -> None:
        """Delete what came in, or everything."""
        await in_thread(self._delete, upload_id, raw_only)

    def _parts(self, upload_id: UUID) -> Path:
        return self.root / str(upload_id) / "parts"

    def _mark(self, database_id: UUID) -> None:
        (self.root / DATABASES).mkdir(mode=0o700, exist_ok=True)
        (self.root / DATABASES / str(database_id)).touch(mode=0o600)

    def _missing(self, upload_id: UUID, sizes: Sequence[int]) -> list[int]:
        if (self.root / raw_name(upload_id)).exists():
            return []
        parts = self._parts(upload_id)
        return [number for number, size in enumerate(sizes, 1) if size_of(parts / str(number)) != size]

    def _assemble(self, upload_id: UUID, count: int) -> None:
        raw, parts = self.root / raw_name(upload_id), self._parts(upload_id)
        if not raw.exists() and parts.exists():
            with whole(raw) as file:
                for number in range(1, count + 1):
                    with (parts / str(number)).open("rb") as part:
                        shutil.copyfileobj(part, file, PIECE_BYTES)
        delete_tree(parts)

    def _put(self, name: str, file: Path) -> None:
        (self.root / name).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with file.open("rb") as source, whole(self.root / name) as target:
            shutil.copyfileobj(source, target, PIECE_BYTES)

    def _delete(self, upload_id: UUID, raw_only: bool) -> None:
        if raw_only:
            delete_tree(self._parts(upload_id))
            (self.root / raw_name(upload_id)).unlink(missing_ok=True)
        else:
            delete_tree(self.root / str(upload_id))


def _uploads_of(folders: Sequence[Path], before: datetime) -> list[UUID]:
    """Give the uploads whose folders have not changed since; one that is named otherwise is somebody else's."""
    found = []
    for folder in folders:
        with suppress(ValueError, FileNotFoundError):
            upload_id = UUID(folder.name)
            if folder.stat().st_mtime < before.timestamp():
                found.append(upload_id)
    return found


class NoSuchFile(Exception):
    """The operating system knows no such file."""


async def in_thread(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a call on files aside. Raises NoSuchFile, and MediaStoreAway for anything else that the system says."""
    try:
        return await to_thread.run_sync(partial(call, *args, **kwargs))
    except FileNotFoundError as error:
        raise NoSuchFile from error
    except OSError as error:
        raise MediaStoreAway from error


@contextmanager
def whole(path: Path) -> Iterator[IO[bytes]]:
    """Give a file that gets its name when it is whole and on the disk; nothing is left of one that was broken off."""
    descriptor, name = tempfile.mkstemp(prefix=".", dir=path.parent)
    written = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        written.replace(path)
    finally:
        written.unlink(missing_ok=True)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file that is there whole or not at all."""
    with whole(path) as file:
        file.write(content)


def delete_tree(path: Path) -> None:
    """Delete a folder with what is in it; one that is not there is deleted already, one that cannot be is an error."""
    with suppress(FileNotFoundError):
        shutil.rmtree(path)


def size_of(path: Path) -> int | None:
    """Give the size of a file; None where there is none."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return None
