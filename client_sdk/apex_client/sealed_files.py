"""Files of encrypted messages: sealed piece by piece on the device that sends them, opened on those that read them.

    sealed file   SEALED_HEAD · piece · piece · …      each piece ChaCha20-Poly1305, with its place as nonce

The first piece is shorter by the head, so that all lie in the queue as they are, PIECE_BYTES each but the last. The
nonce is the number of the piece, and in its last byte whether the file ends there (the STREAM construction): so pieces
cannot be exchanged, and a file that was cut short does not open. The key is drawn for this file, and stands in the
sealed message.
"""

from collections.abc import Callable
from pathlib import Path
from typing import IO, TYPE_CHECKING

from apex_client.errors import MediaUnusable
from apex_client.media_queue import PIECE_BYTES
from apex_sync.models.media import SEALED_HEAD

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

__all__ = ["FILE_KEY_BYTES", "Opening", "sealed_reader"]

FILE_KEY_BYTES = 32

TAG_BYTES = 16


def sealed_reader(key: bytes, file: IO[bytes]) -> Callable[[], bytes]:
    """Give what reads a file as sealed pieces, in order, and nothing at the end; the file is not empty."""
    cipher = _cipher(key)
    place = 0
    ahead = file.read(PIECE_BYTES - TAG_BYTES - len(SEALED_HEAD))

    def read() -> bytes:
        nonlocal place, ahead
        if not ahead:
            return b""
        piece, ahead = ahead, file.read(PIECE_BYTES - TAG_BYTES)
        sealed = cipher.encrypt(_nonce(place, is_last=not ahead), piece, None)
        place += 1
        return SEALED_HEAD + sealed if place == 1 else sealed

    return read


class Opening:
    """Opens a sealed file as it comes, in pieces of any size; what it has written is good once `end` returns."""

    def __init__(self, key: bytes, write: Callable[[bytes], object], path: Path) -> None:
        self._cipher = _cipher(key)
        self._write = write
        self._path = path
        self._held = bytearray()
        self._place = 0

    def add(self, sealed: bytes) -> None:
        """Take some of it. Raises MediaUnusable."""
        self._held += sealed
        while len(self._held) > PIECE_BYTES:  # Of the last piece only `end` knows that it is.
            self._open(PIECE_BYTES, is_last=False)

    def end(self) -> None:
        """Take the last of it. Raises MediaUnusable."""
        self._open(len(self._held), is_last=True)

    def _open(self, size: int, *, is_last: bool) -> None:
        from cryptography.exceptions import InvalidTag

        piece = bytes(self._held[:size])
        del self._held[:size]
        if self._place == 0 and piece.startswith(SEALED_HEAD):
            piece = piece.removeprefix(SEALED_HEAD)
        try:
            self._write(self._cipher.decrypt(_nonce(self._place, is_last=is_last), piece, None))
        except InvalidTag as error:
            raise MediaUnusable(self._path, "was changed on the way, so it is not kept") from error
        self._place += 1


def _nonce(place: int, *, is_last: bool) -> bytes:
    return place.to_bytes(11, "big") + bytes([is_last])


def _cipher(key: bytes) -> "ChaCha20Poly1305":
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

    return ChaCha20Poly1305(key)
