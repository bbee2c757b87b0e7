# Made from ../conflicts.py by client_sdk/generate_blocking.py; edit that file instead.
"""Conflicts: where two devices wrote one leaf without having seen each other. Nothing was lost; choose, or leave it.

for conflict in replica.conflicts.list():
    replica.conflicts.restore(conflict, 0)
"""

from typing import TYPE_CHECKING

from apex_client import boxes
from apex_client.overview import Choice, ConflictItem
from apex_client.views import Snapshot

if TYPE_CHECKING:
    from apex_client.blocking.replica import Replica

LIST_MAX = 1000


class Conflicts:
    """What was written concurrently on this replica's records."""

    def __init__(self, replica: "Replica") -> None:
        self._replica = replica

    def list(self, record_id: str | None = None, *, limit: int = 100) -> list[ConflictItem]:
        """List open conflicts, of one record or of all, in the order of records and paths."""
        return self._replica._do(boxes.conflicts, record_id, limit=min(limit, LIST_MAX))

    def restore(self, conflict: ConflictItem, choice: Choice) -> Snapshot:
        """Write one of its values anew, which settles the conflict on every device.

        `choice` is the place of the value in `conflict.discarded`, or "kept" to confirm what stands there.
        """
        return self._replica._do(boxes.settle, conflict, choice)
