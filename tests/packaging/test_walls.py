"""The walls between the distributions hold, and each goes red when something is built through it."""

import ast
import json
import os
import shutil
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from tests.packaging.workspace import DISTRIBUTIONS, ENGINE, ROOT, SERVER, Distribution, contract, requirement_name

# (contract id, planted file, what it says)
PLANTED_IMPORTS = [
    ("engine-alone", "apex_sync/planted.py", "import apex_server"),
    ("engine-alone", "apex_sync/planted.py", "import apex_client"),
    ("engine-pure", "apex_sync/planted.py", "import socket"),
    ("engine-pure", "apex_sync/planted.py", "from pathlib import Path"),
    ("engine-pure", "apex_sync/protocol/planted.py", "import sqlite3"),
    ("engine-pure", "apex_sync/models/planted.py", "from time import time"),
    ("engine-pure", "apex_sync/coaching/planted.py", "def now():\n    import time\n    return time.time()"),
    ("engine-generic", "apex_sync/planted.py", "import apex_sync.models"),
    ("engine-generic", "apex_sync/protocol/planted.py", "from apex_sync import coaching"),
    ("engine-generic", "apex_sync/planted.py", "import apex_sync.testing"),
    ("engine-bare", "apex_sync/__init__.py", "import apex_sync.models"),
    ("sdk-small", "client_sdk/apex_client/planted.py", "import apex_server"),
    ("sdk-small", "client_sdk/apex_client/planted.py", "import litestar"),
    ("server-without-sdk", "server/apex_server/planted.py", "import apex_client"),
    ("server-slices", "server/apex_server/workouts/planted.py", "import apex_server.checkins"),
    ("server-slices", "server/apex_server/auth/planted.py", "import apex_server.app"),
    ("server-slices", "server/apex_server/db/planted.py", "import apex_server.sync"),
    ("one-openai", "server/apex_server/insights/planted.py", "import openai"),
    ("one-boto3", "server/apex_server/workouts/planted.py", "import boto3"),
]

# (rule that refuses it, what it says)
PLANTED_CALLS = [
    ("TID251", "from datetime import UTC, datetime\n\nNOW = datetime.now(UTC)"),
    ("TID251", "import datetime\n\nTODAY = datetime.date.today()"),
    ("TID251", "import uuid\n\nID = uuid.uuid4()"),
    ("TID251", "import anyio\n\nnap = anyio.sleep"),
    ("S311", "import random\n\nCOIN = random.random()"),
    ("PTH123", "TEXT = open('notes.txt')"),
]

# Folders of the server that hold no code.
FOLDERS_WITHOUT_CODE = {"__pycache__", "migrations", "static", "templates"}


@pytest.fixture
def workspace_copy(tmp_path: Path) -> Path:
    """Give a copy of the code and its configuration that a test may spoil."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for each in DISTRIBUTIONS:
        target = tmp_path / each.package_dir.relative_to(ROOT)
        shutil.copytree(each.package_dir, target, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


@pytest.mark.parametrize(("contract_id", "file", "code"), PLANTED_IMPORTS)
def test_an_import_through_a_wall_turns_its_contract_red(
    contract_id: str, file: str, code: str, workspace_copy: Path
) -> None:
    plant(workspace_copy, file, code)
    plant(workspace_copy, "server/apex_server/checkins/__init__.py", "")
    plant(workspace_copy, "server/apex_server/sync/__init__.py", "")
    plant(workspace_copy, "server/apex_server/app.py", "")

    result = lint_imports(workspace_copy, contract_id)

    assert result.returncode == 1, result.stdout + result.stderr
    assert "BROKEN" in result.stdout


@pytest.mark.parametrize("contract_id", sorted({contract_id for contract_id, _, _ in PLANTED_IMPORTS}))
def test_a_contract_is_green_on_the_code_as_it_is(contract_id: str, workspace_copy: Path) -> None:
    result = lint_imports(workspace_copy, contract_id)

    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(("rule", "code"), PLANTED_CALLS)
def test_the_linter_refuses_a_clock_randomness_or_a_file_in_the_engine(rule: str, code: str) -> None:
    assert rule in ruff_rules_broken(code, as_file="apex_sync/planted.py")


def test_every_folder_of_the_server_is_listed_in_the_slices_contract() -> None:
    folders = {path.name for path in SERVER.package_dir.iterdir() if path.is_dir()} - FOLDERS_WITHOUT_CODE

    assert folders <= listed_slices(), "list the new slice in pyproject.toml, contract server-slices"


@pytest.mark.parametrize("distribution", DISTRIBUTIONS, ids=lambda each: each.name)
def test_every_third_party_import_is_a_declared_dependency(distribution: Distribution) -> None:
    own = {each.package for each in DISTRIBUTIONS}
    third_party = imported_packages(distribution.package_dir) - own - sys.stdlib_module_names
    declared = distribution.dependency_names | distribution.optional_dependency_names

    undeclared = {package for package in third_party if not declared & distribution_names(package)}

    assert undeclared == set()


def test_the_engine_imports_three_libraries_at_most() -> None:
    testing = ENGINE.package_dir / "testing"
    own_and_stdlib = {"apex_sync"} | sys.stdlib_module_names

    assert imported_packages(ENGINE.package_dir, leave_out=testing) <= own_and_stdlib | {"anyio", "msgspec", "pycrdt"}


def plant(root: Path, file: str, code: str) -> None:
    path = root / file
    path.parent.mkdir(parents=True, exist_ok=True)
    for each in (path, path.parent / "__init__.py"):
        each.touch()
    path.write_text(f"{path.read_text()}\n{code}\n")


def lint_imports(root: Path, contract_id: str) -> subprocess.CompletedProcess[str]:
    search_path = os.pathsep.join(str(root / folder) for folder in (".", "client_sdk", "server"))
    return subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-logo", "--no-cache", "--contract", contract_id],
        cwd=root,
        env={**os.environ, "PYTHONPATH": search_path},
        capture_output=True,
        text=True,
        check=False,
    )


def ruff_rules_broken(code: str, *, as_file: str) -> set[str]:
    result = subprocess.run(
        [Path(sys.executable).with_name("ruff"), "check", "--output-format=json", "--stdin-filename", as_file, "-"],
        cwd=ROOT,
        input=code,
        capture_output=True,
        text=True,
        check=False,
    )
    return {finding["code"] for finding in json.loads(result.stdout)}


def listed_slices() -> set[str]:
    return {name.strip(" ()") for layer in contract("server-slices")["layers"] for name in layer.split("|")}


def imported_packages(folder: Path, leave_out: Path | None = None) -> set[str]:
    """Give the top-level names that the modules of a folder import, wherever in the module they do it."""
    files = [path for path in folder.rglob("*.py") if leave_out is None or leave_out not in path.parents]
    nodes = [node for path in files for node in ast.walk(ast.parse(path.read_text()))]
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    absolute = {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module and not node.level}
    return {name.split(".")[0] for name in plain | absolute}


def distribution_names(package: str) -> set[str]:
    return {requirement_name(name) for name in packages_distributions().get(package, [])}
