"""Keeping histories short: the records that have grown long, compacted some at a time by whoever schedules it."""

from apex_server.db import Database, load_queries
from apex_server.sync.commit import Committer

__all__ = ["compact_long_records"]

queries = load_queries(__package__)

RECORDS_AT_ONCE = 100
"""Each takes some 20 ms at most, and its scope is free in between."""


async def compact_long_records(db: Database, committer: Committer) -> int:
    """Compact what has grown long, and give how many records that were; call again while it gives any.

    Raises DatabaseUnavailable.
    """
    async with db.commit_connection() as connection:
        rows = await connection.fetch(queries.long_records, RECORDS_AT_ONCE)
    count = 0
    for row in rows:
        count += await committer.compact(row["name"], row["record_id"].bytes)
    return count
