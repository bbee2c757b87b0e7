"""What the machine allows: a bare SQLite commit, a bare COPY of the same rows, bare compression of the same JSON."""

import io
import sqlite3
import statistics
import time
from pathlib import Path

import asyncpg
import zstandard

COMMITS = 200
PAYLOAD = b"x" * 1500


def sqlite_commit_seconds(directory: Path) -> float:
    """Give the median time of one durable commit of one 1.5 kB row: WAL, synchronous=FULL."""
    connection = sqlite3.connect(directory / "limit.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("CREATE TABLE limit_rows (id INTEGER PRIMARY KEY, payload BLOB)")
    times = []
    for _ in range(COMMITS):
        started = time.perf_counter()
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("INSERT INTO limit_rows (payload) VALUES (?)", (PAYLOAD,))
        connection.execute("COMMIT")
        times.append(time.perf_counter() - started)
    connection.close()
    return statistics.median(times)


async def copy_seconds(connection: asyncpg.Connection, tables: list[str]) -> float:
    """Give the time to COPY the rows that stand in these tables into empty twins with the same indexes, durably."""
    total = 0.0
    for table in tables:
        rows = io.BytesIO()
        await connection.copy_from_table(table, output=rows, format="binary")
        twin = f"limit_{table}"
        await connection.execute(f"DROP TABLE IF EXISTS {twin}; CREATE TABLE {twin} (LIKE {table} INCLUDING ALL)")
        rows.seek(0)
        started = time.perf_counter()
        await connection.copy_to_table(twin, source=rows, format="binary")
        total += time.perf_counter() - started
        await connection.execute(f"DROP TABLE {twin}")
    return total


def zstd_bytes(data: bytes, level: int = 3) -> int:
    """Give the size of the data in one zstd frame."""
    return len(zstandard.compress(data, level))
