"""A coach, an athlete and a worker on a real database: what the tests of analysis share."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import anyio
import asyncpg
import msgspec

from apex_server.ai import TemplateWording, WordedInsight, Wording, WordingContext
from apex_server.db import Database, HintHub
from apex_server.jobs.reading import read_typed
from apex_server.jobs.worker import Worker
from apex_server.settings import Settings
from apex_server.sync.commit import Committer
from apex_server.sync.identity import load_identity
from apex_server.sync.postgres_commits import PostgresCommitStore
from apex_server.sync.sealing import open_documents
from apex_sync.coaching.finding import Finding
from apex_sync.ids import Scope, athlete_scope, derived_id, private_scope
from tests.server.accounts_app import Clock
from tests.server.sealed_rows import insert_user

NOW = datetime(2026, 3, 30, 12, 0, tzinfo=UTC)
TODAY = NOW.date()


class Pair:
    """A coach and their athlete, and what they and the system write."""

    def __init__(self, database: Database, committer: Committer, clock: Clock, database_url: str) -> None:
        self.database = database
        self.committer = committer
        self.clock = clock
        self.database_url = database_url
        self.coach_id = uuid4()
        self.athlete_id = uuid4()

    @property
    def athlete_scope(self) -> str:
        return athlete_scope(str(self.athlete_id))

    @property
    def private_scope(self) -> str:
        return private_scope(str(self.coach_id), str(self.athlete_id))

    async def log(self, collection: str, record_id: str, patch: Mapping[str, Any]) -> None:
        """Write as the athlete."""
        self.clock.advance(seconds=0.001)
        await self.committer.write(self.athlete_id, self.athlete_scope, collection, record_id, dict(patch))

    async def decide(self, insight_id: str, patch: Mapping[str, Any]) -> None:
        """Write to an insight as the coach, as a device's sync would."""
        self.clock.advance(seconds=0.001)
        await self.committer.write(self.coach_id, self.private_scope, "insights", insight_id, dict(patch))

    async def record(self, scope: str, record_id: str) -> Any:
        async with self.database.commit_connection() as connection:
            row = await connection.fetchrow(
                "SELECT record_id, collection, digest, doc FROM records WHERE scope_id = $1 AND record_id = $2",
                Scope.parse(scope).id,
                UUID(record_id),
            )
            docs = await open_documents(connection, self.database.vault, [row] if row else [], scope)
        return read_typed(row["collection"], docs[0]) if row else None

    async def insights(self, status: str | None = "draft", kind: str | None = None) -> dict[str, Any]:
        """Give the coach's insights by id."""
        return {
            id_: record
            for id_, record in (await self.all_of(self.private_scope, "insights")).items()
            if (status is None or record.status == status) and (kind is None or record.kind == kind)
        }

    async def all_of(self, scope: str, collection: str) -> dict[str, Any]:
        async with self.database.commit_connection() as connection:
            rows = await connection.fetch(
                "SELECT record_id, digest, doc FROM records WHERE scope_id = $1 AND collection = $2 ORDER BY seq",
                Scope.parse(scope).id,
                collection,
            )
            docs = await open_documents(connection, self.database.vault, rows, scope)
        return {str(row["record_id"]): read_typed(collection, doc) for row, doc in zip(rows, docs, strict=True)}


@asynccontextmanager
async def pair_of(settings: Settings, database: Database, clock: Clock) -> AsyncIterator[Pair]:
    """Make two people who work together, writing through a server process of their own."""
    async with HintHub.open(settings) as hints:
        yield await make_pair(settings, database, clock, hints)


async def make_pair(settings: Settings, database: Database, clock: Clock, hints: HintHub) -> Pair:
    """Make two people who work together."""
    committer = Committer(
        PostgresCommitStore(database),
        identity=await load_identity(database, settings.secret),
        now_us=lambda: round(clock().timestamp() * 1_000_000),
        hints=hints.publish,
    )
    pair = Pair(database, committer, clock, str(settings.database_url))
    for user_id, role, name in ((pair.coach_id, "coach", "Carla"), (pair.athlete_id, "athlete", "Anna")):
        async with database.request(user_id) as connection:
            await insert_user(connection, database.vault, user_id, role, name=name)
    await link(settings, pair)
    return pair


async def link(settings: Settings, pair: Pair) -> None:
    await run_as_owner(
        str(settings.database_url),
        "INSERT INTO coach_athletes (coach_id, athlete_id, since) VALUES ($1, $2, now())",
        pair.coach_id,
        pair.athlete_id,
    )


async def run_as_owner(url: str, statement: str, *arguments: Any) -> Any:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetch(statement, *arguments)
    finally:
        await connection.close()


