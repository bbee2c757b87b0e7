"""One running Postgres server process: found, watched and stopped by its pid.

A postmaster outlives our process when that is killed, so it is not always our child. What is known about it comes from
the `postmaster.pid` it writes, and every pid is checked to be a Postgres at work in this very cluster before anything
is believed of it or sent to it: pids are used again.
"""

import os
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import anyio
import psutil

from apex_server.db.account import Account
from apex_server.db.binaries import PostgresBinaries
from apex_server.db.data_directory import SOCKET_NAME, DataDirectory, cluster_command
from apex_server.db.errors import PostgresStartFailed

__all__ = ["PidFile", "Postmaster", "clear_remains", "read_pid_file", "spawn"]

PID_FILE_LINES = 8
POLL_SECONDS = 0.02
STOP_TIMEOUT_SECONDS = 30.0  # A fast shutdown writes one checkpoint.
ORPHAN_TIMEOUT_SECONDS = 3.0
SERVER_OPTIONS = {
    "listen_addresses": "",
    "port": "5432",
    "unix_socket_permissions": "0700",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %a ",
    "jit": "off",  # Queries here are short; compiling one costs more than running it.
}


class PidFile(NamedTuple):
    """What `postmaster.pid` says."""

    pid: int
    socket_directory: Path
    is_ready: bool


class Postmaster:
    """A server process; a `child` with its pid is one we started and so have to collect."""

    def __init__(self, cluster: Path, pid: int, child: subprocess.Popen[bytes] | None = None) -> None:
        self.cluster = cluster
        self.pid = pid
        self._child = child if child is not None and child.pid == pid else None

    def is_alive(self) -> bool:
        """Tell whether it still runs; collects a child that has ended."""
        if self._child is not None:
            return self._child.poll() is None
        return is_postgres_of(self.pid, self.cluster)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, unless it has ended."""
        if self.is_alive():
            os.kill(self.pid, number)

    async def stop(self) -> None:
        """Shut down fast (connections are cut, what was committed is kept), or at once when that takes too long."""
        for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
            self.signal(number)
            if await self.ends_within(STOP_TIMEOUT_SECONDS):
                return

    async def ends_within(self, seconds: float) -> bool:
        """Wait for the end of the process, and tell whether it came in time."""
        with anyio.move_on_after(seconds):
            while self.is_alive():  # noqa: ASYNC110 - a process that is not our child has no event to wait for.
                await anyio.sleep(POLL_SECONDS)
        return not self.is_alive()


def read_pid_file(cluster: Path) -> PidFile | None:
    """Read `postmaster.pid`; None when there is none, it is still being written, or its process is gone."""
    try:
        lines = (cluster / "postmaster.pid").read_text(encoding="utf-8").splitlines()
        found = PidFile(int(lines[0]), Path(lines[4]), len(lines) >= PID_FILE_LINES and lines[7].strip() == "ready")
    except (OSError, ValueError, IndexError):
        return None
    return found if is_postgres_of(found.pid, cluster) else None


def is_postgres_of(pid: int, cluster: Path) -> bool:
    """Tell whether this is a living server process of the cluster: the account's own, and with its name on it."""
    try:
        process = psutil.Process(pid)
        return (
            process.name().startswith("postgres")
            and process.status() != psutil.STATUS_ZOMBIE
            and process.uids().effective == cluster.stat().st_uid
            and cluster_name(cluster) in " ".join(process.cmdline())
        )
    except psutil.Error:
        return False


def cluster_name(cluster: Path) -> str:
    """Name a cluster so that it is told apart under any path; every server process carries this in its command line.

    Its working directory would tell as well, but a container's root may not look at that of another account.
    """
    status = cluster.stat()
    return f"apex-{status.st_dev:x}-{status.st_ino:x}"


def spawn(
    directory: DataDirectory,
    binaries: PostgresBinaries,
    account: Account | None,
    *,
    socket_directory: Path,
    more_options: Mapping[str, str],
) -> subprocess.Popen[bytes]:
    """Start a postmaster in a session of its own, so that a Ctrl-C meant for us does not cut connections first."""
    options = SERVER_OPTIONS | {
        **more_options,
        "cluster_name": cluster_name(directory.cluster),
        "unix_socket_directories": quoted(socket_directory),
    }
    settings = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
    log = os.open(directory.log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        with cluster_command(binaries.program("postgres"), directory.cluster, account) as (command, popen):
            popen |= {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log}
            return subprocess.Popen([*command, *settings], **popen)  # noqa: S603 - our own binaries and options.
    except OSError as error:
        raise PostgresStartFailed("postgres", f"could not be run: {error}", "") from error
    finally:
        os.close(log)


def quoted(socket_directory: Path) -> str:
    """Write a path as an element of a list, where a bare comma would part it."""
    return '"{}"'.format(str(socket_directory).replace('"', '""'))


def clear_remains(cluster: Path, socket_directory: Path) -> None:
    """Clear what a dead postmaster left, once it is certain that it is dead: processes, lock files and socket.

    Postgres itself judges a lock file by its pid alone, and would refuse to start for a zombie nobody collects, or for
    whichever process has the number now, as after the restart of a container.
    """
    end_orphans(cluster)
    (cluster / "postmaster.pid").unlink(missing_ok=True)
    for name in (SOCKET_NAME, f"{SOCKET_NAME}.lock"):
        (socket_directory / name).unlink(missing_ok=True)


def end_orphans(cluster: Path) -> None:
    """End server processes whose postmaster is dead: a busy one would keep the memory that a new one must have.

    SIGQUIT is what a postmaster itself sends in this case; they leave at once, and recovery does the rest.
    """
    orphans = [process for process in psutil.process_iter() if is_postgres_of(process.pid, cluster)]
    for number in (signal.SIGQUIT, signal.SIGKILL):
        for orphan in orphans:
            with suppress(psutil.NoSuchProcess):
                orphan.send_signal(number)
        _, orphans = psutil.wait_procs(orphans, timeout=ORPHAN_TIMEOUT_SECONDS)
