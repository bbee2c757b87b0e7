"""No two devices write as one: copies, clones and restored images of a replica are told apart, and lose nothing."""

import errno
import shutil
from pathlib import Path

import pytest

from apex_client import boxes
from apex_client.errors import DiskFull, ReplicaError
from apex_client.identity import IdentityFile
from apex_client.stepping import absorb, next_message
from apex_sync.errors import ProtocolError
from apex_sync.protocol import PROTOCOL_VERSION, PushResult, SyncResponse, decode_response
from apex_sync.session.session import SyncSession
from tests.client.fleet import Clock, Phone, assert_converged, settle
from tests.client.loopback import LoopbackServer


@pytest.fixture
def server() -> LoopbackServer:
    server = LoopbackServer(Clock())
    server.add_user("anna@example.com")
    return server


def phone_of(server: LoopbackServer, path: Path, seed: int = 0) -> Phone:
    return Phone(path, server, server.accounts["anna@example.com"], seed=seed)


def copy_of(phone: Phone, path: Path, *, with_identity: bool) -> None:
    phone.local.close()
    path.parent.mkdir(exist_ok=True)
    shutil.copy(phone.path, path)
    if with_identity:
        shutil.copy(f"{phone.path}.identity", f"{path}.identity")
    phone.local = phone._open()


def test_reopening_keeps_the_client_id(server: LoopbackServer, tmp_path: Path) -> None:
    phone = phone_of(server, tmp_path / "a.db")
    before = phone.client_id
    phone.reopen()
    phone.reopen()
    assert phone.client_id == before


@pytest.mark.parametrize("damage", ["missing", "empty", "foreign"])
def test_a_replica_without_its_identity_file_writes_under_a_new_client_id(
    server: LoopbackServer, tmp_path: Path, damage: str
) -> None:
    phone = phone_of(server, tmp_path / "a.db")
    record_id = phone.create({"title": "Push"})
    before = phone.client_id
    phone.local.close()
    identity = tmp_path / "a.db.identity"
    if damage == "missing":
        identity.unlink()
    else:
        identity.write_text("" if damage == "empty" else '{"seals": ["00"]}')
    phone.local = phone._open()
    assert phone.client_id != before
    settle(phone)
    assert phone.state(record_id)["title"] == "Push"
    assert_converged(server, phone)


def test_a_copied_file_and_its_original_both_keep_their_unsent_work(server: LoopbackServer, tmp_path: Path) -> None:
    phone = phone_of(server, tmp_path / "a.db")
    record_id = phone.create({"title": "Push"})
    phone.sync()
    phone.edit(record_id, {"notes": "unsent"})
    copy_of(phone, tmp_path / "copy" / "a.db", with_identity=False)
    clone = phone_of(server, tmp_path / "copy" / "a.db", seed=7)
    assert clone.client_id != phone.client_id
    phone.edit(record_id, {"fatigue": 3})
    clone.edit(record_id, {"mood": 4})
    settle(phone, clone)
    assert {"notes": "unsent", "fatigue": 3, "mood": 4}.items() <= phone.state(record_id).items()
    assert_converged(server, phone, clone)


@pytest.mark.parametrize("first", [0, 1])
def test_a_clone_with_its_identity_is_told_apart_by_the_server(
    server: LoopbackServer, tmp_path: Path, first: int
) -> None:
    """Where even the identity file was cloned, both devices write under one id until the server sees it."""
    phone = phone_of(server, tmp_path / "a.db")
    record_id = phone.create({"title": "Push"})
    phone.sync()
    phone.edit(record_id, {"notes": "unsent in both"})
    copy_of(phone, tmp_path / "clone" / "a.db", with_identity=True)
    clone = phone_of(server, tmp_path / "clone" / "a.db", seed=7)
    assert clone.client_id == phone.client_id
    phone.edit(record_id, {"fatigue": 3})
    clone.edit(record_id, {"mood": 4})
    extra = clone.create({"title": "only on the clone"})
    pair = (phone, clone)
    settle(pair[first], pair[1 - first])
    assert clone.client_id != phone.client_id
    for device in pair:
        assert {"notes": "unsent in both", "fatigue": 3, "mood": 4}.items() <= device.state(record_id).items()
        assert device.state(extra)["title"] == "only on the clone"
        assert boxes.conflicts(device.local, None, limit=10) == []
    assert_converged(server, phone, clone)


