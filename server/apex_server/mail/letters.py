"""What our mails say: one letter for each purpose, in plain words, each the same in text and as a page.

A letter says what happened, what to do, how long there is time, and what to do if it was not you. It holds no name of
anybody else (a coach who invites is named by their confirmed address, which nobody chooses freely; who wrote a message
by letters and spaces alone, to somebody who works with them), no link but ours, and nothing that is loaded from
elsewhere. Where several accounts may name one address, it says which it is about by the day and the kind of device:
nothing that whoever made the account could choose.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Final, Literal
from uuid import UUID

from jinja2 import Environment, PackageLoader, StrictUndefined
from msgspec import Struct
from msgspec.structs import replace

from apex_server.audit import Action
from apex_server.mail.message import Mail

__all__ = [
    "LETTERS",
    "STOP_AT_ONCE",
    "STOP_PAGE",
    "DroppedFactor",
    "Letter",
    "MailPurpose",
    "TokenPurpose",
    "made_on",
    "write_letter",
]

MailPurpose = Literal[
    "account_deletion_asked",
    "address_has_account",
    "confirm_email",
    "email_changed",
    "email_restored",
    "invite",
    "invite_lapsed",
    "password_changed",
    "password_was_reset",
    "reader_began",
    "reset_password",
    "sign_in_protection_changed",
    "unanswered_account_ends",
    "unread_messages",
    "verify_email",
]
"""Why a mail is sent. Others add theirs here, with a letter below."""

DroppedFactor = Literal["passkeys", "totp", "phone"]
"""A kind of way to sign in that was taken away."""

TokenPurpose = Literal["verify_email", "reset_password", "confirm_email", "undo_email", "stop_messages"]

STOP_PAGE = "/stop-messages"
STOP_AT_ONCE = "/api/consents/messages/stop/"
"""Where the token of a letter that can be ended goes: a page for people, an address for their mail programs."""


class Letter(Struct, frozen=True, kw_only=True):
    """One purpose: the words, and the link if there is one."""

    subject: str
    opening: str
    which: str | None = None
    """Goes on after the opening where the account has not answered for its address. A letter without it goes to no such
    address: it would tell somebody who may have nothing to do with it what happened, as often as it happened."""
    button: str | None = None
    path: str | None = None
    """Of our own page; the token goes into the fragment, which no server and no log sees. The code of an invite, which
    its coach has, too, stands in the path, as in every link to it."""
    to_pages: bool = False
    """The path is one of the coach's pages."""
    token: TokenPurpose | None = None
    stop: str | None = None
    """What the link says that ends such letters: it holds the token, and the button does not."""
    lifetime: timedelta | None = None
    """How long the token is good."""
    time_left: str | None = None
    closing: str
    goes_to: Literal["address", "old_address", "new_address", "invited"] = "address"
    event: Action | None = None
    """What the worker writes into the person's events, where whoever made the news could not."""


def _was_it_you(*, subject: str, opening: str, closing: str) -> Letter:
    """Tell of what somebody else may have done: a new password ends everything that they have."""
    return Letter(subject=subject, opening=opening, button="It was not me", path="/forgot-password", closing=closing)


