"""What all walls together cost a push: TLS, session check, row-level security, limits, sealing and the audit chain.

Two whole servers, each with its own Postgres, get the same records in turns: one as it is shipped, one that is only
made here, with every wall taken out. What is measured is what a device waits for its server, not its own work, so the
walls are seen at their full size. Rounds alternate, and what the walls add is the median of what they added in each.
"""

import statistics
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg

from apex_client import Replica
from apex_client.http_transport import HttpTransport
from apex_server import serving
from apex_server.settings import Settings
from apex_sync.errors import MalformedUpdate
from apex_sync.wire import parse_document
from benchmarks.devices import PASSWORD, free_port, save_all
from benchmarks.table import Row
from benchmarks.workload import LoggedRecord, made_up
from tests.certificates import Authority

if TYPE_CHECKING:
    from litestar import Litestar

PUSH_RECORDS = 1000
ROUNDS = 9
WARM_UP_ROUNDS = 2
BUDGET = 0.25
OPEN_FACTORY = "benchmarks.walls:create_open_app"


async def wall_rows(directory: Path) -> list[Row]:
    """Measure the push with and without the walls."""
    authority = Authority(directory)
    certificate, key = authority.issue("bench")
    shares: dict[str, list[float]] = {"closed": [], "open": []}
    records = made_up(PUSH_RECORDS * (ROUNDS + WARM_UP_ROUNDS), 0)
    async with AsyncExitStack() as stack:
        tls = {"APEX_TLS_CERTIFICATE": str(certificate), "APEX_TLS_KEY": str(key)}
        sides = {
            "closed": await stack.enter_async_context(pushing_device(directory / "closed", authority.file, tls)),
            "open": await stack.enter_async_context(pushing_device(directory / "open", None, {})),
        }
        for number in range(ROUNDS + WARM_UP_ROUNDS):
            batch = records[number * PUSH_RECORDS : (number + 1) * PUSH_RECORDS]
            # Whoever comes second finds the machine as the first left it.
            for name in sorted(sides, reverse=number % 2 == 1):
                seconds = await sides[name].push(batch)
                if number >= WARM_UP_ROUNDS:
                    shares[name].append(seconds)
        # What was not taken out, or not there, would make the comparison one of nothing.
        assert await sides["closed"].walls() == (True, True, True)
        assert await sides["open"].walls() == (False, False, False)
    closed, opened = statistics.median(shares["closed"]), statistics.median(shares["open"])
    # What else the machine does changes from round to round, and hardly between the two pushes of one.
    cost = statistics.median(walled / bare for walled, bare in zip(shares["closed"], shares["open"], strict=True)) - 1
    return [
        Row("1,000-record push through all walls", closed * 1000, "ms", opened * 1000,
            budget="≤ 1.25 × without any", kept=cost <= BUDGET),
        Row("what the walls add to it", cost * 100, "%", budget="≤ 25 %", kept=cost <= BUDGET),
    ]  # fmt: skip


class TimedTransport(HttpTransport):
    """A transport that knows how long it has waited for answers to pushes and pulls."""

    waited_seconds = 0.0

    async def exchange(self, server: str, token: str, message: bytes) -> bytes:
        """Exchange, and add the time that took."""
        started = time.perf_counter()
        try:
            return await super().exchange(server, token, message)
        finally:
            self.waited_seconds += time.perf_counter() - started


class PushingDevice:
    """A device that pushes batches of records."""

    def __init__(self, replica: Replica, transport: TimedTransport, owner: str) -> None:
        self._replica = replica
        self._transport = transport
        self._owner = owner

    async def push(self, records: Sequence[LoggedRecord]) -> float:
        """Save records and push them; gives the seconds that the server was waited for."""
        await save_all(self._replica, records)
        before = self._transport.waited_seconds
        report = await self._replica.sync()
        assert report.acknowledged == len(records) and report.pending == 0, report
        return self._transport.waited_seconds - before

    async def walls(self) -> tuple[bool, bool, bool]:
        """Tell whether documents are sealed, the audit chained, and the tables under row security."""
        connection = await asyncpg.connect(self._owner)
        try:
            doc = await connection.fetchval("SELECT doc FROM records ORDER BY record_id LIMIT 1")
            chain = await connection.fetchval("SELECT chain FROM scopes WHERE name LIKE 'athlete:%' LIMIT 1")
            secured = await connection.fetchval("SELECT relrowsecurity FROM pg_class WHERE relname = 'records'")
        finally:
            await connection.close()
        try:
            parse_document(doc)
        except MalformedUpdate:
            return True, any(chain), secured
        return False, any(chain), secured


