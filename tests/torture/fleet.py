"""A fleet of real device processes against a real server under partitions, pauses, kills and wrong clocks.

    python -m tests.torture.fleet --runs 50 --first-seed 1 --out build/torture-fleet.jsonl

Phones, watches and tablets of three athletes and their coach's laptop edit all the time, the same records and the same
leaves, each an own process with a SQLite file, against two web processes on a Postgres of their own. Faults come from
the seed of the run. When it is over everything heals, and within SETTLE_SECONDS every queue is to be empty and every
replica to hold what the server holds; then `fleet_judge` holds all of them to what was promised.

Each run is a line in the file, and a run that is there is not made again.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import asyncpg
import msgspec
from anyio.from_thread import start_blocking_portal
from msgspec import Struct

from apex_server.settings import Settings
from apex_server.vault import MasterKeys, master_keys_of
from apex_sync.wire import parse_document
from tests.e2e.whole_server import SECRET, WholeServer, running_server
from tests.server.sealed_rows import MASTER_KEY, with_open_documents
from tests.server.sync_world import assert_consistent
from tests.torture.fleet_device import read_journal, read_status
from tests.torture.fleet_faults import draw_faults
from tests.torture.fleet_judge import Scopes, holding_of, judge, look_at
from tests.torture.fleet_world import LOOK_SECONDS, Device, Fleet, fleet_of
from tests.torture.report import Outcome, Scale

RUNS = 50
RUN_SECONDS = 60.0
DEVICES = 10
CI_RUN_SECONDS = 20.0
CI_DEVICES = 6
WEB_PROCESSES = 2

SETTLE_SECONDS = 45.0
"""From the moment everything has healed, on a machine with nothing else to do. After a minute of such a network a
device draws pauses of up to 16 s, and a hint that died with its process is made up for when a server process looks for
itself, every 30 s."""

STUCK_SECONDS = 180.0
"""A fleet that has not come to rest by then never will, however busy the machine."""

OUT = Path("build/torture-fleet.jsonl")
FAILURES_KEPT = 20
"""Of one run; a fleet that loses one edit often loses hundreds."""


class Run(Struct, kw_only=True):
    """What became of one run. `settled_seconds` is None where the fleet never came to rest."""

    seed: int
    commit: str
    devices: int
    seconds: float
    edits: int = 0
    settled_seconds: float | None = None
    faults: dict[str, int] = {}
    failures: list[str] = []


def torture(scale: Scale) -> Iterator[Outcome]:
    """Make the runs; at full scale those that are not in OUT yet."""
    if scale is Scale.CI:
        runs = [run_once(1, devices=CI_DEVICES, seconds=CI_RUN_SECONDS)]
    else:
        runs = list(all_runs(range(1, RUNS + 1), OUT))
    faults = sum(sum(run.faults.values()) for run in runs)
    seconds, devices = runs[0].seconds, runs[0].devices
    outcome = Outcome(part="fleet", fault=f"{faults:,} in runs of {seconds:.0f} s with {devices} devices")
    for run in runs:
        outcome.runs += 1
        outcome.seconds += run.seconds + (run.settled_seconds or STUCK_SECONDS)
        never = ["stuck: it never came to rest"] if run.settled_seconds is None else []
        outcome.failures += [f"seed {run.seed}: {failure}" for failure in never + run.failures]
    yield outcome


def all_runs(seeds: range, out: Path) -> Iterator[Run]:
    """Give the runs of these seeds, from the file or made now and added to it."""
    known = {run.seed: run for run in recorded(out)}
    for seed in seeds:
        if seed in known:
            yield known[seed]
            continue
        run = run_once(seed, devices=DEVICES, seconds=RUN_SECONDS)
        out.parent.mkdir(parents=True, exist_ok=True)
        with out.open("ab") as lines:
            lines.write(msgspec.json.encode(run) + b"\n")
        print(told(run), file=sys.stderr, flush=True)
        yield run


def recorded(out: Path) -> list[Run]:
    """Read the runs that were made."""
    lines = out.read_bytes().splitlines() if out.exists() else []
    return [msgspec.json.decode(line, type=Run) for line in lines]


def run_once(seed: int, *, devices: int, seconds: float) -> Run:
    """Make one run with a server of its own."""
    folder = Path(tempfile.mkdtemp(prefix="apex-fleet-"))
    run = Run(seed=seed, commit=commit(), devices=devices, seconds=seconds)
    try:
        settings = Settings(
            data_dir=folder / "server", secret=SECRET, master_key=MASTER_KEY, workers=WEB_PROCESSES, limits_factor=1e6
        )
        with start_blocking_portal("asyncio") as portal, running_server(portal, settings) as server:
            anyio.run(_run, run, server, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return run


async def _run(run: Run, server: WholeServer, folder: Path) -> None:
    async with fleet_of(server, folder, devices=run.devices, seed=run.seed) as fleet:
        faults = draw_faults(run.seed, seconds=run.seconds, devices=run.devices)
        await fleet.suffer(faults, run.seconds)
        fleet.heal()
        run.settled_seconds = await settle(fleet)
        said = [trouble for device in fleet.devices for trouble in troubles(device)]
        fleet.kill()
        run.failures = (said + [failure async for failure in verdict(fleet)])[:FAILURES_KEPT]
        run.faults = dict(fleet.suffered)
        run.edits = sum(len(read_journal(device.plan.journal)) for device in fleet.devices)


async def settle(fleet: Fleet) -> float | None:
    """Give the seconds until every device holds what the server holds; None when they do not come to that in time."""
    began = time.monotonic()
    while time.monotonic() - began < STUCK_SECONDS:
        if await is_settled(fleet):
            return time.monotonic() - began
        await anyio.sleep(LOOK_SECONDS)
    return None


async def is_settled(fleet: Fleet) -> bool:
    """Look whether every device is content, every queue empty, and every digest that of the server."""
    if any(True for device in fleet.devices for _ in troubles(device)):
        return False
    try:
        rows = await fleet.server.rows("SELECT name, digest FROM scopes")
    except (OSError, asyncpg.PostgresError):  # It is being started again.
        return False
    for device in fleet.devices:
        seen = look_at(device.path)
        visible = [row for row in rows if device.may_see(row["name"])]
        if seen.pending or any(seen.digests.get(row["name"]) != row["digest"] for row in visible):
            return False
    return True


def troubles(device: Device) -> Iterator[str]:
    """Give what is wrong with a living device, in its own words."""
    status = read_status(device.plan)
    if device.crashed:
        yield f"crashed: {device.name}"
    elif status is None:
        yield f"stuck: {device.name} says nothing"
    elif status.state not in ("idle", "live", "syncing"):
        yield f"stuck: {device.name} is {status.state}: {status.last_error}"


async def verdict(fleet: Fleet) -> AsyncIterator[str]:
    """Hold the devices, which are gone now, and the server to what was promised."""
    async with sql_reader(fleet.server) as reader:
        scopes: dict[str, dict[str, Any]] = {}
        stored = await reader.sql(
            "SELECT name AS scope, record_id, records.digest, doc FROM records JOIN scopes USING (scope_id)"
        )
        for row in await with_open_documents(reader, stored):
            scopes.setdefault(row["scope"], {})[str(row["record_id"])] = parse_document(row["doc"])
        for failure in judged(fleet, scopes):
            yield failure
        try:
            await assert_consistent(reader)
        except AssertionError as error:
            yield f"inconsistent: {error}"


def judged(fleet: Fleet, scopes: Scopes) -> Iterator[str]:
    """Judge what each device holds by what is on the server and in the journals."""
    return judge(
        scopes,
        {device.name: holding_of(device.path) for device in fleet.devices},
        {device.name: read_journal(device.plan.journal) for device in fleet.devices},
        readers={scope: {device.name for device in fleet.devices if device.may_see(scope)} for scope in scopes},
        astray={device.name for device in fleet.devices if device.astray},
    )


class SqlReader:
    """Postgres behind the server's back, over one connection."""

    def __init__(self, connection: asyncpg.Connection, master_keys: MasterKeys) -> None:
        self._connection = connection
        self.master_keys = master_keys

    async def sql(self, statement: str, *arguments: Any) -> list[asyncpg.Record]:
        return list(await self._connection.fetch(statement, *arguments))


