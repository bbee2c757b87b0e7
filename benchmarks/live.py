"""Two connected devices: one changes a field, the other has it; and two that edit offline, without losing anything."""

import asyncio
import statistics
import time
from pathlib import Path
from random import Random

import httpx

from apex_client import Replica
from apex_server.serving import address_of, serving
from apex_server.settings import Settings
from benchmarks.devices import PASSWORD, athlete_device, free_port, new_athlete, save_all
from benchmarks.table import Row
from benchmarks.workload import made_up

EMAIL = "live@apex.example"
EDITS = 200
OFFLINE_RECORDS = 500
API_CALLS = 100
POLL_SECONDS = 0.02


async def live_rows(directory: Path) -> list[Row]:
    """Measure one field from device to device, offline edits of 500 records, and the API."""
    settings = Settings.from_environment(
        {"APEX_DATA_DIR": str(directory / "live_server"), "APEX_PORT": str(free_port()), "APEX_LOG_LEVEL": "error"}
    )
    async with serving(settings, with_worker=False) as ready:
        address = address_of(ready)
        phone = await new_athlete(directory, "live_phone", ready, EMAIL)
        watch = await athlete_device(directory, "live_watch", address, EMAIL)
        times, edit_bytes = await edit_while_connected(phone, watch)
        lost = await edit_offline(phone, watch)
        api_seconds = await call_api(address)
        await phone.aclose()
        await watch.aclose()
    p50, p95 = statistics.median(times), statistics.quantiles(times, n=20)[-1]
    return [
        Row("one field, on a second connected device, durable (p50)", p50 * 1000, "ms", budget="≤ 5 ms",
            kept=p50 <= 0.005),
        Row("the same (p95)", p95 * 1000, "ms", budget="≤ 15 ms", kept=p95 <= 0.015),
        Row("bytes of it on the wire, to the second device", edit_bytes, "B", budget="≤ 250 B", kept=edit_bytes <= 250),
        Row(f"edits lost of {2 * OFFLINE_RECORDS:,} made offline by two devices", lost, "", naive=OFFLINE_RECORDS,
            budget="0", kept=lost == 0),
        Row("API, 50 workouts listed (p95)", api_seconds * 1000, "ms", budget="< 200 ms", kept=api_seconds < 0.2),
    ]  # fmt: skip


async def edit_while_connected(phone: Replica, watch: Replica) -> tuple[list[float], float]:
    """Change one field on the phone, again and again, and wait for the watch to have it."""
    log = await phone.workouts.start(title="Live")
    await phone.sync()
    await watch.sync()
    running = [asyncio.create_task(replica.run()) for replica in (phone, watch)]
    for replica in (phone, watch):
        await until_live(replica)
    changes = watch.changes("workout_logs")
    before = watch._account.transport.bytes_down
    times = []
    for edit in range(EDITS):
        started = time.perf_counter()
        await log.rate(fatigue=edit % 10 + 1)
        async for change in changes:
            if change.record_id == log.id:
                break
        times.append(time.perf_counter() - started)
    bytes_each = (watch._account.transport.bytes_down - before) / EDITS
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    return times, bytes_each


async def until_live(replica: Replica) -> None:
    """Return when the device is connected."""
    while (await replica.status()).state != "live":  # noqa: ASYNC110 - the status is all that an app is told.
        await asyncio.sleep(POLL_SECONDS)


async def edit_offline(phone: Replica, watch: Replica) -> int:
    """Let two devices edit different fields of the same records offline, and count what is lost after they sync."""
    records = made_up(OFFLINE_RECORDS, 0)
    await save_all(phone, records)
    await phone.sync()
    await watch.sync()
    random = Random(3)
    for record in records:
        await (await phone.workouts.get(record.record_id)).rate(pump=random.randrange(1, 11))
        await (await watch.workouts.get(record.record_id)).note(f"note {record.record_id}")
    for replica in (phone, watch, phone):
        await replica.sync()
    lost = 0
    for record in records:
        seen = [(await replica.workouts.get(record.record_id)).snapshot.state for replica in (phone, watch)]
        lost += sum(seen[0].get(field) is None or seen[0] != seen[1] for field in ("pump", "notes"))
    return lost


async def call_api(address: str) -> float:
    """Give the p95 of listing 50 workouts over REST."""
    times = []
    async with httpx.AsyncClient(base_url=address) as client:
        answer = await client.post("/api/auth/login", json={"email": EMAIL, "password": PASSWORD})
        headers = {"Authorization": f"Bearer {answer.raise_for_status().json()['access_token']}"}
        for _ in range(API_CALLS):
            started = time.perf_counter()
            (await client.get("/api/workouts", params={"limit": 50}, headers=headers)).raise_for_status()
            times.append(time.perf_counter() - started)
    return statistics.quantiles(times, n=20)[-1]
