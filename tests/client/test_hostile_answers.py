"""Whatever a server answers, a device keeps what was written on it, stays sound, and syncs on once the answers are fit.

The server is the real engine behind a transport that spoils its answers: some cannot be read, most can and are wrong.
"""

import math
import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import cycle
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from msgspec.structs import replace

from apex_client.compression import MESSAGE_BYTES_MAX, decompress
from apex_client.errors import BadAnswer, ServerBusy, SyncFailed
from apex_sync.acceptance import Refusal
from apex_sync.errors import ForbiddenField, ProtocolError
from apex_sync.protocol import PulledRecord, PushResult, ScopePage, SyncResponse, decode_response, encode_message
from apex_sync.session.device import SELF_SCOPE
from apex_sync.testing import hostile
from apex_sync.testing.hostile import GOOD_OP, ME
from apex_sync.testing.hostile.parts import crafted_op
from apex_sync.wire import encode_push
from tests.client.fleet import Clock, Phone, assert_sound
from tests.client.loopback import Account, LoopbackServer
from tests.client.loopback_transport import LoopbackTransport

Spoil = Callable[[SyncResponse, str], Any]

BOMB_BYTES_MAX = 3 * MESSAGE_BYTES_MAX
RECORD_ID = bytes(range(16))
HUGE = 2**53 - 1


class SpoiltTransport(LoopbackTransport):
    """The way to a server whose answers are spoilt for a while."""

    def __init__(self, server: LoopbackServer, spoil: Callable[[SyncResponse], Any]) -> None:
        super().__init__(server)
        self.spoil: Callable[[SyncResponse], Any] | None = spoil

    def exchange_now(self, token: str, message: bytes) -> bytes:
        answer = super().exchange_now(token, message)
        if self.spoil is None:
            return answer
        spoilt = self.spoil(decode_response(answer))
        return spoilt if isinstance(spoilt, bytes) else encode_message(spoilt)


def results(**parts: Any) -> Spoil:
    """Answer every pushed record in another way."""
    return lambda answer, _: replace(answer, results=[replace(result, **parts) for result in answer.results])


def whole(**parts: Any) -> Spoil:
    """Change the answer as a whole."""
    return lambda answer, _: replace(answer, **parts)


def page(**parts: Any) -> Spoil:
    """Add a page of the athlete's own scope."""
    return lambda answer, scope: replace(
        answer, pages=[ScopePage(**({"scope": scope, "role": "athlete", "cursor": b"x"} | parts))]
    )


def record(update: bytes, **parts: Any) -> Spoil:
    """Send a record that nobody wrote."""
    given = {"collection": "workout_logs", "record_id": RECORD_ID, "update": update}
    return page(records=[PulledRecord(**(given | parts))])


def records(updates: Iterable[bytes], *, delta: bool = False) -> Spoil:
    """Send records that nobody wrote, each under an id of its own."""
    pulled = [
        PulledRecord("workout_logs", number.to_bytes(16, "big"), update, delta=delta)
        for number, update in enumerate(updates)
    ]
    return page(records=pulled)


def op(patch: Any) -> bytes:
    """Write a record of one op of somebody else."""
    return encode_push(ME, 0, [crafted_op(patch)])


GOOD = encode_push(ME, 0, [GOOD_OP])

