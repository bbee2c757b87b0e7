"""Refused sign-ins reach the audit of the person by way of the worker.

Writing them into the audit at once would take longer for an account that exists, and so tell whether it does. Every
refusal writes one row for an address, whoever has it; the worker turns those of people who are there into one entry a
minute, and forgets the others.
"""

import hmac
from collections import defaultdict
from datetime import datetime
from typing import Any

from apex_server.audit import record_event
from apex_server.db import Database, load_queries
from apex_server.vault import UserKey, Vault

__all__ = ["note_refused_sign_in", "record_refused_sign_ins"]

ROWS_AT_ONCE = 10_000
"""A minute of a large attack; what is more waits for the next time."""

SEALED_AS = "refused_sign_ins.address"

_queries = load_queries(__package__)


async def note_refused_sign_in(database: Database, email_index: bytes, *, address: str, now: datetime) -> None:
    """Write down that a sign-in was refused; it costs the same whether the account exists."""
    sealed = _key(database.vault).seal_text(address, what=SEALED_AS)
    async with database.request(None) as connection:
        await connection.execute(_queries.note_refused_sign_in, email_index, sealed, now)


async def record_refused_sign_ins(database: Database) -> None:
    """Record what was written down in the audits of those who are there."""
    async with database.commit_connection() as connection, connection.transaction():
        rows = await connection.fetch(_queries.take_refused_sign_ins, ROWS_AT_ONCE)
        by_user: defaultdict[Any, list[Any]] = defaultdict(list)
        for row in rows:
            by_user[row["user_id"]].append(row)
        by_user.pop(None, None)
        # In one order everywhere, because each entry holds its person's chain until the end.
        for user_id in sorted(by_user):
            address = _key(database.vault).open_text(by_user[user_id][-1]["address"], what=SEALED_AS)
            await record_event(
                connection,
                user_id,
                "sign_in_refused",
                vault=database.vault,
                actor_id=None,
                address=address,
                detail={"attempts": len(by_user[user_id])},
            )


def _key(vault: Vault) -> UserKey:
    return UserKey(hmac.digest(vault.server_key("email_index"), b"refused sign-ins", "sha256"))