def record_id(name: str) -> str:
    return derived_id("test", name)


def workout_patch(on: Any, load_kg: float, reps: int = 8, *, sets: int = 3, rpe: float | None = 8.0) -> dict[str, Any]:
    """Give a session of bench presses."""
    return {
        "date": on.isoformat(),
        "start_time": f"{on.isoformat()}T18:00:00+00:00",
        "completed": True,
        "exercises": {"e1": {"name": "Bench Press", "order": "a"}},
        "sets": {
            f"s{number}": {
                "exercise": "e1",
                "order": f"a{number}",
                "reps": reps,
                "load_kg": load_kg,
                "completed": True,
                **({} if rpe is None else {"rpe": rpe}),
            }
            for number in range(sets)
        },
    }


def check_in_patch(on: Any, **answers: int) -> dict[str, Any]:
    """Give a submitted check-in."""
    usual = {"energy": 7, "hunger": 4, "stress": 4, "sleep": 7, "adherence": 8, "soreness": 4, "motivation": 7}
    return {
        "date": on.isoformat(),
        "submitted_at": f"{on.isoformat()}T08:00:00+00:00",
        "responses": {**usual, **answers},
    }


async def log_history(pair: Pair, *, tired: bool = False) -> str:
    """Log four weeks of training and check-ins; give the id of the last check-in."""
    for week in range(4):
        day = TODAY - timedelta(days=7 * (3 - week) + 1)
        await pair.log("workout_logs", record_id(f"w{week}"), workout_patch(day, 80 + 2.5 * week))
        answers = {"energy": 3, "sleep": 3, "stress": 9, "soreness": 8} if tired and week == 3 else {}
        await pair.log(
            "check_ins", record_id(f"c{week}"), check_in_patch(TODAY - timedelta(days=7 * (3 - week)), **answers)
        )
    return record_id("c3")


@asynccontextmanager
async def working(
    settings: Settings, clock: Clock | None = None, wording: Wording | None = None, *, quiet_seconds: float = 0.0
) -> AsyncIterator[Worker]:
    """Run a worker beside the block."""
    quick = msgspec.structs.replace(settings, analysis_quiet_seconds=quiet_seconds, analysis_max_seconds=600.0)
    stop = anyio.Event()
    async with Worker.open(quick, now=clock, wording=wording) as worker, anyio.create_task_group() as tasks:
        tasks.start_soon(worker.run, stop)
        try:
            yield worker
        finally:
            stop.set()


async def until(check: Any, *, seconds: float = 20.0) -> Any:
    """Wait for something to become true, and give it."""
    with anyio.fail_after(seconds):
        while True:
            found = await check()
            if found:
                return found
            await anyio.sleep(0.05)


class CountingWording:
    """The template, counting; `before` runs while it words."""

    def __init__(self) -> None:
        self.count = 0
        self.before: Any = None
        self.fails = False

    async def word(self, findings: Sequence[Finding], context: WordingContext) -> WordedInsight:
        self.count += 1
        if self.before is not None:
            await self.before(context)
        if self.fails:
            raise RuntimeError("a bug in the wording")
        return await TemplateWording().word(findings, context)


async def due(pair: Pair) -> set[str]:
    rows = await run_sql(pair, "SELECT kind FROM analyses_due WHERE athlete_id = $1", pair.athlete_id)
    return {row["kind"] for row in rows}


async def run_sql(pair: Pair, statement: str, *arguments: Any) -> list[Any]:
    async with pair.database.commit_connection() as connection:
        rows: list[Any] = await connection.fetch(statement, *arguments)
        return rows


async def idle(pair: Pair) -> bool:
    """Tell whether nothing is left to do."""
    rows = await run_sql(pair, "SELECT (SELECT count(*) FROM dirty) + (SELECT count(*) FROM analyses_due) AS left_over")
    return bool(rows[0]["left_over"] == 0)


async def writes_of(pair: Pair, insight_id: str) -> int:
    """Count what was ever written to an insight."""
    rows = await run_sql(pair, "SELECT count(*) AS n FROM audit WHERE record_id = $1", UUID(insight_id))
    return int(rows[0]["n"])


async def draft_about(pair: Pair, check_in_id: str) -> str:
    async def found() -> str | None:
        return next((id_ for id_, draft in (await pair.insights()).items() if draft.about_id == check_in_id), None)

    return str(await until(found))


async def consent(pair: Pair, *, withdrawn: bool = False) -> None:
    await run_as_owner(
        pair.database_url,
        "INSERT INTO consents (user_id, kind, version, given_at, withdrawn_at) "
        "VALUES ($1, 'ai_analysis', '1', now(), CASE WHEN $2 THEN now() END)",
        pair.athlete_id,
        withdrawn,
    )
