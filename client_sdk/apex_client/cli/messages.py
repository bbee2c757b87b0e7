"""`apex messages`: what a coach and an athlete write to each other, offline as everything else."""

from typing import TYPE_CHECKING, Annotated

import typer

from apex_client.cli.examples import examples
from apex_client.cli.failures import CommandFailed
from apex_client.cli.opening import NO_DB, Db, opened, use_from_here
from apex_client.cli.screen import counted, escaped, said, shown, table

if TYPE_CHECKING:
    from apex_client.blocking import Replica
    from apex_client.blocking.messages import Message, Messages
    from apex_client.overview import ThreadSummary

SHOWN_DEFAULT = 20
"""A screen's worth."""

group = typer.Typer(
    help="Messages between coach and athlete: who wrote, reading and sending.",
    epilog=examples("apex messages", "apex messages read Anna", 'apex messages send "See you on Friday" --to Anna'),
    rich_markup_mode="rich",
)


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(group, name="messages", rich_help_panel="Coaching")


@group.callback(invoke_without_command=True)
def _messages(context: typer.Context, db: Db = NO_DB) -> None:
    if context.invoked_subcommand is not None:
        use_from_here(db)
        return
    with opened(db) as replica:
        threads = replica.messages.threads()
    if not threads:
        raise CommandFailed("nobody to write to yet; apex sync brings a thread once coach and athlete are linked")
    found = table("with", "unread", "last", "", right=("unread",))
    for thread in threads:
        filed = ["pinned"] * thread.pinned + ["archived"] * thread.archived + thread.tags
        found.add_row(
            escaped(_name(thread)), str(thread.unread or ""), _minute(thread.last_at), escaped(", ".join(filed))
        )
    shown(found)


@group.command(epilog=examples("apex messages read", "apex messages read Anna --limit 50"))
def read(
    who: Annotated[
        str | None, typer.Argument(help="A name or its beginning; need not be given with one thread.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many, the newest.")] = SHOWN_DEFAULT,
    db: Db = NO_DB,
) -> None:
    """Show the newest messages of a thread and mark those that are shown as read."""
    with opened(db) as replica:
        thread = _thread(replica, who)
        messages = thread.list(limit=limit)
        thread.read(messages)
    if messages:
        shown("\n".join(_line(message) for message in reversed(messages)))
    else:
        said("no messages yet")


@group.command(epilog=examples('apex messages send "Knee is fine again"', 'apex messages send "Well done" --to Anna'))
def send(
    text: Annotated[str, typer.Argument(help="What to say.")],
    to: Annotated[str | None, typer.Option(metavar="WHO", help="A name or its beginning.")] = None,
    db: Db = NO_DB,
) -> None:
    """Write a message; it goes out with the next sync."""
    with opened(db) as replica:
        _thread(replica, to).send(text)
    said("saved, sent with the next sync")


def _thread(replica: "Replica", who: str | None) -> "Messages":
    """Find the thread that is meant. Raises CommandFailed."""
    threads = replica.messages.threads()
    meant = [thread for thread in threads if who is None or _is_meant(thread, who)]
    if len(meant) == 1:
        side = "athlete" if replica.user and replica.user.role == "coach" else "coach"
        return replica.messages.thread(getattr(meant[0], f"{side}_id"))
    if not meant:
        raise CommandFailed(f"no thread with {who}" if who else "nobody to write to yet; apex sync brings a thread")
    raise CommandFailed(f"{counted(len(meant), 'thread')}: say with whom, {', '.join(map(_name, meant))}")


def _is_meant(thread: "ThreadSummary", who: str) -> bool:
    named = (thread.name or "").casefold().startswith(who.casefold())
    return named or who in (thread.coach_id, thread.athlete_id)


def _name(thread: "ThreadSummary") -> str:
    return thread.name or "coach"


def _line(message: "Message") -> str:
    """Write a message on a line, with what came of it; where somebody tampered, one for each side."""
    lines = []
    for each in message.said:
        words = (each.text or each.file_name or f"({each.type})").splitlines()
        what = "[dim]taken back[/]" if each.deleted else "\n    ".join(map(escaped, words))
        marks = [emoji for emoji in each.reactions] + (["✓ read"] if each.read_at else [])
        trailing = f"  [dim]{escaped(' '.join(marks))}[/]" if marks else ""
        lines.append(f"[dim]{_minute(each.sent_at)}[/]  [bold]{each.sender}[/]  {what}{trailing}")
    return "\n".join(lines)


def _minute(sent_at: str | None) -> str:
    """Write a moment in the clock of this machine."""
    from datetime import datetime

    try:
        return datetime.fromisoformat(sent_at or "").astimezone().strftime("%Y-%m-%d %H:%M")
    except ValueError:
        return ""
