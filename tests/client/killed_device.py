"""A device process that logs and syncs until it is killed: `python -m tests.client.killed_device FILE SEED`.

It speaks to its parent over stdin and stdout: `saved <n>` once a save is durable, `sync <length>` and a message, whose
answer comes back with its length before it.
"""

import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from apex_client import Credentials
from apex_client.blocking import Replica
from apex_client.errors import SignedOut

WORKOUTS = [f"00000000-0000-7000-8000-00000000000{number}" for number in range(4)]


class PipeTransport:
    bytes_up = 0
    bytes_down = 0

    def exchange(self, server: str, token: str, message: bytes) -> bytes:
        if token == "stale":
            raise SignedOut
        out, back = sys.stdout.buffer, sys.stdin.buffer
        out.write(b"sync %d\n" % len(message) + message)
        out.flush()
        return back.read(int(back.readline()))

    def call(self, server: str, token: str | None, method: str, path: str, json: Any) -> Any:
        user = {"id": "00000000-0000-0000-0000-000000000001", "email": "a@b.c", "name": "a", "role": "athlete"}
        return {"user": user, "expires_in": 9, "access_token": "good", "refresh_token": "r", "device_token": "d"}

    def download(self, server: str, token: str, path: str, write: Callable[[bytes], object], json: Any = None) -> None:
        raise NotImplementedError("it only logs and syncs")

    def put(self, server: str, token: str, place: str, content: bytes) -> None:
        raise NotImplementedError("it uploads nothing")

    def connect(self, server: str, token: str) -> None:
        return None

    def close(self) -> None:
        pass


def main(path: Path, seed: int) -> None:
    dice = random.Random(seed)
    server, who = "loopback", Credentials("a@b.c", "secret")
    with Replica.open(path, server=server, credentials=who, transport=PipeTransport()) as replica:
        number = seed * 1000
        while True:
            number += 1
            workout = dice.choice(WORKOUTS)
            key = f"k{number}"
            fields = {"sets": {key: {"reps": number % 1000, "exercise": "e"}}, "exercises": {"e": {"name": "Squat"}}}
            replica._open.create("workout_logs", None, fields, record_id=workout)
            sys.stdout.buffer.write(f"saved {workout} {key}\n".encode())
            sys.stdout.buffer.flush()
            if dice.random() < 0.3:
                replica.sync()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
