"""The one statement that stores a single change, projections included.

Its beginning is `save_one` in queries.sql. What it does to the projections follows from the table declarations: rows
that differ from those there are written, rows that are gone are deleted. It relies on no earlier row of ours, so it
also mends rows that an older version of a projection left behind.
"""

from functools import cache
from typing import Any

from apex_server.db import load_queries
from apex_server.sync.projection_tables import TABLES, Table
from apex_server.sync.store import RowsByTable

__all__ = ["save_one_arguments", "save_one_statement"]

queries = load_queries(__package__)

FIRST_ARGUMENT = 24
"""The number of the first parameter after those in queries.sql."""


@cache
def save_one_statement(collection: str) -> str:
    """Give the SQL for a change in that collection."""
    parts = []
    number = FIRST_ARGUMENT
    for table in _tables(collection):
        parts += _table_parts(table, number)
        number += len(table.columns)
    return queries.save_one.replace("/* projections */", "".join(f", {part}" for part in parts))


def save_one_arguments(collection: str, rows: RowsByTable) -> list[Any]:
    """Give the arguments for the projections: an array for each column of each table."""
    return [
        [row[place] for row in rows.get(table.name, ())]
        for table in _tables(collection)
        for place in range(len(table.columns))
    ]


def _tables(collection: str) -> list[Table]:
    return [table for table in TABLES.values() if table.collection == collection]


def _table_parts(table: Table, number: int) -> list[str]:
    names = [column.name for column in table.columns]
    columns = ", ".join(names)
    arrays = ", ".join(f"${place}::{column.type}[]" for place, column in enumerate(table.columns, number))
    updates = ", ".join(f"{name} = excluded.{name}" for name in names)
    gone = f"cardinality(${number}::{table.columns[0].type}[]) = 0"
    identity = "scope_id, record_id"
    if table.key is not None:
        gone = f"NOT {table.key} = ANY(${number + names.index(table.key)}::text[])"
        identity += f", {table.key}"
    # Names come from our own declarations; every value is a parameter.
    return [
        f"gone_{table.name} AS ("  # noqa: S608
        f"DELETE FROM {table.name} USING held WHERE scope_id = $1 AND record_id = $2 AND {gone})",
        f"new_{table.name} AS ("  # noqa: S608
        f"INSERT INTO {table.name} (scope_id, record_id, {columns}) "
        f"SELECT $1, $2, {', '.join(f'changed.{name}' for name in names)} FROM held, ("
        f"SELECT {columns} FROM unnest({arrays}) AS given ({columns}) "
        f"EXCEPT SELECT {columns} FROM {table.name} WHERE scope_id = $1 AND record_id = $2"
        f") AS changed ON CONFLICT ({identity}) DO UPDATE SET {updates})",
    ]
