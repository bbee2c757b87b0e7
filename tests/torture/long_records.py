"""One record, edited ten thousand times by real devices through a real server, and compacted again and again.

Meanwhile one device is offline from the hundredth edit on, one is put back to an image from before the compactions, one
lives twice. None of them may lose an edit, get stuck, or see anything but what the full history says: every op that the
server takes is kept here, and folded in the end as if there had never been a compaction.
"""

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

import anyio
from msgspec import Struct

from apex_client import signing
from apex_client.accounts import Session, User
from apex_client.local import LocalReplica
from apex_client.stepping import absorb, next_message
from apex_server.caller import Caller
from apex_server.db import Database
from apex_server.settings import Settings
from apex_server.sync import compact_long_records
from apex_sync.document import Document
from apex_sync.fold import fold
from apex_sync.op import Patch
from apex_sync.protocol import SyncRequest, SyncResponse, decode_request, decode_response, encode_message
from apex_sync.session.session import SyncSession
from apex_sync.wire import DOCUMENT_BYTES_MAX, OPS_MAX, parse_document, parse_push
from tests.server.sealed_rows import MASTER_KEY, with_open_documents
from tests.server.sync_world import SECRET, World, assert_consistent
from tests.torture.postgres_cluster import Cluster, own_cluster
from tests.torture.report import Outcome, Scale

PART = "long_records"
COLLECTION = "workout_logs"
REQUESTS_MAX = 12
"""Requests that one sync may take, whatever happened to the record since the last one."""

JOB_EVERY_EDITS = 250
OLD_SINCE_EDIT = 100


class Life(Struct, frozen=True):
    """How a record is edited: by one device or two at once, with so many edits a sync, with the server's job or not."""

    name: str
    edits: int
    note_bytes: int
    edits_a_sync: int = 1
    together: bool = False
    has_job: bool = False


def lives(scale: Scale) -> list[Life]:
    """Give what is lived; in CI notes are so long that fewer edits overflow a record just as well."""
    edits, note_bytes = (10_000, 100) if scale is Scale.FULL else (400, 2_800)
    return [
        Life("edits and syncs in turn, and the job compacts", edits, note_bytes, has_job=True),
        Life("edits and syncs in turn, and no job compacts", edits, note_bytes),
        Life("two devices edit at once", edits, note_bytes, edits_a_sync=2, together=True),
        Life("two devices edit at once, offline to the end", edits, note_bytes, edits_a_sync=edits, together=True),
    ]


def torture(scale: Scale) -> Iterator[Outcome]:
    """Live every life once."""
    with own_cluster() as cluster:
        for life in lives(scale):
            outcome = Outcome(part=PART, fault=f"{life.edits:,} {life.name}")
            with outcome.run(life.name):
                live_in(cluster, life)
            print(
                f"  {outcome.fault}: {outcome.seconds:,.0f} s, {outcome.failures or 'well'}",
                file=sys.stderr,
                flush=True,
            )
            yield outcome


def live_in(cluster: Cluster, life: Life) -> None:
    """Live a life on a database of its own. Raises AssertionError for whatever is lost, stuck or different."""
    with cluster.database() as url, tempfile.TemporaryDirectory() as folder:
        anyio.run(_live, url, Path(folder), life)


async def _live(url: str, folder: Path, life: Life) -> None:
    settings = Settings(data_dir=folder, secret=SECRET, master_key=MASTER_KEY, database_url=url)
    async with AsyncExitStack() as stack:
        db = await stack.enter_async_context(Database.open(settings))
        record = LongRecord(await World(db, url).open(), db, folder, life)
        stack.callback(record.close)
        await record.begin()
        await record.be_edited()
        await record.meet_its_past()
        await record.be_the_same_everywhere()


class FullHistory:
    """Every op of one record that a server took: what the record would be without compactions."""

    def __init__(self) -> None:
        self.document = Document()

    def hear(self, request: SyncRequest, response: SyncResponse) -> None:
        """Take down what was pushed and is durable now."""
        for pushed, result in zip(request.push, response.results, strict=True):
            assert result.status != "retry", "the record is stuck"
            if result.status != "applied":
                continue
            first, ops = parse_push(pushed.update, request.client_id)
            refused = {refusal.clock for refusal in result.refusals}
            for clock, op in enumerate(ops, first):
                if clock < self.document.next_clocks.get(request.client_id, 0):
                    continue
                if clock in refused:
                    self.document.append_dead(request.client_id)
                else:
                    assert self.document.append(request.client_id, op) == clock


class LongDevice:
    """The SDK's replica of one installation, and a network that always works."""

    def __init__(self, path: Path, world: World, caller: Caller, history: FullHistory, dice: Random) -> None:
        self.path = path
        self.caller = caller
        self._world = world
        self._history = history
        self._dice = dice
        self.local = self._open()

    def _open(self) -> LocalReplica:
        local = LocalReplica.open(self.path, None, now_us=self._world.now_us, entropy=self._dice.randbytes)
        if local.session is None:
            user = User(str(self.caller.user_id), "a@example.org", "A", "athlete")
            signing.sign_in(local, Session(user, "here", "", "", 0))
        return local

    async def sync(self) -> None:
        """Sync to the end, over the bytes of the protocol."""
        session = SyncSession(self.local.device)
        for _ in range(REQUESTS_MAX):
            message = next_message(session)
            if message is None:
                return
            absorb(session, decode_response(await self._exchange(message)))
        raise AssertionError(f"a sync of {self.path.stem} does not end")

    async def send_and_hear_nothing(self) -> None:
        """Begin a sync whose answer is lost."""
        message = next_message(SyncSession(self.local.device))
        assert message is not None, "there was nothing to send"
        await self._exchange(message)

    async def _exchange(self, message: bytes) -> bytes:
        request = decode_request(message)
        response = await self._world.exchange(self.caller, request)
        self._history.hear(request, response)
        return encode_message(response)

    def image(self, name: str) -> Path:
        """Take a backup of the whole device."""
        self.local.close()
        copy = self.path.with_name(f"{name}.db")
        for suffix in ("", ".identity"):
            shutil.copy(f"{self.path}{suffix}", f"{copy}{suffix}")
        self.local = self._open()
        return copy

    def put_back(self, image: Path) -> None:
        """Become what an image says, and know nothing of what came after it."""
        self.local.close()
        for suffix in ("-wal", "-shm"):
            Path(f"{self.path}{suffix}").unlink(missing_ok=True)
        for suffix in ("", ".identity"):
            shutil.copy(f"{image}{suffix}", f"{self.path}{suffix}")
        self.local = self._open()


