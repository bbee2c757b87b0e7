"""A server restored from an old backup, with real devices: nothing is lost that any device still has, and all agree."""

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from uuid import UUID

import asyncpg
import pytest
from anyio.from_thread import BlockingPortal

from apex_client import Replica
from apex_client.errors import SignedOut, WrongCredentials
from apex_server.db import Database, joined_database, ready_database, started_database
from apex_server.operations import back_up, restore, verify
from apex_server.operations.verify import Damage
from apex_server.serving import serving
from apex_server.settings import Settings
from apex_server.sync import rebuild_projections
from apex_server.sync.projection_tables import TABLES
from tests.e2e.raw_device import RawDevice
from tests.e2e.whole_server import (
    PASSWORD,
    SECRET,
    Athlete,
    WholeServer,
    assert_one_digest,
    athlete_of,
    free_port,
    load_of,
    number_of,
    sync_until_done,
)

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

PATIENCE_SECONDS = 60.0
REAL_EXPORT = "hevy_kg_small_mouadja02.csv"
SETS = 5
BEFORE, LOST, WATCH, TABLET, TABLET_UNSENT, PHONE_UNSENT = (10 * step for step in range(1, 7))
"""The first number of the sets that were logged before the backup, and by whom after it."""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Keep one address over all lives of the server, as devices know it."""
    return Settings(data_dir=tmp_path / "server", secret=SECRET, port=free_port(), log_level="warning")


@contextmanager
def served(portal: BlockingPortal, settings: Settings) -> Iterator[WholeServer]:
    with portal.wrap_async_context_manager(serving(settings, with_worker=False)) as ready:
        yield WholeServer(ready)


async def log_numbered(device: Replica, first: int) -> None:
    log = await device.workouts.start(title=f"Session {first}")
    for number in range(first, first + SETS):
        await log.add_set("Squat", reps=5, load=load_of(number), unit="kg")


def log_oddities(server: WholeServer, athlete: Athlete) -> None:
    """Push what no SDK would: a value out of bounds, and a field that is not the athlete's."""
    raw = RawDevice(server, athlete.email)
    raw.push(raw.new_record(athlete, {"fatigue": 99, "date": "2026-03-01", "title": "Odd"}))
    raw.push(raw.new_record(athlete, {"coach_feedback": "mine"}, "check_ins"))
    raw.http.close()


async def numbers_in(server: WholeServer, athlete: Athlete) -> Counter[int]:
    """Count the numbered sets; real ones are heavier."""
    sql = "SELECT load_kg FROM logged_sets WHERE scope_id = $1 AND load_kg BETWEEN 0.01 AND 0.99"
    return Counter(number_of(row) for row in await server.rows(sql, UUID(athlete.id)))


async def damages(settings: Settings) -> list[Damage]:
    async with joined_database(settings) as joined, Database.open(joined) as database:
        return (await verify(database)).damages


async def sync_all(*devices: Replica) -> None:
    for device in devices:
        await sync_until_done(device, seconds=PATIENCE_SECONDS)


