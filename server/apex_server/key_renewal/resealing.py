"""Everything that is sealed with a person's key, sealed with the present one.

What is the person's own is done as them, under row-level security; what the worker keeps for them, and their records,
with the commit role. Each value is put in the place of the one that was read, or not at all: what somebody changes
meanwhile is sealed with the present key by that.

Left as they are: exports, which last days; the events of an account, which are chained and whose former keys stay; and
files, whose keys are sealed anew instead.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import NamedTuple
from uuid import UUID

from apex_server.ai.ledger import WORDED_TEXT
from apex_server.db import Connection, Database, load_queries
from apex_server.invite_drafts import INVITE_DRAFT
from apex_server.mail import INVITE_CODE, INVITE_EMAIL, NEW_EMAIL, OLD_EMAIL
from apex_server.media import MEDIA_KEY
from apex_server.people import (
    DEVICE_NAME,
    ORGANISATION_NAME,
    PASSKEY_NAME,
    PHONE_NUMBER,
    TOTP_SEED,
    USER_EMAIL,
    USER_NAME,
)
from apex_server.sync import Resealed, seal_scope_anew, sealed_anew
from apex_server.sync.sealing import person_of
from apex_server.vault import UserKey

__all__ = ["KEPT_FOR_THEM", "THEIR_OWN", "seal_person_anew"]

VALUES_AT_ONCE = 500

_queries = load_queries(__package__)


class SealedColumn(NamedTuple):
    """A column of sealed values, each found by the id of its row, and by whose it is."""

    table: str
    column: str
    place: str
    id: str = "id"
    person: str = "user_id"


THEIR_OWN = (
    SealedColumn("users", "name", USER_NAME, person="id"),
    SealedColumn("users", "email", USER_EMAIL, person="id"),
    SealedColumn("devices", "name", DEVICE_NAME),
    SealedColumn("passkeys", "name_sealed", PASSKEY_NAME),
    SealedColumn("totp_seeds", "seed_sealed", TOTP_SEED, id="user_id"),
    SealedColumn("phones", "number_sealed", PHONE_NUMBER, id="user_id"),
    SealedColumn("email_changes", "old_email", OLD_EMAIL),
    SealedColumn("email_changes", "new_email", NEW_EMAIL),
    SealedColumn("invites", "email", INVITE_EMAIL, id="code_hash", person="coach_id"),
    SealedColumn("organisations", "name", ORGANISATION_NAME, id="owner_id", person="owner_id"),
)
KEPT_FOR_THEM = (
    SealedColumn("invites", "draft", INVITE_DRAFT, id="code_hash", person="coach_id"),
    SealedColumn("mails", "invite_code", INVITE_CODE),
    SealedColumn("media", "key_sealed", MEDIA_KEY, person="owner_id"),
    SealedColumn("worded_texts", "reply", WORDED_TEXT, id="key", person="athlete_id"),
)


async def seal_person_anew(database: Database, user_id: UUID) -> Resealed:
    """Seal everything of a person with their present key, some at a time. Raises KeyDestroyed, DatabaseUnavailable."""
    found = Resealed()
    for sealed in THEIR_OWN:
        found = found.plus(await _seal_column_anew(database, user_id, sealed, as_them=True))
    for sealed in KEPT_FOR_THEM:
        found = found.plus(await _seal_column_anew(database, user_id, sealed, as_them=False))
    async with database.commit_connection() as connection:
        scopes = await connection.fetch(_queries.list_scopes_about, str(user_id))
    for row in scopes:
        if person_of(row["name"]) == user_id:
            found = found.plus(await seal_scope_anew(database, row["name"], row["scope_id"]))
    return found


async def _seal_column_anew(database: Database, user_id: UUID, sealed: SealedColumn, *, as_them: bool) -> Resealed:
    # The names are those of our own tables, above; a query of each would say the same twelve times.
    table, column, row_id, person = sealed.table, sealed.column, sealed.id, sealed.person
    listed = (
        f"SELECT {row_id}, {column}, {row_id}::text AS place FROM {table} "  # noqa: S608
        f"WHERE {person} = $1 AND {column} IS NOT NULL AND {row_id}::text > $2 ORDER BY place LIMIT $3"
    )
    put = f"UPDATE {table} SET {column} = $4 WHERE {person} = $1 AND {row_id} = $2 AND {column} = $3"  # noqa: S608
    found, last = Resealed(), ""
    while True:
        async with database.request(user_id) if as_them else _committing(database) as connection:
            key = await database.vault.user_key(connection, user_id)
            rows = await connection.fetch(listed, user_id, last, VALUES_AT_ONCE)
            if not rows:
                return found
            where = f"{table}.{column} of {user_id}"
            anew = partial(_value_anew, key, sealed.place)
            changed, some = sealed_anew(where, [(row[0], row[1]) for row in rows], anew)
            await connection.executemany(put, [(user_id, *each) for each in changed])
        found, last = found.plus(some), rows[-1]["place"]


def _value_anew(key: UserKey, place: str, _: object, value: bytes) -> bytes | None:
    return key.sealed_anew(value, what=place)


@asynccontextmanager
async def _committing(database: Database) -> AsyncIterator[Connection]:
    async with database.commit_connection() as connection, connection.transaction():
        yield connection
