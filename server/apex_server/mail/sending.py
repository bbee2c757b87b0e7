"""Sends what waits: looks the person up, makes the token, writes the letter, hands it to the post.

Any number of workers share the queue. A mail that was taken and not finished, because the worker died, is taken again;
so one may come twice, and never not at all. What the post does not take now is tried for about a day, what it refuses
for good is held, and `apex-server failed-jobs` lists it.

Several accounts may name one address. What was asked for by address goes to the account that has it, else to the latest
few that name it; a new account under an address that has one gets no link: its owner is told instead.

How many links of one kind a person gets, and how many an address, is bounded here, where whoever asked does not see it.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, get_args
from uuid import UUID

import structlog
from msgspec import Struct

from apex_server.audit import record_event
from apex_server.db import Connection, Database, load_queries
from apex_server.mail.letters import LETTERS, Letter, MailPurpose, made_on, write_letter
from apex_server.mail.mailer import Mailer, MailPostponed, MailRefused
from apex_server.opaque_tokens import fingerprint, new_token
from apex_server.people import USER_EMAIL, USER_NAME

__all__ = ["NEW_EMAIL", "OLD_EMAIL", "HeldMail", "MailSender", "list_held_mails"]

OLD_EMAIL = "email_changes.old_email"
NEW_EMAIL = "email_changes.new_email"
"""The places that the two addresses of a change are sealed for."""

BATCH_MAILS = 10
LEASE = timedelta(minutes=5)
"""How long a worker may be at a mail before another takes it; the post times out long before."""
RETRY_SECONDS = 30
ATTEMPTS_MAX = 12
"""Waiting twice as long each time, up to RETRY_MAX: about a day."""
RETRY_MAX = timedelta(hours=4)
TOKENS_MAX = 5
TOKENS_WINDOW = timedelta(hours=1)
"""More than five of the same mail in an hour help nobody."""
ADDRESS_TOKENS_MAX = 20
"""In the same hour, for all accounts that name an address without having answered for it: a stranger makes as many as
they like, but fills no mailbox. What is more waits, and is not lost: one of them may be the owner's."""
ACCOUNTS_ANSWERED = 3
"""Of an address that nobody has: the latest. More links than that nobody tells apart."""
HELD_MAX = 100
HELD_DAYS = 14
TOKEN_MEMORY = timedelta(days=1)

_queries = load_queries(__package__)
_log = structlog.get_logger(__name__)


class HeldMail(Struct, frozen=True):
    """A mail that did not go, and why."""

    id: int
    purpose: str
    user_id: str | None
    failed_at: datetime
    failure: str


class Errand(Struct, frozen=True):
    """What a mail turns out to be when it is due."""

    purpose: MailPurpose
    user: Any
    """Whom it goes to, and whose the link in it is."""
    made: str | None
    """Which account it is about, where that has not answered for its address."""

    @property
    def letter(self) -> Letter:
        return LETTERS[self.purpose]


class Addressee(Struct, frozen=True):
    """Where a letter goes, and whether that address is known to be the person's."""

    address: str
    name: str | None


