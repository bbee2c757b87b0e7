"""What `apex_server.sync.store` promises of a commit store, held against any implementation.

A test class derives from these classes and gives the fixture `world`; so do those of the other conformance modules.
"""

from typing import Any

import anyio
import pytest
from anyio import CancelScope
from msgspec.structs import replace

from apex_server.audit.chain import link_of
from apex_server.sync.chaining import audit_row, scope_chain_name
from apex_server.sync.store import (
    AskedRecord,
    ClockSpan,
    DeadClock,
    ScopeState,
    ScopeView,
)
from apex_sync.acceptance import RefusedOp
from apex_sync.ids import Scope
from tests.server.sync_world import START_US, workout
from tests.simulation.store_pen import A, B, C, D, Pen, everything, pen_of, refused, rows_of, save_and, user_of
from tests.simulation.store_world import StoreWorld

NOTHING = ScopeState("athlete")
"""A scope of their own that an athlete never wrote to."""


async def feed_of(pen: Pen) -> list[tuple[bytes, int]]:
    """Read the whole feed of a scope: record and seq."""
    async with pen.world.feed_store().snapshot(user_of(pen)) as snapshot:
        return [(entry.record_id, entry.seq) for entry in await snapshot.above(pen.scope, 0, 1000)]


class ViewConformance:
    """Reading before a commit."""

    async def test_a_scope_that_nobody_wrote_to_is_empty(self, world: StoreWorld) -> None:
        pen = await pen_of(world)
        assert await pen.view(A) == ScopeView(NOTHING, {})
        assert await pen.view(A, B) == ScopeView(NOTHING, {})

    async def test_what_is_not_there_is_left_out(self, world: StoreWorld) -> None:
        pen = await pen_of(world)
        await pen.save(pen.change(A), pen.change(B, doc=b"another"))
        one, two = await pen.view(C), await pen.view(B, C)
        assert one.records == {}
        assert list(two.records) == [B]
        assert one.state == two.state == await pen.state()

    async def test_a_stranger_sees_no_record(self, world: StoreWorld) -> None:
        pen = await pen_of(world)
        await pen.save(pen.change(A), pen.change(B))
        stranger = await pen_of(world, scope=pen.scope)
        for view in (await stranger.view(A), await stranger.view(A, B)):
            assert (view.state.access, view.records) == (None, {})

    async def test_everyone_is_told_what_they_may_do(self, world: StoreWorld) -> None:
        athlete = await world.athlete()
        coach = await world.coach(athlete)
        accesses = {
            (user, scope): (await (await pen_of(world, user, scope=scope)).state()).access
            for user in (athlete, coach)
            for scope in (f"athlete:{athlete}", f"private:{coach}:{athlete}", f"coach:{coach}", f"library:{coach}")
        }
        assert list(accesses.values()) == ["athlete", None, None, "reader", *["coach"] * 4]

    async def test_the_system_may_do_everything(self, world: StoreWorld) -> None:
        pen = await pen_of(world)
        await pen.write(A)
        async with world.commit_store().session(None) as session:
            view = await session.view(pen.scope, 1, [AskedRecord(A)])
        assert view.state.access == "system"
        assert list(view.records) == [A]

    @pytest.mark.parametrize("other", [[], [AskedRecord(B, 0, 9)]])
    async def test_dead_clocks_are_the_askers_and_of_the_stretch_it_asks_for(
        self, world: StoreWorld, other: list[AskedRecord]
    ) -> None:
        pen, stretch = await pen_of(world), AskedRecord(A, 3, 6)
        own = pen.writer.client_id
        dead = [*(refused(own, clock) for clock in range(9)), refused(own + 1, 4)]
        await pen.save(pen.change(A, dead=dead), pen.change(B, dead=[refused(own, 7)]))
        async with pen.store.session(pen.writer.user_id) as session:
            found = (await session.view(pen.scope, own, [stretch, *other])).records
            foreign = (await session.view(pen.scope, own + 1, [stretch, *other])).records
        assert found[A].dead == {clock: dead[clock].op for clock in (3, 4, 5)}
        assert foreign[A].dead == {4: dead[9].op}

    async def test_what_was_compacted_away_has_no_refusal(self, world: StoreWorld) -> None:
        pen = await pen_of(world)
        gone = RefusedOp(b"x" * 16)
        await pen.save(pen.change(A, dead=[DeadClock(pen.writer.client_id, 0, gone)]))
        assert (await pen.view(A)).records[A].dead == {0: gone}


