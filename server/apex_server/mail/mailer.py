"""The seam to the post: something takes a mail, or says why not and whether trying again makes sense."""

from collections.abc import Collection
from typing import Protocol
from uuid import UUID

from apex_server.mail.message import Mail

__all__ = ["MailError", "MailPostponed", "MailRefused", "Mailer"]


class MailError(Exception):
    """A mail did not go. The reason names no address and quotes nothing of the mail."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class MailPostponed(MailError):
    """It may go later: the post is away, busy, or greylists."""


class MailRefused(MailError):
    """It will never go: there is no such mailbox, or the post does not take it from us."""


class Mailer(Protocol):
    """Hands mails to the post."""

    async def send(self, mail: Mail) -> None:
        """Hand one mail over; when this returns, the post has it.

        Raises MailPostponed or MailRefused.
        """
        ...

    async def forget(self, addresses: Collection[str], *, naming: UUID) -> None:
        """Forget mails to these addresses, and those to others that tell of `naming`, where this post keeps any."""
        ...
