"""Many writers, lost answers, killed backends, records that Postgres will not have: nothing lost, nothing twice."""

import asyncio
import gc
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from random import Random
from typing import Any
from uuid import UUID

import anyio
import asyncpg
import pytest
from msgspec.structs import replace

from apex_server.db import Database, DatabaseUnavailable
from apex_server.sync import PostgresCommitStore
from apex_server.sync.store import Commit, CommitSession, LockedScope, UnstorableBatch
from tests.server.sync_world import Device, World, assert_consistent, workout

pytestmark = pytest.mark.anyio


@pytest.fixture
async def world(db: Database, database_url: str) -> World:
    return await World(db, database_url).open()


@pytest.mark.parametrize("seed", [1, 2])
async def test_two_devices_edit_500_records_in_any_order_and_agree(world: World, seed: int) -> None:
    """Every edit is there, and conflicts are listed exactly where both wrote one leaf."""
    random = Random(seed)
    athlete = await world.athlete()
    phone, watch = await world.device(athlete), await world.device(athlete)
    record_ids = [phone.write(workout(fatigue=5)) for _ in range(500)]
    await phone.sync()
    await watch.sync()
    contested = set(random.sample(record_ids, 100))
    for record_id in record_ids:
        phone.write({"sets": {"s0": {"reps": 11}}, **({"mood": 3} if record_id in contested else {})}, record_id)
        watch.write({"sets": {"s1": {"rpe": 8.5}}, **({"mood": 9} if record_id in contested else {})}, record_id)
    devices = [phone, watch] if random.random() < 0.5 else [watch, phone]
    for device in (*devices, *devices):
        await sync_with_lost_answers(device, random)
    assert phone.digest(phone.scope) == watch.digest(watch.scope)
    for record_id in record_ids:
        folded = phone.state(record_id)
        assert folded.state["sets"]["s0"]["reps"] == 11
        assert folded.state["sets"]["s1"]["rpe"] == 8.5
        assert [conflict.path for conflict in folded.conflicts] == ([("mood",)] if record_id in contested else [])
    [row] = await world.sql("SELECT count(*) FROM records WHERE has_conflicts")
    assert row["count"] == 100
    await assert_consistent(world)


async def sync_with_lost_answers(device: Device, random: Random) -> None:
    for _ in range(200):
        keys = device.outbox()
        random.shuffle(keys)
        keys = keys[: random.randint(1, 250)]
        response = await device.send(device.request(keys, pull_bytes=random.choice([2_000, 100_000])))
        if random.random() < 0.3:
            continue
        device.take(keys, response)
        if not device.outbox() and not any(page.remaining for page in response.pages):
            return
    raise AssertionError("the device never settled")


async def test_many_writers_to_one_scope_and_its_readers_miss_nothing(world: World) -> None:
    """Gapless: a reader that follows the feed while others commit ends up with every record."""
    athlete = await world.athlete()
    writers = [await world.device(athlete) for _ in range(8)]
    readers = [await world.device(athlete) for _ in range(3)]
    shared = writers[0].write(workout())
    await writers[0].sync()
    done = anyio.Event()

    async def write(device: Device) -> None:
        await device.sync()
        for step in range(12):
            for _ in range(step % 4):
                device.write(workout())
            device.write({"sets": {f"w{device.client_id % 1000}": {"reps": step}}}, shared)
            await device.sync(pull_bytes=4_000)

    async def read(device: Device) -> None:
        while not done.is_set():
            await device.sync(pull_bytes=3_000)

    async with anyio.create_task_group() as tasks:
        for reader in readers:
            tasks.start_soon(read, reader)
        async with anyio.create_task_group() as writing:
            for writer in writers:
                writing.start_soon(write, writer)
        done.set()
    for device in (*writers, *readers):
        await device.sync()
    digests = {device.digest(device.scope) for device in (*writers, *readers)}
    assert len(digests) == 1
    assert len(readers[0].docs) == 1 + 8 * 18
    await assert_consistent(world)


async def test_a_coach_who_is_dismissed_in_the_middle_writes_nothing_more(world: World) -> None:
    athlete = await world.athlete()
    coach = await world.coach(athlete)
    tablet = await world.device(coach)
    scope = f"athlete:{athlete}"
    first = tablet.write({"name": "Block 1"}, collection="programs", scope=scope)
    await tablet.sync()
    await world.dismiss(coach, athlete)
    tablet.write({"name": "Block 2"}, first, collection="programs", scope=scope)
    tablet.write({"name": "Block 3"}, collection="programs", scope=scope)
    response = await tablet.send(tablet.request())
    assert [result.refusals[0].code for result in response.results] == ["not_granted", "not_granted"]
    assert scope in response.forget
    assert len(await world.sql("SELECT * FROM audit")) == 1