class LockConformance:
    """Commits under the lock of their scope."""

    async def test_changes_take_the_next_seqs_in_their_order(self, world: StoreWorld) -> None:
        pen = await pen_of(world)
        first = await pen.save(pen.change(C), pen.change(A))
        second = await pen.save(pen.change(B))
        assert await feed_of(pen) == [(C, 1), (A, 2), (B, 3)]
        assert second.before == ScopeState("athlete", 2, first.digest, 2, first.chain)
        assert await pen.state() == ScopeState("athlete", 3, second.digest, 3, second.chain)

    async def test_a_record_that_changes_moves_to_its_latest_seq(self, world: StoreWorld) -> None:
        pen = await pen_of(world)
        await pen.save(pen.change(A), pen.change(B))
        commit = await pen.save(pen.change(A, await pen.known(A), b"longer than before"))
        known = await pen.known(A)
        assert known is not None
        assert (known.seq, known.doc, known.digest) == (3, b"longer than before", commit.changes[0].digest)
        assert await feed_of(pen) == [(B, 2), (A, 3)]
        assert (await pen.state()).record_count == 2

    async def test_who_changed_what_is_kept(self, world: StoreWorld) -> None:
        pen = await pen_of(world)
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

    async def test_the_audit_is_one_chain_whichever_way_a_change_came(self, world: StoreWorld) -> None:
        """Under the lock, the short way, and with several authors in a change."""
        pen = await pen_of(world)
        client_id = pen.writer.client_id
        spans = [ClockSpan(client_id + 1, 0, 7), ClockSpan(client_id, 1, 4)]
        await pen.save(pen.change(A), pen.change(B))
        assert await pen.save_short(pen.change(A, await pen.known(A), spans=spans))
        await pen.save(pen.change(C))
        scope_id = Scope.parse(pen.scope).id
        state = pen.store.audit_chain.beginning(scope_chain_name(scope_id, 0))
        links = []
        for seq, client, record_id, previous, first, following, user_id, device_id in await world.audited(pen.scope):
            span = ClockSpan(client, first, following)
            row = audit_row(seq, record_id, previous, span, user_id, device_id, START_US)
            state = pen.store.audit_chain.after(state, row)
            links.append(link_of(state))
        assert len(links) == 5
        assert await world.links(pen.scope) == links
        assert (await pen.state()).chain == state

    async def test_only_what_changed_after_a_seq_is_given_again(self, world: StoreWorld) -> None:
        pen = await pen_of(world)
        await pen.save(pen.change(A), pen.change(B), pen.change(C))
        await pen.save(pen.change(B, await pen.known(B), dead=[refused(pen.writer.client_id, 5)]))
        asked = [AskedRecord(A, 0, 9), AskedRecord(B, 0, 9), AskedRecord(C), AskedRecord(D)]
        async with pen.store.session(pen.writer.user_id) as session, session.locked(pen.scope) as locked:
            since_3 = await locked.changed(pen.writer.client_id, asked, 3)
            since_0 = await locked.changed(pen.writer.client_id, asked, 0)
        assert since_3 == (await pen.view(B)).records
        assert since_0 == (await pen.view(A, B, C)).records

    async def test_a_block_that_fails_leaves_nothing(self, world: StoreWorld) -> None:
        pen = await pen_of(world)
        await pen.write(A)
        before = await everything(pen)
        with pytest.raises(ZeroDivisionError):
            await save_and(pen, lambda: 1 / 0)
        assert await everything(pen) == before
        await pen.write(B)

    async def test_a_block_that_is_cancelled_leaves_nothing(self, world: StoreWorld) -> None:
        pen = await pen_of(world)
        await pen.write(A)
        before = await everything(pen)
        with CancelScope() as scope:
            await save_and(pen, scope.cancel, anyio.sleep_forever)
        assert await everything(pen) == before
        await pen.write(B)

    async def test_nobody_sees_a_commit_before_its_block_ends(self, world: StoreWorld) -> None:
        pen = await pen_of(world)
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
        pen = await pen_of(world)
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
        pen, other = await pen_of(world), await pen_of(world)
        with anyio.fail_after(5):
            async with pen.holding():
                await other.write(A)
                assert await other.save_short(other.change(B))

    async def test_a_stranger_locks_nothing_and_waits_for_nothing(self, world: StoreWorld) -> None:
        pen = await pen_of(world)
        stranger = await pen_of(world, scope=pen.scope)
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
        pen = await pen_of(world)
        coach = await world.coach(user_of(pen))
        tablet = await pen_of(world, coach, scope=pen.scope)
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
        pen = await pen_of(world)
        first = refused(pen.writer.client_id, 5, "the first answer")
        again = refused(pen.writer.client_id, 5, "another answer")
        await pen.save(pen.change(A, dead=[first]))
        await pen.save(pen.change(A, await pen.known(A), dead=[again, refused(pen.writer.client_id, 6)]))
        dead = (await pen.view(A)).records[A].dead
        assert dead[5] == first.op
        assert dead.keys() == {5, 6}

    async def test_what_is_encoded_ahead_is_stored_alike(self, world: StoreWorld) -> None:
        pen = await pen_of(world)
        rows = rows_of(workout(sets=3))
        changes = [pen.change(A, rows=rows), pen.change(B, rows=rows)]
        await pen.encode(changes[0])
        await pen.save(*changes)
        projected = await world.projected(pen.scope, "logged_sets")
        assert [row[1:] for row in projected if row[0] == A] == [row[1:] for row in projected if row[0] == B]
        assert len(projected) == 6


