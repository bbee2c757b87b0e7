"""The private keys of this device, with which it opens messages and signs its own.

They stand in the replica, sealed with the secret of this installation (`identity.py`), which device backups leave out:
an image of the replica opens nothing that was written after it, and neither does the secret alone. A device draws a key
for each client id it has, so a copy of a device shares no key with it once the server has told the two apart; the
former ones go on opening what was written for them. Signing out leaves none.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from apex_client.identity import SECRET_BYTES as INSTALLATION_SECRET_BYTES
from apex_client.identity import IdentityFile
from apex_client.store import ReplicaStore

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

    from apex_client.message_sealing import KeyPair

__all__ = ["OwnKeys"]

SETTING = "message_keys"

KEPT_MAX = 16
"""A device that was told apart from a copy of itself so often opens no more what was written before the first time."""

NONCE_BYTES = 12


class _Kept(Struct, frozen=True):
    """One key pair; whose client id it was drawn for."""

    client_id: int
    key_id: str
    sealed: bytes


class OwnKeys:
    """What this device, which calls itself `device`, opens and signs with; changed within the caller's transaction."""

    def __init__(
        self, store: ReplicaStore, identity_file: IdentityFile, entropy: Callable[[int], bytes], device: str
    ) -> None:
        self.device = device
        self._store = store
        self._identity_file = identity_file
        self._entropy = entropy
        self._opened: dict[str, KeyPair] = {}

    def pairs(self) -> Sequence["KeyPair"]:
        """Give the keys that this installation can open, the newest first."""
        return [pair for kept in self._read() if (pair := self._open(kept))]

    def current(self) -> "KeyPair | None":
        """Give the key that others are to encrypt for."""
        key_id = self.current_id()
        return next((pair for kept in self._read() if kept.key_id == key_id and (pair := self._open(kept))), None)

    def current_id(self) -> str | None:
        """Name the key that others are to encrypt for, without opening it."""
        client_id = self._store.identity().client_id
        return next((kept.key_id for kept in self._read() if kept.client_id == client_id), None)

    def draw(self) -> "KeyPair":
        """Draw a key for this client id, which is the current one from now on. Raises a ReplicaError."""
        from apex_client.message_sealing import SECRET_BYTES, KeyPair

        drawn = self._entropy(SECRET_BYTES)
        pair = KeyPair(drawn)
        cipher = _cipher(self._identity_file.make_secret(self._entropy(INSTALLATION_SECRET_BYTES)))
        nonce = self._entropy(NONCE_BYTES)
        sealed = nonce + cipher.encrypt(nonce, drawn, pair.key_id.encode())
        kept = [_Kept(self._store.identity().client_id, pair.key_id, sealed), *self._read()]
        self._store.keep_setting(SETTING, msgspec.json.encode(kept[:KEPT_MAX]))
        self._opened[pair.key_id] = pair
        return pair

    def empty(self) -> None:
        """Let go of all of them."""
        self._store.keep_setting(SETTING, None)
        self._opened.clear()

    def _read(self) -> list[_Kept]:
        value = self._store.setting(SETTING)
        return msgspec.json.decode(value, type=list[_Kept]) if value else []

    def _open(self, kept: _Kept) -> "KeyPair | None":
        """Open a key; None where it was sealed on another installation."""
        if kept.key_id not in self._opened:
            from cryptography.exceptions import InvalidTag

            from apex_client.message_sealing import KeyPair

            secret = self._identity_file.secret()
            if secret is None:
                return None
            nonce, sealed = kept.sealed[:NONCE_BYTES], kept.sealed[NONCE_BYTES:]
            try:
                opened = _cipher(secret).decrypt(nonce, sealed, kept.key_id.encode())
            except InvalidTag:
                return None
            self._opened[kept.key_id] = KeyPair(opened)
        return self._opened[kept.key_id]


def _cipher(secret: bytes) -> "ChaCha20Poly1305":
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

    return ChaCha20Poly1305(secret)
