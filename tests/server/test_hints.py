"""Hints between processes: every listener hears of every scope, and a gap in listening is said, never passed over."""

from collections.abc import AsyncIterator
from typing import Any

import anyio
import asyncpg
import msgspec
import pytest

from apex_server.db import Database, Hint, HintHub, notify
from apex_server.db.notify import CHANNEL, PAYLOAD_BYTES_MAX, Waiting, split_payloads
from apex_server.settings import Settings

pytestmark = pytest.mark.anyio

ANNA = "athlete:0b7c1f60-4a1c-4d5e-9a63-0f6f2a9f2c11"


class Listener:
    """Keeps what a hub tells it."""

    def __init__(self, hub: HintHub) -> None:
        self.hints: list[Hint] = []
        self.resyncs = 0
        self.unsubscribe = hub.subscribe(self.on_hints, self.on_resync)

    async def on_hints(self, hints: list[Hint]) -> None:
        self.hints += hints

    async def on_resync(self) -> None:
        self.resyncs += 1

    async def hears(self, hint: Hint) -> None:
        with anyio.fail_after(10):
            while hint not in self.hints:  # noqa: ASYNC110 - another connection brings it.
                await anyio.sleep(0.01)

    async def hears_resync(self) -> None:
        with anyio.fail_after(10):
            while not self.resyncs:  # noqa: ASYNC110 - another connection brings it.
                await anyio.sleep(0.01)


@pytest.fixture
async def here(settings: Settings) -> AsyncIterator[HintHub]:
    async with HintHub.open(settings) as hub:
        yield hub


@pytest.fixture
async def there(settings: Settings) -> AsyncIterator[HintHub]:
    """The hub of another process."""
    async with HintHub.open(settings) as hub:
        yield hub


async def terminate_listeners(url: str) -> int:
    connection = await asyncpg.connect(url)
    ended = await connection.fetch(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND application_name = 'apex_hints'"
    )
    await connection.close()
    return len(ended)


async def test_a_hint_reaches_the_other_process_and_this_one_once(here: HintHub, there: HintHub) -> None:
    near, far = Listener(here), Listener(there)
    await here.publish([Hint(ANNA, 7)])
    await near.hears(Hint(ANNA, 7))
    await far.hears(Hint(ANNA, 7))
    await anyio.sleep(0.1)
    assert (near.hints, far.hints) == ([Hint(ANNA, 7)], [Hint(ANNA, 7)])
    assert (near.resyncs, far.resyncs) == (0, 0)


async def test_a_listener_survives_the_end_of_its_connection_and_resyncs(
    here: HintHub, there: HintHub, database_url: str
) -> None:
    near, far = Listener(here), Listener(there)
    assert await terminate_listeners(database_url) == 2
    await near.hears_resync()
    await far.hears_resync()
    await here.publish([Hint(ANNA, 8)])
    await far.hears(Hint(ANNA, 8))


async def test_hints_published_without_a_connection_are_sent_with_the_next(
    here: HintHub, there: HintHub, database_url: str
) -> None:
    """The other process kept its connection, so nothing but this hint tells it."""
    far = Listener(there)
    connection = await asyncpg.connect(database_url)
    await connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'apex_hints' "
        "AND datname = current_database() ORDER BY backend_start LIMIT 1"
    )
    await connection.close()
    await here.publish([Hint(ANNA, 9)])
    await far.hears(Hint(ANNA, 9))


async def test_a_hint_handed_over_after_the_end_of_its_connection_harms_nobody(
    here: HintHub, database_url: str
) -> None:
    near = Listener(here)
    connection = await asyncpg.connect(database_url)
    connection.terminate()
    here._on_notification(connection, 1, CHANNEL, msgspec.json.encode([Hint(ANNA, 9)]).decode())
    await here.publish([Hint(ANNA, 10)])
    await near.hears(Hint(ANNA, 10))


