"""What a server does not take stays on the device: written again where that is permitted, else in the rejected box."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from apex_client import boxes, listing
from apex_client.errors import NoSuchRecord, NotGranted, UnsentWork
from apex_client.signing import sign_out
from apex_client.stepping import absorb, next_message
from apex_sync.collection import Collection
from apex_sync.errors import FieldProblem
from apex_sync.models import COLLECTIONS
from apex_sync.protocol import decode_response
from apex_sync.session import SyncSession
from tests.client.fleet import Clock, Phone, assert_converged, assert_sound, settle
from tests.client.loopback import LoopbackServer

YEAR_SECONDS = 365 * 24 * 3600


@pytest.fixture
def server() -> LoopbackServer:
    return LoopbackServer(Clock())


def phone_of(server: LoopbackServer, path: Path, email: str = "anna@example.com", seed: int = 0, **more: Any) -> Phone:
    account = server.accounts.get(email) or server.add_user(email)
    return Phone(path / f"{email}-{seed}.db", server, account, seed=seed, **more)


@pytest.mark.parametrize("years", [1, 40, -3])
def test_a_clock_that_is_years_off_loses_no_edit(server: LoopbackServer, tmp_path: Path, years: int) -> None:
    clock = Clock(server.now_us() + int(years * YEAR_SECONDS * 1e6))
    phone = phone_of(server, tmp_path, clock=clock)
    other = phone_of(server, tmp_path, seed=1)
    record_id = phone.create({"fatigue": 3, "notes": "a"})
    phone.sync()
    phone.edit(record_id, {"fatigue": 4})
    phone.sync()
    other.sync()
    assert other.state(record_id)["fatigue"] == 4
    other.edit(record_id, {"fatigue": 5})
    other.sync()
    phone.sync()
    phone.edit(record_id, {"fatigue": 6, "mood": 2})
    settle(phone, other)
    assert phone.state(record_id)["fatigue"] == 6
    assert_converged(server, phone, other)
    assert boxes.rejected(phone.local, limit=10) == []


def test_a_skewed_edit_does_not_undo_a_later_one_of_the_same_device(server: LoopbackServer, tmp_path: Path) -> None:
    clock = Clock(server.now_us() + int(YEAR_SECONDS * 1e6))
    phone = phone_of(server, tmp_path, clock=clock)
    record_id = phone.create({"fatigue": 3, "notes": "first"})
    session = SyncSession(phone.local.device)
    message = next_message(session)
    assert message is not None and phone.local.session is not None
    phone.edit(record_id, {"fatigue": 4})
    absorb(session, decode_response(phone.transport.exchange_now(phone.local.session.access_token, message)))
    settle(phone)
    assert phone.state(record_id)["fatigue"] == 4 and phone.state(record_id)["notes"] == "first"
    assert_converged(server, phone)


def test_a_forbidden_leaf_is_refused_alone_and_kept_in_the_box(
    server: LoopbackServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The device of an older app does not know the rule that the server has."""
    phone = phone_of(server, tmp_path)
    monkeypatch.setattr(Collection, "forbidden_fields", lambda self, patch, role: [])
    record_id = phone.create({"notes": "tired", "coach_feedback": "well done", "date": "2026-03-01"}, "check_ins")
    monkeypatch.undo()
    tally = phone.sync()
    assert (tally.rejected, tally.reissued, tally.acknowledged) == (1, 1, 2)
    assert "coach_feedback" not in phone.state(record_id, "check_ins")
    assert phone.state(record_id, "check_ins")["notes"] == "tired"
    (item,) = boxes.rejected(phone.local, limit=10)
    assert (item.code, item.field, item.patches) == ("forbidden", "coach_feedback", ({"coach_feedback": "well done"},))
    assert listing.record_status(phone.local, record_id).state == "rejected"
    assert_converged(server, phone)
    boxes.drop(phone.local, item.id)
    assert listing.record_status(phone.local, record_id).state == "synced"
    with pytest.raises(NoSuchRecord):
        boxes.drop(phone.local, item.id)


