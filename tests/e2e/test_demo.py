"""`make demo` tells its whole story and ends by itself, on the made-up sample and on a real export."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.e2e.whole_server import free_port

SECONDS_MAX = 60.0
PROMISED = (
    "records wait",  # Logged before there was a server.
    "│ fatigue │ 6    │ 8                      │",  # The one field that both devices wrote: kept, and restorable.
    "phone and watch hold the same: yes",
    "What the coach sees",
    "… │ Bench Press (Barbell)    │ 9    │ 225  │ lb   │ 102.06  │",  # Ciphertext, and what it says.
    "… │ Lateral Raise (Dumbbell) │ 10   │ 10   │ kg   │ 10.00   │",
    "before approval the phone shows: nothing",
    "after the coach has approved: ",
)

pytestmark = pytest.mark.slow


def play(folder: Path, *arguments: str) -> str:
    """Play the demo in a folder of its own; give what it prints."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("APEX_")}
    began = time.monotonic()
    played = subprocess.run(
        [sys.executable, str(ROOT / "examples" / "demo.py"), "--port", str(free_port()), *arguments],
        cwd=folder,
        env=environment | {"COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=3 * SECONDS_MAX,
        check=False,
    )
    assert played.returncode == 0, played.stdout + played.stderr
    assert time.monotonic() - began < SECONDS_MAX
    assert played.stderr == ""
    return played.stdout


def test_the_demo_tells_its_story_on_its_own_sample(tmp_path: Path) -> None:
    printed = play(tmp_path)
    assert [promise for promise in PROMISED if promise not in printed] == []


def test_the_demo_takes_a_real_export(tmp_path: Path, data_dir: Path) -> None:
    printed = play(tmp_path, "--file", str(data_dir / "strong_en_kg_breinsp.csv"))
    assert [promise for promise in PROMISED if promise not in printed] == []
    assert "does not state its unit; taking kg" in printed
