"""News that what somebody may read has changed: whoever is connected as them looks at once, not half a minute later.

Like every hint it only wakes; what the grants are says the policy, whenever something is read or written. So a hint
that is lost costs latency, and a revocation holds from its commit on, hint or none.
"""

from uuid import UUID

from litestar.datastructures import State

from apex_server.db import Connection, Hint, load_queries

__all__ = ["announce_grants", "grants_channel", "readers_beside"]

_queries = load_queries(__package__)


def grants_channel(user_id: UUID) -> str:
    """Name the channel on which a user hears that their grants have changed; it is no scope."""
    return f"grants:{user_id}"


async def announce_grants(state: State, *user_ids: UUID) -> None:
    """Wake whoever is connected as one of these, in every process; call it after the commit."""
    hints = state.get("hints")
    if hints is not None:
        await hints.publish([Hint(grants_channel(user_id), 0) for user_id in user_ids])


async def readers_beside(connection: Connection, coach_id: UUID, athlete_id: UUID) -> list[UUID]:
    """List whose grants change when a coach and an athlete begin or end: the two, and who reads along."""
    rows = await connection.fetch(_queries.list_owners_reading)
    return [coach_id, athlete_id, *(row["owner_id"] for row in rows)]
