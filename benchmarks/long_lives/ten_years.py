"""An athlete with ten years of logs beside one with a single year: what depends on the length of a life, and what not.

Real server, real Postgres, real replica files. `python -m benchmarks.long_lives.ten_years` prints the table.
"""

import asyncio
import random
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import httpx
import psutil
from msgspec import Struct

from apex_client import Replica
from apex_client.local import LocalReplica
from apex_server.serving import address_of, serving
from apex_server.settings import Settings
from apex_sync.coaching.insight import analyse_training
from apex_sync.coaching.profile import TrainingProfile
from apex_sync.ids import record_id_from
from apex_sync.models import CHECK_INS, WORKOUT_LOGS
from apex_sync.testing.training import check_in_patch, sessions, workout_patch
from benchmarks.devices import PASSWORD, athlete_device, free_port, new_athlete, save_all
from benchmarks.local import OPEN_PROBE, probe
from benchmarks.workload import LAST_DAY, SEED, LoggedRecord
from tests.confirmation import confirm_address

YEARS = 10
WORKOUTS_A_YEAR = 200
SAVES = IDLE_SYNCS = PAGES = 40
PAGE_WORKOUTS = 50


class Life(Struct, frozen=True):
    """What was measured of one athlete; times are of the wall clock, where they are not of the processor."""

    records: int
    sets: int
    push_seconds: float
    save_cpu_ms: float
    one_edit_sync_ms: float
    idle_sync_ms: float
    idle_sync_bytes: float
    newest_visible_ms: float
    first_sync_seconds: float
    first_sync_bytes: float
    coach_newest_visible_ms: float
    coach_page_ms: float
    repair_ms: float
    repair_bytes: float
    open_ms: float
    open_rss_mb: float
    analysis_cpu_ms: float
    server_rss_mb: float


async def ten_years() -> tuple[Life, Life]:
    """Measure a year and ten, on one server."""
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder)
        settings = Settings.from_environment(
            {"APEX_DATA_DIR": str(directory / "server"), "APEX_PORT": str(free_port()), "APEX_LOG_LEVEL": "error"}
        )
        async with serving(settings, with_worker=False) as ready:
            lives = [await _life(directory, ready, years) for years in (1, YEARS)]
    return lives[0], lives[1]


async def _life(directory: Path, server: Settings, years: int) -> Life:
    records, address = logs_of(years), address_of(server)
    email = f"years{years}@apex.example"
    phone = await new_athlete(directory, f"phone{years}", server, email)
    await phone.sync()
    await save_all(phone, records)
    push_seconds = (await _timed(phone.sync)) / 1000
    save_ms = await _median_ms(SAVES, lambda number: _save(phone, records[-1].record_id, number), time.process_time)
    edits = [await _edit_and_sync(phone, records[number].record_id) for number in range(SAVES)]
    idle_ms = await _median_ms(IDLE_SYNCS, lambda _: phone.sync())
    idle = await phone.sync()
    repair_ms, repair_bytes = await _repair(phone)
    user_id = (await phone.status()).user_id or ""
    newest_ms, all_ms, size = await _first_sync(await athlete_device(directory, f"tablet{years}", address, email))
    coach = await _coach(directory, server, phone, years)
    coach_newest_ms, _, _ = await _first_sync(coach)
    coach_page_ms = await _page_ms(address, f"coach{years}@apex.example", user_id)
    await phone.aclose()
    open_ms, rss_mb = _open(directory / f"phone{years}.db")
    return Life(
        records=len(records),
        sets=sum(len(record.patch.get("sets", ())) for record in records),
        push_seconds=push_seconds,
        save_cpu_ms=save_ms,
        one_edit_sync_ms=statistics.median(edits),
        idle_sync_ms=idle_ms,
        idle_sync_bytes=idle.bytes_up + idle.bytes_down,
        newest_visible_ms=newest_ms,
        first_sync_seconds=all_ms / 1000,
        first_sync_bytes=size,
        coach_newest_visible_ms=coach_newest_ms,
        coach_page_ms=coach_page_ms,
        repair_ms=repair_ms,
        repair_bytes=repair_bytes,
        open_ms=open_ms,
        open_rss_mb=rss_mb,
        analysis_cpu_ms=_analysis_ms(records),
        server_rss_mb=_server_rss_mb(),
    )


def logs_of(years: int) -> list[LoggedRecord]:
    """Make up the logs of so many years, oldest first: 200 workouts and 52 check-ins a year."""
    dice = random.Random(SEED)
    dated: list[tuple[date, str, Any]] = []
    for year in range(years):
        end = LAST_DAY - timedelta(days=364 * year)
        made = [session for shift in (0, 1) for session in sessions(dice, until=end - timedelta(days=shift), weeks=52)]
        dated += [(session.start.date(), "workout_logs", workout_patch(session)) for session in made[-WORKOUTS_A_YEAR:]]
        for week in range(52):
            on = end - timedelta(days=7 * week)
            dated.append((on, "check_ins", check_in_patch(dice, on=on, week=52 * (years - year) - week)))
    dated.sort(key=lambda item: item[0])
    return [
        LoggedRecord(collection, record_id_from(place, dice.randbytes(10)), patch)
        for place, (_, collection, patch) in enumerate(dated)
    ]


async def _timed(work: Callable[[], Awaitable[object]]) -> float:
    started = time.perf_counter()
    await work()
    return 1000 * (time.perf_counter() - started)


