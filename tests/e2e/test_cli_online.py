"""The `apex` command and a real server: signing in, syncing, watching, deciding about conflicts and refusals."""

import re
import shlex
import signal
import time
from pathlib import Path

import pytest

from apex_client.blocking import Replica
from tests.client.apex_command import Terminal
from tests.conftest import ROOT
from tests.e2e.whole_server import PASSWORD, WholeServer

WATCH_SECONDS = 20.0


@pytest.fixture
def email(server: WholeServer) -> str:
    return server.new_email("cli")


def with_account(terminal: Terminal, server: WholeServer, email: str, verb: str = "register") -> Terminal:
    more = ("--name", "Mara") if verb == "register" else ()
    terminal(verb, "--server", server.address, "--email", email, "--password-stdin", *more, stdin=f"{PASSWORD}\n").ok()
    if verb == "register":
        server.confirm_blocking(email)
    return terminal


def test_what_was_logged_before_the_account_reaches_a_second_device(
    server: WholeServer, email: str, tmp_path: Path
) -> None:
    laptop, desktop = Terminal(tmp_path, "laptop"), Terminal(tmp_path, "desktop")
    laptop("log", "set", "Bench Press", "8x100kg@8").ok()
    with_account(laptop, server, email)
    assert re.search(r"synced: 1 record sent", laptop("sync").ok().err)
    with_account(desktop, server, email, "login")

    assert re.search(r"0 records sent, \d received .* round trip", desktop("sync").ok().err)

    assert desktop.rows("SELECT exercise_name, reps FROM logged_sets") == [{"exercise_name": "Bench Press", "reps": 8}]
    assert re.search(r"unsent +nothing", laptop("status").ok().out)
    assert f"knows this device as {email}" in laptop("doctor").ok().out


def test_whoever_has_an_account_takes_an_invite(server: WholeServer, email: str, tmp_path: Path) -> None:
    with Replica.open(tmp_path / "coach.db") as coach:
        coach.register(server.address, server.new_email("coach"), PASSWORD, name="Ines", role="coach")
        code = coach.clients.invite().code
        apex = with_account(Terminal(tmp_path, "laptop"), server, email)

        assert "Ines is your coach now" in apex("join", code.lower()).ok().err

        coach.sync()
        assert [athlete.name for athlete in coach.athletes.list()] == ["Mara"]
    for wrong in ("38MS4-3NWWR-5T4AA-2SJ8P", "../x"):
        refused = apex("join", wrong)
        assert refused.code == 1 and len(refused.err.splitlines()) == 1, refused.text


def test_a_registration_that_is_refused_says_which_field_and_why(
    server: WholeServer, email: str, tmp_path: Path
) -> None:
    apex = Terminal(tmp_path, "laptop")
    words = ("--server", server.address, "--email", email, "--name", "Mara", "--password-stdin")

    refused = apex("register", *words, stdin="short\n")

    assert "password must be at least 8 characters" in refused.err, refused.text
    assert not apex.db.exists()


def test_a_conflict_is_shown_in_words_and_what_lost_can_be_restored(
    server: WholeServer, email: str, tmp_path: Path
) -> None:
    apex = Terminal(tmp_path, "laptop")
    apex("log", "set", "Bench Press", "8x100kg@8").ok()
    with_account(apex, server, email)
    apex("sync").ok()
    with Replica.open(tmp_path / "watch.db") as watch:
        watch.login(server.address, email, PASSWORD)
        watch.sync()
        (on_watch,) = watch.workouts.list()
        with Replica.open(apex.db) as laptop:
            (log,) = laptop.workouts.list()
            log.edit_set(log.sets[0], reps=9)
        on_watch.edit_set(on_watch.sets[0], reps=10)
        apex("sync").ok()
        watch.sync()
    assert "1 conflict" in apex("sync").ok().err

    shown = apex("conflicts").ok().out
    assert re.search(r"Bench Press, set 1: reps +10 another device.* +9 this device", shown), shown
    assert "is 9 now" in apex("conflicts", "restore", "1").ok().err
    apex("sync").ok()

    assert apex("conflicts").ok().err == "no conflicts\n"
    assert apex.rows("SELECT reps FROM logged_sets") == [{"reps": 9}]