SPOILT: dict[str, Spoil] = {
    "no results": whole(results=[]),
    "results for a hundred records": whole(results=[PushResult("applied", 1)] * 100),
    "applied up to the end of time": results(next_clock=HUGE),
    "applied up to nothing": results(next_clock=0),
    "applied and refused ten thousand times": results(refusals=[Refusal(0, "malformed", "", "no")] * 10_000),
    "a refusal of a clock to come": results(refusals=[Refusal(HUGE, "malformed", "", "no")]),
    "a refusal of a clock before the first": results(refusals=[Refusal(-1, "mistyped", "title", "no")]),
    "a refusal of a field that is not there": results(refusals=[Refusal(0, "mistyped", "a.b.c", "no")]),
    "a refusal with a NUL": results(refusals=[Refusal(0, "forbidden", "title\x00", "no\x00")]),
    "a refusal of a megabyte": results(refusals=[Refusal(0, "malformed", "", "no" * 2**19)]),
    "a duplicate of what was never sent": results(status="duplicate"),
    "a fork, each time": results(status="forked"),
    "a gap, each time": results(status="gap"),
    "later, each time": results(status="retry"),
    "rejected without a word": results(status="rejected", refusals=[]),
    "rejected as somebody else's": results(status="rejected", refusals=[Refusal(0, "not_granted", "", "no")]),
    "a receipt of a megabyte": results(receipt=bytes(2**20)),
    "dead clocks that are none": results(dead=b"\xff" * 100),
    "the time of another century": whole(now_us=2**52),
    "the end of time": whole(now_us=HUGE),
    "the beginning of time": whole(now_us=0),
    "an epoch of a megabyte": whole(epoch=bytes(2**20)),
    "no epoch": whole(epoch=b""),
    "another version": whole(version=99),
    "version zero": whole(version=0),
    "to wait for a century": whole(retry_after=3e9),
    "cursors wanted, each time": whole(send_cursors=True),
    "a repair of what is not there": whole(repair=[("athlete:x", RECORD_ID, bytes(16))]),
    "a repair by an id of a byte": lambda answer, scope: replace(answer, repair=[(scope, b"x", b"")]),
    "a repair of ten thousand": lambda answer, scope: replace(
        answer, repair=[(scope, number.to_bytes(16, "big"), bytes(16)) for number in range(10_000)]
    ),
    "a page of a scope without a name": page(scope=""),
    "a page of a scope that is none": page(scope="athlete:\x00"),
    "a page for an emperor": page(role="emperor"),
    "a page with a cursor of a megabyte": page(cursor=bytes(2**20)),
    "a page with everything left": page(remaining=HUGE, total=HUGE),
    "a page with another digest": page(digest=b"\x01" * 16),
    "a page with a digest of a byte": page(digest=b"\x01"),
    "a page that resets, each time": page(reset=True),
    "a page of the device's own scope": page(scope=SELF_SCOPE, records=[PulledRecord("profiles", RECORD_ID, GOOD)]),
    "a record by an id of a byte": record(GOOD, record_id=b"x"),
    "a record of a collection that is none": record(GOOD, collection="users"),
    "a record of a collection with a NUL": record(GOOD, collection="users\x00"),
    "a record in two collections": page(
        records=[PulledRecord("workout_logs", RECORD_ID, GOOD), PulledRecord("check_ins", RECORD_ID, GOOD)]
    ),
    "a record twice": page(records=[PulledRecord("workout_logs", RECORD_ID, GOOD)] * 2),
    "a delta of what is not here": record(encode_push(ME, 7, [GOOD_OP]), delta=True),
    "a record whose sets are a number": record(op({"sets": 5})),
    "a record whose sets are text": record(op({"sets": {"a": {"reps": "many", "load_kg": "heavy", "order": 5}}})),
    "a record whose date is a map": record(op({"date": {"year": 2026}, "title": ["x"], "deleted": "yes"})),
    "a record whose notes are a list": record(op({"notes": [1, [2]], "exercises": {"": None, "e": {"name": 7}}})),
    "a record of the year 10000": record(op({"date": "10000-01-01", "start_time": "2026-13-45T99:99:99"})),
    "every crafted update": records(hostile.UPDATES.values()),
    "every crafted update, as a delta": records(hostile.UPDATES.values(), delta=True),
    "every crafted op": records(encode_push(ME, 0, [crafted]) for crafted in hostile.OPS.values()),
    "everything well formed": records(hostile.VALID.values()),
}
"""Answers that no server of ours gives; each may come as often as the device asks."""

FORGETS: dict[str, Spoil] = {
    "its own scope": lambda answer, scope: replace(answer, forget=[scope]),
    "a scope that is not there": whole(forget=["athlete:x", "", "\x00"]),
    "one scope a thousand times": lambda answer, scope: replace(answer, forget=[scope] * 1000),
    "what was never given to it": whole(forget=[SELF_SCOPE]),
}
"""Scopes to forget: what was not sent of them goes into the rejected box."""


