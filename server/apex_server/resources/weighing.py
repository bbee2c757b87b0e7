"""Writing records that hold a body weight: its kilograms follow what is typed, from whichever end it changes."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import msgspec

from apex_server.resources.writing import Made, RecordWriter
from apex_sync.coaching.weights import TYPED_WEIGHTS, with_kilograms
from apex_sync.collection import Collection, Record
from apex_sync.op import Patch, Vector

__all__ = ["WeighingWriter", "weighed_draft"]


class WeighingWriter(RecordWriter):
    """A writer whose patches change the canonical weight with the one that was typed."""

    async def apply_patch(
        self, record_id: UUID, patch: Patch, version: Vector | None = None, *, deleted: bool = False
    ) -> Made:
        """Write a patch, completed from the version that its author had."""
        typed = TYPED_WEIGHTS.get(self.kind.collection.name)
        if typed and any(name.startswith(typed) for name in patch):
            async with self.reading() as connection:
                known = await self.known(connection, record_id, deleted=deleted)
            has_version = version is not None and known.document.covers(version)
            base = known.at(version) if version is not None and has_version else known.record
            patch = with_kilograms(self.kind.collection.name, patch, msgspec.to_builtins(base))
        return await super().apply_patch(record_id, patch, version, deleted=deleted)


def weighed_draft(collection: Collection, draft: Mapping[str, Any], base: Record) -> dict[str, Any]:
    """Complete a whole record: what it leaves out is empty, but for kilograms beside a weight that was typed."""
    typed = TYPED_WEIGHTS[collection.name]
    return with_kilograms(collection.name, {typed: None, f"{typed}_unit": None, **draft}, msgspec.to_builtins(base))
