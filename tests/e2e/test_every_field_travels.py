"""Every leaf of every model: from a device to the server, to a second device, out over REST, in again, and back.

The values come from the JSON Schemas in `schemas/collections`, so a field that is new travels here the day it is made.
What the system writes is left out, and messages, which are sent and not created; tests of their own follow these.
"""

import re
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from apex_client import Replica
from apex_client.records import Records
from apex_sync.collection import Collection
from apex_sync.models import COLLECTIONS
from tests.e2e.whole_server import PASSWORD, Athlete, WholeServer, sync_until_done

pytestmark = pytest.mark.anyio

SCHEMAS = Path(__file__).parents[2] / "schemas" / "collections"
WRITTEN = sorted(name for name, each in COLLECTIONS.items() if each.default_writers != {"system"})
"""The kinds of records that people make."""

PATHS = {
    "body_metrics": "/api/progress/metrics",
    "check_ins": "/api/checkins",
    "exercises": "/api/exercises",
    "foods": "/api/nutrition/foods",
    "nutrition_logs": "/api/nutrition/logs",
    "programs": "/api/programs",
    "workout_logs": "/api/workouts",
}
"""The kinds whose records can be changed over REST leaf by leaf."""

LINKS = ("day", "exercise", "meal", "week")
"""Fields of an entry that name another entry of the record; all entries here are called alike."""

SAME = ("date", "_unit", "unit")
"""Endings of fields that stay as they were made: a day's log keeps its day, kilograms follow from what was typed."""

NOT_SHOWN = ("reviewed_answers",)
"""What the server alone has a use for."""

OF_THE_RECORD = ("created_at", "deleted")
PATIENCE_SECONDS = 60.0


class World(NamedTuple):
    """Two devices of an athlete, and two of their coach."""

    phone: Replica
    watch: Replica
    desk: Replica
    laptop: Replica

    async def meet(self) -> None:
        for replica in (*self, *self):
            await sync_until_done(replica, seconds=PATIENCE_SECONDS)

    def of(self, role: str) -> tuple[Replica, Replica]:
        """Give the device that somebody writes on, and their second one."""
        return (self.phone, self.watch) if role == "athlete" else (self.desk, self.laptop)


@pytest.fixture
async def world(server: WholeServer, athlete: Athlete, tmp_path: Path) -> AsyncIterator[World]:
    email = server.new_email("carla")
    async with Replica.open(tmp_path / "desk.db") as desk, Replica.open(tmp_path / "laptop.db") as laptop:
        await desk.register(server.address, email, PASSWORD, name="Carla", role="coach")
        await server.confirm(email)
        await laptop.login(server.address, email, PASSWORD)
        phone = await athlete.device("phone")
        await phone.request("POST", f"/api/invites/{(await desk.clients.invite()).code}/accept")
        yield World(phone, await athlete.device("watch", "watch"), desk, laptop)


async def test_every_leaf_reaches_every_device_and_rest(world: World) -> None:
    await world.meet()
    travellers = [Traveller(world, COLLECTIONS[name]) for name in WRITTEN]
    for turn in range(2):
        for traveller in travellers:
            await traveller.write(turn)
        await world.meet()
    for traveller in travellers:
        await traveller.assert_there(0)
        if traveller.collection.name in PATHS:
            await traveller.go_over_rest()
    await world.meet()
    for traveller in travellers:
        await traveller.assert_there(1 if traveller.collection.name in PATHS else 0)


class Traveller:
    """One record of a kind, written by each role that has a part in it."""

    def __init__(self, world: World, collection: Collection) -> None:
        self.world, self.collection = world, collection
        self.scope = scope_for(collection.name, world)
        self.id = ""
        roles = [role for role in ("coach", "athlete") if leaves(collection, role, 0)]
        self.roles = sorted(roles, key=lambda role: role not in collection.default_writers)

    def on(self, device: Replica) -> Records[Any]:
        return Records(device, self.collection.name, self.scope)

    async def write(self, turn: int) -> None:
        """Write all leaves of one role: the first one makes the record, the other adds to it."""
        if turn >= len(self.roles):
            return
        role = self.roles[turn]
        device, _ = self.world.of(role)
        patch = leaves(self.collection, role, 0)
        if turn:
            await (await self.on(device).get(self.id)).edit(patch)
        else:
            self.id = (await self.on(device).create(patch)).id

    async def assert_there(self, variant: int) -> None:
        """Hold the second devices of whoever reads the record to everything that was written."""
        readers = ["athlete", "coach"] if self.scope.startswith("athlete:") else self.roles
        for reader in readers:
            _, second = self.world.of(reader)
            state = (await self.on(second).get(self.id)).state
            for role in self.roles:
                patch = leaves(self.collection, role, variant)
                assert {field: state.get(field) for field in patch} == patch, (reader, self.collection.name)

    async def go_over_rest(self) -> None:
        """Find every leaf in what REST shows of the record, and change each of them there."""
        for role in self.roles:
            device, _ = self.world.of(role)
            path = f"{PATHS[self.collection.name]}/{self.id}"
            shown = await device.request("GET", path)
            patch = leaves(self.collection, role, 0)
            written = told(without_order({field: patch[field] for field in patch if field not in NOT_SHOWN}))
            assert [value for value in written if value not in told(shown)] == [], self.collection.name
            await device.request("PATCH", path, leaves(self.collection, role, 1))


