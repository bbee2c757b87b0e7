"""Limits so small that two hundred steps reach what takes a real record years: compaction, fullness."""

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import ModuleType
from typing import Any
from unittest.mock import patch

from apex_server.sync import judging, scope_commit
from apex_sync import acceptance, compaction
from apex_sync.compaction import Compacted
from apex_sync.document import Document
from tests.engine.naive_fold import naive_conflicts, naive_state

SMALL = {"COMPACTION_OPS": 10, "OPS_MAX": 40}
TINY = {"COMPACTION_OPS": 4, "COMPACTION_BYTES": 1024, "OPS_MAX": 12, "DOCUMENT_BYTES_MAX": 4096}
compact = compaction.compact


@contextmanager
def limited(limits: dict[str, int]) -> Iterator[list[str]]:
    """Have these limits for the block, and every compaction under the eyes of the naive model; gives what it saw.

    Nothing is so heavy that it is judged in a thread: time stands still where everybody waits for one.
    """
    seen: list[str] = []

    def checked_compact(document: Document, server_client_id: int) -> Compacted:
        compacted = compact(document, server_client_id)
        before, after = document.writes(), compacted.document.writes()
        if naive_state(before) != naive_state(after) or naive_conflicts(before) != naive_conflicts(after):
            seen.append(f"a compaction changed {naive_state(before)} to {naive_state(after)}, or its conflicts")
        return compacted

    modules: tuple[ModuleType, ...] = (compaction, acceptance, judging, scope_commit)
    values: dict[str, Any] = {**limits, "compact": checked_compact, "HEAVY_BYTES": sys.maxsize}
    with ExitStack() as stack:
        for module in modules:
            for name, value in values.items():
                if hasattr(module, name):
                    stack.enter_context(patch.object(module, name, value))
        yield seen
