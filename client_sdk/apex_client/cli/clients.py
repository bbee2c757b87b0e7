"""`apex clients`: how a coach's athletes stand, their file, and inviting many of them from a CSV file."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar, get_args

import typer

from apex_client.cli import client_file, client_import, invites
from apex_client.cli.examples import examples
from apex_client.cli.failures import CommandFailed, WrongUsage
from apex_client.cli.opening import NO_DB, Db, opened, use_from_here
from apex_client.cli.screen import counted, escaped, moment, said, shown, shown_json, table
from apex_sync.coaching.client_columns import CLIENT_COLUMNS
from apex_sync.csv_cells import write_rows

if TYPE_CHECKING:
    from datetime import date

    from apex_client.blocking import Replica

CSV_BYTES_MAX = 8 * 1024 * 1024
"""What a server takes at most."""

WordT = TypeVar("WordT", bound=str)

COLOURS = {"needs-attention": "red", "overdue": "yellow", "inactive": "dim", "active": "green"}

group = typer.Typer(
    help="A coach's athletes: how each stands, your file on them, and inviting them.",
    epilog=examples(
        "apex clients",
        "apex clients --status overdue",
        "apex clients --json",
        "apex clients status Anna needs-attention",
        "apex clients tag Anna Prep",
        "apex clients invite anna@example.com",
        "apex clients import athletes.csv",
    ),
    rich_markup_mode="rich",
)


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(group, name="clients", rich_help_panel="Coaching")


@group.callback(invoke_without_command=True)
def _clients(
    context: typer.Context,
    status: Annotated[str | None, typer.Option(help="active, inactive, needs-attention or overdue.")] = None,
    tag: Annotated[str | None, typer.Option(help="A tag, as it is written.")] = None,
    sort: Annotated[
        str, typer.Option(help="name, status, last_workout, adherence …; -name turns it around.")
    ] = "status",
    archived: Annotated[bool, typer.Option("--archived", help="Only those who were archived.")] = False,
    json: Annotated[bool, typer.Option("--json", metavar="", help="For programs: a JSON list.")] = False,
    db: Db = NO_DB,
) -> None:
    if context.invoked_subcommand is not None:
        use_from_here(db)
        return
    # Late, since it is slow to load and the commands beside this one need none of it.
    from apex_sync.coaching.client_order import STATUSES, ClientSort

    wanted_status = _one_of("status", status, STATUSES)
    wanted_sort: ClientSort = _one_of("order", sort, get_args(ClientSort)) or "status"
    with opened(db) as replica:
        clients = replica.clients.standing(status=wanted_status, tag=tag, sort=wanted_sort, archived=archived)
        is_of_all = not (status or tag or archived)
        open_invites = _open_invites(replica) if is_of_all and not clients else 0
        synced_us = replica.status().last_success_us
    if json:
        shown_json(clients)
        return
    if not clients:
        said(_why_nobody(open_invites, is_of_all=is_of_all))
        return
    found = table("athlete", "status", "adherence", "last workout", "check-in due", "answer", right=("adherence",))
    for client in clients:
        colour = COLOURS.get(client.status, "white")
        percent = client.adherence.overall
        found.add_row(
            escaped(client.name),
            f"[{colour}]{escaped(client.status)}[/]",
            "" if percent is None else f"{percent:.0f} %",
            _day(client.last_workout),
            _day(client.next_check_in_due),
            str(client.check_ins_to_review or ""),
        )
    shown(found)
    if synced_us:
        said(f"[dim]as of the sync of {moment(synced_us)}; one of them: apex client NAME[/]")


@group.command(
    "import",
    epilog=examples(
        "apex clients import --template > athletes.csv",
        "apex clients import athletes.csv --dry-run",
        "apex clients import athletes.csv --invite",
    )
    + "\n\n[dim]Columns, any of them; the parts of a list stand between semicolons[/]\n"
    + "\n".join(f"  {each.name:<25}{each.example:<21} {each.kind}: {each.about}" for each in CLIENT_COLUMNS),
)
def import_(
    file: Annotated[
        Path | None, typer.Argument(exists=True, dir_okay=False, help="CSV; its first line names the columns.")
    ] = None,
    invite: Annotated[bool, typer.Option("--invite", help="Invite them; without it, nothing is made.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", metavar="", help="Only say what would happen; so it is without --invite.")
    ] = False,
    all_rows: Annotated[bool, typer.Option("--all", metavar="", help="List every row, not the first 20.")] = False,
    template: Annotated[bool, typer.Option("--template", help="Print a file to fill in instead.")] = False,
    db: Db = NO_DB,
) -> None:
    """Say row by row what an import would do, or invite everybody whose row is whole; each row is judged alone."""
    if invite and dry_run:
        raise WrongUsage("say --dry-run to look, or --invite to make it so")
    if (file is None) != template:
        raise WrongUsage("name the file to import, or ask for a --template to fill in")
    if file is None:
        write_rows(sys.stdout, [{each.name: each.example for each in CLIENT_COLUMNS}])
        said("put your athletes in place of the example; columns that you leave out are fine")
        return
    if file.stat().st_size > CSV_BYTES_MAX:
        raise CommandFailed("the file is longer than a server takes: cut it in two")
    try:
        text = file.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise CommandFailed("the file is not UTF-8: save it as such") from error
    with opened(db) as replica:
        report = replica.clients.import_csv(text, dry_run=not invite)
    if report.dry_run:
        client_import.tell_plan(report, file, all_rows=all_rows)
    else:
        client_import.tell_done(report, all_rows=all_rows)


client_file.add_to(group)
invites.add_to(group)


def _open_invites(replica: "Replica") -> int:
    """Count the open invites, where there is a network to ask for them."""
    from apex_client.errors import ServerUnreachable

    try:
        return len(replica.clients.invites())
    except ServerUnreachable:
        return 0


def _one_of(what: str, typed: str | None, words: "tuple[WordT, ...]") -> "WordT | None":
    """Give the word that was typed. Raises WrongUsage."""
    found = next((word for word in words if word == typed), None)
    if typed is not None and found is None:
        raise WrongUsage(f"{typed!r} is no {what}; there are {', '.join(words)}")
    return found


def _why_nobody(open_invites: int, *, is_of_all: bool) -> str:
    if not is_of_all:
        return "nobody is so; everybody: apex clients"
    if open_invites:
        return f"nobody yet, archived ones aside; {counted(open_invites, 'open invite')}: apex clients invites"
    return "nobody yet, archived ones aside; invite somebody: apex clients invite anna@example.com"


def _day(on: "date | None") -> str:
    return "" if on is None else on.isoformat()
