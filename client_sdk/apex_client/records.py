"""Records of any collection, as plain maps: what has no resource of its own is read and written here.

program = await replica.programs.get(program_id)
await replica.profile.edit(training_days_per_week=4)
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from apex_client import listing
from apex_client.local import LocalReplica
from apex_client.status import RecordStatus
from apex_client.views import Snapshot
from apex_sync.op import Patch

if TYPE_CHECKING:
    from apex_client.replica import Replica

LIST_MAX = 1000

_Records: TypeAlias = "list[Record]"


class Records:
    """The records of one collection, in one scope or in all of this replica."""

    def __init__(self, replica: "Replica", collection: str, scope: str | None = None) -> None:
        self._replica = replica
        self._scope = scope
        self.collection = collection

    async def create(self, fields: Mapping[str, Any], *, record_id: str | None = None) -> "Record":
        """Make a record. Raises OutOfBounds, ForbiddenField, AthleteNeeded."""
        snapshot = await self._replica._do(
            LocalReplica.create, self.collection, self._scope, dict(fields), record_id=record_id
        )
        return Record(self._replica, snapshot)

    async def get(self, record_id: str) -> "Record":
        """Read one record. Raises NoSuchRecord."""
        return Record(
            self._replica, await self._replica._do(LocalReplica.snapshot, self.collection, record_id, scope=self._scope)
        )

    async def list(self, *, limit: int = 100) -> _Records:
        """List the records that are not deleted, the most recently changed first."""
        found = await self._replica._do(
            listing.recently_changed, self.collection, self._scope, limit=min(limit, LIST_MAX)
        )
        return [Record(self._replica, snapshot) for snapshot in found]


class Record:
    """One record as a map of its fields, as it stood at the last call."""

    def __init__(self, replica: "Replica", snapshot: Snapshot) -> None:
        self._replica = replica
        self.snapshot = snapshot

    @property
    def id(self) -> str:
        """The record id, a UUID."""
        return self.snapshot.record_id

    @property
    def scope(self) -> str:
        """What it is shared in."""
        return self.snapshot.scope

    @property
    def state(self) -> Patch:
        """All its fields; entries of a map that were deleted are still there, marked so."""
        return self.snapshot.state

    def __getitem__(self, field: str) -> Any:
        """Read a field. Raises KeyError where it was never set."""
        return self.snapshot.state[field]

    def get(self, field: str, default: Any = None) -> Any:
        """Read a field that may not be set."""
        return self.snapshot.state.get(field, default)

    async def edit(self, fields: Mapping[str, Any] | None = None, **more: Any) -> "Record":
        """Set fields; a nested map changes only what it names, None empties a field."""
        patch = {**(fields or {}), **more}
        self.snapshot = await self._replica._do(
            LocalReplica.edit, self.snapshot.collection, self.id, lambda state: patch, scope=self.scope
        )
        return self

    async def delete(self) -> "Record":
        """Delete the record; it can be restored."""
        return await self.edit(deleted=True)

    async def restore(self) -> "Record":
        """Undo a deletion."""
        return await self.edit(deleted=False)

    async def refresh(self) -> "Record":
        """Read the record anew."""
        self.snapshot = await self._replica._do(
            LocalReplica.snapshot, self.snapshot.collection, self.id, scope=self.scope
        )
        return self

    async def status(self) -> RecordStatus:
        """Tell whether it is synced, pending, rejected or conflicted."""
        return await self._replica._do(listing.record_status, self.id, scope=self.snapshot.scope)


class ProfileRecord:
    """The profile of one athlete: the one record whose id is the athlete's own."""

    def __init__(self, replica: "Replica", scope: str | None = None) -> None:
        self._replica = replica
        self._scope = scope

    async def get(self) -> Record:
        """Read the profile, which is empty until something was written."""
        return Record(self._replica, await self._replica._do(LocalReplica.profile, self._scope))

    async def edit(self, **fields: Any) -> Record:
        """Set fields of the profile. Raises OutOfBounds."""
        return Record(self._replica, await self._replica._do(LocalReplica.edit_profile, self._scope, fields))
