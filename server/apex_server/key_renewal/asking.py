"""Who is to have another data key, and how far all are: for the operator's command. The worker does the rest."""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from apex_server.db import Database, load_queries
from apex_sync.addresses import email_key

__all__ = ["Renewals", "Underway", "ask_for_renewal", "see_renewals"]

PEOPLE_AT_ONCE = 1000

_queries = load_queries(__package__)


class Underway(NamedTuple):
    """How many people's renewals have come to a step, and when the next of them goes on.

    `without_backup` of them keep former keys for want of a backup that was made since.
    """

    step: str
    people: int
    next_at: datetime
    without_backup: int


class Renewals(NamedTuple):
    """How far all are, when a key was renewed at last, and of which moment the last backup is."""

    under_way: list[Underway]
    renewed_at: datetime | None
    backed_up_at: datetime | None


async def ask_for_renewal(database: Database, *, older_than: datetime, email: str | None, now: datetime) -> int | None:
    """Ask for another key for everybody whose present one is that old, or for one person; gives their number.

    None: nobody has answered for the address. Whoever's renewal is under way is left out.
    """
    async with database.commit_connection() as connection:
        person = None
        if email is not None:
            person = await connection.fetchval(_queries.find_person, database.vault.email_index(email_key(email)))
            if person is None:
                return None
        count, after = 0, UUID(int=0)
        while asked := await connection.fetch(_queries.ask_for, person, older_than, now, PEOPLE_AT_ONCE, after):
            count += len(asked)
            after = max(row["user_id"] for row in asked)
        return count


async def see_renewals(database: Database) -> Renewals:
    """Tell how far all are."""
    async with database.commit_connection() as connection:
        under_way = [Underway(*row) for row in await connection.fetch(_queries.count_renewals)]
        return Renewals(under_way, *await connection.fetchrow(_queries.get_last))
