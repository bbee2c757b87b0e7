"""What somebody else may have left in an account, when a new password for it is chosen by mail.

Whoever registers an address need not be who reads its mail. The first mail that is answered divides the two:

- A password chosen by mail in an account that has answered none makes it the reader's, empty of anybody's ways in:
  factors, coaches, invites and consents, a copy or an end that was asked for, and devices that are known.
- In an account that has answered one the person's own second factor stays on: who reads somebody's mail has one factor,
  not two. What was added before that first answer goes. So does, for a day after it, everything: whoever confirmed an
  account of somebody else's by mistake finds that no password of theirs opens it, and chooses one.
"""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from apex_server.audit import record_event
from apex_server.db import Connection, load_queries
from apex_server.grants import readers_beside
from apex_server.invites import record_link
from apex_server.mail import DroppedFactor
from apex_server.vault import Vault

__all__ = ["drop_factors", "drop_foreign_factors", "leave_nothing_of_others"]

BEFORE_ANY_ACCOUNT = datetime(2000, 1, 1, tzinfo=UTC)
MISTAKE_SPAN = timedelta(days=1)
"""So soon after a wrong link its reader finds out. Whoever made the account may add a factor in the meantime."""

_queries = load_queries(__package__)


async def drop_foreign_factors(
    connection: Connection, user_id: UUID, *, first_answered_at: datetime | None, now: datetime
) -> list[DroppedFactor]:
    """Take away what may be somebody else's to sign in with; gives the kinds of what there was."""
    lately = first_answered_at is None or now < first_answered_at + MISTAKE_SPAN
    until = None if lately else first_answered_at
    return await drop_factors(connection, user_id, since=BEFORE_ANY_ACCOUNT, until=until)


async def drop_factors(
    connection: Connection, user_id: UUID, *, since: datetime, until: datetime | None = None
) -> list[DroppedFactor]:
    """Take away second factors and passkeys that were added in a span; gives the kinds of what there was.

    What was offered and never confirmed is no factor: it goes, and is not named.
    """
    removals: tuple[tuple[DroppedFactor, str], ...] = (
        ("passkeys", _queries.remove_passkeys_between),
        ("totp", _queries.remove_totp_between),
        ("phone", _queries.remove_phones_between),
    )
    dropped: list[DroppedFactor] = []
    for kind, remove in removals:
        rows = await connection.fetch(remove, user_id, since, until)
        if any(row["was_in_use"] for row in rows):
            dropped.append(kind)
    await connection.execute(_queries.remove_loose_recovery_codes, user_id)
    return dropped


async def leave_nothing_of_others(connection: Connection, vault: Vault, user_id: UUID) -> list[UUID]:
    """Part an account from everybody and everything that came to it before its person did.

    Gives whose grants change by it, for `announce_grants` after the commit. The person reads of each part in their
    events.
    """
    changed: list[UUID] = []
    links = await connection.fetch(_queries.list_links, user_id)
    for link in links:
        changed += await readers_beside(connection, link["coach_id"], link["athlete_id"])
    await connection.execute(_queries.end_links, user_id)
    withdrawn = await connection.fetch(_queries.withdraw_consents, user_id)
    kept = await connection.fetchval(_queries.drop_deletion, user_id)
    for drop in (
        _queries.end_looks_at,
        _queries.drop_awaiting_invite,
        _queries.drop_exports,
        _queries.forget_device_tokens,
    ):
        await connection.execute(drop, user_id)
    await connection.execute(_queries.drop_open_invites)
    for link in links:
        await record_link(connection, vault, "coach_unlinked", link["coach_id"], link["athlete_id"], by=user_id)
    for row in withdrawn:
        detail = {"kind": row["kind"]}
        await record_event(connection, user_id, "consent_withdrawn", vault=vault, actor_id=None, detail=detail)
    if kept is not None:
        await record_event(connection, user_id, "account_deletion_cancelled", vault=vault, actor_id=None)
    return list(dict.fromkeys(changed))
