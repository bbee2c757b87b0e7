"""An app that is updated shows what its replica already held: rows of new tables are made from the records."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from apex_client.blocking import Replica
from apex_client.blocking.records import Records
from apex_client.doctor import ReplicaImage, content_findings
from apex_client.rows import CHILDREN, COLUMNS
from apex_client.store_file import migrate, migrations
from apex_client.upgrading import ROWS_DUE
from tests.engine.test_models import GOOD

NEW = [name for name in GOOD if name not in ("insights", "client_files", "programs", "messages")]
"""Collections an athlete writes, or that this device holds before anybody has signed in."""

OF_COACHES = {"nutrition_targets", "meal_plans", "foods", "questionnaires"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Give a replica with a record of every collection that an athlete writes."""
    path = tmp_path / "athlete.db"
    with Replica.open(path) as replica:
        replica.workouts.start(title="Legs").add_set("Squat", reps=5, load=100)
        replica.profile.edit(**GOOD["profiles"])
        for name in NEW:
            if name not in OF_COACHES | {"profiles"}:
                Records(replica, name).create(GOOD[name])
    return path


def rows_in(path: Path) -> dict[str, list[tuple[Any, ...]]]:
    with closing(sqlite3.connect(path)) as connection:
        return {
            table: connection.execute(f"SELECT {', '.join(columns)} FROM {table} ORDER BY 1, 2").fetchall()
            for table, columns in COLUMNS.items()
        }


def stale_tables(path: Path) -> list[str]:
    with ReplicaImage.open(path) as image:
        return [
            finding.words
            for finding in content_findings(image)
            if finding.look == "tables" and finding.state == "wrong"
        ]


def test_rows_are_made_anew_where_a_migration_asks_for_it(path: Path) -> None:
    before = rows_in(path)
    assert {table for table, rows in before.items() if rows} >= {
        "profile_rows",
        "nutrition_log_rows",
        "logged_food_rows",
    }
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for table in set(COLUMNS) - {child for children in CHILDREN.values() for child in children}:
            connection.execute(f"DELETE FROM {table}")
        connection.execute("UPDATE held_records SET needs_review = 1")
        connection.execute("INSERT INTO settings (name, value) VALUES (?, x'01')", (ROWS_DUE,))
    assert not any(rows_in(path).values())
    Replica.open(path).start().close()
    assert rows_in(path) == before
    assert stale_tables(path) == []


def test_nothing_is_made_anew_otherwise(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("DELETE FROM profile_rows")
    Replica.open(path).start().close()
    assert rows_in(path)["profile_rows"] == []
    assert stale_tables(path) != []


@pytest.mark.parametrize("holds_records", [True, False])
def test_the_migration_asks_for_it_where_there_are_records(tmp_path: Path, holds_records: bool) -> None:
    with closing(sqlite3.connect(tmp_path / "old.db", isolation_level=None)) as connection:
        connection.executescript(f"{migrations()[0]}; PRAGMA user_version = 1;")
        if holds_records:
            connection.execute("INSERT INTO held_scopes (name, role) VALUES ('athlete:self', 'athlete')")
            connection.execute(
                "INSERT INTO held_records VALUES"
                " (1, 'r', 1, 'profiles', 0, 0, 1, 0, '', 1, 1, 0, 0, 0, x'', x'', x'', 0, x'')"
            )
        migrate(tmp_path / "old.db", connection)
        asked = connection.execute("SELECT count(*) FROM settings WHERE name = ?", (ROWS_DUE,)).fetchone()
    assert asked == (int(holds_records),)
