"""`apex messages`: what a coach and an athlete write to each other, offline as everything else.

A message is named by the end of its id, which `apex messages read` shows.
"""

from typing import TYPE_CHECKING, Annotated

import typer

from apex_client.cli.examples import examples
from apex_client.cli.failures import CommandFailed, WrongUsage
from apex_client.cli.naming import short_id
from apex_client.cli.opening import NO_DB, Db, opened, use_from_here
from apex_client.cli.screen import counted, escaped, said, shown, table
from apex_client.cli.sessions import is_coach

if TYPE_CHECKING:
    from apex_client.blocking import Replica
    from apex_client.blocking.messages import Message, Messages
    from apex_client.overview import ThreadSummary

SHOWN_DEFAULT = 20
"""A screen's worth."""

LOOKED_THROUGH = 1000
"""Messages of a thread, the newest, among which one is looked for by its name."""


QUOTED_LENGTH = 40

NEW_DEVICE = "new device"

UNREADABLE = {
    "locked": "(encrypted; sent before this device)",
    "damaged": "(encrypted; damaged on the way, and not what was sent)",
}
"""What stands for the words of a message that this device cannot read."""

MARKS = {None: "not encrypted", "unverified": "from a device that was not accepted"}
"""What is said beside a message of an encrypted thread, by how it came."""

To = Annotated[str | None, typer.Option(metavar="WHO", help="A name or its beginning.")]

Which = Annotated[
    str | None,
    typer.Option("--message", metavar="ID", help="Which, as apex messages read shows it; default: the newest."),
]

Who = Annotated[str | None, typer.Argument(help="A name or its beginning; need not be given with one thread.")]