class LongRecord:
    """One record, those who edit it, and those who come back to it in the end."""

    def __init__(self, world: World, db: Database, folder: Path, life: Life) -> None:
        self.world = world
        self.db = db
        self.folder = folder
        self.life = life
        self.history = FullHistory()
        self.devices: list[LongDevice] = []

    def close(self) -> None:
        """Close every replica."""
        for device in self.devices:
            device.local.close()

    async def begin(self) -> None:
        """Let one device make the record, and three others read it."""
        self.user_id = await self.world.athlete()
        self.phone, self.watch, self.restored, self.offline = [
            await self._device(name) for name in ("phone", "watch", "restored", "offline")
        ]
        self.record_id = self.phone.local.create(COLLECTION, None, {"title": "Endless", "date": "2026-03-01"}).record_id
        for device in self.devices:
            await device.sync()

    async def be_edited(self) -> None:
        """Edit the record for a lifetime."""
        writers = [self.phone, self.watch] if self.life.together else [self.phone]
        for number in range(self.life.edits):
            writer = writers[number % len(writers)]
            self._edit(writer, self._patch(number))
            if number == OLD_SINCE_EDIT:
                await self._send_away()
            if (number + 1) % self.life.edits_a_sync == 0:
                for device in writers:
                    await device.sync()
            if self.life.has_job and number % JOB_EVERY_EDITS == 0:
                await compact_long_records(self.db, self.world.committer)
            if number % 100 == 0:
                await self._be_bounded()

    async def meet_its_past(self) -> None:
        """Let everybody come back who knows the record as it was long ago, each with an edit of their own."""
        self.restored.put_back(self.image)
        twin = LongDevice(self.clone, self.world, self.offline.caller, self.history, Random("twin"))
        self.devices.append(twin)
        for number, device in enumerate((self.restored, twin, self.offline)):
            for field in ("fatigue", "pump"):
                self._edit(device, {field: number + 1})
        for _ in range(3):
            for device in self.devices:
                await device.sync()

    async def be_the_same_everywhere(self) -> None:
        """Hold server and devices to the full history, and Postgres to what the documents say."""
        writes = list(self.history.document.writes())
        full = fold(writes)
        [row] = await self._records()
        document = parse_document(row["doc"])
        kept = fold(document.writes())
        assert kept.state == full.state, "a compaction has changed what the record says"
        assert kept.conflicts == full.conflicts, "a compaction has changed what was concurrent"
        for device in self.devices:
            held = device.local.find(COLLECTION, self.record_id, None)
            assert not held.pending, f"{device.path.stem} is stuck"
            assert held.document == document, f"{device.path.stem} holds something else"
            assert (held.state, held.conflicts) == (full.state, full.conflicts)
        assert sum("mood" in write.patch for write in writes) == 1, "an op that was sent twice was taken twice"
        if self.life.edits_a_sync <= len(self.devices):
            assert len(writes) >= self.life.edits, "the server never saw an edit"
            assert document.op_count < self.history.document.op_count / 2, "nothing was ever compacted"
        await assert_consistent(self.world)

    async def _device(self, name: str) -> LongDevice:
        device_id = UUID(int=self.world.random.getrandbits(128), version=4)
        await self.world.add_device(self.user_id, device_id)
        caller = Caller(self.user_id, "athlete", device_id, UUID(int=1), 2**40)
        device = LongDevice(self.folder / f"{name}.db", self.world, caller, self.history, Random(name))
        self.devices.append(device)
        return device

    async def _send_away(self) -> None:
        """Let one device go offline that heard no answer to an edit, live on twice, and keep an image of another."""
        for device in (self.restored, self.offline):
            await device.sync()
        self._edit(self.offline, {"mood": 7})
        await self.offline.send_and_hear_nothing()
        self.clone = self.offline.image("clone")
        self._edit(self.restored, {"week_number": 1})
        self.image = self.restored.image("image")
        await self.restored.sync()
        self._edit(self.restored, {"week_number": 2})
        await self.restored.sync()

    async def _records(self) -> list[dict[str, Any]]:
        rows = await self.world.sql(
            "SELECT name AS scope, record_id, records.digest, doc FROM records JOIN scopes USING (scope_id)"
        )
        return await with_open_documents(self.world, rows)

    async def _be_bounded(self) -> None:
        for row in await self._records():
            ops = parse_document(row["doc"]).op_count
            assert len(row["doc"]) < 0.7 * DOCUMENT_BYTES_MAX and ops < 0.7 * OPS_MAX, f"the record is {ops} ops long"

    def _edit(self, device: LongDevice, patch: Patch) -> None:
        device.local.edit(COLLECTION, self.record_id, lambda _: patch)

    def _patch(self, number: int) -> Patch:
        note = f"edit {number} ".ljust(self.life.note_bytes, "x")
        return {"notes": note} if number % 10 else {"notes": note, "sets": {f"s{number % 30}": {"reps": number % 20}}}
