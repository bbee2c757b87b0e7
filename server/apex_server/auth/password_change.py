"""Changing a password while signed in: with the old one, and with an end to every other session."""

import structlog

from apex_server.audit import record_event
from apex_server.auth.accounts import Accounts
from apex_server.caller import Caller
from apex_server.db import load_queries
from apex_server.mail import ask_for_mail

__all__ = ["change_password"]

_queries = load_queries(__package__)
_log = structlog.get_logger(__name__)


async def change_password(
    accounts: Accounts, caller: Caller, current_password: str, new_password: str, *, address: str
) -> None:
    """Take another password from now on; this session goes on, all others end.

    Raises WrongCredentials, TooManyAttempts, InvalidFields for the new one, or ServerBusy.
    """
    await accounts.check_password(caller, current_password, address=address)
    known = await accounts.known_of(caller.user_id)
    password_hash = await accounts.passwords.hash(new_password, field="new_password", known=known)
    user_id, now = caller.user_id, accounts.now()
    async with accounts.database.request(user_id) as connection:
        await connection.execute(_queries.change_password_hash, user_id, password_hash)
        await connection.execute(_queries.end_other_sessions, user_id, caller.session_id, "password_changed", now)
        await connection.execute(_queries.drop_links, user_id, ["reset_password"])
        await connection.execute(_queries.drop_open_email_changes, user_id)
        if not (await accounts.factors.held(connection, user_id)).methods:
            # With a second factor a password alone is no proof of the person, here as little as elsewhere.
            await connection.execute(_queries.note_authenticated, user_id, caller.session_id, now, False)
        await ask_for_mail(connection, user_id, "password_changed", now=now)
        await record_event(
            connection,
            user_id,
            "password_changed",
            vault=accounts.database.vault,
            actor_id=user_id,
            device_id=caller.device_id,
            address=address,
        )
    _log.info("password_changed", user_id=str(user_id))
