"""One record, edited ten thousand times with a sync after each edit: what the next edit costs as the history grows.

Once with the job that compacts, once without it, and beside both what a record costs the engine that nobody ever
compacts. `python -m benchmarks.long_lives.long_record [edits]` prints the tables.
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from random import Random
from statistics import median

import psutil
from msgspec import Struct

from apex_sync.acceptance import Author, accept
from apex_sync.clock import next_hlc
from apex_sync.document import Document
from apex_sync.fold import fold
from apex_sync.models import WORKOUT_LOGS
from apex_sync.op import Write, encode_op
from apex_sync.wire import encode_document, parse_document
from benchmarks.long_lives.fleet import RAM_DISK, FleetDevice, FleetWorld

EDITS = 10_000
MARKS = (100, 1_000, 5_000, 8_191, 10_000)
LAST_EDITS = 100
"""Edits before a mark over which medians are taken."""

JOB_EVERY_EDITS = 100
LOOK_EVERY_EDITS = 10
NOTE = "Edit {}: elbows in."
SEED = 20260301


class Mark(Struct, frozen=True):
    """What an edit costs after so many of them, in processor time; `worst` and `max` are since the mark before."""

    life: str
    edits: int
    save_ms: float
    sync_device_ms: float
    sync_server_ms: float
    worst_ms: float
    bytes_an_edit: float
    live_ops: int
    live_ops_max: int
    document_bytes: int
    document_bytes_max: int
    rss_mb: float


class Uncompacted(Struct, frozen=True):
    """Processor time of the engine for one more op on a record of so many, if nothing were ever compacted."""

    edits: int
    engine_ms: float
    document_bytes: int


async def long_record(edits: int = EDITS) -> list[Mark]:
    """Live both lives."""
    return [mark for has_job in (True, False) for mark in await _live(edits, has_job=has_job)]


async def _live(edits: int, *, has_job: bool) -> list[Mark]:
    with tempfile.TemporaryDirectory(dir=RAM_DISK if RAM_DISK.is_dir() else None) as folder:
        world = await FleetWorld(SEED).open()
        user_id = await world.athlete()
        phone, watch = (
            FleetDevice(Path(folder) / f"{name}.db", world, user_id, "athlete", Random(name))
            for name in ("phone", "watch")
        )
        record = _LongRecord(world, phone, "with the job" if has_job else "without it")
        marks = await record.live(edits, has_job=has_job)
        await watch.sync()
        assert watch.local.snapshot("workout_logs", record.record_id).state == record.state
        for device in (phone, watch):
            device.local.close()
    return marks


class _LongRecord:
    """One record, and what its edits have cost."""

    def __init__(self, world: FleetWorld, phone: FleetDevice, life: str) -> None:
        self.world = world
        self.phone = phone
        self.life = life
        self.record_id = phone.create("workout_logs", {"title": "Endless"})
        self._live_ops: list[int] = []
        self._doc_bytes: list[int] = []

    @property
    def state(self) -> object:
        """What it says on the phone."""
        return self.phone.local.snapshot("workout_logs", self.record_id).state

    async def live(self, edits: int, *, has_job: bool) -> list[Mark]:
        """Edit it so often; give what that cost at each mark."""
        await self.phone.sync()
        self.phone.costs, self.phone.save_ms = [], []
        marks = []
        for number in range(1, edits + 1):
            self.phone.edit("workout_logs", self.record_id, {"notes": NOTE.format(number)})
            await self.phone.sync()
            if number % LOOK_EVERY_EDITS == 0:
                self._look()
            if has_job and number % JOB_EVERY_EDITS == 0:
                await self.world.compact()
            if number in MARKS or number == edits:
                marks.append(self._mark(number))
        return marks

    def _look(self) -> None:
        content = self.world.database.scopes[self.phone.local.own_scope("workout_logs")]
        [stored] = [record.stored for record in content.records.values()]
        self._doc_bytes.append(len(stored.doc))
        self._live_ops.append(parse_document(stored.doc).op_count)

    def _mark(self, edits: int) -> Mark:
        saves, costs = self.phone.save_ms, self.phone.costs
        edit_ms = [save + cost.device_ms + cost.server_ms for save, cost in zip(saves, costs, strict=True)]
        mark = Mark(
            life=self.life,
            edits=edits,
            save_ms=median(saves[-LAST_EDITS:]),
            sync_device_ms=median(cost.device_ms for cost in costs[-LAST_EDITS:]),
            sync_server_ms=median(cost.server_ms for cost in costs[-LAST_EDITS:]),
            worst_ms=max(edit_ms),
            bytes_an_edit=median(float(cost.bytes) for cost in costs[-LAST_EDITS:]),
            live_ops=self._live_ops[-1],
            live_ops_max=max(self._live_ops),
            document_bytes=self._doc_bytes[-1],
            document_bytes_max=max(self._doc_bytes),
            rss_mb=psutil.Process().memory_info().rss / 1e6,
        )
        self.phone.costs, self.phone.save_ms, self._live_ops, self._doc_bytes = [], [], [], []
        return mark


def uncompacted(marks: Sequence[int] = MARKS) -> list[Uncompacted]:
    """Measure what the marks would cost; beyond 8,192 ops no such record can be read at all."""
    return [_uncompacted(ops) for ops in marks if ops < 8_192]


def _uncompacted(ops: int) -> Uncompacted:
    document, hlc = Document(), 1_772_384_700_000_000
    for number in range(ops):
        hlc = next_hlc(hlc, hlc)
        document.append(7, encode_op([Write(hlc, [], {"notes": NOTE.format(number)})]))
    stored = encode_document(document)
    more = encode_op([Write(hlc + 1, [], {"notes": NOTE.format(ops)})])
    times = []
    for _ in range(5):
        started = time.process_time()
        current, author = parse_document(stored), Author(7, "athlete")
        judged = accept(current, ops, [more], author=author, collection=WORKOUT_LOGS, refused={}, now_us=hlc)
        fold(judged.writes)
        encode_document(judged.document)
        times.append(1000 * (time.process_time() - started))
        assert judged.status == "applied"
    return Uncompacted(ops, min(times), len(stored))


def table(marks: Sequence[Mark], naive: Sequence[Uncompacted]) -> str:
    """Write everything in Markdown."""
    names = Mark.__struct_fields__
    lines = ["| " + " | ".join(name.replace("_", " ") for name in names) + " |"]
    lines.append("|---" + "|---:" * (len(names) - 1) + "|")
    lines += ["| " + " | ".join(_figure(getattr(mark, name)) for name in names) + " |" for mark in marks]
    lines += ["", "| edits, never compacted | engine ms an edit | document bytes |", "|---:|---:|---:|"]
    lines += [f"| {one.edits:,} | {one.engine_ms:.1f} | {one.document_bytes:,} |" for one in naive]
    return "\n".join(lines) + "\n"


def _figure(value: str | float) -> str:
    if isinstance(value, str):
        return value
    return f"{value:,.0f}" if value >= 100 or isinstance(value, int) else f"{value:.3g}"


if __name__ == "__main__":
    print(table(asyncio.run(long_record(*map(int, sys.argv[1:]))), uncompacted()))
