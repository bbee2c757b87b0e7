"""kill -9 of a device at random moments of saves, syncs and answers: nothing durable is lost, nothing is doubled."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from apex_sync.fold import fold
from apex_sync.protocol import decode_request, encode_message
from tests.client.fleet import Phone, assert_converged, settle
from tests.client.killed_device import WORKOUTS
from tests.client.loopback import LoopbackServer
from tests.client.loopback_transport import Faults

KILLS = 60


class Parent:
    """The server's side of one device process, and what that process said it had saved."""

    def __init__(self, server: LoopbackServer, user_id: str, dice: random.Random) -> None:
        self.server = server
        self.user_id = user_id
        self.dice = dice
        self.saved: list[tuple[str, str]] = []
        self.syncs = 0

    def run_until_killed(self, path: Path, seed: int) -> None:
        command = [sys.executable, "-m", "tests.client.killed_device", str(path), str(seed)]
        child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2])
        killer = threading.Thread(target=self._kill, args=(child,))
        try:
            self._serve(child, killer)
        finally:
            child.kill()
            child.wait()
            if killer.ident is not None:
                killer.join()

    def _serve(self, child: "subprocess.Popen[bytes]", killer: threading.Thread) -> None:
        """Answer until the pipe breaks; the killer starts its clock with the first word of the child."""
        assert child.stdin is not None and child.stdout is not None
        while line := child.stdout.readline():
            if killer.ident is None:
                killer.start()
            words = line.split()
            if words[0] == b"saved" and len(words) == 3:
                self.saved.append((words[1].decode(), words[2].decode()))
                continue
            message = child.stdout.read(int(words[1]))
            if len(message) < int(words[1]):
                return
            self.syncs += 1
            answer = encode_message(self.server.sync(self.user_id, decode_request(message)))
            if self.dice.random() < 0.05:
                os.kill(child.pid, signal.SIGKILL)
            try:
                child.stdin.write(b"%d\n" % len(answer) + answer)
                child.stdin.flush()
            except BrokenPipeError:
                return

    def _kill(self, child: "subprocess.Popen[bytes]") -> None:
        time.sleep(self.dice.uniform(0, 0.12))
        child.kill()


@pytest.mark.slow
def test_a_device_killed_at_any_moment_loses_and_doubles_nothing(tmp_path: Path) -> None:
    dice = random.Random(int(os.environ.get("APEX_SEED", "1")))
    server = LoopbackServer(lambda: time.time_ns() // 1000)
    account = server.add_user("a@b.c")
    parent = Parent(server, account.id, dice)
    path = tmp_path / "athlete.db"
    for life in range(1, KILLS + 1):
        parent.run_until_killed(path, life)
    assert parent.syncs > KILLS and len(parent.saved) > KILLS
    phone = Phone(path, server, account, faults=Faults())
    settle(phone)
    assert_converged(server, phone)
    keys = {workout: list(phone.state(workout)["sets"]) for workout in WORKOUTS}
    for workout, key in parent.saved:
        assert keys[workout].count(key) == 1
    for workout in WORKOUTS:
        writes = list(server.replay(phone.scope, workout).writes())
        written = [key for write in writes for key in write.patch["sets"]]
        assert len(written) == len(set(written)), "an edit stands on the server twice"
        assert fold(writes).state == phone.state(workout)
