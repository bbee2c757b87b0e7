"""`apex-server serve` where it cannot: one clear line on standard error, nothing is touched; and when it is killed."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import psutil
import pytest

from tests.e2e.whole_server import SECRET, WholeServer, free_port

PATIENCE_SECONDS = 30.0


def command(data_dir: Path, port: int) -> list[str]:
    return [sys.executable, "-m", "apex_server.cli", "serve", "--port", str(port), "--data-dir", str(data_dir)]


def environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("APEX_")} | {"APEX_SECRET": SECRET}


def serve(data_dir: Path, port: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(data_dir, port), env=environment(), capture_output=True, text=True, timeout=60, check=False
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


@contextmanager
def served(data_dir: Path, port: int) -> Iterator[psutil.Popen]:
    """Run `apex-server serve` until the block ends, as somebody does who stops it in order."""
    server = psutil.Popen(command(data_dir, port), env=environment(), stdout=subprocess.DEVNULL)
    try:
        until_ready(port)
        yield server
    finally:
        server.terminate()
        server.wait(PATIENCE_SECONDS)


def until_ready(port: int) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        with suppress(httpx.TransportError):
            if httpx.get(f"http://127.0.0.1:{port}/ready").is_success:
                return
        time.sleep(0.05)
    raise AssertionError("the server did not become ready")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process that its parent died")
def test_a_server_that_is_killed_leaves_nobody_on_its_port_and_the_next_one_takes_over(tmp_path: Path) -> None:
    """Its Postgres goes on, as it must, and is adopted."""
    port = free_port()
    with served(tmp_path, port) as killed:
        ours = [each for each in killed.children(recursive=True) if not each.name().startswith("postgres")]
        assert len(ours) == 3, "a granian, its web process and a worker"
        killed.kill()
        _, left = psutil.wait_procs(ours, timeout=PATIENCE_SECONDS)
        assert left == []
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"http://127.0.0.1:{port}/health")
        with served(tmp_path, port) as successor:
            assert not any(each.name().startswith("postgres") for each in successor.children(recursive=True))
