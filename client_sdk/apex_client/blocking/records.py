# Made from ../records.py by client_sdk/generate_blocking.py; edit that file instead.
"""Records: what there is of every kind of record, whatever it holds.

target = replica.nutrition_targets.create(start_date="2026-03-01", energy_kcal=2600)
target.edit(protein_g=180)
for past in target.history():
    print(past.at_us, past.patch)

A kind with more to it (`workouts`, `checkins`, `insights`) derives from these.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import date as Date
from typing import TYPE_CHECKING, Any, Generic, Self, TypeAlias, TypeVar, cast

import msgspec

from apex_client import boxes, listing
from apex_client.local import LocalReplica
from apex_client.overview import Choice, ConflictItem, PastWrite
from apex_client.status import RecordStatus
from apex_client.views import Snapshot
from apex_sync.collection import Record as Model
from apex_sync.models import COLLECTIONS
from apex_sync.op import Patch

if TYPE_CHECKING:
    from apex_client.blocking.replica import Replica

LIST_MAX = 1000
"""How many records one call lists; use SQL (`replica.query`) for what is larger."""

ModelT = TypeVar("ModelT", bound=Model)
HandleT = TypeVar("HandleT", bound="Record[Any]")


class Record(Generic[ModelT]):
    """One record, as it stood at the last call; `refresh` reads what a sync has brought since."""

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
    def athlete_id(self) -> str:
        """Whose it is, or about whom; `self` before the first sign-in."""
        return self.snapshot.scope.rpartition(":")[2]

    @property
    def state(self) -> Patch:
        """All its fields; entries of a map that were deleted are still there, marked so."""
        return self.snapshot.state

    @property
    def record(self) -> ModelT:
        """The whole record as the typed model, deleted entries included."""
        return cast(ModelT, msgspec.convert(self.state, COLLECTIONS[self.snapshot.collection].loose_model))

    @property
    def deleted(self) -> bool:
        """Whether it was deleted; it can be restored."""
        return self.get("deleted") is True

    def __getitem__(self, field: str) -> Any:
        """Read a field. Raises KeyError where it was never set."""
        return self.snapshot.state[field]

    def get(self, field: str, default: Any = None) -> Any:
        """Read a field that may not be set."""
        return self.snapshot.state.get(field, default)

    def edit(self, fields: Mapping[str, Any] | None = None, **more: Any) -> Self:
        """Set fields; a nested map changes only what it names, None empties a field. Raises OutOfBounds."""
        patch = {**(fields or {}), **more}
        return self._edit(lambda state: patch)

    def delete(self) -> Self:
        """Delete the record; it can be restored, here and on every other device."""
        return self._edit(lambda state: {"deleted": True})

    def restore(self) -> Self:
        """Undo a deletion."""
        return self._edit(lambda state: {"deleted": False})

    def refresh(self) -> Self:
        """Read the record anew."""
        return self._take(self._replica._do(LocalReplica.snapshot, self.snapshot.collection, self.id, scope=self.scope))

    def status(self) -> RecordStatus:
        """Tell whether it is synced, pending, rejected or conflicted."""
        return self._replica._do(listing.record_status, self.id, scope=self.scope)

    def conflicts(self) -> list[ConflictItem]:
        """List what devices wrote to it without having seen each other."""
        return self._replica._do(boxes.conflicts, self.id, limit=LIST_MAX)

    def resolve(self, conflict: ConflictItem, choice: Choice) -> Self:
        """Write one value of a conflict anew: its place in `discarded`, or "kept" for what stands there."""
        return self._take(self._replica._do(boxes.settle, conflict, choice))

    def history(self) -> list[PastWrite]:
        """List who wrote what to it and when, as far as it is remembered; the oldest first."""
        return self._replica._do(listing.history, self.snapshot.collection, self.id, scope=self.scope)

    def _edit(self, build: Callable[[Patch], Patch]) -> Self:
        return self._take(
            self._replica._do(LocalReplica.edit, self.snapshot.collection, self.id, build, scope=self.scope)
        )

    def _take(self, snapshot: Snapshot) -> Self:
        self.snapshot = snapshot
        return self


_Handles: TypeAlias = list[HandleT]


class Records(Generic[HandleT]):
    """The records of one kind, of one athlete or, on a coach's replica, of all of them."""

    def __init__(
        self, replica: "Replica", collection: str, scope: str | None = None, *, handle: type[HandleT] | None = None
    ) -> None:
        self.collection = collection
        self._replica = replica
        self._scope = scope
        self._handle = handle or cast(type[HandleT], Record)

    def create(self, fields: Mapping[str, Any] | None = None, *, record_id: str | None = None, **more: Any) -> HandleT:
        """Make a record. Raises OutOfBounds, ForbiddenField, and AthleteNeeded on a coach's replica."""
        patch = {**(fields or {}), **more}
        return self._handle(
            self._replica,
            self._replica._do(LocalReplica.make, self.collection, self._scope, patch, record_id=record_id),
        )

    def get(self, record_id: str) -> HandleT:
        """Read one record. Raises NoSuchRecord."""
        return self._handle(
            self._replica, self._replica._do(LocalReplica.snapshot, self.collection, record_id, scope=self._scope)
        )

    def list(self, *, limit: int = 100) -> _Handles[HandleT]:
        """List the records that are not deleted, the most recently changed first."""
        return self._handles(
            self._replica._do(listing.recently_changed, self.collection, self._scope, limit=min(limit, LIST_MAX))
        )

    def query(self, where: str, parameters: Sequence[Any] = (), *, limit: int = 100) -> _Handles[HandleT]:
        """Find records by an SQL condition on their table: `query("name LIKE ?", ["Push%"])`. Raises QueryFailed.

        The tables are those of docs/sdk.md; ORDER BY may follow the condition.
        """
        sql = f"SELECT id FROM {self.collection} WHERE {where}"  # noqa: S608 - the condition is the app's own.
        rows = self._replica.query(sql, parameters, limit=min(limit, LIST_MAX))
        ids = [row["id"] for row in rows]
        return self._handles(self._replica._do(listing.by_id, self.collection, self._scope, ids))

    def _handles(self, found: "Sequence[Snapshot]") -> _Handles[HandleT]:
        return [self._handle(self._replica, snapshot) for snapshot in found]


class DatedRecords(Records[HandleT]):
    """Records of a day."""

    def list(
        self, *, since: Date | str | None = None, until: Date | str | None = None, limit: int = 50
    ) -> _Handles[HandleT]:
        """List records by day, the latest first; `since` and `until` are days, both included."""
        return self._handles(
            self._replica._do(
                listing.by_date,
                self.collection,
                self._scope,
                since=self._replica._day(since),
                until=self._replica._day(until),
                limit=min(limit, LIST_MAX),
            )
        )

    def on(self, day: Date | str) -> _Handles[HandleT]:
        """List the records of one day."""
        return self.list(since=day, until=day, limit=LIST_MAX)


class SoleRecord(Generic[ModelT]):
    """The one record of its kind in a scope: an athlete's profile, a coach's file on an athlete."""

    def __init__(self, replica: "Replica", collection: str, scope: str | None = None) -> None:
        self.collection = collection
        self._replica = replica
        self._scope = scope

    def get(self) -> Record[ModelT]:
        """Read the record, which is empty until something was written."""
        return Record(self._replica, self._replica._do(LocalReplica.sole, self.collection, self._scope))

    def edit(self, **fields: Any) -> Record[ModelT]:
        """Set fields of the record. Raises OutOfBounds."""
        return Record(self._replica, self._replica._do(LocalReplica.edit_sole, self.collection, self._scope, fields))
