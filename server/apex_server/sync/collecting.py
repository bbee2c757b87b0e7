"""Holding off the cyclic garbage collector while a batch is judged.

Judging a thousand records makes some hundred thousand objects that all live until the batch is stored, none in a
cycle. The collector would walk through them again and again and free nothing, for a fifth of the time. Without it the
batch is freed by reference counts as before, and a cycle made elsewhere meanwhile waits for a tenth of a second.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

__all__ = ["collector_paused"]

_lock = Lock()
_paused = 0


@contextmanager
def collector_paused() -> Iterator[None]:
    """Pause the collector for the block; blocks in several threads may overlap."""
    global _paused
    with _lock:
        _paused += 1
        gc.disable()
    try:
        yield
    finally:
        with _lock:
            _paused -= 1
            if not _paused:
                gc.enable()
