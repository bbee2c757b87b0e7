"""Rows of people as the server seals them, for tests that need somebody and no registration."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Protocol
from uuid import UUID

from apex_server.people import DEVICE_NAME, USER_EMAIL, USER_NAME
from apex_server.sync.sealing import open_documents, seals_of_scopes
from apex_server.vault import LocalMasterKeys, MasterKeys, Vault
from apex_server.vault.master_keys import decode_master_key


async def insert_user(
    connection: Any, vault: Vault, user_id: UUID, role: str, *, name: str = "Somebody", email: str | None = None
) -> None:
    """Add somebody with a key of their own, as the owner of the database or as that user."""
    key = await vault.add_user_key(connection, user_id)
    address = email or f"{user_id}@example.org"
    await connection.execute(
        "INSERT INTO users (id, email_index, email, password_hash, name, role, created_at) "
        "VALUES ($1, $2, $3, 'x', $4, $5, now())",
        user_id,
        vault.email_index(address),
        key.seal_text(address, what=USER_EMAIL),
        key.seal_text(name, what=USER_NAME),
        role,
    )


async def insert_device(
    connection: Any, vault: Vault, user_id: UUID, device_id: UUID, token_hash: bytes, *, name: str, kind: str
) -> None:
    """Add a device of somebody who has a key."""
    key = await vault.user_key(connection, user_id)
    await connection.execute(
        "INSERT INTO devices (id, user_id, name, kind, token_hash, created_at, last_seen_at) "
        "VALUES ($1, $2, $3, $4, $5, now(), now()) ON CONFLICT DO NOTHING",
        device_id,
        user_id,
        key.seal_text(name, what=DEVICE_NAME),
        kind,
        token_hash,
    )


MASTER_KEY = "dGVzdHMgb2YgYSBtYXN0ZXIga2V5IGluIDMyIGJ5dGU="
"""For tests that look into a database behind the back of a server in another process."""


def known_master_keys() -> MasterKeys:
    """Give the master keys of servers that were started with MASTER_KEY."""
    return LocalMasterKeys([decode_master_key(MASTER_KEY, "tests")], source="tests")


class Reads(Protocol):
    """What gives rows of a database, as its owner, and has the master keys it was sealed under."""

    @property
    def master_keys(self) -> MasterKeys: ...

    async def sql(self, statement: str, *arguments: Any) -> Sequence[Any]: ...


class _Fetching:
    """A connection as far as a vault needs one to read."""

    def __init__(self, reads: Reads) -> None:
        self.fetch = reads.sql


async def with_open_documents(reads: Reads, rows: Sequence[Any]) -> list[dict[str, Any]]:
    """Open the documents of rows that have `scope` (its name), `record_id` and `doc`; `seal` is what opened each."""

    @asynccontextmanager
    async def lend() -> AsyncIterator[Any]:
        yield _Fetching(reads)

    vault = Vault(lend, reads.master_keys)
    docs = await open_documents(_Fetching(reads), vault, rows)
    seals = await seals_of_scopes(_Fetching(reads), vault, [row["scope"] for row in rows])
    return [{**dict(row), "doc": doc, "seal": seals[row["scope"]]} for row, doc in zip(rows, docs, strict=True)]


async def vault_over(connection: Any, master_keys: MasterKeys) -> Vault:
    """Open the vault of a database on the connection of its owner."""

    @asynccontextmanager
    async def lend() -> AsyncIterator[Any]:
        yield connection

    return await Vault.open(lend, master_keys)