def test_what_a_clone_wrote_is_its_own_and_not_written_again_by_the_other(
    server: LoopbackServer, tmp_path: Path
) -> None:
    """Written again, it would come after what this device wrote, as if that had been overwritten knowingly."""
    phone, watch = phone_of(server, tmp_path / "a.db"), phone_of(server, tmp_path / "b.db", seed=1)
    record_id = phone.create({"title": "Push"})
    settle(phone, watch)
    copy_of(phone, tmp_path / "clone" / "a.db", with_identity=True)
    clone = phone_of(server, tmp_path / "clone" / "a.db", seed=7)
    for title in ("one", "two"):
        clone.edit(record_id, {"title": title})
        clone.sync()
    watch.edit(record_id, {"mood": 4})
    watch.sync()
    phone.edit(record_id, {"title": "three"})
    settle(phone, clone, watch)
    assert clone.client_id != phone.client_id
    (conflict,) = boxes.conflicts(phone.local, None, limit=10)
    assert {claim.value for claim in (conflict.kept, *conflict.discarded) if claim} == {"two", "three"}
    assert_converged(server, phone, clone, watch)


def test_an_edit_that_never_left_is_not_acknowledged_because_a_clone_wrote_under_its_clock(
    server: LoopbackServer, tmp_path: Path
) -> None:
    phone = phone_of(server, tmp_path / "a.db")
    record_id = phone.create({"title": "Push"})
    phone.sync()
    phone.edit(record_id, {"fatigue": 3})
    lost = next_message(SyncSession(phone.local.device))
    assert lost is not None
    copy_of(phone, tmp_path / "clone" / "a.db", with_identity=True)
    clone = phone_of(server, tmp_path / "clone" / "a.db", seed=7)
    clone.sync()
    clone.edit(record_id, {"mood": 4})
    clone.sync()
    phone.edit(record_id, {"notes": "unsent"})
    session = SyncSession(phone.local.device, pull=False)
    message = next_message(session)
    assert message is not None
    assert phone.local.session is not None
    absorb(session, decode_response(phone.transport.exchange_now(phone.local.session.access_token, message)))
    held = phone.local.store.one(phone.scope, record_id)
    assert held is not None
    assert held.unacknowledged
    settle(phone, clone)
    assert {"fatigue": 3, "mood": 4, "notes": "unsent"}.items() <= phone.state(record_id).items()
    assert_converged(server, phone, clone)


def test_an_old_image_of_a_device_comes_back_without_losing_what_either_had(
    server: LoopbackServer, tmp_path: Path
) -> None:
    phone = phone_of(server, tmp_path / "a.db")
    record_id = phone.create({"title": "Push"})
    phone.sync()
    phone.edit(record_id, {"notes": "in the image"})
    copy_of(phone, tmp_path / "image" / "a.db", with_identity=True)
    phone.edit(record_id, {"fatigue": 3})
    phone.sync()
    phone.edit(record_id, {"pump": 9})
    phone.sync()
    phone.local.close()
    image = phone_of(server, tmp_path / "image" / "a.db", seed=7)
    image.edit(record_id, {"mood": 4})
    settle(image)
    assert {"notes": "in the image", "fatigue": 3, "pump": 9, "mood": 4}.items() <= image.state(record_id).items()
    assert_converged(server, image)
    image.close()


