"""`apex org`: who reads along with you, and for a coach joining an organisation and leaving it."""

from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

import typer

from apex_client.cli.asking import agreed
from apex_client.cli.examples import examples
from apex_client.cli.failures import CommandFailed
from apex_client.cli.opening import NO_DB, Db, opened, use_from_here
from apex_client.cli.screen import escaped, said, shown, table

if TYPE_CHECKING:
    from apex_client.blocking import Replica

Yes = Annotated[bool, typer.Option("--yes", metavar="", help="Do not ask; you know who will read along.")]

group = typer.Typer(
    help="Who reads along with you; a coach joins an organisation, and leaves it when they like.",
    epilog=examples("apex org", "apex org join 38MS4-3NWWR-5T4AA-2SJ8P", "apex org leave"),
    rich_markup_mode="rich",
)


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(group, name="org", rich_help_panel="Coaching")


@group.callback(invoke_without_command=True)
def _organisation(context: typer.Context, db: Db = NO_DB) -> None:
    if context.invoked_subcommand is not None:
        use_from_here(db)
        return
    with opened(db) as replica:
        readers = _readers(replica)
    if not readers:
        said("nobody reads along")
        return
    listed = table("organisation", "its owner", "since")
    for each in readers:
        listed.add_row(escaped(each["organisation_name"]), escaped(each["owner_name"]), escaped(each["since"][:10]))
    shown(listed)
    said("they read what the coach reads, private notes too, but no messages, and write nothing")


@group.command(epilog=examples("apex org join 38MS4-3NWWR-5T4AA-2SJ8P"))
def join(
    code: Annotated[str, typer.Argument(metavar="CODE", help="The code that the owner gave you.")],
    yes: Yes = False,
    db: Db = NO_DB,
) -> None:
    """Join an organisation as a coach; its owner then reads what you and your athletes log."""
    path = f"/api/organisation/invites/{quote(code.strip(), safe='')}"
    with opened(db) as replica:
        offer = replica.request("GET", path)
        named = f"{escaped(offer['organisation_name'])} of {escaped(offer['owner_name'])}"
        agreed(f"Join {named}? They read what you read, your private notes too, but no messages.", yes=yes)
        replica.request("POST", f"{path}/accept")
        said(f"you coach for {named} now; your athletes are told")


@group.command(epilog=examples("apex org leave"))
def leave(yes: Yes = False, db: Db = NO_DB) -> None:
    """Leave the organisation you coach for; its owner stops reading with you at once."""
    with opened(db) as replica:
        readers = _readers(replica)
        if not readers or replica.user is None or replica.user.role != "coach":
            raise CommandFailed("you coach for no organisation")
        named = escaped(readers[0]["organisation_name"])
        agreed(f"Leave {named}? You keep your athletes and all that is logged.", yes=yes)
        replica.request("DELETE", "/api/organisation/membership")
        said(f"you left {named}")


def _readers(replica: "Replica") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = replica.request("GET", "/api/organisation/readers")["readers"]
    return found
