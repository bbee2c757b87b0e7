"""The example hosts run as they stand: a watch without an event loop, and a phone that hears of it at once."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from apex_client.blocking import Replica
from tests.e2e.whole_server import PASSWORD, WholeServer

EXAMPLES = Path(__file__).parents[2] / "examples"
TIMEOUT_SECONDS = 60


def example(name: str, *words: str | Path, stdin: str = "") -> str:
    ran = subprocess.run(
        [sys.executable, EXAMPLES / name, *words],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


@pytest.fixture
def account(server: WholeServer, tmp_path: Path) -> tuple[str, ...]:
    email = server.new_email("examples")
    with Replica.open(tmp_path / "first.db") as replica:
        replica.register(server.address, email, PASSWORD, name="Mara")
    server.confirm_blocking(email)
    return ("--server", server.address, "--email", email)


def test_the_watch_logs_offline_and_says_what_it_cost(tmp_path: Path) -> None:
    shown = example("watch.py", "--db", tmp_path / "watch.db")

    assert re.search(r"first set durable at +[\d.]+ ms", shown)
    assert float(re.search(r"memory +([\d.]+) MB, 4 sets", shown)[1]) < 40  # type: ignore[index]
    assert re.search(r"waiting to be sent +1 record$", shown, re.M)


def test_the_watch_needs_no_event_loop() -> None:
    script = "import sys, runpy; runpy.run_path(sys.argv[1]); print(' '.join(sys.modules))"
    ran = subprocess.run(
        [sys.executable, "-c", script, EXAMPLES / "watch.py"], capture_output=True, text=True, check=True
    )

    assert "apex_client.blocking" in ran.stdout
    assert not {"asyncio", "anyio"} & set(ran.stdout.split())


def test_without_a_network_both_keep_what_they_logged(tmp_path: Path) -> None:
    nowhere = ("--server", "http://127.0.0.1:9", "--email", "mara@example.com")

    watch = example("watch.py", "--db", tmp_path / "watch.db", *nowhere, stdin="secret\n")
    phone = example("phone.py", "--db", tmp_path / "phone.db", *nowhere, stdin="secret\n")

    assert "no network" in watch
    assert "no network" in phone
    assert "1 waiting" in phone


def test_the_phone_shows_what_the_watch_logs_while_it_listens(account: tuple[str, ...], tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, EXAMPLES / "phone.py", "--db", tmp_path / "phone.db", *account, "--listen", "30"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as phone:
        try:
            assert phone.stdin is not None
            assert phone.stdout is not None
            phone.stdin.write(f"{PASSWORD}\n")
            phone.stdin.flush()
            lines = iter(phone.stdout.readline, "")
            assert any("listening" in line for line in lines)
            watch = example("watch.py", "--db", tmp_path / "watch.db", *account, stdin=f"{PASSWORD}\n")
            assert any("arrived: Watch session" in line for line in lines)
        finally:
            phone.terminate()
    assert re.search(r"synced +[\d.]+ ms", watch)
    assert re.search(r"waiting to be sent +0 records$", watch, re.M)
