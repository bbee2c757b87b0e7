"""A device that sends what is hostile beside what is good, and another one of the same athlete that watches."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import httpx
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from apex_sync.clock import next_hlc
from apex_sync.op import Write, encode_op
from apex_sync.protocol import PROTOCOL_VERSION, PulledRecord, PushedRecord, PushResult, ScopeCursor, SyncRequest
from apex_sync.protocol.messages import SyncResponse, decode_response, encode_message
from apex_sync.testing.hostile import ME
from apex_sync.wire import encode_push
from tests.e2e.raw_device import RawDevice, new_record_id, now_us
from tests.e2e.whole_server import PASSWORD, WholeServer

SOCKET_SECONDS = 20.0
FRAME_BYTES_MAX = 2**24


class Victims:
    """An athlete with two devices on a server: client `ME`, from which hostile bytes come, and a watcher."""

    def __init__(self, server: WholeServer) -> None:
        email = server.new_email("mallory")
        body = {"email": email, "password": PASSWORD, "name": "Mallory", "role": "athlete"}
        user = httpx.post(f"{server.address}/api/auth/register", json=body).raise_for_status().json()["user"]
        server.confirm_blocking(email)
        self.server = server
        self.scope = f"athlete:{user['id']}"
        self.offender = RawDevice(server, email, ME)
        self.watcher = RawDevice(server, email)
        self._cursor = b""

    def good_record(self) -> PushedRecord:
        """Write a record that nobody can object to."""
        op = encode_op([Write(next_hlc(now_us(), 0, 0), [], {"date": "2026-03-01", "notes": "fine"})])
        return PushedRecord(self.scope, "check_ins", self.new_id(), encode_push(ME, 0, [op]))

    def record(self, update: bytes, **parts: Any) -> PushedRecord:
        """Write a record of a hostile update."""
        given = {"scope": self.scope, "collection": "check_ins", "record_id": self.new_id(), "update": update}
        return PushedRecord(**(given | parts))

    def news(self) -> list[PulledRecord]:
        """Let the watcher pull what is new to it."""
        records: list[PulledRecord] = []
        while True:
            answer = self.watcher.pull(ScopeCursor(self.scope, self._cursor))
            assert answer.status_code == 200, answer.text
            pages = [page for page in decode_response(answer.content).pages if page.scope == self.scope]
            if not pages:
                return records
            self._cursor = pages[0].cursor
            records += pages[0].records
            if not pages[0].remaining:
                return records

    @contextmanager
    def socket(self) -> Iterator[ClientConnection]:
        """Open the offender's live channel."""
        headers = {"Authorization": self.offender.http.headers["Authorization"]}
        address = f"ws{self.server.address.removeprefix('http')}/api/sync/live"
        with connect(address, additional_headers=headers, compression=None, max_size=FRAME_BYTES_MAX) as socket:
            yield socket

    @staticmethod
    def new_id() -> bytes:
        """Make a record id as a device does."""
        return UUID(new_record_id()).bytes


def push_over(socket: ClientConnection, *records: PushedRecord) -> list[PushResult]:
    """Push in one live frame, and give the answers."""
    socket.send(encode_message(SyncRequest(PROTOCOL_VERSION, ME, now_us(), push=list(records))))
    return answer_over(socket).results


def answer_over(socket: ClientConnection) -> SyncResponse:
    """Give the next frame of the server."""
    frame = socket.recv(timeout=SOCKET_SECONDS)
    assert isinstance(frame, bytes)
    return decode_response(frame)


def closed_with(socket: ClientConnection, frame: bytes | str) -> tuple[int, str]:
    """Send a frame, and give the code and the reason that the server closes with."""
    try:
        socket.send(frame)
        socket.recv(timeout=SOCKET_SECONDS)
    except ConnectionClosed as closed:
        assert closed.rcvd is not None, "it hung up without a word"
        return closed.rcvd.code, closed.rcvd.reason
    raise AssertionError("the server answered")
