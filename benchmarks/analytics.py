"""Every question a coach asks, among 50,000 athletes: `python -m benchmarks.analytics [--athletes 50000]`.

The coach has 50 athletes with five years each, pushed through the real commit path. The crowd around them has the rows
of one of those athletes' last weeks under ids of its own, copied from table to table by Postgres, so they are what the
commit path made; it has no documents, no check-ins and no food, and its tables are unlogged, to which reads are blind.
Asked is the whole server, over HTTP, with one request at a time, of each athlete once before it counts.
"""

import argparse
import asyncio
import os
import shutil
import statistics
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg
import httpx
import msgspec

from apex_server.db import Database, Hint
from apex_server.serving import address_of, serving
from apex_server.settings import Settings
from apex_server.sync import Committer, PostgresCommitStore, load_identity
from apex_sync.ids import athlete_scope, record_id_from
from apex_sync.op import Patch, Write, encode_op
from apex_sync.protocol.messages import PushedRecord
from apex_sync.testing.training import check_in_patch, sessions, workout_patch
from apex_sync.wire import encode_push
from benchmarks.devices import PASSWORD, free_port
from benchmarks.table import Row, markdown
from tests.confirmation import confirm_address

COACH = "coach@apex.example"
HERE = Path(".cache/bench/analytics")
SEED = 20260301
WEEKS = 5 * 52
NUTRITION_DAYS = 365
CLIENTS = 50
WORKOUTS_EACH = 27
"""Of an athlete in the crowd: so 50,000 have 1.3 million workouts, and 21 million sets."""

PUSH_RECORDS = 500
REQUESTS = 60
BUDGET_SECONDS = 0.200
FULL_SCALE = 50_000
CROWD_CHUNK = 2_500
TODAY = datetime.now(UTC).date()
TABLES = ("workout_logs", "logged_exercises", "logged_sets")


class Filled(msgspec.Struct):
    """What is in a filled server: the coach's athletes, the tables, and how long the crowd took."""

    clients: list[str]
    workouts: int
    sets: int
    gigabytes: float
    crowd_seconds: float


class Asked(NamedTuple):
    """How long the answer to one question takes, and how much of it web process and Postgres together are at work."""

    p95_seconds: float
    cpu_seconds: float


async def analytics_rows(directory: Path, athletes: int, clients: int = CLIENTS) -> list[Row]:
    """Fill a server, unless it was kept from an earlier run, and measure every read of a coach."""
    settings = Settings.from_environment(
        {
            "APEX_DATA_DIR": str(directory / "server"),
            "APEX_PORT": str(free_port()),
            "APEX_LOG_LEVEL": "error",
            "APEX_LIMITS_FACTOR": "100000",
        }
    )
    note = directory / "server" / "filled.json"
    async with (
        serving(settings, with_worker=False) as ready,
        httpx.AsyncClient(base_url=address_of(ready), timeout=60) as client,
    ):
        if not note.exists():
            note.write_bytes(msgspec.json.encode(await _filled(client, ready, athletes, clients)))
        filled = msgspec.json.decode(note.read_bytes(), type=Filled)
        answer = await client.post("/api/auth/login", json={"email": COACH, "password": PASSWORD})
        coach = {"Authorization": f"Bearer {answer.raise_for_status().json()['access_token']}"}
        answers = await _asked(client, coach, filled.clients, _postmaster(settings))
    return [
        Row(f"tables of {filled.workouts:,} workouts and {filled.sets:,} sets", filled.gigabytes, "GB"),
        Row(f"copying the rows of {athletes:,} athletes", filled.crowd_seconds, "s"),
        *(
            Row(
                f"{name} (p95; CPU {asked.cpu_seconds * 1000:.0f} ms)",
                asked.p95_seconds * 1000,
                "ms",
                budget="< 200 ms",
                kept=asked.p95_seconds < BUDGET_SECONDS,
            )
            for name, asked in answers.items()
        ),
    ]


async def _filled(client: httpx.AsyncClient, settings: Settings, athletes: int, clients: int) -> Filled:
    people = await _signed_up(client, clients)
    await confirm_address(settings, COACH)
    async with Database.open(settings) as database:
        committer = await _committer(database, settings.secret)
        for number, person in enumerate(people):
            await _pushed(committer, person, _five_years(number))
    ids = [str(person["user"]["id"]) for person in people]
    owner = await asyncpg.connect(str(settings.database_url))
    crowd_seconds = await _crowd(owner, UUID(ids[0]), athletes)
    sizes = await _sizes(owner)
    await owner.close()
    gigabytes = sum(size for _, size in sizes.values()) / 1e9
    return Filled(ids, sizes["workout_logs"][0], sizes["logged_sets"][0], gigabytes, crowd_seconds)


