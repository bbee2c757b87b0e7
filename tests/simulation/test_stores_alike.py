"""Whatever is done to the store in memory and the one in Postgres, in any order, both give the same answers."""

from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any, Literal, NamedTuple, NoReturn
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from apex_server.audit.chain import AuditChain
from apex_server.db import Database
from apex_server.sync.store import (
    AskedRecord,
    ClockSpan,
    RecordChange,
    RecordState,
    ScopeState,
    UnstorableBatch,
    Writer,
)
from tests.server.sync_world import workout
from tests.simulation.memory_commits import MemoryCommitStore
from tests.simulation.session_conformance import bind, draw
from tests.simulation.store_pen import A, B, C, Pen, everything_of, refused, rows_of, user_of
from tests.simulation.store_world import MemoryStoreWorld, PostgresStoreWorld, StoreWorld

pytestmark = pytest.mark.anyio

RECORDS = A, B, C
PLACES = 4
"""Pens of a cast."""


class Edit(NamedTuple):
    """What is done to one record: so many sets in it, and clocks added for others than the author, or buried.

    No document is empty; that would stand for one that is damaged.
    """

    record: int
    doc_bytes: int
    sets: int
    others: int
    dead: int


class Save(NamedTuple):
    """A commit in one of its ways: `stale` is the short one with the state last read, `abandon` fails in the block."""

    pen: int
    way: Literal["lock", "short", "stale", "abandon", "spoiled"]
    edits: list[Edit]


class Read(NamedTuple):
    """A reading of some records and the dead clocks in a stretch."""

    pen: int
    records: list[int]
    first_clock: int
    end_clock: int


class Bind(NamedTuple):
    """A client id used by a device."""

    pen: int
    client_id: int


class Draw(NamedTuple):
    """An id for the server, drawn for a user; `pen` None is the system."""

    pen: int | None
    epoch: int


class Relate(NamedTuple):
    """The coach engaged or dismissed."""

    together: bool


Deed = Save | Read | Bind | Draw | Relate

places = st.integers(0, PLACES - 1)
records = st.integers(0, len(RECORDS) - 1)
edits = st.builds(
    Edit, records, st.integers(1, 40), st.integers(0, 3), st.integers(0, 2), st.sampled_from([0, 0, 0, 2])
)
ways = st.sampled_from(["lock", "lock", "short", "short", "stale", "stale", "abandon", "spoiled"])
saves = st.builds(Save, places, ways, st.lists(edits, min_size=1, max_size=3, unique_by=lambda edit: edit.record))
deeds = st.one_of(
    saves,
    saves,
    saves,
    st.builds(Read, places, st.lists(records, unique=True), st.integers(0, 4), st.integers(0, 8)),
    st.builds(Bind, places, st.integers(1, 3)),
    st.builds(Draw, st.none() | places, st.integers(0, 1)),
    st.builds(Relate, st.booleans()),
)
numbers = count(1)


def stumble() -> NoReturn:
    """Fail as a bug does."""
    raise ZeroDivisionError


