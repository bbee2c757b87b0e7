"""The queue: PgQueuer on our own Postgres, under the names that migration 0040 gave its tables.

The names are given here one by one, because PgQueuer would otherwise take them from the environment.
"""

from datetime import timedelta

import anyio
import asyncpg
from pgqueuer.adapters.persistence.qb import (
    DBSettings,
    Durability,
    QueryBuilderEnvironment,
    QueryQueueBuilder,
    QuerySchedulerBuilder,
)
from pgqueuer.db import AsyncpgPoolDriver
from pgqueuer.models import Job, TracebackRecord
from pgqueuer.qm import QueueManager
from pgqueuer.queries import Queries
from pgqueuer.types import Channel

__all__ = ["queue_manager", "queue_queries", "queue_settings"]

CHANNEL = Channel("ch_pgqueuer")

GIVE_BACK_ATTEMPTS = 20
GIVE_BACK_SECONDS = 1.0
"""Longer than Postgres takes to come back from a crash; after that the job's missing heartbeat gives it back."""


class PatientQueries(Queries):
    """The queue's statements; a job that is given back for another attempt is given back by more than one try.

    It is an outage that makes a job do so, and PgQueuer holds it as failed when the outage meets this statement too.
    """

    async def retry_job(self, job: Job, delay: timedelta, traceback_record: TracebackRecord | None) -> None:
        """Give a job back, to be done after the delay."""
        for _ in range(GIVE_BACK_ATTEMPTS - 1):
            try:
                return await super().retry_job(job, delay, traceback_record)
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError):
                await anyio.sleep(GIVE_BACK_SECONDS)
        return await super().retry_job(job, delay, traceback_record)


def queue_settings() -> DBSettings:
    """Give the names of everything the queue has in the database."""
    return DBSettings(
        prefix="",
        channel=CHANNEL,
        function="fn_pgqueuer_changed",
        statistics_table="pgqueuer_statistics",
        queue_status_type="pgqueuer_status",
        queue_table="pgqueuer",
        queue_table_log="pgqueuer_log",
        trigger="tg_pgqueuer_changed",
        schedules_table="pgqueuer_schedules",
        durability=Durability.durable,
    )


def queue_queries(pool: asyncpg.Pool) -> Queries:
    """Speak to the queue over a pool; it keeps one connection for listening."""
    settings = queue_settings()
    return PatientQueries(
        AsyncpgPoolDriver(pool),
        qbe=QueryBuilderEnvironment(settings),
        qbq=QueryQueueBuilder(settings),
        qbs=QuerySchedulerBuilder(settings),
    )


def queue_manager(pool: asyncpg.Pool) -> QueueManager:
    """Give what takes jobs from the queue."""
    return QueueManager(queue_queries(pool), CHANNEL)
