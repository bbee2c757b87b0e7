"""Content that Postgres does not take is refused whole, by any store and on each of its ways in."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from msgspec.structs import replace

from apex_server.sync.projection_tables import TABLES
from apex_server.sync.store import (
    RecordChange,
    UnstorableBatch,
)
from tests.server.sync_world import workout
from tests.simulation.store_pen import A, B, everything, pen_of, refused, rows_of
from tests.simulation.store_world import StoreWorld

Spoil = Callable[[RecordChange], RecordChange]


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
    "NUL in a text": lambda change: with_row(change, "logged_exercises", superset="A\0"),
    "half a surrogate pair": lambda change: with_row(change, "logged_exercises", superset="\ud83d"),
    "an integer too large": lambda change: with_row(change, "logged_sets", position=2**31),
    "a bigint too large": lambda change: with_row(change, "logged_sets", reps=2**63),
    "a key that is null": lambda change: with_row(change, "logged_sets", set_key=None),
    "two rows with one key": lambda change: with_row(change, "logged_sets", set_key="s1"),
    "no collection": lambda change: replace(change, collection=None),
    "two spans of one client": lambda change: replace(change, spans=[*change.spans] * 2),
    "half a surrogate pair in a refusal": lambda change: with_refusal(change, "\ud83d"),
}
"""What no record holds that was judged by this server; a bug of ours might make it, and must then hold up no other."""


class UnstorableConformance:
    """Content that Postgres does not take."""

    @pytest.mark.parametrize("spoil", SPOILED.values(), ids=SPOILED)
    @pytest.mark.parametrize("ahead", [False, True], ids=["", "encoded ahead"])
    async def test_a_commit_with_some_of_it_is_refused_whole(
        self, world: StoreWorld, spoil: Spoil, ahead: bool
    ) -> None:
        pen = await pen_of(world)
        await pen.save(pen.change(A, rows=rows_of(workout())))
        before = await everything(pen)
        good = pen.change(A, await pen.known(A), b"changed", rows=rows_of(workout(sets=3)))
        bad = spoil(pen.change(B, rows=rows_of(workout())))
        if ahead:
            await pen.encode(good, bad)
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
        pen = await pen_of(world)
        await pen.save(pen.change(A, rows=rows_of(workout())))
        before = await everything(pen)
        with pytest.raises(UnstorableBatch):
            await pen.save_short(spoil(pen.change(B, rows=rows_of(workout()))))
        assert await everything(pen) == before
        assert await pen.save_short(pen.change(B, rows=rows_of(workout())))

    async def test_a_record_that_is_there_is_not_stored_as_new(self, world: StoreWorld) -> None:
        pen = await pen_of(world)
        await pen.write(A)
        with pytest.raises(UnstorableBatch):
            await pen.save(pen.change(B), pen.change(A))
        assert await pen.known(B) is None
