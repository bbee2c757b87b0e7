"""Sends what waits: looks the person up, makes the token, writes the letter, hands it to the post.

Any number of workers share the queue. A mail that was taken and not finished, because the worker died, is taken again;
so one may come twice, and never not at all. What the post does not take now is tried for about a day, what it refuses
for good is held, and `apex-server failed-jobs` lists it.

Several accounts may name one address. What was asked for by address goes to the account that has it, else to the latest
few that name it; a new account under an address that has one gets no link: its owner is told instead.

How many letters an address gets is bounded here, where whoever asked does not see it: each lane by itself, so that what
others cause keeps nobody from the letter that they ask for themselves. Of links to an address that may be somebody
else's, what is too much waits for room, the newest in front: anybody makes accounts under it, and its owner, who is one
of them, asks again. What somebody signed in asks for has room of its own, which no number of registrations takes. Each
coach has a share of their own of the invites to a mailbox, which ends where they ask. All of them together are bounded
only against a flood; what waits for that goes in turn, and its coach sees no more of it than of a post that is busy.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, get_args
from uuid import UUID

import structlog
from msgspec import Struct

from apex_server.audit import record_event
from apex_server.db import Connection, Database, load_queries
from apex_server.mail.asking import ACCOUNTS_ANSWERED, INVITE_CODE, INVITE_EMAIL
from apex_server.mail.letters import LETTERS, Letter, MailPurpose, made_on, write_letter
from apex_server.mail.mailboxes import mailbox_key
from apex_server.mail.mailer import Mailer, MailPostponed, MailRefused
from apex_server.mail.waiting_messages import NAMED_MAX, waiting_messages, words_of
from apex_server.opaque_tokens import fingerprint, new_token
from apex_server.people import USER_EMAIL, USER_NAME
from apex_server.policy import has_pages
from apex_server.vault import UserKey

__all__ = ["ATTEMPTS_MAX", "NEW_EMAIL", "OLD_EMAIL", "HeldMail", "MailSender", "list_held_mails"]

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
LINKS_MAX = 5
LINKS_WINDOW = timedelta(hours=1)
"""More than five of the same link in an hour help nobody."""
CROWD_MAX = 20
"""Waiting for room at one address, in one lane. Behind so many newer ones it would take hours: it is dropped."""
HELD_MAX = 100
HELD_DAYS = 14
TOKEN_MEMORY = timedelta(days=1)
LETTER_MEMORY = timedelta(days=2)
"""Longer than the window of any lane."""

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
    invite: Any = None
    """For whom the user has an invite, if the letter brings one."""
    facts: Mapping[str, str] = {}
    """For the words of the letter, as far as they are known without the user's key."""
    names: tuple[UUID, ...] = ()
    """Whom the letter tells of beside its reader."""

    @property
    def letter(self) -> Letter:
        return LETTERS[self.purpose]


class Lane(Struct, frozen=True):
    """Letters to one address, as far as they are bounded together."""

    name: str
    letters_max: int
    window: timedelta
    waits: bool
    """What finds no room; else it does not go at all."""
    crowds: bool = False
    """Anybody makes more of them wait, without end: so the newest wait in front, and what is behind too many goes."""


ASKED = Lane("asked", 10, timedelta(hours=1), waits=True, crowds=True)
"""What comes of registering, of forgotten passwords and of changes of address."""
PRESSED = Lane("pressed", 10, timedelta(hours=1), waits=True, crowds=True)
"""What somebody signed in asks for, for the address that their account names."""
INVITED = Lane("invited", 50, timedelta(days=1), waits=True)
"""A flood of invites, of more coaches than anybody talks to. Each has their own share of four in a month, which ends
where they ask: to fill this for as long takes hundreds of them with confirmed addresses."""
ENDING = Lane("ending", 1, timedelta(days=1), waits=False)
"""That accounts end which nobody ever confirmed: one letter tells of all of them."""