LETTERS: Final[Mapping[MailPurpose, Letter]] = {
    "unread_messages": Letter(
        subject="Messages wait for you",
        opening="Unread for some hours: {who}.",
        button="Open Apex",
        path="/athletes",
        to_pages=True,
        token="stop_messages",  # noqa: S106
        stop="Stop these mails",
        lifetime=timedelta(days=90),
        closing="You allowed Apex to tell you this, once a day at most. It says who wrote, never what.",
    ),
    "verify_email": Letter(
        subject="Confirm your e-mail address",
        opening="Welcome to Apex. One tap confirms that this address is yours.",
        which="The account that was made {made} has it then, and you sign in to it on your other devices, too. "
        "The first one logs and syncs meanwhile.",
        button="Confirm this address",
        path="/verify-email",
        token="verify_email",  # noqa: S106 - the name of a purpose.
        lifetime=timedelta(days=3),
        time_left="The link is good for three days and works once.",
        closing="You did not make an account then and there? Leave this mail alone: without the link nothing happens.",
    ),
    "reset_password": Letter(
        subject="Choose a new password",
        opening="Somebody, we hope you, wants a new password for your Apex account.",
        which="It is the account that was made {made}; choosing a password confirms that this address is its own.",
        button="Choose a new password",
        path="/reset-password",
        token="reset_password",  # noqa: S106
        lifetime=timedelta(hours=1),
        time_left="The link is good for an hour and works once. All your devices will ask for the new password.",
        closing="It was not you? Then leave this mail alone: your password stays as it is.",
    ),
    "address_has_account": Letter(
        subject="You already have an Apex account",
        opening="Somebody registered with your address, and you have an account here.",
        which="The new one was made {made}, and cannot be confirmed: an address is for one account. Was that you? "
        "Then sign in on that same device, without signing out first, with this address and the password of the "
        "account you have: the app takes along what you logged there. (A browser does not: take a copy first, on its "
        "security page.) Forgot the password? Choose a new one first.",
        button="Choose a new password",
        path="/reset-password",
        token="reset_password",  # noqa: S106
        lifetime=timedelta(hours=1),
        time_left="The link is good for an hour and works once; the sign-in page sends you another.",
        closing="It was not you? Then there is nothing to do: nobody got into your account, and the new one is not "
        "connected with it.",
    ),
    "confirm_email": Letter(
        subject="Confirm your new e-mail address",
        opening="You want to use this address for your Apex account from now on.",
        which="It is the account that was made {made}.",
        button="Use this address",
        path="/verify-email",
        token="confirm_email",  # noqa: S106
        lifetime=timedelta(days=1),
        time_left="The link is good for a day and works once.",
        closing="You know nothing of this? Then leave this mail alone: without the link nothing happens.",
        goes_to="new_address",
    ),
    "email_changed": Letter(
        subject="Your e-mail address was changed",
        opening="Your Apex account has another e-mail address now. This one no longer opens it.",
        button="That was not me: put it back",
        path="/undo-email-change",
        token="undo_email",  # noqa: S106
        lifetime=timedelta(days=7),
        time_left="You can put it back for seven days. Every device is then signed out, and you choose a new password.",
        closing="It was you? Then there is nothing to do.",
        goes_to="old_address",
    ),
    "email_restored": Letter(
        subject="Your e-mail address is back: choose a new password",
        opening="This address opens your Apex account again, and every device was signed out. "
        "Whoever changed it may know your password, so choose a new one now.",
        button="Choose a new password",
        path="/reset-password",
        token="reset_password",  # noqa: S106
        lifetime=timedelta(hours=1),
        time_left="The link is good for an hour and works once.",
        closing="Too late for the link? Ask for another one on the sign-in page.",
    ),
    "invite": Letter(
        subject="A coach invites you",
        opening="{coach} would like to coach you with Apex: they plan your training, and see what you log.",
        button="See the invite",
        path="/join/{code}",
        time_left="It is good until {until}, for this address. To type into an app: {code}",
        closing="You do not know who that is? Then leave this mail alone: nothing happens.",
        goes_to="invited",
    ),
    "invite_lapsed": Letter(
        subject="Your coach's invite no longer stands",
        opening="When you confirmed your address, the invite that you had registered with had been taken back, had run "
        "out or was for another address. So no coach sees your training; what you log stays, and is yours.",
        closing="Use the latest invite that you have from your coach, or ask them for a new one.",
    ),
    "account_deletion_asked": _was_it_you(
        subject="Your account will be erased in 30 days",
        opening="Somebody, we hope you, has asked on one of your devices to have your Apex account and everything in "
        "it erased in 30 days. Until then everything works, and you can keep the account after all: on "
        "the page Security, or by the command 'apex privacy keep-account'.",
        closing="It was you? Then there is nothing to do. If not, choose a new password, sign in and keep the account.",
    ),
    "password_changed": _was_it_you(
        subject="Your password was changed",
        opening="The password of your Apex account was changed on one of your devices. All others were signed out.",
        closing="It was you? Then there is nothing to do. If not, choose a new password at once.",
    ),
    "password_was_reset": _was_it_you(
        subject="Your password was reset",
        opening="Your Apex account has a new password, chosen through a link that we mailed to you. "
        "Every device was signed out.",
        closing="It was you? Then sign in with the new password. If not, somebody reads your mail: "
        "secure your mailbox first, then choose a new password.",
    ),
    "reader_began": Letter(
        subject="Somebody else can read your training now",
        opening="A coach you work with belongs to an organisation. From now on its owner reads what your coach reads: "
        "your records, and your coach's notes about you. They can change none of it.",
        closing="You do not want that? Talk to your coach, or end your work with them in your app: then the owner "
        "stops reading at once.",
        event="reader_began",
    ),
    "unanswered_account_ends": Letter(
        subject="An unused account under your address ends in 30 days",
        opening="Nobody has confirmed this address for an Apex account, and nobody has used that account for a year.",
        which="It was made {made}, and is erased in 30 days with everything in it, as are others like it that were "
        "made with this address. Do you want to keep what you logged there? Then sign in on that device and keep the "
        "account, on the page Security or by the command 'apex privacy keep-account'.",
        closing="It was not you? Then there is nothing to do.",
        event="account_deletion_asked",
    ),
    "sign_in_protection_changed": Letter(
        subject="How you sign in was changed",
        opening="A second factor or a passkey of your Apex account was added, removed or renewed.",
        button="Look at my devices",
        path="/security",
        closing="It was you? Then there is nothing to do. If not, choose a new password and sign out everywhere.",
    ),
}

