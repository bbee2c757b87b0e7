"""Each guard of the engine matters: without it, the test that is named beside it turns red.

A copy of the engine gets one bug at a time, and the test runs on the copy in a process of its own.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
PLUGINS = ["-p", "anyio", "-p", "_hypothesis_pytestplugin", "-p", "no:cacheprovider"]
"""What the engine's tests need; all that is installed would take longer to import than most of them to run."""


class Bug(NamedTuple):
    """A line of the engine, what it becomes, and the test that must notice."""

    module: str
    line: str
    becomes: str
    test: str


BUGS = {
    "two sections of one client": Bug("wire", "if client_id >= previous:", "if client_id > previous:", "hostile_input"),
    "a delta after a gap": Bug("wire", "if first > known.get(client_id, 0):", "if False:", "wire"),
    "dead runs in pieces": Bug("wire", "if length < 1 or end == clock or", "if length < 1 or", "hostile_input"),
    "a skip": Bug("wire", "if info == _SKIP:", "if False:", "wire"),
    "another clock's key": Bug(
        "wire", "if not starts_with(place, at + 1):", "if not starts_with(prefix, at + 1):", "hostile_input"
    ),
    "a long dead item": Bug("wire", "if data[start] != 1:", "if False:", "hostile_input"),
    "bytes behind the end": Bug("wire", "if at != len(data):", "if False:", "hostile_input"),
    "an inexact delete set": Bug("wire", "if delta.dead != document.dead_ranges():", "if False:", "hostile_input"),
    "a push that deletes": Bug("wire", "if echoed and not", "if False and not", "wire"),
    "a push for another": Bug("wire", "if author != client_id:", "if False:", "hostile_input"),
    "an over-long number": Bug("wire", "if byte == 0 or number", "if number", "hostile_input"),
    "dead runs that count for nothing": Bug("wire", "structs <= STRUCTS_MAX and", "", "wire"),
    "an echo of live clocks": Bug("wire", "if first < start:", "if False:", "hostile_input"),
    "bytes behind a frame": Bug("protocol/zstd_frame", "== len(body)", "<= len(body)", "hostile_input"),
    "known ops replaced": Bug("document", "if clock >= known)", "if True)", "merge"),
    "known clocks forgotten": Bug(
        "document", "max(known, delta.next_clocks[client_id])", "delta.next_clocks[client_id]", "merge"
    ),
    "ties by clock": Bug(
        "op", "return self.hlc, self.client_id, self.clock", "return self.hlc, self.clock, self.client_id", "fold"
    ),
    "seen one too many": Bug(
        "op",
        "self.seen.get(other.client_id, 0) > other.clock",
        "self.seen.get(other.client_id, 0) >= other.clock",
        "fold",
    ),
    "NUL characters": Bug("op", "if 0 in data and _has_nul(op):", "if False:", "hostile_input"),
    "a vector of oneself": Bug("op", "or client_id == author or", "or", "hostile_input"),
    "an overwritten leaf that conflicts": Bug("fold", "if not write.saw(entry.write)]", "]", "fold"),
    "a leaf that no longer hides": Bug("fold", "child.map_order > hidden:", "child.map_order > cut:", "fold"),
    "a hiding leaf compacted away": Bug("fold", "hides = last.order > cut and", "hides = False and", "compaction"),
    "equal values that conflict": Bug(
        "fold", "if not _agrees(entry, leaf.winner)]", "if entry is not leaf.winner]", "fold"
    ),
    "ops that survive compaction": Bug("compaction", "        compacted.ops[client_id] = {}\n", "", "compaction"),
    "a death that an offer brings": Bug("deaths", "if not _is_spoken_for(", "if False and (", "deaths"),
    "a death of half an op": Bug(
        "deaths",
        "            if writes:\n",
        "            if writes == decode_op(op, client_id=client_id, clock=clock):\n",
        "deaths",
    ),
    "a summary that dies for any other": Bug(
        "deaths", "if not _is_spoken_for(", "if not (is_summary(op) and summarised) and not _is_spoken_for(", "deaths"
    ),
    "a clone's edit taken for the device's own": Bug("deaths", "not is_strange and ", "", "deaths"),
    "a clone's edit taken for seen": Bug(
        "session/rescue", "for strange in lost_writes(theirs, mine):", "for strange in []:", "rescue"
    ),
    "a clone's edit in a summary taken for the device's own": Bug(
        "session/rescue",
        "max((write.clock for write in theirs.writes() if write.client_id == held.client_id), ",
        "max(theirs.ops.get(held.client_id, {}), ",
        "rescue",
    ),
    "what was added to a cloned op taken for overwritten": Bug(
        "session/rescue",
        "unsent = (write for write in held.writes",
        "unsent = (write for write in ()",
        "rescue",
    ),
    "a write that stands there, and is said again": Bug(
        "deaths", "return op is not None and any(", "return False and any(", "deaths"
    ),
    "a write that counts twice": Bug("fold", "return one.hlc == other.hlc and", "return False and", "deaths"),
    "a fork unseen": Bug("acceptance", "op_hash(op) != dead.hash", "False", "acceptance"),
    "a buried op lost": Bug("acceptance", "return dead is None or", "return dead is not None and", "acceptance"),
    "future clocks": Bug("acceptance", "if write.hlc > limit:", "if False:", "acceptance"),
    "stamps out of order": Bug("acceptance", "max(previous, self.stamps.newest(write.seen))", "previous", "acceptance"),
    "a summary from a device": Bug("acceptance", "summary_allowed=False)", "summary_allowed=True)", "acceptance"),
    "a crowded record that nobody compacts": Bug(
        "acceptance", "if last_resort or self._pays(wanted):", "if False:", "acceptance"
    ),
    "a compaction that frees nothing": Bug("compaction", ">= WORTHWHILE * written", ">= 0", "acceptance"),
    "an op under whose clock another stands": Bug(
        "deaths", "if there.get(clock) == op:", "if clock in there:", "deaths"
    ),
    "a compaction that forgets what it was made of": Bug(
        "acceptance", "self.compacted.setdefault(author_id, {}).update(hashes)", "pass", "acceptance"
    ),
    "a full record overfilled": Bug("acceptance", "return not wanted.exceeds(1)", "return True", "acceptance"),
    "a client too many": Bug("acceptance", ">= CLIENTS_MAX - SERVER_CLIENTS_MAX", ">= CLIENTS_MAX * 9", "acceptance"),
    "a record made unwritable": Bug("clock", "largest_accepted + writes", "0", "acceptance"),
    "a dead clock like a missing one": Bug(
        "digest", "total += _hash((record_key, client_id, next_clock))\n        for", "for", "digest"
    ),
    "keys that end in zero": Bug("order", 'or key.endswith("0")', "", "order"),
    "unknown fields as problems": Bug("problems", "if key in hints)", "if True)", "collection"),
    "requests without bounds": Bug(
        "protocol/messages", "Meta(max_length=SCOPES_MAX)", "Meta(max_length=10**9)", "messages"
    ),
}


@pytest.mark.parametrize("name", BUGS)
def test_a_planted_bug_turns_its_test_red(name: str, tmp_path: Path) -> None:
    bug = BUGS[name]
    shutil.copytree(ROOT / "apex_sync", tmp_path / "apex_sync", ignore=shutil.ignore_patterns("__pycache__"))
    module = tmp_path / "apex_sync" / f"{bug.module}.py"
    source = module.read_text()
    assert bug.line in source, "the engine has changed: plant this bug where the guard is now"
    module.write_text(source.replace(bug.line, bug.becomes, 1))
    test = f"tests/engine/test_{bug.test}.py"
    options = ["-x", "-q", *PLUGINS, "--hypothesis-profile=unshrunk"]
    outcome = subprocess.run(
        [sys.executable, "-m", "pytest", *options, "-o", f"pythonpath={tmp_path} {ROOT}", test],
        cwd=ROOT,
        env={
            **os.environ,
            "PYTHONPATH": str(tmp_path),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        },
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert outcome.returncode == 1, outcome.stdout[-2000:]
