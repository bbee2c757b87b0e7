"""Hints between server processes: "scope X is at seq N", by LISTEN and NOTIFY.

A hint is only news, never data: whoever gets one reads the feed. So a lost hint costs latency and nothing else, and
after every gap in listening the subscribers are told to `resync`, that is to look for themselves. Only the highest seq
of a scope matters, so hints waiting to be delivered or sent are merged, and the hub holds at most one per scope.

Subscribers of the publishing process hear at once, without the way through Postgres. A publisher calls after its
commit: a NOTIFY inside a transaction would take a lock that makes every commit of the database queue.
"""

import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any, NamedTuple

import anyio
import msgspec

from apex_server.db.background import in_background
from apex_server.db.errors import DatabaseUnavailable
from apex_server.db.outage import connecting
from apex_server.db.roles import connect_role, role_urls
from apex_server.settings import Settings

__all__ = ["Hint", "HintHub"]

CHANNEL = "apex_hints"
PAYLOAD_BYTES_MAX = 7_900  # Postgres refuses 8,000 and more.
SCOPES_WAITING_MAX = 10_000  # About 1 MB of names; beyond it "look for yourselves" is the shorter message.
CONNECT_TIMEOUT_SECONDS = 5.0
SEND_TIMEOUT_SECONDS = 5.0
PING_SECONDS = 15.0  # A half-open connection is noticed within this and the time of one ping.
RECONNECT_DELAY_SECONDS_MIN = 0.1
RECONNECT_DELAY_SECONDS_MAX = 5.0

log = logging.getLogger(__name__)


class Hint(NamedTuple):
    """A scope and the seq it has reached."""

    scope: str
    seq: int


OnHints = Callable[[list[Hint]], Awaitable[None]]
OnResync = Callable[[], Awaitable[None]]


class Subscriber(NamedTuple):
    """Whom to tell; `on_resync` is called when hints may have been missed."""

    on_hints: OnHints
    on_resync: OnResync


class Waiting:
    """Hints not yet passed on, one per scope; too many collapse into a resync."""

    def __init__(self) -> None:
        self._seq_by_scope: dict[str, int] = {}
        self._resync = False
        self._filled = anyio.Event()

    def add(self, hints: Iterable[Hint]) -> None:
        for scope, seq in hints:
            self._seq_by_scope[scope] = max(seq, self._seq_by_scope.get(scope, 0))
        if len(self._seq_by_scope) > SCOPES_WAITING_MAX:
            self.add_resync()
        if self._seq_by_scope:
            self._filled.set()

    def add_resync(self) -> None:
        self._seq_by_scope.clear()
        self._resync = True
        self._filled.set()

    def put_back(self, hints: list[Hint], *, resync: bool) -> None:
        self.add(hints)
        if resync:
            self.add_resync()

    async def take(self) -> tuple[list[Hint], bool]:
        """Wait until there is something, and empty it: the hints, and whether to resync first."""
        await self._filled.wait()
        self._filled = anyio.Event()
        hints = [Hint(scope, seq) for scope, seq in self._seq_by_scope.items()]
        resync, self._resync = self._resync, False
        self._seq_by_scope.clear()
        return hints, resync


