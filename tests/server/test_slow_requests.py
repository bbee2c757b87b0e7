"""Requests that hardly move hold nobody's place: heads, bodies, and too many at once."""

import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import anyio
import pytest

from apex_server.app import create_app
from apex_server.limits import admission, limits
from apex_server.serving import web_command
from apex_server.settings import Settings
from tests.e2e.whole_server import free_port
from tests.server.accounts_app import bearer, problem, register, speak_to

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("bound", ["BODY_SILENCE_SECONDS", "BODY_SECONDS_MAX"])
async def test_a_body_that_trickles_or_stops_is_given_up(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, bound: str
) -> None:
    """Silence between two pieces is bounded, and so is the whole."""
    monkeypatch.setattr(admission, bound, 0.3)
    app = create_app(settings)
    async with app.lifespan(), speak_to(app) as client:
        anna = await register(client, "anna@apex.example")

        async def trickle() -> Any:
            pieces = 1 if bound == "BODY_SILENCE_SECONDS" else 100
            for _ in range(pieces):
                yield b"x"
                await anyio.sleep(0.02)
            await anyio.sleep(30)

        for path in ("/api/sync", "/api/workouts"):
            began = time.monotonic()
            answer = await client.post(path, content=trickle(), headers=bearer(anna))
            assert problem(answer) == (408, "body_too_slow")
            assert 0.25 < time.monotonic() - began < 5


async def test_one_account_has_so_many_requests_at_once_and_others_go_on(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Open event streams, slow bodies and sockets all count until they end."""
    monkeypatch.setattr(limits, "IN_FLIGHT_MAX", 3)
    app = create_app(settings)
    async with app.lifespan(), speak_to(app) as client:
        anna, bert = [await register(client, f"{name}@apex.example") for name in ("anna", "bert")]
        held = anyio.Event()

        async def hold() -> Any:
            yield b"x"
            await held.wait()

        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(lambda: client.post("/api/workouts", content=hold(), headers=bearer(anna)))
            await anyio.sleep(0.3)
            refused = await client.get("/api/devices", headers=bearer(anna))
            assert (problem(refused), refused.json()["budget"]) == ((429, "too_many_requests"), "turns")
            assert (await client.get("/api/devices", headers=bearer(bert))).status_code == 200
            held.set()
        assert (await client.get("/api/devices", headers=bearer(anna))).status_code == 200


def test_the_real_server_gives_up_a_head_that_does_not_end(tmp_path: Path) -> None:
    """As it is started by `serve`, only with less patience."""
    settings = Settings(data_dir=tmp_path, secret="x" * 32, port=free_port())
    command = web_command(settings)
    patience = command.index("--http1-header-read-timeout") + 1
    assert command[patience] == "10000"
    command[patience] = "400"
    (tmp_path / "tiny.py").write_text("async def app(scope, receive, send):\n    return\n")
    words = [word for word in command[command.index("granian") :] if word != "--factory"]
    words[1] = "tiny:app"
    with subprocess.Popen([sys.executable, "-m", *words], cwd=tmp_path) as process:
        try:
            with connected(settings.port) as slow:
                slow.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\nX-Slow: ")
                slow.settimeout(8)
                began = time.monotonic()
                while slow.recv(100):
                    pass
                assert time.monotonic() - began < 6
        finally:
            process.terminate()


def connected(port: int) -> socket.socket:
    for _ in range(200):
        try:
            return socket.create_connection(("127.0.0.1", port))
        except OSError:
            time.sleep(0.05)
    raise AssertionError("granian did not start")
