"""A record that outgrows its bounds on a real server: the worker shortens it, and devices that were away sync on."""

from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import anyio
import pytest
from anyio.from_thread import BlockingPortal

from apex_server.serving import serving
from apex_server.settings import Settings
from apex_sync.compaction import COMPACTION_OPS
from apex_sync.op import Write, encode_op
from apex_sync.protocol import PushedRecord
from apex_sync.wire import OPS_MAX, encode_push
from tests.e2e.raw_device import RawDevice, now_us
from tests.e2e.whole_server import SECRET, WholeServer, assert_one_digest, athlete_of, free_port, sync_until_done

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

PATIENCE_SECONDS = 60.0
OPS_A_PUSH = COMPACTION_OPS
PUSHES = OPS_MAX // OPS_A_PUSH + 1


@pytest.fixture
def server_with_worker(portal: BlockingPortal, tmp_path: Path) -> Iterator[WholeServer]:
    settings = Settings(data_dir=tmp_path / "server", secret=SECRET, port=free_port(), log_level="warning")
    with portal.wrap_async_context_manager(serving(settings)) as ready:
        yield WholeServer(ready)


async def test_a_record_beyond_its_bound_is_shortened_and_old_devices_sync_on(
    server_with_worker: WholeServer, tmp_path: Path
) -> None:
    server = server_with_worker
    async with athlete_of(server, tmp_path) as athlete:
        phone, watch = await athlete.device("phone"), await athlete.device("watch", "watch")
        log = await phone.workouts.start(title="Long")
        await log.add_set("Squat", reps=5, load=100, unit="kg")
        for device in (phone, watch):
            await sync_until_done(device, seconds=PATIENCE_SECONDS)
        away = await watch.workouts.get(log.id)
        await away.note("written while away")
        raw = RawDevice(server, athlete.email)
        for number in range(PUSHES):
            assert push_moods(raw, athlete.scope, log.id, number * OPS_A_PUSH) == "applied"
        raw.http.close()
        with anyio.fail_after(PATIENCE_SECONDS):
            while (await server.rows("SELECT count(*) FROM records WHERE is_long"))[0]["count"]:  # noqa: ASYNC110 - Postgres gives no event.
                await anyio.sleep(0.1)
        [row] = await server.rows("SELECT octet_length(doc) AS bytes FROM records WHERE record_id = $1", UUID(log.id))
        assert row["bytes"] < OPS_A_PUSH

        for device in (watch, phone, watch):
            await sync_until_done(device, seconds=PATIENCE_SECONDS)
        newcomer = await athlete.device("newcomer")
        await sync_until_done(newcomer, seconds=PATIENCE_SECONDS)
        await assert_one_digest(server, athlete.scope, phone, watch, newcomer)
        for device in (phone, watch, newcomer):
            found = await device.workouts.get(log.id)
            assert (found.notes, len(found.sets)) == ("written while away", 1)
            assert (await device.record("workout_logs", log.id)).state["mood"] == (OPS_A_PUSH - 1) % 10
        await log.add_set("Squat", reps=6, load=100, unit="kg")
        await sync_until_done(phone, seconds=PATIENCE_SECONDS)


def push_moods(raw: RawDevice, scope: str, record_id: str, first: int) -> str:
    """Push a thousand edits of one record."""
    start = now_us()
    ops = [encode_op([Write(start + step, [], {"mood": step % 10})]) for step in range(OPS_A_PUSH)]
    update = encode_push(raw.client_id, first, ops)
    response = raw.push(PushedRecord(scope, "workout_logs", UUID(record_id).bytes, update))
    return response.results[0].status


async def test_a_session_of_ten_thousand_sets_arrives_whole(server_with_worker: WholeServer, tmp_path: Path) -> None:
    """Nothing in it is written over, so there is nothing to shorten, and it takes several ops."""
    server = server_with_worker
    sets = {
        f"s{place}": {"exercise": "e", "order": f"{place:05}", "reps": 8, "load_kg": 100.0} for place in range(10_000)
    }
    async with athlete_of(server, tmp_path) as athlete:
        phone, watch = await athlete.device("phone"), await athlete.device("watch", "watch")
        log = await phone.workouts.create(
            {"date": "2026-03-02", "title": "Long", "exercises": {"e": {"name": "Squat", "order": "a"}}, "sets": sets}
        )
        for device in (phone, watch):
            await sync_until_done(device, seconds=PATIENCE_SECONDS)
        [row] = await server.rows("SELECT count(*) FROM logged_sets WHERE record_id = $1", UUID(log.id))
        assert row["count"] == len((await watch.workouts.get(log.id)).state["sets"]) == 10_000
        await assert_one_digest(server, athlete.scope, phone, watch)
