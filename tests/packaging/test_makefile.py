"""`make` says what it offers, and says plainly what it lacks before it sets anything up."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.packaging.workspace import ROOT

MAKEFILE = (ROOT / "Makefile").read_text()
OLD_PYTHON = """#!/bin/sh
case "$1" in -V) echo "Python 3.9.2";; *) exit 1;; esac
"""
PYTHON_WITHOUT_VENV = """#!/bin/sh
case "$2" in *ensurepip*) exit 1;; esac
"""


@pytest.fixture
def bare_clone(tmp_path: Path) -> Path:
    """Give a folder in which nothing has been set up yet."""
    for name in ("Makefile", "pyproject.toml", "client_sdk/pyproject.toml", "server/pyproject.toml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def test_make_alone_lists_every_target(bare_clone: Path) -> None:
    declared = set(re.findall(r"^([a-z]+):", MAKEFILE, re.MULTILINE))

    listed = set(re.findall(r"^  ([a-z]+) ", make(bare_clone).stdout, re.MULTILINE))

    assert listed == declared
    assert {"bench", "check", "demo", "format", "help", "schemas", "serve", "test"} <= listed


@pytest.mark.parametrize("target", ["demo", "test", "check"])
def test_a_python_too_old_is_named_with_its_version(target: str, bare_clone: Path) -> None:
    result = make(bare_clone, target, f"PYTHON={program(bare_clone, OLD_PYTHON)}")

    assert result.returncode != 0
    assert "needs Python 3.11 or newer" in result.stderr
    assert "Python 3.9.2" in result.stderr
    assert f"make PYTHON=python3.12 {target}" in result.stderr


def test_a_missing_python_is_named(bare_clone: Path) -> None:
    result = make(bare_clone, "test", "PYTHON=no-such-python")

    assert result.returncode != 0
    assert "there is no no-such-python" in result.stderr


def test_a_python_without_venv_comes_with_its_cure(bare_clone: Path) -> None:
    result = make(bare_clone, "test", f"PYTHON={program(bare_clone, PYTHON_WITHOUT_VENV)}")

    assert result.returncode != 0
    assert "apt-get install python3-venv" in result.stderr


def test_demo_hands_the_named_file_on(bare_clone: Path) -> None:
    planned = make(bare_clone, "--dry-run", "demo", "FILE=my export.csv").stdout

    assert '.venv/bin/python examples/demo.py --file "my export.csv"' in planned


def make(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", "--no-print-directory", *arguments],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        env={"PATH": "/usr/local/bin:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )


def program(folder: Path, script: str) -> Path:
    path = folder / "python"
    path.write_text(script)
    path.chmod(0o755)
    return path
