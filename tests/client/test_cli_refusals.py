"""What the `apex` command says without a server, an account or a connection, and of what a server has refused."""

import re
import time
from pathlib import Path

import pytest

from apex_sync.collection import Collection
from tests.client.apex_command import Terminal
from tests.client.fleet import Clock, Phone
from tests.client.loopback import LoopbackServer


class TestOffline:
    def test_what_needs_a_server_says_how_to_get_one(self, apex: Terminal) -> None:
        apex("init").ok()

        for command, code in (
            (("sync",), 1),
            (("login", "--email", "mara@example.com"), 2),
            (("login", "--email", "mara@example.com", "--server", "localhost:1"), 2),
        ):
            refused = apex(*command)
            assert refused.code == code, refused.text
            assert len(refused.err.splitlines()) == 1

    @pytest.mark.parametrize("verb", [("login",), ("register", "--name", "Mara")])
    def test_a_sign_in_that_fails_leaves_no_replica_behind(self, verb: tuple[str, ...], apex: Terminal) -> None:
        words = ("--server", "http://127.0.0.1:9", "--email", "m@example.com", "--password-stdin")

        assert apex(*verb, *words, stdin="secret\n").code == 1

        assert list(apex.db.parent.glob(f"{apex.db.name}*")) == []

    def test_a_new_account_is_not_made_while_somebody_is_signed_in(self, apex: Terminal) -> None:
        server = LoopbackServer(Clock())
        Phone(apex.db, server, server.add_user("mara@example.com")).close()
        words = ("--server", "http://127.0.0.1:9", "--email", "ben@example.com", "--name", "Ben", "--password-stdin")

        refused = apex("register", *words, stdin="secret\n")

        assert (refused.code, "you are signed in as mara@example.com; sign out first: apex logout" in refused.err) == (
            1,
            True,
        )

    def test_whoever_has_no_account_is_told_how_to_make_one(self, apex: Terminal) -> None:
        assert "apex register" in apex("init").ok().err
        assert "apex register" in apex("status").ok().out
        assert "apex register" in apex("sync").err

    def test_no_server_is_no_loss(self, apex: Terminal) -> None:
        apex("log", "set", "Squat", "5x100kg").ok()

        refused = apex(
            "login", "--server", "http://127.0.0.1:9", "--email", "m@example.com", "--password-stdin", stdin="secret\n"
        )

        assert refused.code == 1
        assert "cannot be reached" in refused.err
        assert "try again later" in refused.err
        assert apex("status", "--json").json()["pending"] == 1

    def test_boxes_are_empty_and_numbers_that_are_not_there_are_refused(self, apex: Terminal) -> None:
        apex("init").ok()

        assert apex("conflicts").ok().err == "no conflicts\n"
        assert apex("rejected").ok().err == "nothing was refused\n"
        assert apex("conflicts", "restore", "1").code == 1
        assert apex("rejected", "drop", "1").code == 1


class TestWrongRole:
    """What the other role writes is refused in a line that names it."""

    def test_a_coach_does_not_report_for_an_athlete(self, apex: Terminal) -> None:
        server = LoopbackServer(Clock())
        coach, athlete = server.add_user("coach@example.com", role="coach"), server.add_user("bea@example.com")
        server.link(coach, athlete)
        phone = Phone(apex.db, server, coach)
        phone.sync()
        phone.close()

        refused = apex("checkin", "--athlete", athlete.id, "--energy", "5")

        assert refused.code == 1
        assert "the coach may not write" in refused.err and "of a check-in; nothing was saved" in refused.err


class TestRejectedBox:
    @pytest.fixture
    def refused(self, apex: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Terminal:
        """Give a replica whose server has refused a field, as one of an older app would be."""
        server = LoopbackServer(Clock(time.time_ns() // 1000))
        phone = Phone(apex.db, server, server.add_user("mara@example.com"))
        monkeypatch.setattr(Collection, "forbidden_fields", lambda self, patch, role: [])
        phone.create({"notes": "Tired.", "coach_feedback": "Well done.", "date": "2026-03-01"}, "check_ins")
        monkeypatch.undo()
        phone.sync()
        phone.close()
        return apex

    def test_what_the_server_refused_is_shown_with_its_reason_and_content(self, refused: Terminal) -> None:
        shown = refused("rejected").ok().out

        assert re.search(r'1 +\d{4}-\d\d-\d\d .*check-in of 2026-03-01.*coach_feedback.*"Well done."', shown), shown
        assert "apex rejected" in refused("status").ok().out

    def test_a_refused_edit_can_be_let_go(self, refused: Terminal) -> None:
        assert "Well done." in refused("rejected", "drop", "1").ok().err

        assert refused.rows("SELECT id FROM rejected") == []

    def test_what_would_only_be_refused_again_stays_in_the_box(self, refused: Terminal) -> None:
        again = refused("rejected", "reissue", "1")

        assert again.code == 1
        assert "may not write coach feedback" in again.err
        assert len(refused.rows("SELECT id FROM rejected")) == 1