def test_an_answer_lost_after_a_refusal_gives_the_same_outcome(
    server: LoopbackServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    phone = phone_of(server, tmp_path)
    other = phone_of(server, tmp_path, seed=1)
    monkeypatch.setattr(Collection, "forbidden_fields", lambda self, patch, role: [])
    record_id = phone.create({"notes": "tired", "coach_feedback": "well done"}, "check_ins")
    monkeypatch.undo()
    session = SyncSession(phone.local.device)
    message = next_message(session)
    assert message is not None and phone.local.session is not None
    phone.transport.exchange_now(phone.local.session.access_token, message)
    other.sync()
    other.edit(record_id, {"weight_kg": 80}, "check_ins")
    other.sync()
    settle(phone, other)
    (item,) = boxes.rejected(phone.local, limit=10)
    assert item.patches == ({"coach_feedback": "well done"},)
    state = phone.state(record_id, "check_ins")
    assert state["notes"] == "tired" and state["weight_kg"] == 80 and "coach_feedback" not in state
    assert_converged(server, phone, other)


def test_a_mistyped_field_leaves_the_others_of_the_edit(
    server: LoopbackServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    phone = phone_of(server, tmp_path)
    record_id = phone.create({"title": "Push", "fatigue": 7})
    monkeypatch.setattr(
        Collection, "check_types", lambda self, patch: FieldProblem("fatigue", "no") if "fatigue" in patch else None
    )
    tally = phone.sync()
    assert (tally.rejected, tally.reissued) == (1, 1)
    assert {"title": "Push"}.items() <= phone.state(record_id).items() and "fatigue" not in phone.state(record_id)
    (item,) = boxes.rejected(phone.local, limit=10)
    assert item.patches == ({"fatigue": 7},)
    monkeypatch.undo()
    boxes.reissue(phone.local, item.id)
    settle(phone)
    assert phone.state(record_id)["fatigue"] == 7
    assert boxes.rejected(phone.local, limit=10) == []
    assert_converged(server, phone)


def test_a_server_that_refuses_everything_ends_in_the_box_and_not_in_a_loop(
    server: LoopbackServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    phone = phone_of(server, tmp_path)
    record_id = phone.create({"title": "Push"})
    monkeypatch.setattr("apex_sync.acceptance.latest_acceptable_hlc", lambda *_: 0)
    phone.sync()
    (item,) = boxes.rejected(phone.local, limit=10)
    assert item.code == "clock_skew" and item.patches[0]["title"] == "Push"
    assert phone.state(record_id) == {}
    assert_sound(phone.local)


def test_an_unknown_collection_blocks_its_record_alone_until_the_server_knows_it(
    server: LoopbackServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    phone = phone_of(server, tmp_path)
    check_in = phone.create({"notes": "new kind"}, "check_ins")
    workout = phone.create({"title": "Push"})
    monkeypatch.setattr("tests.client.loopback.COLLECTIONS", {"workout_logs": COLLECTIONS["workout_logs"]})
    phone.sync()
    assert listing.record_status(phone.local, workout).state == "synced"
    assert listing.record_status(phone.local, check_in).state == "rejected"
    assert phone.state(check_in, "check_ins")["notes"] == "new kind"
    phone.edit(check_in, {"notes": "edited"}, "check_ins")
    phone.sync()
    monkeypatch.undo()
    (item,) = boxes.rejected(phone.local, limit=10)
    assert item.held and item.code == "unknown_collection"
    boxes.reissue(phone.local, item.id)
    settle(phone)
    assert phone.state(check_in, "check_ins")["notes"] == "edited"
    assert_converged(server, phone)


def test_dropping_a_blocked_record_that_was_never_sent_removes_it(
    server: LoopbackServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    phone = phone_of(server, tmp_path)
    check_in = phone.create({"notes": "new kind"}, "check_ins")
    monkeypatch.setattr("tests.client.loopback.COLLECTIONS", {})
    phone.sync()
    (item,) = boxes.rejected(phone.local, limit=10)
    boxes.drop(phone.local, item.id)
    with pytest.raises(NoSuchRecord):
        phone.state(check_in, "check_ins")
    assert_sound(phone.local)


def test_an_ended_grant_takes_the_records_and_keeps_unsent_work_in_the_box(
    server: LoopbackServer, tmp_path: Path
) -> None:
    athlete = phone_of(server, tmp_path)
    coach_account = server.add_user("coach@example.com", "coach")
    server.link(coach_account, server.accounts["anna@example.com"])
    record_id = athlete.create({"title": "Push"})
    athlete.sync()
    coach = phone_of(server, tmp_path, "coach@example.com", seed=5)
    coach.sync()
    coach.edit(record_id, {"notes": "good work"})
    server.unlink(coach_account, server.accounts["anna@example.com"])
    tally = coach.sync()
    assert (tally.forgotten, tally.rejected) >= (1, 1)
    with pytest.raises(NoSuchRecord):
        coach.state(record_id)
    (item,) = boxes.rejected(coach.local, limit=10)
    assert item.code == "not_granted" and item.patches[-1] == {"notes": "good work"}
    with pytest.raises(NotGranted):
        boxes.reissue(coach.local, item.id)
    with pytest.raises(UnsentWork):
        sign_out(coach.local, discard_unsent=False)
    assert_sound(coach.local)
    server.link(coach_account, server.accounts["anna@example.com"])
    coach.sync()
    boxes.reissue(coach.local, item.id)
    settle(coach, athlete)
    assert athlete.state(record_id)["notes"] == "good work"
    assert_converged(server, coach, athlete)


def test_a_retry_leaves_everything_as_it_is(server: LoopbackServer, tmp_path: Path) -> None:
    from apex_client.errors import ServerBusy

    phone = phone_of(server, tmp_path)
    record_id = phone.create({"title": "Push"})
    server.retry_after = 3.0
    with pytest.raises(ServerBusy) as caught:
        phone.sync()
    assert caught.value.retry_after == 3.0
    server.retry_after = 0.0
    settle(phone)
    assert phone.state(record_id)["title"] == "Push"
    assert_converged(server, phone)
    assert msgspec.json.encode(phone.state(record_id))
