"""A phone and a watch edit the same 500 workouts offline and sync over a network that cuts connections anywhere.

A naive model says what must come out: a leaf holds what was written to it last, and is in conflict exactly where both
devices wrote something different to it between two meetings.
"""

import itertools
import os
from collections.abc import Iterator
from random import Random
from typing import Any

import anyio
import pytest

from apex_client import Replica
from tests.e2e.faulty_proxy import faulty_proxy
from tests.e2e.whole_server import Athlete, WholeServer, assert_one_digest, sync_until_done

pytestmark = pytest.mark.anyio

RECORDS = 500
ROUNDS = 3
SEED = int(os.environ.get("APEX_TEST_SEED", "20261122"))
PATIENCE_SECONDS = 60.0

PHONE_FIELDS = ("title", "mood")
WATCH_FIELDS = ("fatigue", "pump")
SHARED_CHANCE = 0.15
"""How often both write one leaf of a record."""

Leaf = tuple[str, str]
Contest = tuple[Any, tuple[Any, ...]]


class NaiveModel:
    """What every leaf holds, and where two devices disagreed, by nothing but the order of writes."""

    def __init__(self) -> None:
        self.values: dict[Leaf, Any] = {}
        self.contests: dict[Leaf, Contest] = {}
        self._since_meeting: dict[Leaf, dict[str, Any]] = {}

    def write(self, device: str, record_id: str, path: str, value: Any) -> None:
        self.values[record_id, path] = value
        written = self._since_meeting.setdefault((record_id, path), {})
        written.pop(device, None)
        written[device] = value

    def meet(self) -> None:
        """Both devices have seen everything."""
        for leaf, written in self._since_meeting.items():
            *lost, kept = written.values()
            differing = tuple(value for value in lost if value != kept)
            self.contests.pop(leaf, None)
            if differing:
                self.contests[leaf] = (kept, differing)
        self._since_meeting.clear()


class Writer:
    """A device that edits, and tells the model what it wrote."""

    def __init__(self, name: str, replica: Replica, model: NaiveModel, dice: Random) -> None:
        self.name, self.replica, self.model, self.dice = name, replica, model, dice
        self._numbers = itertools.count(1)

    async def edit(self, record_id: str, fields: tuple[str, ...], shared: str | None) -> None:
        """Edit some fields of a workout, its one set, and a leaf that the other device edits too."""
        log = await self.replica.workouts.get(record_id)
        names = [name for name in fields if self.dice.random() < 0.7]
        if shared in ("notes", "week_number"):
            names.append(shared)
        if names:
            given = {name: self.value(name) for name in names}
            await log.edit(**given)
            for name, value in given.items():
                self.model.write(self.name, record_id, name, value)
        set_field = "reps" if self.name == "phone" else "rpe"
        if shared == "load_kg" or self.dice.random() < 0.3:
            set_field = "load" if shared == "load_kg" else set_field
            value = self.value(set_field)
            key = log.sets[0].key
            await log.edit_set(key, **{set_field: value})
            leaf = "load_kg" if set_field == "load" else set_field
            self.model.write(self.name, record_id, f"sets.{key}.{leaf}", value)

    def value(self, name: str) -> Any:
        match name:
            case "title" | "notes":
                return f"{self.name} {next(self._numbers)}"
            case "load":
                return float(self.dice.randint(20, 200))
            case "week_number":
                return self.dice.randint(1, 3)  # Few values, so that both often write the same one.
            case "rpe":
                return self.dice.randint(12, 20) / 2
            case _:
                return self.dice.randint(1, 10)


