"""`apex status`: where the replica stands."""

import sys
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from apex_client.cli.examples import examples
from apex_client.cli.naming import noun_of
from apex_client.cli.opening import NO_DB, Db, opened
from apex_client.cli.screen import ago, counted, escaped, moment, shown, size, table

if TYPE_CHECKING:
    from apex_client.blocking import Replica
    from apex_client.status import ReplicaStatus


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command(rich_help_panel="Syncing", epilog=examples("apex status", "apex status --json"))(status)


def status(
    json: Annotated[bool, typer.Option("--json", metavar="", help="For programs: one JSON object.")] = False,
    db: Db = NO_DB,
) -> None:
    """Tell what is here, what waits to be sent, what was refused, and when a sync last went through."""
    import msgspec

    with opened(db) as replica:
        found = replica.status()
        if json:
            user = msgspec.to_builtins(replica.user)
            answer = {"path": str(replica.path), "user": user, **msgspec.to_builtins(found)}
            sys.stdout.write(msgspec.json.format(msgspec.json.encode(answer)).decode() + "\n")
            return
        rows = table("", "")
        rows.show_header = False
        for name, value in _lines(replica, found).items():
            rows.add_row(f"[dim]{name}[/]", value)
        shown(rows)


def _lines(replica: "Replica", found: "ReplicaStatus") -> dict[str, str]:
    user = replica.user
    lines = {
        "replica": escaped(replica.path),
        "account": f"{escaped(user.name)} <{escaped(user.email)}>, {user.role}" if user else "nobody is signed in",
        "server": escaped(found.server) if found.server else "none: apex register or apex login, with --server URL",
        "records": _holdings(replica),
        "unsent": _pending(found),
        "last sync": moment(found.last_success_us) + f" ({_since(found.last_success_us)} ago)"
        if found.last_success_us
        else "never",
    }
    if found.media_waiting:
        waiting = counted(found.media_waiting, "photo or file", "photos and files")
        lines["media"] = f"{waiting} to be sent, {size(found.media_waiting_bytes)}: apex sync"
    if found.media_refused:
        lines["media refused"] = f"[red]{found.media_refused}[/]: apex photos list"
    if found.conflicted:
        lines["conflicts"] = f"[yellow]{counted(found.conflicted, 'record')}[/]: apex conflicts"
    if found.rejected:
        lines["refused"] = f"[red]{counted(found.rejected, 'edit')}[/]: apex rejected"
    if found.needs_review:
        lines["to review"] = f"{counted(found.needs_review, 'record')} with values out of bounds"
    if found.repairs:
        lines["repairs"] = f"{found.repairs}: copies that differed from the server's and were mended"
    return lines


def _holdings(replica: "Replica") -> str:
    rows: list[dict[str, Any]] = replica.query(
        "SELECT collection, count(*) AS records FROM held_records WHERE NOT deleted GROUP BY collection ORDER BY 2 DESC"
    )
    kinds = [counted(row["records"], noun_of(row["collection"])) for row in rows]
    return ", ".join(kinds) or "none yet"


def _pending(found: "ReplicaStatus") -> str:
    if not found.pending:
        return "nothing"
    age = f", the oldest for {ago(found.oldest_pending_seconds)}" if found.oldest_pending_seconds else ""
    return f"{counted(found.pending, 'record')}{age}: apex sync"


def _since(at_us: int) -> str:
    return ago(time.time() - at_us / 1e6)
