"""The three distributions as the pyprojects declare them."""

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Distribution:
    """One of the three: its folder, its import name and its parsed pyproject."""

    folder: Path
    package: str
    pyproject: dict[str, Any]

    @property
    def name(self) -> str:
        return str(self.pyproject["project"]["name"])

    @property
    def version(self) -> str:
        return str(self.pyproject["project"]["version"])

    @property
    def package_dir(self) -> Path:
        return self.folder / self.package

    @property
    def dependencies(self) -> list[str]:
        return list(self.pyproject["project"]["dependencies"])

    @property
    def dependency_names(self) -> set[str]:
        return {requirement_name(requirement) for requirement in self.dependencies}

    @property
    def optional_dependency_names(self) -> set[str]:
        extras = self.pyproject["project"].get("optional-dependencies", {})
        return {requirement_name(each) for name, extra in extras.items() if name != "dev" for each in extra}


def requirement_name(requirement: str) -> str:
    """Give the normalised name that a requirement begins with."""
    return re.sub(r"[-_.]+", "-", re.split(r"[\[<>=!~; ]", requirement, maxsplit=1)[0]).lower()


def distribution(folder: str, package: str) -> Distribution:
    """Read the distribution in a folder of the workspace."""
    path = ROOT / folder
    return Distribution(path, package, tomllib.loads((path / "pyproject.toml").read_text()))


ENGINE = distribution(".", "apex_sync")
SDK = distribution("client_sdk", "apex_client")
SERVER = distribution("server", "apex_server")
DISTRIBUTIONS = (ENGINE, SDK, SERVER)


def contract(contract_id: str) -> dict[str, Any]:
    """Give an import contract of the workspace as the root pyproject declares it."""
    contracts: list[dict[str, Any]] = ENGINE.pyproject["tool"]["importlinter"]["contracts"]
    return next(each for each in contracts if each["id"] == contract_id)
