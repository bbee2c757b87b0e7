"""A search finds what is here, whatever was here before: records that have gone leave nothing behind in the index."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from apex_client import signing
from apex_client.searching import hits, index_words
from tests.client.fleet import Clock, Phone, assert_sound, settle
from tests.client.loopback import LoopbackServer
from tests.client.test_doctor import states_in

ANNA, BERT = "anna@example.com", "bert@example.com"


@pytest.fixture
def server() -> LoopbackServer:
    server = LoopbackServer(Clock())
    for email in (ANNA, BERT):
        server.add_user(email)
    return server


@pytest.fixture
def phone(server: LoopbackServer, tmp_path: Path) -> Iterator[Phone]:
    """Give a device with records in the index, on a server that has them too."""
    phone = Phone(tmp_path / "a.db", server, server.accounts[ANNA])
    for n in range(3):
        phone.create({"title": f"Push {n}"})
    settle(phone)
    index_words(phone.local)
    yield phone
    phone.local.close()


def found(phone: Phone, words: str) -> list[str]:
    return sorted(hit.title for hit in hits(phone.local, words, limit=10))


def sign_in_again(phone: Phone) -> None:
    signing.sign_out(phone.local, discard_unsent=False)
    phone.reopen()
    phone.sign_in(phone.server.accounts[ANNA])


def change_the_account(phone: Phone) -> None:
    signing.sign_out(phone.local, discard_unsent=False)
    phone.sign_in(phone.server.accounts[BERT])
    phone.reopen()


def lose_access(phone: Phone) -> None:
    with phone.local.store.transaction():
        phone.local.store.drop_scope(phone.scope)
    phone.reopen()


def forget_what_was_never_sent(phone: Phone) -> None:
    record_id = phone.create({"title": "Push 3"})
    index_words(phone.local)
    with phone.local.store.transaction():
        phone.local.store.delete(phone.local.store.load(phone.scope, [record_id])[record_id])
    phone.reopen()


@pytest.mark.parametrize("lose", [sign_in_again, change_the_account, lose_access, forget_what_was_never_sent])
def test_a_record_is_found_after_others_have_gone(phone: Phone, lose: Callable[[Phone], None]) -> None:
    lose(phone)
    phone.create({"title": "Pull after"})
    assert found(phone, "pull") == ["Pull after"]
    assert states_in(phone.path) == {}
    assert_sound(phone.local)


def test_a_first_sync_after_signing_in_again_is_searched(phone: Phone) -> None:
    sign_in_again(phone)
    settle(phone)
    assert found(phone, "push") == ["Push 0", "Push 1", "Push 2"]


def test_what_was_logged_and_indexed_before_the_first_sign_in_is_found(server: LoopbackServer, tmp_path: Path) -> None:
    phone = Phone(tmp_path / "new.db", server, None)
    phone.create({"title": "Push"})
    phone.local.edit_sole("profiles", None, {"name": "Anna", "goals": ["strength"]})
    index_words(phone.local)
    phone.reopen()
    phone.sign_in(server.accounts[ANNA])
    assert found(phone, "push") == ["Push"]
    assert_sound(phone.local)
    phone.local.close()


def test_a_file_that_gave_numbers_again_is_indexed_anew(phone: Phone) -> None:
    phone.local.close()
    with closing(sqlite3.connect(phone.path)) as connection, connection:
        connection.execute("DELETE FROM words")
        connection.execute("UPDATE settings SET name = 'words_up_to' WHERE name = 'indexed_up_to'")
    phone.local = phone._open()
    assert found(phone, "push") == ["Push 0", "Push 1", "Push 2"]
    assert_sound(phone.local)


@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM words",
        "UPDATE words SET title = 'Pull' WHERE rowid = 2",
        "INSERT INTO words (rowid, title) VALUES (99, 'Nobody')",
    ],
)
def test_the_doctor_holds_the_index_against_the_records(phone: Phone, damage: str) -> None:
    assert states_in(phone.path) == {}
    phone.local.store.sql.execute(damage)
    assert states_in(phone.path) == {"tables": "wrong"}
