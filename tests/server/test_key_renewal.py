"""A person gets another data key while they write, wherever that stops; the old one goes when nothing needs it."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import anyio
import msgspec
import pytest

from apex_server.audit.events import open_sealed_part, record_event
from apex_server.db import Database
from apex_server.key_renewal import KeyRenewal, asking
from apex_server.key_renewal import renewal as renewal_module
from apex_server.key_renewal.renewal import KEYS_HELD_MAX, LEASE, LOOK_AGAIN
from apex_server.key_renewal.resealing import KEPT_FOR_THEM, THEIR_OWN, seal_person_anew
from apex_server.key_renewal.resealing import _queries as resealing_queries
from apex_server.media.sealed_files import MEDIA_KEY, key_of_files
from apex_server.operations import verify as verify_database
from apex_server.people import USER_NAME
from apex_server.personal_data import BACKUPS_KEPT
from apex_server.settings import Settings
from apex_server.sync.resealing import SEALED_ALIKE
from apex_server.sync.sealing import DocumentSeal
from apex_server.sync.store import DAMAGED
from apex_server.vault import (
    KeyDestroyed,
    KeyRing,
    SealBroken,
    UserKey,
    new_master_key,
)
from apex_server.vault import rotate_master_key as rotate
from apex_server.vault.key_ring import FORMER_EVENTS_KEYS_MAX
from apex_server.vault.vault import user_key_context
from tests.server.accounts_app import Clock
from tests.server.key_renewing import (
    TO_KEPT,
    and_then,
    ask,
    erase,
    fail,
    fill_columns,
    key_of,
    open_world,
    pass_time,
    ring_of,
    step_of,
    train,
    value_in,
)
from tests.server.sync_world import World, assert_consistent, workout

pytestmark = pytest.mark.anyio


@pytest.fixture
async def world(db: Database, database_url: str) -> World:
    return await open_world(db, database_url)


NOT_SEALED_WITH_A_DATA_KEY = (
    "_hash", "_index", "digest", "chain", ".link", ".state", ".epoch", ".wrapped", ".key", ".hash", "pgqueuer.",
    "login_attempts.", "mfa_challenges.", "mails.crowd", "passkeys.credential_id", "passkeys.public_key",
    "refused_sign_ins.address", "schema_migrations.sha256", "used_budgets.account",
)  # fmt: skip
"""Hashes, public values, and what is sealed with a key of the installation."""

NOT_SEALED_ANEW = {"account_events.sealed", "export_chunks.sealed"}
"""Chained, with keys that stay; and gone long before a former key is."""


async def test_everything_of_a_person_is_sealed_with_another_key_and_then_the_old_one_goes(
    world: World, renewal: KeyRenewal, clock: Clock
) -> None:
    athlete, _ = await train(world)
    other, _ = await train(world)
    values = await fill_columns(world, athlete, await key_of(world, athlete))
    before = (await ring_of(world, athlete)).current
    assert await ask(world, clock) == 2

    await pass_time(renewal, clock, *TO_KEPT)

    assert await step_of(world, athlete) == "kept" == await step_of(world, other)
    ring = await ring_of(world, athlete)
    assert ring.current != before and [former.key for former in ring.former] == [before]
    await assert_consistent(world)
    assert (await verify_database(world.db, lambda *_: None)).is_sound
    old, new = UserKey(before), UserKey(ring.current)
    for column, plain in values.items():
        sealed = await value_in(world, column, athlete)
        assert new.open(sealed, what=column.place) == plain, column
        with pytest.raises(SealBroken):
            old.open(sealed, what=column.place)

    await pass_time(renewal, clock, BACKUPS_KEPT)

    assert await step_of(world, athlete) is None
    assert (await ring_of(world, athlete)).former == ()
    assert (await verify_database(world.db, lambda *_: None)).is_sound
    assert await renewal.step() == 0


async def test_a_new_key_seals_nothing_before_everybody_may_know_it(
    world: World, renewal: KeyRenewal, clock: Clock
) -> None:
    """Else whoever read the keys a moment before would take what is written a moment later for damage."""
    athlete, phone = await train(world)
    await ask(world, clock)
    await pass_time(renewal, clock, timedelta(0))
    held, held_before = await key_of(world, athlete), await ring_of(world, athlete)
    await pass_time(renewal, clock, KEYS_HELD_MAX - timedelta(seconds=1))
    assert (await ring_of(world, athlete)).former == ()
    await pass_time(renewal, clock, timedelta(seconds=1))
    phone.write(workout())
    await phone.sync()
    [row] = await world.sql("SELECT doc, digest, record_id FROM records ORDER BY seq DESC LIMIT 1")
    seal = DocumentSeal(f"athlete:{athlete}", UserKey(held_before.current))
    place = row["record_id"].bytes, row["digest"], bytes(row["doc"])
    assert seal.open(*place) == DAMAGED
    assert DocumentSeal(f"athlete:{athlete}", held).open(*place) != DAMAGED


@pytest.mark.parametrize(
    ("held", "table", "column", "person"),
    [("scopes WHERE scope_id", "records", "doc", "scope_id"), ("users WHERE id", "users", "name", "id")],
)
async def test_what_is_being_written_while_the_old_is_sealed_anew_is_never_overwritten(
    world: World, renewal: KeyRenewal, clock: Clock, held: str, table: str, column: str, person: str
) -> None:
    """A commit holds its scope before it writes; a changed name holds its row."""
    athlete, _ = await train(world, workouts=1)
    await ask(world, clock)
    await pass_time(renewal, clock, timedelta(0))
    async with world.as_owner() as writer, anyio.create_task_group() as tasks, writer.transaction():
        await writer.execute(f"SELECT 1 FROM {held} = $1 FOR NO KEY UPDATE", athlete)
        await writer.execute(f"UPDATE {table} SET {column} = 'written meanwhile' WHERE {person} = $1", athlete)
        tasks.start_soon(pass_time, renewal, clock, KEYS_HELD_MAX)
        while not await world.sql("SELECT 1 FROM pg_locks WHERE NOT granted"):  # noqa: ASYNC110
            await anyio.sleep(0.01)
    [row] = await world.sql(f"SELECT {column} FROM {table} WHERE {person} = $1", athlete)
    assert row[0] == b"written meanwhile"


async def test_what_is_written_at_any_moment_of_a_renewal_is_there_after_it(
    world: World, renewal: KeyRenewal, clock: Clock
) -> None:
    athlete, phone = await train(world)
    tablet = await world.device(athlete)
    records = [key[1] for key in phone.docs]
    await ask(world, clock)
    for number, span in enumerate((*TO_KEPT, KEYS_HELD_MAX, BACKUPS_KEPT)):
        phone.write(workout())
        phone.write({"notes": f"changed in step {number}"}, records[0])
        await phone.sync()
        await pass_time(renewal, clock, span)
        await tablet.sync()
        assert tablet.state(records[0]).state["notes"] == f"changed in step {number}"
        await assert_looks_alike(world, athlete)
    await pass_time(renewal, clock, KEYS_HELD_MAX, KEYS_HELD_MAX, BACKUPS_KEPT, timedelta(0))
    assert (await ring_of(world, athlete)).former == ()
    await assert_consistent(world)
    assert (await verify_database(world.db, lambda *_: None)).is_sound


async def test_what_a_slow_commit_sealed_with_the_former_key_is_found_by_the_second_look(
    world: World, renewal: KeyRenewal, clock: Clock
) -> None:
    athlete, _ = await train(world)
    slow = await key_of(world, athlete)
    await ask(world, clock)
    await pass_time(renewal, clock, *TO_KEPT[:2])
    await world.sql("UPDATE users SET name = $2 WHERE id = $1", athlete, slow.seal_text("Slow", what=USER_NAME))
    await pass_time(renewal, clock, KEYS_HELD_MAX)
    assert await step_of(world, athlete) == "resealing"
    await pass_time(renewal, clock, KEYS_HELD_MAX)
    assert await step_of(world, athlete) == "kept"
    sealed = await value_in(world, THEIR_OWN[0], athlete)
    assert UserKey((await ring_of(world, athlete)).current).open_text(sealed, what=USER_NAME) == "Slow"


@pytest.mark.parametrize("killed_after", [0, 1, 4])
async def test_a_worker_that_is_killed_in_the_middle_is_followed_by_another(
    world: World, renewal: KeyRenewal, clock: Clock, monkeypatch: pytest.MonkeyPatch, killed_after: int
) -> None:
    athlete, phone = await train(world, workouts=5)
    await ask(world, clock)
    await pass_time(renewal, clock, timedelta(0))
    with monkeypatch.context() as patch:
        patch.setattr(DocumentSeal, "sealed_anew", dying(DocumentSeal.sealed_anew, killed_after))
        with pytest.raises(ConnectionAbortedError):
            await pass_time(renewal, clock, KEYS_HELD_MAX)
    assert await step_of(world, athlete) == "resealing"
    phone.write(workout())
    await phone.sync()
    assert await renewal.step() == 0
    await pass_time(renewal, clock, LEASE, KEYS_HELD_MAX, KEYS_HELD_MAX)
    assert await step_of(world, athlete) == "kept"
    await assert_consistent(world)


async def test_a_damaged_document_keeps_its_own_key_and_holds_up_nobody_else(
    world: World, renewal: KeyRenewal, clock: Clock
) -> None:
    athlete, _ = await train(world)
    other, _ = await train(world)
    [row] = await world.sql(
        "SELECT record_id, doc FROM records JOIN scopes USING (scope_id) WHERE name = $1 LIMIT 1", f"athlete:{athlete}"
    )
    flipped = bytes([row["doc"][0], row["doc"][1] ^ 1, *row["doc"][2:]])
    await world.sql("UPDATE records SET doc = $2 WHERE record_id = $1", row["record_id"], flipped)
    await ask(world, clock)
    await pass_time(renewal, clock, *TO_KEPT)
    assert (await step_of(world, athlete), await step_of(world, other)) == ("resealing", "kept")
    assert len((await ring_of(world, athlete)).former) == 1
    await world.sql("UPDATE records SET doc = $2 WHERE record_id = $1", row["record_id"], row["doc"])
    await pass_time(renewal, clock, LOOK_AGAIN, KEYS_HELD_MAX)
    assert await step_of(world, athlete) == "kept"
    await assert_consistent(world)


async def test_a_process_that_has_the_old_keys_in_memory_reads_on_when_they_are_gone(
    world: World, renewal: KeyRenewal, clock: Clock, settings: Settings
) -> None:
    athlete, _ = await train(world)
    async with Database.open(settings, master_keys=world.db.vault.master_keys) as another:
        elsewhere = World(another, world.owner_url)
        held = await key_of(elsewhere, athlete)
        await ask(world, clock)
        await pass_time(renewal, clock, *TO_KEPT, BACKUPS_KEPT)
        sealed = await value_in(world, THEIR_OWN[0], athlete)
        assert (await key_of(elsewhere, athlete)).open_text(sealed, what=USER_NAME) == "Somebody"
        with pytest.raises(SealBroken):
            held.open_text(sealed, what=USER_NAME)


async def test_a_look_that_finds_nothing_counts_only_when_nobody_can_hold_the_former_key_alone(
    world: World, renewal: KeyRenewal, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker dies right after its look; the next one finds nothing, while a slow commit is under way."""
    athlete, _ = await train(world, workouts=1)
    slow = await key_of(world, athlete)
    await ask(world, clock)
    await pass_time(renewal, clock, timedelta(0))
    with monkeypatch.context() as patch:
        patch.setattr(renewal_module, "seal_person_anew", and_then(seal_person_anew, fail))
        with pytest.raises(ConnectionAbortedError):
            await pass_time(renewal, clock, KEYS_HELD_MAX)

    await pass_time(renewal, clock, LEASE)

    assert LEASE < KEYS_HELD_MAX and await step_of(world, athlete) == "resealing"
    await world.sql("UPDATE users SET name = $2 WHERE id = $1", athlete, slow.seal_text("Slow", what=USER_NAME))
    await pass_time(renewal, clock, KEYS_HELD_MAX - LEASE, KEYS_HELD_MAX)
    assert await step_of(world, athlete) == "kept"
    sealed = await value_in(world, THEIR_OWN[0], athlete)
    assert UserKey((await ring_of(world, athlete)).current).open_text(sealed, what=USER_NAME) == "Slow"


