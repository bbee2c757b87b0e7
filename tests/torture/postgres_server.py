"""The whole server (`apex-server serve`: supervisor, web process, worker) on a Postgres that is going to be hurt.

Devices speak to it over real HTTP. Each answer must be a success, or ask to come back later and say when; anything else
is a failure. So is a process that ends, or a connection to Postgres too many.
"""

import os
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import UUID, uuid4

import anyio
import httpx
import psutil

from apex_server.auth.access_tokens import AccessTokens, SigningKeys
from apex_server.caller import Caller, Role
from apex_server.db.roles import role_urls
from apex_server.serving import until_ready
from apex_server.settings import Settings
from apex_server.sync.routes import MEDIA_TYPE
from apex_sync.protocol.messages import SyncRequest, SyncResponse, decode_response, encode_message
from tests.e2e.whole_server import free_port
from tests.server.sealed_rows import MASTER_KEY, known_master_keys
from tests.server.sync_world import SECRET, Device, SyncWorld, World

ANSWER_SECONDS_MAX = 120.0
"""Longer than a request takes that meets one silent connection after the other."""


class ComeBackLater(Exception):
    """The server asked for patience."""

    def __init__(self, retry_after: float) -> None:
        super().__init__(f"in {retry_after} seconds")
        self.retry_after = retry_after


class ServedWorld(World):
    """People and devices of a server that is reached over HTTP."""

    master_keys = known_master_keys()

    def __init__(self, address: str, owner_url: str, seed: int) -> None:
        SyncWorld.__init__(self, seed)
        self.owner_url = owner_url
        self.exchange = self.answer  # type: ignore[assignment]
        self.answers: Counter[str] = Counter()
        self.wrong: list[str] = []
        self._sessions: dict[UUID, UUID] = {}
        self._tokens = AccessTokens(SigningKeys.derive(SECRET))
        self._http = httpx.AsyncClient(base_url=address, timeout=ANSWER_SECONDS_MAX)

    async def aclose(self) -> None:
        """Hang up."""
        await self._http.aclose()

    async def add_device(self, user_id: UUID, device_id: UUID) -> None:
        """Make a device that has signed in."""
        await super().add_device(user_id, device_id)
        self._sessions[device_id] = uuid4()
        await self.sql(
            "INSERT INTO sessions (id, user_id, device_id, created_at, last_used_at, authenticated_at) "
            "VALUES ($1, $2, $3, now(), now(), now())",
            self._sessions[device_id],
            user_id,
            device_id,
        )

    async def answer(self, caller: Caller, request: SyncRequest) -> SyncResponse:
        """Send a request as a device does; raises ComeBackLater."""
        content = encode_message(request)
        answered = await self.ask("POST", "/api/sync", caller, content=content, headers={"Content-Type": MEDIA_TYPE})
        response = decode_response(answered)
        if response.retry_after:
            self.answers["retry"] += 1
        return response

    async def ask(self, method: str, path: str, caller: Caller, *, role: Role = "athlete", **request: Any) -> bytes:
        """Give the body of a success; take down what is neither that nor a request to come back later."""
        token = self._tokens.issue(
            user_id=caller.user_id,
            role=role,
            device_id=caller.device_id,
            session_id=self._sessions[caller.device_id],
            now=datetime.now(UTC),
        )
        headers = {"Authorization": f"Bearer {token}", **request.pop("headers", {})}
        try:
            answered = await self._http.request(method, path, headers=headers, **request)
        except httpx.TransportError as error:
            self.wrong.append(f"{method} {path}: {type(error).__name__} {error}")
            raise ComeBackLater(1.0) from error
        self.answers[str(answered.status_code)] += 1
        if answered.is_success:
            return answered.content
        retry_after = answered.headers.get("retry-after", "")
        if answered.status_code != 503 or not retry_after.isdecimal():
            self.wrong.append(f"{method} {path}: {answered.status_code} {answered.text[:300]}")
            raise ComeBackLater(1.0)
        raise ComeBackLater(float(retry_after))

    async def sync_once(self, device: Device) -> bool:
        """Send what the device holds and take in what is new; tell whether nothing is left. Raises ComeBackLater."""
        keys = device.outbox()
        response = await device.send(device.request(keys))
        device.take(keys, response)
        if response.retry_after:
            raise ComeBackLater(response.retry_after)
        return not device.outbox() and not any(page.remaining for page in response.pages)


class Served:
    """The server's processes."""

    def __init__(self, process: psutil.Process, address: str) -> None:
        self.address = address
        self._supervisor = process
        self.processes = {process, *self.children()}

    def children(self) -> set[psutil.Process]:
        """List what the supervisor has started, and what that has."""
        return set(self._supervisor.children(recursive=True))

    def assert_alive(self) -> None:
        """Hold that no process has ended, and none was started."""
        living = {self._supervisor, *self.children()}
        assert living == self.processes, f"{self.processes - living} died"

    def memory_bytes(self) -> int:
        """Give the memory of the largest process."""
        return max(process.memory_info().rss for process in self.processes)


@asynccontextmanager
async def served(database_url: str, socket_folder: Path, folder: Path) -> AsyncIterator[Served]:
    """Run a server until the block ends; its pools connect to the socket in `socket_folder`."""
    port = free_port()
    urls = role_urls(
        Settings(data_dir=folder, secret=SECRET, master_key=MASTER_KEY, database_url=via(database_url, socket_folder))
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("APEX_")} | {
        "APEX_SECRET": SECRET,
        "APEX_MASTER_KEY": MASTER_KEY,
        "APEX_DATA_DIR": str(folder),
        "APEX_DATABASE_URL": database_url,
        "APEX_DATABASE_URL_APP": urls.app,
        "APEX_DATABASE_URL_COMMIT": urls.commit,
        "APEX_ANALYSIS_QUIET_SECONDS": "0.2",
        "APEX_LOG_LEVEL": "warning",
    }
    command = [sys.executable, "-m", "apex_server.cli", "serve", "--port", str(port)]
    log = folder / "server.log"
    with log.open("wb") as written:
        process = await anyio.open_process(command, env=environment, stdout=written, stderr=written)
    try:
        address = f"http://127.0.0.1:{port}"
        await until_ready(address)
        await anyio.sleep(2.0)  # The worker comes up beside the web process.
        yield Served(psutil.Process(process.pid), address)
    finally:
        process.terminate()
        with anyio.CancelScope(shield=True):
            await process.wait()


def via(database_url: str, socket_folder: Path) -> str:
    """Lead a URL to another socket."""
    return f"{database_url.partition('?')[0]}?host={quote(str(socket_folder), safe='')}&port=5432"
