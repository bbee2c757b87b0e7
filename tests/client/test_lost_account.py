"""A server restored to before an account was made: whoever registers again keeps what their device holds."""

from pathlib import Path

import pytest

from apex_client import signing
from apex_client.errors import AnotherUser, SignedInAlready
from apex_sync.collection import Collection
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
