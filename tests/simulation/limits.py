"""Small limits, so that two hundred steps reach what takes a real record years: compaction, fullness."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import ModuleType
from typing import Any
from unittest.mock import patch

from apex_server.sync import judging
from apex_sync import acceptance, compaction
from apex_sync.compaction import Compacted
from apex_sync.document import Document
from tests.engine.naive_fold import naive_conflicts, naive_state

SMALL = {"COMPACTION_OPS": 10, "OPS_MAX": 40}
compact = compaction.compact


class ChangedByCompaction(Exception):
    """A compaction that somebody could see."""


def checked_compact(document: Document, server_client_id: int) -> Compacted:
    """Compact, and hold the result to the naive model of what was there."""
    compacted = compact(document, server_client_id)
    before, after = document.writes(), compacted.document.writes()
    if naive_state(before) != naive_state(after) or naive_conflicts(before) != naive_conflicts(after):
        raise ChangedByCompaction(naive_state(before), naive_state(after))
    return compacted


@contextmanager
def small_limits() -> Iterator[None]:
    """Compact early and often for the block, each time under the eyes of the naive model."""
    modules: tuple[ModuleType, ...] = (compaction, acceptance, judging)
    values: dict[str, Any] = {**SMALL, "compact": checked_compact}
    with ExitStack() as stack:
        for module in modules:
            for name, value in values.items():
                if hasattr(module, name):
                    stack.enter_context(patch.object(module, name, value))
        yield