async def _signed_up(client: httpx.AsyncClient, clients: int) -> list[dict[str, Any]]:
    """Register a coach and their athletes, who follow a program and a target."""

    async def register(name: str, **more: str) -> dict[str, Any]:
        body = {"email": f"{name}@apex.example", "password": PASSWORD, "name": name.title(), **more}
        answer = await client.post("/api/auth/register", json=body)
        return dict(answer.raise_for_status().json())

    signed_in = await register("coach", role="coach")
    coach = {"Authorization": f"Bearer {signed_in['access_token']}"}
    people = []
    for number in range(clients):
        invite = await client.post("/api/invites", json={}, headers=coach)
        people.append(
            await register(f"athlete{number}", role="athlete", invite=invite.raise_for_status().json()["code"])
        )
    program = {
        "name": "Block",
        "status": "active",
        "start_date": str(TODAY - timedelta(weeks=8)),
        "weeks": {f"w{n}": {"week_number": n} for n in range(1, 13)},
        "days": {f"d{n}.{day}": {"week": f"w{n}", "day_number": day} for n in range(1, 13) for day in (1, 3, 5)},
        "exercises": {
            f"e{n}.{day}": {"day": f"d{n}.{day}", "name": "Barbell Bench Press"}
            for n in range(1, 13)
            for day in (1, 3, 5)
        },
    }
    for person in people:
        body = {**program, "athlete_id": person["user"]["id"]}
        (await client.post("/api/programs", json=body, headers=coach)).raise_for_status()
        target = {"start_date": "2020-01-01", "energy_kcal": 2800, "protein_g": 180, "carbs_g": 330, "fat_g": 80}
        path = f"/api/nutrition/targets/{person['user']['id']}"
        (await client.put(path, json=target, headers=coach)).raise_for_status()
    return people


