"""Confirming an address as its owner does: the waiting mail is sent, read, and its link followed.

Whoever registers on one device and signs in on another does this in between. A server without a worker sends no mail,
so the worker's part is played here; where one runs, whichever is first sends it.
"""

import re
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default

import anyio
import httpx
from structlog.testing import capture_logs

from apex_server.db import Database
from apex_server.mail import MailSender, mailer_of
from apex_server.serving import address_of
from apex_server.settings import Settings

__all__ = ["confirm_address", "confirm_address_blocking", "confirmation_token"]

SECONDS_MAX = 20.0
LINK = re.compile(r"/verify-email#(\S+)")


async def confirm_address(settings: Settings, email: str) -> None:
    """Follow the newest link that a running server has mailed to this address."""
    token = await confirmation_token(settings, email)
    async with httpx.AsyncClient(base_url=address_of(settings), verify=False) as client:  # noqa: S501 - its own machine.
        (await client.post("/api/auth/verify-email", json={"token": token})).raise_for_status()


def confirm_address_blocking(settings: Settings, email: str) -> None:
    """Do the same in a test that blocks, even one whose thread has an event loop of its own, as a browser's has."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(anyio.run, confirm_address, settings, email).result()


async def confirmation_token(settings: Settings, email: str) -> str:
    """Send what waits, and give what the newest link to this address holds."""
    give_up_at = time.monotonic() + SECONDS_MAX
    while True:
        await _send_waiting(settings)
        mails = [path.read_bytes() for path in sorted((settings.data_dir / "mails").glob("*.eml"))]
        tokens = [token for mail in mails if (token := _token_for(email, mail))]
        if tokens:
            return tokens[-1]
        assert time.monotonic() < give_up_at, f"no mail to {email} in {settings.data_dir}"
        await anyio.sleep(0.2)


async def _send_waiting(settings: Settings) -> None:
    def now() -> datetime:
        return datetime.now(UTC)

    with capture_logs():  # They are the worker's, and belong into no report of a benchmark.
        mailer = mailer_of(settings, now=now)
        async with Database.open(settings) as database:
            sender = MailSender(database, mailer, public_url=settings.page_url, now=now)
            while await sender.send_due():
                pass


def _token_for(email: str, mail: bytes) -> str | None:
    message = message_from_bytes(mail, policy=default)
    assert isinstance(message, EmailMessage)
    text = message.get_body(("plain",))
    found = LINK.search(text.get_content()) if text and message["To"] == email else None
    return found[1] if found else None
