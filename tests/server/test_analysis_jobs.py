"""The jobs of analysis and the workers that do them: late enough, once, and by another when one is killed."""

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import anyio
import asyncpg
import msgspec
import pytest

from apex_server.jobs.failures import list_failed_jobs
from apex_server.jobs.queue import queue_queries
from apex_server.jobs.worker import Worker, run_worker
from apex_server.settings import Settings, SettingsError
from tests.server.accounts_app import Clock
from tests.server.analysis_parts import (
    NOW,
    TODAY,
    CountingWording,
    Pair,
    check_in_patch,
    consent,
    due,
    idle,
    link,
    log_history,
    record_id,
    run_as_owner,
    run_sql,
    until,
    working,
    workout_patch,
    writes_of,
)

pytestmark = pytest.mark.anyio


@pytest.fixture
def clock() -> Clock:
    return Clock(NOW)


async def test_what_was_eaten_calls_for_an_analysis(settings: Settings, clock: Clock, pair: Pair) -> None:
    eaten = {"date": TODAY.isoformat(), "foods": {"f": {"name": "oats", "energy_kcal": 380}}}
    await pair.log("nutrition_logs", record_id("n"), eaten)
    clock.advance(seconds=settings.analysis_quiet_seconds)
    async with Worker.open(settings, now=clock) as worker:
        await worker.sweep()
    assert "training" in await due(pair)


async def test_analysis_waits_for_quiet_but_not_for_ever(settings: Settings, clock: Clock, pair: Pair) -> None:
    patient = msgspec.structs.replace(settings, analysis_quiet_seconds=60.0, analysis_max_seconds=600.0)
    async with Worker.open(patient, now=clock) as worker:
        await pair.log("workout_logs", record_id("w"), workout_patch(TODAY, 80))
        clock.advance(seconds=59)
        await worker.sweep()
        assert await due(pair) == set()
        await pair.log("workout_logs", record_id("w"), {"pump": 7})
        clock.advance(seconds=59)
        await worker.sweep()
        assert await due(pair) == set()
        clock.advance(seconds=1)
        await worker.sweep()
        assert await due(pair) == {"check_in", "training"}
        await run_sql(pair, "DELETE FROM analyses_due")
        for _ in range(14):  # A live session, a set every 45 seconds.
            await pair.log("workout_logs", record_id("w"), {"pump": 8, "fatigue": 5})
            clock.advance(seconds=45)
            await worker.sweep()
        assert await due(pair) == {"check_in", "training"}


async def test_there_is_one_job_for_an_athlete_and_kind(settings: Settings, clock: Clock, pair: Pair) -> None:
    async with Worker.open(settings, now=clock) as worker:
        await log_history(pair)
        clock.advance(seconds=61)
        for _ in range(3):
            await worker.sweep()
            await pair.log("workout_logs", record_id("w0"), {"pump": 5})
            clock.advance(seconds=61)
        rows = await run_sql(pair, "SELECT dedupe_key FROM pgqueuer ORDER BY dedupe_key")
        assert [row["dedupe_key"] for row in rows] == [
            f"analysis:check_in:{pair.athlete_id}",
            f"analysis:training:{pair.athlete_id}",
        ]


async def test_a_killed_workers_job_is_done_by_another(settings: Settings, clock: Clock, pair: Pair) -> None:
    await log_history(pair)
    clock.advance(seconds=61)
    async with Worker.open(settings, now=clock) as killed:
        await killed.sweep()
    await run_sql(
        pair,
        "UPDATE pgqueuer SET status = 'picked', queue_manager_id = $1, heartbeat = now() - interval '31 seconds'",
        uuid4(),
    )
    async with working(settings, clock):
        await until(lambda: idle(pair))
        assert await pair.insights()


async def test_two_workers_share_the_work(settings: Settings, clock: Clock, pair: Pair) -> None:
    await log_history(pair)
    async with working(settings, clock), working(settings, clock):
        await until(lambda: idle(pair))
        for load in (90, 92.5, 95):
            await pair.log("workout_logs", record_id("w3"), workout_patch(TODAY - timedelta(days=1), load))
        await until(lambda: idle(pair))
        drafts = await pair.insights()
        subjects = [(draft.kind, draft.about_id or draft.type) for draft in drafts.values()]
        assert len(subjects) == len(set(subjects))
        assert {await writes_of(pair, id_) for id_ in drafts} == {1}


