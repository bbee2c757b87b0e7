"""Every leaf of every model: from a device to the server, to a second device, out over REST, in again, and back.

The values come from the JSON Schemas in `schemas/collections` (`leaf_values`), so a field that is new travels here the
day it is made. What the system writes is left out, and messages, which are sent and not created; tests of their own
follow these.
"""

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

import pytest

from apex_client import Replica
from apex_client.local import sole_id
from apex_client.records import Records
from apex_sync.collection import Collection
from apex_sync.models import COLLECTIONS
from tests.e2e.leaf_values import leaves
from tests.e2e.whole_server import PASSWORD, Athlete, WholeServer, sync_until_done

pytestmark = pytest.mark.anyio

WRITTEN = sorted(name for name, each in COLLECTIONS.items() if each.default_writers != {"system"})
"""The kinds of records that people make."""


class Address(NamedTuple):
    """Where REST shows a record, and takes its leaves."""

    path: str
    part: str = ""
    """The field of the answer that the record is in, where there is more to it."""
    sent_in: str = ""
    """The field of the body, likewise."""
    method: Literal["PATCH", "PUT"] = "PATCH"
    by: str = ""
    """Who alone may ask there; otherwise whoever writes the leaves."""


ADDRESSES = {
    "body_metrics": Address("/api/progress/metrics/{id}"),
    "check_ins": Address("/api/checkins/{id}"),
    "client_files": Address("/api/clients/{athlete_id}", "file", "file"),
    "exercises": Address("/api/exercises/{id}"),
    "foods": Address("/api/nutrition/foods/{id}"),
    "meal_plans": Address("/api/nutrition/plans/{id}"),
    "nutrition_logs": Address("/api/nutrition/logs/{id}"),
    "nutrition_targets": Address("/api/nutrition/targets/{athlete_id}", "in_force", method="PUT"),
    "profiles": Address("/api/clients/{athlete_id}", "profile", "profile", by="coach"),
    "programs": Address("/api/programs/{id}"),
    "progress_photos": Address("/api/progress/photos/{id}"),
    "questionnaires": Address("/api/questionnaires/{id}"),
    "workout_logs": Address("/api/workouts/{id}"),
}

ONE_IN_A_SCOPE = ("client_files", "profiles")
"""Kinds whose record has an id that follows from its scope."""

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

    @property
    def athlete_id(self) -> str:
        assert self.phone.user is not None
        return self.phone.user.id

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


def test_rest_shows_every_kind_that_people_make() -> None:
    assert ADDRESSES.keys() == set(WRITTEN), "say in ADDRESSES where REST shows and takes it"


@pytest.mark.parametrize(
    "shown",
    [{"waist_cm": 2.5, "hips_cm": 1.5}, {"waist_cm": 1.5}, {"hips_cm": 2.5, "more": {"waist_cm": 1.5}}, {}, None],
)
def test_a_leaf_that_is_missing_or_at_the_place_of_another_is_told(shown: Any) -> None:
    written = {"waist_cm": 1.5, "hips_cm": 2.5}
    assert astray(written, written) == []
    assert astray(written, shown)
    assert astray({"sets": [written]}, {"sets": [shown]})


async def test_every_leaf_reaches_every_device_and_rest(world: World) -> None:
    await world.meet()
    travellers = [Traveller(world, COLLECTIONS[name]) for name in WRITTEN]
    for turn in range(2):
        for traveller in travellers:
            await traveller.write(turn)
        await world.meet()
    for traveller in travellers:
        await traveller.assert_there(0)
        await traveller.go_over_rest()
    await world.meet()
    for traveller in travellers:
        await traveller.assert_there(1)


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
            known = sole_id(self.collection.name, self.scope) if self.collection.name in ONE_IN_A_SCOPE else None
            self.id = (await self.on(device).create(patch, record_id=known)).id

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
        """Find every leaf in its place in what REST shows of the record, and change each of them there."""
        address = ADDRESSES[self.collection.name]
        path = address.path.format(id=self.id, athlete_id=self.world.athlete_id)
        for role in self.roles:
            device, _ = self.world.of(address.by or role)
            patch = leaves(self.collection, role, 1)
            before = await device.request("GET", path)
            after = await device.request(address.method, path, {address.sent_in: patch} if address.sent_in else patch)
            for variant, answer in enumerate((before, after)):
                expected = as_shown(self.collection.name, leaves(self.collection, role, variant))
                assert astray(expected, answer[address.part] if address.part else answer) == [], self.collection.name


def as_shown(name: str, patch: Mapping[str, Any]) -> dict[str, Any]:
    """Give what REST is to show of leaves: those of workouts and check-ins in the shape of people."""
    shown = dict(patch)
    if name == "workout_logs":
        sets = in_order(shown.pop("sets"))
        shown["exercises"] = [{**exercise, "sets": sets} for exercise in in_order(shown["exercises"])]
    if name == "check_ins":
        shown.pop("reviewed_answers", None)  # What the server alone has a use for.
        if "photos" in shown:
            shown["photos"] = in_order(shown["photos"])
    return shown


def in_order(entries: Mapping[str, Any]) -> list[dict[str, Any]]:
    """List entries as REST shows them: each with its id, and its place said by the list."""
    places = ("order", "exercise")
    return [
        {"id": key, **{name: entry[name] for name in entry if name not in places}} for key, entry in entries.items()
    ]


def astray(expected: Any, shown: Any, path: str = "") -> list[str]:
    """List the leaves that are not shown where they belong."""
    if isinstance(expected, Mapping):
        inner = shown if isinstance(shown, Mapping) else {}
        return [each for name in expected for each in astray(expected[name], inner.get(name), f"{path}.{name}")]
    if isinstance(expected, list) and isinstance(shown, list) and len(expected) == len(shown):
        pairs = enumerate(zip(expected, shown, strict=True))
        return [each for number, (one, other) in pairs for each in astray(one, other, f"{path}.{number}")]
    return [] if shown == expected else [f"{path} is {shown!r} and not {expected!r}"]


def scope_for(name: str, world: World) -> str:
    """Give a scope that such a record lives in, an athlete's if it can."""
    assert world.desk.user is not None
    athlete_id, coach_id = world.athlete_id, world.desk.user.id
    known = {
        "athlete": f"athlete:{athlete_id}",
        "library": f"library:{coach_id}",
        "private": f"private:{coach_id}:{athlete_id}",
    }
    return next(scope for kind, scope in known.items() if kind in COLLECTIONS[name].scope_kinds)
