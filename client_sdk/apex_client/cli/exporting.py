"""`apex export`: everything that is here, to take elsewhere.

JSON and NDJSON hold every record whole; CSV holds one table, by default the sets. In CSV a text that a spreadsheet
would take for a formula has an apostrophe before it, which spreadsheets hide.
"""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any, Literal

import typer

from apex_client.cli.examples import examples
from apex_client.cli.failures import CommandFailed
from apex_client.cli.opening import NO_DB, Db, opened
from apex_client.cli.screen import counted, escaped, progress, said
from apex_client.whole_file import whole_file
from apex_sync.csv_cells import write_rows

if TYPE_CHECKING:
    from apex_client.blocking import Replica

ALL_ROWS = 2**31 - 1

EXPORT_VERSION = 1
"""Of the JSON forms; it changes when a reader would have to."""

SHOW_EVERY = 50
"""Records between two movements of the bar."""

Table = Literal[
    "logged_sets", "workout_logs", "logged_exercises", "check_ins", "programs", "exercises", "insights", "profiles",
    "client_files", "body_metrics", "progress_photos", "nutrition_logs", "logged_foods", "nutrition_targets",
    "meal_plans", "foods", "questionnaires",
]  # fmt: skip

ORDERS: Mapping[Table, str] = {
    "logged_sets": "date, workout_id, position",
    "logged_exercises": "date, workout_id, position",
    "logged_foods": "date, nutrition_log_id, position",
    "programs": "name, id",
    "exercises": "name, id",
    "foods": "name, id",
    "questionnaires": "name, id",
    "meal_plans": "start_date, id",
    "nutrition_targets": "start_date, id",
    "insights": "created_at, id",
    "profiles": "id",
    "client_files": "id",
}
"""How the rows of a table are ordered; by day where nothing is said."""

RECORD_IDS = """
    SELECT record.record_id, record.collection, scope.name AS scope
    FROM held_records AS record
    JOIN held_scopes AS scope ON scope.scope_no = record.scope_no
    ORDER BY record.collection, record.record_id, scope.name
"""


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        rich_help_panel="Data",
        epilog=examples(
            "apex export -o training.json",
            "apex export --format ndjson | gzip > training.ndjson.gz",
            "apex export --format csv -o sets.csv",
            "apex export --format csv --table check_ins -o check_ins.csv",
        ),
    )(export)


def export(
    format: Annotated[
        Literal["json", "ndjson", "csv"],
        typer.Option(help="json and ndjson: all records whole; csv: one table."),
    ] = "json",
    table: Annotated[
        Table, typer.Option("--table", metavar="NAME", help="Which table as CSV; a name that is none lists them.")
    ] = "logged_sets",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Default: the standard output.")
    ] = None,
    db: Db = NO_DB,
) -> None:
    """Write out everything that is here."""
    with opened(db) as replica, _written(output) as file:
        if format == "csv":
            count, noun = write_rows(file, replica.query(select_all(table), limit=ALL_ROWS)), "row"
        else:
            count, noun = _write_records(file, replica, as_lines=format == "ndjson"), "record"
    if output is not None:
        said(f"wrote {counted(count, noun)} to {escaped(output)}")


def select_all(table: Table) -> str:
    """Give every column of a table; these are the SDK's own views, named by `Table`."""
    return f"SELECT * FROM {table} ORDER BY {ORDERS.get(table, 'date, id')}"  # noqa: S608 - all constants.


def _write_records(file: IO[str], replica: "Replica", *, as_lines: bool) -> int:
    """Write every record, deleted ones among them: they are deleted, not forgotten."""
    import msgspec

    count = 0
    if not as_lines:
        file.write(f'{{"format": "apex-sync-export", "version": {EXPORT_VERSION}, "records": [')
    for record in _records(replica):
        if not as_lines:
            file.write(",\n" if count else "\n")
        file.write(msgspec.json.encode(record).decode())
        if as_lines:
            file.write("\n")
        count += 1
    if not as_lines:
        file.write("\n]}\n")
    return count


def _records(replica: "Replica") -> Iterator[dict[str, Any]]:
    from apex_client.blocking.records import Record, Records
    from apex_client.importing import ImportProgress

    found = replica.query(RECORD_IDS, limit=ALL_ROWS)
    with progress("exporting") as advance:
        for number, row in enumerate(found, 1):
            records: Records[Record[Any]] = Records(replica, row["collection"], row["scope"])
            record = records.get(row["record_id"])
            yield {"id": record.id, "collection": row["collection"], "scope": record.scope, "state": record.state}
            if number % SHOW_EVERY == 0:
                advance(ImportProgress(number, len(found)))


@contextmanager
def _written(output: Path | None) -> Iterator[IO[str]]:
    """Give where to write; a file gets its name when it is complete, so that none is ever half an export."""
    if output is None:
        yield sys.stdout
        return
    if not output.parent.is_dir():
        raise CommandFailed(f"there is no folder {output.parent}; make it first")
    with whole_file(output, "w") as file:
        yield file
