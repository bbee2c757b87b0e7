"""The tokens by which a server knows this device: one for each account, of which none is lost to another."""

from pathlib import Path

import pytest

from apex_client.accounts import User
from apex_client.known_devices import (
    KEPT_MAX,
    TRIED_MAX,
    device_token,
    device_tokens,
    forget_device,
    keep_device_token,
)
from apex_client.local import LocalReplica
from apex_client.store_file import migrations
from tests.client.fleet import Phone
from tests.client.loopback import LoopbackServer


@pytest.fixture
def local(tmp_path: Path, server: LoopbackServer) -> LocalReplica:
    return Phone(tmp_path / "phone.db", server, None).local


def keep(local: LocalReplica, user_id: str, email: str, token: str) -> None:
    with local.store.transaction():
        keep_device_token(local, User(user_id, email, "", "athlete"), token)


def test_each_account_keeps_its_own_and_the_last_used_of_an_address_is_tried_first(local: LocalReplica) -> None:
    keep(local, "first", "anna@example.com", "t1")
    keep(local, "second", "ANNA@example.com", "t2")
    keep(local, "bert", "bert@example.com", "t3")
    assert device_tokens(local, "anna@example.com") == ["t2", "t1"]
    keep(local, "first", "anna@example.com", "t1")
    assert device_tokens(local, "Anna@example.com") == ["t1", "t2"]
    assert [device_token(local, each) for each in ("first", "second", "bert", "nobody")] == ["t1", "t2", "t3", None]
    keep(local, "first", "anna@example.com", "t4")
    with local.store.transaction():
        forget_device(local, "second")
    assert device_tokens(local, "anna@example.com") == ["t4"]


def test_the_last_used_is_tried_for_an_address_that_is_new_here(local: LocalReplica) -> None:
    assert device_tokens(local, "anna@example.com") == []
    keep(local, "bert", "bert@example.com", "t1")
    keep(local, "first", "anna@example.com", "t2")
    assert device_tokens(local, "anna.new@example.com") == ["t2"]


def test_guesses_and_room_are_bounded(local: LocalReplica) -> None:
    for number in range(KEPT_MAX + 1):
        keep(local, f"{number}", "anna@example.com", f"t{number}")
    assert len(device_tokens(local, "anna@example.com")) == TRIED_MAX
    assert device_token(local, "0") is None and device_token(local, "1") == "t1"


def test_no_address_is_left_after_signing_out(local: LocalReplica) -> None:
    keep(local, "first", "anna@example.com", "t1")
    rows = local.store.sql.execute("SELECT value FROM settings").fetchall()
    assert not any(b"anna" in bytes(value) for (value,) in rows)


def test_the_one_of_an_earlier_version_is_anybodys_until_it_worked(local: LocalReplica) -> None:
    local.store.sql.execute("INSERT INTO settings (name, value) VALUES ('device_token', ?)", (b"t0_-",))
    local.store.sql.executescript(migrations()[6])
    assert device_tokens(local, "anna@example.com") == ["t0_-"]
    assert device_token(local, "whoever is signed in") == "t0_-"
    keep(local, "first", "anna@example.com", "t0_-")
    keep(local, "third", "cleo@example.com", "t3")
    assert device_tokens(local, "anna@example.com") == ["t0_-"]
    assert device_token(local, "first") == "t0_-" and device_token(local, "second") is None
