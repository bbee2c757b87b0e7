"""Letting Python's cycle collector wait while records pour in."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def garbage_waits() -> Iterator[None]:
    """Collect no cycles in the block, for a fraction of a second.

    A page of a sync makes a hundred thousand objects and no cycles; looking for some takes a fifth of the time.
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
