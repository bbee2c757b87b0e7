"""The tables an app may query are those of docs/sdk.md, column by column."""

import re
import sqlite3
from pathlib import Path

from apex_client.store_file import migrations

DOCUMENT = Path(__file__).parents[2] / "docs" / "sdk.md"


def documented() -> dict[str, list[str]]:
    tables = DOCUMENT.read_text("utf-8").partition("\n## Tables\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \| (.*) \|$", tables, re.MULTILINE)
    return {table: re.findall(r"`(\w+)`", re.sub(r"\[[^\]]*\]", "", columns)) for table, columns in rows}


def test_every_view_and_column_is_documented_in_its_order() -> None:
    with sqlite3.connect(":memory:") as connection:
        for step in migrations():
            connection.executescript(step)
        views = [name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'view'")]
        columns = {view: [row[1] for row in connection.execute(f"PRAGMA table_info({view})")] for view in views}
    assert documented() == columns
