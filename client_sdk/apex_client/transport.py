"""The network seam: what a sync needs of a connection, and the one implementation over HTTPS.

`Transport` is all the loop knows of a network; a test, a simulator or a Bluetooth bridge implements the same few
methods.
"""

from collections.abc import Callable
from typing import Any, Protocol


class LiveChannel(Protocol):
    """One open live connection; frames are protocol messages, whole and in order."""

    async def send(self, frame: bytes) -> None:
        """Send one frame. Raises ServerUnreachable when the connection is gone."""

    async def receive(self) -> bytes:
        """Wait for the next frame. Raises ServerUnreachable when the connection is gone."""

    async def aclose(self) -> None:
        """Close the connection."""


class Transport(Protocol):
    """A way to one server. Every method may raise ServerUnreachable, SignedOut, ServerBusy or ServerRefused.

    SignedOut means that the token is no good (any more). `bytes_up` and `bytes_down` count what went over the wire.
    """

    bytes_up: int
    bytes_down: int

    async def exchange(self, server: str, token: str, message: bytes) -> bytes:
        """Send a SyncRequest and give the SyncResponse, both as plain msgpack."""

    async def call(self, server: str, token: str | None, method: str, path: str, json: Any) -> Any:
        """Call the JSON API."""

    async def download(
        self, server: str, token: str, path: str, write: Callable[[bytes], object], json: Any = None
    ) -> None:
        """Hand a file of the JSON API to `write`, piece by piece; with `json`, what is made on that request."""

    async def put(self, server: str, token: str, place: str, content: bytes) -> None:
        """PUT bytes to a path of the server, or to a whole address, which the token is no business of."""

    async def connect(self, server: str, token: str) -> LiveChannel | None:
        """Open the live channel; None where this transport has none."""

    async def aclose(self) -> None:
        """Let go of connections."""
