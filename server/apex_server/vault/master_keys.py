"""Master keys: what wraps the data keys, and stays out of the database.

`MasterKeys` is the seam. Keys from the environment are `LocalMasterKeys`; those in a file that somebody else writes (a
systemd credential, an agent of a key store) are `DeliveredMasterKeys`, and in one of our own `FileMasterKeys`. A key
service (KMS, Vault, HSM) implements the same two calls without ever handing its key out. The `context` of a wrapped key
is authenticated: a key that somebody copies to another person's row does not open there.

A master key is named by a fingerprint of itself, which stands beside everything it wraps and reveals nothing.
"""

import base64
import binascii
import hashlib
import hmac
import os
import secrets
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Protocol

from apex_server.settings import Settings
from apex_server.vault.data_keys import UserKey
from apex_server.vault.errors import MasterKeyInvalid, MasterKeyMissing

__all__ = [
    "MASTER_KEYS_MAX",
    "DeliveredMasterKeys",
    "FileMasterKeys",
    "LocalMasterKeys",
    "MasterKeys",
    "decode_master_key",
    "master_key_id",
    "master_keys_of",
    "new_master_key",
]

MASTER_KEY_BYTES: Final = 32
MASTER_KEYS_MAX: Final = 16
"""The current one and the former ones. Whoever has more has forgotten to let go of them."""

FILE_NAME: Final = "master_key"
FILE_CHARACTERS_MAX: Final = MASTER_KEYS_MAX * 128
"""Of the keys' file: each in hex, and as much again for blanks."""
OTHERS: Final = 0o007
"""What everybody may do with a file. A group may read it: so systemd hands credentials out."""


class MasterKeys(Protocol):
    """What wraps and unwraps data keys."""

    @property
    def current_id(self) -> str | None:
        """The id of the key that everything is to be wrapped under; None where there is no key at all."""

    async def refresh(self) -> None:
        """Look again which keys there are."""

    async def wrap(self, key: bytes, *, master_key_id: str, context: str) -> bytes:
        """Encrypt a key under one of the master keys. Raises MasterKeyMissing."""

    async def unwrap(self, wrapped: bytes, *, master_key_id: str, context: str) -> bytes:
        """Give back a key. Raises MasterKeyMissing, or SealBroken for what was not wrapped so for this context."""


class LocalMasterKeys:
    """Master keys that this process holds itself: the current one first, then former ones."""

    def __init__(self, keys: Sequence[bytes], *, source: str) -> None:
        self._source = source
        self._hold(keys)

    def _hold(self, keys: Sequence[bytes]) -> None:
        if len(keys) > MASTER_KEYS_MAX:
            raise MasterKeyInvalid(self._source, f"has more than {MASTER_KEYS_MAX} keys; remove the oldest")
        self._ids = [master_key_id(key) for key in keys]
        self._cipher_by_id = {name: UserKey(key) for name, key in zip(self._ids, keys, strict=True)}

    @property
    def current_id(self) -> str | None:
        """The id of the first key."""
        return self._ids[0] if self._ids else None

    async def refresh(self) -> None:
        """Do nothing: the environment of a process does not change."""

    async def wrap(self, key: bytes, *, master_key_id: str, context: str) -> bytes:
        """Encrypt a key."""
        return (await self._cipher(master_key_id)).seal(key, what=context)

    async def unwrap(self, wrapped: bytes, *, master_key_id: str, context: str) -> bytes:
        """Decrypt a key."""
        return (await self._cipher(master_key_id)).open(wrapped, what=context)

    async def _cipher(self, name: str) -> UserKey:
        if name not in self._cipher_by_id:
            await self.refresh()
        if name not in self._cipher_by_id:
            raise MasterKeyMissing(name, source=self._source)
        return self._cipher_by_id[name]


class DeliveredMasterKeys(LocalMasterKeys):
    """Master keys in a file, one a line, the current one first; read again when an unknown one is met."""

    def __init__(self, path: Path) -> None:
        self.path = path
        super().__init__(read_keys(path), source=str(path))

    async def refresh(self) -> None:
        """Read the file again."""
        self._hold(read_keys(self.path))


