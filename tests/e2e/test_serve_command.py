"""`apex-server serve` where it cannot: one clear line on standard error, and nothing is touched."""

import os
import subprocess
import sys
from pathlib import Path

from tests.e2e.whole_server import SECRET, WholeServer, free_port


def serve(data_dir: Path, port: int) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("APEX_")}
    return subprocess.run(
        [sys.executable, "-m", "apex_server.cli", "serve", "--port", str(port), "--data-dir", str(data_dir)],
        env=environment | {"APEX_SECRET": SECRET},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_port_in_use_is_one_clear_line(server: WholeServer, tmp_path: Path) -> None:
    refused = serve(tmp_path / "other", server.settings.port)
    assert refused.returncode == 1
    (line,) = refused.stderr.strip().splitlines()
    assert f"{server.settings.host}:{server.settings.port}" in line
    assert "--port" in line
    assert not (tmp_path / "other" / "postgres").exists()


def test_a_data_directory_in_use_is_one_clear_line(server: WholeServer) -> None:
    refused = serve(server.settings.data_dir, free_port())
    assert refused.returncode == 1
    (line,) = refused.stderr.strip().splitlines()
    assert str(server.settings.data_dir) in line
    assert "in use" in line
