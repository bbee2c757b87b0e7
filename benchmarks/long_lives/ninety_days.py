"""Ninety days of five hundred devices: what a save, a sync and a record cost as the days go by.

Athletes train every day with phone and watch and check in each week; a coach has twelve of them and reads everything.
Every device syncs twice a day. `python -m benchmarks.long_lives.ninety_days [days] [athletes]` prints the table.
"""

import asyncio
import gc
import sys
import tempfile
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from random import Random
from statistics import median, quantiles
from uuid import UUID

import psutil
from msgspec import Struct

from apex_sync.ids import athlete_scope
from apex_sync.op import Patch
from apex_sync.testing.training import check_in_patch, sessions, workout_patch
from benchmarks.long_lives.fleet import RAM_DISK, Cost, FleetDevice, FleetWorld, allow_files, yardstick_ms
from tests.simulation.memory_database import MemoryDatabase

DAYS = 90
ATHLETES = 240
ATHLETES_A_COACH = 12
DAYS_A_PERIOD = 10
DAY_US = 86_400_000_000
FIRST_DAY = date(2026, 3, 1)
SEED = 20260301


class Period(Struct, frozen=True):
    """Ten days of the fleet; times are processor time in milliseconds, of one sync or save."""

    last_day: int
    yardstick_ms: float
    """A fixed piece of work in the same days: what a busy machine adds to everything."""
    syncs: int
    sync_ms_p50: float
    sync_ms_p95: float
    device_ms_p50: float
    server_ms_p50: float
    server_ms_p95: float
    coach_sync_ms_p50: float
    save_ms_p50: float
    save_ms_p95: float
    bytes_p50: float
    bytes_p95: float
    round_trips_max: int
    records: int
    server_bytes_a_record: float
    server_history_a_record: float
    file_kb_a_device: float
    rss_mb: float


