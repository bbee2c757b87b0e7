"""A live connection ends with the session it was opened in, and tells at once of what was granted meanwhile."""

from uuid import uuid4

import pytest
from litestar.exceptions import WebSocketDisconnect
from litestar.testing import TestClient

from apex_server.app import create_app
from apex_server.caller import Caller
from apex_server.settings import Settings
from apex_server.sync import live_routes
from apex_server.sync.live import LiveHub, LiveSession
from apex_sync.protocol.messages import (
    PROTOCOL_VERSION,
    ScopeCursor,
    ScopePage,
    SyncRequest,
    SyncResponse,
    decode_response,
    encode_message,
)
from tests.server.accounts_app import PASSWORD, bearer

SESSION_ENDED_CODE = 4401


def test_a_socket_closes_soon_after_its_session_was_signed_out(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_routes, "RECHECK_SECONDS", 0.05)
    with TestClient(create_app(settings)) as client:
        body = {"email": "live@apex.example", "password": PASSWORD, "name": "Live", "role": "athlete"}
        signed_in = client.post("/api/auth/register", json=body).json()
        with client.websocket_connect("/api/sync/live", headers=bearer(signed_in)) as socket:
            socket.send_bytes(encode_message(SyncRequest(PROTOCOL_VERSION, 7, 1, cursors=[])))
            assert decode_response(socket.receive_bytes()).pages
            assert client.post("/api/auth/logout", headers=bearer(signed_in)).status_code == 204
            with pytest.raises(WebSocketDisconnect) as ended:
                socket.receive_bytes()
        assert ended.value.code == SESSION_ENDED_CODE


@pytest.mark.anyio
async def test_a_scope_that_was_granted_is_news_though_nothing_stands_in_it() -> None:
    """Else a device would hear of an empty thread, and of its end, with its next full sync only."""
    pages = [ScopePage("athlete:a", "coach", b"1")]

    async def answer(caller: Caller, request: SyncRequest) -> SyncResponse:
        return SyncResponse(PROTOCOL_VERSION, 1, b"epoch", pages=list(pages))

    hub, caller = LiveHub(), Caller(uuid4(), "coach", uuid4(), uuid4(), 2**31)
    with hub.listening() as listener:
        session = LiveSession(caller, answer, hub, listener)
        first = SyncRequest(PROTOCOL_VERSION, 7, 1, cursors=[ScopeCursor("athlete:a", b"1")])
        async with session.answered(first):
            pass
        for granted in ([], ["thread:c:a"], []):
            pages += [ScopePage(scope, "coach", b"0") for scope in granted]
            listener.wake()
            async with session.news() as news:
                assert ([] if news is None else [page.scope for page in news.pages][1:]) == granted
