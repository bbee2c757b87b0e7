"""One record, edited ten thousand times with a sync after each edit: what the next edit costs as the history grows.

Real server over HTTP, real Postgres, a real replica. Once with the job that compacts, once without it, and beside both
what a record costs the engine that nobody ever compacts. `python -m benchmarks.long_lives.long_record [edits]`.
"""

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import psutil
from msgspec import Struct

from apex_client import Replica
from apex_server.db import Database, Hint
from apex_server.serving import address_of, serving
from apex_server.settings import Settings
from apex_server.sync import Committer, PostgresCommitStore, compact_long_records, load_identity
from apex_sync.acceptance import Author, accept
from apex_sync.clock import next_hlc
from apex_sync.document import Document
from apex_sync.fold import fold
from apex_sync.models import WORKOUT_LOGS
from apex_sync.op import Write, encode_op
from apex_sync.wire import encode_document, parse_document
from benchmarks.devices import athlete_device, free_port

EDITS = 10_000
MARKS = (100, 1_000, 5_000, 8_191, 10_000)
LAST_EDITS = 100
"""Edits before a mark over which a median is taken."""

JOB_EVERY_EDITS = 500
NOTE = "Edit {}: elbows in."


class Mark(Struct, frozen=True):
    """What an edit costs after so many of them; processor time, but for the one that says wall."""

    life: str
    edits: int
    save_ms_p50: float
    save_ms_max: float
    sync_device_ms_p50: float
    sync_device_ms_max: float
    sync_server_ms_mean: float
    sync_wall_ms_p50: float
    bytes_an_edit: float
    live_ops: int
    document_bytes: int
    device_rss_mb: float
    server_rss_mb: float


class Uncompacted(Struct, frozen=True):
    """Processor time of the engine for one more op on a record of so many, if nothing were ever compacted."""

    edits: int
    engine_ms: float
    document_bytes: int


async def long_record(edits: int = EDITS) -> list[Mark]:
    """Live both lives on one server each."""
    return [mark for has_job in (True, False) for mark in await _live(edits, has_job)]


async def _live(edits: int, has_job: bool) -> list[Mark]:
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder)
        settings = Settings.from_environment(
            {"APEX_DATA_DIR": str(directory / "server"), "APEX_PORT": str(free_port()), "APEX_LOG_LEVEL": "error"}
        )
        async with serving(settings, with_worker=False) as ready, Database.open(ready) as db:
            phone = await athlete_device(directory, "phone", address_of(ready), "long@apex.example", register=True)
            record = _LongRecord(phone, db, str(ready.database_url), "with the job" if has_job else "without it")
            marks = await record.live(edits, await _committer(db, ready) if has_job else None)
            await phone.aclose()
    return marks


async def _committer(db: Database, settings: Settings) -> Committer:
    async def tell_nobody(hints: list[Hint]) -> None:
        pass

    identity = await load_identity(db, settings.secret)
    return Committer(
        PostgresCommitStore(db), identity=identity, now_us=lambda: time.time_ns() // 1000, hints=tell_nobody
    )


class _LongRecord:
    def __init__(self, phone: Replica, db: Database, owner_url: str, life: str) -> None:
        self.phone = phone
        self.db = db
        self.owner_url = owner_url
        self.life = life
        self.saves: list[float] = []
        self.syncs: list[float] = []
        self.wall: list[float] = []
        self.server_seconds: list[float] = []
        self.sizes: list[int] = []

    async def live(self, edits: int, committer: Committer | None) -> list[Mark]:
        log = await self.phone.workouts.start(title="Endless")
        await self.phone.sync()
        marks, web = [], _web_processes()
        for number in range(1, edits + 1):
            self.server_seconds.append(_cpu_seconds(web))
            with _timing(self.saves, time.process_time):
                await log.note(NOTE.format(number))
            with _timing(self.wall), _timing(self.syncs, time.process_time):
                report = await self.phone.sync()
            assert (report.pending, report.rejected) == (0, 0), report
            self.sizes.append(report.bytes_up + report.bytes_down)
            if committer and number % JOB_EVERY_EDITS == 0:
                await compact_long_records(self.db, committer)
            if number in MARKS or number == edits:
                marks.append(await self._mark(number))
                print(f"  {self.life}: {marks[-1]}", file=sys.stderr, flush=True)
        assert (await log.refresh()).snapshot.state["notes"] == NOTE.format(edits)
        return marks

    async def _mark(self, edits: int) -> Mark:
        connection = await asyncpg.connect(self.owner_url)
        doc = await connection.fetchval("SELECT doc FROM records ORDER BY octet_length(doc) DESC LIMIT 1")
        await connection.close()
        saves, syncs, wall = (values[-LAST_EDITS:] for values in (self.saves, self.syncs, self.wall))
        server_seconds = _cpu_seconds(_web_processes()) - self.server_seconds[-LAST_EDITS:][0]
        return Mark(
            life=self.life,
            edits=edits,
            save_ms_p50=statistics.median(saves),
            save_ms_max=max(saves),
            sync_device_ms_p50=statistics.median(syncs),
            sync_device_ms_max=max(syncs),
            sync_server_ms_mean=1000 * server_seconds / len(wall),
            sync_wall_ms_p50=statistics.median(wall),
            bytes_an_edit=statistics.median(self.sizes[-LAST_EDITS:]),
            live_ops=parse_document(doc).op_count,
            document_bytes=len(doc),
            device_rss_mb=psutil.Process().memory_info().rss / 1e6,
            server_rss_mb=server_rss_mb(),
        )


def server_rss_mb() -> float:
    """Give the memory of the largest web process beneath this one."""
    return max(process.memory_info().rss / 1e6 for process in _web_processes())


def _cpu_seconds(processes: Sequence[psutil.Process]) -> float:
    return sum(sum(process.cpu_times()[:2]) for process in processes)


def _web_processes() -> list[psutil.Process]:
    return [each for each in psutil.Process().children(recursive=True) if "granian" in " ".join(each.cmdline())]


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
    times: list[float] = []
    for _ in range(5):
        with _timing(times, clock=time.process_time):
            current = parse_document(stored)
            judged = accept(
                current, ops, [more], author=Author(7, "athlete"), collection=WORKOUT_LOGS, refused={}, now_us=hlc
            )
            assert judged.status == "applied"
            fold(judged.writes)
            encode_document(judged.document)
    return Uncompacted(ops, min(times), len(stored))


@contextmanager
def _timing(times: list[float], clock: Callable[[], float] = time.perf_counter) -> Iterator[None]:
    started = clock()
    yield
    times.append(1000 * (clock() - started))


def table(marks: Sequence[Mark], naive: Sequence[Uncompacted]) -> str:
    """Write everything in Markdown."""
    names = Mark.__struct_fields__
    lines = [
        "| " + " | ".join(name.replace("_", " ") for name in names) + " |",
        "|---" + "|---:" * (len(names) - 1) + "|",
    ]
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
