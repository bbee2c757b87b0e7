"""Tells the replica of this installation from a copy or an old image of it, so that no two devices write as one.

Beside the replica, in a folder that device backups leave out, lies a small file with a seal; the replica has the same
seal, and both get a new one each time it is opened. A replica whose seal is not in the file was copied, cloned or
restored: it takes a new client id. What this cannot see (a clone with its identity file), the server does: it answers
`forked`.

The file also has a secret of this installation, once that is asked for: what the replica keeps sealed with it is of no
use in a copy or a backup of the replica (`own_keys.py`).
"""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from apex_client.errors import DiskFull
from apex_client.store import ReplicaStore
from apex_client.store_file import file_error, sync_folder
from apex_sync.ids import client_id_from
from apex_sync.models import COLLECTIONS
from apex_sync.session.device import Device, Identity

SEAL_BYTES = 16

SECRET_BYTES = 32


class _Content(Struct, omit_defaults=True):
    seals: Sequence[str] = ()
    secret: bytes | None = None


class IdentityFile:
    """The seals by which a replica is known on this installation, and the installation's secret."""

    def __init__(self, replica_path: Path, folder: Path | None) -> None:
        self.path = (folder or replica_path.parent) / f"{replica_path.name}.identity"

    def read(self) -> set[str]:
        """Give the seals; none where there is no such file, or not one of ours.

        Raises a ReplicaError where the disk fails: a moment's failure must not make a stranger of the replica.
        """
        return set(self._content().seals)

    def secret(self) -> bytes | None:
        """Give the secret of this installation, if it has one. Raises a ReplicaError."""
        return self._content().secret

    def make_secret(self, secret: bytes) -> bytes:
        """Keep a secret where there is none yet; gives the one that is kept. Raises a ReplicaError."""
        content = self._content()
        if content.secret is None:
            content.secret = secret
            self._write(content, durable=True)
        return content.secret

    def write(self, *seals: str, durable: bool) -> None:
        """Replace the seals at once, and where it is `durable` for good. Raises a ReplicaError.

        With the power may go the replacement, never the seals that it replaces.
        """
        self._write(_Content(seals, self.secret()), durable=durable)

    def _content(self) -> "_Content":
        try:
            return msgspec.json.decode(self.path.read_text("utf-8"), type=_Content)
        except (FileNotFoundError, PermissionError, msgspec.MsgspecError, UnicodeDecodeError):
            return _Content()
        except OSError as error:
            raise file_error(self.path, "the identity file cannot be read", error) from error

    def _write(self, content: "_Content", *, durable: bool) -> None:
        new = self.path.with_suffix(".identity-new")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with os.fdopen(os.open(new, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "wb") as file:
                file.write(msgspec.json.encode(content))
                file.flush()
                os.fsync(file.fileno())
            new.replace(self.path)
            if durable:
                sync_folder(self.path.parent)
        except OSError as error:
            raise file_error(self.path, "the identity file cannot be written", error) from error


def open_device(
    store: ReplicaStore, identity_file: IdentityFile, *, now_us: Callable[[], int], entropy: Callable[[int], bytes]
) -> Device:
    """Give the device of a store, under a new client id where the store is not the one that this installation knows.

    Where the disk is full a store that is known keeps its seal, so that it can be read.
    """
    with store.transaction():
        seal = (store.setting("seal") or b"").hex()
    known = bool(seal) and seal in identity_file.read()
    device = Device(store, collections=COLLECTIONS, now_us=now_us, entropy=entropy)
    try:
        _renew_seal(store, device, identity_file, [seal] if known else [])
    except DiskFull:
        if not known:
            raise
    return device


def _renew_seal(store: ReplicaStore, device: Device, identity_file: IdentityFile, known_by: list[str]) -> None:
    """Seal store and file anew, and give a store that is new or not known a client id.

    Between the first line and the last, both seals are good: a crash in between makes no stranger of the replica.
    """
    seal = device.entropy(SEAL_BYTES)
    identity_file.write(*known_by, seal.hex(), durable=True)
    with store.transaction():
        store.keep_setting("seal", seal)
        if not device.identity.client_id:
            device.save_identity(Identity(client_id_from(device.entropy(7))))
        elif not known_by:
            device.fork()
    identity_file.write(seal.hex(), durable=False)
