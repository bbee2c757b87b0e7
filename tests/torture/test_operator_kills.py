"""kill -9 of backup and restore at some of their places; `make torture` takes all. Takes about 30 s."""

from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import asyncpg
import pytest

from apex_server.operations import restore
from apex_server.settings import Settings
from tests.torture.operator_kills import KILLS, Stage, check_restored, prepared, run, torture
from tests.torture.postgres_cluster import own_cluster
from tests.torture.report import Scale
from tests.torture.server_kills import evenly

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    with own_cluster() as cluster:
        yield prepared(cluster)


def test_a_killed_restore_is_all_or_nothing_and_a_killed_backup_no_file() -> None:
    outcomes = list(torture(Scale.CI))
    assert [outcome.runs for outcome in outcomes] == [KILLS[Scale.CI]] * 2
    assert [failure for outcome in outcomes for failure in outcome.failures] == []


async def restore_piecemeal(settings: Settings, backup: Path) -> None:
    """Plant: each statement is its own transaction."""
    asyncpg.Connection.transaction = lambda self, **options: nullcontext()
    await restore(settings, backup, replace=True)


def test_the_torture_finds_a_restore_without_a_transaction(stage: Stage) -> None:
    with stage.database() as settings:
        total = run(restore_piecemeal, settings, stage.backup, die_at=0)
    assert any(is_found(stage, place) for place in evenly(total, 8)[3:])


def is_found(stage: Stage, place: int) -> bool:
    with stage.database() as settings:
        run(restore_piecemeal, settings, stage.backup, die_at=place)
        try:
            check_restored(stage, settings, stage.backup)
        except Exception:  # noqa: BLE001 - missing tables are what a half restore leaves.
            return True
    return False
