"""Mails by SMTP, encrypted on the way.

`smtps://` speaks TLS from the first byte (port 465). `smtp://` begins in the clear and goes on under STARTTLS (port
587); a server that does not offer it gets nothing, because what makes it look so is usually somebody in between. Only a
relay on this machine is spoken to in the clear, and one that the setting says so of: `smtp://relay.internal:25?tls=off`.
"""

import ssl
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from urllib.parse import parse_qs, unquote, urlsplit
from uuid import UUID

import aiosmtplib

from apex_server.mail.mailer import MailPostponed, MailRefused
from apex_server.mail.message import Mail, compose

__all__ = ["SmtpAddress", "SmtpMailer", "smtp_address"]

TIMEOUT_SECONDS = 20.0
"""For each step; a mail that waits longer is tried again."""

PERMANENT_FROM = 500
"""RFC 5321, 4.2.1: 5yz is a permanent refusal, 4yz one for now."""

Security = Literal["tls", "starttls", "off"]
PORTS: dict[Security, int] = {"tls": 465, "starttls": 587, "off": 25}
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, repr=False)
class SmtpAddress:
    """Where the post is, and how to speak to it."""

    host: str
    port: int
    security: Security
    username: str | None
    password: str | None


def smtp_address(url: str) -> SmtpAddress:
    """Read APEX_SMTP_URL.

    >>> address = smtp_address("smtp://apex:p%40ss@mail.example")
    >>> address.host, address.port, address.security, address.password
    ('mail.example', 587, 'starttls', 'p@ss')

    Raises ValueError, which does not quote the URL: there is a password in it.
    """
    parts = urlsplit(url)
    tls = parse_qs(parts.query).get("tls", ["on"])[-1]
    if parts.scheme not in {"smtp", "smtps"} or not parts.hostname or tls not in {"on", "off"}:
        raise ValueError("expected smtps://user:password@host:port, or smtp:// for STARTTLS")
    security: Security = "tls" if parts.scheme == "smtps" else "off" if tls == "off" else "starttls"
    if security == "starttls" and parts.hostname in LOOPBACK and "tls=" not in parts.query:
        security = "off"
    if parts.scheme == "smtps" and tls == "off":
        raise ValueError("smtps:// is TLS; smtp:// can be had without, by ?tls=off")
    return SmtpAddress(
        host=parts.hostname,
        port=parts.port or PORTS[security],
        security=security,
        username=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
    )


class SmtpMailer:
    """Hands each mail to an SMTP server over a connection of its own; mails here are rare."""

    def __init__(
        self,
        address: SmtpAddress,
        *,
        sender: str,
        now: Callable[[], datetime],
        tls_context: ssl.SSLContext | None = None,
    ) -> None:
        self._address = address
        self._sender = sender
        self._now = now
        self._tls_context = tls_context

    async def forget(self, addresses: Collection[str], *, naming: UUID) -> None:
        """Do nothing: what was handed over is not here."""

    async def send(self, mail: Mail) -> None:
        """Hand a mail over. Raises MailRefused or MailPostponed."""
        try:
            message = compose(mail, sender=self._sender, now=self._now())
        except ValueError as error:
            raise MailRefused("the address cannot stand in a mail") from error
        client = self._client()
        try:
            # Whatever goes wrong before our mail is spoken of is about the post or our settings: that can be mended.
            await client.connect()
            await client.send_message(message)
        except aiosmtplib.SMTPRecipientsRefused as error:
            raise _refusal(error.recipients[0].code, "the recipient was refused") from error
        except aiosmtplib.SMTPDataError as error:
            raise _refusal(error.code, "the mail was refused") from error
        except aiosmtplib.SMTPResponseException as error:
            raise MailPostponed(f"{_KINDS.get(type(error), 'the post refused')} ({error.code})") from error
        except (aiosmtplib.SMTPException, ValueError, OSError) as error:
            # Their words may quote what the other side said, so only the kind is kept.
            raise MailPostponed(f"the post cannot be reached: {type(error).__name__}") from error
        finally:
            client.close()

    def _client(self) -> aiosmtplib.SMTP:
        address = self._address
        return aiosmtplib.SMTP(
            hostname=address.host,
            port=address.port,
            use_tls=address.security == "tls",
            start_tls=address.security == "starttls",
            username=address.username,
            password=address.password,
            tls_context=self._tls_context if address.security != "off" else None,
            timeout=TIMEOUT_SECONDS,
        )


def _refusal(code: int, what: str) -> MailRefused | MailPostponed:
    kind = MailRefused if code >= PERMANENT_FROM else MailPostponed
    return kind(f"{what} ({code})")


_KINDS: dict[type[aiosmtplib.SMTPResponseException], str] = {
    aiosmtplib.SMTPAuthenticationError: "the post does not take our user name and password",
    aiosmtplib.SMTPSenderRefused: "the post does not take mails from APEX_MAIL_FROM",
}
