"""Ten thousand workouts up, durable and projected; and down again on a new device; beside COPY and the naive way."""

import asyncio
import os
import sqlite3
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import httpx
import msgspec
import psutil

from apex_server.serving import address_of, serving
from apex_server.settings import Settings
from benchmarks.devices import athlete_device, free_port, new_athlete
from benchmarks.limits import copy_seconds, zstd_bytes
from benchmarks.phone import push_in_own_process
from benchmarks.table import Row
from benchmarks.workload import LoggedRecord, ndjson

NAIVE_BATCH = 1000
EMAIL = "bulk@apex.example"
TABLES = ["records", "audit", "workout_logs", "logged_exercises", "logged_sets", "check_ins"]


async def bulk_rows(directory: Path, records: Sequence[LoggedRecord]) -> list[Row]:
    """Measure push, pull, bytes, idle syncs and the server's memory."""
    settings = Settings.from_environment(
        {"APEX_DATA_DIR": str(directory / "server"), "APEX_PORT": str(free_port()), "APEX_LOG_LEVEL": "error"}
    )
    async with serving(settings, with_worker=False) as ready:
        address, owner = address_of(ready), str(ready.database_url)
        phone = await new_athlete(directory, "phone", ready, EMAIL)
        await phone.aclose()
        with watching_memory() as memory:
            pushed = await push_in_own_process(directory / "phone.db", list(records))
        pull_seconds, newest_seconds, pulled_bytes = await pull_on_new_device(directory, address)
        connection = await asyncpg.connect(owner)
        limit_seconds = await copy_seconds(connection, TABLES)
        await connection.close()
        naive_push, naive_pull, naive_bytes = await naive_seconds(directory, owner, records)
    count = len(records)
    assert pushed.acknowledged == count, (pushed, count)
    json_bytes = zstd_bytes(ndjson(list(records)))
    push_rate, limit_rate, naive_rate = count / pushed.seconds, count / limit_seconds, count / naive_push
    pull_rate, naive_pull_rate = count / pull_seconds, count / naive_pull
    return [
        Row(
            "bulk push until durable and projected", push_rate, "rec/s", limit_rate, naive_rate,
            "≥ 60 % of COPY, ≥ 1.2 × naive", push_rate >= 0.6 * limit_rate and push_rate >= 1.2 * naive_rate,
        ),
        Row(
            "cold pull by a new device, queryable", pull_rate, "rec/s", None, naive_pull_rate,
            "≥ 0.5 × naive", pull_rate >= 0.5 * naive_pull_rate,
        ),
        Row("newest 50 workouts visible on a new device", newest_seconds * 1000, "ms", budget="≤ 300 ms",
            kept=newest_seconds <= 0.3),
        Row("bytes up for the push", pushed.bytes_up / 1e6, "MB", json_bytes / 1e6, naive_bytes / 1e6,
            "≤ 1.2 × zstd -3 of the NDJSON", pushed.bytes_up <= 1.2 * json_bytes),
        Row("bytes down for the pull", pulled_bytes / 1e6, "MB", json_bytes / 1e6, naive_bytes / 1e6),
        Row("sync with nothing changed", pushed.idle_seconds * 1000, "ms", budget="≤ 10 ms",
            kept=pushed.idle_seconds <= 0.010),
        Row("bytes of it, both ways, without HTTP headers", pushed.idle_bytes, "B", budget="≤ 600 B",
            kept=pushed.idle_bytes <= 600),
        Row("server memory during the push, per worker", memory.peak_mb, "MB", budget="≤ 150 MB",
            kept=memory.peak_mb <= 150),
        Row("client memory at the most, saving and pushing", pushed.peak_mb, "MB", budget="≤ 120 MB",
            kept=pushed.peak_mb <= 120),
    ]  # fmt: skip


async def pull_on_new_device(directory: Path, address: str) -> tuple[float, float, int]:
    """Pull everything: the time until all of it, the time until the newest 50 workouts, and the bytes down."""
    tablet = await athlete_device(directory, "tablet", address, EMAIL)
    newest: list[float] = []
    started = time.perf_counter()

    def look(progress: object) -> None:
        if not newest and getattr(progress, "pulled", 0) >= 50:
            newest.append(time.perf_counter() - started)

    report = await tablet.sync(progress=look)
    seconds = time.perf_counter() - started
    await tablet.aclose()
    return seconds, newest[0] if newest else seconds, report.bytes_down


class watching_memory:
    """Remember the largest memory of any web process during a block."""

    peak_mb = 0.0

    def __enter__(self) -> "watching_memory":
        self._task = asyncio.create_task(self._watch())
        return self

    def __exit__(self, *_: object) -> None:
        self._task.cancel()

    async def _watch(self) -> None:
        while True:
            for process in psutil.Process().children(recursive=True):
                try:
                    if "granian" in " ".join(process.cmdline()):
                        self.peak_mb = max(self.peak_mb, process.memory_info().rss / 1e6)
                except psutil.Error:
                    continue
            await asyncio.sleep(0.05)


async def naive_seconds(directory: Path, owner: str, records: Sequence[LoggedRecord]) -> tuple[float, float, int]:
    """Push and pull the same records the naive way, over HTTP as well: push time, pull time, bytes up."""
    items = [{"id": record.record_id, "record": record.patch} for record in records]
    sent = 0
    async with naive_server(owner) as client:
        started = time.perf_counter()
        for start in range(0, len(items), NAIVE_BATCH):
            body = msgspec.json.encode(items[start : start + NAIVE_BATCH])
            sent += len(body)
            (await client.post("/push", content=body, headers={"Content-Type": "application/json"})).raise_for_status()
        push = time.perf_counter() - started
        database = sqlite3.connect(directory / "naive.db")
        database.execute("CREATE TABLE records (id TEXT PRIMARY KEY, record TEXT)")
        started, after = time.perf_counter(), 0
        while page := (await client.get("/pull", params={"after": after})).json():
            rows = [(item["id"], msgspec.json.encode(item["record"])) for item in page]
            with database:
                database.executemany("INSERT OR REPLACE INTO records VALUES (?, ?)", rows)
            after = page[-1]["seq"]
        pull = time.perf_counter() - started
        database.close()
    return push, pull, sent


@asynccontextmanager
async def naive_server(owner: str) -> AsyncIterator[httpx.AsyncClient]:
    """Run the baseline server on the same Postgres."""
    command = [sys.executable, "-m", "granian", "benchmarks.naive:create_app", "--factory", "--interface", "asgi"]
    port = free_port()
    command += ["--port", str(port), "--no-log"]
    process = await asyncio.create_subprocess_exec(*command, env={**os.environ, "NAIVE_DATABASE_URL": owner})
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
            for _ in range(400):
                try:
                    (await client.get("/pull")).raise_for_status()
                    break
                except httpx.TransportError:
                    await asyncio.sleep(0.05)
            yield client
    finally:
        process.terminate()
        await process.wait()
