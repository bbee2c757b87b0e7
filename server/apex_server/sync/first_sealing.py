"""Sealing what older servers left in the database: steps of migrations.

First the documents that stood plain before there was a vault; later all, when a seal came to hold for one content only.
"""

from contextlib import suppress
from uuid import UUID

import asyncpg

from apex_server.db import load_queries
from apex_server.sync.document_pages import document_pages
from apex_server.sync.sealing import DocumentSeal, person_of
from apex_server.vault import MasterKeys, SealBroken, UserKey
from apex_server.vault.first_sealing import keys_of, vault_over

__all__ = ["bind_documents", "seal_documents"]

queries = load_queries(__package__)


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
    async for rows in document_pages(owner, scope_id):
        sealed = [
            (scope_id, row["record_id"], seal.seal(row["record_id"].bytes, row["digest"], row["doc"])) for row in rows
        ]
        await owner.executemany(queries.put_document, sealed)


async def bind_documents(owner: asyncpg.Connection, master_keys: MasterKeys | None) -> None:
    """Seal every document as the content it has.

    What does not open stays as it is, damaged; so does what nobody has the key of.
    """
    scopes = [row["name"] for row in await owner.fetch(queries.all_scopes) if person_of(row["name"]) is not None]
    if not scopes:
        return
    vault = await vault_over(owner, master_keys)
    for scope in scopes:
        person = person_of(scope)
        keys = await vault.user_keys(owner, [person] if person is not None else [])
        for key in keys.values():
            await bind_scope(owner, scope, key)


async def bind_scope(owner: asyncpg.Connection, scope: str, key: UserKey) -> None:
    """Seal the documents of one scope anew."""
    scope_id, seal = await owner.fetchval(queries.id_of_scope, scope), DocumentSeal(scope, key)
    async for rows in document_pages(owner, scope_id):
        bound = []
        for row in rows:
            record_id: UUID = row["record_id"]
            with suppress(SealBroken):  # Sealed by this very upgrade, and bound, or damaged.
                doc = key.open(row["doc"], what=f"records.doc {scope_id.hex}/{record_id.hex}")
                bound.append((scope_id, record_id, seal.seal(record_id.bytes, row["digest"], doc)))
        await owner.executemany(queries.put_document, bound)