async def test_a_connection_that_fell_silent_is_noticed_and_replaced(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A peer that vanished sends no end: only an unanswered ping shows it. Here the ping itself cannot be sent."""
    monkeypatch.setattr(notify, "PING_SECONDS", 0.05)
    async with HintHub.open(settings) as hub:
        listener = Listener(hub)
        monkeypatch.setattr(notify, "SEND_TIMEOUT_SECONDS", 0.000_001)
        await listener.hears_resync()


async def test_hints_that_failed_to_be_sent_are_sent_with_the_next_connection(
    here: HintHub, there: HintHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    near, far = Listener(here), Listener(there)
    monkeypatch.setattr(notify, "SEND_TIMEOUT_SECONDS", 0)
    await here.publish([Hint(ANNA, 9)])
    await near.hears_resync()
    assert far.hints == []
    monkeypatch.setattr(notify, "SEND_TIMEOUT_SECONDS", 5)
    await far.hears(Hint(ANNA, 9))


@pytest.mark.parametrize(
    "error",
    [asyncpg.InternalClientError("cannot switch to state 11; another operation (2) is in progress"), KeyError()],
)
async def test_no_failure_ends_the_listening(
    here: HintHub, there: HintHub, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """A backend that dies between two statements leaves asyncpg confused; that once ended the whole hub."""
    far = Listener(there)
    whole = notify.notify
    failing = [error]

    async def fail_once(*arguments: Any, **options: Any) -> None:
        if failing:
            raise failing.pop()
        await whole(*arguments, **options)

    monkeypatch.setattr(notify, "notify", fail_once)
    await here.publish([Hint(ANNA, 9)])
    await far.hears(Hint(ANNA, 9))


async def test_many_hints_travel_split_and_whole(here: HintHub, there: HintHub) -> None:
    far = Listener(there)
    hints = [Hint(f"athlete:{number:036d}", number) for number in range(1_000)]
    await here.publish(hints)
    await far.hears(hints[-1])
    assert sorted(far.hints) == hints


async def test_payloads_fit_and_are_few() -> None:
    hints = [Hint(f"athlete:{number:036d}", 2**53 - 1) for number in range(1_000)]
    payloads = list(split_payloads(hints))
    sizes = [len(payload.encode()) for payload in payloads]
    assert max(sizes) <= PAYLOAD_BYTES_MAX
    assert min(sizes[:-1]) > PAYLOAD_BYTES_MAX - 100
    assert list(split_payloads([])) == []


async def test_only_the_highest_seq_of_a_scope_waits() -> None:
    waiting = Waiting()
    waiting.add([Hint(ANNA, 3), Hint(ANNA, 5), Hint(ANNA, 4), Hint("global", 1)])
    assert await waiting.take() == ([Hint(ANNA, 5), Hint("global", 1)], False)


async def test_too_many_waiting_scopes_become_one_resync(
    here: HintHub, there: HintHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notify, "SCOPES_WAITING_MAX", 10)
    near, far = Listener(here), Listener(there)
    await here.publish([Hint(f"athlete:{number}", number) for number in range(11)])
    await near.hears_resync()
    await far.hears_resync()
    assert (near.hints, far.hints) == ([], [])


async def test_a_failing_subscriber_does_not_silence_the_others(here: HintHub) -> None:
    async def fail(_: list[Hint]) -> None:
        raise ZeroDivisionError

    async def ignore() -> None:
        return

    here.subscribe(fail, ignore)
    listener = Listener(here)
    for seq in (1, 2):
        await here.publish([Hint(ANNA, seq)])
        await listener.hears(Hint(ANNA, seq))


async def test_an_unsubscribed_listener_hears_no_more(here: HintHub) -> None:
    gone, still = Listener(here), Listener(here)
    gone.unsubscribe()
    gone.unsubscribe()
    await here.publish([Hint(ANNA, 1)])
    await still.hears(Hint(ANNA, 1))
    assert gone.hints == []


@pytest.mark.parametrize("payload", ["", "[", '{"scope": 1}', "[[1, 2]]", '[["a"]]', "x" * 7_000])
async def test_a_payload_of_somebody_else_is_passed_over(here: HintHub, db: Database, payload: str) -> None:
    """Every role of the database may notify."""
    listener = Listener(here)
    async with db.commit_connection() as connection:
        await connection.execute("SELECT pg_notify('apex_hints', $1)", payload)
        await connection.execute("SELECT pg_notify('apex_hints', $1)", f'[["{ANNA}", 4]]')
    await listener.hears(Hint(ANNA, 4))
    assert listener.hints == [Hint(ANNA, 4)]


async def test_what_the_block_raises_leaves_as_itself(settings: Settings) -> None:
    with pytest.raises(ZeroDivisionError):
        async with HintHub.open(settings):
            raise ZeroDivisionError
