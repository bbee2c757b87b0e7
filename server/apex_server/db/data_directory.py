"""The directory an embedded Postgres lives in, and the lock that gives it one owner.

    <data directory>/        0700, ours
        owner.lock           held by flock for as long as the owning server lives; holds its pid
        postgres/            the cluster, owned by the account Postgres runs as
        postgres.log         what Postgres says; postgres.log.1 is the part before
        run/                 the socket, where its path is short enough and the account can reach it
        socket_directory     otherwise: where the socket is instead

A cluster is there whole or not at all: initdb works in a directory of another name, which is renamed at the end.
"""

import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from apex_server.db.account import Account
from apex_server.db.binaries import PostgresBinaries
from apex_server.db.errors import DataDirectoryInUse, DataDirectoryUnusable, PostgresStartFailed

__all__ = ["OWNER_ROLE", "SOCKET_NAME", "DataDirectory", "cluster_command"]

OWNER_ROLE = "apex_owner"
SOCKET_NAME = ".s.PGSQL.5432"
# sun_path holds 108 bytes on Linux and 104 on macOS and the BSDs, each with a final NUL.
SOCKET_PATH_BYTES_MAX = 103
SHORT_TEMPORARY_DIR = Path("/tmp")  # noqa: S108 - mkdtemp makes a private directory in it.
INITDB_TIMEOUT_SECONDS = 120.0
LOG_BYTES_MAX = 16 * 2**20  # Twice this stays on disk: the current file and the one before.
LOG_TAIL_BYTES = 2_000
UNFINISHED_PREFIX = "postgres.new."
BUILTIN_LOCALE_SINCE = 17