def test_a_crash_between_the_two_seals_makes_no_stranger_of_the_replica(
    server: LoopbackServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    phone = phone_of(server, tmp_path / "a.db")
    before = phone.client_id
    from apex_client.store import ReplicaStore

    for target, name in ((IdentityFile, "write"), (ReplicaStore, "keep_setting")):
        phone.local.close()
        calls = 0
        real = getattr(target, name)

        def failing(self: object, *args: object, **kwargs: object) -> None:
            nonlocal calls
            calls += 1
            if calls == 2 or target is ReplicaStore:  # noqa: B023
                raise RuntimeError("crash")
            real(self, *args, **kwargs)  # noqa: B023

        monkeypatch.setattr(target, name, failing)
        with pytest.raises(RuntimeError):
            phone._open()
        monkeypatch.undo()
        phone.local = phone._open()
        assert phone.client_id == before


def test_a_moments_failure_to_read_the_identity_makes_no_stranger_of_the_replica(
    server: LoopbackServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    phone = phone_of(server, tmp_path / "a.db")
    before = phone.client_id
    phone.local.close()

    def failing(self: Path, *args: object) -> str:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(Path, "read_text", failing)
    with pytest.raises(ReplicaError):
        phone._open()
    monkeypatch.undo()
    phone.local = phone._open()
    assert phone.client_id == before


def test_a_replica_that_is_known_can_be_read_on_a_full_disk(
    server: LoopbackServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    phone = phone_of(server, tmp_path / "a.db")
    record_id, before = phone.create({"title": "Push"}), phone.client_id
    phone.local.close()

    def failing(self: IdentityFile, *seals: str, durable: bool) -> None:
        raise DiskFull(self.path, "the disk is full")

    monkeypatch.setattr(IdentityFile, "write", failing)
    phone.local = phone._open()
    assert phone.state(record_id)["title"] == "Push"
    monkeypatch.undo()
    phone.reopen()
    assert phone.client_id == before


def test_a_new_client_id_that_was_not_kept_is_not_written_under(server: LoopbackServer, tmp_path: Path) -> None:
    phone = phone_of(server, tmp_path / "a.db")
    record_id = phone.create({"title": "Push"})
    phone.sync()
    before = phone.client_id
    with pytest.raises(RuntimeError), phone.local.store.transaction():
        phone.local.device.fork()
        raise RuntimeError("the disk failed")
    phone.edit(record_id, {"fatigue": 3})
    assert phone.client_id == before
    settle(phone)
    assert_converged(server, phone)


def test_a_server_that_finds_every_client_id_taken_ends_a_sync(server: LoopbackServer, tmp_path: Path) -> None:
    phone = phone_of(server, tmp_path / "a.db")
    record_id = phone.create({"title": "Push"})
    session = SyncSession(phone.local.device)
    before = phone.client_id
    with pytest.raises(ProtocolError):
        while request := session.next_request():
            results = [PushResult("forked") for _ in request.push]
            session.absorb(SyncResponse(PROTOCOL_VERSION, server.now_us(), server.epoch, results))
    assert phone.client_id != before
    settle(phone)
    assert phone.state(record_id)["title"] == "Push"
    assert_converged(server, phone)


def test_an_answer_to_the_client_id_of_before_says_nothing_about_the_new_one(
    server: LoopbackServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two requests overlap, and the answer to the first makes the device leave its client id."""
    phone = phone_of(server, tmp_path / "a.db")
    shared = phone.create({"title": "Push"})
    phone.sync()
    copy_of(phone, tmp_path / "clone" / "a.db", with_identity=True)
    clone = phone_of(server, tmp_path / "clone" / "a.db", seed=7)
    phone.edit(shared, {"fatigue": 3})
    phone.sync()
    clone.edit(shared, {"mood": 4})
    extra = clone.create({"title": "extra"})
    monkeypatch.setattr("apex_sync.session.session.PUSH_RECORDS_MAX", 1)
    session = SyncSession(clone.local.device)
    messages = [next_message(session), next_message(session)]
    assert clone.local.session is not None
    token = clone.local.session.access_token
    for answer in [clone.transport.exchange_now(token, message) for message in messages if message]:
        absorb(session, decode_response(answer))
    held = clone.local.store.one(clone.scope, extra)
    assert held is not None and held.client_id == clone.client_id
    assert (held.acked, held.pending) == (0, True)
    settle(clone, phone)
    assert clone.state(extra)["title"] == "extra" and phone.state(shared).keys() >= {"mood", "fatigue"}
    assert_converged(server, phone, clone)
