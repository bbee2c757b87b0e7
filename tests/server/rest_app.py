"""The REST slices as an app over real accounts and a real commit path, with devices that push beside it."""

import itertools
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx

from apex_server.ai.asking import BoundedModel
from apex_server.checkins import checkin_routes
from apex_server.db import Database
from apex_server.exercises import exercise_routes
from apex_server.media.directory import DirectoryStore
from apex_server.nutrition import nutrition_routes
from apex_server.programs import program_routes
from apex_server.progress import progress_routes
from apex_server.sync.commit import Committer
from apex_server.sync.sealing import open_documents
from apex_server.workouts import workout_routes
from apex_sync.clock import next_hlc
from apex_sync.document import Document
from apex_sync.ids import record_id_from
from apex_sync.op import Patch, Write, encode_op, flat_vector
from apex_sync.protocol.messages import PushedRecord
from apex_sync.wire import encode_push, parse_document
from tests.server.accounts_app import Clock, accounts_app, bearer, committer_of, register, speak_to
from tests.server.sealed_rows import insert_device

REST_ROUTES = (
    *workout_routes,
    *checkin_routes,
    *program_routes,
    *progress_routes,
    *nutrition_routes,
    *exercise_routes,
)

_numbers = itertools.count(1)


class Person:
    """Somebody signed in, and their HTTP client."""

    def __init__(self, client: httpx.AsyncClient, signed_in: dict[str, Any]) -> None:
        self._client = client
        self.id = str(signed_in["user"]["id"])
        self.device_id = str(signed_in["device_id"])
        self.headers = bearer(signed_in)

    async def __call__(self, method: str, path: str, json: Any = None, **headers: str) -> httpx.Response:
        """Send a request."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        body = {"json": json} if json is not None else {}
        return await self._client.request(method, path, headers=self.headers | named, **body)


class Device:
    """An installation that writes ops of its own and pushes them; it knows only what it wrote or was told."""

    def __init__(self, rest: "RestServer", person: Person, name: str, kind: str) -> None:
        self.rest, self.person, self.name, self.kind = rest, person, name, kind
        self.client_id = 1000 + next(_numbers)
        self.device_id = uuid4()

    async def push(
        self,
        record_id: str,
        patch: Patch,
        *,
        collection: str = "workout_logs",
        base: bytes = b"",
        scope: str | None = None,
    ) -> None:
        """Write a patch to a record whose state it has as `base`, and push it."""
        await self._introduce()
        document = parse_document(base) if base else Document()
        seen = document.others(self.client_id)
        newest = max((write.hlc for write in document.writes()), default=0)
        first = document.next_clocks.get(self.client_id, 0)
        op = encode_op([Write(next_hlc(time.time_ns() // 1000, 0, newest), flat_vector(seen), patch)])
        pushed = PushedRecord(
            scope or f"athlete:{self.person.id}",
            collection,
            UUID(record_id).bytes,
            encode_push(self.client_id, first, [op]),
        )
        user_id = UUID(self.person.id)
        answer = await self.rest.committer.push(user_id, self.device_id, self.client_id, [pushed])
        assert [result.status for result in answer.results] == ["applied"]
        assert answer.results[0].refusals == []

    async def push_new(self, patches: Sequence[Patch], *, collection: str) -> None:
        """Make records of the athlete's, all in one push."""
        await self._introduce()
        stamp = time.time_ns() // 1000
        pushed = [
            PushedRecord(
                f"athlete:{self.person.id}",
                collection,
                UUID(new_id()).bytes,
                encode_push(self.client_id, 0, [encode_op([Write(stamp + number, [], patch)])]),
            )
            for number, patch in enumerate(patches)
        ]
        answer = await self.rest.committer.push(UUID(self.person.id), self.device_id, self.client_id, pushed)
        assert {result.status for result in answer.results} == {"applied"}

    async def _introduce(self) -> None:
        async with self.rest.database.request(UUID(self.person.id)) as connection:
            await insert_device(
                connection,
                self.rest.database.vault,
                UUID(self.person.id),
                self.device_id,
                self.device_id.bytes * 2,
                name=self.name,
                kind=self.kind,
            )


class RestServer:
    """The app under test."""

    def __init__(self, database: Database, committer: Committer, client: httpx.AsyncClient) -> None:
        self.database = database
        self.committer = committer
        self.client = client

    async def person(self, role: str, **more: Any) -> Person:
        """Register somebody."""
        email = f"person{next(_numbers)}@example.com"
        return Person(self.client, await register(self.client, email, role=role, **more))

    async def coach_and_athlete(self) -> tuple[Person, Person]:
        """Register a coach and an athlete of theirs."""
        coach, athlete = await self.person("coach"), await self.person("athlete")
        await self.link(coach, athlete)
        return coach, athlete

    async def link(self, coach: Person, athlete: Person) -> None:
        """Let an athlete accept a coach's invite."""
        code = (await coach("POST", "/api/invites", {})).json()["code"]
        assert (await athlete("POST", f"/api/invites/{code}/accept")).status_code == 200

    async def document(self, record_id: str) -> bytes:
        """Give a record as it is stored: what a device would have pulled."""
        async with self.database.commit_connection() as connection:
            rows = await connection.fetch(
                "SELECT name AS scope, record_id, records.digest, doc FROM records "
                "JOIN scopes USING (scope_id) WHERE record_id = $1",
                UUID(record_id),
            )
            [doc] = await open_documents(connection, self.database.vault, rows)
        return doc


@asynccontextmanager
async def rest_server(
    database: Database, more_routes: Sequence[Any] = (), model: BoundedModel | None = None
) -> AsyncIterator[RestServer]:
    """Serve the REST slices on a database."""
    committer = await committer_of(database)
    app = accounts_app(
        database,
        Clock(),
        more_routes=[*REST_ROUTES, *more_routes],
        committer=committer,
        model=model,
        media_store=DirectoryStore(Path("nowhere")),
    )
    async with speak_to(app) as client:
        yield RestServer(database, committer, client)


def new_id() -> str:
    """Make a record id as a device does."""
    return record_id_from(time.time_ns() // 1_000_000, uuid4().bytes[:10])
