"""A zip that is written piece by piece, so that one of any size takes the memory of a piece."""

import io
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import msgspec
from typing_extensions import override

__all__ = ["PIECE_BYTES", "ZipPieces"]

PIECE_BYTES = 512 * 1024
"""A row of the database each; small enough to be sealed and opened in a few milliseconds."""


class _Sink(io.RawIOBase):
    """Takes bytes and gives them away again in pieces."""

    def __init__(self) -> None:
        self.held = bytearray()

    @override
    def writable(self) -> bool:
        return True

    @override
    def write(self, data: Any, /) -> int:
        self.held += data
        return len(data)


class ZipPieces:
    """Writes JSON files into a zip; `take` gives what is ready of it."""

    def __init__(self, made_at: datetime) -> None:
        self._made_at = made_at
        self._sink = _Sink()
        self._archive = zipfile.ZipFile(self._sink, "w", zipfile.ZIP_DEFLATED)
        self.bytes = 0

    def add(self, name: str, text: str | bytes) -> None:
        """Add a whole file."""
        self._archive.writestr(self._entry(name), text)

    def add_json(self, name: str, content: Any) -> None:
        """Add a file of JSON, laid out for reading."""
        self.add(name, msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n")

    @contextmanager
    def array(self, name: str) -> Iterator["_JsonArray"]:
        """Add a file that is a JSON array, item by item."""
        with self._archive.open(self._entry(name), "w") as member:
            array = _JsonArray(member)
            yield array
            array.end()

    @contextmanager
    def stored(self, name: str) -> Iterator[Callable[[bytes], object]]:
        """Add a file that is packed already, piece by piece."""
        entry = self._entry(name)
        entry.compress_type = zipfile.ZIP_STORED
        with self._archive.open(entry, "w", force_zip64=True) as member:
            yield member.write

    def take(self) -> Iterator[bytes]:
        """Give the pieces that are full."""
        while len(self._sink.held) >= PIECE_BYTES:
            yield self._cut(PIECE_BYTES)

    def end(self) -> Iterator[bytes]:
        """Give all that is left, the zip's directory last."""
        self._archive.close()
        yield from self.take()
        if self._sink.held:
            yield self._cut(len(self._sink.held))

    def _cut(self, size: int) -> bytes:
        piece = bytes(self._sink.held[:size])
        del self._sink.held[:size]
        self.bytes += size
        return piece

    def _entry(self, name: str) -> zipfile.ZipInfo:
        entry = zipfile.ZipInfo(name, self._made_at.timetuple()[:6])
        entry.compress_type = zipfile.ZIP_DEFLATED
        return entry


class _JsonArray:
    def __init__(self, member: Any) -> None:
        self._member = member
        self._is_empty = True

    def add(self, items: Iterable[Any]) -> None:
        """Add items, one a line."""
        for item in items:
            self._member.write(b"[\n" if self._is_empty else b",\n")
            self._member.write(msgspec.json.encode(item))
            self._is_empty = False

    def end(self) -> None:
        """Close the array."""
        self._member.write(b"[]\n" if self._is_empty else b"\n]\n")