@asynccontextmanager
async def sql_reader(server: WholeServer) -> AsyncIterator[SqlReader]:
    """Read from Postgres as the owner of the schema."""
    connection = await asyncpg.connect(server.settings.database_url)
    try:
        yield SqlReader(connection, master_keys_of(server.settings))
    finally:
        await connection.close()


def told(run: Run) -> str:
    """Say in a line what became of a run."""
    settled = "never settled" if run.settled_seconds is None else f"settled in {run.settled_seconds:.1f} s"
    failed = "; ".join(run.failures[:3]) or "ok"
    return f"seed {run.seed}: {run.edits} edits, {sum(run.faults.values())} faults, {settled}: {failed}"


def commit() -> str:
    """Name the version that is tortured."""
    done = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return done.stdout.strip()


def main() -> int:
    """Make runs, and count what became of them by the first word of each failure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=OUT)
    chosen = parser.parse_args()
    runs = list(all_runs(range(chosen.first_seed, chosen.first_seed + chosen.runs), chosen.out))
    failures = Counter(failure.partition(":")[0] for run in runs for failure in run.failures)
    stuck = sum(run.settled_seconds is None for run in runs)
    late = sum(run.settled_seconds is not None and run.settled_seconds > SETTLE_SECONDS for run in runs)
    edits = sum(run.edits for run in runs)
    print(f"{len(runs)} runs, {edits:,} edits; {stuck} never came to rest, {late} late; failures: {dict(failures)}")
    return int(bool(failures) or stuck > 0)


if __name__ == "__main__":
    sys.exit(main())
