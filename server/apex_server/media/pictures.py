"""Has pictures drawn by `pixels.py`, a program with bounds of its own, started anew for each."""

import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import anyio
import msgspec
from anyio.lowlevel import RunVar

from apex_server.errors import ServerBusy

__all__ = ["DrawingBroke", "Drawn", "PictureRefused", "compare", "draw", "drawing_turn"]

PROGRAM = Path(__file__).with_name("pixels.py")
SECONDS_MAX = 60.0
"""By the clock: a machine under load takes longer than the CPU time that a picture may have."""
AT_ONCE = 2
"""Programs of one process that draw at a time: each may take a core and some hundred megabytes."""
WAIT_SECONDS_MAX = 20.0
"""How long a request waits for its turn."""

CRASHES = frozenset({signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGFPE, signal.SIGILL})
"""What decoders die of by what they are fed; whatever else ends the program is the machine's doing."""

_turns: RunVar[anyio.CapacityLimiter] = RunVar("picture_turns")


class PictureRefused(Exception):
    """It is no picture, or one that nobody draws; `reason` is a word that stays the same."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class DrawingBroke(Exception):
    """The program did not come to an answer, for reasons of the machine: a full memory, a load, a broken Python."""


class Drawn(NamedTuple):
    """What was made: the picture, and a small one where there is one."""

    width_px: int
    height_px: int
    files: list[bytes]


@asynccontextmanager
async def drawing_turn() -> AsyncIterator[None]:
    """Wait for one of the turns; whoever has none holds no pictures in memory. Raises ServerBusy."""
    limiter = _turns.get(None)
    if limiter is None:
        limiter = anyio.CapacityLimiter(AT_ONCE)
        _turns.set(limiter)
    with anyio.move_on_after(WAIT_SECONDS_MAX) as waiting:
        await limiter.acquire()
    if waiting.cancelled_caught:
        raise ServerBusy(retry_after=int(WAIT_SECONDS_MAX))
    try:
        yield
    finally:
        limiter.release()


async def draw(content: bytes, content_type: str) -> Drawn:
    """Draw a picture anew as a JPEG, and small beside; in a turn. Raises PictureRefused, DrawingBroke."""
    return await _ask({"verb": "draw", "content_type": content_type}, [content])


async def compare(pictures: Sequence[bytes], labels: Sequence[str]) -> Drawn:
    """Put pictures side by side with labels beneath; in a turn. Raises PictureRefused, DrawingBroke."""
    return await _ask({"verb": "compare", "labels": list(labels)}, pictures)


async def _ask(head: dict[str, Any], files: Sequence[bytes]) -> Drawn:
    request = msgspec.json.encode({**head, "sizes": [len(each) for each in files]}) + b"\n" + b"".join(files)
    with anyio.move_on_after(SECONDS_MAX):
        # It needs nothing of the environment, and the keys of everything stand there.
        done = await anyio.run_process([sys.executable, "-I", str(PROGRAM)], input=request, check=False, env={})
        return _read(done.returncode, done.stdout)
    raise DrawingBroke("out of time by the clock")


def _read(status: int, answer: bytes) -> Drawn:
    if status == -signal.SIGXCPU:
        raise PictureRefused("takes_too_long")
    if -status in CRASHES:
        raise PictureRefused("not_a_picture")
    if status != 0:
        raise DrawingBroke(f"it ended with {status}")
    line, _, rest = answer.partition(b"\n")
    head = msgspec.json.decode(line)
    if "refusal" in head:
        raise PictureRefused(head["refusal"])
    files = []
    for size in head["sizes"]:
        files.append(rest[:size])
        rest = rest[size:]
    return Drawn(head["width_px"], head["height_px"], files)
