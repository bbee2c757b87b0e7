"""What `apex_server.sync.store` promises of a feed store, held against any implementation."""

from uuid import UUID

import pytest

from apex_server.sync.store import (
    ClockSpan,
    GrantedScope,
    SpanSince,
)
from tests.simulation.store_pen import A, B, C, D, everything_of, pen_of, user_of
from tests.simulation.store_world import StoreWorld


class FeedConformance:
    """Reading the feed."""

    async def test_everyone_is_told_what_they_may_read(self, world: StoreWorld) -> None:
        """By name, with what was never written to as well."""
        athlete = await world.athlete()
        coach = await world.coach(athlete)
        pen = await pen_of(world, athlete)
        commit = await pen.save(pen.change(A), pen.change(B))
        own = GrantedScope(pen.scope, "athlete", 2, commit.digest, 2)
        assert await granted_to(world, athlete) == [
            own,
            GrantedScope("global", "reader", 0, 0, 0),
            GrantedScope(f"library:{coach}", "reader", 0, 0, 0),
            GrantedScope(f"thread:{coach}:{athlete}", "athlete", 0, 0, 0),
        ]
        assert await granted_to(world, coach) == [
            own._replace(access="coach"),
            GrantedScope(f"coach:{coach}", "coach", 0, 0, 0),
            GrantedScope("global", "reader", 0, 0, 0),
            GrantedScope(f"library:{coach}", "coach", 0, 0, 0),
            GrantedScope(f"private:{coach}:{athlete}", "coach", 0, 0, 0),
            GrantedScope(f"thread:{coach}:{athlete}", "coach", 0, 0, 0),
        ]
        await world.dismiss(coach, athlete)
        assert [grant.scope for grant in await granted_to(world, athlete)] == [pen.scope, "global"]
        assert [grant.scope for grant in await granted_to(world, coach)] == [
            f"coach:{coach}",
            "global",
            f"library:{coach}",
        ]

    async def test_upwards_it_goes_on_after_a_seq(self, world: StoreWorld) -> None:
        pen = await pen_of(world)
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
        pen = await pen_of(world)
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
        pen = await pen_of(world)
        await pen.save(*(pen.change(record_id, doc=b"10 letters") for record_id in (D, C, A)))
        async with world.feed_store().snapshot(user_of(pen)) as snapshot:
            found = await snapshot.records(pen.scope, [C, D, B, C, A], bytes_max)
        assert [record.record_id for record in found] == expected

    async def test_a_record_comes_as_it_was_stored(self, world: StoreWorld) -> None:
        pen = await pen_of(world)
        change = pen.change(A, doc=b"\x00\xff", collection="check_ins")
        await pen.save(change)
        async with world.feed_store().snapshot(user_of(pen)) as snapshot:
            [by_id] = await snapshot.records(pen.scope, [A], 1)
            [by_seq] = await snapshot.below(pen.scope, 2, 1, 1)
            assert by_id == by_seq == (A, "check_ins", 1, b"\x00\xff", change.digest)
            assert await snapshot.digests(pen.scope) == [(A, change.digest)]

    async def test_places_are_found_and_counted(self, world: StoreWorld) -> None:
        pen = await pen_of(world)
        await pen.save(*map(pen.change, (A, B, C, D)))
        await pen.write(A)
        async with world.feed_store().snapshot(user_of(pen)) as snapshot:
            assert await snapshot.first_seq(pen.scope, [D, A]) == 4
            assert await snapshot.first_seq(pen.scope, [b"z" * 16]) is None
            assert [await snapshot.count_outside(pen.scope, tail, 4) for tail in range(5)] == [1, 1, 1, 2, 3]
            assert [await snapshot.count_outside(pen.scope, 0, head) for head in range(6)] == [4, 4, 3, 2, 1, 0]

    async def test_a_stretch_tells_who_added_what_since_when(self, world: StoreWorld) -> None:
        pen = await pen_of(world)
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
        pen = await pen_of(world)
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
        pen = await pen_of(world)
        await pen.save(pen.change(A), pen.change(B))
        async with world.feed_store().snapshot(await world.athlete()) as snapshot:
            assert await everything_of(snapshot, pen.scope) == ([], [], [], None, 0, [], [], [])


async def granted_to(world: StoreWorld, user_id: UUID) -> list[GrantedScope]:
    """List what a user may read."""
    async with world.feed_store().snapshot(user_id) as snapshot:
        return list(await snapshot.granted())
