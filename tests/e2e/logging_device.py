"""A device in a process of its own, to be killed: it logs numbered sets and syncs, and tells what was acknowledged.

Each set carries its number as its load, so that one that is lost or doubled shows in any table. What it tells goes
through a pipe, one message at a time: `("saved", number)` once a save returned, `("synced", number)` once a sync
returned that left nothing unsent of the sets up to there.
"""

import multiprocessing
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random
from typing import Literal

from apex_client.blocking import Replica
from apex_client.errors import SyncFailed
from tests.e2e.whole_server import load_of

Told = tuple[Literal["open", "saved", "synced"], int]

SETS_PER_WORKOUT = 5
SYNC_CHANCE = 0.4

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(
    ["apex_client.blocking.replica", "apex_sync.models", "httpx", "zstandard", "tests.e2e.logging_device"]
)


def log_until_killed(path: Path, told: Connection, next_number: int, seed: int) -> None:
    """Log and sync for ever."""
    dice = Random(seed)
    number = next_number
    with Replica.open(path) as replica:
        told.send(("open", number))
        found = replica.workouts.list(limit=1)
        log = found[0] if found else replica.workouts.start(title="Session")
        while True:
            if len(log.sets) >= SETS_PER_WORKOUT:
                log = replica.workouts.start(title="Session")
            log.add_set("Bench Press", reps=5, load=load_of(number), unit="kg")
            told.send(("saved", number))
            number += 1
            if dice.random() < SYNC_CHANCE:
                sync_and_tell(replica, told, number - 1)


def sync_and_tell(replica: Replica, told: Connection, number: int) -> None:
    """Sync once; a server that is away is no news here."""
    try:
        report = replica.sync()
    except SyncFailed:
        return
    if report.pending == 0:
        told.send(("synced", number))


class LoggingDevice:
    """The process, and what it has told so far."""

    def __init__(self, path: Path, next_number: int, seed: int) -> None:
        self.told: list[Told] = []
        self._pipe, theirs = _context.Pipe(duplex=False)
        self._process = _context.Process(target=log_until_killed, args=(path, theirs, next_number, seed), daemon=True)
        self._process.start()
        theirs.close()
        self._hear(self._pipe.recv())

    def kill(self) -> None:
        """End it as a battery does, and hear what it told until then."""
        assert self._process.pid is not None
        os.kill(self._process.pid, signal.SIGKILL)
        self._process.join()
        try:
            while self._pipe.poll():
                self._hear(self._pipe.recv())
        except (EOFError, OSError):
            pass
        self._pipe.close()

    @property
    def saved(self) -> set[int]:
        """The numbers whose save returned."""
        return {number for what, number in self.told if what == "saved"}

    @property
    def synced(self) -> int:
        """All sets up to this number were acknowledged by the server; 0 for none."""
        return max((number for what, number in self.told if what == "synced"), default=0)

    def _hear(self, told: Told) -> None:
        self.told.append(told)


@contextmanager
def logging_device(path: Path, next_number: int, seed: int) -> Iterator[LoggingDevice]:
    """Run a device until the block ends, which kills it."""
    device = LoggingDevice(path, next_number, seed)
    try:
        yield device
    finally:
        device.kill()
