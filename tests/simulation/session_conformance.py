"""What `apex_server.sync.store` promises of a line to the store: whose a client id is, and what a cut line leaves."""

from collections.abc import Awaitable, Callable, Mapping
from uuid import UUID

import anyio
import pytest

from apex_server.db import DatabaseUnavailable
from apex_server.sync.store import (
    AskedRecord,
    Commit,
    CommitSession,
)
from tests.simulation.store_pen import A, B, Pen, everything, pen_of, save_and, user_of
from tests.simulation.store_world import StoreWorld


class BindingConformance:
    """Whose a client id is."""

    async def test_a_client_id_is_the_devices_that_used_it_first(self, world: StoreWorld) -> None:
        phone, stranger = await pen_of(world), await pen_of(world)
        watch = await pen_of(world, user_of(phone))
        answers = [await bind(pen, 77) for pen in (phone, watch, stranger, phone)]
        assert answers == [True, False, False, True]

    async def test_of_two_that_use_it_at_once_one_gets_it(self, world: StoreWorld) -> None:
        phone, stranger = await pen_of(world), await pen_of(world)
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
        phone = await pen_of(world)
        for user in (user_of(phone), None):
            assert not await bind(phone, await draw(world, user, b"an epoch", 5 if user else 6))


async def bind(pen: Pen, client_id: int) -> bool:
    """Use a client id on the device of a pen."""
    assert pen.writer.device_id is not None
    async with pen.store.session(pen.writer.user_id) as session:
        return await session.bind_client_id(pen.writer.device_id, client_id)


async def draw(world: StoreWorld, user_id: UUID | None, epoch: bytes, candidate: int) -> int:
    """Ask for the id under which the server writes for a user."""
    async with world.commit_store().session(user_id) as session:
        return await session.server_client_id(epoch, candidate, world.now_us())


class OutageConformance:
    """A database that goes away."""

    async def test_a_commit_that_is_cut_off_leaves_nothing(self, world: StoreWorld) -> None:
        pen = await pen_of(world)
        await pen.write(A)
        before = await everything(pen)
        with pytest.raises(DatabaseUnavailable):
            await save_and(pen, lambda: None, world.cut_connections)
        assert await everything(pen) == before
        await pen.write(B)

    @pytest.mark.parametrize("way", ["view", "lock", "short way", "binding", "drawing"])
    async def test_a_session_that_is_cut_off_says_so(self, world: StoreWorld, way: str) -> None:
        pen = await pen_of(world)
        commit = pen.commit(await pen.state(), pen.change(A))
        with pytest.raises(DatabaseUnavailable):
            async with pen.store.session(pen.writer.user_id) as session:
                await world.cut_connections()
                await USES[way](session, commit)

    async def test_a_snapshot_that_is_cut_off_says_so(self, world: StoreWorld) -> None:
        pen = await pen_of(world)
        with pytest.raises(DatabaseUnavailable):
            async with world.feed_store().snapshot(user_of(pen)) as snapshot:
                await world.cut_connections()
                await snapshot.granted()
        assert (await everything(pen))[0]


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
