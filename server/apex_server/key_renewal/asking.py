"""Who is to have another data key, and how far all are: for the operator's command. The worker does the rest."""

from datetime import datetime
from typing import NamedTuple

from apex_server.db import Database, load_queries
from apex_server.people import normalise_email

__all__ = ["Underway", "ask_for_renewal", "renewals_under_way"]

PEOPLE_AT_ONCE = 1000

_queries = load_queries(__package__)


class Underway(NamedTuple):
    """How many people's renewals have come to a step, and when the next of them goes on."""

    step: str
    people: int
    next_at: datetime


async def ask_for_renewal(database: Database, *, older_than: datetime, email: str | None, now: datetime) -> int | None:
    """Ask for another key for everybody whose present one is that old, or for one person; gives their number.

    None: nobody has answered for the address. Whoever's renewal is under way is left out.
    """
    async with database.commit_connection() as connection:
        person = None
        if email is not None:
            person = await connection.fetchval(_queries.find_person, database.vault.email_index(normalise_email(email)))
            if person is None:
                return None
        count = 0
        while asked := await connection.fetch(_queries.ask_for, person, older_than, now, PEOPLE_AT_ONCE):
            count += len(asked)
        return count


async def renewals_under_way(database: Database) -> list[Underway]:
    """Tell how far all are."""
    async with database.commit_connection() as connection:
        return [Underway(*row) for row in await connection.fetch(_queries.count_renewals)]
