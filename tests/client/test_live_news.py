"""What comes by one of two conversations and does not continue what a device holds is not taken for all there is."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from apex_client.stepping import LiveConversation
from apex_sync.protocol import decode_request, encode_message
from apex_sync.protocol.messages import PROTOCOL_VERSION, ScopeCursor, SyncRequest
from apex_sync.session.session import SyncSession
from tests.client.fleet import Phone, assert_converged
from tests.client.loopback import LoopbackServer

NOW_US = 1_772_388_300_000_000


class Pair:
    """A coach's device on the live channel, and the phone of their athlete."""

    def __init__(self, folder: Path) -> None:
        self.server = LoopbackServer(lambda: NOW_US)
        athlete = self.athlete = self.server.add_user("anna@example.com")
        coach = self.coach = self.server.add_user("carla@example.com", "coach")
        self.server.link(coach, athlete)
        self.phone = Phone(folder / "phone.db", self.server, athlete, seed=1)
        self.desk = Phone(folder / "desk.db", self.server, coach, seed=2)
        self.scope = f"athlete:{athlete.id}"
        self.log("first")
        self.live = LiveConversation(self.desk.local)
        first = decode_request(self.live.open() or b"")
        self.live.take(encode_message(self.server.sync(coach.id, first)))
        self.told = self.place()

    def log(self, title: str) -> None:
        self.phone.create({"title": title})
        self.phone.sync()

    def place(self) -> bytes:
        return self.desk.local.store.scopes()[self.scope].cursor

    def news(self) -> bytes:
        """Give what the server sends to somebody who stands where the live channel was told."""
        asked = SyncRequest(PROTOCOL_VERSION, self.desk.client_id, NOW_US, cursors=[ScopeCursor(self.scope, self.told)])
        answer = self.server.sync(self.coach.id, asked)
        return encode_message(replace(answer, pages=[page for page in answer.pages if page.scope == self.scope]))

    def titles(self) -> list[str]:
        rows = self.desk.local.store.sql.execute("SELECT title FROM workout_log_rows ORDER BY title").fetchall()
        return [row[0] for row in rows]


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    made = Pair(tmp_path)
    yield made
    made.phone.close()
    made.desk.close()


def test_news_that_continues_what_is_held_is_taken(pair: Pair) -> None:
    pair.log("second")
    pair.live.take(pair.news())
    assert not pair.live.needs_sync
    assert pair.titles() == ["first", "second"]


def test_news_of_a_scope_that_was_dropped_meanwhile_is_not_all_of_it(pair: Pair) -> None:
    pair.server.unlink(pair.coach, pair.athlete)
    pair.desk.sync()
    pair.server.link(pair.coach, pair.athlete)
    pair.log("second")
    pair.live.take(pair.news())
    assert pair.live.needs_sync
    assert pair.titles() == []
    pair.desk.sync()
    assert pair.titles() == ["first", "second"]
    assert pair.desk.local.device.identity.repairs == 0
    assert_converged(pair.server, pair.phone, pair.desk)


def test_news_does_not_move_a_place_that_another_conversation_has_left(pair: Pair) -> None:
    pair.log("second")
    pair.desk.sync()
    here = pair.place()
    pair.live.take(pair.news())
    assert pair.live.needs_sync and pair.place() == here
    pair.live.push()
    pair.live.take(pair.news())
    assert pair.place() == here


def test_an_answer_on_its_way_while_the_scope_was_dropped_is_not_all_of_it(pair: Pair) -> None:
    session = SyncSession(pair.desk.local.device)
    asked = session.next_request()
    pair.server.unlink(pair.coach, pair.athlete)
    pair.desk.sync()
    pair.server.link(pair.coach, pair.athlete)
    pair.log("second")
    assert asked is not None
    session.absorb(pair.server.sync(pair.coach.id, asked))
    assert pair.titles() == [] and session.wants_pull
    exchange(pair, session)
    assert pair.titles() == ["first", "second"]
    assert pair.desk.local.device.identity.repairs == 0


def test_an_answer_on_its_way_while_the_scope_is_read_anew_leaves_nothing_out(pair: Pair) -> None:
    session = SyncSession(pair.desk.local.device)
    asked = session.next_request()
    pair.server.unlink(pair.coach, pair.athlete)
    pair.desk.sync()
    pair.server.link(pair.coach, pair.athlete)
    pair.log("second")
    begun = SyncSession(pair.desk.local.device, pull_bytes=1)
    first = begun.next_request()
    assert asked is not None and first is not None
    begun.absorb(pair.server.sync(pair.coach.id, first))
    assert pair.titles() == ["second"]
    session.absorb(pair.server.sync(pair.coach.id, asked))
    exchange(pair, session)
    assert pair.titles() == ["first", "second"]
    assert pair.desk.local.device.identity.repairs == 0


def exchange(pair: Pair, session: SyncSession) -> None:
    while (request := session.next_request()) is not None:
        session.absorb(pair.server.sync(pair.coach.id, request))
