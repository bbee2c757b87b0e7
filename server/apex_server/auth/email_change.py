"""Changing the e-mail address of an account, in a way that whoever loses it to a thief gets it back.

The address is the key to everything: mails to it choose new passwords. So a change asks for a recent sign-in, counts
from the moment the new mailbox answers, and the old one is told and can put it back for seven days. No other account
can have the old address meanwhile, or the way back would be blocked. An address that never answered was not the
account's: it is not told, and not kept.

Whoever takes an address back says that somebody else was in the account. Every session ends then, the password opens
nothing any more until a new one is chosen by mail, and what was added to sign in with since the day before the change
is removed: a thief's passkey would otherwise stay behind.
"""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import structlog

from apex_server.audit import record_event
from apex_server.auth.accounts import Accounts
from apex_server.auth.first_answer import drop_factors
from apex_server.auth.mailed_links import find_link, prove_address, use_link
from apex_server.auth.throttle import count_attempt
from apex_server.caller import Caller
from apex_server.db import Connection, load_queries
from apex_server.errors import InvalidFields
from apex_server.invites import accept_awaiting_invite
from apex_server.mail import NEW_EMAIL, OLD_EMAIL, ask_for_mail
from apex_server.opaque_tokens import new_token
from apex_server.people import USER_EMAIL, normalise_email
from apex_server.step_up import require_recent_sign_in
from apex_sync.addresses import email_key

__all__ = ["UNDO_SPAN", "ask_for_email_change", "confirm_address", "undo_email_change"]

UNDO_SPAN = timedelta(days=7)
"""A holiday without mail; as long as the letter to the old address says."""
SUSPECT_SPAN = timedelta(days=1)
"""Before the change: what a thief may have added in preparing it."""

_queries = load_queries(__package__)
_log = structlog.get_logger(__name__)


async def ask_for_email_change(accounts: Accounts, caller: Caller, typed: str, *, address: str) -> None:
    """Mail a link to a new address; the account has it from the moment the link is used.

    Whether the address has an account already plays no part here, so nobody learns it. Raises SignInAgain,
    InvalidFields, or TooManyAttempts.
    """
    key_of_new, now, vault = normalise_email(typed), accounts.now(), accounts.database.vault
    async with accounts.database.request(caller.user_id) as connection:
        await require_recent_sign_in(connection, caller, now=now)
        await count_attempt(connection, "ask_for_mail", str(caller.user_id), address=address, now=now)
        user = await connection.fetchrow(_queries.get_email, caller.user_id)
        new_index = vault.email_index(key_of_new)
        if new_index == user["email_index"]:
            raise InvalidFields.one("email", "This is your address already")
        key = await vault.user_key(connection, caller.user_id)
        old = key.open_text(user["email"], what=USER_EMAIL)
        change_id = uuid4()
        await connection.execute(_queries.drop_open_email_changes, caller.user_id)
        await connection.execute(
            _queries.add_email_change,
            caller.user_id,
            change_id,
            user["email_index"],
            key.seal_text(old, what=OLD_EMAIL),
            new_index,
            key.seal_text(typed.strip(), what=NEW_EMAIL),
            now,
        )
        await ask_for_mail(connection, caller.user_id, "confirm_email", now=now, email_change_id=change_id)
        await record_event(
            connection,
            caller.user_id,
            "email_change_asked",
            vault=vault,
            actor_id=caller.user_id,
            device_id=caller.device_id,
            address=address,
        )


async def confirm_address(accounts: Accounts, token: str, *, address: str) -> None:
    """Believe that an address is its account's: the one it has, or the new one that was asked for.

    Raises MailTokenInvalid, TooManyAttempts, or EmailTaken where another account has answered for it by now.
    """
    owner = await find_link(accounts, token, "verify_email", "confirm_email", address=address)
    now = accounts.now()
    async with accounts.database.request(owner.user_id) as connection:
        change_id = await use_link(connection, owner, now=now)
        if change_id is not None:
            await _change(accounts, connection, owner.user_id, change_id, now)
        await prove_address(connection, owner.user_id, now=now)
        await accept_awaiting_invite(connection, accounts.database.vault, owner.user_id, now=now)
        await record_event(
            connection,
            owner.user_id,
            "email_verified" if change_id is None else "email_changed",
            vault=accounts.database.vault,
            actor_id=None,
            address=address,
        )


async def undo_email_change(accounts: Accounts, token: str, *, address: str) -> None:
    """Put an account's address back, at the word of whoever reads mails to the old one, and shut everybody out.

    Raises MailTokenInvalid, TooManyAttempts, ServerBusy, or EmailTaken.
    """
    owner = await find_link(accounts, token, "undo_email", address=address)
    nobodys_password = await accounts.passwords.hash(new_token())
    now, vault, user_id = accounts.now(), accounts.database.vault, owner.user_id
    async with accounts.database.request(user_id) as connection:
        change = await connection.fetchrow(
            _queries.get_email_change, user_id, await use_link(connection, owner, now=now)
        )
        key = await vault.user_key(connection, user_id)
        old = key.open_text(change["old_email"], what=OLD_EMAIL)
        sealed = key.seal_text(old, what=USER_EMAIL)
        await connection.execute(_queries.set_email, user_id, vault.email_index(email_key(old)), sealed)
        await prove_address(connection, user_id, now=now)
        await connection.execute(_queries.note_email_changes_undone, user_id, change["asked_at"], now)
        await connection.execute(_queries.change_password_hash, user_id, nobodys_password)
        await connection.execute(_queries.end_other_sessions, user_id, None, "email_restored", now)
        await connection.execute(_queries.drop_links, user_id, ["verify_email", "reset_password"])
        await connection.execute(_queries.drop_open_email_changes, user_id)
        await connection.execute(_queries.drop_later_undo_links, user_id, change["asked_at"])
        await drop_factors(connection, user_id, since=change["asked_at"] - SUSPECT_SPAN)
        await ask_for_mail(connection, user_id, "email_restored", now=now)
        await record_event(connection, user_id, "email_change_undone", vault=vault, actor_id=None, address=address)
    _log.warning("email_change_undone", user_id=str(user_id))


async def _change(accounts: Accounts, connection: Connection, user_id: UUID, change_id: UUID, now: datetime) -> None:
    vault = accounts.database.vault
    change: Any = await connection.fetchrow(_queries.get_email_change, user_id, change_id)
    was_its_own = await connection.fetchval(_queries.get_email_verified_at, user_id) is not None
    key = await vault.user_key(connection, user_id)
    new = key.open_text(change["new_email"], what=NEW_EMAIL)
    await connection.execute(_queries.set_email, user_id, change["new_index"], key.seal_text(new, what=USER_EMAIL))
    undo_until = now + UNDO_SPAN if was_its_own else now
    await connection.execute(_queries.note_email_changed, user_id, change_id, now, undo_until)
    # What was mailed to the old address speaks for it no more.
    await connection.execute(_queries.drop_links, user_id, ["verify_email", "reset_password"])
    if was_its_own:
        await ask_for_mail(connection, user_id, "email_changed", now=now, email_change_id=change_id)
