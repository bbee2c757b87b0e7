"""A disk that fails is an error of the replica or none; every syscall with `make torture PARTS=replica_io_errors`."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.torture.replica_io_errors import FAILING, failed_everywhere
from tests.torture.replica_planted import let_errors_out
from tests.torture.replica_scenarios import SAVE, SCENARIOS, Scenario
from tests.torture.report import Scale

pytestmark = pytest.mark.needs_strace


@pytest.mark.parametrize("fault", FAILING)
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_a_file_syscall_that_fails_is_told_and_the_device_works_on(
    scenario: Scenario, fault: str, tmp_path: Path
) -> None:
    outcome = failed_everywhere(scenario, fault, tmp_path, Scale.CI)
    assert outcome.runs
    assert outcome.failures == []


def test_an_error_that_is_none_of_the_sdk_is_found(tmp_path: Path) -> None:
    assert failed_everywhere(replace(SAVE, plant=let_errors_out), "EIO", tmp_path, Scale.CI).failures
