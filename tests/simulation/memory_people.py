"""Who is there and who coaches whom, in memory; what follows from it says the policy itself."""

from collections.abc import Mapping
from uuid import UUID

from apex_server.policy import Access, Coaching, People, Role, scopes_of

__all__ = ["MemoryPeople"]


class MemoryPeople:
    """Users with their roles, and the pairs of coach and athlete that are together now."""

    def __init__(self) -> None:
        self._roles: dict[UUID, Role] = {}
        self._pairs: set[tuple[UUID, UUID]] = set()
        self._scopes: dict[UUID, Mapping[str, Access]] = {}

    def add(self, user_id: UUID, role: Role) -> None:
        """Let somebody in."""
        self._roles[user_id] = role
        self._scopes.clear()

    def engage(self, coach_id: UUID, athlete_id: UUID) -> None:
        """Begin a relationship: grants both what follows from it."""
        self._pairs.add((coach_id, athlete_id))
        self._scopes.clear()

    def dismiss(self, coach_id: UUID, athlete_id: UUID) -> None:
        """End a relationship: revokes all of that."""
        self._pairs.discard((coach_id, athlete_id))
        self._scopes.clear()

    def scopes_of(self, user_id: UUID) -> Mapping[str, Access]:
        """Give every scope granted to a user, and what they may do there."""
        scopes = self._scopes.get(user_id)
        if scopes is None:
            pairs = [Coaching(*pair) for pair in sorted(self._pairs)]
            scopes = self._scopes[user_id] = scopes_of(People(self._roles, pairs), user_id)
        return scopes
