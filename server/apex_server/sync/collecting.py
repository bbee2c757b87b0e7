"""Holding off the cyclic garbage collector while a batch is judged.

Judging a thousand records makes some hundred thousand objects that all live until the batch is stored, none in a
cycle. The collector would walk through them again and again and free nothing, for a fifth of the time. Without it the
batch is freed by reference counts as before, and a cycle made elsewhere meanwhile waits for the end of the batch.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["collector_paused"]

_paused = 0


@contextmanager
def collector_paused() -> Iterator[None]:
    """Pause the collector for the block; blocks may overlap, and at the end of each it has a turn."""
    global _paused
    _paused += 1
    gc.disable()
    try:
        yield
    finally:
        _paused -= 1
        if _paused:
            gc.collect(0)
        else:
            gc.enable()
