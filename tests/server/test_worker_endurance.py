"""What goes wrong inside a worker stays with what went wrong: the loop, and all other work, go on."""

from typing import Any

import anyio
import asyncpg
import pytest
from pgqueuer.queries import Queries

from apex_server.db import Database, DatabaseBusy, DatabaseError
from apex_server.jobs import queue, worker
from apex_server.jobs.analysis import Analyst
from apex_server.jobs.failures import list_failed_jobs
from apex_server.jobs.repeating import passes
from apex_server.jobs.worker import Worker, run_worker
from apex_server.settings import Settings
from tests.server.accounts_app import Clock
from tests.server.analysis_parts import NOW, log_history, pair_of, until, working

pytestmark = pytest.mark.anyio


def failing(times: int, error: Exception, then: Any) -> Any:
    """Fail so often, and then do it."""
    left = [error] * times

    async def do(*arguments: Any, **options: Any) -> Any:
        if left:
            raise left.pop()
        return await then(*arguments, **options)

    return do


async def test_a_bug_in_one_sweep_only_puts_the_sweep_off(
    settings: Settings, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(NOW)
    monkeypatch.setattr(Worker, "sweep", failing(1, ZeroDivisionError(), Worker.sweep))
    async with pair_of(settings, db, clock) as pair, working(settings, clock):
        await log_history(pair)
        await until(pair.insights)


async def test_a_worker_that_trips_over_a_bug_opens_anew(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    runs_again = anyio.Event()

    async def run(_worker: Worker, stop: anyio.Event) -> None:
        runs_again.set()
        await stop.wait()

    monkeypatch.setattr(worker, "RESTART_AFTER_BUG_SECONDS", 0.01)
    monkeypatch.setattr(Worker, "run", failing(2, ZeroDivisionError(), run))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run_worker, settings)
        with anyio.fail_after(20):
            await runs_again.wait()
        tasks.cancel_scope.cancel()


async def test_a_worker_on_a_database_that_it_may_not_use_says_so_and_ends(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Worker, "run", failing(9, DatabaseError("not ours"), None))
    with pytest.raises(DatabaseError, match="not ours"):
        await run_worker(settings)


def test_a_full_or_busy_postgres_is_no_bug() -> None:
    outages = [asyncpg.DiskFullError(""), asyncpg.DeadlockDetectedError(""), asyncpg.TooManyConnectionsError("")]
    assert passes(ExceptionGroup("several at once", [*outages, TimeoutError(), DatabaseBusy("")]))
    assert not passes(ExceptionGroup("one of them is a bug", [*outages, ZeroDivisionError()]))


async def test_an_outage_during_a_job_does_not_make_it_fail_for_good(
    settings: Settings, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even one that lasts, or that meets the giving back as well."""
    monkeypatch.setattr(queue, "GIVE_BACK_SECONDS", 0.01)
    monkeypatch.setattr(worker, "RETRY_SECONDS_MAX", 0)
    monkeypatch.setattr(Analyst, "analyse", failing(2 * worker.ATTEMPTS_MAX, DatabaseBusy("full"), Analyst.analyse))
    monkeypatch.setattr(Queries, "retry_job", failing(3, asyncpg.InterfaceError("gone"), Queries.retry_job))
    clock = Clock(NOW)
    async with pair_of(settings, db, clock) as pair, working(settings, clock):
        await log_history(pair)
        await until(pair.insights, seconds=30)
        assert await list_failed_jobs(db) == []
