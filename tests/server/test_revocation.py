"""A relation that ends, and one that begins: what a coach and an owner may read changes at once, in mid-sync and live.

What holds between a commit's first look and its lock is in test_commit_concurrency.py; here is the whole server.
"""

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import MappingProxyType
from uuid import UUID, uuid4

import anyio
import pytest

from apex_server.caller import Caller
from apex_server.settings import Settings
from apex_server.sync.live import RECHECK_SECONDS, Answer, LiveSession
from apex_sync.clock import next_hlc
from apex_sync.ids import athlete_scope, private_scope, record_id_from
from apex_sync.op import Write, encode_op
from apex_sync.protocol.messages import (
    PROTOCOL_VERSION,
    PushedRecord,
    ScopeCursor,
    SyncRequest,
    SyncResponse,
    decode_response,
    encode_message,
)
from apex_sync.wire import encode_push
from tests.server.whole_app import Signed, WholeApp, whole_app

pytestmark = pytest.mark.anyio

WORKOUTS = 12
AT_ONCE_SECONDS = 10.0
"""On the busiest machine; well below RECHECK_SECONDS, after which a session would have looked for itself."""


@dataclass
class World:
    """Carla coaches Anna in Olga's organisation; Anna has a few workouts."""

    app: WholeApp
    anna: Signed
    carla: Signed
    olga: Signed

    @property
    def scope(self) -> str:
        return athlete_scope(str(self.anna.id))

    async def end(self) -> None:
        """Let Anna leave her coach."""
        assert (await self.anna("DELETE", f"/api/clients/{self.anna.id}/link")).status_code == 204

    async def sync(self, person: Signed, request: SyncRequest) -> SyncResponse:
        answer = await person("POST", "/api/sync", content=encode_message(request))
        assert answer.status_code == 200, answer.text
        return decode_response(answer.content)


@pytest.fixture
async def world(settings: Settings) -> AsyncIterator[World]:
    async with whole_app(settings) as app:
        anna, carla = await app.person("anna", "athlete"), await app.person("carla", "coach")
        olga = await app.person("olga", "owner")
        await app.coaches(carla, anna)
        await app.joins(carla, olga)
        for number in range(WORKOUTS):
            assert (
                await anna("POST", "/api/workouts", {"title": f"Legs {number}", "date": "2026-03-01"})
            ).status_code == 201
        yield World(app, anna, carla, olga)


def asking(client_id: int, cursors: Mapping[str, bytes], *, pull_bytes: int = 1_000_000) -> SyncRequest:
    named = [ScopeCursor(scope, cursor) for scope, cursor in cursors.items()]
    return SyncRequest(PROTOCOL_VERSION, client_id, now_us(), cursors=named, pull_bytes=pull_bytes)


def cursors_of(answer: SyncResponse) -> dict[str, bytes]:
    return {page.scope: page.cursor for page in answer.pages}


def now_us() -> int:
    return time.time_ns() // 1000


@pytest.mark.parametrize("who", ["carla", "olga"])
async def test_who_is_revoked_in_mid_pull_gets_forget_and_not_one_record_more(world: World, who: str) -> None:
    reader: Signed = getattr(world, who)
    first = await world.sync(reader, asking(11, {}, pull_bytes=1_000))
    [page] = [page for page in first.pages if page.scope == world.scope]
    assert 0 < len(page.records) < WORKOUTS
    assert page.remaining > 0
    await world.end()
    second = await world.sync(reader, asking(11, cursors_of(first)))
    private = private_scope(str(world.carla.id), str(world.anna.id))
    assert {world.scope, private} & set(cursors_of(first)) <= set(second.forget)
    assert world.scope not in cursors_of(second)


