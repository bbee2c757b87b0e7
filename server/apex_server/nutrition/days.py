"""Writing what there is once a day: the id follows from athlete and day, so it is always the same record.

A record keeps its day, and the one of a day that was deleted comes back when the day is written to again.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from apex_server.errors import InvalidFields
from apex_server.resources import KnownRecord, Made, RecordWriter
from apex_server.resources.writing import without_what_stands
from apex_sync.coaching.drafts import DraftPatch
from apex_sync.collection import Role
from apex_sync.ids import Scope
from apex_sync.models.nutrition import day_problem
from apex_sync.op import Patch, Vector

__all__ = ["DayWriter"]


class DayWriter(RecordWriter):
    """Reads and writes the records of days."""

    async def create(self, scope: str, record_id: UUID, draft: Mapping[str, Any], more: Patch | None = None) -> Made:
        """Make a day's record; one that was deleted comes back as it was and takes what is sent. Raises AlreadyExists.

        What is sent and stands there already changes nothing, whoever wrote it.
        """
        role, known = await self._standing(scope, record_id)
        if known is not None:
            sent = self._difference(record_id, draft, self.kind.collection.model(), role)
            if known.record.deleted is True or not without_what_stands(sent.patch, known.fold.state):
                return await self._apply(known, _brought_back(known, sent), None, ())
        return await super().create(scope, record_id, draft, more)

    async def put(self, scope: str, record_id: UUID, draft: Mapping[str, Any], more: Patch) -> Made:
        """Make a day's record what a draft says: a new one with the leaves of `more`, one that is there or was."""
        role, known = await self._standing(scope, record_id)
        if known is None:
            return await super().create(scope, record_id, draft, more)
        difference = self._difference(record_id, draft, known.record, role)
        return await self._apply(known, _brought_back(known, difference), None, ())

    async def _standing(self, scope: str, record_id: UUID) -> tuple[Role, KnownRecord | None]:
        """Read the record of a day, deleted or not, with the role in which the caller writes there."""
        async with self.reading() as connection:
            role = await self._role(connection, scope)
            return role, await self.within(scope).find(connection, record_id)

    async def _apply(
        self, known: KnownRecord, difference: DraftPatch, version: Vector | None, own: Sequence[int]
    ) -> Made:
        owner_id = Scope.parse(known.scope).owner_id
        problem = day_problem(self.kind.collection.name, owner_id, known.id, difference.patch)
        if problem is not None:
            raise InvalidFields.one(problem.field, problem.message)
        return await super()._apply(known, difference, version, own)


def _brought_back(known: KnownRecord, difference: DraftPatch) -> DraftPatch:
    """Complete what is written to a record that may be deleted."""
    if known.record.deleted is not True:
        return difference
    return DraftPatch({**difference.patch, "deleted": False}, difference.places)
