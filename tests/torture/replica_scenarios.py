"""What happens on a device while its file fails: a first opening, saves, a push, a pull, an import, a migration.

A scenario is prepared once, in the parent: a replica file as some day left it, and a server in memory. Then a device
process acts on a copy of the file as often as there are faults, always with the same clock and randomness, so that the
n-th syscall of one run is the n-th of every run.
"""

import copy
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from unittest.mock import patch

from apex_client import store_file
from apex_client.blocking.workouts import WorkoutLog
from apex_client.store_file import CHECKPOINT_PAGES
from apex_sync.op import Patch
from tests.client.fleet import Clock, Phone, settle
from tests.client.loopback import Account, LoopbackServer
from tests.torture.replica_device import REPLICA, Device

WORKOUTS = 12
PAGE_RECORDS = 8
SAVED_SETS = 4
LIVED_SETS = 10
FRAME_BYTES = 4096 + 24
KEPT_BY_A_COPY = ("", "-wal", ".identity")
EXPORT = "export.csv"
HEADER = "Date,Workout Name,Duration,Exercise Name,Set Order,Weight,Reps,Distance,Seconds,Notes,Workout Notes,RPE\n"


@dataclass(frozen=True)
class World:
    """The folder of a device, and the server it syncs with.

    `client_id` is that of the device, 0 where it takes a new one; `loads` are those of all sets that are here or there.
    """

    folder: Path
    server: LoopbackServer
    account: Account
    client_id: int = 0
    loads: frozenset[float] = frozenset()

    @property
    def path(self) -> Path:
        return self.folder / REPLICA

    @property
    def log(self) -> Path:
        """Where strace writes what the device does."""
        return self.folder.with_name(f"{self.folder.name}.strace")

    def copied(self, folder: Path) -> "World":
        """Give the same world once more, for one run."""
        shutil.copytree(self.folder, folder)
        return replace(self, folder=folder, server=copy.deepcopy(self.server))

    def phone(self, *, seed: int = 0, beside: str = "") -> Phone:
        """Open a phone of the athlete: on the device's file, or on one of another name."""
        path = self.folder.with_name(f"{self.folder.name}-{beside}.db") if beside else self.path
        return Phone(path, self.server, self.account, seed=seed)

    def loads_written(self) -> list[float]:
        """Give the loads on the server, one for each time that a set was written with one."""
        records = [record for scope in self.server.scopes.values() for record in scope.records.values()]
        sets = [write.patch.get("sets", {}) for record in records for write in record.document.writes()]
        return sorted(entry["load_kg"] for written in sets for entry in written.values() if "load_kg" in entry)


@dataclass(frozen=True)
class Scenario:
    """`prepare` in the parent, `act` on the device."""

    name: str
    prepare: Callable[[World], None]
    act: Callable[[Device], None]
    later_schema: bool = False
    """Whether the device runs a later version of the SDK, and so must whoever looks at its file."""
    plant: Callable[[], None] | None = None
    """What to spoil in the process of the device; see `replica_planted`."""

    def prepared(self, folder: Path) -> World:
        """Make the world as it is before the device acts."""
        folder.mkdir()
        server = LoopbackServer(Clock(), page_records=PAGE_RECORDS)
        world = World(folder, server, server.add_user("a@b.c"))
        self.prepare(world)
        server.requests.clear()
        known = world.copied(folder.with_name(f"{folder.name}-known"))
        phone = known.phone(seed=9)
        client_id = phone.client_id if world.path.exists() else 0
        settle(phone)
        phone.close()
        client_id = client_id if phone.client_id == client_id else 0
        return replace(world, client_id=client_id, loads=frozenset(known.loads_written()))

    @contextmanager
    def schema(self) -> Iterator[None]:
        """Run the block with the schema that the device knows."""
        steps = store_file.migrations() + [LATER_STEP] * self.later_schema
        with (
            patch.object(store_file, "migrations", lambda: steps),
            patch.object(store_file, "_known_version", lambda: len(steps)),
        ):
            yield


def workout(number: int) -> Patch:
    """Give a workout whose sets carry numbers of their own as loads."""
    sets = {f"s{number}-{place}": {"reps": 5, "exercise": "e", "load_kg": load(number, place)} for place in range(3)}
    return {"title": f"Workout {number}", "exercises": {"e": {"name": "Squat"}}, "sets": sets}


def load(number: int, place: int) -> float:
    """Give the load that no other set has."""
    return 100 + number + place / 4


def _nothing(world: World) -> None:
    """Leave the folder empty: the device makes the file."""


def _signed_in(world: World) -> None:
    world.phone().close()


def _a_long_log(world: World) -> None:
    """Leave a replica that was killed, whose next saves bring the log into the file."""
    phone = world.phone()
    log = world.path.with_name(f"{REPLICA}-wal")
    number = 0
    while log.stat().st_size < (CHECKPOINT_PAGES - 20) * FRAME_BYTES:
        phone.create(workout(number))
        number += 1
    _pull_the_plug(world, phone)


def _unsent_workouts(world: World) -> None:
    phone = world.phone()
    for number in range(WORKOUTS):
        phone.create(workout(number))
    _pull_the_plug(world, phone)


def _shared_and_unsent(world: World) -> None:
    phone = world.phone()
    shared = [phone.create(workout(number)) for number in range(2)]
    phone.sync()
    for number, record_id in enumerate(shared):
        phone.edit(record_id, {"notes": "unsent", "sets": {f"u{number}": {"reps": 1, "load_kg": load(500, number)}}})
    phone.close()


