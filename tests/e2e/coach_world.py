"""A coach, athletes, and devices that push what they wrote over HTTP, at a server of `whole_server`.

The devices speak the protocol by hand, so that a test can say exactly what one had seen when it wrote.
"""

import itertools
import time
from typing import Any
from uuid import UUID, uuid4

import httpx
from anyio.from_thread import BlockingPortal

from apex_server.db import Database, HintHub
from apex_server.serving import address_of
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
from tests.confirmation import confirm_address
from tests.e2e.whole_server import PASSWORD

MEDIA_TYPE = "application/vnd.apex.sync+msgpack"

_numbers = itertools.count(1)


class CoachWorld:
    """The people of one server."""

    def __init__(self, settings: Settings, portal: BlockingPortal) -> None:
        self.settings = settings
        self._portal = portal
        self.address = address_of(settings)
        self.client = httpx.Client(base_url=self.address, timeout=20.0)

    def person(self, name: str, role: str, **more: Any) -> "Person":
        """Register somebody."""
        email = f"{name.split()[0].lower()}{next(_numbers)}@page.example"
        body = {"email": email, "password": PASSWORD, "name": name, "role": role, **more}
        answer = self.client.post("/api/auth/register", json=body)
        assert answer.status_code == 201, answer.text
        return Person(self, email, answer.json())

    def coach(self, name: str = "Ines Coach") -> "Person":
        """Register a coach, who signs in on the page as well."""
        coach = self.person(name, "coach")
        coach.confirm()
        return coach

    def confirm(self, email: str) -> None:
        """Follow the mailed link to this address."""
        self._portal.call(confirm_address, self.settings, email)

    def write_as_system(self, scope: str, collection: str, record_id: str, patch: Patch) -> None:
        """Write as the analysis does."""
        self._portal.call(write_as_system, self.settings, scope, collection, record_id, patch)


class Person:
    """Somebody with an account."""

    def __init__(self, world: CoachWorld, email: str, signed_in: dict[str, Any]) -> None:
        self.world, self.email = world, email
        self.id = str(signed_in["user"]["id"])
        self.name = signed_in["user"]["name"]
        self.headers = {"Authorization": f"Bearer {signed_in['access_token']}"}
        self._is_confirmed = False

    def __call__(self, method: str, path: str, json: Any = None) -> httpx.Response:
        """Send a request."""
        return self.world.client.request(method, path, json=json, headers=self.headers)

    def athlete(self, name: str) -> "Person":
        """Register an athlete who accepts this coach's invite."""
        code = self("POST", "/api/invites", {}).json()["code"]
        return self.world.person(name, "athlete", invite=code)

    def confirm(self) -> None:
        """Confirm the address, once, as whoever has several devices must."""
        if not self._is_confirmed:
            self.world.confirm(self.email)
        self._is_confirmed = True

    def device(self, name: str, kind: str) -> "Device":
        """Sign in on a device."""
        self.confirm()
        return Device(self, name, kind)


class Device:
    """An installation: it writes ops, knows what it has pulled, and can be offline."""

    def __init__(self, person: Person, name: str, kind: str) -> None:
        self.person = person
        self.client_id = time.time_ns() % 2**40 + next(_numbers)
        claim = {"name": name, "kind": kind, "client_id": self.client_id}
        body = {"email": person.email, "password": PASSWORD, "device": claim}
        answer = person.world.client.post("/api/auth/login", json=body)
        assert answer.status_code == 200, answer.text
        self.headers = {"Authorization": f"Bearer {answer.json()['access_token']}", "Content-Type": MEDIA_TYPE}
        self.known: dict[str, Document] = {}
        self.unsent: list[PushedRecord] = []

    def write(self, record_id: str, patch: Patch, collection: str = "workout_logs", at_us: int | None = None) -> None:
        """Write offline; `sync` sends it."""
        document = self.known.setdefault(record_id, Document())
        newest = max((write.hlc for write in document.writes()), default=0)
        seen = flat_vector(document.others(self.client_id))
        op = encode_op([Write(next_hlc(at_us or time.time_ns() // 1000, 0, newest), seen, patch)])
        update = encode_push(self.client_id, document.append(self.client_id, op), [op])
        scope = athlete_scope(self.person.id)
        self.unsent.append(PushedRecord(scope, collection, UUID(record_id).bytes, update))

    def sync(self) -> None:
        """Push what was written, and learn what everybody wrote."""
        pushed, self.unsent = self.unsent, []
        response = self._exchange(pushed, [])
        assert {result.status for result in response.results} <= {"applied"}
        for page in response.pages:
            for record in page.records:
                self.known.setdefault(str(UUID(bytes=record.record_id)), Document()).merge(
                    parse_document(record.update)
                )

    def log(self, record_id: str, patch: Patch, collection: str = "workout_logs", at_us: int | None = None) -> None:
        """Write and sync at once."""
        self.write(record_id, patch, collection, at_us)
        self.sync()

    def _exchange(self, push: list[PushedRecord], cursors: list[Any]) -> SyncResponse:
        request = SyncRequest(1, self.client_id, time.time_ns() // 1000, push=push, cursors=cursors)
        answer = self.person.world.client.post("/api/sync", content=encode_message(request), headers=self.headers)
        assert answer.status_code == 200, answer.text
        return decode_response(answer.content)


def new_id() -> str:
    """Make a record id as a device does."""
    return record_id_from(time.time_ns() // 1_000_000, uuid4().bytes[:10])


async def write_as_system(settings: Settings, scope: str, collection: str, record_id: str, patch: Patch) -> None:
    """Write as the analysis does."""
    async with Database.open(settings) as database, HintHub.open(settings) as hints:
        committer = Committer(
            PostgresCommitStore(database),
            identity=await load_identity(database, settings.secret),
            now_us=lambda: time.time_ns() // 1000,
            hints=hints.publish,
        )
        await committer.write(None, scope, collection, record_id, patch)
