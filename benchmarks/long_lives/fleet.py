"""A fleet of devices and one server, of which only the network and the server's disk are simulated.

Each device is the SDK's own replica in a file of its own (on a RAM disk, where there is one); the server is the real
commit, feed and exchange over the simulator's store in memory. Processor time is counted on each side of the wire, so
that other work on the machine changes little.
"""

import resource
from collections.abc import Callable
from pathlib import Path
from random import Random
from time import process_time
from uuid import UUID

from msgspec import Struct

from apex_client import signing
from apex_client.accounts import Role, Session, User
from apex_client.compression import compress
from apex_client.local import LocalReplica
from apex_client.stepping import absorb, next_message
from apex_server.caller import Caller
from apex_server.db import Hint
from apex_sync.document import Document
from apex_sync.fold import fold
from apex_sync.op import Patch, Write, encode_op
from apex_sync.protocol import decode_request, decode_response, encode_message
from apex_sync.session.session import SyncSession
from apex_sync.wire import encode_document, parse_document
from tests.simulation.memory_world import MemoryWorld

RAM_DISK = Path("/dev/shm")  # noqa: S108 - a folder of our own is made in it.
FILES_A_DEVICE = 4
UNPACKED_BYTES_MAX = 512
"""Shorter messages are sent as they are."""

YARDSTICK_OPS = 200
ROUND_TRIPS_MAX = 200


class Cost(Struct, frozen=True):
    """What one sync cost: processor time on both sides, and bytes of packed messages both ways."""

    device_ms: float
    server_ms: float
    bytes: int
    round_trips: int


class FleetWorld(MemoryWorld):
    """A server whose clock stands still until it is set, and that tells nobody about commits."""

    async def hear(self, hints: list[Hint]) -> None:
        """Every device looks for itself."""

    async def compact(self) -> int:
        """Do what the job does; give how many records that were."""
        long_records = self.database.long_records()
        for scope, record_id in long_records:
            await self.committer.compact(scope, record_id)
        return len(long_records)


class FleetDevice:
    """One installation of the SDK."""

    def __init__(self, path: Path, world: FleetWorld, user_id: UUID, role: Role, dice: Random) -> None:
        self.path = path
        self._world = world
        device_id = UUID(int=dice.getrandbits(128), version=4)
        self.caller = Caller(user_id, role, device_id, UUID(int=1), 2**40)
        self.local = LocalReplica.open(path, None, now_us=world.now_us, entropy=dice.randbytes)
        signing.sign_in(self.local, Session(User(str(user_id), "", "", role), "here", "", "", 0))
        self.costs: list[Cost] = []
        self.save_ms: list[float] = []

    def create(self, collection: str, patch: Patch) -> str:
        """Make a record."""
        return self._timed(lambda: self.local.create(collection, None, patch).record_id)

    def edit(self, collection: str, record_id: str, patch: Patch, scope: str | None = None) -> None:
        """Edit a record that is here."""
        self._timed(lambda: self.local.edit(collection, record_id, lambda _: patch, scope=scope).record_id)

    def _timed(self, save: Callable[[], str]) -> str:
        started = process_time()
        record_id = save()
        self.save_ms.append(1000 * (process_time() - started))
        return record_id

    async def sync(self) -> Cost:
        """Sync to the end."""
        device = server = 0.0
        size = round_trips = 0
        mark = process_time()
        session = SyncSession(self.local.device)
        while (message := next_message(session)) is not None:
            device += process_time() - mark
            mark = process_time()
            answer = encode_message(await self._world.exchange(self.caller, decode_request(message)))
            server += process_time() - mark
            size += _packed_bytes(message) + _packed_bytes(answer)
            round_trips += 1
            assert round_trips < ROUND_TRIPS_MAX, "a sync does not end"
            mark = process_time()
            absorb(session, decode_response(answer))
        device += process_time() - mark
        self.local.take_changes()
        assert session.tally.rejected == session.tally.forks == 0, f"{self.path.stem}: {session.tally}"
        cost = Cost(1000 * device, 1000 * server, size, round_trips)
        self.costs.append(cost)
        return cost


def yardstick_ms() -> float:
    """Give the processor time that a fixed piece of the engine's work takes now: busy machines are slower ones."""
    document = Document()
    for number in range(YARDSTICK_OPS):
        document.append(7, encode_op([Write(number + 1, [], {"sets": {f"s{number}": {"reps": 8}}})]))
    stored = encode_document(document)
    started = process_time()
    fold(parse_document(stored).writes())
    return 1000 * (process_time() - started)


def allow_files(devices: int) -> None:
    """Let this process have the files of so many replicas open."""
    wanted = FILES_A_DEVICE * devices + 256
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard), hard))


def _packed_bytes(message: bytes) -> int:
    return len(message) if len(message) <= UNPACKED_BYTES_MAX else len(compress(message))
