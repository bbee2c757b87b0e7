"""The three wheels build, hold what they should, and install into a clean environment.

The SDK is for a watch: its wheel brings the engine and its own dependencies, never a server's, and with nothing else
installed it runs the SDK example of the README, the Python block under the line `<!-- sdk example -->`.
"""

import json
import re
import subprocess
import sys
import venv
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import Message
from email.parser import Parser
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.packaging.workspace import DISTRIBUTIONS, ENGINE, ROOT, SDK, SERVER, Distribution, contract, requirement_name

pytestmark = pytest.mark.slow

README_EXAMPLE = re.compile(r"<!-- sdk example -->\s*```python\n(.*?)```", re.DOTALL)


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Build the three wheels, by distribution name."""
    folder = tmp_path_factory.mktemp("wheels")
    sources = [each.folder for each in DISTRIBUTIONS]
    run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", folder, *sources)
    return {requirement_name(path.name.split("-")[0]): path for path in folder.glob("*.whl")}


@pytest.fixture(scope="module")
def sdk_python(wheels: dict[str, Path]) -> Iterator[Path]:
    """Give the interpreter of a clean environment that holds the SDK, the engine and what they depend on."""
    with clean_environment(wheels[ENGINE.name], wheels[SDK.name]) as python:
        yield python


def test_the_three_are_released_in_lockstep() -> None:
    pins = {name.split("==")[0].split("[")[0]: name for each in (SDK, SERVER) for name in each.dependencies}

    assert {each.version for each in DISTRIBUTIONS} == {ENGINE.version}
    assert pins["apex-sync"].endswith(f"=={ENGINE.version}")


@pytest.mark.parametrize("distribution", DISTRIBUTIONS, ids=lambda each: each.name)
def test_a_wheel_holds_its_package_with_its_data_and_nothing_else(
    distribution: Distribution, wheels: dict[str, Path]
) -> None:
    names = zipfile.ZipFile(wheels[distribution.name]).namelist()
    held = {name for name in names if ".dist-info/" not in name}

    assert held == files_of(distribution)
    assert f"{distribution.package}/py.typed" in held
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)


def test_the_sdk_and_the_server_require_the_engine_of_their_own_version(wheels: dict[str, Path]) -> None:
    for each in (SDK, SERVER):
        required = metadata(wheels[each.name]).get_all("Requires-Dist", [])
        engine = next(requirement for requirement in required if requirement_name(requirement) == ENGINE.name)
        assert engine.endswith(f"=={ENGINE.version}")


def test_the_sdk_brings_no_server_code_and_no_server_dependency(sdk_python: Path) -> None:
    barred = contract("sdk-small")["forbidden_modules"]

    assert {"apex_server", "asyncpg", "boto3", "litestar", "openai"} <= set(barred)
    assert SDK.dependency_names <= installed_names(sdk_python)
    assert importable(sdk_python, ["apex_client", *barred]) == ["apex_client"]


def test_the_readme_example_runs_with_the_sdk_alone(sdk_python: Path, tmp_path: Path) -> None:
    run(sdk_python, "-I", "-", cwd=tmp_path, stdin=readme_example())


def test_the_apex_command_starts_with_the_sdk_alone(sdk_python: Path) -> None:
    assert "import" in run(sdk_python.with_name("apex"), "--help")


def test_the_server_installs_into_a_clean_environment_without_the_sdk(wheels: dict[str, Path]) -> None:
    with clean_environment(wheels[ENGINE.name], wheels[SERVER.name]) as python:
        assert "serve" in run(python.with_name("apex-server"), "--help")
        assert SDK.name not in installed_names(python)


@contextmanager
def clean_environment(*wheels: Path) -> Iterator[Path]:
    """Install wheels and what they depend on into an empty environment; give its interpreter."""
    with TemporaryDirectory() as folder:
        venv.create(folder, with_pip=False)
        python = Path(folder, "bin", "python")
        run(sys.executable, "-m", "pip", "--python", python, "install", "--quiet", *wheels)
        yield python


def run(*command: str | Path, cwd: Path | None = None, stdin: str = "") -> str:
    result = subprocess.run(command, cwd=cwd, input=stdin, capture_output=True, text=True, check=False)
    assert result.returncode == 0, f"{command[0]} ended with {result.returncode}\n{result.stdout}{result.stderr}"
    return result.stdout


def installed_names(python: Path) -> set[str]:
    listed = json.loads(run(sys.executable, "-m", "pip", "--python", python, "list", "--format=json"))
    return {requirement_name(each["name"]) for each in listed}


def importable(python: Path, packages: list[str]) -> list[str]:
    """Give those of the packages that the interpreter can find."""
    code = f"from importlib.util import find_spec; print(*[name for name in {packages!r} if find_spec(name)])"
    return run(python, "-I", "-c", code).split()


def readme_example() -> str:
    readme = ROOT / "README.md"
    example = README_EXAMPLE.search(readme.read_text()) if readme.exists() else None
    assert example, "README.md has no Python block under the line <!-- sdk example -->"
    return example[1]


def files_of(distribution: Distribution) -> set[str]:
    files = {path for path in distribution.package_dir.rglob("*") if path.is_file() and path.suffix != ".pyc"}
    return {path.relative_to(distribution.folder).as_posix() for path in files}


def metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return Parser().parsestr(archive.read(name).decode())
