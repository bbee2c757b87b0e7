"""`apex privacy`: what you allow, a copy of everything the server has of you, and the end of your account."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

import typer

from apex_client.cli.account import PasswordStdin, asked_password
from apex_client.cli.asking import agreed
from apex_client.cli.examples import examples
from apex_client.cli.failures import CommandFailed, WrongUsage
from apex_client.cli.opening import NO_DB, Db, opened, use_from_here
from apex_client.cli.screen import escaped, paragraphs, progress, said, shown, shown_json, size

if TYPE_CHECKING:
    from apex_client.blocking import Replica
    from apex_client.own_data import Consent, DataExport

T = TypeVar("T")

SECOND_FACTOR_NEEDED = "second_factor_needed"
"""The server's code for a password that is right and not enough."""

Kind = Annotated[
    Literal["ai_analysis", "messages", "support_access"],
    typer.Argument(metavar="KIND", help="As apex privacy lists it."),
]
Yes = Annotated[bool, typer.Option("--yes", metavar="", help="Do not ask; you have read what it says.")]

group = typer.Typer(
    help="Your data: what you allow, a copy of everything, and the end of your account.",
    epilog=examples(
        "apex privacy",
        "apex privacy --json",
        "apex privacy allow support_access --days 3",
        "apex privacy export my-data.zip",
        "apex privacy delete-account",
    ),
    rich_markup_mode="rich",
)


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(group, name="privacy", rich_help_panel="Data")


@group.callback(invoke_without_command=True)
def _privacy(
    context: typer.Context,
    json: Annotated[bool, typer.Option("--json", metavar="", help="For programs: one JSON object.")] = False,
    db: Db = NO_DB,
) -> None:
    if context.invoked_subcommand is not None:
        use_from_here(db)
        return
    with opened(db) as replica:
        consents, deletion = replica.privacy.consents(), replica.privacy.deletion()
    if json:
        shown_json({"consents": consents, "deletion": deletion})
        return
    blocks = [f"[bold]{consent.kind}[/]: {_standing(consent)}\n{paragraphs(consent.text)}" for consent in consents]
    shown("\n\n".join(blocks))
    if deletion is not None:
        said(f"[yellow]your account is erased after {deletion.erase_at:%Y-%m-%d}[/]: apex privacy keep-account")


@group.command(epilog=examples("apex privacy allow messages", "apex privacy allow support_access --days 3"))
def allow(
    kind: Kind,
    days: Annotated[
        int | None, typer.Option(metavar="N", min=1, max=7, help="For support_access: for how many days.")
    ] = None,
    yes: Yes = False,
    password_stdin: PasswordStdin = False,
    db: Db = NO_DB,
) -> None:
    """Allow something, after reading what it says; what you allow you can withdraw."""
    if (kind == "support_access") != (days is not None):
        raise WrongUsage(
            "say for how many days support may look: --days 3" if days is None else "--days is of support_access"
        )
    with opened(db) as replica:
        consent = next((each for each in replica.privacy.consents() if each.kind == kind), None)
        if consent is None:
            raise CommandFailed(f"this server does not ask for {kind}")
        said(paragraphs(consent.text))
        agreed("Do you allow this?", yes=yes)
        _proven(replica, password_stdin, lambda: replica.privacy.allow(consent, days=days))
        said(f"allowed: {kind}")


@group.command(epilog=examples("apex privacy withdraw ai_analysis"))
def withdraw(kind: Kind, db: Db = NO_DB) -> None:
    """Take back what you allowed; it holds from now on."""
    with opened(db) as replica:
        replica.privacy.withdraw(kind)
        said(f"not allowed: {kind}")


@group.command(epilog=examples("apex privacy export", "apex privacy export ~/my-data.zip"))
def export(
    file: Annotated[Path | None, typer.Argument(metavar="FILE", help="Default: apex-data-DATE.zip, here.")] = None,
    password_stdin: PasswordStdin = False,
    db: Db = NO_DB,
) -> None:
    """Download a copy of everything the server has of you: a zip of JSON files, with a README."""
    from datetime import UTC, datetime

    path = file or Path(f"apex-data-{datetime.now(UTC):%Y-%m-%d}.zip")
    if path.exists():
        raise CommandFailed(f"{path} is there already; name another file")
    if not path.parent.is_dir():
        raise CommandFailed(f"there is no folder {path.parent}; make it first")
    with opened(db) as replica:
        made = _proven(replica, password_stdin, lambda: _downloaded(replica, path))
    said(f"wrote {escaped(path)}, {size(made.bytes)}; keep it where nobody else reads it")


@group.command(epilog=examples("apex privacy delete-account"))
def delete_account(
    confirm: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Your account's e-mail address, instead of asking for it.")
    ] = None,
    password_stdin: PasswordStdin = False,
    db: Db = NO_DB,
) -> None:
    """Have your account and everything in it erased in 30 days; until then you can keep it after all."""
    with opened(db) as replica:
        if replica.user is None:
            raise CommandFailed("nobody is signed in; sign in first: apex login --email YOU")
        address = replica.user.email
        if confirm is not None:
            _check_address(confirm, address)
        said(
            "In 30 days your account, your records with every edit, and your devices' copies are erased. "
            "Nobody can bring them back. A copy for you: apex privacy export"
        )
        if confirm is None:
            _check_address(_typed_address(address), address)
        deletion = _proven(replica, password_stdin, replica.privacy.ask_for_deletion)
        said(f"your account is erased after {deletion.erase_at:%Y-%m-%d}; to keep it: apex privacy keep-account")


@group.command(epilog=examples("apex privacy keep-account"))
def keep_account(db: Db = NO_DB) -> None:
    """Cancel the end of your account; everything is there as it was."""
    with opened(db) as replica:
        if replica.privacy.deletion() is None:
            said("nothing is to be erased")
            return
        replica.privacy.cancel_deletion()
        said("your account stays")


def _downloaded(replica: "Replica", path: Path) -> "DataExport":
    with progress("your data") as advance:
        return replica.privacy.export(path, progress=advance)


def _standing(consent: "Consent") -> str:
    if not consent.given:
        return "not allowed"
    until = f" until {consent.expires_at:%Y-%m-%d}" if consent.expires_at else ""
    since = f" since {consent.given_at:%Y-%m-%d}" if consent.given_at and not until else ""
    earlier = "; not all that the text says today: allow it again" if consent.is_outdated else ""
    return f"[green]allowed[/]{since}{until}{earlier}"


def _check_address(typed: str, address: str) -> None:
    if typed.strip().casefold() != address.casefold():
        raise CommandFailed("that is not the account's address; nothing was asked for")


def _typed_address(address: str) -> str:
    import sys

    if not sys.stdin.isatty():
        raise WrongUsage("there is no terminal to ask; give the account's address with --confirm")
    typed: str = typer.prompt(f"Type {address} to have it erased", err=True)
    return typed


def _proven(replica: "Replica", password_stdin: bool, call: Callable[[], T]) -> T:
    """Do something; where the last sign-in is too long ago, ask for the password and do it then."""
    from apex_client.errors import ServerRefused, SignInAgain

    try:
        return call()
    except SignInAgain:
        said("you signed in some time ago; give your password again")
    password = asked_password(password_stdin)
    try:
        replica.reauthenticate(password)
    except ServerRefused as error:
        if error.code != SECOND_FACTOR_NEEDED:
            raise
        replica.reauthenticate(
            password, mfa_code=typer.prompt("Code of your authenticator app, or a recovery code", err=True)
        )
    return call()
