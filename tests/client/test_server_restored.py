"""A server that lost what it had acknowledged gets it back from the devices, other devices' edits included."""

import shutil
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import pytest
from msgspec.structs import replace

from apex_client import boxes
from apex_sync.protocol import SyncRequest, SyncResponse
from apex_sync.session.held import Offer
from tests.client.fleet import Clock, Phone, assert_converged, settle
from tests.client.loopback import LoopbackServer, Span


@pytest.fixture
def server() -> LoopbackServer:
    server = LoopbackServer(Clock())
    server.add_user("anna@example.com")
    return server


def phones_of(server: LoopbackServer, path: Path, count: int) -> list[Phone]:
    return [Phone(path / f"{n}.db", server, server.accounts["anna@example.com"], seed=n) for n in range(count)]


def test_what_was_acknowledged_after_the_backup_comes_back(server: LoopbackServer, tmp_path: Path) -> None:
    one, two = phones_of(server, tmp_path, 2)
    old = one.create({"title": "old"})
    settle(one, two)
    backup = server.backup()
    one.edit(old, {"fatigue": 3})
    two.edit(old, {"mood": 4})
    new = one.create({"title": "new"})
    settle(one, two)
    two.edit(new, {"notes": "seen by both"})
    settle(two, one)
    server.restore(backup)
    settle(one, two)
    assert one.state(old)["fatigue"] == 3 and one.state(old)["mood"] == 4
    assert two.state(new)["notes"] == "seen by both"
    assert_converged(server, one, two)


def test_one_device_alone_brings_back_the_edits_of_another(server: LoopbackServer, tmp_path: Path) -> None:
    one, gone = phones_of(server, tmp_path, 2)
    backup = server.backup()
    record_id = gone.create({"title": "from a lost watch"})
    gone.sync()
    one.sync()
    one.edit(record_id, {"notes": "edited here"})
    one.sync()
    gone.close()
    server.restore(backup)
    settle(one)
    assert server.replay(one.scope, record_id).next_clocks.keys() == {one.client_id, gone.client_id}
    assert_converged(server, one)


def test_unsent_edits_survive_the_restore(server: LoopbackServer, tmp_path: Path) -> None:
    one, two = phones_of(server, tmp_path, 2)
    record_id = one.create({"title": "t"})
    settle(one, two)
    backup = server.backup()
    two.edit(record_id, {"mood": 4})
    settle(two, one)
    one.edit(record_id, {"fatigue": 3})
    server.restore(backup)
    settle(one, two)
    assert {"mood": 4, "fatigue": 3}.items() <= two.state(record_id).items()
    assert_converged(server, one, two)


def test_without_a_receipt_own_edits_go_up_from_the_first(server: LoopbackServer, tmp_path: Path) -> None:
    (one,) = phones_of(server, tmp_path, 1)
    backup = server.backup()
    record_id = one.create({"title": "t"})
    one.sync()
    one.edit(record_id, {"fatigue": 3})
    one.sync()
    held = one.local.store.one(one.scope, record_id)
    assert held is not None
    with one.local.store.transaction():
        held.receipt = b""
        one.local.store.save_progress([held])
    server.restore(backup)
    settle(one)
    assert server.replay(one.scope, record_id).next_clocks == {one.client_id: 2}
    assert_converged(server, one)


