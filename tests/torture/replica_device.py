"""A device process of its own, under a fault: it opens a replica, does what a scenario says, and tells what was kept.

What it tells goes into the file `told` beside the replica, a line once a call has returned: a process that is killed
leaves it, and the syscall log shows it between the writes of the replica. Syncs go through a pipe to the server in the
parent.
"""

import os
from collections.abc import Callable
from datetime import UTC
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random
from typing import Any, TypeVar

from apex_client.blocking import Replica
from apex_client.errors import ReplicaError
from tests.client.fleet import Clock

REPLICA = "athlete.db"
TOLD = "told"

T = TypeVar("T")


class Telling:
    """The file of what a device tells, written past every buffer."""

    def __init__(self, folder: Path) -> None:
        self._file = os.open(folder / TOLD, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)

    def __call__(self, *words: object) -> None:
        os.write(self._file, " ".join(map(str, words)).encode() + b"\n")

    def close(self) -> None:
        os.close(self._file)


class PipedServer:
    """The transport: the server is at the other end of a pipe."""

    bytes_up = 0
    bytes_down = 0

    def __init__(self, pipe: Connection, tell: Telling) -> None:
        self._pipe = pipe
        self._tell = tell

    def exchange(self, server: str, token: str, message: bytes) -> bytes:
        self._tell("sending")
        self._pipe.send_bytes(message)
        return self._pipe.recv_bytes()

    def call(self, server: str, token: str | None, method: str, path: str, json: Any) -> Any:
        raise NotImplementedError("a scenario begins signed in")

    def download(self, server: str, token: str, path: str, write: Callable[[bytes], object], json: Any = None) -> None:
        raise NotImplementedError("a scenario downloads nothing")

    def put(self, server: str, token: str, place: str, content: bytes) -> None:
        raise NotImplementedError("it uploads nothing")

    def connect(self, server: str, token: str) -> None:
        return None

    def close(self) -> None:
        pass


class Device:
    """The replica of a scenario. Each call is made once more where it fails with an error of the replica."""

    def __init__(self, folder: Path, pipe: Connection, now_us: int, seed: int) -> None:
        self.folder = folder
        self.seed = seed
        self.tell = Telling(folder)
        self.replica = Replica.open(
            folder / REPLICA,
            transport=PipedServer(pipe, self.tell),
            now_us=Clock(now_us),
            entropy=Random(f"device {seed}").randbytes,
            zone=UTC,
        )

    def do(self, call: Callable[[], T], *told: object) -> T:
        """Make a call, and tell that it returned."""
        try:
            result = call()
        except ReplicaError as error:
            self.tell("failed", type(error).__name__)
            result = call()
        self.tell(*told)
        return result


def run(act: Callable[[Device], None], folder: Path, pipe: Connection, now_us: int, seed: int) -> None:
    """Act once the parent says so; tell what made it stop, and as `wrong` what is no error of the replica."""
    device = Device(folder, pipe, now_us, seed)
    pipe.recv_bytes()
    try:
        device.do(device.replica.start, "opened")
        act(device)
        device.do(device.replica.close, "closed")
    except ReplicaError as error:
        device.tell("stopped", type(error).__name__, error)
    except Exception as error:  # noqa: BLE001 - whatever it is, the parent has to hear of it.
        device.tell("wrong", type(error).__name__, error)
