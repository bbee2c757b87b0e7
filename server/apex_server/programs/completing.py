"""Writing programs: an active one has a first day, a completed one ends, and a draft stays one until it is assigned."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from apex_server.errors import InvalidFields
from apex_server.resources import AlreadyExists, KnownRecord, Made, RecordWriter
from apex_sync.coaching.drafts import DraftPatch
from apex_sync.coaching.program_drafts import first_day_problem, status_problem
from apex_sync.coaching.program_ends import completed_program
from apex_sync.op import Patch, Vector

__all__ = ["ProgramWriter"]


class ProgramWriter(RecordWriter):
    """A writer that says when a program ended where whoever completes it does not, and holds drafts apart.

    An id names one program of a coach: a draft and what an athlete follows are records apart, and of two with one id
    every later edit would mean the draft.
    """

    async def create(self, scope: str, record_id: UUID, draft: Mapping[str, Any], more: Patch | None = None) -> Made:
        """Make a program; refused where one of this id stands elsewhere, deleted or not. Raises AlreadyExists."""
        async with self.reading() as connection:
            here = await self.within(scope).find(connection, record_id)
            if here is None and await self.find(connection, record_id) is not None:
                raise AlreadyExists(str(record_id))
        return await super().create(scope, record_id, draft, more)

    async def _apply(
        self, known: KnownRecord, difference: DraftPatch, version: Vector | None, own: Sequence[int]
    ) -> Made:
        status = difference.patch.get("status")
        if status != known.fold.state.get("status") and (problem := status_problem(known.scope, status)):
            raise InvalidFields.one(*problem)
        today = datetime.now(UTC).date().isoformat()
        patch = completed_program(difference.patch, known.record, today)
        return await super()._apply(known, DraftPatch(patch, difference.places), version, own)

    async def _admit(self, scope: str, patch: Patch, state: Mapping[str, Any]) -> None:
        if problem := first_day_problem(scope, patch, state):
            raise InvalidFields.one(*problem)