def _news_and_unsent_edits(world: World) -> None:
    """Leave unsent edits here and newer ones on the server, some of the same fields, in more than one page."""
    phone, other = world.phone(), world.phone(seed=1, beside="other")
    shared = [phone.create(workout(number)) for number in range(4)]
    phone.sync()
    other.sync()
    for number, record_id in enumerate(shared):
        other.edit(record_id, {"title": f"renamed {number}", "sets": {f"s{number}-0": {"rpe": 8}}})
        phone.edit(record_id, {"notes": "unsent", "title": f"also renamed {number}"})
    for number in range(4, 4 + WORKOUTS):
        other.create(workout(number))
    other.sync()
    other.close()
    _pull_the_plug(world, phone)


def _a_clone(world: World) -> None:
    """Leave unsent edits under a client id that another phone, cloned from this one, has gone on with."""
    phone = world.phone()
    shared = [phone.create(workout(number)) for number in range(4)]
    phone.sync()
    phone.close()
    for suffix in KEPT_BY_A_COPY:
        if (kept := Path(f"{world.path}{suffix}")).exists():
            shutil.copy(kept, world.folder.with_name(f"{world.folder.name}-clone.db{suffix}"))
    clone, phone = world.phone(seed=1, beside="clone"), world.phone()
    for number, record_id in enumerate(shared):
        clone.edit(record_id, {"sets": {f"c{number}": {"reps": 5, "exercise": "e", "load_kg": load(300 + number, 0)}}})
        phone.edit(record_id, {"sets": {f"d{number}": {"reps": 5, "exercise": "e", "load_kg": load(300 + number, 1)}}})
    clone.sync()
    clone.close()
    phone.create(workout(4))
    _pull_the_plug(world, phone)


def _pull_the_plug(world: World, phone: Phone) -> None:
    """Leave the file as a process that was killed leaves it, log and all."""
    aside = world.folder.with_name("aside")
    aside.mkdir()
    for suffix in KEPT_BY_A_COPY:
        shutil.copy(f"{world.path}{suffix}", aside)
    phone.close()
    shutil.rmtree(world.folder)
    aside.rename(world.folder)


def _an_export(world: World) -> None:
    _signed_in(world)
    rows = [
        f'2026-01-{day + 1:02} 18:00:00,"Push",1h,"Bench Press",{number + 1},{load(day, number)},8,0,0,"","",\n'
        for day in range(WORKOUTS)
        for number in range(3)
    ]
    (world.folder / EXPORT).write_text(HEADER + "".join(rows))


LATER_STEP = """
ALTER TABLE held_records ADD COLUMN later TEXT NOT NULL DEFAULT '';
UPDATE held_records SET later = hex(document);
CREATE TABLE later_rows (record_no INTEGER PRIMARY KEY, later TEXT NOT NULL) STRICT;
INSERT INTO later_rows SELECT record_no, later FROM held_records;
CREATE INDEX later_by_text ON later_rows (later);
"""
"""A step of a schema to come that writes every record again."""


def _only_open(device: Device) -> None:
    """Opening is all there is to it."""


def _start_workout(device: Device) -> WorkoutLog:
    return device.do(lambda: device.replica.workouts.start(title="Session"), "workout", "Session")


def _save_once(device: Device) -> None:
    _start_workout(device)


def _log_sets(device: Device) -> None:
    log = _start_workout(device)
    for place in range(SAVED_SETS):
        kg = load(900, place)
        device.do(lambda kg=kg: log.add_set("Bench Press", reps=5, load=kg), "set", kg)  # type: ignore[misc]
    device.do(log.finish, "finished")


def _sync(device: Device) -> None:
    device.do(device.replica.sync, "synced")


def _log_and_sync(device: Device) -> None:
    """Log sets into a workout of before and into one of this device's own, and sync now and then."""
    dice = Random(device.seed)
    workouts = device.replica.workouts
    logs = [workouts.list()[-1], device.do(lambda: workouts.start(title=f"Session {device.seed}"), "started")]
    for place in range(LIVED_SETS):
        log, kg = dice.choice(logs), load(1000 + 3 * device.seed, place)
        device.do(lambda log=log, kg=kg: log.add_set("Bench Press", reps=5, load=kg), "set", kg)  # type: ignore[misc]
        if dice.random() < 0.3:
            device.do(device.replica.sync, "synced")


def _import(device: Device) -> None:
    device.do(lambda: device.replica.import_file(device.folder / EXPORT, unit="kg"), "imported")


SIGNED_IN = Scenario("an empty replica", _signed_in, _only_open)
LIFE = Scenario("a life", _shared_and_unsent, _log_and_sync)
ONE_SAVE = Scenario("one save", _signed_in, _save_once)
"""So short that all of its syscalls can be tried at once: for what has to be found."""

SAVE = Scenario("save", _a_long_log, _log_sets)
SCENARIOS = (
    Scenario("first opening", _nothing, _only_open),
    SAVE,
    Scenario("push and acknowledgement", _unsent_workouts, _sync),
    Scenario("pull", _news_and_unsent_edits, _sync),
    Scenario("taking a new client id", _a_clone, _sync),
    Scenario("import", _an_export, _import),
    Scenario("migration", _unsent_workouts, _only_open, later_schema=True),
)
