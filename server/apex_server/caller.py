"""Who is asking: the one thing about a request that every slice needs to know.

The auth slice finds it out (`auth.Authenticator`) before any handler runs; a handler takes it as the dependency
`caller`.
"""

from dataclasses import dataclass
from uuid import UUID

from apex_server.errors import RoleRequired
from apex_server.policy import Role

__all__ = ["Caller", "Role", "require_role"]


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated user on one of their devices."""

    user_id: UUID
    role: Role
    device_id: UUID
    session_id: UUID
    expires_at: int
    """Unix seconds: when the access token ends. A live channel closes then, or proves itself anew."""
    lacks_second_factor: bool = False
    """It is demanded of them, and this session has not shown it: they may set one up, and nothing else."""


def require_role(caller: Caller, role: Role, *others: Role) -> None:
    """Return if the caller has the role, or one of the others.

    Raises RoleRequired otherwise, with the first.
    """
    if caller.role not in (role, *others):
        raise RoleRequired(role)
