"""`apex query`: SQL over the tables of the replica, which cannot change them."""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from apex_client.cli.examples import examples
from apex_client.cli.opening import NO_DB, Db, key_from_here, opened, resolved
from apex_client.cli.screen import counted, escaped, said, shown, table
from apex_sync.csv_cells import write_rows

TABLE_ROWS = 1000
"""Rows shown unless told otherwise; nobody reads more in a terminal."""

ALL_ROWS = 2**31 - 1

Row = dict[str, Any]


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        rich_help_panel="Data",
        epilog=examples(
            'apex query "SELECT date, title, volume_load_kg FROM workout_logs ORDER BY date DESC LIMIT 5"',
            'apex query "SELECT exercise_name, max(load_kg) AS best FROM logged_sets GROUP BY 1" --csv',
            "apex query \"SELECT name, sql FROM sqlite_schema WHERE type = 'view'\"",
        ),
    )(query)


def query(
    sql: Annotated[str, typer.Argument(metavar="SQL", help="A SELECT; - reads it from the standard input.")],
    json: Annotated[bool, typer.Option("--json", metavar="", help="A JSON list of objects.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", metavar="", help="CSV with a header.")] = False,
    limit: Annotated[
        int | None,
        typer.Option(
            metavar="N", min=1, max=ALL_ROWS, help="At most so many rows; default: 1000 in a table, else all."
        ),
    ] = None,
    db: Db = NO_DB,
) -> None:
    """Run a SELECT over workout_logs, logged_sets, check_ins, programs, exercises, insights, outbox and more.

    It works while another program has the replica open, too.
    """
    if json and as_csv:
        raise typer.BadParameter("choose one of --json and --csv")
    text = sys.stdin.read() if sql == "-" else sql
    plain = json or as_csv
    bound = limit or (ALL_ROWS if plain else TABLE_ROWS)
    rows = _rows(db, text, bound)
    if json:
        write_json(rows)
    elif as_csv:
        write_csv(rows)
    else:
        _show(rows, bound)


def write_json(rows: list[Row]) -> None:
    """Write rows as a JSON list, one object a line."""
    import msgspec

    lines = ",\n".join(msgspec.json.encode(row).decode() for row in rows)
    sys.stdout.write(f"[\n{lines}\n]\n" if rows else "[]\n")


def write_csv(rows: Iterable[Row]) -> None:
    """Write rows as CSV, with a header where there is a row."""
    write_rows(sys.stdout, rows)


def _rows(db: Path, sql: str, limit: int) -> list[Row]:
    from apex_client.blocking.query import Reader
    from apex_client.errors import ReplicaInUse

    try:
        with opened(db, patience_seconds=0) as replica:
            return replica.query(sql, limit=limit)
    except ReplicaInUse:
        reader = Reader(resolved(db), key_from_here())
        try:
            return reader.query(sql, (), limit)
        finally:
            reader.close()


def _show(rows: list[Row], bound: int) -> None:
    if not rows:
        said("no rows")
        return
    numeric = tuple(name for name in rows[0] if all(isinstance(row[name], int | float | type(None)) for row in rows))
    found = table(*map(escaped, rows[0]), right=tuple(map(escaped, numeric)))
    for row in rows:
        found.add_row(*map(_cell, row.values()))
    shown(found)
    if len(rows) == bound:
        said(f"[dim]the first {counted(bound, 'row')}; --limit shows more[/]")


def _cell(value: Any) -> str:
    if value is None:
        return "[dim]null[/]"
    if isinstance(value, bytes):
        return f"[dim]{counted(len(value), 'byte')}[/]"
    return escaped(f"{value:.10g}" if isinstance(value, float) else value)
