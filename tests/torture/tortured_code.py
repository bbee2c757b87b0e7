"""Which code is tortured, or simulated: what was recorded of one is not true of another."""

import hashlib
import subprocess
from collections.abc import Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
FOLDERS = ("apex_sync", "client_sdk", "server", "tests/torture")
"""What decides how a torture ends."""

DIGITS = 12


class TorturedCode(NamedTuple):
    """The commit, for people, and a key of the content of FOLDERS."""

    commit: str
    key: str


@cache
def tortured_code() -> TorturedCode:
    """Name the code that is here when it is first asked for; by the version of the package where there is no git."""
    return code_in(ROOT)


def code_in(root: Path, folders: Sequence[str] = FOLDERS) -> TorturedCode:
    """Name the code in folders of a project, changes that are not committed included."""
    trees = _git(root, "rev-parse", *(f"HEAD:{folder}" for folder in folders))
    if not trees:
        return TorturedCode(version("apex-sync"), version("apex-sync"))
    changes = _git(root, "diff", "HEAD", "--", *folders)
    key = hashlib.sha256((trees + changes).encode()).hexdigest()[:DIGITS]
    return TorturedCode(_git(root, "rev-parse", "--short", "HEAD").strip() + "+" * bool(changes), key)


def _git(root: Path, *words: str) -> str:
    """Ask git; nothing where there is none, or none of this project."""
    try:
        done = subprocess.run(["git", *words], cwd=root, capture_output=True, text=True, errors="replace", check=False)
    except FileNotFoundError:
        return ""
    return done.stdout if done.returncode == 0 else ""
