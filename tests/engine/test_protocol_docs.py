"""docs/protocol.md says what the code does: its example runs, its limits are the real ones, its files exist."""

import doctest
import re
from pathlib import Path

from apex_sync import clock, compaction, op, wire

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "protocol.md"


def test_the_example_runs() -> None:
    failures, examples = doctest.testfile(str(PAGE), module_relative=False)
    assert (failures, examples > 5) == (0, True)


def test_every_file_that_is_named_exists() -> None:
    text = PAGE.read_text()
    for name in re.findall(r"`(\w+\.json)`", text):
        assert (ROOT / "schemas" / "vectors" / name).is_file(), name
    for name in re.findall(r"`((?:apex_sync/)?[\w/]+\.py)`", text):
        assert (ROOT / name).is_file() or (ROOT / "apex_sync" / name).is_file(), name


def test_the_limits_are_those_of_the_code() -> None:
    text = " ".join(PAGE.read_text().split())
    for said, limit in (
        ("live ops ≤ 8,192", wire.OPS_MAX == 8192),
        ("structs ≤ 9,216", wire.STRUCTS_MAX == 9216),
        ("document ≤ 1 MB", wire.DOCUMENT_BYTES_MAX == 2**20),
        ("clients ≤ 1,024", wire.CLIENTS_MAX == 1024),
        ("clocks ≤ 2^31 − 1", op.CLOCK_MAX == 2**31 - 1),
        ("op ≤ 64 KB (a summary 64 bytes more)", (op.OP_BYTES_MAX, op.SUMMARY_BYTES_MAX) == (2**16, 2**16 + 64)),
        ("more than 64 KB, 1,024 writes or 6 levels", (op.WRITES_MAX, op.DEPTH_MAX) == (1024, 6)),
        ("ten minutes ahead", clock.SKEW_MAX_MICROSECONDS == 600_000_000),
        ("From 1,024 ops or 64 KB on", (compaction.COMPACTION_OPS, compaction.COMPACTION_BYTES) == (1024, 2**16)),
    ):
        assert said in text, said
        assert limit, said
