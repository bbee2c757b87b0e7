"""A device process under strace: a run of a scenario with a fault at the n-th syscall of a kind, or with a log of all.

strace is attached to a fork of a warm process and looks only at syscalls on the files of the replica, so a run takes a
tenth of a second and n counts the same in every run.
"""

import multiprocessing
import re
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path

from apex_sync.protocol import decode_request, encode_message
from tests.torture.replica_device import TOLD, run
from tests.torture.replica_scenarios import Scenario, World
from tests.torture.report import Scale

WRITES = ("openat", "pwrite64", "write", "fsync", "fdatasync", "ftruncate", "rename", "unlink")
"""How a process changes files; what it maps is the index of the log, which a crash throws away."""

READS = ("pread64", "read")

FILES = ("", "-wal", "-shm", "-journal", ".lock", ".identity", ".identity-new")
DEVICE_SECONDS_AHEAD = 1
STRACE_SECONDS_MAX = 30.0
WRITE_BYTES_MAX = 1 << 20
CI_RUNS = 12
"""In CI so many syscalls of a scenario fail, all over it: each run takes a tenth of a second."""

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(
    [
        "apex_client.blocking.replica",
        "apex_client.blocking.importing",
        "apex_client.importers.reading",
        "apex_client.stepping",
        "apex_sync.models",
        "tests.torture.replica_process",
    ]
)

_CALL = re.compile(r"(\w+)\(")


@dataclass(frozen=True)
class Point:
    """The n-th call of one syscall on the files of a replica."""

    syscall: str
    n: int

    def __str__(self) -> str:
        return f"{self.syscall} {self.n}"


@dataclass
class Ended:
    """How a run ended: what the device told, and what strace saw."""

    told: list[list[str]]
    log: list[str]
    killed: bool = False

    @property
    def injected(self) -> int:
        """How many syscalls failed because strace said so."""
        return sum(line.endswith("(INJECTED)") for line in self.log)

    def words(self, first: str) -> list[list[str]]:
        """Give what was told under one word."""
        return [words[1:] for words in self.told if words[0] == first]


def strace_is_here() -> bool:
    """Tell whether the faults can be made on this machine."""
    found = shutil.which("strace") is not None
    if not found:
        print("left out, no strace on this machine: apt-get install strace", file=sys.stderr)
    return found


def points(scenario: Scenario, prepared: World, folder: Path, syscalls: Sequence[str] = WRITES) -> list[Point]:
    """Run a scenario without a fault, and give every call it makes of some syscalls on its files."""
    ended = act(scenario, prepared.copied(folder))
    assert ended.told[-1] == ["closed"], ended.told
    calls = Counter(found[1] for line in ended.log if (found := _CALL.match(line)))
    return [Point(syscall, n) for syscall in syscalls for n in range(1, calls[syscall] + 1)]


def chosen(every: list[Point], scale: Scale) -> list[Point]:
    """Give the points that are run at a scale."""
    return every[:: 1 if scale is Scale.FULL else max(1, len(every) // CI_RUNS)]


def recorded(scenario: Scenario, world: World) -> Ended:
    """Let the device act in a world, and have every byte that it writes or tells in the log."""
    return act(scenario, world, "-xx", "-y", f"-s{WRITE_BYTES_MAX}", "-P", str(world.folder / TOLD))


def act(scenario: Scenario, world: World, *options: str) -> Ended:
    """Let the device act in a world, with options for strace."""
    with device_process(scenario, world) as (process, pipe), _strace(process.pid or 0, world, options):
        serve([pipe], world)
        process.join()
    return Ended(told_in(world), world.log.read_text().splitlines(), process.exitcode == -signal.SIGKILL)


@contextmanager
def device_process(scenario: Scenario, world: World, seed: int = 0) -> Iterator[tuple[BaseProcess, Connection]]:
    """Give a process that is about to act, and the pipe to it; it ends with the block at the latest."""
    pipe, theirs = _context.Pipe()
    now_us = world.server.now_us() + DEVICE_SECONDS_AHEAD * 1_000_000
    process = _context.Process(target=_acting, args=(scenario, world.folder, theirs, now_us, seed), daemon=True)
    process.start()
    theirs.close()
    try:
        yield process, pipe
    finally:
        process.kill()
        process.join()
        pipe.close()


def _acting(scenario: Scenario, folder: Path, pipe: Connection, now_us: int, seed: int) -> None:
    """Run in the process of the device."""
    if scenario.plant:
        scenario.plant()
    with scenario.schema():
        run(scenario.act, folder, pipe, now_us, seed)


def serve(pipes: Sequence[Connection], world: World) -> None:
    """Let devices begin, and answer their syncs as they come until all of them have ended."""
    running = list(pipes)
    for pipe in pipes:
        pipe.send_bytes(b"begin")
    while running:
        for pipe in [pipe for pipe in wait(running) if isinstance(pipe, Connection)]:
            try:
                request = decode_request(pipe.recv_bytes())
                pipe.send_bytes(encode_message(world.server.sync(world.account.id, request)))
            except (EOFError, BrokenPipeError, ConnectionResetError):
                running.remove(pipe)


def told_in(world: World) -> list[list[str]]:
    """Read what a device has told."""
    return [line.split(" ") for line in (world.folder / TOLD).read_text().splitlines()]


@contextmanager
def _strace(pid: int, world: World, options: tuple[str, ...]) -> Iterator[None]:
    """Trace a process from the start of the block until it ends."""
    paths = [str(world.folder), *(f"{world.path}{suffix}" for suffix in FILES)]
    command = ["strace", "-p", str(pid), "-o", str(world.log), f"-etrace={','.join(WRITES + READS)}"]
    command += [word for path in paths for word in ("-P", path)]
    tracer = subprocess.Popen([*command, *options], stderr=subprocess.PIPE, text=True)
    assert tracer.stderr is not None
    try:
        said: list[str] = []
        while not any("attached" in line for line in said):
            line = tracer.stderr.readline()
            if not line:
                raise RuntimeError(f"strace cannot trace here: {''.join(said)}")
            said.append(line)
        yield
        tracer.wait(STRACE_SECONDS_MAX)
    finally:
        tracer.kill()
        tracer.wait()
        tracer.stderr.close()
