"""Writing programs: one that is completed ends on that day, so nothing is due after it."""

from collections.abc import Sequence
from datetime import UTC, datetime

from apex_server.resources import KnownRecord, Made, RecordWriter
from apex_sync.coaching.assigning import completed_program
from apex_sync.coaching.drafts import DraftPatch
from apex_sync.op import Vector

__all__ = ["ProgramWriter"]


class ProgramWriter(RecordWriter):
    """A writer that says when a program ended where whoever completes it does not."""

    async def _apply(
        self, known: KnownRecord, difference: DraftPatch, version: Vector | None, own: Sequence[int]
    ) -> Made:
        today = datetime.now(UTC).date().isoformat()
        patch = completed_program(difference.patch, known.record, today)
        return await super()._apply(known, DraftPatch(patch, difference.places), version, own)
