"""Who is there and who coaches whom, and the scopes that follow from it: the policy `apex_scopes_of`, in memory."""

from collections.abc import Mapping
from typing import Literal
from uuid import UUID

from apex_server.sync.store import Access
from apex_sync.ids import athlete_scope, library_scope, private_scope

Role = Literal["athlete", "coach"]


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
            scopes = self._scopes[user_id] = self._follow(user_id)
        return scopes

    def _follow(self, user_id: UUID) -> dict[str, Access]:
        if user_id not in self._roles:
            return {}
        scopes: dict[str, Access] = {"global": "reader"}
        if self._roles[user_id] == "athlete":
            scopes[athlete_scope(str(user_id))] = "athlete"
        else:
            scopes |= {f"coach:{user_id}": "coach", library_scope(str(user_id)): "coach"}
        for coach_id, athlete_id in self._pairs:
            if coach_id == user_id:
                scopes[athlete_scope(str(athlete_id))] = "coach"
                scopes[private_scope(str(coach_id), str(athlete_id))] = "coach"
            if athlete_id == user_id:
                scopes[library_scope(str(coach_id))] = "reader"
        return scopes
