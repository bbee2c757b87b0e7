# Made from ../http_transport.py by client_sdk/generate_blocking.py; edit that file instead.
"""The transport over HTTPS and WebSocket. httpx, zstandard and websockets are imported with the first connection.

What a server sends is bounded before it is unpacked and while it is. A connection is as `Trust` demands, or not made.
"""

from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec

from apex_client.blocking.transport import LiveChannel
from apex_client.compression import compress, decompress
from apex_client.errors import (
    AccountErased,
    BadAnswer,
    InsecureServer,
    MfaRequired,
    ServerBusy,
    ServerIncompatible,
    ServerRefused,
    ServerUnreachable,
    SessionEnded,
    SignedOut,
    SignInAgain,
    Throttled,
    WrongCode,
    WrongCredentials,
)
from apex_client.tls import Trust, too_old
from apex_sync.errors import FieldProblem
from apex_sync.protocol import PROTOCOL_VERSION

if TYPE_CHECKING:
    import ssl
    from pathlib import Path

    import httpx
    from websockets.sync.client import ClientConnection

MEDIA_TYPE = "application/vnd.apex.sync+msgpack"
SYNC_PATH = "/api/sync"
LIVE_PATH = "/api/sync/live"

COMPRESS_MIN_BYTES = 512
"""Below that zstd saves nothing."""

ANSWER_BYTES_MAX = 16 * 1024 * 1024
"""As sent. A server aims at 1 MiB and never sends more than one record beyond it."""

JSON_BYTES_MAX = 4 * 1024 * 1024
"""Of an answer of the JSON API, and of any refusal."""

FILE_BYTES_MAX = 16 * 1024**3
"""Of a file that is downloaded: more than any person has here, less than fills a disk unnoticed."""

CONNECT_SECONDS = 10.0
READ_SECONDS = 60.0
"""A commit of 1,000 records on a busy server takes a few seconds."""

PING_SECONDS = 20.0
"""How often a silent live channel is tried; one that does not answer as long is given up."""

CLOSE_SECONDS = 1.0
"""How long a live channel that is let go of may take to say so; one that hangs must not hold up the next."""

FRAME_BYTES_MAX = 4 * 1024 * 1024
BUSY_SECONDS = 5.0
"""How long to leave a busy server alone that did not say."""

UNSUPPORTED_VERSION = "unsupported_version"
"""The server's code for an app that is too old to read from it."""

TOO_MANY_REQUESTS = "too_many_requests"
"""The server's code for an account that has used up what it may use for now; another 429 is of a sign-in or a proxy."""

ACCOUNT_ERASED = "account_erased"
"""The server's code for an account that its person had erased."""

FIELDS_MAX = 20
"""Refused fields that an error names; no form has more, and a person reads fewer."""

BUSY_STATUSES = frozenset({429, 502, 503, 504})


SESSION_ENDED = frozenset({"session_ended", "refresh_token_reused"})
"""The server's codes for a session of an account that it knows."""

MFA_REQUIRED = "mfa_required"
WRONG_CODE = "wrong_code"  # No secret either, only the name of what went wrong.
"""The server's codes about second factors."""

SIGN_IN_AGAIN = "sign_in_again"
WRONG_CREDENTIALS = "wrong_credentials"
"""The server's codes for a session that stands: its person is to prove who they are, and did not."""


class _MfaDemand(msgspec.Struct):
    mfa_token: str
    methods: list[str]
    phone_hint: str | None = None


class _RefusedField(msgspec.Struct):
    field: str
    message: str