async def test_everybody_is_asked_for_and_their_scopes_are_found_among_all(
    world: World, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "PEOPLE_AT_ONCE", 2)
    for _ in range(5):
        await world.athlete()
    assert await ask(world, clock) == 5
    async with world.as_owner() as owner:
        await owner.execute("SET enable_seqscan = off")
        plan = await owner.fetch("EXPLAIN " + resealing_queries.list_scopes_about, str(uuid4()))
    assert "scopes_about" in str(plan)


async def test_two_changes_of_a_ring_at_once_are_both_in_it(world: World) -> None:
    athlete = await world.athlete()
    announced = bytes(range(32))

    async def note() -> None:
        async with world.db.commit_connection() as connection, connection.transaction():
            await world.db.vault.change_user_keys(connection, athlete, lambda ring: ring.needed_until(1))

    async with (
        anyio.create_task_group() as tasks,
        world.db.commit_connection() as connection,
        connection.transaction(),
    ):
        await world.db.vault.change_user_keys(connection, athlete, lambda ring: ring.announcing(announced, announced))
        tasks.start_soon(note)
        while not await world.sql("SELECT 1 FROM pg_locks WHERE NOT granted"):  # noqa: ASYNC110
            await anyio.sleep(0.01)
    assert (await ring_of(world, athlete)).next == announced