async def test_a_job_that_fails_is_kept_listed_and_tried_again_with_new_data(
    settings: Settings, clock: Clock, pair: Pair
) -> None:
    await consent(pair)
    wording = CountingWording()
    wording.fails = True
    await log_history(pair)
    async with working(settings, clock, wording):

        async def both_failed() -> bool:
            return len(await list_failed_jobs(pair.database)) == 2

        await until(both_failed)
        await anyio.sleep(1.5)  # A sweep or two, which must not try again.
        failed = await list_failed_jobs(pair.database)
        assert len(failed) == 2
        assert {job.about for job in failed} == {
            f"analysis:{kind}:{pair.athlete_id}" for kind in ("check_in", "training")
        }
        assert "a bug in the wording" in failed[0].reason
        wording.fails = False
        await pair.log("workout_logs", record_id("w3"), {"pump": 9})
        await until(lambda: idle(pair))
        assert await pair.insights()


async def test_an_athlete_without_a_coach_or_data_is_no_trouble(settings: Settings, clock: Clock, pair: Pair) -> None:
    await run_sql(
        pair,
        "INSERT INTO analyses_due (athlete_id, kind, watermark, due_at) VALUES ($1, 'training', 0, now())",
        uuid4(),
    )
    async with working(settings, clock):
        await until(lambda: idle(pair))


async def test_requests_see_nothing_of_the_queue(pair: Pair) -> None:
    tables = ("analyses_due", "published_insights", "worded_texts", "pgqueuer", "pgqueuer_log")
    for table in tables:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with pair.database.request(pair.coach_id) as connection:
                await connection.fetch(f"SELECT * FROM {table}")


async def test_the_migration_makes_the_queue_that_the_installed_library_expects(database_url: str) -> None:
    pool = await asyncpg.create_pool(database_url, min_size=1, max_size=2)
    try:
        plan = await queue_queries(pool).plan_upgrade()
    finally:
        await pool.close()
    assert list(plan.statements) == []


def test_web_processes_load_neither_the_queue_nor_a_model() -> None:
    code = (
        "import apex_server.app, apex_server.insights, sys;"
        "sys.exit(','.join(m for m in ('pgqueuer', 'openai', 'apex_server.jobs.worker') if m in sys.modules) or 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


async def test_a_worker_starts_no_postgres_of_its_own(settings: Settings) -> None:
    with pytest.raises(SettingsError):
        await run_worker(msgspec.structs.replace(settings, database_url=None))


async def test_a_coach_who_comes_later_sees_what_the_records_say(settings: Settings, clock: Clock, pair: Pair) -> None:
    url = str(settings.database_url)
    await run_as_owner(url, "DELETE FROM coach_athletes")
    await log_history(pair)
    async with working(settings, clock) as worker:
        await until(lambda: idle(pair))
        assert await pair.insights() == {}
        await link(settings, pair)
        await worker.welcome_new_links()
        await until(pair.insights)
        await run_as_owner(url, "UPDATE coach_athletes SET since = now() - interval '1 day'")
        await until(lambda: idle(pair))
        await worker.keep_house()
        assert await idle(pair)


async def test_a_worker_process_works_and_ends_when_asked(settings: Settings, pair: Pair) -> None:
    """The command as it is run in production: real clock, real signals."""
    today = datetime.now(UTC).date()
    await pair.log("check_ins", record_id("now"), check_in_patch(today, energy=2, stress=9, sleep=2, soreness=9))
    environment = {
        **os.environ,
        "APEX_DATABASE_URL": str(settings.database_url),
        "APEX_SECRET": settings.secret,
        "APEX_DATA_DIR": str(settings.data_dir),
        "APEX_ANALYSIS_QUIET_SECONDS": "0",
    }
    process = await anyio.open_process(
        [sys.executable, "-m", "apex_server.cli", "worker"], env=environment, stdout=None, stderr=None
    )
    try:
        await until(pair.insights)
        process.terminate()
        with anyio.fail_after(10):
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
