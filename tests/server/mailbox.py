"""The worker's post in tests: what waits is really sent, into a folder, and read there.

Whoever signs in on a second device has confirmed their address before: `confirmed` registers and follows the link.
"""

import re
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

import httpx
from msgspec import Struct

from apex_server.db import Database
from apex_server.mail import FolderMailer, MailSender
from tests.server.accounts_app import Clock, register

PUBLIC_URL = "https://coach.example"


class Received(Struct):
    """A mail as its reader has it."""

    to: str
    subject: str
    text: str
    html: str

    @property
    def link(self) -> str:
        found = re.search(r"https://coach\.example(/\S+)", self.text)
        assert found, self.text
        return found[1]

    @property
    def token(self) -> str:
        return self.link.partition("#")[2]


class Mailbox:
    """Everybody's mail: sends what is due, and gives what has come since the last look."""

    def __init__(self, database: Database, folder: Path, clock: Clock) -> None:
        self._folder = folder
        self.sender = MailSender(
            database,
            FolderMailer(folder, sender="Apex <no-reply@coach.example>", now=clock),
            public_url=PUBLIC_URL,
            now=clock,
        )
        self._read: set[Path] = set()

    async def look(self) -> list[Received]:
        while await self.sender.send_due():
            pass
        new = sorted(path for path in self._folder.glob("*.eml") if path not in self._read)
        self._read.update(new)
        return [read(path) for path in sorted(new, key=lambda path: path.stat().st_mtime_ns)]

    async def one(self) -> Received:
        (mail,) = await self.look()
        return mail

    async def confirm(self, client: httpx.AsyncClient, email: str) -> None:
        """Follow the newest link that confirms this address."""
        links = [mail for mail in await self.look() if mail.to == email and mail.link.startswith("/verify-email#")]
        answer = await client.post("/api/auth/verify-email", json={"token": links[-1].token})
        assert answer.status_code == 204, answer.text


async def confirmed(client: httpx.AsyncClient, mailbox: Mailbox, email: str, **more: Any) -> dict[str, Any]:
    """Make an account and confirm its address."""
    session = await register(client, email, **more)
    await mailbox.confirm(client, email.strip())
    return session


def read(path: Path) -> Received:
    message = message_from_bytes(path.read_bytes(), policy=default)
    assert isinstance(message, EmailMessage)
    text, html = message.get_body(("plain",)), message.get_body(("html",))
    assert text is not None
    assert html is not None
    return Received(message["To"], message["Subject"], text.get_content(), html.get_content())