class DataDirectory:
    """Paths and files of one data directory; it starts nothing."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.cluster = self.path / "postgres"
        self.log_path = self.path / "postgres.log"
        self.socket_record = self.path / "socket_directory"

    @contextmanager
    def owned(self) -> Iterator[None]:
        """Make the directory where needed and hold it for this process; raises DataDirectoryInUse with the owner's pid.

        The lock goes with the process, however that ends; the file stays and means nothing by itself.
        """
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self.path / "owner.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise DataDirectoryUnusable(self.path, f"{error.strerror}: {error.filename}") from error
        try:
            self._lock(descriptor)
            yield
        finally:
            os.close(descriptor)

    def _lock(self, descriptor: int) -> None:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            owner = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
            raise DataDirectoryInUse(self.path, int(owner) if owner.isdecimal() else None) from error
        except OSError as error:
            raise DataDirectoryUnusable(self.path, f"its file system has no file locks ({error.strerror})") from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)

    def cluster_major(self) -> int | None:
        """Give the major version that made the cluster, None when there is none; raises DataDirectoryUnusable."""
        if not self.cluster.exists():
            return None
        try:
            return int((self.cluster / "PG_VERSION").read_text(encoding="ascii"))
        except (OSError, ValueError) as error:
            raise DataDirectoryUnusable(self.path, f"{self.cluster} holds no Postgres cluster: {error}") from error

    def check_owner(self, account: Account | None) -> None:
        """Hand a cluster that root owns (a restored backup) to the account; raises where it belongs to another user."""
        owner = self.cluster.stat().st_uid
        if account is None and owner != os.geteuid():
            raise DataDirectoryUnusable(
                self.path, f"{self.cluster} belongs to user {owner}; Postgres runs only as that user (or start as root)"
            )
        if account is not None and owner != account.uid:
            for path in (self.cluster, *self.cluster.rglob("*")):
                os.chown(path, account.uid, account.gid, follow_symlinks=False)

    def initialise(self, binaries: PostgresBinaries, account: Account | None) -> None:
        """Make the cluster: 1 to 2 seconds; raises PostgresStartFailed with what initdb said."""
        for unfinished in self.path.glob(f"{UNFINISHED_PREFIX}*"):
            shutil.rmtree(unfinished, ignore_errors=True)
        fresh = Path(tempfile.mkdtemp(prefix=UNFINISHED_PREFIX, dir=self.path))
        if account is not None:
            os.chown(fresh, account.uid, account.gid)
        try:
            with cluster_command(binaries.program("initdb"), fresh, account) as (command, popen):
                popen |= {"capture_output": True, "text": True, "timeout": INITDB_TIMEOUT_SECONDS}
                done = subprocess.run([*command, *initdb_options(binaries.major)], check=False, **popen)  # noqa: S603 - our own binaries.
        except (OSError, subprocess.TimeoutExpired) as error:
            raise PostgresStartFailed("initdb", f"could not be run: {error}", "") from error
        if done.returncode != 0:
            raise PostgresStartFailed("initdb", f"ended with {done.returncode}", done.stderr[-LOG_TAIL_BYTES:])
        fresh.rename(self.cluster)

    def socket_directory(self, account: Account | None) -> Path:
        """Give the directory for the socket, made and private to the account."""
        own = self.path / "run"
        if socket_fits(own) and (account is None or account.reaches(self.path)):
            own.mkdir(mode=0o700, exist_ok=True)
            hand_over(own, account)
            return own
        return self._recorded_socket_directory(account)

    def _recorded_socket_directory(self, account: Account | None) -> Path:
        uid = os.geteuid() if account is None else account.uid
        if self.socket_record.exists():
            known = Path(self.socket_record.read_text(encoding="utf-8").strip())
            if known.is_dir() and not known.is_symlink() and private_to(known, uid):
                return known
        parents = [Path(tempfile.gettempdir()), SHORT_TEMPORARY_DIR]
        parent = next((each for each in parents if socket_fits(each / "apex-pg-xxxxxxxx")), SHORT_TEMPORARY_DIR)
        made = Path(tempfile.mkdtemp(prefix="apex-pg-", dir=parent))
        hand_over(made, account)
        self.socket_record.write_text(f"{made}\n", encoding="utf-8")
        return made

    def forget_socket_directory(self) -> None:
        """Remove a socket directory outside the data directory, after Postgres has stopped."""
        if self.socket_record.exists():
            shutil.rmtree(self.socket_record.read_text(encoding="utf-8").strip(), ignore_errors=True)
            self.socket_record.unlink()

    def bound_log(self) -> None:
        """Put a log that has grown too large aside; Postgres goes on appending to the emptied file.

        On a full disk the log stays as it is, until there is room.
        """
        if self.log_path.exists() and self.log_path.stat().st_size > LOG_BYTES_MAX:
            aside = self.log_path.with_name("postgres.log.1")
            try:
                shutil.copyfile(self.log_path, aside)
            except OSError:
                aside.unlink(missing_ok=True)
            else:
                os.truncate(self.log_path, 0)

    def log_size(self) -> int:
        """Give the size of the log, to tell later what was said since."""
        return self.log_path.stat().st_size if self.log_path.exists() else 0

    def log_tail(self, since: int = 0) -> str:
        """Give the last lines of the log that were written after it had the size `since`."""
        text = self.log_path.read_bytes() if self.log_path.exists() else b""
        return text[min(since, len(text)) :][-LOG_TAIL_BYTES:].decode("utf-8", "replace").strip()


@contextmanager
def cluster_command(program: str, cluster: Path, account: Account | None) -> Iterator[tuple[list[str], dict[str, Any]]]:
    """Give a command for a Postgres program on a cluster, and how to start it; raises DataDirectoryUnusable.

    As another account the cluster may lie under directories closed to it, such as /root. So the program inherits the
    open directory, and knows it by its number in /proc: that way in needs no more than rights on the cluster itself.
    """
    popen: dict[str, Any] = {"cwd": "/", "env": clean_environment(), "start_new_session": True}
    if account is None:
        yield [program, "-D", str(cluster)], popen
        return
    popen |= account.popen_arguments()
    if account.reaches(cluster.parent):
        yield [program, "-D", str(cluster)], popen
        return
    if not Path("/proc/self/fd").exists():
        raise DataDirectoryUnusable(cluster.parent, "the account Postgres runs as cannot reach it")
    descriptor = os.open(cluster, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield [program, "-D", f"/proc/self/fd/{descriptor}"], popen | {"pass_fds": (descriptor,)}
    finally:
        os.close(descriptor)


def clean_environment() -> dict[str, str]:
    """Give Postgres nothing of ours: PG* variables and locales would change how it runs."""
    kept = {name: os.environ[name] for name in ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH") if name in os.environ}
    return {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC", **kept}


def initdb_options(major: int) -> list[str]:
    """Trust stands behind a socket in a directory that only the account and root can enter; there is no TCP."""
    options = [f"--username={OWNER_ROLE}", "--auth=trust", "--encoding=UTF8", "--no-locale", "--data-checksums"]
    if major >= BUILTIN_LOCALE_SINCE:
        options += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    return options


def socket_fits(directory: Path) -> bool:
    return len(os.fsencode(directory / SOCKET_NAME)) <= SOCKET_PATH_BYTES_MAX


def hand_over(directory: Path, account: Account | None) -> None:
    if account is not None:
        os.chown(directory, account.uid, account.gid)
    directory.chmod(0o700)


def private_to(directory: Path, uid: int) -> bool:
    status = directory.stat()
    return status.st_uid == uid and status.st_mode & 0o077 == 0
