"""Support accounts, which only an operator makes: no request can insert one, whatever it says of itself."""

import secrets
from uuid import uuid4

import asyncpg

from apex_server.audit import record_event
from apex_server.auth import Passwords
from apex_server.db import Database, load_queries
from apex_server.errors import InvalidFields
from apex_server.operations.errors import AccountRefused
from apex_server.operations.owner import connected_owner
from apex_server.people import USER_EMAIL, USER_NAME, clean_name, normalise_email
from apex_server.settings import Settings

__all__ = ["add_support"]

PASSWORD_BYTES = 18
"""144 random bits: nobody guesses it before it is changed."""

_queries = load_queries(__package__)


async def add_support(settings: Settings, database: Database, email: str, name: str) -> str:
    """Make a support account, and give its first password, which stands nowhere else.

    Raises AccountRefused when the address or name is none, or taken; DatabaseUnavailable.
    """
    try:
        address, shown = normalise_email(email), clean_name(name, field="name")
    except InvalidFields as error:
        raise AccountRefused(error.errors[0].message) from error
    password, user_id = secrets.token_urlsafe(PASSWORD_BYTES), uuid4()
    password_hash = await Passwords().hash(password)
    vault = database.vault
    async with connected_owner(settings) as owner:
        try:
            async with owner.transaction():
                key = await vault.add_user_key(owner, user_id)
                sealed = (key.seal_text(email.strip(), what=USER_EMAIL), key.seal_text(shown, what=USER_NAME))
                await owner.execute(_queries.add_support, user_id, vault.email_index(address), *sealed, password_hash)
                await record_event(owner, user_id, "account_created", vault=vault, actor_id=None)
        except asyncpg.UniqueViolationError as error:
            raise AccountRefused("somebody has this address already") from error
    return password
