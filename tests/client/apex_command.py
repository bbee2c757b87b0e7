"""The real `apex`, as a process of its own, on a replica of its own."""

import json
import os
import pty
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

APEX = (sys.executable, "-c", "from apex_client.cli import main; main()")
TIMEOUT_SECONDS = 60


class Ran:
    """What a command did."""

    def __init__(self, process: "subprocess.CompletedProcess[str]") -> None:
        self.code = process.returncode
        self.out = process.stdout
        self.err = process.stderr

    @property
    def text(self) -> str:
        return self.out + self.err

    def ok(self) -> "Ran":
        assert self.code == 0, self.text
        return self

    def json(self) -> Any:
        return json.loads(self.ok().out)


class Terminal:
    """Runs `apex` on a replica of its own, with no terminal and no settings of the person running the tests."""

    def __init__(self, folder: Path, name: str = "replica") -> None:
        self.db = folder / f"{name}.db"
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("APEX_", "XDG_"))}
        self.environment = {**inherited, "HOME": str(folder), "APEX_DB": str(self.db), "COLUMNS": "100"}

    def __call__(self, *words: str | Path, stdin: str = "", **environment: str) -> Ran:
        return Ran(
            subprocess.run(
                [*APEX, *map(str, words)],
                input=stdin,
                env={**self.environment, **environment},
                capture_output=True,
                text=True,
                timeout=TIMEOUT_SECONDS,
                check=False,
            )
        )

    def start(self, *words: str) -> "subprocess.Popen[str]":
        """Begin a command that goes on."""
        return subprocess.Popen(
            [*APEX, *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=self.environment,
            preexec_fn=_heed_interrupts,
        )

    def rows(self, sql: str) -> list[dict[str, Any]]:
        """Read the replica's tables as any program may."""
        with closing(sqlite3.connect(f"{self.db.as_uri()}?mode=ro", uri=True)) as connection:
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute(sql)]


def _heed_interrupts() -> None:
    """Let an interrupt end a command also where these tests run in the background of a shell, which ignores them."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def in_terminal(apex: Terminal, *words: str, typed: str = "", **environment: str) -> str:
    """Run a command in a pseudo-terminal and give what it shows."""
    screen, terminal = pty.openpty()
    os.write(screen, typed.encode())
    subprocess.run(
        [*APEX, *words],
        env={**apex.environment, "TERM": "xterm-256color", **environment},
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        check=False,
    )
    os.close(terminal)
    shown = b""
    try:
        while chunk := os.read(screen, 65536):
            shown += chunk
    except OSError:
        pass  # Linux says so when the last writer has gone.
    finally:
        os.close(screen)
    return shown.decode()
