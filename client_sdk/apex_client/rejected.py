"""The rejected box: what the server did not take, kept until somebody decides."""

from typing import TYPE_CHECKING

from apex_client import boxes
from apex_client.overview import RejectedItem

if TYPE_CHECKING:
    from apex_client.replica import Replica

LIST_MAX = 1000


class Rejected:
    """What was refused, each with its reason."""

    def __init__(self, replica: "Replica") -> None:
        self._replica = replica

    async def list(self, *, limit: int = 100) -> list[RejectedItem]:
        """List what was refused, the oldest first."""
        return await self._replica._do(boxes.rejected, limit=min(limit, LIST_MAX))

    async def reissue(self, item: RejectedItem | int) -> None:
        """Send its content again with the next sync, as a new edit. Raises NotGranted where the scope is gone."""
        await self._replica._do(boxes.reissue, item if isinstance(item, int) else item.id)

    async def drop(self, item: RejectedItem | int) -> None:
        """Discard its content for good."""
        await self._replica._do(boxes.drop, item if isinstance(item, int) else item.id)
