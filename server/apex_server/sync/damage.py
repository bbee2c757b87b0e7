"""Records whose document does not open any more: marked, so that whoever has the same brings it back.

A disk that flips a bit, or somebody who puts an older row in the place of a newer one, costs one record and never its
scope. The feed passes a marked record by, and its digest is no part of what devices compare theirs with. So a device
without the record misses nothing that it could be told; one that has it is found to differ in exactly this record, and
offers it whole. A copy with the digest that is stored mends it (judging.py), and writing it takes the mark away.
"""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

import structlog

from apex_server.db import Connection, load_queries
from apex_server.sync.document_pages import document_pages
from apex_server.sync.sealing import DocumentSeal, seal_of_scope
from apex_server.sync.store import DAMAGED
from apex_server.vault import KeyDestroyed, SealBroken, Vault
from apex_sync.ids import Scope

__all__ = ["find_damaged", "look_for_damage", "mark_damaged"]

queries = load_queries(__package__)

_log = structlog.get_logger(__name__)


async def look_for_damage(connection: Connection, vault: Vault, scopes: Iterable[str]) -> int:
    """Open every document of scopes once, mark those that do not open, and give their number; each is logged.

    A mark on one that opens again, as after a repair of the disk, is taken away.
    """
    count = 0
    for scope in scopes:
        try:
            seal = await seal_of_scope(connection, vault, scope)
        except KeyDestroyed:
            continue
        except SealBroken:
            _log.error("scope_unreadable", scope=scope)
            continue
        scope_id = Scope.parse(scope).id
        damaged = await find_damaged(connection, scope_id, seal)
        await connection.execute(queries.unmark_undamaged, scope_id, [row["record_id"] for row in damaged])
        await mark_damaged(connection, scope_id, [(row["record_id"].bytes, row["seq"]) for row in damaged])
        count += len(damaged)
    return count


async def find_damaged(connection: Connection, scope_id: UUID, seal: DocumentSeal) -> list[Any]:
    """Give the rows of a scope whose documents do not open."""
    return [
        row
        async for rows in document_pages(connection, scope_id)
        for row in rows
        if seal.open(row["record_id"].bytes, row["digest"], row["doc"]) == DAMAGED
    ]


async def mark_damaged(connection: Connection, scope_id: UUID, records: Sequence[tuple[bytes, int]]) -> None:
    """Mark records, by id and seq, on a connection of the commit role; what was written anew since is left alone."""
    if records:
        ids = [UUID(bytes=record_id) for record_id, _ in records]
        await connection.execute(queries.mark_damaged, scope_id, ids, [seq for _, seq in records])
