"""A device killed at file syscalls loses and doubles nothing; every syscall with `make torture PARTS=replica_kills`."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.torture.replica_kills import killed_everywhere
from tests.torture.replica_planted import keep_rows_apart
from tests.torture.replica_process import points
from tests.torture.replica_scenarios import ONE_SAVE, SAVE, SCENARIOS, Scenario
from tests.torture.report import Scale

pytestmark = pytest.mark.needs_strace


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_a_device_killed_at_a_file_syscall_loses_and_doubles_nothing(scenario: Scenario, tmp_path: Path) -> None:
    outcome = killed_everywhere(scenario, tmp_path, Scale.CI)
    assert outcome.runs
    assert outcome.failures == []


def test_the_nth_syscall_of_one_run_is_that_of_every_run(tmp_path: Path) -> None:
    prepared = SAVE.prepared(tmp_path / "prepared")
    assert points(SAVE, prepared, tmp_path / "one") == points(SAVE, prepared, tmp_path / "two")


def test_rows_that_are_kept_apart_from_their_record_are_found(tmp_path: Path) -> None:
    assert killed_everywhere(replace(ONE_SAVE, plant=keep_rows_apart), tmp_path, Scale.FULL).failures
