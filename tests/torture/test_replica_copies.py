"""A replica that was copied loses nothing on any phone; a hundred seeds with `make torture PARTS=replica_copies`."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.torture import replica_copies
from tests.torture.replica_copies import COPYINGS, copied_often
from tests.torture.replica_planted import go_on_as_another
from tests.torture.replica_scenarios import LIFE
from tests.torture.report import Scale


@pytest.mark.parametrize("fault", COPYINGS)
def test_a_replica_that_was_copied_loses_nothing(fault: str, tmp_path: Path) -> None:
    outcome = copied_often(fault, COPYINGS[fault], tmp_path, Scale.CI)
    assert outcome.runs
    assert outcome.failures == []


def test_a_clone_that_goes_on_as_another_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replica_copies, "LIFE", replace(LIFE, plant=go_on_as_another))
    fault = "cloned to two phones with its identity"
    assert copied_often(fault, COPYINGS[fault], tmp_path, Scale.CI).failures
