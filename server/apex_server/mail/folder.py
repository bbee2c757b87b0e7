"""The post of a machine that has none: every mail is a file that any mail program opens.

What development uses by default, and tests. It ships with the code, so what they read is what SMTP would have carried.
"""

import os
import secrets
import tempfile
from collections.abc import Callable, Collection
from contextlib import suppress
from datetime import datetime
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from uuid import UUID

import anyio.to_thread
import structlog

from apex_server.mail.mailer import MailPostponed, MailRefused
from apex_server.mail.message import Mail, compose

__all__ = ["FILES_MAX", "FolderMailer"]

NAMES = "X-Apex-Names"
"""A header of the file alone, which no post carries: the ids of whom a mail tells of."""
FILES_MAX = 500
"""The oldest go: it is a window for a developer, not an archive of links that open accounts."""

_log = structlog.get_logger(__name__)


class FolderMailer:
    """Writes mails into a folder that only this account reads."""

    def __init__(self, folder: Path, *, sender: str, now: Callable[[], datetime]) -> None:
        self.folder = folder
        self._sender = sender
        self._now = now

    async def send(self, mail: Mail) -> None:
        """Write a file, whole or not at all. Raises MailRefused for an address that is none, MailPostponed."""
        try:
            message = compose(mail, sender=self._sender, now=self._now())
            if mail.names:
                message[NAMES] = " ".join(map(str, mail.names))
            written = message.as_bytes()
        except ValueError as error:
            raise MailRefused("the address cannot stand in a mail") from error
        try:
            path = await anyio.to_thread.run_sync(self._write, written)
        except OSError as error:
            raise MailPostponed(f"the folder cannot be written: {error.strerror}") from error
        _log.info("mail_written", file=str(path))

    async def forget(self, addresses: Collection[str], *, naming: UUID) -> None:
        """Delete the mails to these addresses, and those to others that tell of `naming`."""
        await anyio.to_thread.run_sync(self._forget, {address.casefold() for address in addresses}, str(naming))

    def _forget(self, addresses: Collection[str], naming: str) -> None:
        for path in self.folder.glob("*.eml"):
            with suppress(FileNotFoundError):
                message = message_from_bytes(path.read_bytes(), policy=default)
                recipients = message["To"].addresses if message["To"] else ()
                if naming in message.get(NAMES, "").split() or any(
                    each.addr_spec.casefold() in addresses for each in recipients
                ):
                    path.unlink()

    def _write(self, written: bytes) -> Path:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self.folder / f"{self._now():%Y%m%dT%H%M%S.%f}-{secrets.token_hex(3)}.eml"
        descriptor, name = tempfile.mkstemp(prefix=".mail.", dir=self.folder)  # mkstemp makes it 0600.
        with os.fdopen(descriptor, "wb") as file:
            file.write(written)
        Path(name).rename(path)
        for old in sorted(self.folder.glob("*.eml"))[:-FILES_MAX]:
            old.unlink(missing_ok=True)
        return path
