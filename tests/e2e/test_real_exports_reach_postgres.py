"""The four public exports, imported twice on a phone and synced: every row of the file is a set in Postgres, once.

The counts come from the raw CSV, read here without the importer.
"""

import csv
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Literal, NamedTuple
from uuid import UUID

import pytest

from apex_client import Replica
from apex_client.importers import UnitNeeded
from tests.e2e.whole_server import Athlete, WholeServer, assert_one_digest

pytestmark = pytest.mark.anyio


class Export(NamedTuple):
    """A file, how its first date column is written, and the unit where the importer has to ask."""

    file: str
    date_column: str
    date_format: str
    unit: Literal["kg", "lb"] | None = None


EXPORTS = (
    Export("strong_en_kg_breinsp.csv", "Date", "%Y-%m-%d %H:%M:%S", "kg"),
    Export("strong_zh_lbs_dericmei.csv", "日期", "%Y-%m-%d %H:%M:%S", "lb"),
    Export("hevy_kg_small_mouadja02.csv", "start_time", "%d %b %Y, %H:%M"),
    Export("fitnotes_kgs_lukaszebedin.csv", "Date", "%Y-%m-%d"),
)


@pytest.mark.parametrize("export", EXPORTS, ids=lambda export: export.file)
async def test_every_row_of_an_export_is_a_set_in_postgres_once(
    server: WholeServer, athlete: Athlete, data_dir: Path, export: Export
) -> None:
    path = data_dir / export.file
    phone = await athlete.device("phone")
    await import_export(phone, path, export)
    first = await phone.sync()
    again = await import_export(phone, path, export)
    assert (again, (await phone.status()).pending) == (0, 0)
    second = await phone.sync()
    assert (first.rejected, first.conflicts, second.pushed) == (0, 0, 0)
    assert await sets_by_start_in_postgres(athlete) == rows_by_start(path, export)
    watch = await athlete.device("watch", "watch")
    await watch.sync()
    assert await import_export(watch, path, export) == 0, "another device that has the history adds nothing either"
    await assert_one_digest(server, athlete.scope, phone, watch)


async def import_export(replica: Replica, path: Path, export: Export) -> int:
    """Import as an app does, answering what is asked; give how many sets were new."""
    if export.unit is not None:
        with pytest.raises(UnitNeeded):
            await replica.import_file(path)
    report = await replica.import_file(path, unit=export.unit, accept_doubled="both")
    assert (report.rows_quarantined, len(report.skipped)) == (0, 0)
    assert report.rows_read == report.rows_imported + report.rows_already_there
    return report.rows_imported


async def sets_by_start_in_postgres(athlete: Athlete) -> Counter[datetime]:
    """Count the sets of each workout in the tables that a coach queries, by when it began."""
    sql = (
        "SELECT coalesce(start_time, date::timestamp) AS start, count(*) AS sets FROM workout_logs"
        " JOIN logged_sets USING (scope_id, record_id) WHERE scope_id = $1 GROUP BY record_id, start"
    )
    rows = await athlete.server.rows(sql, UUID(athlete.id))
    found = Counter({row["start"]: row["sets"] for row in rows})
    assert len(found) == len(rows), "two workouts began at the same moment"
    return found


def rows_by_start(path: Path, export: Export) -> Counter[datetime]:
    """Count the rows of each session in the file."""
    with path.open(encoding="utf-8", newline="") as file:
        return Counter(
            datetime.strptime(row[export.date_column], export.date_format)  # noqa: DTZ007 - the athlete's wall clock.
            for row in csv.DictReader(file)
        )
