"""Random histories through the real commit: the tables are what the documents say, however one looks at them.

The documents as our codec reads them and as pycrdt does, the projections as they were written commit by commit and as
a rebuild writes them, and the replicas of the devices: all say the same.
"""

from collections.abc import Iterator
from random import Random
from typing import Any

import pytest

from apex_server.db import Database
from apex_server.sync import rebuild_projections
from apex_server.sync.projection_tables import TABLES
from apex_sync.models import CHECK_INS, COLLECTIONS, WORKOUT_LOGS
from apex_sync.op import Patch
from apex_sync.protocol import PROTOCOL_VERSION, PushedRecord, SyncRequest
from apex_sync.testing import hostile
from apex_sync.testing.hostile import ME
from apex_sync.wire import encode_push, parse_document
from tests.engine.conftest import Pycrdt, ops_by_key, pycrdt
from tests.server.sealed_rows import with_open_documents
from tests.server.sync_world import Device, World, assert_consistent, workout

__all__ = ["pycrdt"]

pytestmark = pytest.mark.anyio

STEPS = 60
ODD_VALUES: tuple[Any, ...] = (
    None, -1, 0, 2**53 - 1, -(2**53) + 1, 0.1, -0.0, 1e300, 5e-324, "", "x" * 300, "2026-02-31", "2026-03-01",
    "9999-12-31", "0001-01-01", "2026-03-01T23:59:59.999999+14:00", True, False, "\u202e", "\U0001d7d8", [],
    {"deeper": 1},
)  # fmt: skip
"""What a field of whatever type may be given by a newer app, or by nobody."""


class History:
    """A few people, their devices, and what they do by the dice."""

    def __init__(self, world: World, seed: int) -> None:
        self.world = world
        self.dice = Random(seed)
        self.devices: list[Device] = []
        self.scope = ""

    async def begin(self) -> "History":
        """Let an athlete have two devices, and a coach one."""
        athlete = await self.world.athlete()
        coach = await self.world.coach(athlete)
        self.devices = [await self.world.device(user) for user in (athlete, athlete, coach)]
        self.scope = f"athlete:{athlete}"
        for device in self.devices:
            await device.sync()
        return self

    async def step(self) -> None:
        """Write, sync, or push something hostile."""
        device = self.dice.choice(self.devices)
        chance = self.dice.random()
        if chance < 0.7:
            self.write(device)
        elif chance < 0.9:
            await device.sync()
        else:
            await self.push_hostile()

    def write(self, device: Device) -> None:
        """Make a record or change one."""
        known = [key for key in device.docs if key[0] == self.scope]
        if known and self.dice.random() < 0.75:
            scope, record_id = self.dice.choice(known)
            collection = device.collections[scope, record_id]
            device.write(self.patch(collection), record_id, collection=collection, scope=scope)
        else:
            collection = self.dice.choice([WORKOUT_LOGS.name, CHECK_INS.name])
            device.write(self.patch(collection), collection=collection, scope=self.scope)

    def patch(self, collection: str) -> Patch:
        """Make up a patch, sound or odd; what is mistyped or forbidden the server refuses."""
        if self.dice.random() < 0.4:
            return workout(sets=self.dice.randrange(5)) if collection == WORKOUT_LOGS.name else {"date": "2026-03-01"}
        patch: Patch = {}
        for _ in range(self.dice.randint(1, 3)):
            field = self.dice.choice(COLLECTIONS[collection].model.__struct_fields__)
            patch[field] = self.dice.choice([self.value(), {self.dice.choice("abc"): self.entry(collection)}])
        return patch

    def entry(self, collection: str) -> Any:
        """Make up an entry of a map."""
        if collection == CHECK_INS.name:
            return self.dice.choice([{"order": "1", "type": "front"}, {"deleted": True}, self.value()])
        leaves = ("reps", "load_kg", "rpe", "order", "exercise", "completed", "deleted", "type", "name")
        return {leaf: self.value() for leaf in self.dice.sample(leaves, self.dice.randint(1, 4))}

    def value(self) -> Any:
        return self.dice.choice(ODD_VALUES) if self.dice.random() < 0.5 else self.dice.randrange(1, 10)

    async def push_hostile(self) -> None:
        """Push crafted ops, which leave dead clocks behind, or a crafted update, which leaves nothing."""
        stranger = await self.world.device(self.devices[0].caller.user_id, self.dice.randrange(ME, 2**52))
        crafted_op = encode_push(stranger.client_id, 0, [self.dice.choice(list(hostile.OPS.values()))])
        for update in (crafted_op, self.dice.choice(list(hostile.UPDATES.values()))):
            pushed = PushedRecord(self.scope, CHECK_INS.name, self.world.record_id(), update)
            await stranger.send(SyncRequest(PROTOCOL_VERSION, stranger.client_id, self.world.now, [pushed]))


async def rows(world: World) -> dict[str, list[str]]:
    """Read all projections."""
    return {
        name: sorted(repr(tuple(row)) for row in await world.sql(f"SELECT * FROM {name}")) for name in sorted(TABLES)
    }


def held(device: Device, scope: str) -> Iterator[tuple[bytes, Any]]:
    """Give the records of a scope as a device has them."""
    return ((key[1], document) for key, document in sorted(device.docs.items()) if key[0] == scope)


@pytest.mark.parametrize("seed", range(8))
async def test_after_any_history_tables_documents_and_replicas_agree(
    db: Database, database_url: str, pycrdt: Pycrdt, seed: int
) -> None:
    world = await World(db, database_url, seed=seed).open()
    history = await History(world, seed).begin()
    for _ in range(STEPS):
        await history.step()
    for device in [*history.devices, *history.devices]:
        await device.sync()
    await assert_consistent(world)
    written = await rows(world)
    assert any(written.values())
    await rebuild_projections(db)
    assert await rows(world) == written
    sealed = await world.sql(
        "SELECT name AS scope, record_id, records.digest, doc FROM records JOIN scopes USING (scope_id)"
    )
    stored = {row["record_id"].bytes: row["doc"] for row in await with_open_documents(world, sealed)}
    for doc in stored.values():
        assert pycrdt.read(doc)["ops"] == ops_by_key(parse_document(doc))
    for device in history.devices:
        for record_id, document in held(device, history.scope):
            assert document == parse_document(stored[record_id])


async def test_a_table_that_is_not_what_the_documents_say_would_be_seen(db: Database, database_url: str) -> None:
    world = await World(db, database_url).open()
    device = await world.device(await world.athlete())
    device.write(workout())
    await device.sync()
    await world.sql("UPDATE logged_sets SET reps = reps + 1")
    with pytest.raises(AssertionError):
        await assert_consistent(world)
