"""A device without the SDK: it speaks the protocol by hand, so that it can send what no SDK would."""

import time
from typing import Any
from uuid import UUID, uuid4

import httpx

from apex_sync.clock import next_hlc
from apex_sync.ids import record_id_from
from apex_sync.op import Patch, Write, encode_op
from apex_sync.protocol import PROTOCOL_VERSION, PushedRecord, ScopeCursor, SyncRequest, SyncResponse
from apex_sync.protocol.messages import decode_response, encode_message
from apex_sync.wire import encode_push
from tests.e2e.whole_server import PASSWORD, Athlete, WholeServer

MEDIA_TYPE = "application/vnd.apex.sync+msgpack"


class RawDevice:
    """An installation signed in as somebody."""

    def __init__(self, server: WholeServer, email: str, client_id: int | None = None) -> None:
        self.client_id = client_id or uuid4().int % 2**52 + 1
        claim = {"name": "raw", "kind": "phone", "client_id": self.client_id}
        self.http = httpx.Client(base_url=server.address, timeout=20.0)
        body = {"email": email, "password": PASSWORD, "device": claim}
        self.signed_in: dict[str, Any] = self.http.post("/api/auth/login", json=body).raise_for_status().json()
        self.http.headers["Authorization"] = f"Bearer {self.signed_in['access_token']}"

    def post(self, body: bytes, **headers: str) -> httpx.Response:
        """Send a body to the sync endpoint, as it is."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.http.post("/api/sync", content=body, headers={"Content-Type": MEDIA_TYPE} | named)

    def push(self, *records: PushedRecord, version: int = PROTOCOL_VERSION) -> SyncResponse:
        """Push records, and nothing else."""
        request = SyncRequest(version, self.client_id, now_us(), push=list(records))
        answer = self.post(encode_message(request))
        assert answer.status_code == 200, answer.text
        return decode_response(answer.content)

    def pull(self, *cursors: ScopeCursor, version: int = PROTOCOL_VERSION) -> httpx.Response:
        """Ask for what is new."""
        return self.post(encode_message(SyncRequest(version, self.client_id, now_us(), cursors=list(cursors))))

    def new_record(self, athlete: Athlete, patch: Patch, collection: str = "workout_logs") -> PushedRecord:
        """Write a record of its own in somebody's scope."""
        update = encode_push(self.client_id, 0, [encode_op([Write(next_hlc(now_us(), 0, 0), [], patch)])])
        return PushedRecord(athlete.scope, collection, UUID(new_record_id()).bytes, update)


def new_record_id() -> str:
    """Make a record id as a device does."""
    return record_id_from(time.time_ns() // 1_000_000, uuid4().bytes[:10])


def now_us() -> int:
    """Read the wall clock."""
    return time.time_ns() // 1000