async def test_what_any_surviving_device_holds_comes_back_after_a_restore(
    portal: BlockingPortal, settings: Settings, data_dir: Path, tmp_path: Path
) -> None:
    """Also what a device wrote that is no more, an edit of it, and an account that is younger than the backup."""
    backup = tmp_path / "old.apexbackup"
    (tmp_path / "late").mkdir()
    with ExitStack() as lives:
        server = lives.enter_context(served(portal, settings))
        async with athlete_of(server, tmp_path) as athlete, athlete_of(server, tmp_path / "late") as latecomer:
            phone, watch, lost = [await athlete.device(name) for name in ("phone", "watch", "lost")]
            await phone.import_file(data_dir / REAL_EXPORT)
            await log_numbered(phone, BEFORE)
            await sync_all(phone)
            log_oddities(server, athlete)
            await sync_all(phone, watch, lost)
            async with joined_database(settings) as joined:
                await back_up(joined, backup)

            await log_numbered(lost, LOST)
            await sync_all(lost, watch)
            await lost.aclose()
            (session,) = [log for log in await watch.workouts.list(limit=50) if log.title == f"Session {LOST}"]
            await session.note("seen on the watch")
            await log_numbered(watch, WATCH)
            await sync_all(watch)
            tablet = await athlete.device("tablet", "tablet")
            await log_numbered(tablet, TABLET)
            await sync_all(tablet)
            await log_numbered(tablet, TABLET_UNSENT)
            await log_numbered(phone, PHONE_UNSENT)
            late_phone = await latecomer.device("phone")
            await log_numbered(late_phone, BEFORE)
            await sync_all(late_phone)
            assert await damages(settings) == []

            lives.close()
            async with started_database(settings) as started:
                await restore(started, backup, replace=True)
            server = lives.enter_context(served(portal, settings))
            assert await numbers_in(server, athlete) == Counter(range(BEFORE, BEFORE + SETS))

            with pytest.raises(SignedOut):
                await tablet.sync()
            await tablet.login(server.address, athlete.email, PASSWORD)
            with pytest.raises(SignedOut):
                await late_phone.sync()
            with pytest.raises(WrongCredentials):
                await late_phone.login(server.address, latecomer.email, PASSWORD)
            latecomer.server, lost_id = server, latecomer.id
            await latecomer.register(late_phone)
            await sync_all(phone, watch, tablet, late_phone, phone, watch)
            expected = Counter(range(BEFORE, PHONE_UNSENT + 10))
            assert await numbers_in(server, athlete) == Counter(number for number in expected if number % 10 < SETS)
            notes = {log.title: log.notes for log in await phone.workouts.list(limit=50)}
            assert notes[f"Session {LOST}"] == "seen on the watch"
            await assert_one_digest(server, athlete.scope, phone, watch, tablet)
            assert latecomer.id != lost_id
            assert await numbers_in(server, latecomer) == Counter(range(BEFORE, BEFORE + SETS))
            await assert_one_digest(server, latecomer.scope, late_phone)
            devices = (phone, watch, tablet, late_phone)
            assert [(await device.status()).rejected for device in devices] == [0, 0, 0, 0]
            assert await damages(settings) == []


async def test_a_rebuild_changes_no_byte_of_real_odd_content(
    portal: BlockingPortal, settings: Settings, data_dir: Path, tmp_path: Path
) -> None:
    """A real export, records that need a review, refused fields, deleted records, edits that met."""
    with served(portal, settings) as server:
        async with athlete_of(server, tmp_path) as athlete:
            phone, watch = await athlete.device("phone"), await athlete.device("watch")
            await phone.import_file(data_dir / REAL_EXPORT)
            await sync_all(phone)
            log_oddities(server, athlete)
            await sync_all(phone, watch)
            first, second, *_ = await phone.workouts.list(limit=50)
            await first.delete()
            await second.note("on the phone")
            await (await watch.workouts.get(second.id)).note("on the watch")
            await sync_all(phone, watch, phone)
            [odd] = await server.rows("SELECT count(*) FROM records WHERE needs_review")
            assert odd["count"] > 0
    async with ready_database(settings) as ready:
        owner = await asyncpg.connect(str(ready.database_url))
        try:
            before = {table: await bytes_of(owner, table) for table in TABLES}
            async with Database.open(ready) as database:
                assert await rebuild_projections(database) > 0
            assert {table: await bytes_of(owner, table) for table in TABLES} == before
            assert len(before["logged_sets"]) > 10_000
        finally:
            await owner.close()


async def bytes_of(owner: asyncpg.Connection, table: str) -> bytes:
    """Give a table as Postgres copies it, rows in the order of their content."""
    parts: list[bytes] = []

    async def take(chunk: bytes) -> None:
        parts.append(chunk)

    await owner.copy_from_query(f"SELECT * FROM {table} AS t ORDER BY t::text", output=take, format="binary")
    return b"".join(parts)
