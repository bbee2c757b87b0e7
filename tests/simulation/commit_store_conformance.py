"""What `apex_server.sync.store` promises of a commit store and a feed store, held against any implementation.

A test class derives from these and gives the fixture `world`.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from uuid import UUID

import anyio
import pytest
from anyio import CancelScope
from msgspec.structs import replace

from apex_server.db import DatabaseUnavailable
from apex_server.sync.projection_tables import TABLES
from apex_server.sync.projections import project
from apex_server.sync.store import (
    AskedRecord,
    ClockSpan,
    Commit,
    CommitSession,
    DeadClock,
    FeedSnapshot,
    GrantedScope,
    RecordChange,
    RowsByTable,
    ScopeState,
    SpanSince,
    UnstorableBatch,
)
from apex_sync.acceptance import Refusal, RefusedOp
from apex_sync.models import COLLECTIONS
from apex_sync.op import Patch
from tests.server.sync_world import workout
from tests.simulation.store_world import Pen, StoreWorld

A, B, C, D = (bytes([letter]) * 16 for letter in b"abcd")
"""Ids of records."""

NOTHING = ScopeState("athlete")
Spoil = Callable[[RecordChange], RecordChange]


def refused(client_id: int, clock: int, text: str = "no such field") -> DeadClock:
    """Make the dead clock of a refused op."""
    return DeadClock(client_id, clock, RefusedOp(b"%16d" % clock, Refusal(clock, "mistyped", "sets.s1", text)))


def rows_of(patch: Patch) -> RowsByTable:
    """Give the projection rows of a workout."""
    return project("workout_logs", COLLECTIONS["workout_logs"].read(patch)[0])


async def feed_of(pen: Pen) -> list[tuple[bytes, int]]:
    """Read the whole feed of a scope: record and seq."""
    async with pen.world.feed_store().snapshot(user_of(pen)) as snapshot:
        return [(entry.record_id, entry.seq) for entry in await snapshot.above(pen.scope, 0, 1000)]


async def everything_of(snapshot: FeedSnapshot, scope: str) -> tuple[Any, ...]:
    """Ask a snapshot all that can be asked of one scope."""
    return (
        [grant for grant in await snapshot.granted() if grant.scope == scope],
        await snapshot.above(scope, 0, 1000),
        await snapshot.below(scope, 1000, 1000, 2**40),
        await snapshot.first_seq(scope, [A, B, C, D]),
        await snapshot.count_outside(scope, 2, 2),
        sorted(await snapshot.spans(scope, 0, 1000)),
        await snapshot.records(scope, [A, B, C, D], 2**40),
        sorted(await snapshot.digests(scope)),
    )


class ViewConformance:
    """Reading before a commit."""

    async def test_a_scope_that_nobody_wrote_to_is_empty(self, world: StoreWorld) -> None:
        pen = await world.pen()
        assert await pen.view(A) == (NOTHING, {})
        assert await pen.view(A, B) == (NOTHING, {})

    async def test_what_is_not_there_is_left_out(self, world: StoreWorld) -> None:
        pen = await world.pen()
        await pen.save(pen.change(A), pen.change(B, doc=b"another"))
        one, two = await pen.view(C), await pen.view(B, C)
        assert one.records == {}
        assert list(two.records) == [B]
        assert one.state == two.state == await pen.state()

    async def test_a_stranger_sees_no_record(self, world: StoreWorld) -> None:
        pen = await world.pen()
        await pen.save(pen.change(A), pen.change(B))
        stranger = await world.pen(scope=pen.scope)
        for view in (await stranger.view(A), await stranger.view(A, B)):
            assert (view.state.access, view.records) == (None, {})

    async def test_everyone_is_told_what_they_may_do(self, world: StoreWorld) -> None:
        athlete = await world.athlete()
        coach = await world.coach(athlete)
        accesses = {
            (user, scope): (await (await world.pen(user, scope=scope)).state()).access
            for user in (athlete, coach)
            for scope in (f"athlete:{athlete}", f"private:{coach}:{athlete}", f"coach:{coach}", f"library:{coach}")
        }
        assert list(accesses.values()) == ["athlete", None, None, "reader", *["coach"] * 4]

    async def test_the_system_may_do_everything(self, world: StoreWorld) -> None:
        pen = await world.pen()
        await pen.write(A)
        async with world.commit_store().session(None) as session:
            view = await session.view(pen.scope, 1, [AskedRecord(A)])
        assert view.state.access == "system"
        assert list(view.records) == [A]

    @pytest.mark.parametrize("other", [[], [AskedRecord(B, 0, 9)]])
    async def test_dead_clocks_are_the_askers_and_of_the_stretch_it_asks_for(
        self, world: StoreWorld, other: list[AskedRecord]
    ) -> None:
        pen, stretch = await world.pen(), AskedRecord(A, 3, 6)
        own = pen.writer.client_id
        dead = [*(refused(own, clock) for clock in range(9)), refused(own + 1, 4)]
        await pen.save(pen.change(A, dead=dead), pen.change(B, dead=[refused(own, 7)]))
        async with pen.store.session(pen.writer.user_id) as session:
            found = (await session.view(pen.scope, own, [stretch, *other])).records
            foreign = (await session.view(pen.scope, own + 1, [stretch, *other])).records
        assert found[A].dead == {clock: dead[clock].op for clock in (3, 4, 5)}
        assert foreign[A].dead == {4: dead[9].op}

    async def test_what_was_compacted_away_has_no_refusal(self, world: StoreWorld) -> None:
        pen = await world.pen()
        gone = RefusedOp(b"x" * 16)
        await pen.save(pen.change(A, dead=[DeadClock(pen.writer.client_id, 0, gone)]))
        assert (await pen.view(A)).records[A].dead == {0: gone}


class LockConformance:
    """Commits under the lock of their scope."""

    async def test_changes_take_the_next_seqs_in_their_order(self, world: StoreWorld) -> None:
        pen = await world.pen()
        first = await pen.save(pen.change(C), pen.change(A))
        second = await pen.save(pen.change(B))
        assert await feed_of(pen) == [(C, 1), (A, 2), (B, 3)]
        assert second.before == ScopeState("athlete", 2, first.digest, 2)
        assert await pen.state() == ScopeState("athlete", 3, second.digest, 3)

    async def test_a_record_that_changes_moves_to_its_latest_seq(self, world: StoreWorld) -> None:
        pen = await world.pen()
        await pen.save(pen.change(A), pen.change(B))
        commit = await pen.save(pen.change(A, await pen.known(A), b"longer than before"))
        known = await pen.known(A)
        assert known is not None
        assert (known.seq, known.doc, known.digest) == (3, b"longer than before", commit.changes[0].digest)
        assert await feed_of(pen) == [(B, 2), (A, 3)]
        assert (await pen.state()).record_count == 2

    async def test_who_changed_what_is_kept(self, world: StoreWorld) -> None:
        pen = await world.pen()
        user_id, device_id, client_id = pen.writer
        await pen.write(A)
        known = await pen.known(A)
        spans = [ClockSpan(client_id, 1, 4), ClockSpan(client_id + 1, 0, 7)]
        await pen.save(pen.change(A, known, spans=spans), pen.change(B))
        assert await world.audited(pen.scope) == [
            (1, client_id, A, 0, 0, 1, user_id, device_id),
            (2, client_id, A, 1, 1, 4, user_id, device_id),
            (2, client_id + 1, A, 1, 0, 7, user_id, device_id),
            (3, client_id, B, 0, 0, 1, user_id, device_id),
        ]

    async def test_only_what_changed_after_a_seq_is_given_again(self, world: StoreWorld) -> None:
        pen = await world.pen()
        await pen.save(pen.change(A), pen.change(B), pen.change(C))
        await pen.save(pen.change(B, await pen.known(B), dead=[refused(pen.writer.client_id, 5)]))
        asked = [AskedRecord(A, 0, 9), AskedRecord(B, 0, 9), AskedRecord(D)]
        async with pen.store.session(pen.writer.user_id) as session, session.locked(pen.scope) as locked:
            since_3 = await locked.changed(pen.writer.client_id, asked, 3)
            since_0 = await locked.changed(pen.writer.client_id, asked, 0)
        assert since_3 == (await pen.view(B)).records
        assert since_0 == (await pen.view(A, B)).records

    async def test_a_block_that_fails_leaves_nothing(self, world: StoreWorld) -> None:
        pen = await world.pen()
        await pen.write(A)
        before = await everything(pen)
        with pytest.raises(ZeroDivisionError):
            await save_and(pen, lambda: 1 / 0)
        assert await everything(pen) == before
        await pen.write(B)

    async def test_a_block_that_is_cancelled_leaves_nothing(self, world: StoreWorld) -> None:
        pen = await world.pen()
        await pen.write(A)
        before = await everything(pen)
        with CancelScope() as scope:
            await save_and(pen, scope.cancel, anyio.sleep_forever)
        assert await everything(pen) == before
        await pen.write(B)

    async def test_nobody_sees_a_commit_before_its_block_ends(self, world: StoreWorld) -> None:
        pen = await world.pen()
        await pen.write(A)
        before = await everything(pen)
        during: list[Any] = []

        async def look() -> None:
            during.append(await everything(pen))

        await save_and(pen, lambda: None, look)
        assert during == [before]
        assert await everything(pen) != before

    async def test_a_scope_has_one_writer(self, world: StoreWorld) -> None:
        """Who comes second waits, and then sees what the first one did."""
        pen = await world.pen()
        order: list[str] = []

        async def come_second() -> None:
            async with pen.store.session(pen.writer.user_id) as session, session.locked(pen.scope) as locked:
                order.append(f"second at {locked.state.seq}")

        async with (
            anyio.create_task_group() as tasks,
            pen.store.session(pen.writer.user_id) as session,
            session.locked(pen.scope) as locked,
        ):
            await locked.save(pen.commit(locked.state, pen.change(A)))
            tasks.start_soon(come_second)
            await world.until_waiting()
            order.append("first")
        assert order == ["first", "second at 1"]

    async def test_other_scopes_are_not_held_up(self, world: StoreWorld) -> None:
        pen, other = await world.pen(), await world.pen()
        with anyio.fail_after(5):
            async with pen.holding():
                await other.write(A)
                assert await other.save_short(other.change(B))

    async def test_a_stranger_locks_nothing_and_waits_for_nothing(self, world: StoreWorld) -> None:
        pen = await world.pen()
        stranger = await world.pen(scope=pen.scope)
        with anyio.fail_after(5):
            for _ in range(2):
                async with (
                    pen.holding(),
                    stranger.store.session(stranger.writer.user_id) as session,
                    session.locked(pen.scope) as locked,
                ):
                    assert locked.state.access is None
                await pen.write(A, b"the scope is there now")

    async def test_who_is_dismissed_while_waiting_for_the_lock_may_not_write(self, world: StoreWorld) -> None:
        """Or a coach could write after the athlete was told that it is over."""
        pen = await world.pen()
        coach = await world.coach(user_of(pen))
        tablet = await world.pen(coach, scope=pen.scope)
        await pen.write(A)
        found: list[ScopeState] = []

        async def wait_for_it() -> None:
            async with tablet.store.session(coach) as session, session.locked(pen.scope) as locked:
                found.append(locked.state)

        async with anyio.create_task_group() as tasks, pen.holding():
            tasks.start_soon(wait_for_it)
            await world.until_waiting()
            await world.dismiss(coach, user_of(pen))
        assert [state.access for state in found] == [None]

    async def test_a_clock_dies_once(self, world: StoreWorld) -> None:
        pen = await world.pen()
        first = refused(pen.writer.client_id, 5, "the first answer")
        again = refused(pen.writer.client_id, 5, "another answer")
        await pen.save(pen.change(A, dead=[first]))
        await pen.save(pen.change(A, await pen.known(A), dead=[again, refused(pen.writer.client_id, 6)]))
        dead = (await pen.view(A)).records[A].dead
        assert dead[5] == first.op
        assert dead.keys() == {5, 6}

    async def test_what_is_encoded_ahead_is_stored_alike(self, world: StoreWorld) -> None:
        pen = await world.pen()
        rows = rows_of(workout(sets=3))
        changes = [pen.change(A, rows=rows), pen.change(B, rows=rows)]
        pen.store.encode(user_of(pen).bytes, changes[0])
        await pen.save(*changes)
        projected = await world.projected(pen.scope, "logged_sets")
        assert [row[1:] for row in projected if row[0] == A] == [row[1:] for row in projected if row[0] == B]
        assert len(projected) == 6


async def everything(pen: Pen) -> Any:
    """Look at all of a scope through every door."""
    async with pen.world.feed_store().snapshot(user_of(pen)) as snapshot:
        feed = await everything_of(snapshot, pen.scope)
    tables = [sorted(await pen.world.projected(pen.scope, name)) for name in ("logged_exercises", "logged_sets")]
    return feed, await pen.view(A, B, C, D), await pen.world.audited(pen.scope), tables


async def save_and(
    pen: Pen, then: Callable[[], object], meanwhile: Callable[[], Awaitable[None]] | None = None
) -> None:
    """Save all kinds of things under the lock, and do something before the block ends."""
    known = await pen.known(A)
    async with pen.store.session(pen.writer.user_id) as session, session.locked(pen.scope) as locked:
        rows = rows_of(workout())
        dead = [refused(pen.writer.client_id, 8)]
        changes = pen.change(A, known, b"changed", rows=rows, dead=dead), pen.change(B, rows=rows)
        await locked.save(pen.commit(locked.state, *changes))
        then()
        if meanwhile is not None:
            await meanwhile()


def with_row(change: RecordChange, table: str, **columns: Any) -> RecordChange:
    """Change columns of the first row of a table."""
    names = [column.name for column in TABLES[table].columns]
    first, *others = change.rows[table]
    row = tuple(columns.get(name, value) for name, value in zip(names, first, strict=True))
    return replace(change, rows={**change.rows, table: [row, *others]})


def with_refusal(change: RecordChange, text: str) -> RecordChange:
    """Let one op be refused in these words."""
    return replace(change, dead=[refused(change.spans[0].client_id, 1, text)])


SPOILED: Mapping[str, Spoil] = {
    "NUL in a text": lambda change: with_row(change, "logged_exercises", name="Bench\0Press"),
    "half a surrogate pair": lambda change: with_row(change, "logged_exercises", name="\ud83d"),
    "an integer too large": lambda change: with_row(change, "logged_sets", position=2**31),
    "a bigint too large": lambda change: with_row(change, "logged_sets", reps=2**63),
    "a key that is null": lambda change: with_row(change, "logged_sets", set_key=None),
    "two rows with one key": lambda change: with_row(change, "logged_sets", set_key="s1"),
    "no collection": lambda change: replace(change, collection=None),
    "two spans of one client": lambda change: replace(change, spans=[*change.spans] * 2),
    "NUL in a refusal": lambda change: with_refusal(change, "\0"),
}
"""What no record holds that was judged by this server; a bug of ours might make it, and must then hold up no other."""


class UnstorableConformance:
    """Content that Postgres does not take."""

    @pytest.mark.parametrize("spoil", SPOILED.values(), ids=SPOILED)
    @pytest.mark.parametrize("ahead", [False, True], ids=["", "encoded ahead"])
    async def test_a_commit_with_some_of_it_is_refused_whole(
        self, world: StoreWorld, spoil: Spoil, ahead: bool
    ) -> None:
        pen = await world.pen()
        await pen.save(pen.change(A, rows=rows_of(workout())))
        before = await everything(pen)
        good = pen.change(A, await pen.known(A), b"changed", rows=rows_of(workout(sets=3)))
        bad = spoil(pen.change(B, rows=rows_of(workout())))
        if ahead:
            for change in (good, bad):
                pen.store.encode(user_of(pen).bytes, change)
        async with pen.store.session(pen.writer.user_id) as session:
            with pytest.raises(UnstorableBatch):
                async with session.locked(pen.scope) as locked:
                    await locked.save(pen.commit(locked.state, good, bad))
            assert await everything(pen) == before
            async with session.locked(pen.scope) as locked:
                await locked.save(pen.commit(locked.state, good))
        assert len(await world.projected(pen.scope, "logged_sets")) == 3

    @pytest.mark.parametrize("spoil", [SPOILED[name] for name in SPOILED if "refusal" not in name])
    async def test_a_single_change_is_refused_alike(self, world: StoreWorld, spoil: Spoil) -> None:
        pen = await world.pen()
        await pen.save(pen.change(A, rows=rows_of(workout())))
        before = await everything(pen)
        with pytest.raises(UnstorableBatch):
            await pen.save_short(spoil(pen.change(B, rows=rows_of(workout()))))
        assert await everything(pen) == before
        assert await pen.save_short(pen.change(B, rows=rows_of(workout())))

    async def test_a_record_that_is_there_is_not_stored_as_new(self, world: StoreWorld) -> None:
        pen = await world.pen()
        await pen.write(A)
        with pytest.raises(UnstorableBatch):
            await pen.save(pen.change(B), pen.change(A))
        assert await pen.known(B) is None


class ShortWayConformance:
    """A single change without the lock."""

    async def test_it_leaves_what_the_lock_leaves(self, world: StoreWorld) -> None:
        """New records and old ones, more rows and fewer."""
        left = []
        for is_short in (False, True):
            pen = await world.pen()
            await pen.write(A)
            for record_id, sets in ((B, 3), (A, 2), (B, 1), (B, 0), (A, 2), (B, 2)):
                patch = {**workout(sets=sets), "title": "the same"}
                change = pen.change(record_id, await pen.known(record_id), b"%d sets" % sets, rows=rows_of(patch))
                assert await pen.save_short(change) if is_short else await pen.save(change)
            feed, view, audit, tables = await everything(pen)
            left.append((feed[1:5], feed[6:], view, [entry[2:6] for entry in audit], tables))
        assert left[0] == left[1]

    async def test_it_stores_nothing_once_the_scope_has_moved_on(self, world: StoreWorld) -> None:
        pen = await world.pen()
        await pen.write(A)
        state = await pen.state()
        await pen.write(B)
        before = await everything(pen)
        assert not await pen.save_short(pen.change(C, rows=rows_of(workout())), state)
        assert await everything(pen) == before

    async def test_it_stores_nothing_in_a_scope_that_was_never_written_to(self, world: StoreWorld) -> None:
        pen = await world.pen()
        assert not await pen.save_short(pen.change(A))
        assert await pen.view(A) == (NOTHING, {})

    async def test_it_stores_nothing_with_dead_ops(self, world: StoreWorld) -> None:
        pen = await world.pen()
        await pen.write(A)
        before = await everything(pen)
        assert not await pen.save_short(pen.change(B, dead=[refused(pen.writer.client_id, 1)]))
        assert await everything(pen) == before

    async def test_it_stores_nothing_for_who_was_dismissed(self, world: StoreWorld) -> None:
        pen = await world.pen()
        athlete = user_of(pen)
        coach = await world.coach(athlete)
        tablet = await world.pen(coach, scope=pen.scope)
        await pen.write(A)
        state = await tablet.state()
        await world.dismiss(coach, athlete)
        before = await everything(pen)
        assert not await tablet.save_short(tablet.change(B), state)
        assert await everything(pen) == before

    async def test_it_does_not_wait_for_who_holds_the_scope(self, world: StoreWorld) -> None:
        """It would wait with the grants of when it began, and not hear of a dismissal."""
        pen = await world.pen()
        await pen.write(A)
        state = await pen.state()
        with anyio.fail_after(5):
            async with pen.holding():
                assert not await pen.save_short(pen.change(B), state)
        assert await pen.save_short(pen.change(B), state)

    async def test_one_of_many_at_once_is_stored(self, world: StoreWorld) -> None:
        pens = [await world.pen()]
        pens += [await world.pen(user_of(pens[0])) for _ in range(3)]
        await pens[0].write(A)
        state = await pens[0].state()
        stored: list[bool] = []

        async def save(pen: Pen, record_id: bytes) -> None:
            stored.append(await pen.save_short(pen.change(record_id), state))

        async with anyio.create_task_group() as tasks:
            for pen, record_id in zip(pens, (B, C, D, b"e" * 16), strict=True):
                tasks.start_soon(save, pen, record_id)
        assert sorted(stored) == [False, False, False, True]
        assert (await pens[0].state()).seq == 2


class BindingConformance:
    """Whose a client id is."""

    async def test_a_client_id_is_the_devices_that_used_it_first(self, world: StoreWorld) -> None:
        phone, stranger = await world.pen(), await world.pen()
        watch = await world.pen(user_of(phone))
        answers = [await bind(pen, 77) for pen in (phone, watch, stranger, phone)]
        assert answers == [True, False, False, True]

    async def test_of_two_that_use_it_at_once_one_gets_it(self, world: StoreWorld) -> None:
        phone, stranger = await world.pen(), await world.pen()
        for client_id in range(1, 21):
            answers: list[bool] = []

            async def race(pen: Pen, client_id: int = client_id, answers: list[bool] = answers) -> None:
                answers.append(await bind(pen, client_id))

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(race, phone)
                tasks.start_soon(race, stranger)
            assert sorted(answers) == [False, True]

    async def test_the_server_has_one_id_for_a_user_in_an_epoch(self, world: StoreWorld) -> None:
        users = [await world.athlete(), await world.athlete(), None]
        candidates = iter(range(100, 200))
        first, again = [
            [await draw(world, user, epoch, next(candidates)) for user in users for epoch in (b"epoch  1", b"epoch  2")]
            for _ in range(2)
        ]
        assert first == list(range(100, 106))
        assert again == first

    async def test_of_two_that_draw_at_once_both_get_the_same(self, world: StoreWorld) -> None:
        user = await world.athlete()
        drawn: list[int] = []

        async def race(candidate: int) -> None:
            drawn.append(await draw(world, user, b"an epoch", candidate))

        async with anyio.create_task_group() as tasks:
            for candidate in range(1, 4):
                tasks.start_soon(race, candidate)
        assert len(set(drawn)) == 1

    async def test_no_device_gets_an_id_of_the_servers(self, world: StoreWorld) -> None:
        phone = await world.pen()
        for user in (user_of(phone), None):
            assert not await bind(phone, await draw(world, user, b"an epoch", 5 if user else 6))


def user_of(pen: Pen) -> UUID:
    """Say who writes."""
    assert pen.writer.user_id is not None
    return pen.writer.user_id


async def bind(pen: Pen, client_id: int) -> bool:
    """Use a client id on the device of a pen."""
    assert pen.writer.device_id is not None
    async with pen.store.session(pen.writer.user_id) as session:
        return await session.bind_client_id(pen.writer.device_id, client_id)


async def draw(world: StoreWorld, user_id: UUID | None, epoch: bytes, candidate: int) -> int:
    """Ask for the id under which the server writes for a user."""
    async with world.commit_store().session(user_id) as session:
        return await session.server_client_id(epoch, candidate, world.now_us())


class FeedConformance:
    """Reading the feed."""

    async def test_everyone_is_told_what_they_may_read(self, world: StoreWorld) -> None:
        """By name, with what was never written to as well."""
        athlete = await world.athlete()
        coach = await world.coach(athlete)
        pen = await world.pen(athlete)
        commit = await pen.save(pen.change(A), pen.change(B))
        own = GrantedScope(pen.scope, "athlete", 2, commit.digest, 2)
        assert await granted_to(world, athlete) == [
            own,
            GrantedScope("global", "reader", 0, 0, 0),
            GrantedScope(f"library:{coach}", "reader", 0, 0, 0),
        ]
        assert await granted_to(world, coach) == [
            own._replace(access="coach"),
            GrantedScope(f"coach:{coach}", "coach", 0, 0, 0),
            GrantedScope("global", "reader", 0, 0, 0),
            GrantedScope(f"library:{coach}", "coach", 0, 0, 0),
            GrantedScope(f"private:{coach}:{athlete}", "coach", 0, 0, 0),
        ]
        await world.dismiss(coach, athlete)
        assert [grant.scope for grant in await granted_to(world, athlete)] == [pen.scope, "global"]
        assert [grant.scope for grant in await granted_to(world, coach)] == [
            f"coach:{coach}",
            "global",
            f"library:{coach}",
        ]

    async def test_upwards_it_goes_on_after_a_seq(self, world: StoreWorld) -> None:
        pen = await world.pen()
        await pen.save(*(pen.change(record_id, doc=b"x" * size) for size, record_id in enumerate((A, B, C, D), 1)))
        async with world.feed_store().snapshot(user_of(pen)) as snapshot:
            assert await snapshot.above(pen.scope, 1, 2) == [(B, 2, 2), (C, 3, 3)]
            assert await snapshot.above(pen.scope, 3, 9) == [(D, 4, 4)]
            assert await snapshot.above(pen.scope, 4, 9) == []

    @pytest.mark.parametrize(
        ("records_max", "bytes_max", "expected"),
        [
            (9, 2**40, [C, B, A]),
            (2, 2**40, [C, B]),
            (9, 1, [C]),
            (9, 10, [C]),
            (9, 11, [C, B]),
            (9, 0, []),
            (9, -5, []),
        ],
    )
    async def test_downwards_it_gives_what_was_asked_for_and_the_last_may_go_beyond(
        self, world: StoreWorld, records_max: int, bytes_max: int, expected: list[bytes]
    ) -> None:
        pen = await world.pen()
        await pen.save(*(pen.change(record_id, doc=b"10 letters") for record_id in (A, B, C, D)))
        async with world.feed_store().snapshot(user_of(pen)) as snapshot:
            found = await snapshot.below(pen.scope, 4, records_max, bytes_max)
        assert [record.record_id for record in found] == expected

    @pytest.mark.parametrize(
        ("bytes_max", "expected"), [(2**62, [A, C, D]), (1, [A]), (10, [A]), (11, [A, C]), (0, []), (-5, [])]
    )
    async def test_records_come_by_id_and_the_last_may_go_beyond(
        self, world: StoreWorld, bytes_max: int, expected: list[bytes]
    ) -> None:
        pen = await world.pen()
        await pen.save(*(pen.change(record_id, doc=b"10 letters") for record_id in (D, C, A)))
        async with world.feed_store().snapshot(user_of(pen)) as snapshot:
            found = await snapshot.records(pen.scope, [C, D, B, C, A], bytes_max)
        assert [record.record_id for record in found] == expected

    async def test_a_record_comes_as_it_was_stored(self, world: StoreWorld) -> None:
        pen = await world.pen()
        change = pen.change(A, doc=b"\x00\xff", collection="check_ins")
        await pen.save(change)
        async with world.feed_store().snapshot(user_of(pen)) as snapshot:
            [by_id] = await snapshot.records(pen.scope, [A], 1)
            [by_seq] = await snapshot.below(pen.scope, 2, 1, 1)
            assert by_id == by_seq == (A, "check_ins", 1, b"\x00\xff", change.digest)
            assert await snapshot.digests(pen.scope) == [(A, change.digest)]

    async def test_places_are_found_and_counted(self, world: StoreWorld) -> None:
        pen = await world.pen()
        await pen.save(*map(pen.change, (A, B, C, D)))
        await pen.write(A)
        async with world.feed_store().snapshot(user_of(pen)) as snapshot:
            assert await snapshot.first_seq(pen.scope, [D, A]) == 4
            assert await snapshot.first_seq(pen.scope, [b"z" * 16]) is None
            assert [await snapshot.count_outside(pen.scope, tail, 4) for tail in range(5)] == [1, 1, 1, 2, 3]
            assert [await snapshot.count_outside(pen.scope, 0, head) for head in range(6)] == [4, 4, 3, 2, 1, 0]

    async def test_a_stretch_tells_who_added_what_since_when(self, world: StoreWorld) -> None:
        pen = await world.pen()
        own = pen.writer.client_id
        await pen.write(A)  # 1
        await pen.write(B)  # 2
        await pen.write(A)  # 3
        await pen.save(pen.change(A, await pen.known(A), spans=[ClockSpan(own, 2, 5), ClockSpan(9, 0, 1)]))  # 4
        await pen.save(pen.change(A, await pen.known(A), spans=[ClockSpan(9, 1, 3)]))  # 5
        async with world.feed_store().snapshot(user_of(pen)) as snapshot:
            stretches = [
                await snapshot.spans(pen.scope, *stretch) for stretch in ((0, 5), (2, 5), (3, 4), (4, 5), (5, 5))
            ]
        assert [sorted(stretch) for stretch in stretches] == [
            sorted([SpanSince(A, own, 0, 0), SpanSince(A, 9, 0, 3), SpanSince(B, own, 0, 0)]),
            sorted([SpanSince(A, own, 1, 1), SpanSince(A, 9, 0, 3)]),
            sorted([SpanSince(A, own, 2, 3), SpanSince(A, 9, 0, 3)]),
            [SpanSince(A, 9, 1, 4)],
            [],
        ]

    async def test_a_snapshot_shows_one_moment(self, world: StoreWorld) -> None:
        """Whatever is committed meanwhile, and whoever is dismissed."""
        pen = await world.pen()
        coach = await world.coach(user_of(pen))
        await pen.save(pen.change(A), pen.change(B))
        async with world.feed_store().snapshot(coach) as snapshot:
            before = await everything_of(snapshot, pen.scope)
            await pen.save(pen.change(A, await pen.known(A), b"changed"), pen.change(C))
            assert await pen.save_short(pen.change(D))
            await world.dismiss(coach, user_of(pen))
            assert await everything_of(snapshot, pen.scope) == before
        async with world.feed_store().snapshot(user_of(pen)) as snapshot:
            assert await everything_of(snapshot, pen.scope) != before

    async def test_a_scope_that_is_not_granted_has_nothing_in_it(self, world: StoreWorld) -> None:
        pen = await world.pen()
        await pen.save(pen.change(A), pen.change(B))
        async with world.feed_store().snapshot(await world.athlete()) as snapshot:
            assert await everything_of(snapshot, pen.scope) == ([], [], [], None, 0, [], [], [])


async def granted_to(world: StoreWorld, user_id: UUID) -> list[GrantedScope]:
    """List what a user may read."""
    async with world.feed_store().snapshot(user_id) as snapshot:
        return list(await snapshot.granted())


class OutageConformance:
    """A database that goes away."""

    async def test_a_commit_that_is_cut_off_leaves_nothing(self, world: StoreWorld) -> None:
        pen = await world.pen()
        await pen.write(A)
        before = await everything(pen)
        with pytest.raises(DatabaseUnavailable):
            await save_and(pen, lambda: None, world.cut_connections)
        assert await everything(pen) == before
        await pen.write(B)

    @pytest.mark.parametrize("way", ["view", "lock", "short way", "binding", "drawing"])
    async def test_a_session_that_is_cut_off_says_so(self, world: StoreWorld, way: str) -> None:
        pen = await world.pen()
        commit = pen.commit(await pen.state(), pen.change(A))
        with pytest.raises(DatabaseUnavailable):
            async with pen.store.session(pen.writer.user_id) as session:
                await world.cut_connections()
                await USES[way](session, commit)

    async def test_a_snapshot_that_is_cut_off_says_so(self, world: StoreWorld) -> None:
        pen = await world.pen()
        with pytest.raises(DatabaseUnavailable):
            async with world.feed_store().snapshot(user_of(pen)) as snapshot:
                await world.cut_connections()
                await snapshot.granted()
        assert await granted_to(world, user_of(pen))


async def lock(session: CommitSession, commit: Commit) -> None:
    """Try to commit under the lock."""
    async with session.locked(commit.scope) as locked:
        await locked.save(commit)


USES: Mapping[str, Callable[[CommitSession, Commit], Awaitable[object]]] = {
    "view": lambda session, commit: session.view(commit.scope, 1, [AskedRecord(A)]),
    "lock": lock,
    "short way": lambda session, commit: session.save_if_unchanged(commit),
    "binding": lambda session, commit: session.bind_client_id(UUID(int=1), 1),
    "drawing": lambda session, commit: session.server_client_id(b"an epoch", 1, 1),
}
"""What a session is for."""


class StoreConformance(
    ViewConformance,
    LockConformance,
    UnstorableConformance,
    ShortWayConformance,
    BindingConformance,
    FeedConformance,
    OutageConformance,
):
    """All of it."""
