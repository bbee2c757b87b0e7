"""The doctor finds a sound replica sound, names what is wrong with another, and gets out of it what can be read."""

import hashlib
import json
import random
import shutil
import sqlite3
import zipfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from apex_client import Credentials
from apex_client.blocking import Replica
from apex_client.doctor import (
    Finding,
    ReplicaImage,
    Unreadable,
    content_findings,
    file_findings,
    salvage,
    server_findings,
)
from apex_client.store_file import APPLICATION_ID
from apex_sync.collection import Collection
from apex_sync.wire import parse_document
from tests.client.apex_command import Terminal
from tests.client.fleet import Clock, Phone, settle
from tests.client.loopback import LoopbackServer
from tests.client.loopback_transport import BlockingLoopbackTransport, Faults

EMAIL = "anna@example.com"
PAGE_BYTES = 4096


@pytest.fixture
def server() -> LoopbackServer:
    server = LoopbackServer(Clock())
    server.add_user(EMAIL)
    return server


@pytest.fixture
def phone(server: LoopbackServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Phone]:
    """Give a device with edits that met, deleted records, values out of bounds, a refused field and unsent work."""
    one, two = [Phone(tmp_path / f"{name}.db", server, server.accounts[EMAIL], seed=n) for n, name in enumerate("ab")]
    sets = {f"s{place}": {"exercise": "e", "order": f"{place}", "reps": 8, "load_kg": 100.5} for place in range(5)}
    ids = [
        one.create({"title": f"Log {n}", "notes": "Fine.", "exercises": {"e": {"name": "Squat"}}, "sets": sets})
        for n in range(30)
    ]
    one.create({"date": "2026-03-01", "responses": {"energy": 7}}, "check_ins")
    one.create({"name": "Anna", "goals": ["strength"]}, "profiles")
    settle(one, two)
    one.edit(ids[0], {"mood": 3})
    two.edit(ids[0], {"mood": 4})
    two.edit(ids[1], {"deleted": True})
    monkeypatch.setattr(Collection, "forbidden_fields", lambda self, patch, role: [])
    one.create({"coach_feedback": "Well done.", "date": "2026-03-02"}, "check_ins")
    monkeypatch.undo()
    settle(one, two)
    one.edit(ids[2], {"sets": {"s1": {"deleted": True}, "s2": {"load": 225.0, "load_unit": "lb"}}})
    yield one
    one.local.close()
    two.local.close()


def findings_in(path: Path) -> list[Finding]:
    with ReplicaImage.open(path) as image:
        return [*file_findings(image), *content_findings(image)]


def states_in(path: Path) -> dict[str, str]:
    """Give the looks that found anything, but for what the fixture has: unsent, refused and contested edits."""
    usual = {"outbox", "rejected", "conflicts"}
    return {each.look: each.state for each in findings_in(path) if each.state != "good" and each.look not in usual}


def test_a_sound_replica_is_sound_while_it_is_open(phone: Phone) -> None:
    found = {finding.look: finding for finding in findings_in(phone.path)}
    assert states_in(phone.path) == {}
    assert {look: finding.state for look, finding in found.items()} == {
        **dict.fromkeys(("file", "records", "tables", "scopes"), "good"),
        "outbox": "hand",  # The clock of these devices is in the past.
        "rejected": "hand",
        "conflicts": "note",
    }
    assert "33 in all" in found["records"].words
    assert "1 forbidden" in found["rejected"].words
    assert "they go with the next sync" in found["outbox"].words
    assert all(finding.advice for finding in found.values() if finding.state in ("hand", "wrong"))


def test_looking_changes_no_byte(phone: Phone, tmp_path: Path) -> None:
    phone.local.close()
    before = digests_of(tmp_path)
    findings_in(phone.path)
    with ReplicaImage.open(phone.path) as image:
        salvage(image, tmp_path / "all.zip")
    (tmp_path / "all.zip").unlink()
    assert digests_of(tmp_path) == before
    phone.local = phone._open()


def digests_of(folder: Path) -> dict[str, str]:
    """Leave out what SQLite makes beside a file to read it."""
    files = [path for path in folder.iterdir() if not path.name.endswith(("-shm", "-wal"))]
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