group = typer.Typer(
    help="Messages between coach and athlete: who wrote, reading, sending, answering, encrypting.",
    epilog=examples(
        "apex messages",
        "apex messages read Anna",
        'apex messages send "See you on Friday" --to Anna',
        'apex messages reply "At noon" --message 3f9a1c',
        "apex messages react 💪 --to Anna",
    ),
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
        known = [NEW_DEVICE] * bool(thread.new_devices) + ["encrypted"] * thread.encrypted
        filed = known + ["pinned"] * thread.pinned + ["archived"] * thread.archived + thread.tags
        found.add_row(
            escaped(_name(thread)), str(thread.unread or ""), _minute(thread.last_at), escaped(", ".join(filed))
        )
    shown(found)


@group.command(epilog=examples("apex messages read", "apex messages read Anna --limit 50"))
def read(
    who: Who = None,
    limit: Annotated[int, typer.Option(metavar="N", min=1, max=1000, help="How many, the newest.")] = SHOWN_DEFAULT,
    db: Db = NO_DB,
) -> None:
    """Show the newest messages of a thread and mark those that are shown as read."""
    with opened(db) as replica:
        summary = _summary(replica, who)
        thread = _messages_of(replica, summary)
        messages = thread.list(limit=limit)
        thread.read(messages)
        new = _new_devices(thread, summary) if summary.encrypted else ""
    if messages:
        shown("\n".join(_line(message, encrypted=summary.encrypted) for message in reversed(messages)))
    else:
        said("no messages yet")
    if new:
        said(f"{escaped(new)}; apex messages safety shows what to compare")


@group.command(epilog=examples('apex messages send "Knee is fine again"', 'apex messages send "Well done" --to Anna'))
def send(
    text: Annotated[str, typer.Argument(help="What to say.")],
    to: To = None,
    db: Db = NO_DB,
) -> None:
    """Write a message; it goes out with the next sync."""
    with opened(db) as replica:
        summary = _summary(replica, to)
        _send(_messages_of(replica, summary), summary, text)
    said("saved, sent with the next sync")


@group.command(
    epilog=examples('apex messages reply "At noon" --to Anna', 'apex messages reply "The left one" --message 3f9a1c')
)
def reply(
    text: Annotated[str, typer.Argument(help="What to answer.")],
    message: Which = None,
    to: To = None,
    db: Db = NO_DB,
) -> None:
    """Answer one message: the newest of theirs, or the one that is named."""
    with opened(db) as replica:
        summary = _summary(replica, to)
        thread = _messages_of(replica, summary)
        answered = _meant(thread, message, _other_side(replica))
        _send(thread, summary, text, reply_to=answered.id)
        said(f"answers {_quoted(answered)}; sent with the next sync")


@group.command(
    epilog=examples(
        "apex messages react 💪", "apex messages react 👍 --message 3f9a1c", "apex messages react 👍 --remove"
    )
)
def react(
    emoji: Annotated[str, typer.Argument(help="What to put under it.")],
    message: Which = None,
    remove: Annotated[bool, typer.Option("--remove", metavar="", help="Take yours away again.")] = False,
    to: To = None,
    db: Db = NO_DB,
) -> None:
    """React to one message: the newest of theirs, or the one that is named."""
    if emoji.isascii() or any(each.isalpha() or each.isspace() for each in emoji):
        raise WrongUsage(f"{emoji!r} is no emoji; words are an answer: apex messages reply")
    with opened(db) as replica:
        found = _meant(_messages_of(replica, _summary(replica, to)), message, _other_side(replica))
        if remove and _own_side(replica) not in found.reactions.get(emoji, ()):
            raise CommandFailed(f"there is no {emoji} of yours under {_quoted(found, plain=True)}")
        found.react(emoji, given=not remove)
        said(f"{escaped(emoji)} {'taken away from' if remove else 'under'} {_quoted(found)}; sent with the next sync")


@group.command(epilog=examples("apex messages undo", "apex messages undo --message 3f9a1c --to Anna"))
def undo(message: Which = None, to: To = None, db: Db = NO_DB) -> None:
    """Take back what you said: the newest, or the one that is named; that something was taken back stays."""
    with opened(db) as replica:
        own = _own_side(replica)
        found = _meant(_messages_of(replica, _summary(replica, to)), message, own)
        if own not in [each.sender for each in found.said]:
            raise CommandFailed(f"{_quoted(found, plain=True)} is not yours to take back")
        told = _quoted(found)
        found.delete()
        said(f"took back {told}; gone with the next sync")


@group.command(epilog=examples("apex messages encrypt Anna"))
def encrypt(who: Who = None, db: Db = NO_DB) -> None:
    """Have only your devices and theirs read what is written from now on; nobody can turn it off again."""
    with opened(db) as replica:
        summary = _summary(replica, who)
        _messages_of(replica, summary).encrypt()
    said(f"encrypted from now on; compare apex messages safety with {escaped(_name(summary))}, and nobody reads along")


@group.command(epilog=examples("apex messages safety Anna"))
def safety(who: Who = None, db: Db = NO_DB) -> None:
    """Show the devices that read a thread, and the 60 digits that are the same for both of you."""
    with opened(db) as replica:
        summary = _summary(replica, who)
        thread = _messages_of(replica, summary)
        devices, number = thread.devices(), thread.safety_number()
    found = table("of", "device", "")
    for each in devices:
        standing = "this one" if each.mine else "" if each.trusted else NEW_DEVICE
        found.add_row(each.side, escaped(each.device), standing)
    shown(found)
    groups = number.split()
    shown("\n".join("  " + " ".join(groups[row : row + 4]) for row in range(0, len(groups), 4)))
    said(f"The same digits at {escaped(_name(summary))}'s, read out or shown: nobody reads along.")


@group.command(epilog=examples("apex messages accept Anna"))
def accept(who: Who = None, db: Db = NO_DB) -> None:
    """Accept the new devices of a thread: what is written from now on is for them, too."""
    with opened(db) as replica:
        thread = _messages_of(replica, _summary(replica, who))
        new = [each for each in thread.devices() if not each.trusted]
        thread.accept(new)
    said(f"accepted: {escaped(', '.join(each.device for each in new))}" if new else "no new devices")


def _summary(replica: "Replica", who: str | None) -> "ThreadSummary":
    """Find the thread that is meant. Raises CommandFailed."""
    threads = replica.messages.threads()
    meant = [thread for thread in threads if who is None or _is_meant(thread, who)]
    if len(meant) == 1:
        return meant[0]
    if not meant:
        raise CommandFailed(f"no thread with {who}" if who else "nobody to write to yet; apex sync brings a thread")
    raise CommandFailed(f"{counted(len(meant), 'thread')}: say with whom, {', '.join(map(_name, meant))}")


def _messages_of(replica: "Replica", thread: "ThreadSummary") -> "Messages":
    return replica.messages.thread(thread.athlete_id if is_coach(replica) else thread.coach_id)


def _send(thread: "Messages", summary: "ThreadSummary", text: str, *, reply_to: str | None = None) -> None:
    """Write a message. Raises CommandFailed where a device would read along that nobody here has accepted."""
    from apex_client.errors import NewDevices

    try:
        thread.send(text, reply_to=reply_to)
    except NewDevices as error:
        raise CommandFailed(
            f"{_new_devices(thread, summary)}: not sent. Ask whether it is theirs, or compare apex messages safety,"
            " then apex messages accept"
        ) from error


def _own_side(replica: "Replica") -> str:
    return "coach" if is_coach(replica) else "athlete"


def _other_side(replica: "Replica") -> str:
    return "athlete" if is_coach(replica) else "coach"


def _meant(thread: "Messages", named: str | None, side: str) -> "Message":
    """Find a message by the end of its id, or the newest of a side. Raises CommandFailed."""
    messages = thread.list(limit=LOOKED_THROUGH)
    if named is None:
        theirs = (one for one in messages if not one.deleted and side in [each.sender for each in one.said])
        if newest := next(theirs, None):
            return newest
        raise CommandFailed(f"the {side} has written nothing yet that is still there; name a message: --message ID")
    found = [one for one in messages if named and one.id.endswith(named.casefold())]
    if len(found) == 1:
        return found[0]
    if found:
        raise CommandFailed(
            f"{named!r} is more than one message: write more of it, {', '.join(one.id for one in found)}"
        )
    raise CommandFailed(
        f"there is no message {named!r} among the newest {LOOKED_THROUGH}; apex messages read shows ids"
    )


def _quoted(message: "Message", *, plain: bool = False) -> str:
    """Say which message it is, by its name and its first words; `plain` where the terminal reads no markup."""
    words = " ".join((message.text or message.type or "").split())
    told = f"{short_id(message.id)} ({words[:QUOTED_LENGTH]}{'…' if len(words) > QUOTED_LENGTH else ''})"
    return told if plain else escaped(told)


def _new_devices(thread: "Messages", summary: "ThreadSummary") -> str:
    """Say who has a device that nobody here has accepted; nothing where nobody has."""
    new = [each for each in thread.devices() if not each.trusted]
    own = next((each.side for each in thread.devices() if each.mine), None)
    of_others = [each.device for each in new if each.side != own]
    of_own = [each.device for each in new if each.side == own]
    told = [f"{_name(summary)} has a new device ({', '.join(of_others)})"] if of_others else []
    return " and ".join(told + ([f"you have a new device ({', '.join(of_own)})"] if of_own else []))


def _is_meant(thread: "ThreadSummary", who: str) -> bool:
    named = (thread.name or "").casefold().startswith(who.casefold())
    return named or who in (thread.coach_id, thread.athlete_id)


def _name(thread: "ThreadSummary") -> str:
    return thread.name or "coach"


def _line(message: "Message", *, encrypted: bool) -> str:
    """Write a message on a line, with what came of it; where somebody tampered, one for each side."""
    lines = []
    for each in message.said:
        words = (each.text or each.file_name or UNREADABLE.get(each.encryption or "") or f"({each.type})").splitlines()
        what = "[dim]taken back[/]" if each.deleted else "\n    ".join(map(escaped, words))
        marks = [emoji for emoji in each.reactions] + (["✓ read"] if each.read_at else [])
        if encrypted and each.encryption in MARKS and not each.deleted:
            marks.append(MARKS[each.encryption])
        trailing = f"  [dim]{escaped(' '.join(marks))}[/]" if marks else ""
        answers = f"[dim]to {escaped(short_id(each.reply_to))}:[/] " if each.reply_to else ""
        when = f"[dim]{_minute(each.sent_at)}  {short_id(message.id)}[/]"
        lines.append(f"{when}  [bold]{each.sender}[/]  {answers}{what}{trailing}")
    return "\n".join(lines)


def _minute(sent_at: str | None) -> str:
    """Write a moment in the clock of this machine."""
    from datetime import datetime

    try:
        return datetime.fromisoformat(sent_at or "").astimezone().strftime("%Y-%m-%d %H:%M")
    except ValueError:
        return ""