class FileMasterKeys(DeliveredMasterKeys):
    """Those of a file in the data directory, which this server makes and adds to."""

    def make_if_absent(self) -> None:
        """Make the first key; of two processes that do so at once, one wins for both."""
        if self._ids:
            return
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        written = written_beside(self.path, [new_master_key()])
        try:
            self.path.hardlink_to(written)
        except FileExistsError:
            pass
        finally:
            written.unlink()
        self._hold(read_keys(self.path))

    def add(self, key: str) -> None:
        """Make a key the current one; those that were there become former ones."""
        lines = [key, *(line for line in read_lines(self.path) if line != key)]
        if len(lines) > MASTER_KEYS_MAX:
            raise MasterKeyInvalid(str(self.path), f"has {MASTER_KEYS_MAX} keys already; remove the oldest lines")
        written_beside(self.path, lines).replace(self.path)
        self._hold(read_keys(self.path))


def master_keys_of(settings: Settings) -> LocalMasterKeys:
    """Give the master keys of an installation: from the environment, the file named there, or the data directory's.

    Raises MasterKeyInvalid.
    """
    if settings.master_key_file is not None:
        delivered = DeliveredMasterKeys(settings.master_key_file)
        if delivered.current_id is None:
            raise MasterKeyInvalid(
                str(settings.master_key_file), "is empty or not there; APEX_MASTER_KEY_FILE names it"
            )
        return delivered
    if settings.master_key is None:
        return FileMasterKeys(settings.data_dir / FILE_NAME)
    former = [decode_master_key(each, "APEX_FORMER_MASTER_KEYS") for each in settings.former_master_keys]
    return LocalMasterKeys(
        [decode_master_key(settings.master_key, "APEX_MASTER_KEY"), *former],
        source="APEX_MASTER_KEY and APEX_FORMER_MASTER_KEYS",
    )


def new_master_key() -> str:
    """Draw 256 random bits, as they stand in the file."""
    return base64.urlsafe_b64encode(secrets.token_bytes(MASTER_KEY_BYTES)).decode()


def master_key_id(key: bytes) -> str:
    """Name a key without revealing it."""
    return hmac.new(key, b"apex master key id", hashlib.sha256).hexdigest()[:16]


def decode_master_key(text: str, source: str) -> bytes:
    """Read a key: 32 bytes in base64 (`openssl rand -base64 32`) or hex. Raises MasterKeyInvalid, without the text."""
    try:
        if len(text) == 2 * MASTER_KEY_BYTES:
            key = bytes.fromhex(text)
        else:
            plain = text.translate({ord("-"): "+", ord("_"): "/"})
            key = base64.b64decode(plain.rstrip("=") + "=", validate=True)
    except (ValueError, binascii.Error):
        key = b""
    if len(key) != MASTER_KEY_BYTES:
        raise MasterKeyInvalid(source, "is no key of 32 bytes in base64; `openssl rand -base64 32` makes one")
    return key


def read_keys(path: Path) -> list[bytes]:
    return [decode_master_key(line, f"{path} line {number}") for number, line in enumerate(read_lines(path), 1)]


def read_lines(path: Path) -> list[str]:
    try:
        with path.open(encoding="ascii") as file:
            if os.name == "posix" and os.fstat(file.fileno()).st_mode & OTHERS:
                raise MasterKeyInvalid(str(path), f"may be read by everybody on this machine; chmod 600 {path}")
            return file.read(FILE_CHARACTERS_MAX).split()
    except FileNotFoundError:
        return []
    except (OSError, UnicodeError) as error:
        raise MasterKeyInvalid(str(path), f"cannot be read: {error}") from error


def written_beside(path: Path, lines: Sequence[str]) -> Path:
    """Write a file whole, durable and for its owner only, under a name of its own in the same folder."""
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # mkstemp makes it 0600.
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write("".join(f"{line}\n" for line in lines))
        file.flush()
        os.fsync(file.fileno())
    return Path(name)