def test_an_own_history_with_dead_clocks_and_no_receipt_goes_up_under_a_new_id(
    server: LoopbackServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (one,) = phones_of(server, tmp_path, 1)
    backup = server.backup()
    record_id = one.create({"title": "t"})
    monkeypatch.setattr("apex_sync.acceptance.latest_acceptable_hlc", lambda *_: 0)
    one.sync()
    monkeypatch.undo()
    one.edit(record_id, {"fatigue": 3})
    one.sync()
    held = one.local.store.one(one.scope, record_id)
    assert held is not None
    with one.local.store.transaction():
        held.receipt, held.offer = b"", Offer.FROM_ZERO
        one.local.store.save_progress([held])
    server.restore(backup)
    before = one.client_id
    settle(one)
    assert one.client_id != before
    assert one.state(record_id) == {"fatigue": 3}
    assert_converged(server, one)


def test_an_answer_without_a_receipt_is_no_sign_of_a_restored_server(
    server: LoopbackServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A real server gives none while its record holds what this device has not seen: no reason to push again."""
    one, two = phones_of(server, tmp_path, 2)
    record_id = one.create({"title": "Push"})
    settle(one, two)
    two.edit(record_id, {"mood": 4})
    two.sync()
    one.edit(record_id, {"fatigue": 3})
    monkeypatch.setattr(LoopbackServer, "_receipt", lambda *_: b"")
    assert one.sync().pushed == 1
    monkeypatch.undo()
    settle(one, two)
    assert_converged(server, one, two)


@pytest.mark.parametrize("compacted", [False, True])
def test_own_edits_that_a_restored_server_buried_are_written_again(
    server: LoopbackServer, tmp_path: Path, compacted: bool
) -> None:
    """All that was left of them there is that somebody had seen them, so their clocks died."""
    one, two = phones_of(server, tmp_path, 2)
    record_id = one.create({"title": "t"})
    settle(one, two)
    backup = server.backup()
    one.edit(record_id, {"notes": "seen and lost"})
    settle(one, two)
    server.restore(backup)
    bury(server, one, record_id)
    if compacted:
        server.compact()
    before = one.client_id
    settle(one)
    assert one.client_id != before
    assert one.state(record_id)["notes"] == "seen and lost"
    settle(two, one)
    assert boxes.rejected(one.local, limit=10) == boxes.rejected(two.local, limit=10) == []
    assert_converged(server, one, two)


@pytest.mark.parametrize("compacted", [False, True])
def test_edits_of_others_that_a_restored_server_buried_are_written_again(
    server: LoopbackServer, tmp_path: Path, compacted: bool
) -> None:
    one, gone = phones_of(server, tmp_path, 2)
    record_id = one.create({"title": "t"})
    settle(one, gone)
    backup = server.backup()
    gone.edit(record_id, {"notes": "from a lost watch"})
    settle(gone, one)
    gone.close()
    server.restore(backup)
    bury(server, gone, record_id)
    if compacted:
        server.compact()
    settle(one)
    assert one.state(record_id)["notes"] == "from a lost watch"
    assert boxes.rejected(one.local, limit=10) == []
    assert_converged(server, one)


def clone_of(phone: Phone, path: Path) -> Phone:
    """Give a second device from a whole copy of the first one, which writes under the same client id."""
    phone.local.close()
    for name in (".db", ".db.identity"):
        shutil.copy(phone.path.with_suffix(name), path / f"clone{name}")
    phone.reopen()
    clone = Phone(path / "clone.db", phone.server, None, seed=77)
    assert clone.client_id == phone.client_id
    return clone


def test_an_edit_of_a_clone_that_came_first_to_a_restored_server_is_no_edit_that_was_seen(
    server: LoopbackServer, tmp_path: Path
) -> None:
    """It stands under the clock of what the phone had acknowledged before, so it looks like the phone's own."""
    (one,) = phones_of(server, tmp_path, 1)
    backup = server.backup()
    record_id = one.create({"title": "t"})
    clone = clone_of(one, tmp_path)
    clone.edit(record_id, {"notes": "on the clone"})
    one.sync()
    one.edit(record_id, {"notes": "on the phone"})
    server.restore(backup)
    clone.sync()
    settle(one, clone)
    held = one.local.store.one(one.scope, record_id)
    assert held is not None
    (conflict,) = held.conflicts
    assert conflict.kept is not None
    assert {conflict.kept.value, *(claim.value for claim in conflict.discarded)} == {"on the clone", "on the phone"}
    assert_converged(server, one, clone)


def test_what_needs_a_new_client_id_first_is_not_taken_for_lost(server: LoopbackServer, tmp_path: Path) -> None:
    """A clone wrote under the clock of an own edit; that does not make what others wrote this device's."""
    one, two = phones_of(server, tmp_path, 2)
    record_id = two.create({"title": "t"})
    settle(two, one)
    clone = clone_of(one, tmp_path)
    clone.edit(record_id, {"mood": 4})
    clone.sync()
    one.edit(record_id, {"fatigue": 3})
    held = one.local.store.one(one.scope, record_id)
    assert held is not None
    with one.local.store.transaction():
        held.offer = Offer.RESCUE
        one.local.store.save_progress([held])
    settle(one, two, clone)
    authors = {
        field: write.client_id for write in server.replay(one.scope, record_id).writes() for field in write.patch
    }
    assert authors.items() >= {"title": two.client_id, "mood": clone.client_id, "fatigue": one.client_id}.items()
    assert_converged(server, one, two, clone)


def without_pages(response: SyncResponse, key: bytes) -> SyncResponse:
    """The app is too old to read, or the database went in between."""
    return replace(response, pages=[])


def full(response: SyncResponse, key: bytes) -> SyncResponse:
    """Something else is new, and takes the room."""
    pages = [replace(page, records=[one for one in page.records if one.record_id != key]) for page in response.pages]
    assert any(page.records for page in pages)
    return replace(response, pages=pages)


@pytest.mark.parametrize("spoilt", [without_pages, full])
def test_only_an_answer_that_could_have_had_a_record_says_that_the_server_has_none(
    server: LoopbackServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    spoilt: Callable[[SyncResponse, bytes], SyncResponse],
) -> None:
    one, two = phones_of(server, tmp_path, 2)
    record_id = one.create({"title": "t"})
    settle(one, two)
    two.edit(record_id, {"mood": 4})
    settle(two, one)
    two.create({"title": "new"})
    two.sync()
    held = one.local.store.one(one.scope, record_id)
    assert held is not None
    with one.local.store.transaction():
        held.offer = Offer.RESCUE
        one.local.store.save_progress([held])
    answer = LoopbackServer.sync
    asked: list[bytes] = []

    def spoilt_once(self: LoopbackServer, user_id: str, request: SyncRequest) -> SyncResponse:
        response = answer(self, user_id, request)
        asked.extend(key for _, key in request.resend)
        return spoilt(response, asked[0]) if request.resend and len(asked) == 1 else response

    monkeypatch.setattr(LoopbackServer, "sync", spoilt_once)
    settle(one, two)
    assert asked
    assert server.replay(one.scope, record_id).next_clocks == {one.client_id: 1, two.client_id: 1}
    assert_converged(server, one, two)


def bury(server: LoopbackServer, author: Phone, record_id: str) -> None:
    """Let the next clock of a device die, as when an op arrives that had seen it."""
    scope = server.scopes[author.scope]
    key = UUID(record_id).bytes
    document = scope.records[key].document.copy()
    clock = document.append_dead(author.client_id)
    server._commit(scope, key, scope.records[key], document, [Span(0, author.client_id, clock)])
