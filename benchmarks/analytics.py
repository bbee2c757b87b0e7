"""Every read of the REST API, among 50,000 athletes: `python -m benchmarks.analytics [--athletes 50000]`.

The coach has 50 athletes with five years each, pushed through the real commit path. The crowd around them has the rows
of one of those athletes' last weeks under ids of its own, copied from table to table by Postgres, so they are what the
commit path made; of every other kind of record it has a few; it has no documents; its tables are unlogged, to which
reads are blind. Asked is the whole server, over HTTP, one request at a time, of each athlete once before it counts:
every GET of the description that `benchmarks.reads` does not leave out for a reason.
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
from apex_server.jobs.builtin_library import keep_builtin_library
from apex_server.serving import address_of, serving
from apex_server.settings import Settings
from apex_server.sync import Committer, PostgresCommitStore, load_identity
from apex_sync.ids import athlete_scope, record_id_from
from apex_sync.op import Patch, Write, encode_op
from apex_sync.protocol.messages import PushedRecord
from apex_sync.testing.training import check_in_patch, sessions, workout_patch
from apex_sync.wire import encode_push
from benchmarks.coached_world import make_things
from benchmarks.devices import PASSWORD, free_port
from benchmarks.reads import NOT_ASKED, READS, Asker, Read, check_answer, check_reads
from benchmarks.table import Row, markdown
from tests.confirmation import confirm_address

COACH = "coach@apex.example"
EMAILS: Mapping[Asker, str] = {"coach": COACH, "athlete": "athlete0@apex.example", "owner": "owner@apex.example"}
HERE = Path(".cache/bench/analytics")
SEED = 20260301
WEEKS = 5 * 52
DESCRIPTION = Path(__file__).parents[1] / "schemas" / "openapi.json"
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
OTHERS_EACH = 12
"""Records of any other kind that one in the crowd has."""

OTHER_TABLES = (
    "body_metrics",
    "check_ins",
    "insights",
    "meal_plans",
    "messages",
    "nutrition_logs",
    "nutrition_targets",
    "programs",
    "progress_photos",
)


class Filled(msgspec.Struct):
    """What is in a filled server: what has an address, the tables, and how long the crowd took."""

    known: dict[str, list[str]]
    workouts: int
    sets: int
    gigabytes: float
    crowd_seconds: float


class Asked(NamedTuple):
    """How long the answer to one question takes, and how much of it web process and Postgres together are at work."""

    p95_seconds: float
    cpu_seconds: float


async def analytics_rows(directory: Path, athletes: int, clients: int = CLIENTS, requests: int = REQUESTS) -> list[Row]:
    """Fill a server, unless it was kept from an earlier run, and measure every read of a coach."""
    settings = Settings.from_environment(
        {
            "APEX_DATA_DIR": str(directory / "server"),
            "APEX_PORT": str(free_port()),
            "APEX_LOG_LEVEL": "error",
            "APEX_LIMITS_FACTOR": "100000",
        }
    )
    check_reads(msgspec.json.decode(DESCRIPTION.read_bytes()))
    note = directory / "server" / "filled.json"
    async with (
        serving(settings, with_worker=False) as ready,
        httpx.AsyncClient(base_url=address_of(ready), timeout=60) as client,
    ):
        if not note.exists():
            note.write_bytes(msgspec.json.encode(await _filled(client, ready, athletes, clients)))
        filled = msgspec.json.decode(note.read_bytes(), type=Filled)
        answers = await _asked(client, await _askers(client), filled.known, _postmaster(settings), requests)
    return [
        Row(f"tables of {filled.workouts:,} workouts and {filled.sets:,} sets", filled.gigabytes, "GB"),
        Row(f"copying the rows of {athletes:,} athletes", filled.crowd_seconds, "s"),
        *(
            Row(
                f"{read.name} (p95; CPU {asked.cpu_seconds * 1000:.0f} ms)",
                asked.p95_seconds * 1000,
                "ms",
                budget="< 200 ms",
                kept=asked.p95_seconds < BUDGET_SECONDS,
            )
            for read, asked in sorted(answers.items(), key=lambda pair: -pair[1].p95_seconds)
        ),
    ]


async def _askers(client: httpx.AsyncClient) -> dict[Asker, dict[str, str]]:
    """Sign in everybody who asks; gives the header that speaks for each."""
    headers: dict[Asker, dict[str, str]] = {}
    for asker, email in EMAILS.items():
        answer = await client.post("/api/auth/login", json={"email": email, "password": PASSWORD})
        headers[asker] = {"Authorization": f"Bearer {answer.raise_for_status().json()['access_token']}"}
    return headers


async def _filled(client: httpx.AsyncClient, settings: Settings, athletes: int, clients: int) -> Filled:
    coach, people = await _signed_up(client, clients)
    owner_of_coaches = await _registered(client, "owner", role="owner")
    await confirm_address(settings, COACH)
    await confirm_address(settings, EMAILS["owner"])
    async with Database.open(settings) as database:
        committer = await _committer(database, settings.secret)
        await keep_builtin_library(database, committer)
        for number, person in enumerate(people):
            await _pushed(committer, person, _five_years(number))
        known = await make_things(settings, committer, client, coach, people, owner_of_coaches)
    owner = await asyncpg.connect(str(settings.database_url))
    known |= await _latest_of(owner, UUID(known["athlete_id"][0]))
    crowd_seconds = await _crowd(owner, UUID(known["athlete_id"][0]), athletes)
    sizes = await _sizes(owner)
    await owner.close()
    gigabytes = sum(size for _, size in sizes.values()) / 1e9
    return Filled(known, sizes["workout_logs"][0], sizes["logged_sets"][0], gigabytes, crowd_seconds)


async def _registered(client: httpx.AsyncClient, name: str, **more: str) -> dict[str, Any]:
    body = {"email": f"{name}@apex.example", "password": PASSWORD, "name": name.title(), **more}
    answer = await client.post("/api/auth/register", json=body)
    return dict(answer.raise_for_status().json())


async def _signed_up(client: httpx.AsyncClient, clients: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Register a coach and their athletes, who follow a program and a target."""
    signed_in = await _registered(client, "coach", role="coach")
    coach = {"Authorization": f"Bearer {signed_in['access_token']}"}
    people = []
    for number in range(clients):
        invite = await client.post("/api/invites", json={}, headers=coach)
        people.append(
            await _registered(
                client, f"athlete{number}", role="athlete", invite=invite.raise_for_status().json()["code"]
            )
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
    return signed_in, people


async def _latest_of(owner: Any, athlete: UUID) -> dict[str, list[str]]:
    """Give the latest records that were pushed as training."""
    tables = {
        "workout_id": "workout_logs",
        "checkin_id": "check_ins",
        "metric_id": "body_metrics",
        "log_id": "nutrition_logs",
    }
    latest = {}
    for name, table in tables.items():
        rows = await owner.fetch(
            f"SELECT record_id FROM {table} WHERE scope_id = $1 ORDER BY date DESC LIMIT 20",  # noqa: S608 - of constants.
            athlete,
        )
        latest[name] = [str(row["record_id"]) for row in rows]
    return latest


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
    for table in OTHER_TABLES:
        await owner.execute(f"ALTER TABLE {table} SET UNLOGGED")
        await owner.execute(
            f"""CREATE TEMPORARY TABLE of_{table} AS
                SELECT row_number() OVER (ORDER BY record_id DESC) AS place, latest.*
                FROM (SELECT * FROM {table} ORDER BY scope_id, record_id DESC LIMIT {OTHERS_EACH}) AS latest"""  # noqa: S608
        )
    for first in range(0, athletes, CROWD_CHUNK):
        last = min(athletes, first + CROWD_CHUNK) - 1
        for table in (*TABLES, *OTHER_TABLES):
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
    askers: Mapping[Asker, Mapping[str, str]],
    known: Mapping[str, Sequence[str]],
    postmaster: int,
    requests: int,
) -> dict[Read, Asked]:
    """Measure every read, of another athlete or thing each time."""
    days = {
        "quarter": [str(TODAY - timedelta(weeks=12))],
        "year": [str(TODAY - timedelta(days=365))],
        "years": [str(TODAY - timedelta(weeks=WEEKS))],
    }
    answers = {}
    for read in READS:
        asked = answers[read] = await _answered(client, askers[read.by], read, {**known, **days}, postmaster, requests)
        print(f"  {read.name}: {asked.p95_seconds * 1000:,.0f} ms, CPU {asked.cpu_seconds * 1000:,.0f} ms", flush=True)
    return answers


