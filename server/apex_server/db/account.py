"""The account that Postgres runs under, which is never root: Postgres refuses, and rightly.

As an ordinary user the server runs Postgres as itself. As root (a container, a fresh machine) it drops to an account
that can do nothing else, and then has to know what that account can reach: root's own home, where a clone or a virtual
environment often lies, is closed to it.
"""

import os
import pwd
import stat
from pathlib import Path
from typing import Any, NamedTuple

from apex_server.db.errors import NoUnprivilegedAccount

__all__ = ["Account", "unprivileged_account"]

# Debian's and the official image's account first; the second exists nearly everywhere.
ACCOUNT_NAMES = ("postgres", "nobody")


class Account(NamedTuple):
    """Whom to run as after root is dropped."""

    uid: int
    gid: int

    def popen_arguments(self) -> dict[str, Any]:
        """Give what makes `subprocess` drop root for good, supplementary groups included."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def reaches(self, path: Path) -> bool:
        """Tell whether the account can walk to this file or directory and read it, by owner, group and mode."""
        resolved = path.resolve()
        parents = (self._may(parent, stat.S_IXOTH) for parent in resolved.parents)
        wanted = stat.S_IROTH | stat.S_IXOTH if resolved.is_dir() else stat.S_IROTH
        return all(parents) and self._may(resolved, wanted)

    def _may(self, path: Path, wanted: int) -> bool:
        status = path.stat()
        shift = 6 if status.st_uid == self.uid else 3 if status.st_gid == self.gid else 0
        return (status.st_mode >> shift) & wanted == wanted


def unprivileged_account(cluster: Path) -> Account | None:
    """Choose whom Postgres runs as: None is ourselves, since we are not root.

    Data that exists decides: its owner goes on. Raises NoUnprivilegedAccount.
    """
    if os.geteuid() != 0:
        return None
    if cluster.exists() and cluster.stat().st_uid != 0:
        return Account(cluster.stat().st_uid, cluster.stat().st_gid)
    for name in ACCOUNT_NAMES:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_uid, entry.pw_gid)
    raise NoUnprivilegedAccount(ACCOUNT_NAMES)
