"""Media as it lies in the store: sealed piece by piece with a key of its own, which is sealed with its person's.

    sealed file = sealed piece · sealed piece · …       each of CHUNK_BYTES, but the last, and SEAL_OVERHEAD_BYTES more

Each piece is bound to the media, to which file of it this is, to its place and to how many there are: pieces of two
files cannot be exchanged, and one that was cut short does not open. So the store, and whoever gets a copy of it, has
noise; and a person's key that is destroyed takes all copies with it. One that is renewed leaves the files as they are:
only their keys are sealed anew.
"""

from collections.abc import AsyncIterator, Iterator
from math import ceil
from uuid import UUID

from apex_server.media.store import MediaStore
from apex_server.vault import SEAL_OVERHEAD_BYTES, SealBroken, UserKey

__all__ = ["CHUNK_BYTES", "MEDIA_KEY", "FileSeal", "key_of_files", "open_file", "sealed_size"]

MEDIA_KEY = "media.key"
"""The place that the keys of files are sealed for."""

CHUNK_BYTES = 256 * 1024
"""In memory at once for each download; a piece opens in a tenth of a millisecond."""


class FileSeal:
    """What seals and opens one file of a piece of media, `original` or `thumbnail`, of so many bytes."""

    def __init__(self, key: UserKey, media: UUID, name: str, size_bytes: int) -> None:
        self._key = key
        self._place = f"media {media} {name}"
        self._count = _count_of(size_bytes)
        self._held = bytearray()
        self._done = 0

    def add(self, plain: bytes) -> Iterator[bytes]:
        """Take some of the file, and give the sealed pieces that are full."""
        self._held += plain
        while len(self._held) >= CHUNK_BYTES:
            yield self._sealed(CHUNK_BYTES)

    def end(self) -> Iterator[bytes]:
        """Give the last piece."""
        if self._held:
            yield self._sealed(len(self._held))

    def open(self, place: int, sealed: bytes) -> bytes:
        """Open the piece of a place. Raises SealBroken."""
        return self._key.open(sealed, what=self._what(place))

    @property
    def count(self) -> int:
        """How many pieces there are."""
        return self._count

    def _sealed(self, size: int) -> bytes:
        piece = self._key.seal(bytes(self._held[:size]), what=self._what(self._done))
        del self._held[:size]
        self._done += 1
        return piece

    def _what(self, place: int) -> str:
        return f"{self._place} {place}/{self._count}"


def sealed_size(size_bytes: int) -> int:
    """Give the size that a file of so many bytes has when it is sealed."""
    return size_bytes + _count_of(size_bytes) * SEAL_OVERHEAD_BYTES


def key_of_files(person: UserKey, sealed: bytes | None) -> UserKey:
    """Give the key of a piece of media; before each had one, the first of its person was it. Raises SealBroken."""
    return person.events if sealed is None else UserKey(person.open(sealed, what=MEDIA_KEY))


async def open_file(
    store: MediaStore, name: str, seal: FileSeal, start: int = 0, end: int | None = None
) -> AsyncIterator[bytes]:
    """Give a file in the clear from a place on, to its end or up to and without `end`; no other piece is read.

    Raises NoSuchObject, MediaStoreAway, and SealBroken where a piece that is wanted is not what was sealed.
    """
    sealed_bytes = CHUNK_BYTES + SEAL_OVERHEAD_BYTES
    place, skip = divmod(start, CHUNK_BYTES)
    stop = seal.count * CHUNK_BYTES if end is None else end
    until = min(seal.count, _count_of(stop))
    held = bytearray()
    async for piece in store.read(name, place * sealed_bytes, until * sealed_bytes if until < seal.count else None):
        held += piece
        while len(held) >= sealed_bytes:
            yield seal.open(place, bytes(held[:sealed_bytes]))[skip : stop - place * CHUNK_BYTES]
            del held[:sealed_bytes]
            place, skip = place + 1, 0
    if held:
        yield seal.open(place, bytes(held))[skip : stop - place * CHUNK_BYTES]
        place += 1
    if place != until:
        raise SealBroken(name)


def _count_of(size_bytes: int) -> int:
    return ceil(size_bytes / CHUNK_BYTES)
