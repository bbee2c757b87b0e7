# Made from ../rejected.py by client_sdk/generate_blocking.py; edit that file instead.
"""The rejected box: what the server did not take, kept until somebody decides."""

from typing import TYPE_CHECKING

from apex_client import boxes
from apex_client.overview import RejectedItem

if TYPE_CHECKING:
    from apex_client.blocking.replica import Replica

LIST_MAX = 1000


class Rejected:
    """What was refused, each with its reason."""

    def __init__(self, replica: "Replica") -> None:
        self._replica = replica

    def list(self, *, limit: int = 100) -> list[RejectedItem]:
        """List what was refused, the oldest first."""
        return self._replica._do(boxes.rejected, limit=min(limit, LIST_MAX))

    def reissue(self, item: RejectedItem | int) -> None:
        """Send its content again with the next sync, as a new edit. Raises NotGranted where the scope is gone."""
        self._replica._do(boxes.reissue, item if isinstance(item, int) else item.id)

    def drop(self, item: RejectedItem | int) -> None:
        """Discard its content for good."""
        self._replica._do(boxes.drop, item if isinstance(item, int) else item.id)
