"""People, devices and a server without HTTP, as in `tests.server.sync_world`, over the store in memory."""

from uuid import UUID

from typing_extensions import override

from apex_server.caller import Role
from apex_server.sync.identity import ServerIdentity
from apex_server.sync.store import CommitStore, FeedStore
from tests.server.sync_world import SECRET, SyncWorld
from tests.simulation.memory_commits import Hook, MemoryCommitStore, go_on
from tests.simulation.memory_database import MemoryDatabase
from tests.simulation.memory_feed import MemoryFeedStore
from tests.simulation.memory_people import MemoryPeople


class MemoryWorld(SyncWorld):
    """A server whose data is in memory."""

    def __init__(self, seed: int = 1, hook: Hook = go_on) -> None:
        super().__init__(seed)
        self.people = MemoryPeople()
        self.database = MemoryDatabase(self.people.scopes_of, epoch=self.random.randbytes(8))
        self.hook = hook

    @override
    def commit_store(self) -> CommitStore:
        return MemoryCommitStore(self.database, self.hook)

    @override
    def feed_store(self) -> FeedStore:
        return MemoryFeedStore(self.database, self.hook)

    @override
    async def load_identity(self) -> ServerIdentity:
        return self.database.identity(SECRET)

    @override
    async def add_person(self, user_id: UUID, role: Role) -> None:
        self.people.add(user_id, role)

    @override
    async def add_device(self, user_id: UUID, device_id: UUID) -> None:
        pass

    @override
    async def engage(self, coach_id: UUID, athlete_id: UUID) -> None:
        self.people.engage(coach_id, athlete_id)

    @override
    async def dismiss(self, coach_id: UUID, athlete_id: UUID) -> None:
        self.people.dismiss(coach_id, athlete_id)
