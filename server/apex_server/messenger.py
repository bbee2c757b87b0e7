"""Text messages to telephones: one small interface, a folder that stands for it in development, and HTTP.

A message is one number and one text. What carries it is the operator's choice: every gateway has an HTTP API, and a
few lines of proxy turn ours into theirs. A message is either taken or MessageNotTaken is raised; nobody is told twice.
"""

import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import anyio
import anyio.to_thread
import httpx
import msgspec

from apex_server.settings import Settings

__all__ = ["FolderMessenger", "HttpMessenger", "MessageNotTaken", "Messenger", "SentText", "messenger_of"]

_SECONDS_MAX = 10.0
"""Somebody waits for the answer, and a gateway that takes longer is down."""


class MessageNotTaken(Exception):
    """The gateway did not answer, or did not say yes; `reason` bears neither number nor text."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class SentText(msgspec.Struct, frozen=True):
    """A message, as a gateway gets it and as the folder keeps it."""

    to: str
    """E.164."""
    text: str

    def __repr__(self) -> str:
        return "SentText(...)"


class Messenger(Protocol):
    """What carries text messages."""

    async def send(self, message: SentText) -> None:
        """Hand a message over. Raises MessageNotTaken."""


class FolderMessenger:
    """Writes each message to a file in a folder, for development and tests; nothing leaves the machine."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def send(self, message: SentText) -> None:
        """Write the message, whole or not at all, to a file whose name sorts by time."""
        await anyio.to_thread.run_sync(self._write, msgspec.json.encode(message))

    def _write(self, content: bytes) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._folder / f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}-{secrets.token_hex(4)}.json"
        written = path.with_suffix(".part")
        written.touch(mode=0o600)
        written.write_bytes(content)
        written.rename(path)


class HttpMessenger:
    """Posts each message as JSON, `{"to": …, "text": …}`, to the operator's gateway; any 2xx means taken."""

    def __init__(self, url: str, token: str | None, *, seconds_max: float = _SECONDS_MAX) -> None:
        self._url = url
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._seconds_max = seconds_max

    async def send(self, message: SentText) -> None:
        """Post the message once: a second try might send it twice. Raises MessageNotTaken."""
        headers = {**self._headers, "Content-Type": "application/json"}
        try:
            async with httpx.AsyncClient(timeout=self._seconds_max, follow_redirects=False) as client:
                answer = await client.post(self._url, content=msgspec.json.encode(message), headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise MessageNotTaken(type(error).__name__) from error
        if not answer.is_success:
            raise MessageNotTaken(f"status {answer.status_code}")


def messenger_of(settings: Settings) -> Messenger:
    """Give the operator's gateway; without one the folder `texts` in the data directory stands for it."""
    if settings.sms_url is None:
        return FolderMessenger(settings.data_dir / "texts")
    return HttpMessenger(settings.sms_url, settings.sms_token)
