"""A whole server (Postgres, web processes) for the end-to-end proofs, with what they read behind its back.

What devices see they see through the SDK and real HTTP; what is stored is read straight from Postgres as its owner, and
digests are computed anew from the stored documents, so that neither side's bookkeeping vouches for itself.
"""

import itertools
import socket
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any, Literal
from uuid import UUID

import anyio
import asyncpg
import psutil
from anyio.from_thread import BlockingPortal
from msgspec.structs import replace

from apex_client import Replica, User
from apex_client.errors import SyncFailed
from apex_server.serving import address_of, serving
from apex_server.settings import Settings
from apex_server.vault import MasterKeys, master_keys_of
from apex_sync.digest import DIGEST_MODULUS, record_digest
from apex_sync.wire import parse_document
from tests.confirmation import confirm_address, confirm_address_blocking
from tests.server.sealed_rows import with_open_documents

PASSWORD = "correct horse battery staple"
SECRET = "a secret for the end-to-end tests, long enough"

_numbers = itertools.count(1)


class WholeServer:
    """A running server, and the accounts made on it."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.address = address_of(settings)

    def new_email(self, name: str) -> str:
        """Name an account that nobody has yet."""
        return f"{name}{next(_numbers)}@example.com"

    async def confirm(self, email: str) -> None:
        """Follow the mailed link to this address: until then an account opens on the device that made it alone."""
        await confirm_address(self.settings, email)

    def confirm_blocking(self, email: str) -> None:
        """Do the same without an event loop."""
        confirm_address_blocking(self.settings, email)

    @property
    def master_keys(self) -> MasterKeys:
        """What the server's keys are wrapped under."""
        return master_keys_of(self.settings)

    async def sql(self, statement: str, *arguments: Any) -> list[asyncpg.Record]:
        """Read rows."""
        return await self.rows(statement, *arguments)

    async def rows(self, sql: str, *arguments: Any) -> list[asyncpg.Record]:
        """Read from Postgres as the owner of the schema."""
        assert self.settings.database_url is not None
        connection = await asyncpg.connect(self.settings.database_url)
        try:
            return list(await connection.fetch(sql, *arguments))
        finally:
            await connection.close()

    async def digest(self, scope: str) -> int:
        """Compute the digest of a scope from the documents in Postgres, and hold the stored one to it."""
        (row,) = await self.rows("SELECT scope_id, digest FROM scopes WHERE name = $1", scope)
        sealed = await self.rows(
            "SELECT $1::text AS scope, record_id, records.digest, doc FROM records WHERE scope_id = $2",
            scope,
            row["scope_id"],
        )
        records = await with_open_documents(self, sealed)
        total = sum(record_digest(record["record_id"].bytes, parse_document(record["doc"])) for record in records)
        assert total % DIGEST_MODULUS == int.from_bytes(row["digest"], "big")
        return total % DIGEST_MODULUS


class Athlete:
    """Somebody who trains, and the folder their devices keep replicas in."""

    def __init__(self, server: WholeServer, folder: Path) -> None:
        self.server = server
        self.folder = folder
        self.email = server.new_email("mara")
        self.id = ""
        self._devices = AsyncExitStack()

    @property
    def scope(self) -> str:
        return f"athlete:{self.id}"

    async def register(self, device: Replica, address: str | None = None, invite: str | None = None) -> User:
        """Make the account on a device, and confirm its address for the others."""
        address = address or self.server.address
        user = await device.register(address, self.email, PASSWORD, name="Mara", invite=invite)
        self.id = user.id
        await self.server.confirm(self.email)
        return user

    async def device(
        self, name: str, kind: Literal["phone", "watch", "tablet"] = "phone", address: str | None = None, **more: Any
    ) -> Replica:
        """Open a device and sign in, making the account with the first one; closed at the end of `athlete`."""
        replica = await self._devices.enter_async_context(
            Replica.open(self.folder / f"{name}.db", device_name=name, device_kind=kind, **more)
        )
        if self.id:
            await replica.login(address or self.server.address, self.email, PASSWORD)
        else:
            await self.register(replica, address)
        return replica

    async def numbers_in_postgres(self) -> Counter[int]:
        """Count the numbered sets by their number."""
        return Counter(number_of(row) for row in await self.sets_in_postgres())

    async def sets_in_postgres(self) -> list[asyncpg.Record]:
        """Read the projected sets."""
        sql = "SELECT * FROM logged_sets WHERE scope_id = $1 ORDER BY record_id, position"
        return await self.server.rows(sql, UUID(self.id))


@asynccontextmanager
async def athlete_of(server: WholeServer, folder: Path) -> AsyncIterator[Athlete]:
    """Give somebody whose devices are closed when the block ends."""
    athlete = Athlete(server, folder)
    async with athlete._devices:
        yield athlete


@contextmanager
def running_server(portal: BlockingPortal, settings: Settings, *, with_worker: bool = False) -> Iterator[WholeServer]:
    """Run a server until the block ends; without a worker there is no analysis, and no mail goes."""
    settings = replace(settings, port=free_port(), log_level="warning")
    with portal.wrap_async_context_manager(serving(settings, with_worker=with_worker)) as ready:
        yield WholeServer(ready)


async def replica_digest(replica: Replica, scope: str) -> int:
    """Compute the digest of a scope from the documents on a device, and hold the stored one to it."""
    sql = (
        "SELECT record.record_id, record.document, scope.digest FROM held_records AS record"
        " JOIN held_scopes AS scope ON scope.scope_no = record.scope_no WHERE scope.name = ?"
    )
    rows = await replica.query(sql, (scope,))
    total = sum(record_digest(UUID(row["record_id"]).bytes, parse_document(row["document"])) for row in rows)
    assert not rows or total % DIGEST_MODULUS == int.from_bytes(rows[0]["digest"], "big")
    return total % DIGEST_MODULUS


async def assert_one_digest(server: WholeServer, scope: str, *replicas: Replica) -> None:
    """Hold the server and every device to one content, with nothing left to send."""
    expected = await server.digest(scope)
    for replica in replicas:
        assert (await replica.status()).pending == 0
        assert await replica_digest(replica, scope) == expected


async def sync_until_done(replica: Replica, *, seconds: float) -> int:
    """Sync again and again, as an app would, until all is sent and read; give the number of failures on the way."""
    failures = 0
    with anyio.fail_after(seconds):
        while True:
            try:
                if (await replica.sync()).pending == 0:
                    return failures
            except SyncFailed:
                failures += 1
                await anyio.sleep(0.05)


def web_processes(server: WholeServer, *, parents: bool) -> list[psutil.Process]:
    """List the processes that answer, or the parents of those; all are descendants of this one."""
    me = psutil.Process()
    granians = []
    for process in me.children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            line = process.cmdline()
            if "granian" in line and str(server.settings.port) in line:
                granians.append((process, process.ppid() == me.pid))
    return [process for process, is_parent in granians if is_parent == parents]


def load_of(number: int) -> float:
    """Give the load that carries the number of a set, within bounds up to 200,000."""
    return number / 100


def number_of(row: Mapping[str, Any] | asyncpg.Record) -> int:
    """Read the number of a set from its row in any table."""
    load_kg: float = row["load_kg"]
    return round(load_kg * 100)


def free_port() -> int:
    """Find a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