async def test_a_coach_who_is_removed_in_mid_push_writes_nothing_after_the_answer_to_that(world: World) -> None:
    """Pushes go on while the relation ends; what was begun before may be taken, what comes after is not."""
    ended_at: list[float] = []
    taken: list[tuple[float, bool]] = []
    under_way = anyio.Event()

    async def push() -> None:
        for number in range(40):
            began = time.monotonic()
            op = encode_op([Write(next_hlc(now_us(), 0, 0), [], {"name": f"Block {number}"})])
            record_id = UUID(record_id_from(now_us() // 1000, uuid4().bytes[:10])).bytes
            record = PushedRecord(world.scope, "programs", record_id, encode_push(12, 0, [op]))
            request = SyncRequest(PROTOCOL_VERSION, 12, now_us(), push=[record])
            [result] = (await world.sync(world.carla, request)).results
            taken.append((began, result.status == "applied" and not result.refusals))
            if len(taken) == 5:
                under_way.set()

    async def end() -> None:
        await under_way.wait()
        await world.end()
        ended_at.append(time.monotonic())

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(push)
        tasks.start_soon(end)
    assert [applied for began, applied in taken if began > ended_at[0]].count(True) == 0
    assert taken[0][1]
    assert not taken[-1][1]


@pytest.mark.parametrize("who", ["carla", "olga"])
async def test_cursors_of_an_ex_coach_open_nothing(world: World, who: str) -> None:
    reader: Signed = getattr(world, who)
    whole = cursors_of(await world.sync(reader, asking(13, {})))
    await world.end()
    for cursors in (whole, dict.fromkeys(whole, b""), dict.fromkeys(whole, whole[world.scope])):
        answer = await world.sync(reader, asking(13, cursors))
        assert world.scope in answer.forget
        assert world.scope not in cursors_of(answer)


@pytest.mark.parametrize("who", ["carla", "olga"])
async def test_a_live_device_forgets_at_once_what_is_revoked(world: World, who: str) -> None:
    async with live(world, getattr(world, who), client_id=14) as session:
        await world.end()
        assert world.scope in (await news_of(session)).forget


async def test_a_live_device_is_sent_at_once_what_is_granted(world: World) -> None:
    xena = await world.app.person("xena", "coach")
    async with live(world, xena, client_id=15) as session:
        await world.app.coaches(xena, world.anna)
        [page] = [page for page in (await news_of(session)).pages if page.scope == world.scope]
        assert len(page.records) == WORKOUTS


@pytest.mark.parametrize("followed", [True, False], ids=["a scope it has", "a scope it does not have yet"])
async def test_what_is_written_while_a_device_goes_live_is_sent_at_once(world: World, followed: bool) -> None:
    """Its first frame is answered from before the write, and the hint comes before the answer has been sent."""
    state, written = world.app.app.state, list[str]()

    async def answer(caller: Caller, request: SyncRequest) -> SyncResponse:
        response: SyncResponse = await state.answer(caller, request)
        if not written:
            with state.live_hub.listening([world.scope]) as somebody:
                written.append(
                    (await world.anna("POST", "/api/workouts", {"title": "Meanwhile", "date": "2026-03-01"})).json()[
                        "id"
                    ]
                )
                assert await somebody.wait(AT_ONCE_SECONDS)
        return response

    cursors = cursors_of(await world.sync(world.carla, asking(17, {}))) if followed else {}
    async with live(world, world.carla, client_id=17, cursors=cursors, answer=answer) as session:
        [page] = (await news_of(session)).pages
        assert [str(UUID(bytes=record.record_id)) for record in page.records] == written


async def test_a_live_owner_is_sent_at_once_what_a_coach_brings_and_forgets_it_when_they_leave(world: World) -> None:
    async with live(world, world.olga, client_id=16) as session:
        assert (await world.carla("DELETE", "/api/organisation/membership")).status_code == 204
        assert world.scope in (await news_of(session)).forget
        await world.app.joins(world.carla, world.olga)
        assert world.scope in {page.scope for page in (await news_of(session)).pages}


@asynccontextmanager
async def live(
    world: World,
    person: Signed,
    *,
    client_id: int,
    cursors: Mapping[str, bytes] = MappingProxyType({}),
    answer: Answer | None = None,
) -> AsyncIterator[LiveSession]:
    """Connect a person to the real exchange, as the handler of the WebSocket does."""
    assert person.id is not None
    assert person.device_id is not None
    state = world.app.app.state
    with state.live_hub.listening() as listener:
        caller = Caller(person.id, "coach", person.device_id, uuid4(), 2**40)
        session = LiveSession(caller, answer or state.answer, state.live_hub, listener)
        async with session.answered(asking(client_id, cursors)):
            pass
        yield session


async def news_of(session: LiveSession) -> SyncResponse:
    """Give the next news, which must come long before the session would have looked for itself."""
    assert AT_ONCE_SECONDS < RECHECK_SECONDS
    with anyio.fail_after(AT_ONCE_SECONDS):
        while True:
            async with session.news() as response:
                if response is not None:
                    return response
