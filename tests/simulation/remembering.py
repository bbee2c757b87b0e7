"""What twenty devices and two servers would work out again and again, worked out once in a run.

Reading an op, folding writes and hashing an op depend on nothing but what they are given, and what they give is never
changed in place. So whoever asks for the same again gets the very same object: a run takes half the time, and somebody
who did change it in place would be found out by everybody else's states. Nothing is carried from one run to the next.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from types import ModuleType
from typing import Any
from unittest.mock import patch

from apex_server.sync import feed, judging
from apex_sync import acceptance, deaths, digest, document
from apex_sync.document import Document
from apex_sync.fold import Fold
from apex_sync.op import StampedWrite
from apex_sync.session import held, pull

READERS = (acceptance, deaths, document, held, pull)
FOLDERS = (held, judging)
PARSERS = (feed, judging, pull)


@contextmanager
def remembering() -> Iterator[None]:
    """Let the engine remember for the block; all modules that use one function remember together."""
    places: list[tuple[tuple[ModuleType, ...], str, Callable[[Any], Any]]] = [
        (READERS, "decode_op", cache(cache)),
        (FOLDERS, "fold", cache(remembered_fold)),
        (PARSERS, "parse_document", cache(remembered_document)),
        ((digest,), "_hash", cache),
    ]
    with ExitStack() as stack:
        for modules, name, remembered in places:
            for module in modules:
                stack.enter_context(patch.object(module, name, remembered(getattr(module, name))))
        yield


def remembered_fold(fold: Callable[[Iterable[StampedWrite]], Fold]) -> Callable[[Iterable[StampedWrite]], Fold]:
    """Fold the same writes once; they are told by which objects they are, as ops are read once."""
    known: dict[frozenset[int], tuple[Fold, Any]] = {}

    def folded(writes: Iterable[StampedWrite]) -> Fold:
        kept = tuple(writes)
        key = frozenset(map(id, kept))
        if key not in known:
            known[key] = fold(kept), kept
        return known[key][0]

    return folded


def remembered_document(parse: Callable[[bytes], Document]) -> Callable[[bytes], Document]:
    """Parse the same bytes once, and give everybody a copy: documents do change."""
    known = cache(parse)
    return lambda data: known(data).copy()