class Cast:
    """An athlete and a coach in one world; in another world the same people under the same ids."""

    def __init__(self, world: StoreWorld, number: int) -> None:
        self.world = world
        self.number = number
        self.together = False
        self.first, self.coach = self.uuid(1), self.uuid(2)
        self.pens: list[Pen] = []
        self.past: list[ScopeState] = []
        self.candidates = count(number * 100 + 20)

    def uuid(self, place: int) -> UUID:
        return UUID(int=self.number << 64 | place)

    async def enter(self) -> "Cast":
        """Come into the world, each with a pen for every scope they might write to."""
        own, private = f"athlete:{self.first}", f"private:{self.coach}:{self.first}"
        await self.world.add_person(self.first, "athlete")
        await self.world.add_person(self.coach, "coach")
        writers = (self.first, own), (self.first, own), (self.coach, own), (self.coach, private)
        for place, (user_id, scope) in enumerate(writers):
            device_id = self.uuid(place + 10)
            await self.world.add_device(user_id, device_id)
            self.pens.append(Pen(self.world, scope, Writer(user_id, device_id, self.number * 100 + place)))
        self.past = [await pen.state() for pen in self.pens]
        return self

    async def perform(self, deed: Deed) -> Any:
        """Do something, and give what was answered."""
        match deed:
            case Save(place):
                return await self.save(self.pens[place], self.past[place], deed)
            case Read(place, records, first_clock, end_clock):
                asked = [AskedRecord(RECORDS[one], first_clock, end_clock) for one in records]
                pen = self.pens[place]
                async with pen.store.session(pen.writer.user_id) as session:
                    view = await session.view(pen.scope, pen.writer.client_id, asked)
                self.past[place] = view.state
                return view._replace(seal=None)
            case Bind(place, client):
                return await bind(self.pens[place], self.number * 100 + 10 + client)
            case Draw(place, epoch):
                user_id = None if place is None else self.pens[place].writer.user_id
                return await draw(self.world, user_id, b"%7d%d" % (self.number, epoch), next(self.candidates))
            case Relate(together) if together != self.together:
                self.together = together
                await (self.world.engage if together else self.world.dismiss)(self.coach, self.first)

    async def save(self, pen: Pen, past: ScopeState, deed: Save) -> Any:
        """Commit in one way or another, and tell what came of it."""
        known = (await pen.view(*RECORDS)).records
        changes = [self.change(pen, edit, known) for edit in deed.edits]
        if deed.way == "spoiled":
            changes[-1] = replace(changes[-1], spans=[*changes[-1].spans, *changes[-1].spans])
        if deed.way in ("short", "stale"):
            return await pen.save_short(changes[0], past if deed.way == "stale" else None)
        try:
            async with pen.store.session(pen.writer.user_id) as session, session.locked(pen.scope) as locked:
                if locked.state.access is None:
                    return locked.state
                since = await locked.changed(pen.writer.client_id, [AskedRecord(one) for one in RECORDS], past.seq)
                await locked.save(pen.commit(locked.state, *changes))
                if deed.way == "abandon":
                    stumble()
        except (ZeroDivisionError, UnstorableBatch) as error:
            return type(error)
        return locked.state, since

    def change(self, pen: Pen, edit: Edit, known: Mapping[bytes, RecordState]) -> RecordChange:
        record_id = RECORDS[edit.record]
        before = known[record_id].record if record_id in known else None
        clock = 0 if before is None else before.seq
        return pen.change(
            record_id,
            before,
            b"%d" % edit.sets * edit.doc_bytes,
            rows=rows_of({**workout(sets=edit.sets), "title": ""}),
            spans=[ClockSpan(pen.writer.client_id + other * 50, clock, clock + 2) for other in range(edit.others + 1)],
            dead=[refused(pen.writer.client_id, clock) for clock in range(clock, clock + edit.dead)],
        )

    async def look(self) -> list[Any]:
        """See all that everyone can see, and all that is kept."""
        seen: list[Any] = []
        for pen in self.pens:
            seen.append(await pen.view(*RECORDS))
            async with self.world.feed_store().snapshot(user_of(pen)) as snapshot:
                seen.append(await everything_of(snapshot, pen.scope))
                seen.append([await snapshot.below(pen.scope, seq, 3, 50) for seq in range(4)])
                seen.append([await snapshot.above(pen.scope, seq, 2) for seq in range(4)])
                seen.append([sorted(await snapshot.spans(pen.scope, seq, seq + 2)) for seq in range(4)])
        for scope in {pen.scope: None for pen in self.pens}:
            seen.append(await self.world.audited(scope))
            seen.append(sorted(await self.world.projected(scope, "logged_sets")))
        return seen


@pytest.fixture
async def worlds(db: Database, database_url: str, monkeypatch: pytest.MonkeyPatch) -> list[StoreWorld]:
    # One installation has one key for its chains; it is random in each database.
    monkeypatch.setattr(MemoryCommitStore, "audit_chain", AuditChain(db.vault.server_key("audit_chain")))
    return [await MemoryStoreWorld().open(), await PostgresStoreWorld(db, database_url).open()]


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=st.lists(deeds, min_size=15, max_size=40))
async def test_both_give_the_same_answers(worlds: Sequence[StoreWorld], history: list[Deed]) -> None:
    number = next(numbers)
    in_memory, in_postgres = [await Cast(world, number).enter() for world in worlds]
    for deed in history:
        assert await in_memory.perform(deed) == await in_postgres.perform(deed), deed
    assert await in_memory.look() == await in_postgres.look()
