"""The way from a device to a loopback server; `Faults` makes exchanges fail as networks do."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec
from anyio import EndOfStream, create_memory_object_stream

from apex_client.errors import AccountErased, ServerBusy, ServerRefused, ServerUnreachable, SignedOut, Throttled
from apex_sync.protocol import PROTOCOL_VERSION, ScopeCursor, SyncRequest, decode_request, encode_message
from tests.client.loopback import Account, LoopbackServer


@dataclass
class Faults:
    """What a network does, each with a chance of 0 to 1."""

    dice: random.Random = field(default_factory=lambda: random.Random(0))
    lose_request: float = 0.0
    lose_answer: float = 0.0
    duplicate: float = 0.0
    offline: bool = False


class LoopbackTransport:
    """The way from one device to a loopback server."""

    def __init__(self, server: LoopbackServer, faults: Faults | None = None) -> None:
        self.server = server
        self.faults = faults or Faults()
        self.bytes_up = 0
        self.bytes_down = 0
        self.live = False
        self.exchanges = 0

    async def exchange(self, server: str, token: str, message: bytes) -> bytes:
        return self.exchange_now(token, message)

    def exchange_now(self, token: str, message: bytes) -> bytes:
        faults = self.faults
        self.exchanges += 1
        if faults.offline or faults.dice.random() < faults.lose_request:
            raise ServerUnreachable("loopback", "lost")
        user_id = self._user(token)
        self.bytes_up += len(message)
        if faults.dice.random() < faults.duplicate:
            self.server.sync(user_id, decode_request(message))
        answer = encode_message(self.server.sync(user_id, decode_request(message)))
        if faults.dice.random() < faults.lose_answer:
            raise ServerUnreachable("loopback", "the answer was lost")
        self.bytes_down += len(answer)
        return answer

    async def call(self, server: str, token: str | None, method: str, path: str, json: Any) -> Any:
        return self.call_now(token, path, json)

    def call_now(self, token: str | None, path: str, json: Any) -> Any:
        if self.faults.offline:
            raise ServerUnreachable("loopback", "offline")
        match path:
            case "/api/auth/register":
                account = self.server.add_user(json["email"], json["role"], json["password"])
                return self._begin(account, json["device"])
            case "/api/auth/login":
                found = self.server.accounts.get(json["email"])
                if found is None or found.password != json["password"]:
                    raise SignedOut("wrong")
                return self._begin(found, json["device"])
            case "/api/auth/refresh" if json["refresh_token"] in self.server.erased_tokens:
                raise AccountErased
            case "/api/auth/refresh":
                user_id = self.server.refresh_tokens.pop(json["refresh_token"], None)
                if user_id is None:
                    raise SignedOut("refresh token is not valid")
                return self.server.issue(self._account(user_id))
            case "/api/auth/logout":
                self._user(token or "")
                del self.server.tokens[token or ""]
                return None
            case "/api/auth/me":
                return {"user": _shown(self._account(self._user(token or "")))}
            case "/api/messages/threads":
                return {"threads": self.server.threads_of(self._user(token or ""))}
        raise ServerRefused(404, "not_found", path)

    async def download(
        self, server: str, token: str, path: str, write: Callable[[bytes], object], json: Any = None
    ) -> None:
        raise ServerRefused(404, "not_found", path)

    async def put(self, server: str, token: str, place: str, content: bytes) -> None:
        raise ServerRefused(404, "not_found", place)

    async def connect(self, server: str, token: str) -> "LoopbackChannel | None":
        if self.faults.offline:
            raise ServerUnreachable("loopback", "offline")
        return LoopbackChannel(self.server, self._user(token)) if self.live else None

    async def aclose(self) -> None:
        pass

    def _begin(self, account: Account, device: dict[str, Any]) -> dict[str, Any]:
        owner = self.server.bindings.setdefault(device["client_id"], account.id)
        if owner != account.id:
            raise ServerRefused(409, "client_id_taken", "another device's")
        return {"user": _shown(account), "device_token": "device", **self.server.issue(account)}

    def _account(self, user_id: str) -> Account:
        return next(account for account in self.server.accounts.values() if account.id == user_id)

    def _user(self, token: str) -> str:
        user_id = self.server.tokens.get(token)
        if user_id is None:
            raise SignedOut("the session has ended")
        if self.server.throttled_seconds:
            self.server.refusals += 1
            raise Throttled(self.server.throttled_seconds)
        if self.server.retry_after < 0:
            raise ServerBusy(-self.server.retry_after)
        return user_id


def _shown(account: Account) -> dict[str, Any]:
    user = {"id": account.id, "email": account.email, "name": account.name, "role": account.role}
    return {**user, "email_verified": account.email_verified}


class BlockingLoopbackTransport:
    """The same way for the blocking SDK."""

    def __init__(self, server: LoopbackServer, faults: Faults | None = None) -> None:
        self._transport = LoopbackTransport(server, faults)
        self.bytes_up = 0
        self.bytes_down = 0

    def exchange(self, server: str, token: str, message: bytes) -> bytes:
        return self._transport.exchange_now(token, message)

    def call(self, server: str, token: str | None, method: str, path: str, json: Any) -> Any:
        return self._transport.call_now(token, path, json)

    def download(self, server: str, token: str, path: str, write: Callable[[bytes], object], json: Any = None) -> None:
        raise ServerRefused(404, "not_found", path)

    def put(self, server: str, token: str, place: str, content: bytes) -> None:
        raise ServerRefused(404, "not_found", place)

    def connect(self, server: str, token: str) -> None:
        return None

    def close(self) -> None:
        pass


class LoopbackChannel:
    """A live channel: answers in order, and news unasked from the cursors of the first frame on."""

    def __init__(self, server: LoopbackServer, user_id: str) -> None:
        self.server = server
        self.user_id = user_id
        self.frames, self.inbox = create_memory_object_stream[bytes](100)
        self.cursors: list[ScopeCursor] | None = None
        self.client_id = 0
        self.busy = False
        server.channels.append(self)

    async def send(self, frame: bytes) -> None:
        if self not in self.server.channels:
            raise ServerUnreachable("loopback", "the connection is gone")
        request = decode_request(frame)
        self.client_id = request.client_id
        self.busy = True
        response = self.server.sync(self.user_id, request)
        self.busy = False
        if request.cursors is not None:
            self.cursors = [ScopeCursor(page.scope, page.cursor, page.digest) for page in response.pages]
            paged = {page.scope for page in response.pages}
            self.cursors += [cursor for cursor in request.cursors if cursor.scope not in paged]
        self.frames.send_nowait(encode_message(response))
        self.hint()

    async def receive(self) -> bytes:
        try:
            return await self.inbox.receive()
        except EndOfStream as error:
            raise ServerUnreachable("loopback", "the connection is gone") from error

    def hint(self) -> None:
        """Look for news of others, and send them."""
        if self.cursors is None or self.busy or self not in self.server.channels:
            return
        request = SyncRequest(PROTOCOL_VERSION, self.client_id, 0, cursors=self.cursors)
        response = self.server.sync(self.user_id, request)
        moved = {page.scope: page for page in response.pages}
        self.cursors = [
            ScopeCursor(c.scope, moved[c.scope].cursor, moved[c.scope].digest) if c.scope in moved else c
            for c in self.cursors
        ]
        pages = [page for page in response.pages if page.records]
        if pages:
            self.frames.send_nowait(encode_message(msgspec.structs.replace(response, pages=pages)))

    def cut(self) -> None:
        self.server.channels.remove(self)
        self.frames.close()

    async def aclose(self) -> None:
        if self in self.server.channels:
            self.server.channels.remove(self)
        self.frames.close()
