"""Another key for a replica file, the first one for a plain file, or none again: all or nothing, whatever is cut off.

A whole copy is made under the new key, read back and compared, and only then takes the name of the old file. A power
cut leaves the one or the other. What the old file's blocks held may stay on the medium until they are used again: a
device whose flash cannot be trusted with that encrypts before the first record.
"""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from apex_client.encryption import EncryptionKey, check_encryption, check_key, cipher_connect, connect, key_text
from apex_client.errors import NotAReplica, ReplicaDamaged, ReplicaInUse
from apex_client.store_file import (
    APPLICATION_ID,
    BUSY_MILLISECONDS,
    NEW_KEY_SUFFIX,
    file_error,
    hold_alone,
    open_errors,
    sync_folder,
)

__all__ = ["change_replica_key"]

HEADER = ("application_id", "user_version")
"""What stands in the head of a file, and no copying of tables takes along."""


def change_replica_key(path: str | Path, *, old_key: EncryptionKey | None, new_key: EncryptionKey | None) -> None:
    """Encrypt a replica under another key; None stands for a plain file. The replica must be closed.

    It takes the room of the file once more, and as long as reading and writing it twice. Raises a ReplicaError with the
    file as it was: WrongKey, KeyNeeded, NotEncrypted, ReplicaInUse, DiskFull.
    """
    path = Path(path)
    check_key(old_key)
    check_key(new_key)
    if not path.exists():
        raise NotAReplica(path, "is not there")
    with closing(hold_alone(path)):
        check_encryption(path, old_key)
        new = path.with_name(path.name + NEW_KEY_SUFFIX)
        try:
            new.unlink(missing_ok=True)
            os.close(os.open(new, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
            with open_errors(path, old_key):
                _copy(path, old_key, new, new_key)
            _sync(new)
            new.replace(path)
            sync_folder(path.parent)
        except OSError as error:
            raise file_error(path, "its key cannot be changed", error) from error
        finally:
            new.unlink(missing_ok=True)


def _copy(path: Path, old_key: EncryptionKey | None, new: Path, new_key: EncryptionKey | None) -> None:
    with closing(cipher_connect(path, old_key, isolation_level=None, timeout=BUSY_MILLISECONDS / 1000)) as connection:
        header = {name: connection.execute(f"PRAGMA {name}").fetchone()[0] for name in HEADER}
        if header["application_id"] != APPLICATION_ID:
            raise NotAReplica(path, "is another program's database")
        # With a log beside it, the new file would be read together with the log of the old one.
        if connection.execute("PRAGMA journal_mode = DELETE").fetchone() != ("delete",):
            raise ReplicaInUse(path, "is locked by another program")
        connection.execute("ATTACH ? AS changed KEY ?", (str(new), "" if new_key is None else key_text(new_key)))
        connection.execute("SELECT sqlcipher_export('changed')").fetchall()
        for name, number in header.items():
            connection.execute(f"PRAGMA changed.{name} = {number}")
        counts = _counts(connection)
        connection.execute("DETACH changed")
    _compare(new, new_key, header, counts)


def _compare(new: Path, new_key: EncryptionKey | None, header: dict[str, int], counts: dict[str, int]) -> None:
    """Hold the copy to the original. Raises ReplicaError."""
    with closing(connect(new, new_key, isolation_level=None)) as connection:
        found = {name: connection.execute(f"PRAGMA {name}").fetchone()[0] for name in HEADER}
        sound = connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        if not sound or found != header or _counts(connection) != counts:
            raise ReplicaDamaged(new, "the copy is not what was copied; the replica is as it was")


def _counts(connection: sqlite3.Connection) -> dict[str, int]:
    names = connection.execute("SELECT name FROM main.sqlite_schema WHERE type = 'table' ORDER BY name").fetchall()
    return {
        name: connection.execute(f'SELECT count(*) FROM main."{name}"').fetchone()[0]  # noqa: S608 - our own tables.
        for (name,) in names
    }


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
