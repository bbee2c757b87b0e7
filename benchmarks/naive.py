"""The baseline: what one builds first. JSON records, one upsert each, last write wins by arrival.

It projects nothing, keeps no history and loses concurrent edits; it is here only to say how fast "simple" is on this
machine in this run. Server: `granian benchmarks.naive:create_app --factory --interface asgi` with NAIVE_DATABASE_URL.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import msgspec
from litestar import Litestar, get, post
from litestar.datastructures import State

BODY_BYTES_MAX = 64 * 1024 * 1024

CREATE_TABLE = """
CREATE TABLE IF NOT EXISTS naive_records (
    id uuid PRIMARY KEY,
    seq bigserial NOT NULL,
    record jsonb NOT NULL
);
CREATE INDEX IF NOT EXISTS naive_records_by_seq ON naive_records (seq);
"""
UPSERT = """
INSERT INTO naive_records (id, record) VALUES ($1, $2)
ON CONFLICT (id) DO UPDATE SET record = excluded.record, seq = nextval('naive_records_seq_seq')
"""
PULL = "SELECT id, seq, record FROM naive_records WHERE seq > $1 ORDER BY seq LIMIT 1000"


class NaiveRecord(msgspec.Struct):
    """One record, whole."""

    id: str
    record: dict[str, Any]


@post("/push", request_max_body_size=BODY_BYTES_MAX)
async def push(data: list[NaiveRecord], state: State) -> dict[str, int]:
    """Upsert every record."""
    async with state.pool.acquire() as connection, connection.transaction():
        rows = [(item.id, msgspec.json.encode(item.record).decode()) for item in data]
        await connection.executemany(UPSERT, rows)
    return {"stored": len(data)}


@get("/pull")
async def pull(state: State, after: int = 0) -> list[dict[str, Any]]:
    """Give the next thousand records."""
    async with state.pool.acquire() as connection:
        rows = await connection.fetch(PULL, after)
    return [{"id": str(row["id"]), "seq": row["seq"], "record": msgspec.json.decode(row["record"])} for row in rows]


@asynccontextmanager
async def _lifespan(app: Litestar) -> AsyncIterator[None]:
    async with asyncpg.create_pool(os.environ["NAIVE_DATABASE_URL"], min_size=1, max_size=4) as pool:
        await pool.execute(CREATE_TABLE)
        app.state.pool = pool
        yield


def create_app() -> Litestar:
    """Build the baseline server."""
    return Litestar([push, pull], lifespan=[_lifespan], openapi_config=None)