class Meddling(PostgresCommitStore):
    """The real store, with something happening between what a commit reads and its lock."""

    def __init__(self, db: Database, happening: Any) -> None:
        super().__init__(db)
        self.happening = happening

    @asynccontextmanager
    async def session(self, user_id: UUID | None) -> AsyncIterator[Any]:
        async with super().session(user_id) as session:
            yield MeddlingSession(session, self.happening)


class MeddlingSession:
    def __init__(self, session: Any, happening: Any) -> None:
        self.session = session
        self.happening = happening

    def __getattr__(self, name: str) -> Any:
        return getattr(self.session, name)

    async def view(self, *arguments: Any) -> Any:
        view = await self.session.view(*arguments)
        happening, self.happening = self.happening, None
        await happening()
        return view


@pytest.mark.parametrize("records", [1, 40])
async def test_a_dismissal_between_reading_and_locking_still_counts(world: World, db: Database, records: int) -> None:
    athlete = await world.athlete()
    coach = await world.coach(athlete)
    phone, tablet = await world.device(athlete), await world.device(coach)
    phone.write(workout())
    await phone.sync()
    for _ in range(records):
        tablet.write({"name": "Block"}, collection="programs", scope=f"athlete:{athlete}")
    await world.open(Meddling(db, lambda: world.dismiss(coach, athlete)))
    response = await tablet.send(tablet.request(pull=False))
    assert {result.refusals[0].code for result in response.results} == {"not_granted"}
    assert len(await world.sql("SELECT * FROM records")) == 1


