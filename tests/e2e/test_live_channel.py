"""The live channel of the real server, from an app with an event loop and from one without."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

import anyio
import pytest

from apex_client import Replica
from apex_client.blocking import Replica as BlockingReplica
from tests.e2e.whole_server import PASSWORD, WholeServer

PATIENCE_SECONDS = 30.0


def wait_until(condition: Callable[[], bool]) -> None:
    give_up = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < give_up, "it took too long"
        time.sleep(0.02)


def test_without_an_event_loop_a_save_goes_up_and_news_come_down_at_once(server: WholeServer, tmp_path: Path) -> None:
    email = server.new_email("lena")
    with BlockingReplica.open(tmp_path / "phone.db") as phone, BlockingReplica.open(tmp_path / "watch.db") as watch:
        phone.register(server.address, email, PASSWORD, name="Lena")
        server.confirm_blocking(email)
        watch.login(server.address, email, PASSWORD)
        threads = [threading.Thread(target=replica.run) for replica in (phone, watch)]
        for thread in threads:
            thread.start()
        try:
            wait_until(lambda: phone.status().state == watch.status().state == "live")
            log = phone.workouts.start(title="Push")
            feed = watch.changes("workout_logs")
            log.add_set("Bench Press", reps=8, load=100)
            change = feed.get(PATIENCE_SECONDS)
            assert change is not None and change.record_id == log.id
            wait_until(lambda: len(watch.workouts.get(log.id).sets) == 1)
            watch.workouts.get(log.id).rate(mood=9)
            wait_until(lambda: log.refresh().record.mood == 9)
            wait_until(lambda: phone.status().pending == watch.status().pending == 0)
            assert phone.status().repairs == watch.status().repairs == 0
        finally:
            for replica in (phone, watch):
                replica.stop()
            for thread in threads:
                thread.join(PATIENCE_SECONDS)
        assert not any(thread.is_alive() for thread in threads)


@pytest.mark.anyio
async def test_with_an_event_loop_the_same_and_a_cut_connection_is_made_again(
    server: WholeServer, tmp_path: Path
) -> None:
    email = server.new_email("lena")
    async with Replica.open(tmp_path / "phone.db") as phone, Replica.open(tmp_path / "watch.db") as watch:
        await phone.register(server.address, email, PASSWORD, name="Lena")
        await server.confirm(email)
        await watch.login(server.address, email, PASSWORD)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(phone.run)
            tasks.start_soon(watch.run)
            with anyio.fail_after(PATIENCE_SECONDS):
                while {(await phone.status()).state, (await watch.status()).state} != {"live"}:  # noqa: ASYNC110
                    await anyio.sleep(0.02)
                log = await phone.workouts.start(title="Push")
                feed = watch.changes("workout_logs")
                change = await feed.get()
                assert change is not None and change.record_id == log.id
                await (await watch.workouts.get(log.id)).note("seen")
                while (await log.refresh()).notes != "seen":  # noqa: ASYNC110
                    await anyio.sleep(0.02)
            tasks.cancel_scope.cancel()
