"""Sealing the documents that stood plain in the database before there was a vault: a step of a migration."""

from uuid import UUID

import asyncpg

from apex_server.db import load_queries
from apex_server.sync.sealing import DocumentSeal, person_of
from apex_server.vault import MasterKeys
from apex_server.vault.first_sealing import keys_of, vault_over

__all__ = ["seal_documents"]

queries = load_queries(__package__)

RECORDS_AT_ONCE = 500
BYTES_AT_ONCE = 8 * 1024 * 1024
FIRST_ID = UUID(int=0)


async def seal_documents(owner: asyncpg.Connection, master_keys: MasterKeys | None) -> None:
    """Seal every document, scope by scope; a person who has gone and left records gets a key like everybody."""
    scopes = [row["name"] for row in await owner.fetch(queries.all_scopes) if person_of(row["name"]) is not None]
    if not scopes:
        return
    vault = await vault_over(owner, master_keys)
    for scope in scopes:
        person = person_of(scope)
        if person is not None:
            keys = await keys_of(owner, vault, [person])
            await seal_scope(owner, scope, DocumentSeal(scope, keys[person]))


async def seal_scope(owner: asyncpg.Connection, scope: str, seal: DocumentSeal) -> None:
    """Seal the documents of one scope."""
    scope_id = await owner.fetchval(queries.id_of_scope, scope)
    last = FIRST_ID
    while rows := await owner.fetch(queries.documents_page, scope_id, last, RECORDS_AT_ONCE, BYTES_AT_ONCE):
        last = rows[-1]["record_id"]
        sealed = [(scope_id, row["record_id"], seal.seal(row["record_id"].bytes, row["doc"])) for row in rows]
        await owner.executemany(queries.put_document, sealed)
