"""`apex init`, `register`, `login`, `join` and `logout`: whose replica this is, and where it syncs."""

import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Literal
from urllib.parse import quote

import typer

from apex_client.cli.examples import examples
from apex_client.cli.failures import CommandFailed, WrongUsage
from apex_client.cli.opening import NO_DB, Db, opened, resolved
from apex_client.cli.screen import counted, escaped, said

if TYPE_CHECKING:
    from apex_client.accounts import User
    from apex_client.blocking import Replica
    from apex_client.errors import MfaRequired

START = "Start"
CODES_ASKED_MAX = 3
"""The server takes five; whoever needs more than three looks for another code first."""

Server = Annotated[
    str | None,
    typer.Option(envvar="APEX_SERVER", metavar="URL", help="The server's address; afterwards it is remembered."),
]
Email = Annotated[str, typer.Option(metavar="ADDRESS", help="The account's e-mail address.")]
PasswordStdin = Annotated[
    bool,
    typer.Option("--password-stdin", metavar="", help="Read the password from the standard input instead of asking."),
]


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(rich_help_panel=START, epilog=examples("apex init", "apex init --db ~/training.db"))(init)
    app.command(
        rich_help_panel=START,
        epilog=examples(
            "apex register --server https://coach.example --email you@example.com --name Anna "
            "--invite 38MS4-3NWWR-5T4AA-2SJ8P"
        ),
    )(register)
    app.command(
        rich_help_panel=START,
        epilog=examples(
            "apex login --server https://coach.example --email you@example.com",
            "apex login --email you@example.com --code 123456",
            "pass apex | apex login --email you@example.com --password-stdin",
        ),
    )(login)
    app.command(rich_help_panel=START, epilog=examples("apex join 38MS4-3NWWR-5T4AA-2SJ8P"))(join)
    app.command(rich_help_panel=START, epilog=examples("apex logout", "apex logout --discard-unsent"))(logout)


def init(db: Db = NO_DB) -> None:
    """Make a replica, or check the one that is there. No server and no account are needed."""
    existed = resolved(db).exists()
    with opened(db, make=True) as replica:
        rows = replica.query("SELECT count(*) AS records FROM held_records")
        said(f"{'using' if existed else 'made'} {escaped(replica.path)}: {counted(rows[0]['records'], 'record')}")
        if not existed:
            said("next: apex log set … or apex import FILE; to sync, apex register (a new account) or apex login")


def register(
    email: Email,
    name: Annotated[str, typer.Option(help="How the coach or the athletes see you.")],
    server: Server = None,
    role: Annotated[Literal["athlete", "coach"], typer.Option(help="What the account is for.")] = "athlete",
    invite: Annotated[str | None, typer.Option(metavar="CODE", help="A coach's invite code.")] = None,
    password_stdin: PasswordStdin = False,
    db: Db = NO_DB,
) -> None:
    """Make an account and sign in; what was logged here before becomes the account's."""
    with opened(db, make=True) as replica:
        address = _server_of(replica, server)
        password = asked_password(password_stdin, confirm=True)
        user = replica.register(address, email, password, name=name, role=role, invite=invite)
        _welcome(replica, user)
        said(f"a mail is on its way to {escaped(user.email)}: open its link, then your other devices sign in, too")
        if invite:
            said("[yellow]a coach who invited this address[/] sees what you log once you have opened it")


def login(
    email: Email,
    server: Server = None,
    password_stdin: PasswordStdin = False,
    code: Annotated[
        str | None,
        typer.Option(
            "--code", metavar="CODE", help="A code of your authenticator app, or a recovery code, instead of asking."
        ),
    ] = None,
    db: Db = NO_DB,
) -> None:
    """Sign in; what was logged here before the first sign-in becomes the account's."""
    from apex_client.errors import MfaRequired

    with opened(db, make=True) as replica:
        address = _server_of(replica, server)
        try:
            user = replica.login(address, email, asked_password(password_stdin), mfa_code=code)
        except MfaRequired as demand:
            user = _second_step(replica, demand)
        _welcome(replica, user)


def join(
    code: Annotated[str, typer.Argument(metavar="CODE", help="A coach's invite code.")],
    db: Db = NO_DB,
) -> None:
    """Take a coach's invite with the account that is signed in; the coach then sees your training and plans it."""
    with opened(db) as replica:
        link = replica.request("POST", f"/api/invites/{quote(code.strip(), safe='')}/accept")
        said(f"{escaped(link['coach_name'])} is your coach now; apex sync brings what they plan")


def logout(
    discard_unsent: Annotated[
        bool,
        typer.Option("--discard-unsent", metavar="", help="Sign out even if work was never sent; that work is lost."),
    ] = False,
    db: Db = NO_DB,
) -> None:
    """Sign out and take the account's records off this device; the server keeps them."""
    with opened(db) as replica:
        user = replica.user
        replica.logout(discard_unsent=discard_unsent)
        said("nobody is signed in" if user is None else f"signed out {escaped(user.email)}")


def _server_of(replica: "Replica", server: str | None) -> str:
    address = server or replica.server
    if not address:
        raise WrongUsage("no server is known yet; name it with --server URL")
    if "://" not in address:
        raise WrongUsage(f"{address} is no address; write https://{address}")
    return address


def asked_password(from_stdin: bool, *, confirm: bool = False) -> str:
    """Give the password, asked for or from the standard input. Raises CommandFailed."""
    if from_stdin:
        password = sys.stdin.readline().rstrip("\r\n")
        if not password:
            raise CommandFailed("there was no password on the standard input")
        return password
    if not sys.stdin.isatty():
        raise WrongUsage("there is no terminal to ask for the password; give it with --password-stdin")
    answer: str = typer.prompt("Password", hide_input=True, confirmation_prompt=confirm, err=True)
    return answer


def _second_step(replica: "Replica", demand: "MfaRequired") -> "User":
    """Ask for the code; the first wrong ones are forgiven."""
    from apex_client.errors import WrongCode

    if not sys.stdin.isatty():
        raise WrongUsage("this account wants a second factor; give a code with --code")
    if "totp" in demand.methods:
        question = "Code of your authenticator app, or a recovery code"
    else:
        replica.send_mfa_code(demand)
        question = f"Code that was sent to your phone {demand.phone_hint}, or a recovery code"
    for _ in range(CODES_ASKED_MAX - 1):
        try:
            return replica.finish_login(demand, typer.prompt(question, err=True))
        except WrongCode:
            said("that code is not right; take the newest one")
    return replica.finish_login(demand, typer.prompt(question, err=True))


def _welcome(replica: "Replica", user: "User") -> None:
    said(f"signed in to {escaped(replica.server)} as {escaped(user.name)} <{escaped(user.email)}>, {user.role}")
    _offer_to_stay(replica)
    pending = replica.status().pending
    if pending:
        said(f"{counted(pending, 'record')} to be sent: apex sync")


def _offer_to_stay(replica: "Replica") -> None:
    """Say so where the account is to be erased; whoever cannot be asked now is asked the next time."""
    from apex_client.errors import SyncFailed

    with suppress(SyncFailed):
        ending = replica.privacy.deletion()
        if ending is not None:
            when = f"{ending.erase_at:%Y-%m-%d}"
            said(f"[yellow]this account is erased after {when}[/]; to keep it: apex privacy keep-account")