async def _answered(
    client: httpx.AsyncClient,
    headers: Mapping[str, str],
    read: Read,
    known: Mapping[str, Sequence[str]],
    postmaster: int,
    requests: int,
) -> Asked:
    times = []
    before = 0.0
    address = f"{read.path}?{read.query}" if read.query else read.path
    for number in range(-len(known["athlete_id"]), requests):
        if number == 0:
            before = _cpu_seconds(postmaster)
        asked = address.format_map({name: ids[number % len(ids)] for name, ids in known.items()})
        started = time.perf_counter()
        answer = await client.get(asked, headers=headers)
        if number >= 0:
            times.append(time.perf_counter() - started)
        assert answer.is_success, (asked, answer.text)
        check_answer(read, answer)
    return Asked(statistics.quantiles(times, n=20)[-1], (_cpu_seconds(postmaster) - before) / requests)


async def main() -> None:
    """Measure, print the table and keep it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.analytics", description=__doc__)
    parser.add_argument("--athletes", type=int, default=FULL_SCALE, help="in the crowd")
    parser.add_argument("--clients", type=int, default=CLIENTS, help="of the coach")
    parser.add_argument("--requests", type=int, default=REQUESTS, help="of each question, two or more")
    parser.add_argument("--keep", action="store_true", help="leave the filled server, and ask one that was left")
    arguments = parser.parse_args()
    if not arguments.keep:
        shutil.rmtree(HERE, ignore_errors=True)
    rows = await analytics_rows(HERE, arguments.athletes, arguments.clients, arguments.requests)
    if not arguments.keep:
        shutil.rmtree(HERE / "server")
    load = os.getloadavg()[0]
    heading = f"{arguments.athletes:,} athletes, {datetime.now(UTC):%Y-%m-%d}, load {load:.1f}"
    (HERE / "figures.json").write_bytes(msgspec.json.format(msgspec.json.encode(rows), indent=1))
    left_out = "\n".join(f"- {path}: {why}" for path, why in NOT_ASKED.items())
    report = f"{heading}\n\n{markdown(rows)}\nNot asked:\n\n{left_out}\n"
    (HERE / "table.md").write_text(report, encoding="utf-8")
    print(f"\n{report}")


if __name__ == "__main__":
    asyncio.run(main())
