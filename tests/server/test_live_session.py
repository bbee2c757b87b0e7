"""A live connection ends with the session it was opened in."""

import pytest
from litestar.exceptions import WebSocketDisconnect
from litestar.testing import TestClient

from apex_server.app import create_app
from apex_server.settings import Settings
from apex_server.sync import live_routes
from apex_sync.protocol.messages import PROTOCOL_VERSION, SyncRequest, decode_response, encode_message
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
