"""What the programs of athletes asked for on days before their latest edit, which the rows of a program do not tell.

`scheduled_sessions` has a program as it is. Where one was changed since the first day that somebody asks about, what
was due follows from its writes (`apex_sync.coaching.plan_history`), and the documents of that athlete's programs are
opened.
What they come to is remembered: a program changes once a week, and how clients stand is asked for all day.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time
from typing import Any
from uuid import UUID

from anyio.lowlevel import checkpoint

from apex_server.db import Connection, load_queries
from apex_server.sync.sealing import DocumentSeal
from apex_server.sync.store import DAMAGED
from apex_server.vault import UserKey
from apex_sync.coaching.plan_history import PlanHistory, plan_history
from apex_sync.ids import athlete_scope
from apex_sync.wire import parse_document

__all__ = ["edited_programs"]

HISTORIES_REMEMBERED_MAX = 2000
"""About 20 MB: twelve weeks of four sessions are 4 kB, and an edit doubles that."""

DOCUMENTS_AT_ONCE = 50
"""A program of twelve weeks is 100 kB."""

_queries = load_queries(__package__)
_remembered: dict[tuple[UUID, bytes], PlanHistory] = {}


async def edited_programs(
    connection: Connection, keys: Mapping[UUID, UserKey], first_day: date, last_day: date
) -> dict[UUID, list[PlanHistory]]:
    """Give all programs of those athletes who had one that was edited since `first_day`; nobody else is in it.

    Programs that asked for nothing from one day to the other are left out, and an athlete of whom one does not open.
    """
    since = datetime.combine(first_day, time(), UTC)
    programs = await connection.fetch(_queries.list_programs_since, list(keys), since, first_day, last_day)
    edited = {row["scope_id"] for row in programs if row["edited"]}
    asked = [row for row in programs if row["scope_id"] in edited]
    found = {_key(row): _remembered[_key(row)] for row in asked if _key(row) in _remembered}
    missing = [row for row in asked if _key(row) not in found]
    for start in range(0, len(missing), DOCUMENTS_AT_ONCE):
        found |= await _read(connection, keys, missing[start : start + DOCUMENTS_AT_ONCE])
    unread = {row["scope_id"] for row in asked if _key(row) not in found}
    return {athlete: [found[_key(row)] for row in asked if row["scope_id"] == athlete] for athlete in edited - unread}


async def _read(
    connection: Connection, keys: Mapping[UUID, UserKey], programs: Sequence[Any]
) -> dict[tuple[UUID, bytes], PlanHistory]:
    """Open programs and remember them; one that is damaged, or was changed since it was listed, is missing."""
    scopes, records = [row["scope_id"] for row in programs], [row["record_id"] for row in programs]
    found = {}
    for row in await connection.fetch(_queries.list_program_documents, scopes, records):
        seal = DocumentSeal(athlete_scope(str(row["scope_id"])), keys[row["scope_id"]])
        doc = seal.open(row["record_id"].bytes, row["digest"], row["doc"])
        if doc != DAMAGED:
            found[_key(row)] = plan_history(str(row["record_id"]), parse_document(doc))
            await checkpoint()
    while _remembered and len(_remembered) + len(found) > HISTORIES_REMEMBERED_MAX:
        del _remembered[next(iter(_remembered))]
    _remembered.update(found)
    return found


def _key(row: Any) -> tuple[UUID, bytes]:
    return row["record_id"], row["digest"]