async def test_whoever_is_erased_in_the_middle_has_no_key_left(world: World, renewal: KeyRenewal, clock: Clock) -> None:
    athlete, _ = await train(world)
    await ask(world, clock)
    await pass_time(renewal, clock, *TO_KEPT[:2])
    await erase(world, athlete)
    await pass_time(renewal, clock, *TO_KEPT, BACKUPS_KEPT)
    with pytest.raises(KeyDestroyed):
        await key_of(world, athlete)
    assert await step_of(world, athlete) is None


async def test_keys_from_before_renewals_go_on_and_events_and_files_stay_readable(
    world: World, renewal: KeyRenewal, clock: Clock
) -> None:
    """A row of an older server holds one key. What is not written again stays with it: chained events, and files."""
    athlete, _ = await train(world)
    only = bytes(range(32))
    master = world.db.vault.master_keys
    assert master.current_id is not None
    wrapped = await master.wrap(only, master_key_id=master.current_id, context=user_key_context(athlete))
    await world.sql("DELETE FROM records")
    await world.sql("DELETE FROM logged_exercises")
    await world.sql("UPDATE data_keys SET wrapped = $2 WHERE user_id = $1", athlete, wrapped)
    old = await key_of(world, athlete)
    await fill_columns(world, athlete, old)
    async with world.db.commit_connection() as connection, connection.transaction():
        await record_event(
            connection, athlete, "password_changed", vault=world.db.vault, actor_id=None, address="192.0.2.1"
        )
    await ask(world, clock)
    await pass_time(renewal, clock, *TO_KEPT, BACKUPS_KEPT)
    async with world.db.commit_connection() as connection, connection.transaction():
        await record_event(
            connection, athlete, "password_changed", vault=world.db.vault, actor_id=None, address="192.0.2.2"
        )
    new = await key_of(world, athlete)
    rows = await world.sql("SELECT sealed FROM account_events WHERE subject_id = $1 ORDER BY seq", athlete)
    assert [open_sealed_part(new, row["sealed"]).address for row in rows] == ["192.0.2.1", "192.0.2.2"]
    with pytest.raises(SealBroken):  # Whoever has stolen the old key reads no event to come.
        open_sealed_part(UserKey(only), rows[1]["sealed"])
    assert key_of_files(new, None).open(UserKey(only).seal(b"film", what="x"), what="x") == b"film"
    with pytest.raises(SealBroken):
        new.open(UserKey(only).seal(b"film", what="x"), what="x")