class HttpTransport:
    """A connection pool to a server. `ca_file`, `verify` and `allow_insecure` say whom it trusts, see `Trust`.

    A network that swallows everything is noticed after `connect_seconds` while connecting, `answer_seconds` while
    waiting for an answer, and twice `ping_seconds` on a live channel.
    """

    def __init__(
        self,
        *,
        ca_file: "str | Path | None" = None,
        verify: "ssl.SSLContext | None" = None,
        allow_insecure: bool = False,
        connect_seconds: float = CONNECT_SECONDS,
        answer_seconds: float = READ_SECONDS,
        ping_seconds: float = PING_SECONDS,
    ) -> None:
        self.bytes_up = 0
        self.bytes_down = 0
        self._trust = Trust(ca_file=ca_file, verify=verify, allow_insecure=allow_insecure)
        self._connect_seconds = connect_seconds
        self._answer_seconds = answer_seconds
        self._ping_seconds = ping_seconds
        self._clients: dict[ssl.SSLContext, httpx.Client] = {}

    def exchange(self, server: str, token: str, message: bytes) -> bytes:
        """Send a SyncRequest and give the SyncResponse, both as plain msgpack."""
        headers = {"Content-Type": MEDIA_TYPE, "Accept": MEDIA_TYPE, "Accept-Encoding": "zstd"}
        if len(message) >= COMPRESS_MIN_BYTES:
            message = compress(message)
            headers["Content-Encoding"] = "zstd"
        body = bytearray()
        response = self._stream(server, token, "POST", SYNC_PATH, message, headers, ANSWER_BYTES_MAX, body.extend)
        if not response.headers.get("Content-Type", "").startswith(MEDIA_TYPE):
            raise BadAnswer(f"its media type is {response.headers.get('Content-Type')!r}")
        return decompress(bytes(body)) if response.headers.get("Content-Encoding") == "zstd" else bytes(body)

    def call(self, server: str, token: str | None, method: str, path: str, json: Any) -> Any:
        """Call the JSON API; None where the answer has no body."""
        content = b"" if json is None else msgspec.json.encode(json)
        headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
        if content:
            headers["Content-Type"] = "application/json"
        body = bytearray()
        self._stream(server, token, method, path, content, headers, JSON_BYTES_MAX, body.extend)
        try:
            return msgspec.json.decode(body) if body else None
        except msgspec.DecodeError as error:
            raise BadAnswer(f"not JSON: {error}") from error

    def download(self, server: str, token: str, path: str, write: Callable[[bytes], object], json: Any = None) -> None:
        """Hand a file to `write`, piece by piece; one that ends early is ServerUnreachable."""
        headers = {"Accept-Encoding": "identity"}
        if json is None:
            self._stream(server, token, "GET", path, b"", headers, FILE_BYTES_MAX, write)
        else:
            headers["Content-Type"] = "application/json"
            content = msgspec.json.encode(json)
            self._stream(server, token, "POST", path, content, headers, FILE_BYTES_MAX, write)

    def put(self, server: str, token: str, place: str, content: bytes) -> None:
        """PUT bytes to a path of the server, or to a whole address, which the token is no business of."""
        own = place.startswith("/")
        parts = urlsplit(place)
        origin = server if own else f"{parts.scheme}://{parts.netloc}"
        path = place if own else place.removeprefix(origin)
        answer = bytearray()
        self._stream(origin, token if own else None, "PUT", path, content, {}, JSON_BYTES_MAX, answer.extend)

    def connect(self, server: str, token: str) -> LiveChannel | None:
        """Open the live channel."""
        from websockets.exceptions import InvalidHandshake, InvalidStatus, InvalidURI
        from websockets.sync.client import connect

        context = self._trust.context_for(server)
        address = f"ws{server.removeprefix('http')}{LIVE_PATH}"
        resources = ExitStack()
        try:
            opening = connect(
                address,
                additional_headers={"Authorization": f"Bearer {token}"},
                compression=None,
                max_size=FRAME_BYTES_MAX,
                open_timeout=self._connect_seconds,
                ping_interval=self._ping_seconds,
                ping_timeout=self._ping_seconds,
                close_timeout=CLOSE_SECONDS,
                ssl=context if address.startswith("wss") else None,
            )
            connection = resources.enter_context(opening)
        except InvalidStatus as error:
            refused = refusal(error.response.status_code, None, bytes(error.response.body or b""))
            if isinstance(refused, SignedOut):
                raise refused from error
            raise ServerUnreachable(server, f"no live channel: {error}") from error
        except (OSError, TimeoutError, InvalidHandshake, InvalidURI, ValueError) as error:
            raise _no_connection(server, error) from error
        return WebSocketChannel(self, server, connection, resources)

    def close(self) -> None:
        """Let go of connections."""
        clients, self._clients = self._clients, {}
        for client in clients.values():
            client.close()

    def _stream(
        self,
        server: str,
        token: str | None,
        method: str,
        path: str,
        content: bytes,
        headers: dict[str, str],
        limit_bytes: int,
        write: Callable[[bytes], object],
    ) -> "httpx.Response":
        import httpx

        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        client = self._client(self._trust.context_for(server))
        try:
            with client.stream(method, f"{server}{path}", content=content, headers=headers) as response:
                problem = bytearray()
                take = write if response.is_success else problem.extend
                limit = limit_bytes if response.is_success else JSON_BYTES_MAX
                received = 0
                for chunk in response.iter_raw():
                    received += len(chunk)
                    if received > limit:
                        raise BadAnswer(f"more than {limit} bytes")
                    take(chunk)
        except (httpx.TransportError, httpx.InvalidURL, httpx.StreamError) as error:
            raise _no_connection(server, error) from error
        self.bytes_up += len(content)
        self.bytes_down += received
        if not response.is_success:
            raise refusal(response.status_code, response.headers.get("Retry-After"), bytes(problem))
        return response

    def _client(self, context: "ssl.SSLContext") -> "httpx.Client":
        import httpx

        client = self._clients.get(context)
        if client is None:
            timeout = httpx.Timeout(self._answer_seconds, connect=self._connect_seconds)
            client = httpx.Client(verify=context, timeout=timeout, follow_redirects=False)
            self._clients[context] = client
        return client


