"""`apex status`: where the replica stands, and whatever its person must know: of this device, and of the account.

What is here is told at once and without a network; then the server is asked what only it knows.
"""

import time
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from apex_client.cli.examples import examples
from apex_client.cli.naming import noun_of
from apex_client.cli.opening import NO_DB, Db, opened
from apex_client.cli.screen import ago, counted, escaped, moment, notes, shown, shown_json, size, table
from apex_client.cli.sessions import is_coach

if TYPE_CHECKING:
    from apex_client.blocking import Replica
    from apex_client.status import ReplicaStatus


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    shown_first = examples("apex status", "apex status --offline", "apex status --json")
    app.command(rich_help_panel="Syncing", epilog=shown_first)(status)


DRAFTS_COUNTED_MAX = 1000
"""More than a coach reads in a week."""

LABEL_WIDTH = 14
"""Of the longest label, so that what is told later stands in line."""


class AccountNews(NamedTuple):
    """What the server knows of the account; `silence` says why it told nothing."""

    sign_in_needed: bool = False
    address_confirmed: bool | None = None
    erased_after: datetime | None = None
    silence: str | None = None


def status(
    json: Annotated[bool, typer.Option("--json", metavar="", help="For programs: one JSON object.")] = False,
    offline: Annotated[bool, typer.Option("--offline", metavar="", help="Do not ask the server.")] = False,
    db: Db = NO_DB,
) -> None:
    """Tell what is here, what waits to be sent, what was refused, and what to know of your account."""
    import msgspec

    with opened(db) as replica:
        found = replica.status()
        if json:
            news = None if offline else _account_news(replica)
            answer = {
                "path": str(replica.path),
                "user": msgspec.to_builtins(replica.user),
                **msgspec.to_builtins(found),
                "account": news._asdict() if news else None,
            }
            shown_json(answer)
            return
        _show(_lines(replica, found))
        if not offline:
            with notes().status("asking the server"):
                news = _account_news(replica)
            _show(_account_lines(news))


def _show(lines: dict[str, str]) -> None:
    if not lines:
        return
    rows = table("", "")
    rows.show_header = False
    rows.columns[0].min_width = LABEL_WIDTH
    for name, value in lines.items():
        rows.add_row(f"[dim]{name}[/]", value)
    shown(rows)


def _account_news(replica: "Replica") -> AccountNews | None:
    """Ask the server about the account; None where nobody is signed in. Raises AccountErased."""
    from apex_client.errors import AccountErased, SignedOut, SyncFailed

    if replica.user is None:
        return None
    try:
        deletion = replica.privacy.deletion()
        me = replica.request("GET", "/api/auth/me")
    except AccountErased:
        raise
    except SignedOut:
        return AccountNews(sign_in_needed=True)
    except SyncFailed as error:
        return AccountNews(silence=str(error))
    return AccountNews(False, bool(me["user"]["email_verified"]), deletion.erase_at if deletion else None)


def _account_lines(news: AccountNews | None) -> dict[str, str]:
    if news is None:
        return {}
    lines = {}
    if news.erased_after is not None:
        lines["account ends"] = (
            f"[red]it is erased after {news.erased_after:%Y-%m-%d}[/]; to keep it: apex privacy keep-account"
        )
    if news.sign_in_needed:
        lines["signed out"] = "[red]the server wants you to sign in again[/], nothing here is lost: apex login"
    if news.address_confirmed is False:
        lines["address"] = "[yellow]not confirmed[/]: open the link in our mail, so that your other devices can sign in"
    if news.silence is not None:
        lines["server says"] = f"[dim]nothing now: {escaped(news.silence)}[/]"
    return lines


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
    lines |= _waiting_for_you(replica)
    if found.repairs:
        lines["repairs"] = f"{found.repairs}: copies that differed from the server's and were mended"
    return lines


def _waiting_for_you(replica: "Replica") -> dict[str, str]:
    """Tell of messages, of devices that joined an encrypted thread, and of drafts to decide on."""
    lines = {}
    threads = replica.messages.threads()
    if unread := sum(thread.unread for thread in threads):
        lines["messages"] = f"{unread} unread: apex messages"
    if joined := [thread.name or "your coach" for thread in threads if thread.new_devices]:
        names = escaped(", ".join(joined))
        lines["new devices"] = (
            f"[yellow]in the encrypted thread with {names}[/]: nothing goes there until you look: apex messages"
        )
    if is_coach(replica) and (drafts := len(replica.insights.list(status="draft", limit=DRAFTS_COUNTED_MAX))):
        lines["insights"] = f"{counted(drafts, 'draft')} to approve or dismiss: apex insights"
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