async def test_an_event_of_the_new_key_opens_for_who_read_the_ring_before_it_sealed(
    world: World, renewal: KeyRenewal, clock: Clock
) -> None:
    athlete = await world.athlete()
    await ask(world, clock)
    await pass_time(renewal, clock, timedelta(0))
    held = await key_of(world, athlete)
    await pass_time(renewal, clock, KEYS_HELD_MAX)
    async with world.db.commit_connection() as connection, connection.transaction():
        await record_event(
            connection, athlete, "password_changed", vault=world.db.vault, actor_id=None, address="192.0.2.3"
        )
    [row] = await world.sql("SELECT sealed FROM account_events WHERE subject_id = $1", athlete)
    assert open_sealed_part(held, row["sealed"]).address == "192.0.2.3"


def test_a_ring_keeps_the_keys_of_all_events_and_has_a_bound() -> None:
    ring, keys = KeyRing(current=b"first", events=bytes(32)), [number.to_bytes(32) for number in range(1, 70)]
    for key in keys:
        ring = ring.announcing(b"next", key).renewed()
    assert ring.events == keys[FORMER_EVENTS_KEYS_MAX - 1]
    assert {bytes(32), *keys[: FORMER_EVENTS_KEYS_MAX - 1]} == set(ring.former_events)
    assert KeyRing.read(ring.write()) == ring