class WebSocketChannel:
    """One open WebSocket."""

    def __init__(
        self, transport: HttpTransport, server: str, connection: "ClientConnection", resources: ExitStack
    ) -> None:
        self._transport = transport
        self._server = server
        self._resources = resources
        self._connection = connection

    def send(self, frame: bytes) -> None:
        """Send one frame. Raises ServerUnreachable when the connection is gone."""
        from websockets.exceptions import ConnectionClosed

        try:
            self._connection.send(frame)
        except (ConnectionClosed, OSError) as error:
            raise ServerUnreachable(self._server, str(error)) from error
        self._transport.bytes_up += len(frame)

    def receive(self) -> bytes:
        """Wait for the next frame. Raises ServerUnreachable when the connection is gone."""
        from websockets.exceptions import ConnectionClosed

        try:
            frame = self._connection.recv()
        except (ConnectionClosed, OSError) as error:
            raise ServerUnreachable(self._server, str(error)) from error
        if isinstance(frame, str):
            raise BadAnswer("a text frame")
        self._transport.bytes_down += len(frame)
        return frame

    def close(self) -> None:
        """Close the connection."""
        self._resources.close()


def refusal(status: int, retry_after: str | None, body: bytes) -> Exception:
    """Give the error for an answer that is no success, from its problem document or whatever a proxy made of it.

    Only the server itself ends a session: the 401 of a hotel's network is one more refusal that passes.
    """
    try:
        problem = msgspec.json.decode(body, type=dict[str, Any])
    except msgspec.DecodeError:
        problem = {}
    detail = str(problem.get("detail") or problem.get("title") or body[:200].decode("utf-8", "replace"))
    if problem.get("code") == UNSUPPORTED_VERSION:
        return ServerIncompatible(int(problem.get("oldest") or 0), PROTOCOL_VERSION)
    if status == 410 and problem.get("code") == ACCOUNT_ERASED:
        return AccountErased()
    if problem.get("code") == MFA_REQUIRED:
        return _mfa_required(problem)
    if problem.get("code") == WRONG_CODE:
        return WrongCode(status, WRONG_CODE, detail)
    if problem.get("code") == SIGN_IN_AGAIN:
        return SignInAgain(status, SIGN_IN_AGAIN, detail)
    if problem.get("code") == WRONG_CREDENTIALS:
        return WrongCredentials()
    if problem.get("code") in SESSION_ENDED:
        return SessionEnded(detail)
    if status == 401 and "code" in problem:
        return SignedOut(detail or "the server does not know this session")
    if status == 429 and problem.get("code") == TOO_MANY_REQUESTS:
        return Throttled(_seconds(problem.get("retry_after"), retry_after))
    if status in BUSY_STATUSES:
        return ServerBusy(_seconds(problem.get("retry_after"), retry_after))
    return ServerRefused(status, str(problem.get("code") or f"http_{status}"), detail, _refused_fields(problem))


def _refused_fields(problem: dict[str, Any]) -> list[FieldProblem]:
    """Give the fields that a problem document names; whatever else stands there is left out."""
    try:
        named = msgspec.convert(problem.get("errors", []), list[_RefusedField])
    except msgspec.ValidationError:
        return []
    return [FieldProblem(each.field, each.message) for each in named[:FIELDS_MAX]]


def _mfa_required(problem: dict[str, Any]) -> Exception:
    try:
        demand = msgspec.convert(problem, _MfaDemand)
    except msgspec.ValidationError as error:
        return BadAnswer(str(error))
    return MfaRequired(demand.methods, demand.phone_hint, demand.mfa_token)


def _no_connection(server: str, error: Exception) -> Exception:
    if too_old(error):
        return InsecureServer(server, "it speaks no TLS 1.3")
    return ServerUnreachable(server, str(error) or type(error).__name__)


def _seconds(*candidates: Any) -> float:
    for candidate in candidates:
        try:
            return min(max(float(candidate), 0.0), 3600.0)
        except (TypeError, ValueError):
            continue
    return BUSY_SECONDS
