"""A whole server in processes of its own, with a coach, athletes, and devices that push to it over HTTP."""

import itertools
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID, uuid4

import anyio
import httpx
from anyio.from_thread import start_blocking_portal
from msgspec.structs import replace

from apex_server.db import Database, HintHub
from apex_server.serving import address_of, serving
from apex_server.settings import Settings
from apex_server.sync.commit import Committer
from apex_server.sync.identity import load_identity
from apex_server.sync.postgres_commits import PostgresCommitStore
from apex_sync.clock import next_hlc
from apex_sync.document import Document
from apex_sync.ids import athlete_scope, record_id_from
from apex_sync.op import Patch, Write, encode_op, flat_vector
from apex_sync.protocol.messages import PushedRecord, SyncRequest, SyncResponse, decode_response, encode_message
from apex_sync.wire import encode_push, parse_document

PASSWORD = "correct horse battery staple"
MEDIA_TYPE = "application/vnd.apex.sync+msgpack"

_numbers = itertools.count(1)


class Server:
    """The server under test, at `address`."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.address = address_of(settings)
        self.client = httpx.Client(base_url=self.address, timeout=20.0)

    def person(self, name: str, role: str, **more: Any) -> "Person":
        """Register somebody."""
        email = f"{name.split()[0].lower()}{next(_numbers)}@example.com"
        body = {"email": email, "password": PASSWORD, "name": name, "role": role, **more}
        answer = self.client.post("/api/auth/register", json=body)
        assert answer.status_code == 201, answer.text
        return Person(self, email, answer.json())

    def coach(self, name: str = "Ines Coach") -> "Person":
        """Register a coach."""
        return self.person(name, "coach")

    def write_as_system(self, scope: str, collection: str, record_id: str, patch: Patch) -> None:
        """Write as the analysis does."""
        anyio.run(_write_as_system, self.settings, scope, collection, record_id, patch)


class Person:
    """Somebody with an account."""

    def __init__(self, server: Server, email: str, signed_in: dict[str, Any]) -> None:
        self.server, self.email = server, email
        self.id = str(signed_in["user"]["id"])
        self.name = signed_in["user"]["name"]
        self.headers = {"Authorization": f"Bearer {signed_in['access_token']}"}

    def __call__(self, method: str, path: str, json: Any = None) -> httpx.Response:
        """Send a request."""
        return self.server.client.request(method, path, json=json, headers=self.headers)

    def athlete(self, name: str) -> "Person":
        """Register an athlete who accepts this coach's invite."""
        code = self("POST", "/api/invites", {}).json()["code"]
        return self.server.person(name, "athlete", invite=code)

    def device(self, name: str, kind: str) -> "Device":
        """Sign in on a device."""
        return Device(self, name, kind)


class Device:
    """An installation: it writes ops, knows what it has pulled, and can be offline."""

    def __init__(self, person: Person, name: str, kind: str) -> None:
        self.person = person
        self.client_id = time.time_ns() % 2**40 + next(_numbers)
        claim = {"name": name, "kind": kind, "client_id": self.client_id}
        body = {"email": person.email, "password": PASSWORD, "device": claim}
        answer = person.server.client.post("/api/auth/login", json=body)
        assert answer.status_code == 200, answer.text
        self.headers = {"Authorization": f"Bearer {answer.json()['access_token']}", "Content-Type": MEDIA_TYPE}
        self.known: dict[str, Document] = {}
        self.unsent: list[PushedRecord] = []

    def write(self, record_id: str, patch: Patch, collection: str = "workout_logs", at_us: int | None = None) -> None:
        """Write offline; `sync` sends it."""
        document = self.known.get(record_id, Document())
        newest = max((write.hlc for write in document.writes()), default=0)
        first = document.next_clocks.get(self.client_id, 0)
        seen = flat_vector(document.others(self.client_id))
        op = encode_op([Write(next_hlc(at_us or time.time_ns() // 1000, 0, newest), seen, patch)])
        update = encode_push(self.client_id, first, [op])
        scope = athlete_scope(self.person.id)
        self.unsent.append(PushedRecord(scope, collection, UUID(record_id).bytes, update))

    def sync(self) -> None:
        """Push what was written, and learn what everybody wrote."""
        pushed, self.unsent = self.unsent, []
        response = self._exchange(pushed, [])
        assert {result.status for result in response.results} <= {"applied"}
        for page in response.pages:
            for record in page.records:
                self.known[str(UUID(bytes=record.record_id))] = parse_document(record.update)

    def log(self, record_id: str, patch: Patch, collection: str = "workout_logs", at_us: int | None = None) -> None:
        """Write and sync at once."""
        self.write(record_id, patch, collection, at_us)
        self.sync()

    def _exchange(self, push: list[PushedRecord], cursors: list[Any]) -> SyncResponse:
        request = SyncRequest(1, self.client_id, time.time_ns() // 1000, push=push, cursors=cursors)
        answer = self.person.server.client.post("/api/sync", content=encode_message(request), headers=self.headers)
        assert answer.status_code == 200, answer.text
        return decode_response(answer.content)


@contextmanager
def served(settings: Settings) -> Iterator[Server]:
    """Run a server until the block ends; analysis would only be in the way."""
    with (
        start_blocking_portal("asyncio") as portal,
        portal.wrap_async_context_manager(serving(replace(settings, port=free_port()), with_worker=False)) as ready,
    ):
        server = Server(ready)
        with server.client:
            yield server


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def new_id() -> str:
    """Make a record id as a device does."""
    return record_id_from(time.time_ns() // 1_000_000, uuid4().bytes[:10])


async def _write_as_system(settings: Settings, scope: str, collection: str, record_id: str, patch: Patch) -> None:
    async with Database.open(settings) as database, HintHub.open(settings) as hints:
        committer = Committer(
            PostgresCommitStore(database),
            identity=await load_identity(database, settings.secret),
            now_us=lambda: time.time_ns() // 1000,
            hints=hints.publish,
        )
        await committer.write(None, scope, collection, record_id, patch)
