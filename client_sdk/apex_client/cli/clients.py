"""`apex clients`: how a coach's athletes stand, who is in sight, and inviting many of them from a file."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from apex_client.cli import invites
from apex_client.cli.examples import examples
from apex_client.cli.failures import CommandFailed, WrongUsage
from apex_client.cli.opening import NO_DB, Db, opened, use_from_here
from apex_client.cli.screen import counted, escaped, said, shown, table
from apex_client.cli.sessions import athlete_id_of, records_of
from apex_sync.coaching.client_columns import CLIENT_COLUMNS
from apex_sync.csv_cells import write_rows

if TYPE_CHECKING:
    from datetime import date

    from apex_client.standing import ImportReport

PROBLEMS_SHOWN = 20
"""A screen's worth; the rest shows up once these are mended."""

CSV_BYTES_MAX = 8 * 1024 * 1024
"""What a server takes at most."""

COLOURS = {"needs-attention": "red", "overdue": "yellow", "inactive": "dim", "active": "green"}

Athlete = Annotated[str, typer.Argument(metavar="ATHLETE", help="The athlete's name, or the beginning of it.")]

group = typer.Typer(
    help="A coach's athletes: how each stands, and inviting them.",
    epilog=examples(
        "apex clients",
        "apex clients --status overdue",
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
    db: Db = NO_DB,
) -> None:
    if context.invoked_subcommand is not None:
        use_from_here(db)
        return
    asked = {name: value for name, value in (("status", status), ("tag", tag)) if value}
    with opened(db) as replica:
        clients = replica.clients.list(sort=sort, archived=archived, **asked)
        open_invites = 0 if clients or asked or archived else len(replica.clients.invites())
    if not clients:
        said(_why_nobody(open_invites, is_of_all=not (asked or archived)))
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


@group.command(
    "import",
    epilog=examples(
        "apex clients import --template > athletes.csv",
        "apex clients import athletes.csv",
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
    template: Annotated[bool, typer.Option("--template", help="Print a file to fill in instead.")] = False,
    db: Db = NO_DB,
) -> None:
    """Look at what an import would do, or invite everybody whose row is whole; each row is judged alone."""
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
    _report(report)


@group.command(epilog=examples("apex clients archive Anna"))
def archive(athlete: Athlete, db: Db = NO_DB) -> None:
    """Put an athlete out of sight of lists; you go on working together."""
    _file(db, athlete, archived=True)


@group.command(epilog=examples("apex clients restore Anna"))
def restore(athlete: Athlete, db: Db = NO_DB) -> None:
    """Bring an archived athlete back into sight."""
    _file(db, athlete, archived=False)


invites.add_to(group)


def _file(db: Db, athlete: str, *, archived: bool) -> None:
    with opened(db) as replica:
        athlete_id = athlete_id_of(records_of(replica, athlete))
        if athlete_id is None:
            raise CommandFailed("this is for coaches: an athlete has no clients")
        replica.athlete(athlete_id).client_file.edit(archived=archived)
    said(f"{'out of' if archived else 'back in'} sight; apex sync takes it along")


def _report(report: "ImportReport") -> None:
    if report.problems:
        wrong = table("row", "column", "what is wrong", right=("row",))
        for problem in report.problems[:PROBLEMS_SHOWN]:
            wrong.add_row(str(problem.row), escaped(problem.field), escaped(problem.message))
        shown(wrong)
    if report.invited:
        made = table("row", "athlete", "code to tell them", right=("row",))
        for each in report.invited:
            made.add_row(str(each.row), escaped(each.name or ""), each.invite.code)
        shown(made)
    said(f"{counted(report.rows, 'row')}, {report.valid} of them whole, {counted(len(report.invited), 'invite')} made")
    if report.replaced:
        void = "would be void" if report.dry_run else "are void"
        said(f"{report.replaced} had an open invite under their address: the codes before {void}")
    for letter in sorted(report.letters.keys() & invites.LETTERS.keys()):
        said(f"{counted(report.letters[letter], 'letter')} with the code, {letter}: {invites.LETTERS[letter]}")
    if report.dry_run and report.valid:
        said("nothing was made yet: --invite makes it so")


def _why_nobody(open_invites: int, *, is_of_all: bool) -> str:
    if not is_of_all:
        return "nobody is so; everybody: apex clients"
    if open_invites:
        return f"nobody yet, archived ones aside; {counted(open_invites, 'open invite')}: apex clients invites"
    return "nobody yet, archived ones aside; invite somebody: apex clients invite anna@example.com"


def _day(on: "date | None") -> str:
    return "" if on is None else on.isoformat()
