"""A simulated device: the SDK's own replica, account and sync loop over a store that can be struck at every write."""

import asyncio
import traceback
from collections.abc import Callable, Coroutine
from random import Random
from typing import Any, NamedTuple

from apex_client.accounts import Credentials
from apex_client.errors import SyncFailed
from apex_client.local import LocalReplica
from apex_client.status import SyncReport
from apex_sync.op import Patch
from apex_sync.testing.memory_store import Image, Row, Stage
from tests.simulation.memory_replica import MemoryIdentityFile, MemoryReplica, MemoryReplicaStore
from tests.simulation.network import Link
from tests.simulation.server import SimulatedServer
from tests.simulation.sign_ins import PASSWORD, Person


class Crashed(BaseException):
    """The device's process was killed here."""


class Backup(NamedTuple):
    """A device's backup; the file of seals is in it where the app has not kept it out."""

    image: Image
    seals: frozenset[str]


class SimulatedDevice:
    """One phone or watch of somebody."""

    def __init__(
        self,
        lineage: str,
        person: Person,
        server: SimulatedServer,
        wall_us: Callable[[], int],
        dice: Random,
        image: Image | None = None,
        seals: frozenset[str] = frozenset(),
    ) -> None:
        self.lineage = lineage
        """Its name, and that of every device that was copied from it."""
        self.person = person
        self.dice = dice
        self.skew_us = 0
        self.link = Link(server, Random(dice.getrandbits(64)))
        self.identity_file = MemoryIdentityFile(seals)
        self.crash_in = 0
        """Stages of writing until the process is killed; 0 is never."""
        self.loses_power = False
        self.is_dead = False
        self.bugs: list[str] = []
        self.reports: list[SyncReport] = []
        self._wall_us = wall_us
        self._tasks: dict[asyncio.Task[Any], None] = {}
        self._background: asyncio.Task[None] | None = None
        self._is_stopping = False
        self._boot(image)

    def now_us(self) -> int:
        """Read its own clock."""
        return max(1, self._wall_us() + self.skew_us)

    @property
    def local(self) -> LocalReplica:
        """The records, as the app sees them."""
        return self.replica._open

    @property
    def rows(self) -> dict[tuple[str, str], Row]:
        """What is kept of each record."""
        return self.store.rows()

    def _boot(self, image: Image | None) -> None:
        self.is_dead, self.crash_in = False, 0
        self.store = MemoryReplicaStore(self.now_us, image, strike=self._strike)
        self.replica = MemoryReplica(
            self.store,
            self.identity_file,
            self.link,
            now_us=self.now_us,
            entropy=self.dice.randbytes,
            credentials=Credentials(self.person.email, PASSWORD),
        )
        self.replica.begin()

    def _strike(self, stage: Stage) -> None:
        if self.is_dead:
            raise Crashed
        if self.crash_in:
            self.crash_in -= 1
            if not self.crash_in:
                self.is_dead = True
                raise Crashed

    # What its user does.

    def save(self, scope: str, collection: str, record_id: str, patch: Patch) -> None:
        """Edit a record, or begin it. Raises Crashed, and what the SDK says of an edit it does not take."""
        self.replica.save(collection, scope, patch, record_id)

    def force(self, scope: str, collection: str, record_id: str, patch: Patch) -> None:
        """Write what the SDK would not: as a newer app, a broken one or a forger does."""
        with self.store.transaction():
            held = self.store.one(scope, record_id) or self.local.device.new_record(record_id, scope, collection)
            held.write(patch, self.local.device.now_us())
            self.store.save([held], "local")

    def begin_sync(self) -> None:
        """Sync, while other things happen."""
        self._start(self._sync())

    async def sync(self) -> SyncReport | None:
        """Sync, and wait for it; None when that failed as a sync may."""
        task = self._start(self._sync())
        await asyncio.wait([task])
        return None if task.cancelled() else task.result()

    def run_in_background(self, on: bool) -> None:
        """Start or stop the background sync."""
        before = self._background
        if on and (self._is_stopping or before is None or before.done()):
            self._background = self._start(self._run_after(before))
        elif not on and before is not None:
            self.replica.stop()
        self._is_stopping = not on

    async def _run_after(self, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await asyncio.wait([before])
        await self.replica.run()

    async def _sync(self) -> SyncReport | None:
        try:
            report = await self.replica.sync()
        except SyncFailed:
            return None
        self.reports.append(report)
        return report

    def _start(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = asyncio.create_task(self._held_to_its_errors(work))
        self._tasks[task] = None
        task.add_done_callback(self._tasks.pop)
        return task

    async def _held_to_its_errors(self, work: Coroutine[Any, Any, Any]) -> Any:
        try:
            return await work
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001 - whatever it is, the run is to be told of it.
            if not self.is_dead:
                self.bugs.append("".join(traceback.format_exception(error)))
            return None

    # What happens to it.

    def kill(self) -> None:
        """Kill the process wherever it is."""
        self.is_dead = True

    async def revive(self) -> None:
        """Start the process again after it was killed; with the power went what was not durable."""
        await self._end_tasks()
        if self.loses_power:
            self.store.lose_power()
        self.loses_power = False
        self._boot(self.store.image())

    def backup(self) -> Backup:
        """Take a backup of the device."""
        return Backup(self.store.image(), self.identity_file.seals)

    async def put_back(self, backup: Backup, *, with_seals: bool) -> None:
        """Put the device back to a backup of it."""
        self.kill()
        await self._end_tasks()
        if with_seals:
            self.identity_file.seals = backup.seals
        self._boot(backup.image)

    async def end(self) -> None:
        """Switch it off for good."""
        self.kill()
        await self._end_tasks()

    async def _end_tasks(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        self.link.drop_channels()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._background, self._is_stopping = None, False
