"""What happened in a sync, counted as it happens."""

from msgspec import Struct


class Tally(Struct):
    """Records unless it says otherwise; `pull_remaining` and `pull_total` are of all scopes together."""

    pushed: int = 0
    acknowledged: int = 0
    pulled: int = 0
    conflicts: int = 0
    rejected: int = 0
    reissued: int = 0
    repaired: int = 0
    forgotten: int = 0
    forks: int = 0
    unreadable: int = 0
    pages: int = 0
    pull_remaining: int = 0
    pull_total: int = 0

    @property
    def steps(self) -> int:
        """A number that grows whenever an answer got the sync any further."""
        return self.acknowledged + self.rejected + self.pulled + self.forgotten + self.forks + self.pages
