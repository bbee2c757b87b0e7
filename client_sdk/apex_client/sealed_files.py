"""Files of encrypted messages: sealed piece by piece on the device that sends them, opened on those that read them.

    sealed file   SEALED_HEAD · piece · piece · …      each piece ChaCha20-Poly1305, with its place as nonce

The first piece is shorter by the head, so that all lie in the queue as they are, PIECE_BYTES each but the last. The
nonce is the number of the piece, and in its last byte whether the file ends there (the STREAM construction): so pieces
cannot be exchanged, and a file that was cut short does not open. The key is drawn for this file, and stands in the
sealed message.
"""

from collections.abc import Callable, Sequence
from hashlib import sha256
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
    """Opens a file as it comes, in pieces of any size; what it has written is good once `end` returns.

    Its bytes are those that `media_id` names, for what is sealed is kept as it was handed in: nobody puts another file
    in its place, neither in the open nor sealed with a key of their own. `keys` are what messages say it was sealed
    with; one that is wrong, as anybody may say who can name the file, spoils nothing. What `may_be_plain` is written as
    it comes unless it begins like a sealed one.
    """

    def __init__(
        self,
        keys: Sequence[bytes],
        media_id: str,
        write: Callable[[bytes], object],
        path: Path,
        *,
        may_be_plain: bool = False,
    ) -> None:
        self._ciphers = [_cipher(key) for key in keys]
        self._media_id = media_id
        self._seen = sha256()
        self._write = write
        self._path = path
        self._is_plain = None if may_be_plain else False
        self._held = bytearray()
        self._place = 0

    def add(self, content: bytes) -> None:
        """Take some of it. Raises MediaUnusable."""
        self._seen.update(content)
        self._held += content
        if self._is_plain is None and len(self._held) >= len(SEALED_HEAD):
            self._is_plain = not self._held.startswith(SEALED_HEAD)
        if self._is_plain:
            self._write(bytes(self._held))
            self._held.clear()
        while self._is_plain is False and len(self._held) > PIECE_BYTES:  # Of the last piece only `end` knows it.
            self._open(PIECE_BYTES, is_last=False)

    def end(self) -> None:
        """Take the last of it. Raises MediaUnusable."""
        if self._is_plain is False:
            self._open(len(self._held), is_last=True)
        else:
            self._write(bytes(self._held))
        if self._seen.hexdigest() != self._media_id:
            raise self._changed()

    def _open(self, size: int, *, is_last: bool) -> None:
        from cryptography.exceptions import InvalidTag

        piece = bytes(self._held[:size])
        del self._held[:size]
        if self._place == 0 and piece.startswith(SEALED_HEAD):
            piece = piece.removeprefix(SEALED_HEAD)
        nonce = _nonce(self._place, is_last=is_last)
        for cipher in self._ciphers:
            try:
                opened = cipher.decrypt(nonce, piece, None)
            except InvalidTag:
                continue
            self._ciphers = [cipher]
            self._write(opened)
            self._place += 1
            return
        raise self._changed()

    def _changed(self) -> MediaUnusable:
        return MediaUnusable(self._path, "was changed on the way, so it is not kept")


def _nonce(place: int, *, is_last: bool) -> bytes:
    return place.to_bytes(11, "big") + bytes([is_last])


def _cipher(key: bytes) -> "ChaCha20Poly1305":
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

    return ChaCha20Poly1305(key)
