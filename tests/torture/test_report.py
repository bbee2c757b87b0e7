"""A torture of hours that is stopped goes on after the last part that was finished."""

from pathlib import Path

import msgspec
import pytest

import tests.torture
from tests.torture import __main__ as torture
from tests.torture.report import Outcome, PartDone, Scale, recorded


def test_a_part_that_is_recorded_is_not_run_again_and_one_that_was_cut_off_is(tmp_path: Path) -> None:
    file = tmp_path / "torture.jsonl"
    fleet = [Outcome(part="fleet", fault="pauses", runs=57, failures=["seed 3: stuck"], seconds=3420.0)]
    line = msgspec.json.encode(PartDone("fleet", Scale.FULL, fleet))
    file.write_bytes(line + b"\n" + line.replace(b"fleet", b"abuser", 1)[:60])
    assert list(torture.outcomes(["fleet"], Scale.FULL, file)) == fleet
    assert recorded(file, Scale.FULL).keys() == {"fleet"}
    assert recorded(file, Scale.CI) == {}


def test_a_part_is_recorded_once_it_is_finished(tmp_path: Path) -> None:
    file = tmp_path / "build" / "torture.jsonl"
    told = list(torture.outcomes(["replica_full_disk"], Scale.CI, file))
    assert recorded(file, Scale.CI) == {"replica_full_disk": told}


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
