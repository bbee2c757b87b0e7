"""Rows of people as the server seals them, for tests that need somebody and no registration."""

from typing import Any
from uuid import UUID

from apex_server.people import DEVICE_NAME, USER_EMAIL, USER_NAME
from apex_server.vault import Vault


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
