"""What became of a file that was imported into a coach's library."""

from typing import TYPE_CHECKING

from apex_client.cli.screen import counted, escaped, said, shown, table

if TYPE_CHECKING:
    from apex_client.library_importing import LibraryImport

LISTED = 20


def tell_import(report: "LibraryImport", limit: int | None) -> None:
    """Say how many entries were added and list those left out."""
    left_out = [(str(each.number), each.name, each.reason) for each in report.skipped]
    left_out += [("", each.name, f"in the library as {each.known_as}") for each in report.known]
    if left_out:
        listed = table("entry", "name", "left out because", right=("entry",))
        for number, name, reason in left_out[:limit]:
            listed.add_row(number, escaped(name), escaped(reason))
        shown(listed)
    if limit is not None and len(left_out) > limit:
        said(f"[dim]and {len(left_out) - limit:,} more; --all lists them[/]")
    said(
        f"{counted(report.read, 'entry', 'entries')}: [green]{report.added:,} added[/], {report.changed:,} completed, "
        f"{report.already_there:,} there already, {len(report.known):,} in the library, {len(report.skipped):,} skipped"
    )
    if report.dry_run:
        said("[bold]dry run:[/] nothing was saved")
