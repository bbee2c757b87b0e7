"""What an operator's command refuses to do.

    OperationError
    ├── BackupExists          the file is there already
    ├── BackupIncomplete      the database would not give everything
    ├── NotABackup            a file that is no backup, or of a form this server does not know
    │   └── BackupDamaged     a backup that was cut or altered
    ├── BackupNewer           a backup of a schema that this server does not know
    ├── KeysLacking           people in a backup whose keys are not in the key file
    ├── KeysRenewed           people in a backup whose keys of its time are destroyed
    ├── DatabaseNotEmpty      there is data that a restore would destroy
    ├── AccountRefused        an account that cannot be made
    ├── DatabaseInUse         something is connected to the database that a restore would replace
    └── DatabaseRefused       Postgres does not do its part

Every message says what to do next; the values it speaks of are attributes.
"""

from collections.abc import Sequence
from pathlib import Path

__all__ = [
    "AccountRefused",
    "BackupDamaged",
    "BackupExists",
    "BackupIncomplete",
    "BackupNewer",
    "DatabaseInUse",
    "DatabaseNotEmpty",
    "DatabaseRefused",
    "KeysLacking",
    "KeysRenewed",
    "NotABackup",
    "OperationError",
]


class OperationError(Exception):
    """The root of every error this package raises on purpose."""


class AccountRefused(OperationError):
    """An account that cannot be made as it was asked for."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"no account was made: {reason}")
        self.reason = reason


class BackupExists(OperationError):
    """A backup never replaces a file."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path} is there already and was left alone; name another file")
        self.path = path


class BackupIncomplete(OperationError):
    """The login does not see every row, so a backup would silently lack some."""

    def __init__(self, tables: Sequence[str]) -> None:
        super().__init__(
            f"the login in APEX_DATABASE_URL may not see every row of {', '.join(tables)}; run apex-server migrate "
            "with this version first, or give the owner of the schema BYPASSRLS"
        )
        self.tables = tuple(tables)


class NotABackup(OperationError):
    """A file that `apex-server backup` did not write, or a later version of it did."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path} is no backup that this server can read: {reason}; nothing was changed")
        self.path = path
        self.reason = reason


class BackupDamaged(NotABackup):
    """A backup of which a byte is missing, or another one than when it was written."""


class BackupNewer(OperationError):
    """The backup has a schema that is not this server's."""

    def __init__(self, path: Path, versions: Sequence[int]) -> None:
        super().__init__(
            f"{path} has migrations that this server does not have: {', '.join(f'{v:04d}' for v in versions)}; restore "
            "it with the version of the server that made it, or a newer one. Nothing was changed"
        )
        self.path = path
        self.versions = tuple(versions)


class KeysLacking(OperationError):
    """A backup that is newer than its key file, or goes with another one."""

    def __init__(self, path: Path, count: int) -> None:
        super().__init__(
            f"{path} lacks the keys of {count} people in this backup, whose records nobody could read; take the key "
            "file of the newest backup of the same installation. Nothing was changed"
        )
        self.path = path
        self.count = count


class KeysRenewed(OperationError):
    """A backup from before people's keys were renewed, which is older than former keys are kept."""

    def __init__(self, path: Path, count: int) -> None:
        super().__init__(
            f"the keys of {count} people were renewed after this backup was made, and those before are no longer in "
            f"{path}: nobody could read their records. Take a later backup, or name a key file of its time with "
            "--keys. Nothing was changed"
        )
        self.path = path
        self.count = count


class DatabaseNotEmpty(OperationError):
    """A restore destroys what is there only when told to."""

    def __init__(self) -> None:
        super().__init__(
            "the database has data already; to replace all of it give --replace (make a backup of it first), "
            "or restore into another one with APEX_DATA_DIR or APEX_DATABASE_URL"
        )


class DatabaseInUse(OperationError):
    """Whoever is connected would go on with what they knew of the old data."""

    def __init__(self, logins: Sequence[str]) -> None:
        super().__init__(
            f"the database is in use by {', '.join(logins)}; stop every server and worker of it, and close other "
            "connections, then restore again. Nothing was changed"
        )
        self.logins = tuple(logins)


class DatabaseRefused(OperationError):
    """Postgres said no to a statement that should work; what it was part of is undone."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"Postgres refused: {reason}. Nothing was changed; its log may say more")
        self.reason = reason