_DROPPED: Final[Mapping[DroppedFactor, str]] = {
    "passkeys": "passkeys",
    "totp": "the authenticator app",
    "phone": "the telephone number",
}

_environment = Environment(
    loader=PackageLoader(__package__),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


_DEVICES: Final[Mapping[str, str]] = {
    "phone": "on a phone",
    "watch": "on a watch",
    "tablet": "on a tablet",
    "web": "in a browser",
    "desktop": "on a computer",
}


def made_on(created_at: datetime, device_kind: str) -> str:
    """Say which account it is to whoever knows when and where they made it.

    >>> made_on(datetime(2026, 5, 3, 6, 10, tzinfo=UTC), "phone")
    'on 3 May 2026 at 06:10 UTC on a phone'
    """
    at = created_at.astimezone(UTC)
    return f"on {at.day} {at:%B %Y at %H:%M} UTC {_DEVICES[device_kind]}"


def write_letter(
    purpose: MailPurpose,
    *,
    to: str,
    name: str | None,
    public_url: str,
    token: str | None = None,
    made: str | None = None,
    to_pages: bool = True,
    dropped_factors: Sequence[DroppedFactor] = (),
    facts: Mapping[str, str] = MappingProxyType({}),
    names: tuple[UUID, ...] = (),
) -> Mail:
    """Write the letter of a purpose to one person; `token` is what its link holds, if it holds one.

    `name` is None where the address may be somebody else's: a name can be an advertisement, and we would deliver it.
    `made` (`made_on`) says which account the letter is about where several may name the address.
    `to_pages` is False where the coach's pages are not for them: what waits there waits in their app.
    `dropped_factors` were taken away, and their person is told which. `facts` stand in the words and the link of the
    letters that have places for them; `names` are whom they tell of.
    """
    letter = LETTERS[purpose]
    if made is not None and letter.which is not None:
        letter = replace(letter, opening=f"{letter.opening} {letter.which.format(made=made)}")
    if facts:
        letter = _with_facts(letter, facts)
    if dropped_factors:
        gone = ", ".join(_DROPPED[each] for each in dropped_factors)
        letter = replace(
            letter,
            opening=f"{letter.opening} Removed as well, because somebody else may have set it up "
            f"before this address was confirmed: {gone}. If it was yours, set it up anew.",
        )
    if letter.to_pages and not to_pages:
        letter = replace(letter, opening=f"{letter.opening} Open the app to read.", button=None, path=None)
    link, stop, unsubscribe = _links(letter, public_url.rstrip("/"), token)
    html = _environment.get_template("letter.html").render(letter=letter, name=name, link=link, stop=stop)
    return Mail(to, letter.subject, _in_plain_text(letter, name, link, stop), html, unsubscribe, names)


def _links(letter: Letter, ours: str, token: str | None) -> tuple[str | None, str | None, str | None]:
    """Give where the button leads, where the link that ends such letters does, and what a mail program is told."""
    link = None if letter.path is None else ours + letter.path
    if token is None:
        return link, None, None
    if letter.stop is None:
        return f"{link}#{token}", None, None
    return link, f"{ours}{STOP_PAGE}#{token}", f"{ours}{STOP_AT_ONCE}{token}"


def _with_facts(letter: Letter, facts: Mapping[str, str]) -> Letter:
    opening, path, time_left = (
        text and text.format_map(facts) for text in (letter.opening, letter.path, letter.time_left)
    )
    return replace(letter, opening=opening or "", path=path, time_left=time_left)


def _in_plain_text(letter: Letter, name: str | None, link: str | None, stop: str | None) -> str:
    action = [f"{letter.button}:\n{link}"] if letter.button and link else []
    time_left = [letter.time_left] if letter.time_left else []
    ending = [f"{letter.stop}:\n{stop}"] if stop else []
    hello = f"Hello {name}," if name else "Hello,"
    parts = [hello, letter.opening, *action, *time_left, letter.closing, *ending, "Apex"]
    return "\n\n".join(parts) + "\n"
