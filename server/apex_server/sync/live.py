"""The live channel: who is connected to this process, and how news reaches them within milliseconds.

A hint ("scope X is at seq N") only wakes a session, which then reads the feed itself under its user's own grants. So a
lost hint costs latency and never correctness, a revoked grant shows nothing more, and a slow reader costs one flag.
"""

from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager

import anyio
from msgspec.structs import replace

from apex_server.caller import Caller
from apex_server.db import Hint, HintHub
from apex_server.grants import grants_channel
from apex_sync.ids import athlete_scope
from apex_sync.protocol.messages import PROTOCOL_VERSION, ScopeCursor, ScopePage, SyncRequest, SyncResponse

__all__ = ["Listener", "LiveHub", "LiveSession"]

Answer = Callable[[Caller, SyncRequest], Awaitable[SyncResponse]]

RECHECK_SECONDS = 30.0
"""How often a session looks for itself: for new grants, and for a lost hint. A revocation holds at once anyway."""


class Listener:
    """Somebody who wants to know when certain scopes move on: remembers the newest seq of each until it is taken."""

    def __init__(self) -> None:
        self.scopes: set[str] = set()
        self._seq_by_scope: dict[str, int] = {}
        self._woken = anyio.Event()

    def hear(self, hint: Hint) -> None:
        """Remember a hint."""
        self._seq_by_scope[hint.scope] = max(hint.seq, self._seq_by_scope.get(hint.scope, 0))
        self._woken.set()

    def wake(self) -> None:
        """End the waiting without a hint: some may have been missed."""
        self._woken.set()

    async def wait(self, timeout_seconds: float) -> list[Hint]:
        """Give the hints heard since the last call; empty after the timeout or a `wake`."""
        with anyio.move_on_after(timeout_seconds):
            await self._woken.wait()
        self._woken = anyio.Event()
        heard = [Hint(scope, seq) for scope, seq in self._seq_by_scope.items()]
        self._seq_by_scope.clear()
        return heard


class LiveHub:
    """One per process: spreads hints to the listeners that are connected to it."""

    def __init__(self) -> None:
        # In the order in which they came, so that a simulation repeats itself.
        self._listeners: dict[Listener, None] = {}
        self._by_scope: defaultdict[str, dict[Listener, None]] = defaultdict(dict)

    @classmethod
    @asynccontextmanager
    async def open(cls, hints: HintHub) -> AsyncIterator["LiveHub"]:
        """Listen to the hints of all processes until the block ends."""
        hub = cls()
        unsubscribe = hints.subscribe(hub.spread, hub.wake_all)
        try:
            yield hub
        finally:
            unsubscribe()

    @contextmanager
    def listening(self, scopes: Iterable[str] = ()) -> Iterator[Listener]:
        """Connect a listener for the block."""
        listener = Listener()
        self._listeners[listener] = None
        self.follow(listener, scopes)
        try:
            yield listener
        finally:
            self._listeners.pop(listener, None)
            self.follow(listener, ())

    def follow(self, listener: Listener, scopes: Iterable[str]) -> None:
        """Let a listener hear of exactly these scopes from now on."""
        wanted = set(scopes)
        for scope in sorted(listener.scopes - wanted):
            self._by_scope[scope].pop(listener, None)
            if not self._by_scope[scope]:
                del self._by_scope[scope]
        for scope in sorted(wanted - listener.scopes):
            self._by_scope[scope][listener] = None
        listener.scopes = wanted

    @property
    def connected(self) -> int:
        """How many are connected to this process."""
        return len(self._listeners)

    async def spread(self, hints: list[Hint]) -> None:
        """Pass hints on to whoever is connected and follows their scopes."""
        for hint in hints:
            for listener in self._by_scope.get(hint.scope, ()):
                listener.hear(hint)

    async def wake_all(self) -> None:
        """Let everybody look for themselves: hints may have been missed."""
        for listener in self._listeners:
            listener.wake()


class LiveSession:
    """One device's connection: answers its requests in order, and sends it what is new in between.

    The cursors are those of the device as of the last frame sent. A lock keeps requests and news apart, so each frame
    continues the one before it.
    """

    def __init__(self, caller: Caller, answer: Answer, hub: LiveHub, listener: Listener) -> None:
        self._caller = caller
        self._answer = answer
        self._hub = hub
        self._listener = listener
        self._lock = anyio.Lock()
        self._cursors: dict[str, bytes] = {}
        self._template: SyncRequest | None = None

    @asynccontextmanager
    async def answered(self, request: SyncRequest) -> AsyncIterator[SyncResponse]:
        """Answer a request; the block sends the answer before anything else may be sent."""
        async with self._lock:
            response = await self._answer(self._caller, request)
            yield response
            if request.cursors is not None:
                self._cursors = {cursor.scope: cursor.cursor for cursor in request.cursors}
                self._template = SyncRequest(
                    PROTOCOL_VERSION, request.client_id, request.now_us, cursors=[], pull_bytes=request.pull_bytes
                )
            self._advance(response)

    @asynccontextmanager
    async def news(self) -> AsyncIterator[SyncResponse | None]:
        """Wait until there is news; the block sends it. None when there was none after all."""
        await self._listener.wait(RECHECK_SECONDS)
        async with self._lock:
            template = self._template
            if template is None:
                yield None
                return
            cursors = [ScopeCursor(scope, cursor) for scope, cursor in sorted(self._cursors.items())]
            response = await self._answer(self._caller, replace(template, cursors=cursors))
            if not (response.forget or any(self._is_new(page) for page in response.pages)):
                # The device's own writes, seen from the feed: it is not told, and its cursor stays where it knows it.
                yield None
                return
            yield response
            self._advance(response)

    def _is_new(self, page: ScopePage) -> bool:
        """Tell whether a page says anything: a scope that was granted just now is news without a record in it, too."""
        return bool(page.records) or page.reset or page.scope not in self._cursors

    def _advance(self, response: SyncResponse) -> None:
        if self._template is None:
            return
        for scope in response.forget:
            self._cursors.pop(scope, None)
        for page in response.pages:
            self._cursors[page.scope] = page.cursor
        # A scope begins with its first record: the athlete's own may be written first by another device. What is
        # granted anew was not followed before, so whoever grants it says so.
        before, user_id = self._listener.scopes, self._caller.user_id
        self._hub.follow(self._listener, {*self._cursors, athlete_scope(str(user_id)), grants_channel(user_id)})
        if not self._listener.scopes <= before or any(page.remaining for page in response.pages):
            # A scope that was not followed while it was read may have moved since.
            self._listener.wake()
