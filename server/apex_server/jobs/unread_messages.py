"""Has those written to who want to hear by mail of messages that wait for them: once a day at most, of what is new.

What the letter says, and whether it may go at all, is `mail/waiting_messages.py`; it asks again when the letter goes.
"""

from datetime import datetime, timedelta
from uuid import UUID

from apex_server.db import Connection, Database, load_queries
from apex_server.mail import ATTEMPTS_MAX, UNREAD_FOR, waiting_messages

__all__ = ["ask_for_letters"]

BETWEEN_LETTERS = timedelta(days=1)
PEOPLE_AT_ONCE = 100
"""In one query. Looking at somebody takes under a millisecond; at a coach with a hundred threads unread, ten."""

_queries = load_queries(__package__)


async def ask_for_letters(database: Database, *, now: datetime) -> int:
    """Have a letter sent to everybody for whom one is due; gives how many. Raises DatabaseUnavailable."""
    count, after = 0, UUID(int=0)
    while True:
        async with database.commit_connection() as connection:
            people = await connection.fetch(
                _queries.look_for_news,
                after, now - UNREAD_FOR, now - BETWEEN_LETTERS, UNREAD_FOR, PEOPLE_AT_ONCE, ATTEMPTS_MAX,
            )  # fmt: skip
            for person in (each for each in people if each["has_news"]):
                count += await _ask(connection, database, person["user_id"], told_until=person["told_until"], now=now)
        if len(people) < PEOPLE_AT_ONCE:
            return count
        after = people[-1]["user_id"]


async def _ask(
    connection: Connection, database: Database, user_id: UUID, *, told_until: datetime, now: datetime
) -> bool:
    """Have one letter sent, unless what is new waits where its person does not look."""
    waiting = await waiting_messages(connection, database.vault, user_id, now=now)
    if not any(each.newest_at > told_until for each in waiting):
        return False
    return await connection.fetchval(_queries.ask_for_letter, user_id, now, now - BETWEEN_LETTERS) is not None
