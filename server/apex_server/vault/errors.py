"""What can go wrong with keys and what they seal.

    VaultError
    ├── KeyDestroyed         there is no key of this user to be had: destroyed, or none of the asker's business
    ├── SealBroken           not what was sealed, or not in the place it was sealed for
    ├── MasterKeyMissing     something is wrapped under a master key that this process does not have
    ├── MasterKeyInvalid     a setting or a file that is no master key
    ├── KeyFileMissing       there is no key file where it is looked for
    ├── NotAKeyFile          a file that is no key file
    ├── KeyFileForeign       a key file of another installation, which ours would replace
    ├── MasterKeyNeeded      a migration has to seal what people wrote, and was given no master key
    └── MasterKeyOutdated    the installation moved on to another master key a moment ago: try again

No message holds a key, or anything that was sealed.
"""

from pathlib import Path
from uuid import UUID

__all__ = [
    "KeyDestroyed",
    "KeyFileForeign",
    "KeyFileMissing",
    "MasterKeyInvalid",
    "MasterKeyMissing",
    "MasterKeyNeeded",
    "MasterKeyOutdated",
    "NotAKeyFile",
    "SealBroken",
    "VaultError",
]


class VaultError(Exception):
    """The root of every error the vault raises on purpose."""


class KeyDestroyed(VaultError):
    """There is no key of this user to be had; it was destroyed, or is none of the asker's business."""

    def __init__(self, user_id: UUID) -> None:
        super().__init__(f"there is no data key of user {user_id}: what it sealed cannot be read by anybody any more")
        self.user_id = user_id


class SealBroken(VaultError):
    """A sealed value does not open: altered, cut, moved from another place, or sealed with another key."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"the sealed value {what!r} does not open; `apex-server verify` lists everything that does not"
        )
        self.what = what


class MasterKeyMissing(VaultError):
    """A key is wrapped under a master key that is not here."""

    def __init__(self, master_key_id: str, *, source: str) -> None:
        super().__init__(
            f"the data is sealed under the master key {master_key_id}, which is not in {source}. Put that key there, "
            "as the current one or a former one; without it nothing that people wrote can be read"
        )
        self.master_key_id = master_key_id
        self.source = source


class MasterKeyInvalid(VaultError):
    """What should be a master key is none."""

    def __init__(self, source: str, reason: str) -> None:
        super().__init__(f"{source}: {reason}")
        self.source = source
        self.reason = reason


class MasterKeyNeeded(VaultError):
    """There are people in a database that is to be migrated to a sealed one."""

    def __init__(self) -> None:
        super().__init__(
            "this migration seals what people wrote: give it the master key, as `apex-server migrate` does"
        )


class MasterKeyOutdated(VaultError):
    """The installation has moved on to another master key, which this process has noticed: the same may succeed now."""

    retry_after_seconds = 1.0

    def __init__(self) -> None:
        super().__init__("the master key of this installation has just been changed; try again")


class KeyFileMissing(VaultError):
    """Without its keys a backup is unreadable."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"there is no key file {path}; `apex-server backup` writes it beside the backup, each time anew. "
            "Bring the newest one, or name it with --keys. Nothing was changed"
        )
        self.path = path


class NotAKeyFile(VaultError):
    """A file that `apex-server backup` did not write as a key file, or a later version of it did."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path} is no key file that this server can read: {reason}; nothing was changed")
        self.path = path
        self.reason = reason


class KeyFileForeign(VaultError):
    """A backup replaces the key file of its own installation, and no other's."""

    def __init__(self, path: Path, count: int) -> None:
        super().__init__(
            f"{path} has the keys of {count} people whom this database does not know, so it is another installation's; "
            "keep the backups of each in a folder of their own, or name another file with --keys. It was left alone"
        )
        self.path = path
        self.count = count
