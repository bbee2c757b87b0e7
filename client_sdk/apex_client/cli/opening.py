"""The replica a command works on: which file it is, and opening it for the time of the command."""

import os
import platform
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from apex_client.cli.failures import CommandFailed

if TYPE_CHECKING:
    from apex_client.blocking import Replica
    from apex_client.blocking.resources import AthleteResources

LoadUnit = Literal["kg", "lb"]

DB_VARIABLE = "APEX_DB"
CA_FILE_VARIABLE = "APEX_CA_FILE"
INSECURE_VARIABLE = "APEX_INSECURE"
KEY_FILE_VARIABLE = "APEX_KEY_FILE"

KEY_FILE_BYTES_MAX = 4096
RAW_KEY = re.compile(r"[0-9a-fA-F]{64}")

OPEN_PATIENCE_SECONDS = 3.0
"""How long to wait for another command to be done with the file; most take a tenth of a second."""

RETRY_SECONDS = 0.05

FILE_SUFFIXES = ("", ".identity", ".lock")
"""The files of a closed replica."""

ANY_RECORD = "SELECT record_id FROM held_records LIMIT 1"


def default_db() -> Path:
    """Give the file that is used where none is named."""
    data_home = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(data_home) / "apex" / "replica.db"


Db = Annotated[
    Path,
    typer.Option(
        "--db",
        envvar=DB_VARIABLE,
        metavar="PATH",
        show_default=False,
        show_envvar=False,
        help="The replica, also before the command; default: APEX_DB, or ~/.local/share/apex/replica.db.",
    ),
]
"""The option that every command has; its default is `NO_DB`."""

NO_DB = Path()
"""Stands for the default file, which is looked up when a command runs."""


def resolved(db: Path) -> Path:
    """Give the file that is meant."""
    return default_db() if db == NO_DB else db


def use_from_here(db: Path) -> None:
    """Make the file named before a command the one that the command's own option falls back to."""
    if db != NO_DB:
        os.environ[DB_VARIABLE] = str(db)


def key_from_here() -> bytes | str | None:
    """Give the key of the replica, from the file that was named before the command; None for a plain one."""
    named = os.environ.get(KEY_FILE_VARIABLE)
    return read_key(Path(named)) if named else None


def read_key(file: Path) -> bytes | str:
    """Read a key: 64 hexadecimal digits are the key itself, anything else is a passphrase. Raises CommandFailed."""
    content = file.read_bytes()[: KEY_FILE_BYTES_MAX + 1]
    if os.name == "posix" and file.stat().st_mode & 0o077:
        raise CommandFailed(f"{file} may be read by others; chmod 600 {file}")
    try:
        text = content.decode().strip("\r\n")
    except UnicodeDecodeError as error:
        raise CommandFailed(f"{file} holds no key: write 64 hexadecimal digits or a passphrase into it") from error
    if not text or len(content) > KEY_FILE_BYTES_MAX:
        raise CommandFailed(f"{file} holds no key: write 64 hexadecimal digits or a passphrase into it")
    return bytes.fromhex(text) if RAW_KEY.fullmatch(text) else text


def keyed_from_here(key_file: Path | None) -> None:
    """Let the replicas of this command be opened with the key in a file."""
    if key_file is not None:
        os.environ[KEY_FILE_VARIABLE] = str(key_file)


def trust_from_here(*, ca_file: Path | None, insecure: bool) -> None:
    """Let the replicas of this command trust what was said before it."""
    if ca_file is not None:
        os.environ[CA_FILE_VARIABLE] = str(ca_file)
    if insecure:
        os.environ[INSECURE_VARIABLE] = "1"


@contextmanager
def opened(db: Path, *, make: bool = False, patience_seconds: float = OPEN_PATIENCE_SECONDS) -> "Iterator[Replica]":
    """Open the replica for one command; with `make`, where there is none, it is made. Raises CommandFailed.

    A command that fails before it has saved anything takes the replica that it made away again.
    """
    path = resolved(db)
    existed = path.exists()
    if make:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    elif not existed:
        raise CommandFailed(f"there is no replica at {path}; make one with apex init, or name another with --db")
    replica = _patiently_opened(path, patience_seconds)
    is_useless = False
    try:
        yield replica
    except BaseException:
        is_useless = not existed and replica.user is None and not replica.query(ANY_RECORD)
        raise
    finally:
        replica.close()
        if is_useless:
            for suffix in FILE_SUFFIXES:
                path.with_name(path.name + suffix).unlink(missing_ok=True)


def _patiently_opened(path: Path, patience_seconds: float) -> "Replica":
    from apex_client.blocking import Replica
    from apex_client.errors import ReplicaInUse

    deadline = time.monotonic() + patience_seconds
    key = key_from_here()
    while True:
        try:
            replica = Replica.open(
                path,
                device_name=platform.node() or "computer",
                device_kind="desktop",
                ca_file=os.environ.get(CA_FILE_VARIABLE) or None,
                allow_insecure=os.environ.get(INSECURE_VARIABLE) == "1",
                encryption_key=key,
            )
            replica.start()
        except ReplicaInUse:
            if time.monotonic() > deadline:
                raise
            time.sleep(RETRY_SECONDS)
        else:
            return replica


def typed_unit(records: "AthleteResources", unit: LoadUnit | None) -> LoadUnit:
    """Give the unit of loads that are typed without one: the option, else the athlete's profile, else kilograms."""
    found = unit or records.profile.get().get("load_unit")
    return "lb" if found == "lb" else "kg"