class HintHub:
    """One per process: `async with HintHub.open(settings) as hub`."""

    def __init__(self, database_url: str, former_urls: Sequence[str] = ()) -> None:
        self._database_url = database_url
        self._former_urls = former_urls
        self._subscribers: list[Subscriber] = []
        self._inbound = Waiting()
        self._outbound = Waiting()
        self._connected_before = False

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: Settings) -> AsyncIterator["HintHub"]:
        """Listen until the block ends; raises DatabaseUnavailable when Postgres does not answer at the start."""
        urls = role_urls(settings)
        hub = cls(urls.app, urls.former_app)
        connection = await hub._connect()
        async with in_background(partial(hub._keep_connected, connection), hub._deliver):
            yield hub

    def subscribe(self, on_hints: OnHints, on_resync: OnResync) -> Callable[[], None]:
        """Call `on_hints` with batches of hints and `on_resync` after a gap; call the result to unsubscribe.

        Both are awaited one after the other, so they should only hand over. What they raise is logged.
        """
        subscriber = Subscriber(on_hints, on_resync)
        self._subscribers.append(subscriber)

        def unsubscribe() -> None:
            with suppress(ValueError):
                self._subscribers.remove(subscriber)

        return unsubscribe

    async def publish(self, hints: Iterable[Hint]) -> None:
        """Tell every process, this one included, that scopes have moved on; call it after the commit.

        Returns at once: hints of many commits travel in one NOTIFY, and those that find Postgres gone wait for it.
        """
        batch = [Hint(*hint) for hint in hints]
        self._inbound.add(batch)
        self._outbound.add(batch)

    async def _deliver(self) -> None:
        while True:
            hints, resync = await self._inbound.take()
            for subscriber in list(self._subscribers):
                await call(subscriber, hints, resync=resync)

    async def _keep_connected(self, connection: Any) -> None:
        """Serve one connection after another, for as long as the hub is open."""
        attempts = 0
        while True:
            try:
                connection = connection or await self._connect()
                attempts = 0
                await self._serve(connection)
            except Exception as error:  # noqa: BLE001 - whatever it is: without this loop a process hears nothing more.
                log.warning("hints: %s; connecting again", str(error) or type(error).__name__)
            finally:
                if connection is not None:
                    connection.terminate()
            connection = None
            await anyio.sleep(reconnect_delay_seconds(attempts))
            attempts += 1

    async def _connect(self) -> Any:
        with connecting():
            connection = await connect_role(
                self._database_url,
                former=self._former_urls,
                timeout=CONNECT_TIMEOUT_SECONDS,
                server_settings={"application_name": "apex_hints", "statement_timeout": "5s"},
            )
            try:
                await connection.add_listener(CHANNEL, self._on_notification)
            except BaseException:
                connection.terminate()
                raise
        if self._connected_before:
            self._inbound.add_resync()
        self._connected_before = True
        return connection

    async def _serve(self, connection: Any) -> None:
        """Send what waits, and ping when nothing does; raises DatabaseUnavailable when the connection is lost."""
        lost = anyio.Event()
        connection.add_termination_listener(lambda _: lost.set())
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._send_outbound, connection, tasks.cancel_scope)
            await lost.wait()
            tasks.cancel_scope.cancel()
        raise DatabaseUnavailable("the listening connection was lost")

    async def _send_outbound(self, connection: Any, serving: anyio.CancelScope) -> None:
        while True:
            hints: list[Hint] = []
            resync = False
            with anyio.move_on_after(PING_SECONDS):
                hints, resync = await self._outbound.take()
            sent = False
            try:
                await notify(connection, hints, resync=resync)
                sent = True
            except Exception as error:  # noqa: BLE001 - as above; they go out with the next connection.
                log.warning("hints: cannot be sent: %s", str(error) or type(error).__name__)
                serving.cancel()
                return
            finally:
                if not sent:
                    self._outbound.put_back(hints, resync=resync)

    def _on_notification(self, connection: Any, sender_pid: int, _channel: str, payload: str) -> None:
        if connection.is_closed():
            return  # asyncpg hands over after the end what came before it; the next connection begins with a resync.
        if sender_pid == connection.get_server_pid():
            return  # Our own subscribers heard of it when it was published.
        try:
            hints = msgspec.json.decode(payload, type=list[Hint])
        except (msgspec.MsgspecError, UnicodeError):
            log.warning("hints: a payload that is none of ours on channel %s", CHANNEL)
            return
        if hints:
            self._inbound.add(hints)
        else:
            self._inbound.add_resync()


async def call(subscriber: Subscriber, hints: list[Hint], *, resync: bool) -> None:
    try:
        if resync:
            await subscriber.on_resync()
        if hints:
            await subscriber.on_hints(hints)
    except Exception:  # Whatever one subscriber does, the others must go on hearing.
        log.exception("hints: a subscriber failed")


async def notify(connection: Any, hints: list[Hint], *, resync: bool) -> None:
    """Send everything in one statement, which also serves as a ping when there is nothing; `[]` says resync."""
    payloads = [*(["[]"] if resync else []), *split_payloads(hints)]
    await connection.execute(
        "SELECT pg_notify($1, payload) FROM unnest($2::text[]) AS payload",
        CHANNEL,
        payloads,
        timeout=SEND_TIMEOUT_SECONDS,
    )


def split_payloads(hints: Iterable[Hint]) -> Iterator[str]:
    """Pack hints into as few payloads as fit under Postgres's limit."""
    batch: list[bytes] = []
    size = 0
    for hint in hints:
        item = msgspec.json.encode(hint)
        if batch and size + len(item) + 2 > PAYLOAD_BYTES_MAX:
            yield f"[{b','.join(batch).decode()}]"
            batch, size = [], 0
        batch.append(item)
        size += len(item) + 1
    if batch:
        yield f"[{b','.join(batch).decode()}]"


def reconnect_delay_seconds(attempts: int) -> float:
    longest = min(RECONNECT_DELAY_SECONDS_MAX, RECONNECT_DELAY_SECONDS_MIN * 2 ** min(attempts, 10))
    return random.uniform(longest / 2, longest)  # noqa: S311 - spreads processes, hides nothing.