async def test_two_devices_edit_500_records_offline_and_nothing_is_lost(server: WholeServer, athlete: Athlete) -> None:
    print(f"seed {SEED}")
    dice = Random(SEED)
    model = NaiveModel()
    async with faulty_proxy(server.settings.port, Random(SEED + 1)) as proxy:
        phone = Writer("phone", await athlete.device("phone", address=proxy.address), model, Random(SEED + 2))
        watch = Writer("watch", await athlete.device("watch", "watch", address=proxy.address), model, Random(SEED + 3))
        record_ids = [await first_version(phone) for _ in range(RECORDS)]
        await proxy.fall_ill()
        await meet(phone, watch)
        for round_number in range(ROUNDS):
            for record_id in record_ids:
                shared = dice.choice(("notes", "week_number", "load_kg")) if dice.random() < SHARED_CHANCE else None
                edits = [(phone, PHONE_FIELDS), (watch, WATCH_FIELDS)]
                dice.shuffle(edits)
                for device, fields in edits:
                    await device.edit(record_id, fields, shared)
            await meet(*((phone, watch), (watch, phone))[round_number % 2], at_once=round_number == 2)
            await assert_as_modelled(server, athlete, model, phone.replica, watch.replica)
        print(f"{proxy.cuts} connections cut")
        assert proxy.cuts >= 10, "the network was too kind to prove anything"
    assert len(model.contests) >= RECORDS * SHARED_CHANCE / 3
    sets = await athlete.sets_in_postgres()
    assert len(sets) == RECORDS
    for row in sets:
        prefix = f"sets.{row['set_key']}"
        for column in ("reps", "rpe", "load_kg"):
            assert row[column] == model.values.get((str(row["record_id"]), f"{prefix}.{column}"))


async def first_version(phone: Writer) -> str:
    """Log a workout with one set."""
    log = await phone.replica.workouts.start(title="Push")
    phone.model.write("phone", log.id, "title", "Push")
    added = await log.add_set("Bench Press", reps=8, load=100, unit="kg")
    phone.model.write("phone", log.id, f"sets.{added.key}.reps", 8)
    phone.model.write("phone", log.id, f"sets.{added.key}.load_kg", 100.0)
    return log.id


async def meet(first: Writer, second: Writer, *, at_once: bool = False) -> None:
    """Sync both until each has everything of the other, over whatever network there is."""
    if at_once:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: sync_until_done(first.replica, seconds=PATIENCE_SECONDS))
            tasks.start_soon(lambda: sync_until_done(second.replica, seconds=PATIENCE_SECONDS))
    for device in (first, second, first):
        await sync_until_done(device.replica, seconds=PATIENCE_SECONDS)
    first.model.meet()


async def assert_as_modelled(server: WholeServer, athlete: Athlete, model: NaiveModel, *replicas: Replica) -> None:
    await assert_one_digest(server, athlete.scope, *replicas)
    for replica in replicas:
        logs = await replica.workouts.list(limit=1000)
        states = {log.id: log.snapshot.state for log in logs}
        found = {leaf: value_at(states[leaf[0]], leaf[1]) for leaf in model.values}
        assert found == model.values
        assert await contests_on(replica) == model.contests
    contested = {record_id for record_id, _ in model.contests}
    sql = "SELECT record_id FROM records JOIN scopes USING (scope_id) WHERE name = $1 AND has_conflicts"
    assert {str(row["record_id"]) for row in await server.rows(sql, athlete.scope)} == contested


async def contests_on(replica: Replica) -> dict[Leaf, Contest]:
    conflicts = await replica.conflicts.list(limit=1000)
    assert len(conflicts) < 1000
    return {
        (conflict.record_id, conflict.path): (
            conflict.kept and conflict.kept.value,
            tuple(lost.value for lost in conflict.discarded),
        )
        for conflict in conflicts
    }


def value_at(state: dict[str, Any], path: str) -> Any:
    found: Any = state
    for key in path.split("."):
        found = found[key]
    return found


def test_the_naive_model_tells_a_conflict_from_a_later_edit() -> None:
    """The oracle itself: sequential edits are none, concurrent equal ones are none, differing ones are one."""
    model = NaiveModel()
    for leaf, writes in conflict_examples():
        for device, value in writes:
            if device == "meet":
                model.meet()
            else:
                model.write(device, "r", leaf, value)
    model.meet()
    assert model.contests == {("r", "differing"): (2, (1,))}


def conflict_examples() -> Iterator[tuple[str, list[tuple[str, int]]]]:
    yield "sequential", [("phone", 1), ("meet", 0), ("watch", 2)]
    yield "equal", [("phone", 1), ("watch", 1)]
    yield "differing", [("phone", 1), ("watch", 2)]