@asynccontextmanager
async def pushing_device(folder: Path, ca_file: Path | None, tls: dict[str, str]) -> AsyncIterator[PushingDevice]:
    """Run a server, as it is shipped where there is TLS, else without walls, and a device that is signed in to it."""
    folder.mkdir()  # noqa: ASYNC240 - nothing else runs yet.
    settings = Settings.from_environment(
        {
            "APEX_DATA_DIR": str(folder / "server"),
            "APEX_PORT": str(free_port()),
            "APEX_LOG_LEVEL": "error",
            "APEX_LIMITS_FACTOR": "1000",  # They are counted, and never reached.
            **tls,
        }
    )
    transport = TimedTransport(ca_file=ca_file)
    async with running(settings, without_walls=not tls) as ready:
        replica = Replica.open(folder / "device.db", transport=transport)
        async with replica:
            await replica.register(serving.address_of(ready), "walls@apex.example", PASSWORD, name="Bench")
            await replica.sync()
            yield PushingDevice(replica, transport, str(ready.database_url))


@asynccontextmanager
async def running(settings: Settings, *, without_walls: bool) -> AsyncIterator[Settings]:
    """Run a server; without walls its web process is made by `create_open_app`, and its tables have no row security."""
    shipped = serving.web_command
    if without_walls:
        serving.web_command = open_web_command(shipped)
    try:
        async with serving.serving(settings, with_worker=False) as ready:
            if without_walls:
                await drop_row_security(str(ready.database_url))
            yield ready
    finally:
        serving.web_command = shipped


def open_web_command(shipped: Any) -> Any:
    """Give the command of a web process with another factory."""

    def command(settings: Settings) -> list[str]:
        return [OPEN_FACTORY if word.endswith(":create_attached_app") else word for word in shipped(settings)]

    return command


async def drop_row_security(owner: str) -> None:
    """Let every login read and write every row of every table."""
    connection = await asyncpg.connect(owner)
    try:
        tables = await connection.fetch(
            "SELECT relname FROM pg_class WHERE relrowsecurity AND relnamespace = 'public'::regnamespace"
        )
        for table in tables:
            await connection.execute(
                f'ALTER TABLE "{table["relname"]}" DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY'
            )
    finally:
        await connection.close()


def create_open_app() -> "Litestar":
    """Build the application with every wall of a push taken out: for measuring, and for nothing else."""
    from apex_server import app as application
    from apex_server import attached
    from apex_server.auth.authenticator import Authenticator
    from apex_server.sync import scope_commit
    from apex_server.sync.chaining import Chained, spans_in_order
    from apex_server.sync.sealing import DocumentSeal

    async def admitted(_limits: Any, _connection: Any, authenticate: Any) -> None:
        await authenticate()

    async def open_session(_self: Any, _caller: Any) -> bool:
        return True

    def unchained(_chain: Any, _scope: str, _before: Any, _writer: Any, _at_us: int, changes: Sequence[Any]) -> Chained:
        return Chained(bytes(32), [bytes(16) for change in changes for _ in spans_in_order(change)])

    taken_out: list[tuple[Any, str, Any]] = [
        (DocumentSeal, "seal", lambda _self, _record_id, _digest, doc: doc),
        (DocumentSeal, "open", lambda _self, _record_id, _digest, sealed: sealed),
        (DocumentSeal, "seal_name", lambda _self, name, _what: name.encode()),
        (scope_commit, "chained", unchained),
        (Authenticator, "is_session_open", open_session),
        (application, "admit", admitted),
        (application, "charge_requests", lambda app: app),
        (application, "LimitedExchange", lambda answer, _limits, **_options: answer),
    ]
    for owner, name, instead in taken_out:
        assert hasattr(owner, name), f"{owner} has no {name} to take out any more"
        setattr(owner, name, instead)
    return attached.create_attached_app()
