"""A mail as we think of it, and as RFC 5322 writes it."""

import re
from datetime import datetime
from email.headerregistry import Address, BaseHeader, HeaderRegistry, UnstructuredHeader
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8, Policy
from email.utils import format_datetime, make_msgid, parseaddr
from uuid import UUID

from msgspec import Struct

__all__ = ["Mail", "ascii_domain", "compose"]

_ADDRESS = re.compile(r"""[^\s\x00-\x1f\x7f@,;:<>()\[\]\\"]{1,64}@[a-zA-Z0-9.-]{1,255}""")
"""One mailbox, unquoted: what needs quotes in front of the @ is somebody trying what we do with it."""


class PageAddress(UnstructuredHeader, BaseHeader):
    """A header of one line, however long: where Python folds an address it encodes it, and no mail program finds it."""

    def fold(self, *, policy: Policy) -> str:
        return f"{self.name}: {self}{policy.linesep}"


_HEADERS = HeaderRegistry()
_HEADERS.map_to_type("list-unsubscribe", PageAddress)


class Mail(Struct, frozen=True):
    """What somebody is to read, in plain text and as a page."""

    to: str
    """One address, as its owner typed it."""
    subject: str
    text: str
    html: str
    unsubscribe: str | None = None
    """Where one POST ends mails like this one, for the button that mail programs show (RFC 8058)."""
    names: tuple[UUID, ...] = ()
    """Whom it tells of beside its reader: a post that keeps mails forgets it with any of them."""

    def __repr__(self) -> str:
        # Addresses and the secrets in links belong into no log.
        return "<Mail>"

    __str__ = __repr__


def compose(mail: Mail, *, sender: str, now: datetime) -> EmailMessage:
    """Write a mail with all its headers.

    `sender` is an address, or a name with one in angle brackets. Raises ValueError for an address that cannot stand in
    a header, so nobody smuggles one in.
    """
    to = ascii_domain(mail.to)
    message = EmailMessage(policy=(SMTP if to.isascii() else SMTPUTF8).clone(header_factory=_HEADERS))
    name, address = parseaddr(sender)
    message["From"] = _mailbox(ascii_domain(address), name)
    message["To"] = _mailbox(to)
    message["Subject"] = mail.subject
    message["Date"] = format_datetime(now)
    message["Message-ID"] = make_msgid(domain=ascii_domain(address).rpartition("@")[2])
    # No answer of a machine is wanted (RFC 3834), and none will be read.
    message["Auto-Submitted"] = "auto-generated"
    if mail.unsubscribe is not None:
        message["List-Unsubscribe"] = f"<{mail.unsubscribe}>"
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    message.set_content(mail.text)
    message.add_alternative(mail.html, subtype="html")
    return message


def _mailbox(address: str, name: str = "") -> Address:
    if not _ADDRESS.fullmatch(address):
        raise ValueError("no address")
    local, _, domain = address.rpartition("@")
    return Address(name, local, domain)


def ascii_domain(address: str) -> str:
    """Give an address with its domain in the form that every mail server takes.

    >>> ascii_domain("anna@bücher.example")
    'anna@xn--bcher-kva.example'

    Raises ValueError for a domain that is none.
    """
    local, _, domain = address.rpartition("@")
    if not domain.isascii():
        domain = domain.encode("idna").decode()
    return f"{local}@{domain}"
