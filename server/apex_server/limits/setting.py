"""Giving somebody a tier, which is the operator's to do."""

from uuid import UUID

from apex_server.db import Database, load_queries
from apex_server.limits.tiers import TierName
from apex_sync.addresses import email_key

__all__ = ["set_tier"]

_queries = load_queries(__package__)


async def set_tier(database: Database, email: str, tier: TierName | None) -> UUID | None:
    """Put whoever has the address into a tier, or (None) into that of their role; give their id, None for nobody.

    Server processes know it within a minute.
    """
    email_index = database.vault.email_index(email_key(email))
    async with database.commit_connection() as connection:
        user_id: UUID | None = (
            await connection.fetchval(_queries.forget_tier, email_index)
            if tier is None
            else await connection.fetchval(_queries.set_tier, email_index, tier)
        )
    return user_id
