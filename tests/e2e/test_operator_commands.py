"""The operator's commands as processes, on the data directory of a serving server: results, words, exit codes."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from uuid import UUID

import pytest

from tests.e2e.whole_server import SECRET, Athlete, WholeServer

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


def apex_server(data_dir: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("APEX_")}
    return subprocess.run(
        [sys.executable, "-m", "apex_server.cli", *map(str, words)],
        env=environment | {"APEX_SECRET": SECRET, "APEX_DATA_DIR": str(data_dir)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


async def test_a_serving_server_is_backed_up_verified_and_restored_elsewhere(
    server: WholeServer, athlete: Athlete, tmp_path: Path
) -> None:
    phone = await athlete.device("phone")
    log = await phone.workouts.start(title="Push")
    await log.add_set("Bench Press", reps=8, load=100, unit="kg")
    await phone.sync()
    here, there, file = server.settings.data_dir, tmp_path / "there", tmp_path / "one.apexbackup"

    made = apex_server(here, "backup", file)
    assert made.returncode == 0, made.stderr
    assert str(file) in made.stdout
    again = apex_server(here, "backup", file)
    assert (again.returncode, "is there already" in again.stderr) == (1, True)
    assert apex_server(here, "rebuild").returncode == 0

    sound = apex_server(here, "verify", "--json")
    assert sound.returncode == 0, sound.stdout + sound.stderr
    assert json.loads(sound.stdout)["sound"] is True

    serving = apex_server(here, "restore", "--replace", file)
    assert (serving.returncode, "in use" in serving.stderr) == (1, True)

    keyless = apex_server(there, "restore", file)
    assert (keyless.returncode, str(there / "master_key") in keyless.stderr) == (1, True)
    shutil.copy(here / "master_key", there)
    restored = apex_server(there, "restore", file)
    assert restored.returncode == 0, restored.stderr
    assert "begins" in restored.stdout
    assert apex_server(there, "verify").returncode == 0
    refused = apex_server(there, "restore", file)
    assert (refused.returncode, "--replace" in refused.stderr) == (1, True)

    (tmp_path / "cut.apexbackup").write_bytes(file.read_bytes()[:-100])
    cut = apex_server(there, "restore", "--replace", tmp_path / "cut.apexbackup")
    assert (cut.returncode, "cut off or altered" in cut.stderr) == (1, True)
    assert len(cut.stderr.splitlines()) == 1


async def test_what_verify_finds_is_named_with_what_to_do(server: WholeServer, athlete: Athlete) -> None:
    phone = await athlete.device("phone")
    log = await phone.workouts.start(title="Push")
    await log.add_set("Bench Press", reps=8, load=100, unit="kg")
    await phone.sync()
    await server.rows("UPDATE logged_sets SET reps = 9 WHERE scope_id = $1 RETURNING 1", UUID(athlete.id))

    found = apex_server(server.settings.data_dir, "verify")
    assert found.returncode == 1, found.stdout + found.stderr
    assert "apex-server rebuild" in found.stdout
    assert f"rows: {athlete.scope} " in found.stdout
    for command in ("rebuild", "verify"):
        ran = apex_server(server.settings.data_dir, command)
        assert ran.returncode == 0, ran.stdout + ran.stderr
