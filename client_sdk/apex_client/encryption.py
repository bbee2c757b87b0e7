"""Replica files that nobody reads without the key: SQLCipher, AES-256 on every page of the file and of its log.

The host app hands the key in and keeps it where its platform keeps secrets (Keychain, Keystore); the SDK writes it
nowhere. `bytes` are the key itself, 32 random ones; a `str` is a passphrase, from which SQLCipher derives the key with
256,000 rounds of PBKDF2-HMAC-SHA512 on each opening, about a tenth of a second, and a salt that stands in the file.
Whoever loses the key loses what was
not synced. SQLCipher comes with `pip install apex-sync-client[encrypted]`.
"""

import hashlib
import sqlite3
from importlib import import_module
from pathlib import Path
from typing import Any

from apex_client.errors import EncryptionMissing, KeyNeeded, KeyUnusable, NotEncrypted, ReplicaError, WrongKey

__all__ = ["EncryptionKey", "check_encryption", "check_key", "connect", "is_plain", "key_text", "not_a_database"]

EncryptionKey = bytes | str

RAW_KEY_BYTES = 32
SALT_BYTES = 16
SALT_LABEL = b"apex replica salt "
PASSPHRASE_CHARACTERS_MAX = 1024
"""Far more than anybody remembers; beyond it somebody has mistaken a file for a passphrase."""

PLAIN_HEAD = b"SQLite format 3\x00"
PAGE_BYTES = 4096
"""Of SQLCipher's pages; an encrypted file is a whole number of them, and looks like noise."""


def connect(target: str | Path, key: EncryptionKey | None, **options: Any) -> sqlite3.Connection:
    """Connect to a database file, through SQLCipher where there is a key. Whether it fits shows with the first reading.

    Takes what `sqlite3.connect` takes; errors are those of `sqlite3`, either way. Raises EncryptionMissing.
    """
    if key is None:
        connection: sqlite3.Connection = sqlite3.connect(target, **options)
        return connection
    return cipher_connect(target, key, **options)


def cipher_connect(target: str | Path, key: EncryptionKey | None, **options: Any) -> sqlite3.Connection:
    """Connect through SQLCipher, which without a key reads plain files. Raises EncryptionMissing."""
    connection: sqlite3.Connection = _sqlcipher().connect(
        str(target), None if key is None else key_text(key), **options
    )
    return connection


def check_key(key: EncryptionKey | None) -> None:
    """Return for no key, and for one that can be used. Raises KeyUnusable and EncryptionMissing."""
    if key is None:
        return
    if isinstance(key, bytes) and len(key) != RAW_KEY_BYTES:
        raise KeyUnusable(f"a key of bytes has {RAW_KEY_BYTES} of them, not {len(key)}")
    if isinstance(key, str) and (not key or "\x00" in key or len(key) > PASSPHRASE_CHARACTERS_MAX):
        raise KeyUnusable(f"a passphrase has 1 to {PASSPHRASE_CHARACTERS_MAX} characters, and no NUL")
    _sqlcipher()


def key_text(key: EncryptionKey) -> str:
    """Give a key as SQLCipher reads it.

    A key of bytes brings its salt with it. SQLCipher otherwise reads that from the first bytes of the file, and a power
    cut while those are written would shut a file whose log holds all of it.

    >>> key_text(bytes(32))[:8], len(key_text(bytes(32))), key_text("open sesame")
    ("x'000000", 99, 'open sesame')
    """
    if isinstance(key, str):
        return key
    return f"x'{key.hex()}{hashlib.sha256(SALT_LABEL + key).hexdigest()[: 2 * SALT_BYTES]}'"


def is_plain(path: Path) -> bool | None:
    """Tell whether a file is a database without encryption; None where it has no content yet. Raises ReplicaError."""
    head = _beginning(path)[: len(PLAIN_HEAD)]
    return head == PLAIN_HEAD if head else None


def check_encryption(path: Path, key: EncryptionKey | None) -> None:
    """Return when a file and a key, or no key, may belong together; before SQLite sees the file at all.

    Whether a file without a key is encrypted, only SQLite can tell: after a power cut its beginning may be noise, and
    its log hold what belongs there. Raises NotEncrypted.
    """
    if key is not None and is_plain(path):
        raise NotEncrypted(path)


def not_a_database(path: Path, key: EncryptionKey | None) -> ReplicaError | None:
    """Give the reason why SQLite takes a file for no database, where it is the key; None where it is not."""
    if key is not None:
        return WrongKey(path)
    return KeyNeeded(path) if _is_noise(path) else None


def _is_noise(path: Path) -> bool:
    """Tell noise from anything that somebody wrote; of 1,024 random bytes about 251 of the 256 values turn up."""
    return path.stat().st_size % PAGE_BYTES == 0 and len(set(_beginning(path))) > 200


def _beginning(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(1024)
    except OSError as error:
        raise ReplicaError(path, f"cannot be read: {error.strerror}") from error


def _sqlcipher() -> Any:
    try:
        return import_module("apex_client.sqlcipher")
    except ImportError as error:
        raise EncryptionMissing from error
