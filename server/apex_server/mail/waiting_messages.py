"""What a letter about unread messages rests on: whether its person wants one, and who waits for them.

Asked when a letter is due and once more when it goes, so what was read or taken back in between is not told of. It
knows who wrote and how many; what was written is never opened, in threads that are encrypted as in others.
"""

import unicodedata
from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from msgspec import Struct

from apex_server.db import Connection, load_queries
from apex_server.people import USER_NAME
from apex_server.resources import thread_filings
from apex_server.vault import Vault

__all__ = ["NAMED_MAX", "UNREAD_FOR", "Waiting", "waiting_messages", "words_naming", "words_of"]

UNREAD_FOR = timedelta(hours=4)
"""Who trains or coaches looks every few hours: sooner, a mail only repeats what the app shows; a day later the session
that the question was about is over."""

COUNTED_MAX = 100
"""Of one thread, as `apex_waiting_messages` counts."""
NAMED_MAX = 3
"""In one letter; of the others it says how many."""
NAME_LENGTH_MAX = 40
_BESIDE_LETTERS = frozenset("'\N{RIGHT SINGLE QUOTATION MARK}-")

_queries = load_queries(__package__)


class Waiting(Struct, frozen=True):
    """What one person wrote that has waited for too long."""

    sender_id: UUID
    sender: str
    messages: int
    newest_at: datetime


async def waiting_messages(connection: Connection, vault: Vault, user_id: UUID, *, now: datetime) -> list[Waiting]:
    """List who waits for somebody who wants to hear of it by mail, the latest first; archived threads do not count.

    Empty as well for whoever consents no more, has not confirmed their address, or asked for the end of their account.
    """
    rows = await connection.fetch(_queries.list_waiting_messages, user_id, now - UNREAD_FOR)
    as_coach = [row["athlete_id"] for row in rows if row["coach_id"] == user_id]
    filings = await thread_filings(connection, vault, user_id, as_coach) if as_coach else {}
    archived = {athlete for athlete, filing in filings.items() if filing.archived is True}
    rows = [row for row in rows if row["coach_id"] != user_id or str(row["athlete_id"]) not in archived]
    names = await vault.texts(connection, USER_NAME, [(row["sender_id"], row["name"]) for row in rows])
    return [
        Waiting(row["sender_id"], name, row["messages"], row["newest_at"])
        for row, name in zip(rows, names, strict=True)
    ]


def words_of(waiting: Sequence[Waiting]) -> str:
    """Say who wrote and how many; `waiting` is not empty.

    >>> at = datetime(2026, 3, 1)
    >>> words_of([Waiting(UUID(int=1), "Anna", 2, at), Waiting(UUID(int=2), "Ben", 1, at)])
    '2 messages from Anna and 1 from Ben'
    """
    first, *others = waiting[:NAMED_MAX]
    said = [f"{_count(first)} message{'' if first.messages == 1 else 's'} {words_naming(first.sender)}"]
    said += [f"{_count(each)} {words_naming(each.sender)}" for each in others]
    if (rest := len(waiting) - NAMED_MAX) > 0:
        said += [f"more from {rest} other{'' if rest == 1 else 's'}"]
    return said[0] if len(said) == 1 else f"{', '.join(said[:-1])} and {said[-1]}"


def words_naming(name: str) -> str:
    """Give the words for who wrote, by a name as it may stand in a mail of ours: no address and no number to call.

    >>> words_naming("Zoë O'Brien-Müller"), words_naming("Call 0900 123456"), words_naming("x.example/1")
    ("from Zoë O'Brien-Müller", 'from Call', 'from x example')
    """
    letters = "".join(each if _is_of_names(each) else " " for each in name)
    return f"from {' '.join(letters.split())[:NAME_LENGTH_MAX].strip() or 'somebody'}"


def _is_of_names(character: str) -> bool:
    """Tell letters and their marks from all else; modifier letters are none: some look like a dot or a colon."""
    category = unicodedata.category(character)
    return character in _BESIDE_LETTERS or (category[0] in "LM" and category != "Lm")


def _count(each: Waiting) -> str:
    return f"{each.messages} or more" if each.messages >= COUNTED_MAX else str(each.messages)