async def _committer(database: Database, secret: str) -> Committer:
    async def no_hints(_hints: list[Hint]) -> None:
        return

    identity = await load_identity(database, secret)
    store = PostgresCommitStore(database)
    return Committer(store, identity=identity, now_us=lambda: time.time_ns() // 1000, hints=no_hints)


async def _pushed(committer: Committer, person: Mapping[str, Any], records: Sequence[tuple[str, str, Patch]]) -> None:
    """Push records as a device of the athlete does."""
    user_id, device_id = UUID(str(person["user"]["id"])), UUID(str(person["device_id"]))
    client_id = int.from_bytes(user_id.bytes[:4], "big") | 1
    stamp = time.time_ns() // 1000
    for start in range(0, len(records), PUSH_RECORDS):
        pushed = [
            PushedRecord(
                athlete_scope(str(user_id)),
                collection,
                UUID(record_id).bytes,
                encode_push(client_id, 0, [encode_op([Write(stamp, (), patch)])]),
            )
            for collection, record_id, patch in records[start : start + PUSH_RECORDS]
        ]
        answer = await committer.push(user_id, device_id, client_id, pushed)
        assert not any(result.status != "applied" or result.refusals for result in answer.results), answer.results[0]


def _five_years(number: int) -> list[tuple[str, str, Patch]]:
    """Make up what one athlete logged until today: training, check-ins, weights and, for a year, food."""
    random, today = Random(SEED + number), TODAY

    def named(collection: str, patch: Patch) -> tuple[str, str, Patch]:
        return collection, record_id_from(random.randrange(1 << 41), random.randbytes(10)), patch

    records = [named("workout_logs", workout_patch(each)) for each in sessions(random, until=today, weeks=WEEKS)]
    for week in range(WEEKS):
        on = today - timedelta(days=7 * (WEEKS - week))
        records.append(named("check_ins", check_in_patch(random, on=on, week=week)))
        weight = {"date": str(on), "measured_at": f"{on}T07:00:00", "weight_kg": round(82 + random.gauss(0, 1), 1)}
        records.append(named("body_metrics", weight))
    records += [
        named("nutrition_logs", _eaten(random, today - timedelta(days=back))) for back in range(1, NUTRITION_DAYS)
    ]
    return records


def _eaten(random: Random, on: date) -> Patch:
    meals = {
        f"m{place}": {"name": name, "order": f"a{place}"} for place, name in enumerate(("Breakfast", "Lunch", "Dinner"))
    }
    foods = {
        f"f{place}": {
            "meal": f"m{place}", "order": f"a{place}", "name": "Rice and chicken", "quantity": 400.0, "unit": "g",
            "energy_kcal": round(random.gauss(850, 60), 1), "protein_g": 55.0, "carbs_g": 100.0, "fat_g": 20.0,
        }
        for place in range(3)
    }  # fmt: skip
    return {"date": str(on), "meals": meals, "foods": foods}


async def _crowd(owner: Any, pattern: UUID, athletes: int) -> float:
    """Copy an athlete's last rows for so many others, with ids that ascend."""
    started = time.perf_counter()
    await owner.execute("SET synchronous_commit = off; SET work_mem = '256MB'")
    for table in TABLES:
        await owner.execute(f"ALTER TABLE {table} SET UNLOGGED")
    for table in TABLES:
        await owner.execute(
            f"""CREATE TEMPORARY TABLE of_{table} AS
                SELECT latest.place, pattern.*
                FROM {table} AS pattern
                JOIN (
                    SELECT record_id, row_number() OVER (ORDER BY date DESC) AS place
                    FROM workout_logs
                    WHERE scope_id = '{pattern}'
                ) AS latest USING (record_id)
                WHERE scope_id = '{pattern}' AND latest.place <= {WORKOUTS_EACH}"""  # noqa: S608 - of constants.
        )
    for first in range(0, athletes, CROWD_CHUNK):
        last = min(athletes, first + CROWD_CHUNK) - 1
        for table in TABLES:
            columns = await owner.fetch(
                "SELECT attname AS name FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 2 "
                "AND NOT attisdropped ORDER BY attnum",
                table,
            )
            await owner.execute(
                f"""INSERT INTO {table}
                    SELECT ('10000000-0000-4000-8000-' || lpad(to_hex(athlete), 12, '0'))::uuid,
                        ('20000000-0000-7000-8000-' || lpad(to_hex(athlete * 1000 + copied.place), 12, '0'))::uuid,
                        {", ".join(f"copied.{column['name']}" for column in columns)}
                    FROM generate_series({first}, {last}) AS athlete
                    CROSS JOIN of_{table} AS copied
                    ORDER BY athlete, copied.place"""  # noqa: S608 - of constants.
            )
        print(f"  {last + 1:,} athletes after {time.perf_counter() - started:,.0f} s", flush=True)
    seconds = time.perf_counter() - started
    await owner.execute("VACUUM ANALYZE")
    return seconds


async def _sizes(owner: Any) -> dict[str, tuple[int, int]]:
    """Count rows, and bytes with indexes."""
    rows = await owner.fetch(
        "SELECT relname, greatest(reltuples, 0)::bigint AS count, pg_total_relation_size(oid) AS bytes "
        "FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
    )
    return {row["relname"]: (row["count"], row["bytes"]) for row in rows}


def _postmaster(settings: Settings) -> int:
    return int((settings.data_dir / "postgres" / "postmaster.pid").read_text().split()[0])


def _cpu_seconds(postmaster: int) -> float:
    """Add up the processor time that the web process, Postgres and all their children have had, in ten milliseconds."""
    ticks, seen, waiting = 0, set[int](), {postmaster, os.getpid()}
    while waiting:
        seen |= {number := waiting.pop()}
        process = Path(f"/proc/{number}")
        with suppress(FileNotFoundError):  # One that ended meanwhile.
            for children in process.glob("task/*/children"):
                waiting |= {int(child) for child in children.read_text().split()} - seen
            if number != os.getpid():
                *_, user, system = (process / "stat").read_text().rpartition(")")[2].split()[:13]
                ticks += int(user) + int(system)
    return ticks / os.sysconf("SC_CLK_TCK")


async def _asked(
    client: httpx.AsyncClient,
    coach: Mapping[str, str],
    athletes: Sequence[str],
    postmaster: int,
) -> dict[str, Asked]:
    """Measure every read, of another athlete each time."""

    async def got(path: str) -> Any:
        answer = await client.get(path, headers=coach)
        assert answer.is_success, (path, answer.text)
        return answer.json()

    a = athletes[0]
    workout = (await got(f"/api/workouts?athlete_id={a}&limit=1"))["workouts"][0]["id"]
    check_in = (await got(f"/api/checkins?athlete_id={a}&limit=1"))["checkins"][0]["id"]
    metric = (await got(f"/api/progress/metrics?athlete_id={a}&limit=1"))["metrics"][0]["id"]
    log = (await got(f"/api/nutrition/logs?athlete_id={a}&limit=1"))["logs"][0]["id"]
    program = (await got(f"/api/programs?athlete_id={a}"))["programs"][0]["id"]
    year_ago = TODAY - timedelta(days=365)
    five_years_ago = TODAY - timedelta(weeks=WEEKS)
    paths = {
        "analytics: dashboard": "/api/analytics/dashboard",
        "analytics: adherence, 12 weeks of all": "/api/analytics/adherence",
        "analytics: adherence, 52 weeks of all": "/api/analytics/adherence?weeks=52",
        "analytics: client": "/api/analytics/client/{athlete}",
        "analytics: volume, 12 weeks": "/api/analytics/volume/{athlete}",
        "analytics: volume, 5 years": f"/api/analytics/volume/{{athlete}}?from={five_years_ago}",
        "analytics: progression, 12 weeks": "/api/analytics/progression?athlete_id={athlete}",
        "analytics: progression, 5 years": f"/api/analytics/progression?athlete_id={{athlete}}&from={five_years_ago}",
        "analytics: workouts of all, 12 weeks": "/api/workouts/analytics",
        "analytics: workouts of all, a year": f"/api/workouts/analytics?from={year_ago}",
        "clients": "/api/clients",
        "one client": "/api/clients/{athlete}",
        "a client's dashboard": "/api/clients/{athlete}/dashboard",
        "a client's timeline": "/api/clients/{athlete}/timeline",
        "workouts of all": "/api/workouts",
        "workouts of one": "/api/workouts/client/{athlete}",
        "one workout": f"/api/workouts/{workout}",
        "check-ins": "/api/checkins",
        "check-ins of one": "/api/checkins/client/{athlete}",
        "check-ins to review": "/api/checkins/pending",
        "one check-in": f"/api/checkins/{check_in}",
        "programs": "/api/programs",
        "programs of one": "/api/programs/client/{athlete}",
        "templates": "/api/programs/templates",
        "one program, with figures": f"/api/programs/{program}?include=analytics",
        "metrics": "/api/progress/metrics",
        "metrics of one": "/api/progress/metrics/client/{athlete}",
        "one measuring": f"/api/progress/metrics/{metric}",
        "charts, 5 years": "/api/progress/charts/{athlete}",
        "nutrition logs": "/api/nutrition/logs",
        "nutrition logs of one": "/api/nutrition/logs/client/{athlete}",
        "one nutrition log": f"/api/nutrition/logs/{log}",
        "nutrition targets": "/api/nutrition/targets/{athlete}",
        "foods": "/api/nutrition/foods",
        "foods search": "/api/nutrition/foods/search?q=rice",
        "exercises": "/api/exercises",
        "exercises search": "/api/exercises/search?q=benchpress",
        "insights": "/api/insights",
    }
    answers = {}
    for name, path in paths.items():
        asked = answers[name] = await _answered(client, coach, path, athletes, postmaster)
        print(f"  {name}: {asked.p95_seconds * 1000:,.0f} ms, CPU {asked.cpu_seconds * 1000:,.0f} ms", flush=True)
    return answers


async def _answered(
    client: httpx.AsyncClient,
    coach: Mapping[str, str],
    path: str,
    athletes: Sequence[str],
    postmaster: int,
) -> Asked:
    times = []
    before = 0.0
    for number in range(-len(athletes), REQUESTS):
        if number == 0:
            before = _cpu_seconds(postmaster)
        asked = path.format(athlete=athletes[number % len(athletes)])
        started = time.perf_counter()
        answer = await client.get(asked, headers=coach)
        if number >= 0:
            times.append(time.perf_counter() - started)
        assert answer.is_success, (asked, answer.text)
    return Asked(statistics.quantiles(times, n=20)[-1], (_cpu_seconds(postmaster) - before) / REQUESTS)


async def main() -> None:
    """Measure, print the table and keep it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.analytics", description=__doc__)
    parser.add_argument("--athletes", type=int, default=FULL_SCALE, help="in the crowd")
    parser.add_argument("--clients", type=int, default=CLIENTS, help="of the coach")
    parser.add_argument("--keep", action="store_true", help="leave the filled server, and ask one that was left")
    arguments = parser.parse_args()
    if not arguments.keep:
        shutil.rmtree(HERE, ignore_errors=True)
    rows = await analytics_rows(HERE, arguments.athletes, arguments.clients)
    if not arguments.keep:
        shutil.rmtree(HERE / "server")
    load = os.getloadavg()[0]
    heading = f"{arguments.athletes:,} athletes, {datetime.now(UTC):%Y-%m-%d}, load {load:.1f}"
    (HERE / "figures.json").write_bytes(msgspec.json.format(msgspec.json.encode(rows), indent=1))
    (HERE / "table.md").write_text(f"{heading}\n\n{markdown(rows)}", encoding="utf-8")
    print(f"\n{heading}\n\n{markdown(rows)}")


if __name__ == "__main__":
    asyncio.run(main())
