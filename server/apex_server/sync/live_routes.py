"""`/api/sync/live`, the sync session over a WebSocket, and `/api/sync/events`, the bare hints for browsers.

Each binary frame of a device is one SyncRequest and gets one SyncResponse, in order; acknowledged means durable, as
over HTTP. In between come unasked SyncResponses with pages of news. Both channels end when the access token does; the
other side comes back with a fresh one.
"""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from uuid import UUID

import anyio
import msgspec
from litestar import WebSocket, get, websocket
from litestar.di import NamedDependency
from litestar.exceptions import WebSocketDisconnect
from litestar.response import ServerSentEvent, ServerSentEventMessage

from apex_server.caller import Caller
from apex_server.db import Database, load_queries
from apex_server.errors import AccessTokenExpired, BodyTooLarge, MalformedRequest, SessionEnded
from apex_server.grants import grants_channel
from apex_server.problems import websocket_refusal
from apex_server.sync.live import RECHECK_SECONDS, LiveHub, LiveSession
from apex_sync.errors import ProtocolError
from apex_sync.protocol.messages import SyncResponse, decode_request, encode_message

__all__ = ["live_routes"]

FRAME_BYTES_MAX = 1024 * 1024
"""A live frame carries one save or a few; what is larger goes over HTTP, compressed."""

KEEPALIVE_SECONDS = 15.0
"""Proxies close what is silent for 30 to 60 seconds."""

SessionCheck = Callable[[Caller], Awaitable[bool]]

_queries = load_queries(__package__)


@websocket("/api/sync/live")
async def live(
    socket: WebSocket[Any, Any, Any],
    caller: NamedDependency[Caller],
    live_answer: NamedDependency[Any],
    live_hub: NamedDependency[LiveHub],
    is_session_open: NamedDependency[Any],
) -> None:
    """Sync while connected."""
    await socket.accept()
    with live_hub.listening() as listener:
        session = LiveSession(caller, live_answer, live_hub, listener)
        try:
            with anyio.fail_after(seconds_left(caller)):
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(send_news, socket, session)
                    tasks.start_soon(end_with_session, is_session_open, caller)
                    await answer_requests(socket, session)
                    tasks.cancel_scope.cancel()
        except TimeoutError:
            raise websocket_refusal(AccessTokenExpired()) from None
        except ExceptionGroup as group:
            # What ended the connection is one of ours; a group of one would hide the code that the device reads.
            raise group.exceptions[0] from group


async def end_with_session(is_session_open: SessionCheck, caller: Caller) -> None:
    """Close the socket within half a minute of a sign-out or of the device's removal."""
    while True:
        await anyio.sleep(RECHECK_SECONDS)
        if not await is_session_open(caller):
            raise websocket_refusal(SessionEnded())


async def answer_requests(socket: WebSocket[Any, Any, Any], session: LiveSession) -> None:
    """Answer frames until the device hangs up."""
    while True:
        try:
            frame = await socket.receive_bytes()
        except WebSocketDisconnect:
            return
        if len(frame) > FRAME_BYTES_MAX:
            raise websocket_refusal(BodyTooLarge(FRAME_BYTES_MAX))
        try:
            request = decode_request(frame)
        except ProtocolError as error:
            raise websocket_refusal(MalformedRequest()) from error
        async with session.answered(request) as response:
            await send(socket, response)


async def send_news(socket: WebSocket[Any, Any, Any], session: LiveSession) -> None:
    """Send what is new, whenever it is."""
    while True:
        async with session.news() as response:
            if response is not None:
                await send(socket, response)


async def send(socket: WebSocket[Any, Any, Any], response: SyncResponse) -> None:
    """Send one frame."""
    await socket.send_bytes(encode_message(response))


@get("/api/sync/events", tags=["sync"], summary="Hints that something is new, as server-sent events")
async def sync_events(
    caller: NamedDependency[Caller],
    database: NamedDependency[Database],
    live_hub: NamedDependency[LiveHub],
    is_session_open: NamedDependency[Any],
) -> ServerSentEvent:
    """Stream `{"scope": …, "seq": …}` whenever a scope the caller may read has moved on."""
    return ServerSentEvent(hints_of(caller, database, live_hub, is_session_open))


async def hints_of(
    caller: Caller, database: Database, live_hub: LiveHub, is_session_open: SessionCheck
) -> AsyncIterator[ServerSentEventMessage]:
    """Give hints until the access token or the session ends; a comment now and then keeps the connection open.

    From the first comment on none is missed.
    """
    checked = time.monotonic()
    channel = grants_channel(caller.user_id)
    with live_hub.listening([channel, *await scopes_of(database, caller.user_id)]) as listener:
        yield ServerSentEventMessage(None, comment="connected")
        while seconds_left(caller) > 0:
            if time.monotonic() - checked > RECHECK_SECONDS or not listener.scopes:
                if not await is_session_open(caller):
                    return
                live_hub.follow(listener, [channel, *await scopes_of(database, caller.user_id)])
                checked = time.monotonic()
            heard = await listener.wait(KEEPALIVE_SECONDS)
            if any(hint.scope == channel for hint in heard):
                checked = -RECHECK_SECONDS
            for hint in heard:
                if hint.scope == channel:
                    continue
                data = msgspec.json.encode({"scope": hint.scope, "seq": hint.seq}).decode()
                yield ServerSentEventMessage(event="hint", data=data)
            if not heard:
                yield ServerSentEventMessage(None, comment="still here")


async def scopes_of(database: Database, user_id: UUID) -> list[str]:
    """List the scopes a user may read."""
    async with database.request(user_id) as connection:
        return [row["scope"] for row in await connection.fetch(_queries.granted_scopes, user_id)]


def seconds_left(caller: Caller) -> float:
    """Give how long the caller's access token still holds."""
    return max(0.0, caller.expires_at - time.time())


live_routes = [live, sync_events]