class World:
    """A server and a phone that has a record on it and another one not yet sent."""

    def __init__(self, folder: Path) -> None:
        clock = Clock()
        self.server = LoopbackServer(clock)
        self.account: Account = self.server.add_user("anna@example.org")
        self.phone = Phone(folder / "phone.db", self.server, self.account)
        self.sent = self.phone.create({"title": "Sent"})
        self.phone.sync()
        self.phone.edit(self.sent, {"notes": "not sent"})
        self.waiting = self.phone.create({"title": "Waiting", "date": "2026-03-01"})

    def sync_spoilt(self, spoil: Spoil) -> None:
        """Sync three times with an answer that is spoilt each time."""
        scope = self.phone.scope
        transport = SpoiltTransport(self.server, lambda answer: spoil(answer, scope))
        self.phone.transport = transport
        for _ in range(3):
            with suppress(SyncFailed, ProtocolError):
                self.phone.sync()
        transport.spoil = None

    def kept(self) -> str:
        """Give everything that is on the server or in the rejected box."""
        found = [repr(row[0]) for row in self.phone.local.store.sql.execute("SELECT patches FROM rejections")]
        for stored in self.server.scopes.values():
            for key in stored.records:
                found.append(repr(self.server.replay(f"athlete:{self.account.id}", str(UUID(bytes=key)))))
        return " ".join(found)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.phone.close()


@pytest.mark.parametrize("name", SPOILT)
def test_a_spoilt_answer_costs_nothing_that_was_written(world: World, name: str) -> None:
    world.sync_spoilt(SPOILT[name])
    assert_sound(world.phone.local)
    with suppress(ForbiddenField):
        world.phone.create({"title": "Written at once"})
    for _ in range(3):
        with suppress(SyncFailed, ProtocolError):
            world.phone.sync()
    world.phone.create({"title": "Written later"})
    world.phone.sync()
    assert_sound(world.phone.local)
    kept = world.kept()
    for text in ("not sent", "Waiting", "Written later"):
        assert text in kept, text


def test_answers_that_cannot_be_read_cost_nothing_that_was_written(world: World) -> None:
    answers = cycle(hostile.RESPONSES.values())
    transport = SpoiltTransport(world.server, lambda _answer: next(answers))
    world.phone.transport = transport
    for name in hostile.RESPONSES:
        with pytest.raises((BadAnswer, ProtocolError)):
            world.phone.sync()
        assert world.phone.state(world.waiting)["title"] == "Waiting", name
    transport.spoil = None
    world.phone.sync()
    assert_sound(world.phone.local)
    assert "not sent" in world.kept()


@pytest.mark.parametrize("name", FORGETS)
def test_what_a_spoilt_answer_forgets_is_sent_or_in_the_rejected_box(world: World, name: str) -> None:
    world.sync_spoilt(FORGETS[name])
    assert_sound(world.phone.local)
    world.phone.create({"title": "Written later"})
    for _ in range(2):
        world.phone.sync()
    assert_sound(world.phone.local)
    kept = world.kept()
    for text in ("not sent", "Waiting", "Written later"):
        assert text in kept, text


@pytest.mark.parametrize("name", [*hostile.BOMBS, *hostile.NO_FRAMES])
def test_a_bomb_is_a_bad_answer_and_takes_no_more_memory_than_an_answer_may(name: str) -> None:
    body = hostile.BOMBS.get(name) or hostile.NO_FRAMES[name]
    tracemalloc.start()
    try:
        with pytest.raises((BadAnswer, ProtocolError)):
            decode_response(decompress(body))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < BOMB_BYTES_MAX


@pytest.mark.parametrize("seconds", [math.nan, math.inf, -math.inf, 1e308, -1.0, 3601.0])
def test_whatever_a_busy_server_says_a_device_comes_back_within_the_hour(seconds: float) -> None:
    assert 0 <= ServerBusy(seconds).retry_after <= 3600