class ShortWayConformance:
    """A single change without the lock."""

    async def test_it_leaves_what_the_lock_leaves(self, world: StoreWorld) -> None:
        """New records and old ones, more rows and fewer."""
        left = []
        for is_short in (False, True):
            pen = await pen_of(world)
            await pen.write(A)
            for record_id, sets in ((B, 3), (A, 2), (B, 1), (B, 0), (A, 2), (B, 2)):
                patch = {**workout(sets=sets), "title": "the same"}
                change = pen.change(record_id, await pen.known(record_id), b"%d sets" % sets, rows=rows_of(patch))
                assert await pen.save_short(change) if is_short else await pen.save(change)
            feed, view, audit, tables = await everything(pen)
            unchained = replace(view.state, chain=b"")
            left.append((feed[1:5], feed[6:], (unchained, view.records), [entry[2:6] for entry in audit], tables))
        assert left[0] == left[1]

    async def test_it_stores_nothing_once_the_scope_has_moved_on(self, world: StoreWorld) -> None:
        pen = await pen_of(world)
        await pen.write(A)
        state = await pen.state()
        await pen.write(B)
        before = await everything(pen)
        assert not await pen.save_short(pen.change(C, rows=rows_of(workout())), state)
        assert await everything(pen) == before

    async def test_it_stores_nothing_in_a_scope_that_was_never_written_to(self, world: StoreWorld) -> None:
        pen = await pen_of(world)
        assert not await pen.save_short(pen.change(A))
        assert await pen.view(A) == ScopeView(NOTHING, {})

    async def test_it_stores_nothing_with_dead_ops(self, world: StoreWorld) -> None:
        pen = await pen_of(world)
        await pen.write(A)
        before = await everything(pen)
        assert not await pen.save_short(pen.change(B, dead=[refused(pen.writer.client_id, 1)]))
        assert await everything(pen) == before

    async def test_it_stores_nothing_for_who_was_dismissed(self, world: StoreWorld) -> None:
        pen = await pen_of(world)
        athlete = user_of(pen)
        coach = await world.coach(athlete)
        tablet = await pen_of(world, coach, scope=pen.scope)
        await pen.write(A)
        state = await tablet.state()
        await world.dismiss(coach, athlete)
        before = await everything(pen)
        assert not await tablet.save_short(tablet.change(B), state)
        assert await everything(pen) == before

    async def test_it_stores_nothing_for_a_stranger(self, world: StoreWorld) -> None:
        """Who may do nothing has the same access as before: none."""
        pen = await pen_of(world)
        await pen.write(A)
        stranger = await pen_of(world, scope=pen.scope)
        before = await everything(pen)
        assert not await stranger.save_short(stranger.change(B))
        assert await everything(pen) == before

    async def test_it_does_not_wait_for_who_holds_the_scope(self, world: StoreWorld) -> None:
        """It would wait with the grants of when it began, and not hear of a dismissal."""
        pen = await pen_of(world)
        await pen.write(A)
        state = await pen.state()
        with anyio.fail_after(5):
            async with pen.holding():
                assert not await pen.save_short(pen.change(B), state)
        assert await pen.save_short(pen.change(B), state)

    async def test_one_of_many_at_once_is_stored(self, world: StoreWorld) -> None:
        pens = [await pen_of(world)]
        pens += [await pen_of(world, user_of(pens[0])) for _ in range(3)]
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
