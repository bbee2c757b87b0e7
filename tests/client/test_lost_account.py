"""A server restored to before an account was made: whoever registers again keeps what their device holds."""

from pathlib import Path

import pytest

from apex_client import boxes, media_queue, signing
from apex_client.errors import AnotherUser, NotGranted, SignedInAlready, UnsentWork
from apex_client.lost_account import OTHER_ACCOUNT
from apex_sync.collection import Collection
from apex_sync.ids import derived_id
from tests.client.fleet import Clock, Phone, assert_converged, settle
from tests.client.loopback import Account, LoopbackServer

EMAIL = "anna@example.com"


@pytest.fixture
def server() -> LoopbackServer:
    server = LoopbackServer(Clock())
    server.add_user(EMAIL)
    return server


@pytest.fixture
def phone(server: LoopbackServer, tmp_path: Path) -> Phone:
    return Phone(tmp_path / "phone.db", server, server.accounts[EMAIL])


def forget_account(server: LoopbackServer, email: str) -> Account:
    """Lose an account with all that was its, and register it again."""
    for number in range(2):  # The loopback numbers accounts by their count.
        server.add_user(f"{number}@example.com")
    lost = server.accounts.pop(email)
    server.restore({})
    del server.grants[lost.id]
    return server.add_user(email)


def test_everything_goes_to_the_new_account_sent_or_not(
    server: LoopbackServer, phone: Phone, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = phone.create({"title": "sent", "sets": {"a": {"reps": 8}}})
    check_in = phone.create({"date": "2026-03-01"}, "check_ins")
    phone.local.edit_sole("profiles", None, {"height_cm": 171})
    monkeypatch.setattr(Collection, "forbidden_fields", lambda self, patch, role: [])
    phone.edit(check_in, {"coach_feedback": "Well done."}, "check_ins")
    monkeypatch.undo()
    settle(phone)
    unsent = phone.create({"title": "unsent"})
    old_scope, old_client_id = phone.scope, phone.client_id
    phone.sign_in(forget_account(server, EMAIL))
    assert phone.scope != old_scope
    assert phone.client_id != old_client_id
    settle(phone)
    assert phone.state(sent)["sets"] == {"a": {"reps": 8}}
    assert phone.state(unsent)["title"] == "unsent"
    assert phone.local.sole("profiles", None).state["height_cm"] == 171
    assert phone.local.sole("profiles", None).record_id == phone.scope.removeprefix("athlete:")
    assert "coach_feedback" not in phone.state(check_in, "check_ins")
    assert server.replay(phone.scope, sent).next_clocks.keys() == {phone.client_id}
    assert_converged(server, phone)
    assert [scope for scope in phone.local.store.scopes() if scope == old_scope] == []
    assert (
        len(phone.local.store.sql.execute("SELECT 1 FROM rejections WHERE scope = ?", (phone.scope,)).fetchall()) == 1
    )


def test_two_devices_of_one_person_meet_again_in_the_new_account(
    server: LoopbackServer, phone: Phone, tmp_path: Path
) -> None:
    watch = Phone(tmp_path / "watch.db", server, server.accounts[EMAIL], seed=5)
    shared = phone.create({"title": "t", "sets": {"a": {"reps": 8}}})
    settle(phone, watch)
    watch.edit(shared, {"sets": {"b": {"reps": 9}}})
    account = forget_account(server, EMAIL)
    for device in (phone, watch):
        device.sign_in(account)
    settle(phone, watch)
    assert phone.state(shared)["sets"] == {"a": {"reps": 8}, "b": {"reps": 9}}
    assert_converged(server, phone, watch)


def test_an_account_that_was_left_and_is_found_again_keeps_what_others_did_to_it_meanwhile(
    server: LoopbackServer, phone: Phone, tmp_path: Path
) -> None:
    """What goes there and back keeps its stamps: it is older than the tablet's edits, and takes none of them back."""
    first = server.accounts[EMAIL]
    tablet = Phone(tmp_path / "tablet.db", server, first, seed=5)
    shared = phone.create({"title": "t", "sets": {"a": {"reps": 8}, "b": {"reps": 9}}})
    settle(phone, tablet)
    phone.sign_in(server.add_user(EMAIL))
    settle(phone)
    tablet.edit(shared, {"sets": {"a": {"reps": 12}, "b": {"deleted": True}}})
    settle(tablet)
    phone.edit(shared, {"notes": "written in the other account"})
    phone.sign_in(first)
    settle(phone, tablet)
    for device in (phone, tablet):
        state = device.state(shared)
        assert state["sets"] == {"a": {"reps": 12}, "b": {"reps": 9, "deleted": True}}
        assert state["notes"] == "written in the other account"
    assert_converged(server, phone, tablet)


def test_an_unsent_message_is_not_dropped_with_its_thread(server: LoopbackServer, phone: Phone) -> None:
    coach = server.add_user("coach@example.com", "coach")
    server.link(coach, server.accounts[EMAIL])
    settle(phone)
    thread = f"thread:{coach.id}:{server.accounts[EMAIL].id}"
    sent, unsent = (derived_id("message", text) for text in ("sent", "unsent"))
    phone.local.create("messages", thread, {"athlete": {"type": "text", "text": "sent"}}, record_id=sent)
    settle(phone)
    phone.local.create("messages", thread, {"athlete": {"type": "text", "text": "unsent"}}, record_id=unsent)
    media_no = media_queue.begin(phone.local, thread, "image", "image/jpeg")
    media_queue.end(phone.local, media_no, "ab" * 32, 1)

    phone.sign_in(server.add_user(EMAIL))

    [item] = boxes.rejected(phone.local, limit=9)
    assert (item.record_id, item.scope, item.code, item.held) == (unsent, thread, OTHER_ACCOUNT, False)
    assert item.patches[0]["athlete"]["text"] == "unsent"
    [photo] = media_queue.items(phone.local, "refused")
    assert (photo.scope, photo.refusal) == (phone.scope, OTHER_ACCOUNT)
    with pytest.raises(NotGranted):
        boxes.reissue(phone.local, item.id)
    with pytest.raises(UnsentWork):
        signing.sign_out(phone.local, discard_unsent=False)


@pytest.mark.parametrize("spelling", ["ANNA@example.com", "\uff41nna@example\uff0ecom", "anna@EXAMPLE.com "])
def test_one_address_has_many_spellings(server: LoopbackServer, phone: Phone, spelling: str) -> None:
    phone.create({"title": "mine"})
    phone.sign_in(server.add_user(spelling))
    settle(phone)
    assert len(server.scopes[phone.scope].records) == 1


def test_somebody_else_still_gets_nothing(server: LoopbackServer, phone: Phone) -> None:
    phone.create({"title": "Anna's"})
    other = server.add_user("ben@example.com")
    with pytest.raises(AnotherUser):
        phone.sign_in(other)
    settle(phone)
    with pytest.raises(SignedInAlready):
        phone.sign_in(other)
    signing.sign_out(phone.local, discard_unsent=False)
    phone.sign_in(other)
    assert phone.local.store.sql.execute("SELECT count(*) FROM held_records").fetchone() == (0,)