async def test_the_key_of_files_is_sealed_anew_and_the_files_are_not(
    world: World, renewal: KeyRenewal, clock: Clock
) -> None:
    athlete, _ = await train(world)
    column = next(column for column in KEPT_FOR_THEM if column.place == MEDIA_KEY)
    await fill_columns(world, athlete, await key_of(world, athlete))
    piece = key_of_files(await key_of(world, athlete), await value_in(world, column, athlete)).seal(b"film", what="x")
    await ask(world, clock)
    await pass_time(renewal, clock, *TO_KEPT, BACKUPS_KEPT)
    assert (
        key_of_files(await key_of(world, athlete), await value_in(world, column, athlete)).open(piece, what="x")
        == b"film"
    )


async def test_the_master_key_may_be_changed_in_the_middle(world: World, settings: Settings, clock: Clock) -> None:
    first, second = new_master_key(), new_master_key()
    key_settings = msgspec.structs.replace(settings, master_key=first)
    await world.sql("DELETE FROM server_keys")
    async with Database.open(key_settings) as database:
        there = await World(database, world.owner_url).open()
        athlete, _ = await train(there)
        await ask(there, clock)
        await pass_time(KeyRenewal(database, now=clock), clock, *TO_KEPT[:2])
    async with Database.open(
        msgspec.structs.replace(settings, master_key=second, former_master_keys=(first,))
    ) as database:
        await rotate(database.commit_connection, database.vault.master_keys)
        await pass_time(KeyRenewal(database, now=clock), clock, *TO_KEPT[2:])
        there = World(database, world.owner_url)
        assert await step_of(there, athlete) == "kept"
        await assert_consistent(there)


async def test_every_column_that_is_sealed_with_a_persons_key_is_sealed_anew(world: World) -> None:
    rows = await world.sql(
        "SELECT table_name || '.' || column_name AS named FROM information_schema.columns "
        "WHERE table_schema = 'public' AND data_type = 'bytea'"
    )
    known = {f"{column.table}.{column.column}" for column in (*THEIR_OWN, *KEPT_FOR_THEM)}
    known |= {f"{table}.{column}" for table, column in SEALED_ALIKE} | {"records.doc"} | NOT_SEALED_ANEW
    unknown = {
        row["named"]
        for row in rows
        if row["named"] not in known and not any(part in row["named"] for part in NOT_SEALED_WITH_A_DATA_KEY)
    }
    assert not unknown, "add it to key_renewal/resealing.py, or say here why a person's key did not seal it"


def dying(work: Callable[..., Any], calls: int) -> Callable[..., Any]:
    """Do something so many times, and die then."""
    left = [calls]

    def run(*arguments: Any) -> Any:
        if not left[0]:
            raise ConnectionAbortedError
        left[0] -= 1
        return work(*arguments)

    return run


async def assert_looks_alike(world: World, athlete: UUID) -> None:
    """Hold the names in rows to what they are, with whichever key they are sealed."""
    key = await key_of(world, athlete)
    rows = await world.sql("SELECT name FROM logged_exercises WHERE name IS NOT NULL")
    assert {key.open_alike(row["name"], what="logged_exercises.name") for row in rows} == {"Bench Press"}
