"""The queue: PgQueuer on our own Postgres, under the names that migration 0040 gave its tables.

The names are given here one by one, because PgQueuer would otherwise take them from the environment.
"""

import asyncpg
from pgqueuer.adapters.persistence.qb import (
    DBSettings,
    Durability,
    QueryBuilderEnvironment,
    QueryQueueBuilder,
    QuerySchedulerBuilder,
)
from pgqueuer.db import AsyncpgPoolDriver
from pgqueuer.qm import QueueManager
from pgqueuer.queries import Queries
from pgqueuer.types import Channel

__all__ = ["queue_manager", "queue_queries", "queue_settings"]

CHANNEL = Channel("ch_pgqueuer")


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
    return Queries(
        AsyncpgPoolDriver(pool),
        qbe=QueryBuilderEnvironment(settings),
        qbq=QueryQueueBuilder(settings),
        qbs=QuerySchedulerBuilder(settings),
    )


def queue_manager(pool: asyncpg.Pool) -> QueueManager:
    """Give what takes jobs from the queue."""
    return QueueManager(queue_queries(pool), CHANNEL)