def told(value: Any) -> list[Any]:
    """List the values of all leaves, wherever they stand."""
    if isinstance(value, Mapping):
        return [each for inner in value.values() for each in told(inner)]
    if isinstance(value, list) and any(isinstance(each, Mapping) for each in value):
        return [each for inner in value for each in told(inner)]
    return [value]


def without_order(value: Any) -> Any:
    """Take the places of entries away: REST shows entries in their order."""
    if not isinstance(value, Mapping):
        return value
    return {field: without_order(inner) for field, inner in value.items() if field != "order"}


def scope_for(name: str, world: World) -> str:
    """Give a scope that such a record lives in, an athlete's if it can."""
    assert world.phone.user is not None and world.desk.user is not None
    athlete_id, coach_id = world.phone.user.id, world.desk.user.id
    known = {
        "athlete": f"athlete:{athlete_id}",
        "library": f"library:{coach_id}",
        "private": f"private:{coach_id}:{athlete_id}",
    }
    return next(scope for kind, scope in known.items() if kind in COLLECTIONS[name].scope_kinds)


def leaves(collection: Collection, role: str, variant: int) -> dict[str, Any]:
    """Make a value for every leaf that a role may write; another one for another variant."""
    schema = msgspec.json.decode((SCHEMAS / f"{collection.name}.json").read_bytes())
    return {
        field: value_of(its, schema.get("$defs", {}), field, variant)
        for field, its in schema["properties"].items()
        if role in its["x-writers"] and field not in OF_THE_RECORD and role in first_writers(collection, field)
    }


def first_writers(collection: Collection, field: str) -> set[str]:
    """Give the one role that writes a field here, where several may."""
    writers = collection.writers.get(field, collection.default_writers)
    return {next(role for role in ("athlete", "coach", "system") if role in writers)}


def value_of(schema: Mapping[str, Any], types: Mapping[str, Any], name: str, variant: int) -> Any:
    """Make a value that a schema takes."""
    variant = 0 if name.endswith(SAME) else variant
    if "$ref" in schema:
        return value_of(types[schema["$ref"].rpartition("/")[2]], types, name, variant)
    if "anyOf" in schema:
        return value_of(next(each for each in schema["anyOf"] if each.get("type") != "null"), types, name, variant)
    if "enum" in schema:
        return schema["enum"][variant % len(schema["enum"])]
    make: Callable[[Mapping[str, Any], Mapping[str, Any], str, int], Any] = _MAKERS[schema["type"]]
    return make(schema, types, name, variant)


def _object(schema: Mapping[str, Any], types: Mapping[str, Any], name: str, variant: int) -> Any:
    if "properties" in schema:
        fields = schema["properties"].items()
        return {field: value_of(its, types, field, variant) for field, its in fields if field != "deleted"}
    return {"k1": value_of(schema["additionalProperties"], types, name, variant)}


def _string(schema: Mapping[str, Any], _types: Mapping[str, Any], name: str, variant: int) -> str:
    if name in LINKS:
        return "k1"
    if name.endswith("date"):
        return f"2026-03-0{variant + 1}"
    guesses = (
        f"{name} {variant}"[-schema.get("maxLength", 100) :],
        f"2026-03-0{variant + 1}",
        f"2026-03-0{variant + 1}T07:30:00+01:00",
        f"2026-03-0{variant + 1}T07:30:00.000Z",
    )
    return next(guess for guess in guesses if re.search(schema.get("pattern", ""), guess))


def _number(schema: Mapping[str, Any], _types: Mapping[str, Any], _name: str, variant: int) -> float:
    low, high = schema.get("minimum", 0), schema.get("maximum", 1000)
    value = min(max(low, 1) + variant, high)
    return int(value) if schema["type"] == "integer" else float(value)


_MAKERS: Mapping[str, Any] = {
    "array": lambda schema, types, name, variant: [value_of(schema["items"], types, name, variant)],
    "boolean": lambda _schema, _types, _name, variant: variant == 0,
    "integer": _number,
    "number": _number,
    "object": _object,
    "string": _string,
}