DAMAGES = {
    "UPDATE held_records SET document = x'00ff' WHERE record_no = 3": {"records": "wrong"},
    "UPDATE held_records SET digest = zeroblob(16) WHERE record_no = 4": {"records": "wrong", "scopes": "wrong"},
    "UPDATE held_records SET next = next + 1 WHERE record_no = 4": {"records": "wrong"},
    "UPDATE held_scopes SET digest = zeroblob(16)": {"scopes": "wrong"},
    "UPDATE workout_log_rows SET fatigue = 9 WHERE record_no = 5": {"tables": "wrong"},
    "UPDATE logged_set_rows SET load_kg = 1 WHERE record_no = 5 AND position = 2": {"tables": "wrong"},
    "DELETE FROM logged_set_rows WHERE record_no = 5 AND position = 2": {"tables": "wrong"},
    "DELETE FROM workout_log_rows WHERE record_no = 6": {"tables": "wrong"},
    "UPDATE check_in_rows SET energy = 1": {"tables": "wrong"},
    "UPDATE profile_rows SET goals = '[]'": {"tables": "wrong"},
    "DELETE FROM conflict_rows": {"tables": "wrong"},
    "UPDATE held_records SET deleted = 1 WHERE record_no = 5": {"tables": "wrong"},
    "UPDATE held_records SET needs_review = 1 WHERE record_no = 5": {"tables": "wrong"},
    "UPDATE held_scopes SET remaining = 3": {"scopes": "note"},
    "DELETE FROM held_scopes": {"file": "wrong"},
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_each_kind_of_damage_is_named(phone: Phone, damage: str) -> None:
    phone.local.close()
    with closing(sqlite3.connect(phone.path)) as connection:
        connection.execute(damage)
        connection.commit()
    found = states_in(phone.path)
    phone.local = phone._open()
    assert found.items() >= DAMAGES[damage].items()
    assert found.keys() <= {*DAMAGES[damage], "records", "tables"}


def test_why_an_outbox_waits_is_said(server: LoopbackServer, tmp_path: Path) -> None:
    phone = Phone(tmp_path / "new.db", server, None)
    phone.create({"title": "t"})
    assert "before anybody signed in" in outbox_of(phone)
    phone.sign_in(server.accounts[EMAIL])
    assert "go with the next sync" in outbox_of(phone)
    phone.local.store.sql.execute("UPDATE held_records SET sent = next")
    assert "no answer came" in outbox_of(phone)
    settle(phone)
    phone.local.store.offer_all(phone.scope)
    assert "whole records again" in outbox_of(phone)
    phone.local.close()


def outbox_of(phone: Phone) -> str:
    return next(finding.words for finding in findings_in(phone.path) if finding.look == "outbox")


def test_damage_anywhere_in_the_file_costs_at_most_what_lies_there(phone: Phone, tmp_path: Path) -> None:
    """Pages overwritten one after the other: never an error of ours, and all else is got out."""
    phone.local.close()
    whole = phone.path.read_bytes()
    copy = tmp_path / "damaged.db"
    dice = random.Random(1)
    lost = []
    for page in range(1, len(whole) // PAGE_BYTES):
        spoiled = bytearray(whole)
        spoiled[page * PAGE_BYTES : (page + 1) * PAGE_BYTES] = dice.randbytes(PAGE_BYTES)
        copy.write_bytes(spoiled)
        output = tmp_path / f"{page}.zip"
        try:
            assert findings_in(copy)
            with ReplicaImage.open(copy) as image:
                lost.append(33 - salvage(image, output).records)
        except Unreadable:
            lost.append(33)
    phone.local = phone._open()
    print(lost)
    assert lost.count(0) > len(lost) / 2, "most pages hold no record"
    assert sum(1 for count in lost if 0 < count < 33) > 0
    assert sum(1 for count in lost if count == 33) <= len(lost) / 5, "roots of trees"


def test_a_file_that_is_none_is_said_to_be_unreadable(tmp_path: Path) -> None:
    (tmp_path / "letter.db").write_text("Dear diary, today I rested.\n" * 100)
    with pytest.raises(Unreadable), ReplicaImage.open(tmp_path / "letter.db"):
        pass


def test_an_export_holds_every_record_its_document_and_the_rejected_box_and_no_token(
    phone: Phone, tmp_path: Path
) -> None:
    with ReplicaImage.open(phone.path) as image:
        salvaged = salvage(image, tmp_path / "all.zip")
    assert (salvaged.records, salvaged.rejected, salvaged.unreadable) == (33, 1, [])
    assert (tmp_path / "all.zip").stat().st_mode & 0o077 == 0
    with zipfile.ZipFile(tmp_path / "all.zip") as archive:
        records = [json.loads(line) for line in archive.read("records.ndjson").splitlines()]
        documents = {name: archive.read(name) for name in archive.namelist() if name.startswith("documents/")}
        rejected = json.loads(archive.read("rejected.json"))
        everything = b"".join(archive.read(name) for name in archive.namelist())
    assert {each["id"]: each["state"] for each in records if each["collection"] == "workout_logs"} == {
        each["id"]: phone.state(each["id"]) for each in records if each["collection"] == "workout_logs"
    }
    assert len([parse_document(document) for document in documents.values()]) == 33
    assert [patch["coach_feedback"] for patch in rejected[0]["patches"]] == ["Well done."]
    assert sum(each["unsent_edits"] for each in records) == 1
    assert phone.local.session is not None
    for secret in (phone.local.session.access_token, phone.local.session.refresh_token):
        assert secret.encode() not in everything
    with pytest.raises(FileExistsError), ReplicaImage.open(phone.path) as image:
        salvage(image, tmp_path / "all.zip")


class TestNewerFiles:
    @pytest.fixture
    def newer(self, phone: Phone, tmp_path: Path) -> Path:
        """Give a replica whose schema a later app has raised."""
        phone.local.close()
        path = tmp_path / "newer.db"
        shutil.copy(phone.path, path)
        phone.local = phone._open()
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA user_version = 999")
            connection.execute("ALTER TABLE held_records ADD COLUMN mystery TEXT")
            connection.commit()
        return path

    def test_it_is_named_and_everything_is_got_out_of_it(self, newer: Path, tmp_path: Path) -> None:
        wrong = [finding for finding in findings_in(newer) if finding.state == "wrong"]
        assert [(finding.look, "update the app" in finding.advice) for finding in wrong] == [("file", True)]
        with ReplicaImage.open(newer) as image:
            assert salvage(image, tmp_path / "all.zip").records == 33

    def test_tables_of_another_shape_are_given_as_they_are(self, newer: Path, tmp_path: Path) -> None:
        with closing(sqlite3.connect(newer)) as connection:
            connection.execute("PRAGMA legacy_alter_table = ON")
            connection.execute("ALTER TABLE held_records RENAME TO kept_records")
            connection.commit()
        with ReplicaImage.open(newer) as image:
            assert not image.has_records()
            assert salvage(image, tmp_path / "all.zip").records > 33
        with zipfile.ZipFile(tmp_path / "all.zip") as archive:
            assert len(archive.read("tables/kept_records.ndjson").splitlines()) == 33
            assert "tables/settings.ndjson" not in archive.namelist()


class TestServer:
    @pytest.fixture
    def faults(self) -> Faults:
        return Faults(random.Random(1))

    @pytest.fixture
    def replica(self, server: LoopbackServer, faults: Faults, tmp_path: Path) -> Iterator[Replica]:
        transport = BlockingLoopbackTransport(server, faults)
        with Replica.open(
            tmp_path / "own.db",
            server="https://coach.example",
            credentials=Credentials(EMAIL, "secret"),
            transport=transport,
            now_us=server.now_us,
        ) as replica:
            replica.workouts.start(title="t")
            replica.sync()
            yield replica

    @staticmethod
    def states(replica: Replica) -> dict[str, str]:
        return {finding.look: finding.state for finding in server_findings(replica)}

    def test_a_server_that_holds_the_same_is_good(self, replica: Replica) -> None:
        before = replica.query("SELECT * FROM held_records")
        assert self.states(replica) == dict.fromkeys(("server", "clock", "digests"), "good")
        assert replica.query("SELECT * FROM held_records") == before

    def test_a_server_that_holds_something_else_is_told_from_one_that_has_more(
        self, server: LoopbackServer, replica: Replica, tmp_path: Path
    ) -> None:
        other = Phone(tmp_path / "other.db", server, server.accounts[EMAIL], seed=9)
        settle(other)
        other.create({"title": "newer"})
        other.sync()
        other.local.close()
        assert self.states(replica)["digests"] == "note"
        replica.sync()
        assert self.states(replica)["digests"] == "good"
        (scope,) = [scope for scope in server.scopes.values() if scope.records]
        scope.digest += 1
        assert self.states(replica)["digests"] == "wrong"

    def test_a_restored_server_is_named(self, server: LoopbackServer, replica: Replica) -> None:
        server.restore(server.backup())
        found = [finding for finding in server_findings(replica) if finding.look == "digests"]
        assert [(finding.state, "restored" in finding.words) for finding in found] == [("note", True)]

    def test_without_a_network_it_is_said_that_nothing_was_compared(self, faults: Faults, replica: Replica) -> None:
        faults.offline = True
        (finding,) = server_findings(replica)
        assert finding.state == "note"
        assert "nothing was compared" in finding.words

    @pytest.mark.parametrize(("seconds", "state"), [(5, "good"), (-120, "note"), (3600, "hand")])
    def test_a_clock_that_is_off_is_named(self, replica: Replica, seconds: int, state: str) -> None:
        right = replica._now_us
        replica._now_us = lambda: right() + seconds * 1_000_000
        assert self.states(replica)["clock"] == state


class TestCommand:
    @pytest.fixture
    def apex(self, tmp_path: Path) -> Terminal:
        apex = Terminal(tmp_path)
        apex("log", "set", "Squat", "5x100kg").ok()
        return apex

    def test_it_answers_people_and_programs(self, apex: Terminal) -> None:
        shown = apex("doctor").ok().out
        assert "before anybody signed in" in shown
        assert "apex login" in shown
        answer = apex("doctor", "--json").json()
        assert answer["sound"] is True
        assert {finding["look"] for finding in answer["findings"]} >= {"file", "records", "tables", "outbox", "server"}

    def test_what_is_wrong_ends_with_1_and_what_to_do(self, apex: Terminal) -> None:
        with closing(sqlite3.connect(apex.db)) as connection:
            connection.execute("UPDATE logged_set_rows SET reps = 6")
            connection.commit()
        found = apex("doctor", "--offline")
        assert found.code == 1
        assert "--export" in found.out
        answer = json.loads(apex("doctor", "--offline", "--json").out)
        assert answer["sound"] is False

    def test_it_works_beside_another_program_and_exports_a_broken_file(self, apex: Terminal, tmp_path: Path) -> None:
        with Replica.open(apex.db):
            assert "not asked" in apex("doctor").ok().out
        with closing(sqlite3.connect(apex.db)) as connection:
            connection.execute("UPDATE held_records SET document = x'00ff'")
            connection.commit()
        exported = apex("doctor", "--export", tmp_path / "all.zip")
        assert exported.code == 1
        assert "1 could not be read" in exported.err
        with zipfile.ZipFile(tmp_path / "all.zip") as archive:
            assert [archive.read(name) for name in archive.namelist() if name.startswith("documents/")] == [b"\0\xff"]
        again = apex("doctor", "--export", tmp_path / "all.zip")
        assert (again.code, "is there already" in again.err) == (1, True)

    def test_a_file_that_nobody_can_read_is_one_finding(self, apex: Terminal) -> None:
        apex.db.write_bytes(b"not a database at all" * 500)
        found = apex("doctor")
        assert found.code == 1
        assert "SQLite can read nothing of it" in found.out

    def test_another_programs_database_is_named(self, apex: Terminal, tmp_path: Path) -> None:
        with closing(sqlite3.connect(tmp_path / "other.db")) as connection:
            connection.execute("CREATE TABLE theirs (x)")
            assert connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID
        found = apex("doctor", "--offline", "--db", tmp_path / "other.db")
        assert found.code == 1
        assert "another program's database" in found.out
