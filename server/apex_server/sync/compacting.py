"""Keeping histories short: the records that have grown long, compacted one after the other."""

import structlog

from apex_server.db import Database, load_queries
from apex_server.sync.commit import Committer
from apex_server.sync.document_pages import FIRST_ID
from apex_sync.errors import ApexError

__all__ = ["compact_long_records"]

queries = load_queries(__package__)

RECORDS_AT_ONCE = 100
"""Each takes some 20 ms at most, and its scope is free in between."""

_log = structlog.get_logger(__name__)


async def compact_long_records(db: Database, committer: Committer) -> int:
    """Compact all that has grown long, and give how many records that were.

    One that cannot be compacted (its document is damaged, or of a newer server) is logged and left as it is. Raises
    DatabaseUnavailable.
    """
    count, last = 0, (FIRST_ID, FIRST_ID)
    while True:
        async with db.commit_connection() as connection:
            rows = await connection.fetch(queries.long_records_after, *last, RECORDS_AT_ONCE)
        if not rows:
            return count
        for row in rows:
            try:
                count += await committer.compact(row["name"], row["record_id"].bytes)
            except (ApexError, KeyError) as error:
                _log.error(
                    "record_uncompactable", scope=row["name"], record_id=str(row["record_id"]), reason=str(error)
                )
        last = rows[-1]["scope_id"], rows[-1]["record_id"]
