"""A torture tells everything that went wrong, and one of hours that is stopped goes on after the last finished part."""

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import msgspec
import pytest

import tests.torture
from tests.torture import __main__ as torture
from tests.torture import report
from tests.torture.report import Outcome, PartDone, Scale, not_run, print_table, record, recorded
from tests.torture.tortured_code import FOLDERS, TorturedCode, code_in, tortured_code

HERE, ELSEWHERE = TorturedCode("abc1234", "here"), TorturedCode("def5678", "elsewhere")
FLEET = Outcome(part="fleet", fault="pauses", runs=57, failures=["seed 3: stuck"], seconds=3420.0)


@pytest.fixture(autouse=True)
def _code_of_one_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "tortured_code", lambda: HERE)


def written(file: Path, *lines: bytes) -> Path:
    file.write_bytes(b"\n".join(lines))
    return file


def line(part: str, code: TorturedCode | None, *outcomes: Outcome) -> bytes:
    return msgspec.json.encode(PartDone(part, Scale.FULL, list(outcomes), *(code or ("", ""))))


def end_with(error: Exception) -> None:
    raise error


def test_whatever_a_run_raises_is_its_failure_and_the_next_run_goes_on() -> None:
    outcome = Outcome(part="fleet", fault="pauses")
    with outcome.run("seed 1"):
        end_with(TimeoutError("no answer"))
    with outcome.run("seed 2"):
        end_with(ExceptionGroup("tasks", [KeyError("phone")]))
    with outcome.run("seed 3"):
        pass
    with outcome.check("at the end"):
        end_with(AssertionError("a set is lost"))
    assert outcome.runs == 3
    assert [failure.partition(" (")[0] for failure in outcome.failures[:2]] == [
        "seed 1: TimeoutError: no answer",
        "seed 2: KeyError: 'phone'",
    ]
    assert "(raise error in test_report.py:" in outcome.failures[0]
    assert outcome.failures[2] == "at the end: a set is lost"


def test_a_failure_names_the_last_line_that_is_ours() -> None:
    outcome = Outcome(part="fleet", fault="pauses")
    with outcome.run("seed 1"):
        subprocess.run(["false"], check=True)
    assert "test_report.py:" in outcome.failures[0]


def test_a_part_that_is_recorded_is_not_run_again_and_one_that_was_cut_off_is(tmp_path: Path) -> None:
    whole = line("fleet", HERE, FLEET)
    file = written(tmp_path / "torture.jsonl", whole, whole.replace(b"fleet", b"abuser", 1)[:60])
    assert list(torture.outcomes(["fleet"], Scale.FULL, file)) == [FLEET]
    assert recorded(file, Scale.FULL).keys() == {"fleet"}
    assert recorded(file, Scale.CI) == {}


def test_what_was_recorded_on_other_code_is_ignored_and_said_to_be(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = line("fleet", HERE, FLEET), line("abuser", ELSEWHERE), line("openapi", None)
    assert recorded(written(tmp_path / "torture.jsonl", *lines), Scale.FULL) == {"fleet": [FLEET]}
    said = capsys.readouterr().err.splitlines()
    assert said == ["abuser: ignored, recorded on def5678", "openapi: ignored, recorded on an unknown commit"]


def test_a_part_is_recorded_once_it_is_finished_and_not_if_none_of_it_could_be_run(tmp_path: Path) -> None:
    file = tmp_path / "build" / "torture.jsonl"
    lacking = not_run("device file", "kill -9", "no strace", Scale.FULL)
    record(file, "fleet", Scale.FULL, [FLEET, lacking])
    record(file, "replica_kills", Scale.FULL, [lacking])
    assert recorded(file, Scale.FULL) == {"fleet": [FLEET, lacking]}


def test_what_was_not_run_is_a_failure_at_full_scale() -> None:
    assert not_run("device file", "kill -9", "no strace", Scale.FULL).failures == ["not run: no strace"]
    assert not_run("device file", "kill -9", "no strace", Scale.CI).failures == []


def test_a_part_that_breaks_off_is_a_failure_and_keeps_nobody_from_going_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "breaks_off.py").write_text("def torture(scale):\n    raise RuntimeError('no such server')\n")
    (tmp_path / "goes_on.py").write_text("def torture(scale):\n    return []\n")
    monkeypatch.setattr(tests.torture, "__path__", [str(tmp_path)])
    file = tmp_path / "torture.jsonl"
    (broken,) = torture.outcomes(["breaks_off", "goes_on"], Scale.CI, file)
    assert broken.part == "breaks_off" and "no such server" in broken.failures[0]
    assert "no such server" in capsys.readouterr().err
    assert recorded(file, Scale.CI) == {"goes_on": []}


def test_a_table_of_a_file_names_the_commits_and_what_it_lacks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    older = Outcome(part="fleet", fault="pauses", runs=1)
    lines = (
        line("fleet", None, older),
        line("fleet", ELSEWHERE, FLEET),
        b'{"part":"abuser","scale":"full","outcomes":[]}',
    )
    file = written(tmp_path / "torture.jsonl", *lines)
    assert torture.table(file, Scale.FULL, markdown=True) == 1
    told = capsys.readouterr().out.splitlines()
    assert told[:8] == [
        "| part | fault | runs | failures | seconds |",
        "| --- | --- | ---: | ---: | ---: |",
        "| fleet | pauses | 57 | 1 | 3,420 |",
        "",
        "- fleet, pauses: seed 3: stuck",
        "",
        "Recorded on an unknown commit: abuser.",
        "Recorded on def5678: fleet.",
    ]
    assert told[8].startswith("Not recorded: cut_bodies, hostile_input")


def test_a_table_is_printed_from_the_command_line_and_nothing_is_run(tmp_path: Path) -> None:
    file = written(tmp_path / "torture.jsonl", line("fleet", ELSEWHERE, FLEET))
    done = subprocess.run(
        [sys.executable, "-m", "tests.torture", "--table", str(file)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (1, "")
    assert "def5678" in done.stdout and "57" in done.stdout


@pytest.mark.parametrize("markdown", [False, True], ids=["table", "markdown"])
def test_what_failed_is_printed_as_it_is(markdown: bool, capsys: pytest.CaptureFixture[str]) -> None:
    outcome = Outcome(part="fleet", fault="[/b]", failures=["[/x] of [red]"])
    print_table([outcome], markdown=markdown)
    told = capsys.readouterr().out
    assert "[/x] of [red]" in told and told.count("[/b]") == 2


def git(folder: Path, *words: str) -> None:
    config = ("-c", "user.name=mara", "-c", "user.email=mara@example.com")
    subprocess.run(["git", *config, *words], cwd=folder, check=True, capture_output=True)


def test_code_has_another_key_once_anything_of_it_changes(tmp_path: Path) -> None:
    assert code_in(tmp_path) == (version("apex-sync"), version("apex-sync"))
    for folder in (*FOLDERS, "docs"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "a").write_text("a\n")
    git(tmp_path, "init")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-m", "a")
    first = code_in(tmp_path)
    (tmp_path / "docs" / "a").write_text("b\n")
    assert code_in(tmp_path) == first
    (tmp_path / "server" / "a").write_text("b\n")
    changed = code_in(tmp_path)
    assert changed.key != first.key and changed.commit == f"{first.commit}+"
    git(tmp_path, "commit", "-am", "b")
    assert code_in(tmp_path).key not in (first.key, changed.key)


def test_the_code_that_is_here_has_a_name() -> None:
    assert all(tortured_code())
