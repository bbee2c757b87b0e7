"""The API description is good enough for others' tools: a client made from it by a public generator works."""

import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.e2e.whole_server import PASSWORD, WholeServer

DESCRIPTION = Path(__file__).parents[2] / "schemas" / "openapi.json"
CONFIG = """\
{"content_type_overrides": {
  "*/*": "application/octet-stream",
  "application/vnd.apex.sync+msgpack": "application/octet-stream",
  "application/zip": "application/octet-stream",
  "image/jpeg": "application/octet-stream"
}, "post_hooks": []}
"""
"""What the generator is told: which answers are bytes, and to leave formatting alone."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Make the client, and let it be imported as `apex_sync_client`."""
    folder = tmp_path_factory.mktemp("typed_client")
    (folder / "config.json").write_text(CONFIG)
    command = [
        "-m",
        "openapi_python_client",
        "generate",
        "--path",
        str(DESCRIPTION),
        "--fail-on-warning",
        "--meta=none",
    ]
    paths = ["--config", str(folder / "config.json"), "--output-path", str(folder / "apex_sync_client")]
    run = subprocess.run([sys.executable, *command, *paths], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    sys.path.insert(0, str(folder))
    yield folder / "apex_sync_client"
    sys.path.remove(str(folder))
    for name in [name for name in sys.modules if name.partition(".")[0] == "apex_sync_client"]:
        del sys.modules[name]


def part(name: str) -> ModuleType:
    return importlib.import_module(f"apex_sync_client.{name}")


def test_every_operation_became_a_function(made: Path) -> None:
    import msgspec

    paths = msgspec.json.decode(DESCRIPTION.read_bytes())["paths"]
    wanted = {operation["operationId"] for methods in paths.values() for operation in methods.values()}
    assert {file.stem for file in (made / "api").glob("*/*.py")} - {"__init__"} == wanted
    for file in (made / "api").glob("*/*.py"):
        compile(file.read_text(), str(file), "exec")


def test_an_athlete_registers_logs_and_reads_back_and_a_refusal_has_a_type(made: Path, server: WholeServer) -> None:
    models, client = part("models"), part("client")
    stranger = client.Client(server.address)
    account: Any = part("api.auth.register").sync(
        client=stranger,
        body=models.RegisterRequest(
            email=server.new_email("typed"), password=PASSWORD, name="Tia", role=models.RegisterRequestRole.ATHLETE
        ),
    )
    athlete = client.AuthenticatedClient(server.address, token=account.access_token)
    pushes = models.ExerciseDraft(name="Push-up", sets=[models.SetDraft(reps=12, rpe=8)])
    workout: Any = part("api.workouts.make_workout").sync(
        client=athlete, body=models.NewWorkout(date="2026-03-01", exercises=[pushes])
    )
    page: Any = part("api.workouts.list_workouts").sync(client=athlete)
    assert [one.id for one in page.workouts] == [workout.id]
    assert page.workouts[0].exercises[0].sets[0].reps == 12
    refused: Any = part("api.workouts.list_workouts").sync(client=stranger)
    assert isinstance(refused, models.Problem)
    assert refused.code == "credentials_missing"
