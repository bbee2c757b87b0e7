"""How a coach has filed their threads: pinned, archived, tagged. It is the coach's, and no athlete hears of it."""

from collections.abc import Iterable, Mapping
from uuid import UUID

from msgspec import UNSET

from apex_server.db import Connection
from apex_server.resources.reading import read_records
from apex_server.vault import Vault
from apex_sync.ids import Scope, private_scope
from apex_sync.models import CLIENT_FILES
from apex_sync.models.client_file import ThreadFiling, client_file_id

__all__ = ["thread_filings"]


async def thread_filings(
    connection: Connection, vault: Vault, coach_id: UUID, athlete_ids: Iterable[UUID]
) -> Mapping[str, ThreadFiling]:
    """Read a coach's filings of these threads, each under the id of its athlete; what was never filed is not there."""
    coach = str(coach_id)
    places = [
        (Scope.parse(private_scope(coach, athlete)).id, UUID(client_file_id(coach, athlete)))
        for athlete in map(str, athlete_ids)
    ]
    found = await read_records(connection, vault, CLIENT_FILES, places)
    filings = {known.athlete_id or "": getattr(known.record, "thread", UNSET) for known in found}
    return {athlete: filing for athlete, filing in filings.items() if filing is not UNSET}
