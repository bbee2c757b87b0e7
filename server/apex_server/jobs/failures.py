"""Jobs that failed for good: they are kept until somebody has looked, and run again when the athlete's data changes."""

from datetime import datetime

from msgspec import Struct

from apex_server.db import Database, load_queries

__all__ = ["FailedJob", "list_failed_jobs"]

FAILED_JOBS_MAX = 100

_queries = load_queries(__package__)


class FailedJob(Struct, frozen=True):
    """A job, and why it failed; `about` names the kind and the athlete: `analysis:training:<athlete id>`."""

    id: int
    name: str
    about: str
    failed_at: datetime
    reason: str


async def list_failed_jobs(database: Database) -> list[FailedJob]:
    """List failed jobs, the newest first. Raises DatabaseUnavailable."""
    async with database.commit_connection() as connection:
        rows = await connection.fetch(_queries.list_failed_jobs, FAILED_JOBS_MAX)
    return [
        FailedJob(row["id"], row["entrypoint"], row["dedupe_key"] or "", row["updated"], row["reason"] or "")
        for row in rows
    ]
