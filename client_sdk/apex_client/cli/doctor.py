"""`apex doctor`: whether the replica is sound, what stands between it and the server, and everything out of it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from apex_client.cli.examples import examples
from apex_client.cli.failures import CommandFailed
from apex_client.cli.opening import NO_DB, Db, key_from_here, opened, resolved
from apex_client.cli.screen import counted, escaped, said, shown, shown_json, table

if TYPE_CHECKING:
    from apex_client.doctor import Finding

STYLES = {
    "good": "[green]ok[/]",
    "note": "[yellow]note[/]",
    "hand": "[bold yellow]HAND[/]",
    "wrong": "[bold red]BAD[/]",
}
NEEDS_SOMEBODY = {"hand", "wrong"}


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        rich_help_panel="Data",
        epilog=examples(
            "apex doctor", "apex doctor --offline", "apex doctor --json", "apex doctor --export everything.zip"
        ),
    )(doctor)


def doctor(
    offline: Annotated[bool, typer.Option("--offline", metavar="", help="Do not ask the server.")] = False,
    json: Annotated[bool, typer.Option("--json", metavar="", help="For programs: one JSON object.")] = False,
    export: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.zip", help="Write everything that can be read into a ZIP, and look at nothing else."
        ),
    ] = None,
    plain: Annotated[
        bool,
        typer.Option("--plain", metavar="", help="Let --export write what an encrypted replica holds as plain text."),
    ] = False,
    db: Db = NO_DB,
) -> None:
    """Check the file, every record and table in it, the outbox, and what the server has. Mends and changes nothing.

    Works while another program has the replica open, and on one that is damaged or too new.
    Exits 1 when something needs a hand.
    """
    path = resolved(db)
    if not path.exists():
        raise CommandFailed(f"there is no replica at {path}; make one with apex init, or name another with --db")
    if export is not None:
        if key_from_here() is not None and not plain:
            raise CommandFailed("the replica is encrypted, and the ZIP would not be; add --plain if you want that")
        _export(path, export)
        return
    findings = [*_looks(path), *([] if offline else _server(path))]
    if json:
        is_sound = not any(finding.state in NEEDS_SOMEBODY for finding in findings)
        shown_json({"sound": is_sound, "findings": findings})
    else:
        _show(findings)
    if any(finding.state in NEEDS_SOMEBODY for finding in findings):
        raise typer.Exit(1)


def _looks(path: Path) -> "list[Finding]":
    from apex_client.doctor import Finding, ReplicaImage, Unreadable, content_findings, file_findings
    from apex_client.doctor.finding import START_ANEW

    try:
        with ReplicaImage.open(path, key_from_here()) as image:
            findings = list(file_findings(image))
            return [*findings, *content_findings(image)] if image.has_records() else findings
    except Unreadable as error:
        return [Finding("file", "wrong", f"SQLite can read nothing of it: {error.reason}", START_ANEW)]


def _server(path: Path) -> "list[Finding]":
    """Ask as a sync would, for which the replica must be opened."""
    from apex_client.doctor import Finding, server_findings
    from apex_client.errors import ReplicaError

    try:
        with opened(path, patience_seconds=0) as replica:
            return list(server_findings(replica))
    except ReplicaError as error:
        return [Finding("server", "note", f"not asked, the replica cannot be opened for it: {error.reason}")]


def _export(path: Path, output: Path) -> None:
    from apex_client.doctor import ReplicaImage, Unreadable, salvage

    try:
        with ReplicaImage.open(path, key_from_here()) as image:
            salvaged = salvage(image, output)
    except Unreadable as error:
        raise CommandFailed(f"SQLite can read nothing of {path}: {error.reason}; keep the file") from error
    records, refused = counted(salvaged.records, "record"), counted(salvaged.rejected, "refused edit")
    said(f"wrote {records} and {refused} to {escaped(output)}")
    if salvaged.unreadable:
        said(
            f"[red]{len(salvaged.unreadable):,} could not be read[/], see unreadable.json in it; keep the replica file"
        )
        raise typer.Exit(1)


def _show(findings: "list[Finding]") -> None:
    rows = table("", "", "")
    rows.show_header = False
    for finding in findings:
        advice = f" [dim]→ {escaped(finding.advice)}[/]" if finding.advice else ""
        rows.add_row(STYLES[finding.state], finding.look, escaped(finding.words) + advice)
    shown(rows)
