"""`apex clients status | tag | note | archive | restore`: a coach's file on an athlete, for the coach alone."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from apex_client.cli.examples import examples
from apex_client.cli.failures import CommandFailed, WrongUsage
from apex_client.cli.opening import NO_DB, Db, opened
from apex_client.cli.screen import escaped, said, shown
from apex_client.cli.sessions import athlete_id_of, records_of

if TYPE_CHECKING:
    from apex_client.blocking.records import SoleRecord
    from apex_sync.models import ClientFile

Athlete = Annotated[str, typer.Argument(metavar="ATHLETE", help="The athlete's name, or the beginning of it.")]


def add_to(group: typer.Typer) -> None:
    """Add the commands."""
    group.command(
        epilog=examples("apex clients status Anna needs-attention", "apex clients status Anna --clear"),
    )(status)
    group.command(
        epilog=examples('apex clients tag Anna Prep "Off season"', "apex clients tag Anna Prep --remove"),
    )(tag)
    group.command(
        epilog=examples(
            "apex clients note Anna",
            'apex clients note Anna "Prefers to train in the morning."',
            'apex clients note Anna "Trains at noon." --replace',
        ),
    )(note)
    group.command(epilog=examples("apex clients archive Anna"))(archive)
    group.command(epilog=examples("apex clients restore Anna"))(restore)


def status(
    athlete: Athlete,
    status: Annotated[
        str | None, typer.Argument(metavar="STATUS", help="active, inactive, needs-attention or overdue.")
    ] = None,
    clear: Annotated[bool, typer.Option("--clear", metavar="", help="Go by their records again.")] = False,
    db: Db = NO_DB,
) -> None:
    """Set how an athlete stands, whatever their records say."""
    from apex_sync.coaching.client_order import STATUSES

    if (status is None) != clear:
        raise WrongUsage(f"name a status, {', '.join(STATUSES)}, or --clear what you set")
    if status is not None and status not in STATUSES:
        raise WrongUsage(f"{status!r} is no status; there are {', '.join(STATUSES)}")
    with file_of(athlete, db) as file:
        file.edit(status=status)
    said("goes by their records again" if status is None else f"{status}, until you --clear it")


def tag(
    athlete: Athlete,
    tags: Annotated[list[str], typer.Argument(metavar="TAG…", help="One or more; with spaces in quotation marks.")],
    remove: Annotated[bool, typer.Option("--remove", metavar="", help="Take them off.")] = False,
    db: Db = NO_DB,
) -> None:
    """Put tags on an athlete, by which `apex clients --tag` finds them."""
    with file_of(athlete, db) as file:
        held: list[str] = file.get().get("tags") or []
        if remove and (unknown := [each for each in tags if each not in held]):
            raise CommandFailed(f"there is no tag {unknown[0]!r} on them; there is {', '.join(held) or 'none'}")
        kept = [each for each in held if each not in tags] if remove else list(dict.fromkeys([*held, *tags]))
        if kept != held:
            file.edit(tags=kept)
    said(f"tags: {escaped(', '.join(kept)) or 'none'}")


def note(
    athlete: Athlete,
    text: Annotated[str | None, typer.Argument(help="What to note; nothing shows what is noted.")] = None,
    replace: Annotated[
        bool, typer.Option("--replace", metavar="", help="In place of what is noted; without TEXT nothing is left.")
    ] = False,
    db: Db = NO_DB,
) -> None:
    """Note something about an athlete for yourself, on a line of its own, or show what you have noted."""
    with file_of(athlete, db) as file:
        held: str = file.get().get("notes") or ""
        noted = text if replace else "\n".join(filter(None, (held, text)))
        if noted != held:
            file.edit(notes=noted or None)
    if replace and held:
        said(f"[dim]in place of:[/] {_lines(held)}")
    if noted:
        shown(_lines(noted))
    else:
        said("nothing is noted")


def archive(athlete: Athlete, db: Db = NO_DB) -> None:
    """Put an athlete out of sight of lists; you go on working together."""
    _file(db, athlete, archived=True)


def restore(athlete: Athlete, db: Db = NO_DB) -> None:
    """Bring an archived athlete back into sight."""
    _file(db, athlete, archived=False)


@contextmanager
def file_of(athlete: str, db: Any) -> Iterator["SoleRecord[ClientFile]"]:
    """Open the file on an athlete. Raises CommandFailed."""
    with opened(db) as replica:
        athlete_id = athlete_id_of(records_of(replica, athlete))
        if athlete_id is None:
            raise CommandFailed("this is for coaches: an athlete has no clients")
        yield replica.athlete(athlete_id).client_file


def _file(db: Db, athlete: str, *, archived: bool) -> None:
    with file_of(athlete, db) as file:
        file.edit(archived=archived)
    said(f"{'out of' if archived else 'back in'} sight; apex sync takes it along")


def _lines(text: str) -> str:
    return "\n".join(map(escaped, text.splitlines()))
