"""Links in our mails: asking for them, using them up, and choosing a new password by one.

A link is good once and for a while, and only its fingerprint is kept. Using it and what it does are one transaction, so
of two at the same moment one wins and the other finds it used. Whoever holds a link may read a person's mail; it never
signs anybody in, and a second factor stays as it is.

Asking for a link costs and says the same whether the account exists: one row is written, and the worker finds out.
"""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import asyncpg
import structlog

from apex_server.audit import record_event
from apex_server.auth.accounts import Accounts
from apex_server.auth.devices import recognise_device
from apex_server.auth.first_answer import drop_foreign_factors, leave_nothing_of_others
from apex_server.auth.throttle import count_attempt
from apex_server.caller import Caller
from apex_server.db import Connection, load_queries
from apex_server.errors import EmailTaken, MailTokenInvalid
from apex_server.invites import accept_awaiting_invite
from apex_server.mail import ask_for_mail, ask_for_mail_to_index, mail_at_last, press_for_link
from apex_server.opaque_tokens import fingerprint
from apex_sync.addresses import email_key

__all__ = [
    "LinkOwner",
    "PasswordChosen",
    "ask_for_verification",
    "find_link",
    "forgot_password",
    "prove_address",
    "reset_password",
    "use_link",
]

_queries = load_queries(__package__)
_log = structlog.get_logger(__name__)


class LinkOwner(NamedTuple):
    """Whose mail a link was in, and what for."""

    user_id: UUID
    purpose: str
    token_hash: bytes


class PasswordChosen(NamedTuple):
    """What comes of a new password that was chosen by mail."""

    device_token: str | None
    """Of the browser, where it was unknown."""
    readers_changed: list[UUID]
    """Whose grants changed by it."""


async def ask_for_verification(accounts: Accounts, caller: Caller, *, address: str) -> None:
    """Mail the caller another link to verify their address with; nothing happens when it is verified.

    Raises TooManyAttempts.
    """
    now = accounts.now()
    async with accounts.database.request(caller.user_id) as connection:
        # By the address that the account names: anybody makes many under one.
        user = await connection.fetchrow(_queries.get_email, caller.user_id)
        await count_attempt(connection, "ask_for_mail", user["email_index"].hex(), address=address, now=now)
        await press_for_link(connection, now=now)


async def forgot_password(accounts: Accounts, email: str, *, address: str) -> None:
    """Mail whoever has this address a link to choose a new password with, if anybody has.

    Raises TooManyAttempts.
    """
    now, key = accounts.now(), email_key(email)
    async with accounts.database.request(None) as connection:
        await count_attempt(connection, "ask_for_mail", key, address=address, now=now)
        await ask_for_mail_to_index(connection, accounts.database.vault.email_index(key), "reset_password", now=now)


async def reset_password(
    accounts: Accounts, token: str, new_password: str, *, device_token: str | None, address: str
) -> PasswordChosen:
    """Give an account another password, and end all its sessions.

    The link came by mail, so the address is verified with it. Whoever registered may have been somebody else: what is
    left of them then goes (`first_answer.py`). The browser is a known device from then on: whoever guesses at the
    account from everywhere does not keep its person from signing in there. Raises
    MailTokenInvalid, TooManyAttempts, InvalidFields for the password (the link stays good then), ServerBusy, or
    EmailTaken where another account has answered for the address meanwhile.
    """
    owner = await find_link(accounts, token, "reset_password", address=address)
    password_hash = await accounts.passwords.hash(new_password, known=await accounts.known_of(owner.user_id))
    now, vault = accounts.now(), accounts.database.vault
    device_hash = fingerprint(device_token) if device_token else None
    async with accounts.database.request(owner.user_id) as connection:
        await use_link(connection, owner, now=now)
        await connection.execute(_queries.change_password_hash, owner.user_id, password_hash)
        # First of all, so that no session adds a factor once they are dropped.
        await connection.execute(_queries.end_other_sessions, owner.user_id, None, "password_reset", now)
        answered_at = await connection.fetchval(_queries.get_first_answered_at, owner.user_id)
        dropped = await drop_foreign_factors(connection, owner.user_id, first_answered_at=answered_at, now=now)
        readers = [] if answered_at else await leave_nothing_of_others(connection, vault, owner.user_id)
        await prove_address(connection, owner.user_id, now=now)
        await accept_awaiting_invite(connection, vault, owner.user_id, now=now)
        await connection.execute(_queries.drop_links, owner.user_id, ["reset_password"])
        await connection.execute(_queries.drop_open_email_changes, owner.user_id)
        await ask_for_mail(connection, owner.user_id, "password_was_reset", now=now, dropped_factors=dropped)
        proven_id = await connection.fetchval(_queries.find_proven_device, owner.user_id, device_hash)
        key = await vault.user_key(connection, owner.user_id)
        device = await recognise_device(connection, owner.user_id, key, None, proven_id=proven_id, now=now)
        # Whoever holds the link did it; who that is, nobody knows.
        await record_event(
            connection,
            owner.user_id,
            "password_reset",
            vault=vault,
            actor_id=None,
            device_id=device.id,
            address=address,
            detail={"dropped": ", ".join(dropped)} if dropped else {},
        )
    _log.info("password_reset", user_id=str(owner.user_id))
    return PasswordChosen(device.new_token, readers)


async def prove_address(connection: Connection, user_id: UUID, *, now: datetime) -> None:
    """Take the address of an account for its own, at the word of whoever reads the mails to it.

    What waited to be mailed until the first answer goes with it. Raises EmailTaken where another account was faster, or
    left the address lately and may still come back to it.
    """
    if await connection.fetchval(_queries.is_own_email_kept, user_id, now):
        raise EmailTaken
    try:
        first_answer = await connection.fetchval(_queries.note_email_verified, user_id, now) is not None
    except asyncpg.UniqueViolationError as error:
        raise EmailTaken from error
    if first_answer:
        await mail_at_last(connection, now=now)


async def find_link(accounts: Accounts, token: str, *purposes: str, address: str) -> LinkOwner:
    """Give whose link this is, if it is good for one of these purposes; nothing has happened to it yet.

    Only what is no good counts as an attempt: a whole team may follow their links in one gym. Raises MailTokenInvalid,
    TooManyAttempts.
    """
    now, token_hash = accounts.now(), fingerprint(token)
    async with accounts.database.request(None) as connection:
        row = await connection.fetchrow(_queries.find_link, token_hash)
        good = row is not None and row["purpose"] in purposes and row["used_at"] is None and row["expires_at"] > now
        if not good:
            await count_attempt(connection, "mail_token", "", address=address, now=now)
    if not good:
        raise MailTokenInvalid
    return LinkOwner(row["user_id"], row["purpose"], token_hash)


async def use_link(connection: Connection, owner: LinkOwner, *, now: datetime) -> UUID | None:
    """Use a link up, in the transaction of what it does; gives the change of address it is about, if it is about one.

    Raises MailTokenInvalid when somebody was faster.
    """
    used = await connection.fetchrow(_queries.use_link, owner.user_id, owner.token_hash, now)
    if used is None:
        raise MailTokenInvalid
    change_id: UUID | None = used["email_change_id"]
    return change_id