@pytest.mark.parametrize("records", [1, 40])
async def test_what_others_commit_between_reading_and_locking_is_judged_with(
    world: World, db: Database, records: int
) -> None:
    athlete = await world.athlete()
    phone, watch = await world.device(athlete), await world.device(athlete)
    record_ids = [phone.write(workout()) for _ in range(records)]
    await phone.sync()
    await watch.sync()
    for record_id in record_ids:
        phone.write({"fatigue": 4}, record_id)
        watch.write({"mood": 6}, record_id)
    keys = watch.outbox()
    first = watch.request(keys, pull=False)
    committer = world.committer

    async def meanwhile() -> None:
        user, device = phone.caller.user_id, phone.caller.device_id
        await committer.push(user, device, phone.client_id, phone.request(pull=False).push)
        await committer.push(user, watch.caller.device_id, watch.client_id, first.push[: records // 2])

    await world.open(Meddling(db, meanwhile))
    response = await watch.send(first)
    statuses = [result.status for result in response.results]
    assert statuses == ["duplicate"] * (records // 2) + ["applied"] * (records - records // 2)
    await world.open()
    await phone.sync()
    await watch.sync()
    assert phone.digest(phone.scope) == watch.digest(watch.scope)
    assert all(phone.state(record_id).state["mood"] == 6 for record_id in record_ids)
    await assert_consistent(world)


class Allergic(PostgresCommitStore):
    """The real store, on a Postgres that will not have certain records."""

    def __init__(self, db: Database, poison: set[bytes]) -> None:
        super().__init__(db)
        self.poison = poison
        self.saves = 0

    @asynccontextmanager
    async def session(self, user_id: UUID | None) -> AsyncIterator[Any]:
        async with super().session(user_id) as session:
            yield AllergicSession(session, self)


class AllergicSession:
    def __init__(self, session: CommitSession, store: Allergic) -> None:
        self.session = session
        self.store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self.session, name)

    @asynccontextmanager
    async def locked(self, scope: str) -> AsyncIterator[LockedScope]:
        async with self.session.locked(scope) as locked:
            save = locked.save

            async def save_or_refuse(commit: Commit) -> None:
                self.store.saves += 1
                await save(spoiled(commit, self.store.poison))

            locked.save = save_or_refuse  # type: ignore[method-assign]
            yield locked

    async def save_if_unchanged(self, commit: Commit) -> bool:
        return await self.session.save_if_unchanged(spoiled(commit, self.store.poison))


def spoiled(commit: Commit, poison: set[bytes]) -> Commit:
    """Make Postgres itself refuse a poisonous record: a collection is not null."""
    changes = [
        replace(change, collection=None if change.record_id in poison else change.collection)
        for change in commit.changes
    ]
    return replace(commit, changes=changes)


async def test_a_record_that_postgres_refuses_is_found_and_holds_up_no_other(world: World, db: Database) -> None:
    phone = await world.device(await world.athlete())
    record_ids = [phone.write(workout()) for _ in range(100)]
    poison = {record_ids[17], record_ids[18], record_ids[90]}
    store = Allergic(db, poison)
    await world.open(store)
    response = await phone.send(phone.request())
    statuses = [result.status for result in response.results]
    assert [place for place, status in enumerate(statuses) if status == "retry"] == [17, 18, 90]
    assert statuses.count("applied") == 97
    assert store.saves < 40
    await world.open()
    await phone.sync()
    assert len(await world.sql("SELECT * FROM records")) == 100
    await assert_consistent(world)


async def test_a_single_op_that_postgres_refuses_stays_with_its_device(world: World, db: Database) -> None:
    phone = await world.device(await world.athlete())
    record_id = phone.write(workout())
    await phone.sync()
    phone.write({"fatigue": 2}, record_id)
    await world.open(Allergic(db, {record_id}))
    assert [result.status for result in (await phone.send(phone.request())).results] == ["retry"]
    await world.open()
    await phone.sync()
    await assert_consistent(world)


@pytest.mark.parametrize("records", [1, 60])
async def test_backends_killed_during_commits_lose_and_double_nothing(world: World, records: int) -> None:
    """Whatever statement the backend dies in, the push that comes again finds out what had become of it."""
    athlete = await world.athlete()
    phone, watch = await world.device(athlete), await world.device(athlete)
    record_ids = [phone.write(workout()) for _ in range(records)]
    await phone.sync()
    await watch.sync()
    # A machine that is busy commits later: killed faster than it commits, it would come to nothing.
    begun = anyio.current_time()
    for step in range(5):
        for record_id in record_ids:
            phone.write({"fatigue": step + 1}, record_id)
        await phone.sync()
    commit_seconds = (anyio.current_time() - begun) / 5
    retries = step = 0
    async with killing_backends(world.owner_url, 2 * commit_seconds) as kills:
        while retries < 12 and step < 1_000:
            step += 1
            for record_id in record_ids:
                phone.write({"fatigue": step}, record_id)
            while phone.outbox():
                keys = phone.outbox()
                response = await phone.send(phone.request(keys, pull=False))
                assert {result.status for result in response.results} <= {"applied", "duplicate", "retry"}
                retries += response.retry_after > 0
                phone.take(keys, response)
    await phone.sync()
    await watch.sync()
    assert phone.digest(phone.scope) == watch.digest(watch.scope)
    assert retries >= 12, f"{len(kills)} kills in {step} steps met no commit"
    await assert_consistent(world)


@asynccontextmanager
async def killing_backends(owner_url: str, seconds_between: float) -> AsyncIterator[list[int]]:
    """End the backends of commits again and again, at random moments; gives the list of the pids."""
    random = Random(5)
    kills: list[int] = []
    owner = await asyncpg.connect(owner_url)

    async def kill() -> None:
        while True:
            await anyio.sleep(random.random() * 2 * seconds_between)
            killed = await owner.fetch(
                "WITH commits AS MATERIALIZED ("
                "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND usename = 'apex_commit') "
                "SELECT pid FROM commits WHERE pg_terminate_backend(pid)"
            )
            kills.extend(row["pid"] for row in killed)

    # asyncpg reports what a dying connection had left over to the loop, which here would fail the test.
    loop = asyncio.get_running_loop()
    usual = loop.get_exception_handler()
    loop.set_exception_handler(lambda _loop, _context: None)
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(kill)
            yield kills
            tasks.cancel_scope.cancel()
    finally:
        await owner.close()
        gc.collect()
        loop.set_exception_handler(usual)


async def test_a_database_that_is_gone_is_answered_with_retry(world: World, db: Database) -> None:
    phone = await world.device(await world.athlete())
    phone.write(workout())
    await phone.sync()
    phone.write(workout())
    request = phone.request()

    class Gone(PostgresCommitStore):
        @asynccontextmanager
        async def session(self, user_id: UUID | None) -> AsyncIterator[Any]:
            if await world.sql("SELECT 1"):
                raise DatabaseUnavailable("gone")
            yield

    await world.open(Gone(db))
    response = await phone.send(request)
    assert [result.status for result in response.results] == ["retry"]
    assert response.retry_after > 0
    assert response.pages == []


async def test_a_record_that_trips_our_own_code_holds_up_no_other(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    phone = await world.device(await world.athlete())
    record_ids = [phone.write(workout()) for _ in range(3)]

    def trip(hearing: Any, pushed: Any, state: Any) -> Any:
        if pushed.record_id == record_ids[1]:
            raise ZeroDivisionError
        return judge_push(hearing, pushed, state)

    from apex_server.sync import commit
    from apex_server.sync.judging import judge_push

    monkeypatch.setattr(commit, "judge_push", trip)
    response = await phone.send(phone.request())
    assert [result.status for result in response.results] == ["applied", "retry", "applied"]


def test_the_errors_that_bisect_are_those_of_content() -> None:
    """A wrong statement of ours must not be taken for a wrong record, or every push would be cut to pieces."""
    from apex_server.sync.postgres_commits import UNSTORABLE

    assert issubclass(asyncpg.NotNullViolationError, UNSTORABLE)
    assert issubclass(asyncpg.NumericValueOutOfRangeError, UNSTORABLE)
    assert not issubclass(asyncpg.UndefinedColumnError, UNSTORABLE)
    assert not issubclass(asyncpg.DeadlockDetectedError, UNSTORABLE)
    assert UnstorableBatch("x").reason == "x"
    assert isinstance((), Sequence)
