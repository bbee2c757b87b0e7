"""Where the bytes of media lie: the seam, and the choice between a directory of this machine and S3.

An upload comes in parts, each sent to a link of its own, so one that was cut goes on where it stopped. The store keeps
what it is given and knows nothing of people: names are made by the server, and what stays there is sealed
(sealed_files.py).
"""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable
from uuid import UUID

from apex_server.settings import Settings

__all__ = ["PIECE_BYTES", "MediaStore", "NoSuchObject", "media_store_of", "part_sizes", "raw_name"]

PIECE_BYTES = 256 * 1024
"""Read and written at once: large enough for a disk, small enough for a hundred streams in one process."""


class NoSuchObject(Exception):
    """There is nothing by this name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"no object {name}")


@runtime_checkable
class MediaStore(Protocol):
    """Keeps uploads and what is made of them. Every method may raise MediaStoreAway.

    `handle` is what `begin` gave; `sizes` are the sizes of all parts, in order. Parts are numbered from 1.
    """

    part_bytes: int
    """The size of every part but the last."""

    async def begin(self, upload_id: UUID) -> str:
        """Be ready for parts."""

    def link(self, upload_id: UUID, handle: str, number: int, size_bytes: int) -> str:
        """Give where a part is to be PUT: a path of this server, or for a while an address of the store's own."""

    async def missing(self, upload_id: UUID, handle: str, sizes: Sequence[int]) -> list[int]:
        """List the parts that are not there whole; none of an upload that is assembled."""

    async def assemble(self, upload_id: UUID, handle: str, sizes: Sequence[int]) -> None:
        """Make one object of the parts, which are all there; done twice, it is done once."""

    async def put(self, name: str, file: Path) -> None:
        """Keep a copy of a file under a name."""

    def read(self, name: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """Give an object from a place on, to its end or up to and without `end`, in pieces. Raises NoSuchObject."""

    async def size(self, name: str) -> int | None:
        """Give the size of an object; None where there is none of this name."""

    async def delete(self, upload_id: UUID, handle: str, *, raw_only: bool = False) -> None:
        """Delete what came in, and unless `raw_only` what was made of it; what is not there is deleted already."""


def media_store_of(settings: Settings) -> MediaStore:
    """Give the store that the settings name: a bucket, else the directory `media` beside the other data."""
    if settings.s3_bucket is None:
        from apex_server.media.directory import DirectoryStore

        return DirectoryStore(settings.data_dir / "media")
    from apex_server.media.s3 import S3Store  # Half a second, and only where it is used.

    return S3Store(settings.s3_bucket, endpoint=settings.s3_endpoint, region=settings.s3_region)


def part_sizes(size_bytes: int, part_bytes: int) -> list[int]:
    """Cut a size into parts.

    >>> part_sizes(10, 4)
    [4, 4, 2]
    """
    return [min(part_bytes, size_bytes - start) for start in range(0, size_bytes, part_bytes)]


def raw_name(upload_id: UUID) -> str:
    """Name what came in, as it came; it is deleted as soon as it was looked at."""
    return f"{upload_id}/raw"
