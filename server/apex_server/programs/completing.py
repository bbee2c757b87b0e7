"""Writing programs: one that is completed ends on that day, and a draft stays one until it is assigned."""

from collections.abc import Sequence
from datetime import UTC, datetime

from apex_server.errors import InvalidFields
from apex_server.resources import KnownRecord, Made, RecordWriter
from apex_sync.coaching.assigning import completed_program
from apex_sync.coaching.drafts import DraftPatch
from apex_sync.coaching.program_drafts import status_problem
from apex_sync.op import Vector

__all__ = ["ProgramWriter"]


class ProgramWriter(RecordWriter):
    """A writer that says when a program ended where whoever completes it does not, and holds drafts apart."""

    async def _apply(
        self, known: KnownRecord, difference: DraftPatch, version: Vector | None, own: Sequence[int]
    ) -> Made:
        status = difference.patch.get("status")
        if status != known.fold.state.get("status") and (problem := status_problem(known.scope, status)):
            raise InvalidFields.one(*problem)
        today = datetime.now(UTC).date().isoformat()
        patch = completed_program(difference.patch, known.record, today)
        return await super()._apply(known, DraftPatch(patch, difference.places), version, own)
