"""Searching a library of exercises, built in and a coach's own, over REST and on the device; and its first sync."""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx

from apex_client import Replica
from apex_server.serving import address_of, serving
from apex_server.settings import Settings
from apex_sync.coaching.exercise_library import builtin_exercises
from apex_sync.ids import derived_id
from benchmarks.devices import PASSWORD, free_port, save_all
from benchmarks.table import Row
from benchmarks.workload import LoggedRecord
from tests.confirmation import confirm_address

EMAIL = "library@apex.example"
CUSTOM = 2_000
SEARCHES = 200
BUDGET_SECONDS = 0.050
POLL_SECONDS = 0.1

QUERIES = (
    "benchpress",
    "lat pul down",
    "rdl",
    "bulgarien split squat",
    "machine 17 press",
    "facepull",
    "db row",
    "curl",
)
"""A different one each time, as people have them: run together, misspelt, short, and of the coach's own."""


async def exercise_rows(directory: Path) -> list[Row]:
    """Measure searches among the built-in and 2,000 custom exercises, and how they come to a new device."""
    settings = Settings.from_environment(
        {"APEX_DATA_DIR": str(directory / "library_server"), "APEX_PORT": str(free_port()), "APEX_LOG_LEVEL": "error"}
    )
    async with serving(settings) as ready:
        address = address_of(ready)
        coach = await Replica.open(directory / "library_coach.db", device_name="coach").start()
        await coach.register(address, EMAIL, PASSWORD, name="Bench", role="coach")
        await confirm_address(ready, EMAIL)
        while await count_of(coach) < len(builtin_exercises()):
            await coach.sync()
            await asyncio.sleep(POLL_SECONDS)
        sync_seconds, sync_bytes = await first_sync(directory, address)
        await save_all(coach, made_up_exercises())
        await coach.sync()
        device = await p95_seconds(lambda number: coach.exercises.search(QUERIES[number % len(QUERIES)]))
        naive_device = await p95_seconds(
            lambda number: coach.query("SELECT id FROM exercises WHERE name LIKE '%bench%'")
        )
        await coach.aclose()
        rest, read = await search_over_rest(address)
    found = f"among {len(builtin_exercises()):,} built-in and {CUSTOM:,} custom exercises (p95)"
    return [
        Row(f"search {found}, on the device", device * 1000, "ms", naive=naive_device * 1000, budget="≤ 50 ms",
            kept=device <= BUDGET_SECONDS),
        Row("the same over REST", rest * 1000, "ms", read * 1000, budget="≤ 50 ms", kept=rest <= BUDGET_SECONDS),
        Row("first sync of the built-in library", sync_seconds * 1000, "ms"),
        Row("bytes down for it", sync_bytes / 1000, "kB"),
    ]  # fmt: skip


def made_up_exercises() -> list[LoggedRecord]:
    """Give exercises as coaches name variants of their own: a number of the gym's machine before a name."""
    library = builtin_exercises()
    return [
        LoggedRecord(
            "exercises",
            derived_id("bench", str(number)),
            {
                "name": f"Machine {number} {library[number % len(library)].name}",
                "muscle_group": library[number % len(library)].muscle_group,
                "equipment": ["machine"],
            },
        )
        for number in range(CUSTOM)
    ]


async def count_of(replica: Replica) -> int:
    """Count the exercises that are here."""
    [row] = await replica.query("SELECT count(*) AS count FROM exercises")
    return int(row["count"])


async def first_sync(directory: Path, address: str) -> tuple[float, int]:
    """Give the seconds and the bytes that the library takes on its way to a new device."""
    replica = await Replica.open(directory / "library_phone.db", device_name="phone").start()
    await replica.login(address, EMAIL, PASSWORD)
    started = time.perf_counter()
    report = await replica.sync()
    seconds = time.perf_counter() - started
    assert await count_of(replica) == len(builtin_exercises())
    await replica.aclose()
    return seconds, report.bytes_down


async def search_over_rest(address: str) -> tuple[float, float]:
    """Give the p95 of a search, and beside it of reading one exercise, which is what a request costs anyhow."""
    async with httpx.AsyncClient(base_url=address) as client:
        answer = await client.post("/api/auth/login", json={"email": EMAIL, "password": PASSWORD})
        headers = {"Authorization": f"Bearer {answer.raise_for_status().json()['access_token']}"}

        async def got(path: str, **parameters: str) -> None:
            (await client.get(path, params=parameters, headers=headers)).raise_for_status()

        search = await p95_seconds(lambda number: got("/api/exercises/search", q=QUERIES[number % len(QUERIES)]))
        return search, await p95_seconds(lambda number: got(f"/api/exercises/{builtin_exercises()[number].id}"))


async def p95_seconds(work: Callable[[int], Awaitable[object]]) -> float:
    """Give the p95 of doing something again and again, after a first round that warms up."""
    times = []
    for number in range(-len(QUERIES), SEARCHES):
        started = time.perf_counter()
        await work(number)
        if number >= 0:
            times.append(time.perf_counter() - started)
    return statistics.quantiles(times, n=20)[-1]