class MailSender:
    """The part of the worker that sends mails."""

    def __init__(self, database: Database, mailer: Mailer, *, public_url: str, now: Callable[[], datetime]) -> None:
        self._database = database
        self._mailer = mailer
        self._public_url = public_url
        self._now = now

    async def send_due(self) -> int:
        """Send what is due; gives how many were taken up. Raises DatabaseUnavailable."""
        async with self._database.commit_connection() as connection:
            await connection.execute(_queries.address_mails, self._now(), BATCH_MAILS, ACCOUNTS_ANSWERED)
            mails = await connection.fetch(_queries.take_due_mails, self._now(), LEASE, BATCH_MAILS)
        for mail in mails:
            await self._send(mail)
        return len(mails)

    async def forget_person(self, user_id: UUID) -> None:
        """Let the post forget what it keeps of mails to a person, before the account is erased."""
        async with self._database.commit_connection() as connection:
            user = await connection.fetchrow(_queries.get_addressee, user_id)
            if user is None or user["email_verified_at"] is None:
                return  # The address may be somebody else's, and so the mails to it.
            key = await self._database.vault.user_key(connection, user_id)
            former = await connection.fetch(_queries.list_former_addresses, user_id)
        addresses = {key.open_text(user["email"], what=USER_EMAIL)}
        for row in former:
            addresses |= {key.open_text(row["old_email"], what=OLD_EMAIL)}
            addresses |= {key.open_text(row["new_email"], what=NEW_EMAIL)}
        await self._mailer.forget(addresses)

    async def forget_old(self) -> None:
        """Forget held mails and tokens that are long over."""
        async with self._database.commit_connection() as connection:
            await connection.execute(_queries.forget_held_mails, self._now() - timedelta(days=HELD_DAYS))
            await connection.execute(_queries.forget_mail_tokens, self._now() - TOKEN_MEMORY)

    async def _send(self, mail: Any) -> None:
        if mail["purpose"] not in get_args(MailPurpose):
            await self._hold(mail, "this version knows no such letter")
            return
        async with self._database.commit_connection() as connection, connection.transaction():
            errand = await self._errand(connection, mail)
            addressee = await self._addressee(connection, errand, mail) if errand else None
            if errand is None or addressee is None:
                await connection.execute(_queries.finish_mail, mail["id"])
                return
            token = new_token() if errand.letter.token else None
            if not await self._make_token(connection, errand, mail, token):
                return
            await self._note(connection, errand, mail)
        written = write_letter(
            errand.purpose,
            to=addressee.address,
            name=addressee.name,
            public_url=self._public_url,
            token=token,
            made=errand.made,
            dropped_factors=mail["dropped_factors"],
        )
        try:
            await self._mailer.send(written)
        except (MailPostponed, MailRefused) as error:
            await self._drop_token(token)
            await self._put_off(mail, error)
            return
        async with self._database.commit_connection() as connection:
            await connection.execute(_queries.finish_mail, mail["id"])
        _log.info("mail_sent", purpose=errand.purpose, user_id=str(errand.user["id"]))

    async def _errand(self, connection: Connection, mail: Any) -> Errand | None:
        user = await connection.fetchrow(_queries.get_addressee, mail["user_id"])
        if user is None:
            return None
        made = None if user["email_verified_at"] else made_on(user["created_at"], user["device_kind"] or "web")
        if mail["purpose"] != "verify_email":
            return Errand(mail["purpose"], user, made)
        if user["email_verified_at"]:
            return None  # Confirmed by another link, since this one was asked for.
        if user["owner_id"] is None:
            return Errand("verify_email", user, made)
        owner = await connection.fetchrow(_queries.get_addressee, user["owner_id"])
        return Errand("address_has_account", owner, made)

    async def _addressee(self, connection: Connection, errand: Errand, mail: Any) -> Addressee | None:
        user, letter = errand.user, errand.letter
        key = (await self._database.vault.user_keys(connection, [user["id"]])).get(user["id"])
        if key is None:
            return None  # Erased: nobody writes to them any more.
        name = key.open_text(user["name"], what=USER_NAME)
        if letter.goes_to == "address":
            return Addressee(key.open_text(user["email"], what=USER_EMAIL), name if user["email_verified_at"] else None)
        change = await connection.fetchrow(_queries.get_email_change, mail["email_change_id"])
        if change is None:
            return None
        if letter.goes_to == "old_address":
            return Addressee(key.open_text(change["old_email"], what=OLD_EMAIL), name)
        return Addressee(key.open_text(change["new_email"], what=NEW_EMAIL), None)

    async def _make_token(self, connection: Connection, errand: Errand, mail: Any, token: str | None) -> bool:
        """Store the token of a letter that has one; False when it does not go, or not now."""
        letter = errand.letter
        if token is None or letter.lifetime is None:
            return True
        now, user_id = self._now(), errand.user["id"]
        since = now - TOKENS_WINDOW
        if await connection.fetchval(_queries.count_tokens_lately, user_id, letter.token, since) >= TOKENS_MAX:
            _log.warning("mail_not_sent_again", purpose=errand.purpose, user_id=str(user_id))
            await connection.execute(_queries.finish_mail, mail["id"])
            return False
        of_address = await connection.fetchval(_queries.count_links_to_address, errand.user["email_index"], since)
        if errand.made is not None and of_address >= ADDRESS_TOKENS_MAX:
            _log.warning("mail_waits", purpose=errand.purpose, user_id=str(user_id))
            await connection.execute(_queries.postpone_mail, mail["id"], now + TOKENS_WINDOW)
            return False
        change, expires_at = mail["email_change_id"], now + letter.lifetime
        arguments = (fingerprint(token), user_id, letter.token, change, now, expires_at)
        await connection.execute(_queries.add_mail_token, *arguments)
        if letter.token == "reset_password" and errand.user["email_verified_at"]:  # noqa: S105 - the name of a purpose.
            # Whoever asked was not signed in and is not told whether anybody is here; the person is. Not whoever only
            # names the address: that no link went to them would tell them that somebody has it.
            await record_event(connection, user_id, "password_reset_asked", vault=self._database.vault, actor_id=None)
        return True

    async def _note(self, connection: Connection, errand: Errand, mail: Any) -> None:
        """Write what the letter tells of into the person's events, once."""
        event = errand.letter.event
        if event is None or mail["noted_at"] is not None:
            return
        await connection.execute(_queries.note_mail, mail["id"], self._now())
        detail = {"owner_id": str(mail["about_id"])} if mail["about_id"] else {}
        user_id, vault = errand.user["id"], self._database.vault
        await record_event(connection, user_id, event, vault=vault, actor_id=None, detail=detail)

    async def _drop_token(self, token: str | None) -> None:
        if token is not None:
            async with self._database.commit_connection() as connection:
                await connection.execute(_queries.drop_mail_token, fingerprint(token))

    async def _put_off(self, mail: Any, error: MailPostponed | MailRefused) -> None:
        if isinstance(error, MailRefused) or mail["attempts"] >= ATTEMPTS_MAX:
            await self._hold(mail, error.reason)
            return
        delay = min(RETRY_MAX, timedelta(seconds=RETRY_SECONDS * 2 ** (mail["attempts"] - 1)))
        _log.warning("mail_postponed", purpose=mail["purpose"], reason=error.reason, seconds=delay.total_seconds())
        async with self._database.commit_connection() as connection:
            await connection.execute(_queries.postpone_mail, mail["id"], self._now() + delay)

    async def _hold(self, mail: Any, reason: str) -> None:
        _log.error("mail_held", purpose=mail["purpose"], mail=mail["id"], reason=reason)
        async with self._database.commit_connection() as connection:
            await connection.execute(_queries.hold_mail, mail["id"], self._now(), reason)


async def list_held_mails(database: Database) -> list[HeldMail]:
    """List the mails that did not go, the newest first. Raises DatabaseUnavailable."""
    async with database.commit_connection() as connection:
        rows = await connection.fetch(_queries.list_held_mails, HELD_MAX)
    return [
        HeldMail(
            row["id"], row["purpose"], row["user_id"] and str(row["user_id"]), row["failed_at"], row["failure"] or ""
        )
        for row in rows
    ]