def test_watching_tells_what_other_devices_write_and_ends_on_an_interrupt(
    server: WholeServer, email: str, tmp_path: Path
) -> None:
    apex = with_account(Terminal(tmp_path, "laptop"), server, email)
    with apex.start("sync", "--watch") as process:
        try:
            assert process.stdout is not None
            lines = iter(process.stdout.readline, "")
            assert any("live" in line for line in lines)
            with Replica.open(tmp_path / "watch.db") as watch:
                watch.login(server.address, email, PASSWORD)
                watch.workouts.start(title="From the watch")
                watch.sync()
            assert any("From the watch" in line for line in lines)
        finally:
            process.send_signal(signal.SIGINT)
        began = time.monotonic()
        assert process.wait(WATCH_SECONDS) == 0, lines
    assert time.monotonic() - began < WATCH_SECONDS


def test_signing_out_keeps_unsent_work_until_it_is_given_up(server: WholeServer, email: str, tmp_path: Path) -> None:
    apex = with_account(Terminal(tmp_path), server, email)
    apex("log", "set", "Squat", "5x140kg").ok()

    refused = apex("logout")
    assert refused.code == 1
    assert "--discard-unsent" in refused.err
    apex("logout", "--discard-unsent").ok()

    assert apex.rows("SELECT id FROM workout_logs") == []
    assert apex("sync").code == 1


def test_a_session_that_ended_and_an_account_without_an_answer_say_what_to_do(
    server: WholeServer, email: str, tmp_path: Path
) -> None:
    apex, other = with_account(Terminal(tmp_path), server, email), Terminal(tmp_path, "other")
    words = ("--server", server.address, "--email", email, "--name", "Mara", "--password-stdin")
    other("register", *words, stdin="made up at the gym door\n").ok()
    other("log", "set", "Squat", "5x140kg").ok()
    other("sync").ok()

    refused = other("logout")
    assert (refused.code, "without signing out" in refused.err, "--discard-unsent" in refused.err) == (1, True, True)

    with Replica.open(apex.db) as replica:
        replica.request("POST", "/api/auth/logout?everywhere=true")
    assert "you are signed out; sign in again: apex login" in apex("sync").err
    assert "sign in again: apex login" in apex("register", *words, stdin="made up at the gym door\n").err


def test_a_device_that_signs_out_and_in_again_is_the_same_also_after_somebody_else(
    server: WholeServer, email: str, tmp_path: Path
) -> None:
    apex = with_account(Terminal(tmp_path), server, email)
    apex("logout").ok()
    with_account(apex, server, email, "login")
    apex("logout").ok()
    with_account(apex, server, server.new_email("cli"))
    apex("logout").ok()
    with_account(apex, server, email, "login")
    with Replica.open(apex.db) as replica:
        devices = replica._account.call("GET", "/api/devices", None)
    assert len(devices) == 1, devices


def test_a_wrong_password_is_one_line(server: WholeServer, email: str, tmp_path: Path) -> None:
    apex = Terminal(tmp_path)

    refused = apex("login", "--server", server.address, "--email", email, "--password-stdin", stdin="wrong\n")

    assert refused.code == 1
    assert refused.err == (
        "apex: the e-mail address or the password is wrong; try again, or open /forgot-password there "
        "(registered on another device? open the mail that confirms your address first)\n"
    )


def test_the_way_to_the_first_set_in_the_readme_works_word_for_word(server: WholeServer, tmp_path: Path) -> None:
    block = re.search(r"<!-- first set -->\s*```sh\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert block is not None
    with Replica.open(tmp_path / "coach.db") as coach:
        coach.register(server.address, server.new_email("coach"), PASSWORD, name="Ines", role="coach")
        invite = coach.request("POST", "/api/invites", {})["code"]
        apex = Terminal(tmp_path, "athlete")
        for line in block[1].splitlines():
            program, *words = shlex.split(line, comments=True)
            assert program == "apex"
            for option, value in (("--server", server.address), ("--invite", invite)):
                if option in words:
                    words[words.index(option) + 1] = value
            more = ("--password-stdin",) if words[0] == "register" else ()
            apex(*words, *more, stdin=f"{PASSWORD}\n").ok()
        coach.sync()

        assert coach.query("SELECT exercise_name, reps, load_kg, rpe FROM logged_sets") == [
            {"exercise_name": "Bench Press", "reps": 8, "load_kg": 102.5, "rpe": 8.0}
        ]
