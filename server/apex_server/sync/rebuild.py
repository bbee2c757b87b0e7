"""Making all projections anew from the documents: by command, or after an upgrade that projects differently.

Scope by scope and under the scope's lock, so the server may go on serving. What the rows are afterwards, and which
records need a review, follows from the documents and the models alone.
"""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import msgspec

from apex_server.db import Database, load_queries
from apex_server.sync.damage import find_damaged
from apex_server.sync.document_pages import document_pages
from apex_server.sync.postgres_commits import PostgresCommitStore
from apex_server.sync.postgres_rows import PackedRows, pack_projections
from apex_server.sync.projections import VERSION, project
from apex_server.sync.sealing import DocumentSeal
from apex_server.sync.store import DAMAGED
from apex_sync.fold import fold
from apex_sync.models import COLLECTIONS
from apex_sync.wire import parse_document

__all__ = ["projections_are_current", "rebuild_projections"]

queries = load_queries(__package__)


async def projections_are_current(db: Database) -> bool:
    """Tell whether the rows were made by this version of the projections."""
    async with db.commit_connection() as connection:
        return bool(await connection.fetchval(queries.get_projections_version) == VERSION)


async def rebuild_projections(db: Database, told: Callable[[int], None] = lambda count: None) -> int:
    """Make all projections anew, and give the number of records; `told` hears how many there were so far.

    Several processes may do so at once, and do the same work twice. Raises DatabaseUnavailable; then run it again.
    """
    store = PostgresCommitStore(db)
    count = 0
    async with db.commit_connection() as connection:
        scopes = [row["name"] for row in await connection.fetch(queries.all_scopes)]
    for scope in scopes:
        async with store.session(None) as session, session.locked(scope) as locked:
            if locked.state.access is None:
                continue  # What this scope held was sealed with a key that is destroyed.
            # The rows of what does not open are the last that is left of it.
            damaged = [row["record_id"] for row in await find_damaged(session.connection, locked.scope_id, locked.seal)]
            await locked.tables.delete_projections(locked.scope_id, keep=damaged)
            async for rows in document_pages(session.connection, locked.scope_id):
                read = [(row["record_id"], *packed(locked.scope_id, row, locked.seal)) for row in rows]
                await locked.tables.write_projections([found for _, found, _ in read])
                judged = [(record_id, needs_review) for record_id, _, needs_review in read if needs_review is not None]
                await session.connection.execute(
                    queries.judge_anew, locked.scope_id, [one[0] for one in judged], [one[1] for one in judged]
                )
                count += len(rows)
                told(count)
    async with db.commit_connection() as connection:
        await connection.execute(queries.set_projections_version, VERSION)
    return count


def packed(scope_id: UUID, row: Any, seal: DocumentSeal) -> tuple[PackedRows, bool | None]:
    """Pack what a document projects to, and tell whether it needs a review by the models of today.

    One that no longer fits its types has no rows, as in its commit; of one that does not open nothing can be told.
    """
    collection = COLLECTIONS.get(row["collection"])
    doc = seal.open(row["record_id"].bytes, row["digest"], row["doc"])
    if collection is None or doc == DAMAGED:
        return {}, None
    folded = fold(parse_document(doc).writes())
    try:
        record, problems = collection.read(folded.state)
        needs_review = bool(problems)
    except msgspec.ValidationError:
        record, needs_review = collection.model(), True
    rows = seal.seal_rows(project(collection.name, record))
    return pack_projections(scope_id.bytes, row["record_id"].bytes, rows), needs_review
