"""`apex conflicts` and `apex rejected`: what a person may decide about, and nothing is lost until then."""

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from apex_client.cli.examples import examples
from apex_client.cli.failures import CommandFailed
from apex_client.cli.naming import field_name, record_name, state_of
from apex_client.cli.opening import NO_DB, Db, opened, use_from_here
from apex_client.cli.screen import counted, escaped, moment, said, shown, table

if TYPE_CHECKING:
    from apex_client.blocking import Replica
    from apex_client.overview import Candidate, ConflictItem, RejectedItem

LISTED_MAX = 1000

conflicts_group = typer.Typer(
    help="Show where two devices wrote one field without having seen each other, and restore what lost.",
    epilog=examples("apex conflicts", "apex conflicts restore 1", "apex conflicts keep 1"),
    rich_markup_mode="rich",
)
rejected_group = typer.Typer(
    help="Show edits that the server refused, and send them again or let them go.",
    epilog=examples("apex rejected", "apex rejected reissue 3", "apex rejected drop 3"),
    rich_markup_mode="rich",
)

Number = Annotated[int, typer.Argument(metavar="N", help="The number in the list.")]


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(conflicts_group, name="conflicts", rich_help_panel="Syncing")
    app.add_typer(rejected_group, name="rejected", rich_help_panel="Syncing")


@conflicts_group.callback(invoke_without_command=True)
def _conflicts(context: typer.Context, db: Db = NO_DB) -> None:
    use_from_here(db)
    if context.invoked_subcommand is not None:
        return
    with opened(db) as replica:
        found = replica.conflicts.list(limit=LISTED_MAX)
        if not found:
            said("no conflicts")
            return
        rows = table("N", "record", "field", "stands", "lost", right=("N",))
        for number, conflict in enumerate(found, 1):
            record, field = _place(replica, conflict)
            kept = "[dim]deleted[/]" if conflict.kept is None else _candidate(conflict.kept)
            lost = "\n".join(_candidate(candidate) for candidate in conflict.discarded)
            rows.add_row(str(number), record, field, kept, lost)
        shown(rows)
        said("[dim]apex conflicts restore N brings back what lost; apex conflicts keep N settles it as it stands[/]")


@conflicts_group.command(epilog=examples("apex conflicts restore 1", "apex conflicts restore 1 --value 2"))
def restore(
    number: Number,
    value: Annotated[int, typer.Option(metavar="K", min=1, help="Which of several that lost.")] = 1,
    db: Db = NO_DB,
) -> None:
    """Write the value that lost again, on every device."""
    with opened(db) as replica:
        conflict = _numbered(replica, number)
        if value > len(conflict.discarded):
            raise CommandFailed(f"conflict {number} has only {counted(len(conflict.discarded), 'value')} that lost")
        replica.conflicts.restore(conflict, value - 1)
        _tell_settled(replica, conflict, conflict.discarded[value - 1])


@conflicts_group.command(epilog=examples("apex conflicts keep 1"))
def keep(number: Number, db: Db = NO_DB) -> None:
    """Settle a conflict as it stands, on every device."""
    with opened(db) as replica:
        conflict = _numbered(replica, number)
        if conflict.kept is None:
            raise CommandFailed(f"nothing stands there to be kept; choose a value: apex conflicts restore {number}")
        replica.conflicts.restore(conflict, "kept")
        _tell_settled(replica, conflict, conflict.kept)


@rejected_group.callback(invoke_without_command=True)
def _rejected(context: typer.Context, db: Db = NO_DB) -> None:
    use_from_here(db)
    if context.invoked_subcommand is not None:
        return
    with opened(db) as replica:
        found = replica.rejected.list(limit=LISTED_MAX)
        if not found:
            said("nothing was refused")
            return
        rows = table("N", "when", "record", "why", "content", right=("N",))
        for item in found:
            why = f"{item.field}: {item.message}" if item.field else item.message or item.code
            rows.add_row(str(item.id), moment(item.at_us), _record(replica, item), escaped(why), _content(item))
        shown(rows)
        said("[dim]apex rejected reissue N sends it again; apex rejected drop N lets it go for good[/]")


@rejected_group.command(epilog=examples("apex rejected reissue 3"))
def reissue(number: Number, db: Db = NO_DB) -> None:
    """Send a refused edit again with the next sync."""
    with opened(db) as replica:
        item = _refused(replica, number)
        replica.rejected.reissue(item)
        said(f"{_record(replica, item)} goes out again: apex sync")


@rejected_group.command(epilog=examples("apex rejected drop 3"))
def drop(number: Number, db: Db = NO_DB) -> None:
    """Let a refused edit go for good."""
    with opened(db) as replica:
        item = _refused(replica, number)
        replica.rejected.drop(item)
        said(f"dropped: {_content(item)}")


def _numbered(replica: "Replica", number: int) -> "ConflictItem":
    found = replica.conflicts.list(limit=LISTED_MAX)
    if not 1 <= number <= len(found):
        raise CommandFailed(f"there is no conflict {number}; apex conflicts lists {counted(len(found), 'conflict')}")
    return found[number - 1]


def _refused(replica: "Replica", number: int) -> "RejectedItem":
    for item in replica.rejected.list(limit=LISTED_MAX):
        if item.id == number:
            return item
    raise CommandFailed(f"nothing refused has the number {number}; apex rejected lists them")


def _tell_settled(replica: "Replica", conflict: "ConflictItem", chosen: "Candidate") -> None:
    record, field = _place(replica, conflict)
    said(f"{record}: {field} is {_value(chosen.value)} now; apex sync tells the other devices")


def _place(replica: "Replica", conflict: "ConflictItem") -> tuple[str, str]:
    """Name record and field."""
    state = state_of(replica, conflict.collection, conflict.record_id)
    return escaped(record_name(conflict.collection, state)), escaped(
        field_name(conflict.collection, conflict.keys, state)
    )


def _record(replica: "Replica", item: "RejectedItem") -> str:
    return escaped(record_name(item.collection, state_of(replica, item.collection, item.record_id)))


def _candidate(candidate: "Candidate") -> str:
    device = "this device" if candidate.mine else "another device"
    return f"{_value(candidate.value)} [dim]{device}, {moment(candidate.at_us)}[/]"


def _value(value: Any) -> str:
    return escaped(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def _content(item: "RejectedItem") -> str:
    return escaped(json.dumps(item.patches[0] if len(item.patches) == 1 else item.patches, ensure_ascii=False))
