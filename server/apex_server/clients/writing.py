"""One athlete as their coach changes them: two records on the one write path.

A record that nobody has written yet is an empty one, so the first change needs no other call than the second.
"""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from apex_server.caller import Caller
from apex_server.clients.reading import Part, Versions, parts_of, read_part
from apex_server.db import Connection, Database
from apex_server.errors import InvalidFields
from apex_server.resources import KnownRecord, RecordKind, WeighingWriter, weighed_draft
from apex_server.resources.bodies import object_body
from apex_server.sync.commit import Committer
from apex_sync.coaching.drafts import DraftPatch, model_patch
from apex_sync.collection import Record
from apex_sync.models import CLIENT_FILES, PROFILES

__all__ = ["ClientWriter"]


class ClientWriter:
    """Writes about the athletes of one coach."""

    def __init__(self, database: Database, committer: Committer, caller: Caller) -> None:
        self.database = database
        self.caller = caller
        self._committer = committer

    async def change(self, athlete_id: UUID, changes: Mapping[str, Any], versions: Versions | None = None) -> None:
        """Change values of an athlete's records, and bring one back that was deleted.

        Raises NotFound, and what `RecordWriter.apply_patch` raises.
        """
        for name, part in parts_of(self.caller.user_id, athlete_id).items():
            if name in changes:
                writer = await self._writer(name, part)
                version = None if versions is None else getattr(versions, name)
                await writer.apply_patch(part.record_id, changes[name], version)

    async def replace(self, athlete_id: UUID, draft: Mapping[str, Any], versions: Versions | None) -> None:
        """Make an athlete's records what a draft says. Raises NotFound, and what `RecordWriter.replace` raises."""
        parts = parts_of(self.caller.user_id, athlete_id)
        for name in draft:
            if name not in parts:
                raise InvalidFields.one(name, "is no field of this")
        for name, part in parts.items():
            if name in draft:
                writer = await self._writer(name, part)
                version = None if versions is None else getattr(versions, name)
                await writer.replace(part.record_id, object_body(draft[name]), version)

    async def _writer(self, name: str, part: Part) -> "PlacedWriter":
        """Give what writes a part that is not deleted, or no longer."""
        writer = PlacedWriter(_KINDS[name], part, self.database, self._committer, self.caller)
        await writer.restore(part.record_id)
        return writer


class PlacedWriter(WeighingWriter):
    """Writes the one record of its kind in a scope, which is empty before the first write."""

    def __init__(self, kind: RecordKind, part: Part, database: Database, committer: Committer, caller: Caller) -> None:
        super().__init__(kind, database, committer, caller)
        self._part = part

    async def known(self, connection: Connection, record_id: UUID, *, deleted: bool = False) -> KnownRecord:
        """Read the record of this scope and no other; somebody may have written one of the same id in their own.

        Raises RecordDamaged.
        """
        return await read_part(connection, self.database.vault, self._part._replace(record_id=record_id))


def profile_patch(record_id: str, draft: Mapping[str, Any], base: Record) -> DraftPatch:
    """Give the difference of a profile that somebody sent."""
    return model_patch(record_id, weighed_draft(PROFILES, draft, base), base, known=frozenset({"age_years"}))


_KINDS = {
    "profile": RecordKind(PROFILES, "athlete", profile_patch),
    "file": RecordKind(CLIENT_FILES, "athlete", model_patch),
}