async def _median_ms(
    count: int, work: Callable[[int], Awaitable[object]], clock: Callable[[], float] = time.perf_counter
) -> float:
    times = []
    for number in range(count):
        started = clock()
        await work(number)
        times.append(1000 * (clock() - started))
    return statistics.median(times)


async def _save(replica: Replica, record_id: str, number: int) -> None:
    await replica._do(LocalReplica.edit, "check_ins", record_id, lambda _: {"notes": f"note {number}"})


async def _edit_and_sync(replica: Replica, record_id: str) -> float:
    collection = "workout_logs" if await replica._do(_is_workout, record_id) else "check_ins"
    await replica._do(LocalReplica.edit, collection, record_id, lambda _: {"notes": "looked at again"})
    return await _timed(replica.sync)


def _is_workout(local: LocalReplica, record_id: str) -> bool:
    return bool(local.store.scopes_of(record_id, "workout_logs"))


async def _repair(replica: Replica) -> tuple[float, float]:
    """Let a replica doubt its digest: every record's is compared, by buckets, and nothing has to be sent."""
    await replica._do(_doubt)
    started = time.perf_counter()
    report = await replica.sync()
    return 1000 * (time.perf_counter() - started), report.bytes_up + report.bytes_down


def _doubt(local: LocalReplica) -> None:
    with local.store.transaction():
        local.store.sql.execute("UPDATE held_scopes SET digest = randomblob(16) WHERE cursor <> x''")


async def _first_sync(replica: Replica) -> tuple[float, float, float]:
    """Sync a new device: the time until the newest workouts are there, and until all is, and the bytes down."""
    newest: list[float] = []
    started = time.perf_counter()

    def look(progress: Any) -> None:
        if not newest and progress.pulled >= PAGE_WORKOUTS:
            newest.append(time.perf_counter() - started)

    report = await replica.sync(progress=look)
    seconds = time.perf_counter() - started
    await replica.aclose()
    return 1000 * (newest[0] if newest else seconds), 1000 * seconds, report.bytes_down


async def _coach(directory: Path, server: Settings, athlete: Replica, years: int) -> Replica:
    """Register a coach whom the athlete accepts, and sign in on a new device."""
    email, address = f"coach{years}@apex.example", address_of(server)
    async with httpx.AsyncClient(base_url=address) as client:
        body = {"email": email, "password": PASSWORD, "name": "Coach", "role": "coach"}
        answer = (await client.post("/api/auth/register", json=body)).raise_for_status().json()
        headers = {"Authorization": f"Bearer {answer['access_token']}"}
        code = (await client.post("/api/invites", json={}, headers=headers)).raise_for_status().json()["code"]
    await athlete.request("POST", f"/api/invites/{code}/accept")
    await confirm_address(server, email)
    return await athlete_device(directory, f"coach{years}", address, email)


async def _page_ms(address: str, email: str, athlete_id: str) -> float:
    """Give the median time in which a coach has an athlete's newest workouts over REST."""
    async with httpx.AsyncClient(base_url=address) as client:
        answer = await client.post("/api/auth/login", json={"email": email, "password": PASSWORD})
        headers = {"Authorization": f"Bearer {answer.raise_for_status().json()['access_token']}"}

        async def read(_: int) -> None:
            path = f"/api/workouts/client/{athlete_id}"
            page = await client.get(path, params={"limit": PAGE_WORKOUTS}, headers=headers)
            page.raise_for_status()

        return await _median_ms(PAGES, read)


def _open(path: Path) -> tuple[float, float]:
    """Open the file in a fresh process and log a set: the time of all that, and the memory it takes."""
    times, sizes = [], []
    for _ in range(3):
        started = time.perf_counter()
        sizes.append(float(probe(OPEN_PROBE, str(path))) / 1e6)
        times.append(1000 * (time.perf_counter() - started))
    return min(times), max(sizes)


def _analysis_ms(records: Sequence[LoggedRecord]) -> float:
    """Give the processor time of analysing everything."""
    workouts = [(one.record_id, WORKOUT_LOGS.read(one.patch)[0]) for one in records if one.collection == "workout_logs"]
    check_ins = [(one.record_id, CHECK_INS.read(one.patch)[0]) for one in records if one.collection == "check_ins"]
    times = []
    for _ in range(3):
        started = time.process_time()
        analyse_training(
            workouts, check_ins=check_ins, as_of=LAST_DAY, profile=TrainingProfile(training_days_per_week=3), library={}
        )
        times.append(1000 * (time.process_time() - started))
    return min(times)


def _server_rss_mb() -> float:
    """Give the memory of the largest web process."""
    web = [each for each in psutil.Process().children(recursive=True) if "granian" in " ".join(each.cmdline())]
    return max(process.memory_info().rss / 1e6 for process in web)


def table(year: Life, decade: Life) -> str:
    """Write both in Markdown, with the ratio."""
    lines = ["| | one year | ten years | ratio |", "|---|---:|---:|---:|"]
    for name in Life.__struct_fields__:
        one, ten = getattr(year, name), getattr(decade, name)
        lines.append(f"| {name.replace('_', ' ')} | {_figure(one)} | {_figure(ten)} | {ten / one:.2f} |")
    return "\n".join(lines) + "\n"


def _figure(number: float) -> str:
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"


if __name__ == "__main__":
    print(table(*asyncio.run(ten_years())))
