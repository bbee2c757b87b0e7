"""Asking for a mail, in the transaction of what it tells of: it is sent if that stands, and only then.

What waits names a person and a purpose. No address, no token and no text of a mail stands in the queue; an invite's
code does, which its coach has, too: sealed.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from apex_server.db import Connection, load_queries
from apex_server.mail.letters import DroppedFactor, MailPurpose

__all__ = [
    "ACCOUNTS_ANSWERED",
    "INVITE_CODE",
    "INVITE_EMAIL",
    "ask_for_invite_mails",
    "ask_for_mail",
    "ask_for_mail_to_index",
    "mail_at_last",
    "press_for_link",
]

INVITE_EMAIL = "invites.email"
INVITE_CODE = "mails.invite_code"
"""The places that the address and the code of an invite are sealed for."""

ACCOUNTS_ANSWERED = 3
"""Of those that name an address which is not theirs: the latest. More letters than that nobody tells apart."""

_queries = load_queries(__package__)


async def ask_for_mail(
    connection: Connection,
    user_id: UUID,
    purpose: MailPurpose,
    *,
    now: datetime,
    email_change_id: UUID | None = None,
    dropped_factors: Sequence[DroppedFactor] = (),
) -> None:
    """Have a letter sent to the user that the connection acts for; asking again while it waits changes nothing."""
    await connection.execute(_queries.queue_mail, user_id, purpose, email_change_id, now, dropped_factors)


async def ask_for_mail_to_index(
    connection: Connection, email_index: bytes, purpose: MailPurpose, *, now: datetime
) -> None:
    """Have a letter sent to whoever has an address.

    The same happens whether anybody has: one row is written, and only the worker looks.
    """
    await connection.execute(_queries.queue_mail_to_index, email_index, purpose, now)


async def ask_for_invite_mails(connection: Connection, sealed_codes: Mapping[UUID, bytes], *, at_once: bool) -> None:
    """Have letters sent to whom the user that the connection acts for has invited; the codes are those of the ids.

    They go at once, or with `mail_at_last`, when the user's own address is confirmed.
    """
    await connection.execute(_queries.queue_invite_mails, list(sealed_codes), list(sealed_codes.values()), at_once)


async def mail_at_last(connection: Connection, *, now: datetime) -> None:
    """Ask for what the user that the connection acts for gets, and has others get, once their address is confirmed.

    The letters of their invites go. And they are told of other accounts under the address, in which they may log on
    another device: there nobody is told, for it would tell anybody that the address has an account.
    """
    await connection.execute(_queries.release_invite_mails, now)
    await connection.execute(_queries.tell_of_other_accounts, now, ACCOUNTS_ANSWERED)


async def press_for_link(connection: Connection, *, now: datetime) -> None:
    """Have the link for the address of the user that the connection acts for sent, in front of what waits for it.

    Nothing happens where it has answered already.
    """
    await connection.execute(_queries.press_for_link, now)