class Addressee(Struct, frozen=True):
    """Where a letter goes, and whether that address is known to be the person's."""

    address: str
    counted_by: bytes
    """The index that letters are counted by: of the mailbox, or of an address that is known to be the person's."""
    name: str | None
    facts: Mapping[str, str] = {}
    """For the words of the letter."""


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
            if user is None:
                return
            key = await self._database.vault.user_key(connection, user_id)
            former = await connection.fetch(_queries.list_former_addresses, user_id)
        addresses: set[str] = set()
        if user["email_verified_at"]:  # Else the address may be somebody else's, and so the mails to it.
            addresses = {key.open_text(user["email"], what=USER_EMAIL)}
            addresses |= {key.open_text(row["old_email"], what=OLD_EMAIL) for row in former}
            addresses |= {key.open_text(row["new_email"], what=NEW_EMAIL) for row in former}
        await self._mailer.forget(addresses, naming=user_id)

    async def forget_old(self) -> None:
        """Forget held mails and tokens that are long over."""
        async with self._database.commit_connection() as connection:
            await connection.execute(_queries.forget_held_mails, self._now() - timedelta(days=HELD_DAYS))
            await connection.execute(_queries.forget_mail_tokens, self._now() - TOKEN_MEMORY)
            await connection.execute(_queries.forget_letters, self._now() - LETTER_MEMORY)

    async def _send(self, mail: Any) -> None:
        if mail["purpose"] not in get_args(MailPurpose):
            await self._hold(mail, "this version knows no such letter")
            return
        async with self._database.commit_connection() as connection, connection.transaction():
            errand = await self._errand(connection, mail)
            if errand is not None:
                await self._note(connection, errand, mail)
            addressee = await self._addressee(connection, errand, mail) if errand else None
            if errand is None or addressee is None:
                await connection.execute(_queries.finish_mail, mail["id"])
                return
            if not await self._may_go(connection, errand, mail, addressee):
                return
            token = new_token() if errand.letter.token else None
            await self._keep_token(connection, errand, mail, token)
        written = write_letter(
            errand.purpose,
            to=addressee.address,
            name=addressee.name,
            public_url=self._public_url,
            token=token,
            made=errand.made,
            to_pages=has_pages(errand.user["role"]),
            dropped_factors=mail["dropped_factors"],
            facts=addressee.facts,
            names=errand.names,
        )
        try:
            await self._mailer.send(written)
        except (MailPostponed, MailRefused) as error:
            await self._drop_token(token)
            await self._put_off(mail, error)
            return
        async with self._database.commit_connection() as connection:
            await connection.execute(_queries.finish_mail, mail["id"])
            await _tell_coach(connection, mail, "sent", self._now())
        _log.info("mail_sent", purpose=errand.purpose, user_id=str(errand.user["id"]))

    async def _errand(self, connection: Connection, mail: Any) -> Errand | None:
        user = await connection.fetchrow(_queries.get_addressee, mail["user_id"])
        if user is None:
            return None
        made = None if user["email_verified_at"] else made_on(user["created_at"], user["device_kind"] or "web")
        if mail["purpose"] == "invite":
            invite = await connection.fetchrow(_queries.get_mailed_invite, mail["invite_id"], self._now())
            return Errand("invite", user, None, invite, names=(user["id"],)) if invite and made is None else None
        if mail["purpose"] == "unread_messages":
            waiting = await waiting_messages(connection, self._database.vault, user["id"], now=self._now())
            if not waiting:
                return None
            names = tuple(each.sender_id for each in waiting[:NAMED_MAX])
            return Errand("unread_messages", user, made, facts={"who": words_of(waiting)}, names=names)
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
        if errand.made is not None and letter.which is None:
            return None  # The account may be somebody else's than the address.
        key = (await self._database.vault.user_keys(connection, [user["id"]])).get(user["id"])
        if key is None:
            return None  # Erased: nobody writes to them any more.
        name = key.open_text(user["name"], what=USER_NAME)
        if letter.goes_to == "address":
            address = key.open_text(user["email"], what=USER_EMAIL)
            if user["email_verified_at"]:
                return Addressee(address, user["email_index"], name, errand.facts)
            return Addressee(address, self._mailbox(address), None, errand.facts)
        if letter.goes_to == "invited":
            address = key.open_text(errand.invite["email"], what=INVITE_EMAIL)
            return Addressee(address, self._mailbox(address), None, _facts_of_invite(key, errand, mail))
        change = await connection.fetchrow(_queries.get_email_change, mail["email_change_id"])
        if change is None:
            return None
        if letter.goes_to == "old_address":
            return Addressee(key.open_text(change["old_email"], what=OLD_EMAIL), change["old_index"], name)
        address = key.open_text(change["new_email"], what=NEW_EMAIL)
        return Addressee(address, self._mailbox(address), None)

    def _mailbox(self, address: str) -> bytes:
        return self._database.vault.email_index(mailbox_key(address))

    async def _may_go(self, connection: Connection, errand: Errand, mail: Any, addressee: Addressee) -> bool:
        """Count a letter that goes; one that does not is finished or waits."""
        lane, index, now = _lane(errand, pressed=mail["pressed"]), addressee.counted_by, self._now()
        if lane is None:
            return True
        asked_of = (index, lane.name, now - lane.window, mail["id"], lane.letters_max - 1)
        full_since = await connection.fetchval(_queries.full_since, *asked_of)
        if full_since is None:
            await connection.execute(_queries.note_letter, mail["id"], index, lane.name, now)
            return True
        outcome = "mail_waits" if lane.waits else "mail_not_sent_again"
        _log.warning(outcome, purpose=errand.purpose, user_id=str(errand.user["id"]))
        if lane.waits:
            # The coach of an invite is told nothing: until when it waits would tell that others wrote there, and when.
            crowd = index if lane.crowds else None
            await connection.execute(_queries.wait_for_room, mail["id"], crowd, full_since + lane.window)
            if crowd is not None:
                await connection.execute(_queries.drop_crowded_out, crowd, mail["pressed"], CROWD_MAX)
        else:
            await connection.execute(_queries.finish_mail, mail["id"])
        return False

    async def _keep_token(self, connection: Connection, errand: Errand, mail: Any, token: str | None) -> None:
        """Store the token of a letter that has one."""
        letter, user_id, now = errand.letter, errand.user["id"], self._now()
        if token is None or letter.lifetime is None:
            return
        change, expires_at = mail["email_change_id"], now + letter.lifetime
        arguments = (fingerprint(token), user_id, letter.token, change, now, expires_at)
        await connection.execute(_queries.add_mail_token, *arguments)
        if letter.token == "reset_password" and errand.user["email_verified_at"]:  # noqa: S105 - the name of a purpose.
            # Whoever asked was not signed in and is not told whether anybody is here; the person is. Not whoever only
            # names the address: that no link went to them would tell them that somebody has it.
            await record_event(connection, user_id, "password_reset_asked", vault=self._database.vault, actor_id=None)

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
            await _tell_coach(connection, mail, "waiting", self._now() + delay)

    async def _hold(self, mail: Any, reason: str) -> None:
        _log.error("mail_held", purpose=mail["purpose"], mail=mail["id"], reason=reason)
        async with self._database.commit_connection() as connection:
            await connection.execute(_queries.hold_mail, mail["id"], self._now(), reason)
            await _tell_coach(connection, mail, "refused", self._now())


async def _tell_coach(connection: Connection, mail: Any, letter: str, at: datetime) -> None:
    """Write beside an invite what became of its letter; other letters have nobody who waits for word of them."""
    if mail["invite_id"] is not None:
        await connection.execute(_queries.note_invite_letter, mail["invite_id"], letter, at)


def _lane(errand: Errand, *, pressed: bool) -> Lane | None:
    """Give the bound that a letter counts under, if it has a link or goes where somebody else may read it."""
    if errand.letter.goes_to == "new_address":
        return ASKED
    if errand.letter.goes_to == "invited":
        return INVITED
    if errand.made is None:
        return Lane(errand.purpose, LINKS_MAX, LINKS_WINDOW, waits=False) if errand.letter.token else None
    if errand.letter.token is None:
        return ENDING
    return PRESSED if pressed else ASKED


def _facts_of_invite(key: UserKey, errand: Errand, mail: Any) -> Mapping[str, str]:
    until: datetime = errand.invite["expires_at"].astimezone(UTC)
    return {
        "coach": key.open_text(errand.user["email"], what=USER_EMAIL),
        "code": key.open_text(mail["invite_code"], what=INVITE_CODE),
        "until": f"{until.day} {until:%B %Y}",
    }


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