class Athlete:
    """Somebody who trains, with a phone and a watch."""

    def __init__(self, user_id: UUID, phone: FleetDevice, watch: FleetDevice, dice: Random) -> None:
        self.user_id = user_id
        self.phone = phone
        self.watch = watch
        self.dice = dice
        self._sessions = _sessions(dice)
        self._workout = ""

    async def live_a_day(self, day: int) -> None:
        """Wake up, train, log it on the phone, mend it on the watch."""
        for device in (self.phone, self.watch):
            await device.sync()
        today = FIRST_DAY + timedelta(days=day)
        if self._workout and self.dice.random() < 0.3:
            self.watch.edit("workout_logs", self._workout, {"fatigue": self.dice.randrange(1, 11)})
        self._log_workout(today)
        if day % 7 == 6:
            self.phone.create("check_ins", check_in_patch(self.dice, on=today, week=day // 7))
        for device in (self.phone, self.watch):
            await device.sync()

    def _log_workout(self, today: date) -> None:
        """Log a session as an app does: the plan first, then exercise by exercise, then the end."""
        patch = {**next(self._sessions), "date": today.isoformat()}
        sets = patch.pop("sets")
        self._workout = self.phone.create("workout_logs", {**patch, "completed": False})
        for part in _by_exercise(sets):
            self.phone.edit("workout_logs", self._workout, {"sets": part})
        self.phone.edit("workout_logs", self._workout, {"completed": True, "mood": self.dice.randrange(1, 11)})


class Coach:
    """Somebody who reads everything and answers check-ins."""

    def __init__(self, tablet: FleetDevice, athletes: Sequence[Athlete]) -> None:
        self.tablet = tablet
        self.athletes = athletes

    async def live_a_day(self, day: int) -> None:
        """Look in the morning, answer what came, look again in the evening."""
        await self.tablet.sync()
        if day % 7 == 0:
            for athlete in self.athletes:
                scope = athlete_scope(str(athlete.user_id))
                for record_id in _last_check_in(self.tablet, scope):
                    self.tablet.edit("check_ins", record_id, {"coach_feedback": "Keep going."}, scope)
        await self.tablet.sync()


class Fleet:
    """Everybody."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.dice = Random(SEED)
        self.world = FleetWorld(SEED + 1)  # Of another seed: client ids must not meet the server's.
        self.athletes: list[Athlete] = []
        self.coaches: list[Coach] = []
        self.devices: list[FleetDevice] = []
        self.yardsticks: list[float] = []

    async def gather(self, count: int) -> None:
        """Sign everybody up."""
        await self.world.open()
        for _ in range(count):
            user_id = await self.world.athlete()
            phone, watch = self._device(user_id, "athlete"), self._device(user_id, "athlete")
            self.athletes.append(Athlete(user_id, phone, watch, Random(self.dice.random())))
        for place in range(0, count, ATHLETES_A_COACH):
            athletes = self.athletes[place : place + ATHLETES_A_COACH]
            coach_id = await self.world.coach(*(athlete.user_id for athlete in athletes))
            self.coaches.append(Coach(self._device(coach_id, "coach"), athletes))

    def _device(self, user_id: UUID, role: str) -> FleetDevice:
        path = self.folder / f"{len(self.devices)}.db"
        device = FleetDevice(path, self.world, user_id, "coach" if role == "coach" else "athlete", self.dice)
        self.devices.append(device)
        return device

    async def live(self, days: int) -> list[Period]:
        """Live so many days; give the figures of every ten."""
        periods = []
        for first, end in pairwise([*range(0, days, DAYS_A_PERIOD), days]):
            for day in range(first, end):
                await self._live_a_day(day)
            periods.append(self._period(end))
            print(f"  day {end}: {periods[-1].sync_ms_p50:.2f} ms a sync", file=sys.stderr, flush=True)
        return periods

    async def _live_a_day(self, day: int) -> None:
        self.world.now = max(self.world.now, 1_772_323_200_000_000 + day * DAY_US)
        for athlete in self.dice.sample(self.athletes, len(self.athletes)):
            await athlete.live_a_day(day)
        for coach in self.coaches:
            await coach.live_a_day(day)
        await self.world.compact()
        self.yardsticks.append(yardstick_ms())

    def _period(self, last_day: int) -> Period:
        coaches = {coach.tablet for coach in self.coaches}
        costs = [cost for device in self.devices if device not in coaches for cost in device.costs]
        coach_costs = [cost for device in coaches for cost in device.costs]
        saves = [ms for device in self.devices for ms in device.save_ms]
        for device in self.devices:
            device.costs, device.save_ms = [], []
        both = [cost.device_ms + cost.server_ms for cost in costs]
        server, sizes = [cost.server_ms for cost in costs], [float(cost.bytes) for cost in costs]
        records, doc_bytes, history = _kept(self.world.database)
        gc.collect()
        return Period(
            last_day=last_day,
            yardstick_ms=median(self.yardsticks[-DAYS_A_PERIOD:]),
            syncs=len(costs) + len(coach_costs),
            sync_ms_p50=median(both),
            sync_ms_p95=_p95(both),
            device_ms_p50=median(cost.device_ms for cost in costs),
            server_ms_p50=median(server),
            server_ms_p95=_p95(server),
            coach_sync_ms_p50=median(_both(coach_costs)),
            save_ms_p50=median(saves),
            save_ms_p95=_p95(saves),
            bytes_p50=median(sizes),
            bytes_p95=_p95(sizes),
            round_trips_max=max(cost.round_trips for cost in [*costs, *coach_costs]),
            records=records,
            server_bytes_a_record=doc_bytes / records,
            server_history_a_record=history / records,
            file_kb_a_device=median(_file_bytes(device.path) for device in self.devices) / 1000,
            rss_mb=psutil.Process().memory_info().rss / 1e6,
        )

    def assert_converged(self) -> None:
        """Hold every device to the server's digests, with nothing left to send."""
        for device in self.devices:
            for name, scope in device.local.store.scopes().items():
                content = self.world.database.scopes.get(name)
                assert scope.digest == (content.digest if content else 0), name
            assert not device.local.store.outbox(1, ())


async def ninety_days(days: int = DAYS, athletes: int = ATHLETES) -> list[Period]:
    """Let the fleet live, in files that are gone afterwards."""
    allow_files(3 * athletes)
    with tempfile.TemporaryDirectory(dir=RAM_DISK if RAM_DISK.is_dir() else None) as folder:
        fleet = Fleet(Path(folder))
        await fleet.gather(athletes)
        periods = await fleet.live(days)
        for device in fleet.devices:
            await device.sync()
        fleet.assert_converged()
        for device in fleet.devices:
            device.local.close()
    return periods


def table(periods: Sequence[Period]) -> str:
    """Write the periods in Markdown."""
    names = Period.__struct_fields__
    lines = ["| " + " | ".join(name.replace("_", " ") for name in names) + " |", "|---:" * len(names) + "|"]
    for period in periods:
        figures = (getattr(period, name) for name in names)
        lines.append(
            "| " + " | ".join(f"{figure:,.0f}" if figure >= 100 else f"{figure:.3g}" for figure in figures) + " |"
        )
    return "\n".join(lines) + "\n"


def _sessions(dice: Random) -> Iterator[Patch]:
    while True:
        for session in sessions(dice, until=FIRST_DAY, weeks=30):
            yield workout_patch(session)


def _by_exercise(sets: Patch) -> list[Patch]:
    parts: dict[str, Patch] = {}
    for key, entry in sets.items():
        parts.setdefault(entry["exercise"], {})[key] = entry
    return list(parts.values())


def _last_check_in(tablet: FleetDevice, scope: str) -> list[str]:
    sql = (
        "SELECT row.id FROM check_in_rows AS row JOIN held_scopes USING (scope_no)"
        " WHERE held_scopes.name = ? ORDER BY row.date DESC LIMIT 1"
    )
    return [record_id for (record_id,) in tablet.local.store.sql.execute(sql, (scope,))]


def _kept(database: MemoryDatabase) -> tuple[int, int, int]:
    """Give how many records the server has, the bytes of their documents, and the rows of audit and dead ops."""
    contents = list(database.scopes.values())
    docs = [len(record.stored.doc) for content in contents for record in content.records.values()]
    dead = sum(len(clocks) for content in contents for clocks in content.dead.values())
    return len(docs), sum(docs), sum(len(content.audit) for content in contents) + dead


def _file_bytes(path: Path) -> int:
    return sum(Path(f"{path}{suffix}").stat().st_size for suffix in ("", "-wal"))


def _both(costs: Sequence[Cost]) -> list[float]:
    return [cost.device_ms + cost.server_ms for cost in costs]


def _p95(values: Sequence[float]) -> float:
    return quantiles(values, n=20)[-1]


if __name__ == "__main__":
    print(table(asyncio.run(ninety_days(*map(int, sys.argv[1:])))))
