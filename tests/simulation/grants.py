"""Who coaches whom and since when, as it happened: what the policy of the server makes of it is another matter."""

from collections.abc import Callable
from typing import Literal
from uuid import UUID

Part = Literal["athlete", "coach", "system"]
Pair = tuple[UUID, UUID]
"""A coach and their athlete."""


class Grants:
    """Every relationship that there ever was, and when those that are over ended."""

    def __init__(self, now_us: Callable[[], int]) -> None:
        self._now_us = now_us
        self._ended_us: dict[Pair, int | None] = {}

    def begin(self, coach: UUID, athlete: UUID) -> None:
        """Begin a relationship, or begin it anew."""
        self._ended_us[coach, athlete] = None

    def end(self, coach: UUID, athlete: UUID) -> None:
        """End it, if it is not over already."""
        if (coach, athlete) in self._ended_us and self._ended_us[coach, athlete] is None:
            self._ended_us[coach, athlete] = self._now_us()

    def role(self, user: UUID | None, scope: str) -> Part | None:
        """Say as whom somebody may have written to a scope, ever; None is the system, and the answer of nobody."""
        if user is None:
            return "system"
        kind, _, rest = scope.partition(":")
        if kind == "athlete" and rest == str(user):
            return "athlete"
        return "coach" if self._pair(user, scope) in self._ended_us else None

    def allowed(self, user: UUID | None, scope: str, at_us: int) -> bool:
        """Tell whether what somebody began to write then may have been taken: access did not end before it."""
        role = self.role(user, scope)
        if role != "coach" or user is None:
            return role is not None
        ended_us = self._ended_us[self._pair(user, scope)]
        return ended_us is None or at_us < ended_us

    def _pair(self, user: UUID, scope: str) -> Pair:
        kind, *ids = scope.split(":")
        if kind == "private" and ids[0] == str(user):
            return user, UUID(ids[1])
        return user, UUID(ids[0]) if kind == "athlete" else user
