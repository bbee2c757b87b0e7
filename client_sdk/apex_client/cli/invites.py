"""`apex clients invite`, `invites` and `revoke`: how athletes come to a coach."""

from typing import TYPE_CHECKING, Annotated

import typer

from apex_client.cli.examples import examples
from apex_client.cli.failures import CommandFailed, WrongUsage
from apex_client.cli.opening import NO_DB, Db, opened
from apex_client.cli.screen import counted, escaped, said, shown, table

if TYPE_CHECKING:
    from apex_client.standing import OpenInvite

LETTERS = {
    "waiting": "it is on its way, or tried again at the time that stands there",
    "unconfirmed": "it goes once you confirm your own address: open our mail to you",
    "too_many": "it does not go: you wrote to them twice that day or four times in 30, or to 200 people that day; tell "
    "them the code, or invite them again later",
    "refused": "their post did not take it: look at the address, and invite them again",
}
"""What to know of a letter that has not gone."""

ID_LENGTH = 8
"""Characters of an id that tell the few open invites of a coach apart."""


def add_to(group: typer.Typer) -> None:
    """Add the commands."""
    group.command(epilog=examples("apex clients invite anna@example.com", "apex clients invite --days 30"))(invite)
    group.command(epilog=examples("apex clients invites"))(invites)
    group.command(epilog=examples("apex clients revoke anna@example.com", "apex clients revoke --all"))(revoke)


def invite(
    email: Annotated[
        str | None, typer.Argument(help="Where a letter with the code goes; only they can use it.")
    ] = None,
    days: Annotated[int, typer.Option(metavar="N", min=1, max=90, help="How long it is good.")] = 14,
    db: Db = NO_DB,
) -> None:
    """Invite an athlete, by a letter or by a code that you tell them; once more for an address makes a new code."""
    with opened(db) as replica:
        made = replica.clients.invite(email, valid_days=days)
    print(made.code)
    said(f"good until {made.expires_at:%Y-%m-%d}; with it: apex register --invite CODE, or apex join CODE")
    if made.letter == "waiting":
        said(f"a letter with it is on its way to {escaped(email)}")
    elif email:
        said(f"the letter to {escaped(email)}: {LETTERS.get(made.letter, made.letter)}")


def invites(db: Db = NO_DB) -> None:
    """List the invites that nobody has accepted yet."""
    with opened(db) as replica:
        found = replica.clients.invites()
    listed = table("invite", "athlete", "e-mail", "letter", "good until")
    for each in found:
        until = f"{each.expires_at:%Y-%m-%d}"
        who = escaped(each.name or ""), escaped(each.email or "")
        listed.add_row(each.id[:ID_LENGTH], *who, _letter_of(each), until)
    shown(listed)
    for letter in sorted({each.letter for each in found} & LETTERS.keys()):
        said(f"{letter}: {LETTERS[letter]}")
    said(f"{counted(len(found), 'open invite')}; the code of each was shown when it was made")


def revoke(
    which: Annotated[
        str | None, typer.Argument(metavar="INVITE", help="An address, or the beginning of what invites calls it.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All that nobody has accepted.")] = False,
    db: Db = NO_DB,
) -> None:
    """Take back an invite, or all of them: the codes are void, and whoever tries one is told."""
    if (which is None) != everything:
        raise WrongUsage("name one invite, or take back --all")
    with opened(db) as replica:
        if which is None:
            replica.clients.revoke_invites()
            said("taken back: all invites that nobody had accepted")
            return
        found = _one(replica.clients.invites(), which)
        replica.clients.revoke_invite(found.id)
        said(f"taken back: the invite {found.id[:ID_LENGTH]} {escaped(found.email or found.name or '')}".rstrip())


def _letter_of(invite: "OpenInvite") -> str:
    if invite.letter == "waiting" and invite.letter_at is not None:
        return f"waiting until {invite.letter_at.astimezone():%Y-%m-%d %H:%M}"
    return invite.letter


def _one(open_ones: "list[OpenInvite]", which: str) -> "OpenInvite":
    """Give the invite that somebody names. Raises CommandFailed."""
    named = which.strip().casefold()
    found = [each for each in open_ones if each.email == named or (named and each.id.startswith(named))]
    if len(found) == 1:
        return found[0]
    raise CommandFailed(
        f"{which!r} is {'more than one' if found else 'none'} of your open invites: apex clients invites"
    )
