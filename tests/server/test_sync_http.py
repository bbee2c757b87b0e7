"""`POST /api/sync` over HTTP: bounded bodies, typed problems, old apps, and other requests in between."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import httpx
import pytest
import zstandard
from anyio.lowlevel import checkpoint
from litestar import Router
from litestar.di import Provide

from apex_server.db import Database
from apex_server.sync import SyncExchange, scope_commit, sync_routes
from apex_server.sync.routes import MEDIA_TYPE
from apex_sync.protocol.messages import (
    REQUEST_BYTES_MAX,
    SyncRequest,
    SyncResponse,
    decode_response,
    encode_message,
)
from tests.server.accounts_app import Clock, accounts_app, bearer, problem, register, speak_to
from tests.server.sync_world import Device, World, workout

pytestmark = pytest.mark.anyio


class Server:
    """The sync routes behind real accounts, and one athlete signed in."""

    def __init__(self, world: World, client: httpx.AsyncClient, signed_in: dict[str, Any]) -> None:
        self.world = world
        self.client = client
        self.headers = bearer(signed_in)
        self.phone = Device(world, UUID(signed_in["user"]["id"]), UUID(signed_in["device_id"]), 4711)

    async def post(self, body: bytes, **headers: str) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        all_headers = self.headers | {"Content-Type": MEDIA_TYPE} | named
        return await self.client.post("/api/sync", content=body, headers=all_headers)

    async def sync(self, request: SyncRequest) -> SyncResponse:
        body = zstandard.ZstdCompressor().compress(encode_message(request))
        answer = await self.post(body, content_encoding="zstd")
        assert answer.status_code == 200, answer.text
        return decode_response(answer.content)


@pytest.fixture
async def world(db: Database, database_url: str) -> World:
    return await World(db, database_url).open()


@pytest.fixture
async def server(world: World, db: Database) -> AsyncIterator[Server]:
    routes = Router(
        "/",
        route_handlers=sync_routes,
        dependencies={"answer": Provide(lambda: world.exchange, sync_to_thread=False)},
    )
    app = accounts_app(db, Clock(), more_routes=[routes])
    async with speak_to(app) as client:
        yield Server(world, client, await register(client, "anna@example.org"))


async def test_a_round_trip_pushes_pulls_and_acknowledges(server: Server) -> None:
    for _ in range(40):
        server.phone.write(workout())
    keys = server.phone.outbox()
    answer = await server.post(
        zstandard.ZstdCompressor().compress(encode_message(server.phone.request(keys))), content_encoding="zstd"
    )
    assert answer.headers["content-type"] == MEDIA_TYPE
    assert answer.headers["content-encoding"] == "zstd"
    assert answer.headers["cache-control"] == "no-store"
    server.phone.take(keys, decode_response(answer.content))
    assert not server.phone.outbox()
    assert len(await server.world.sql("SELECT * FROM records")) == 40


async def test_an_idle_sync_is_one_short_round_trip_without_compression(server: Server) -> None:
    server.phone.take([], await server.sync(server.phone.request()))
    body = encode_message(server.phone.request())
    answer = await server.post(body)
    assert "content-encoding" not in answer.headers
    assert len(body) + len(answer.content) < 600


@pytest.mark.parametrize(
    ("body", "encoding", "status", "code"),
    [
        (b"\x91" * 40, "zstd", 400, "not_zstd"),
        (zstandard.ZstdCompressor().compress(b"\xc1 no msgpack"), "zstd", 400, "not_msgpack"),
        (zstandard.ZstdCompressor().compress(b"\x93\x01\x02\x03" * 500)[:-9], "zstd", 400, "not_zstd"),
        (b"", "", 400, "not_msgpack"),
        (b"\x93\x01\x02", "", 400, "not_msgpack"),
        (b"\x93\x01\x00\x03", "", 400, "not_msgpack"),
        (b"x", "br", 415, "unsupported_media_type"),
        (bytes(REQUEST_BYTES_MAX + 1), "", 413, "body_too_large"),
        (zstandard.ZstdCompressor(level=19).compress(bytes(1_000_000_000 // 8)), "zstd", 413, "body_too_large"),
    ],
)
async def test_a_body_that_is_none_gets_its_own_problem(
    server: Server, body: bytes, encoding: str, status: int, code: str
) -> None:
    answer = await server.post(body, **({"content_encoding": encoding} if encoding else {}))
    assert problem(answer) == (status, code)


async def test_nobody_syncs_without_signing_in(server: Server) -> None:
    answer = await server.client.post("/api/sync", content=b"")
    assert problem(answer) == (401, "credentials_missing")


async def test_an_old_app_may_push_and_not_pull(server: Server, world: World) -> None:
    world.exchange = SyncExchange(
        world.committer, world.feed, identity=world.identity, now_us=world.now_us, version_oldest=2
    )
    server.phone.write(workout())
    response = await server.sync(server.phone.request())
    assert ([result.status for result in response.results], response.pages) == (["applied"], [])
    answer = await server.post(encode_message(server.phone.request([])))
    assert problem(answer) == (426, "unsupported_version")


async def test_the_client_id_of_another_device_is_a_fork(server: Server) -> None:
    server.phone.write(workout())
    await server.sync(server.phone.request())
    other = await server.world.device(server.phone.caller.user_id, client_id=server.phone.client_id)
    other.write(workout())
    assert [result.status for result in (await other.send(other.request())).results] == ["forked"]


async def test_a_large_push_lets_others_in_between_its_slices(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Judging a thousand records takes long; a short request in between must not wait for it."""
    for _ in range(800):
        server.phone.write(workout(sets=12))
    request = server.phone.request()
    real_size = scope_commit.size_of
    slices = [0]

    def sized(*arguments: Any) -> int:
        slices[-1] += real_size(*arguments)
        return real_size(*arguments)

    async def next_slice() -> None:
        slices.append(0)
        await checkpoint()

    monkeypatch.setattr(scope_commit, "size_of", sized)
    monkeypatch.setattr(scope_commit, "checkpoint", next_slice)
    response = await server.sync(request)
    assert {result.status for result in response.results} == {"applied"}
    assert sum(slices) > 10 * scope_commit.SLICE_BYTES
    assert max(slices) < 3 * scope_commit.SLICE_BYTES
