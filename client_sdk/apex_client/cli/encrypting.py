"""`apex encrypt`: a key for a plain replica, another one, or none again."""

from pathlib import Path
from typing import Annotated

import typer

from apex_client.cli.examples import examples
from apex_client.cli.failures import CommandFailed, WrongUsage
from apex_client.cli.opening import NO_DB, Db, key_from_here, read_key, resolved
from apex_client.cli.screen import escaped, said


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        rich_help_panel="Data",
        epilog=examples(
            "(umask 077; openssl rand -hex 32 > apex.key) && apex encrypt --new-key-file apex.key",
            "apex --key-file apex.key status",
            "apex --key-file apex.key encrypt --new-key-file new.key",
        ),
    )(encrypt)


def encrypt(
    new_key_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", exists=True, dir_okay=False, help="64 hexadecimal digits, or a passphrase; for you alone."
        ),
    ] = None,
    decrypt: Annotated[bool, typer.Option("--decrypt", metavar="", help="Make it a plain file again.")] = False,
    db: Db = NO_DB,
) -> None:
    """Encrypt the replica, or give it another key; the present one is named with apex --key-file.

    All or nothing, whatever is cut off. Keep the key: without it, what was not synced is lost.
    """
    if (new_key_file is None) is not decrypt:
        raise WrongUsage("give --new-key-file FILE, or --decrypt")
    from apex_client.changing_keys import change_replica_key

    path = resolved(db)
    if not path.exists():
        raise CommandFailed(f"there is no replica at {path}; make one with apex init, or name another with --db")
    new_key = None if new_key_file is None else read_key(new_key_file)
    change_replica_key(path, old_key=key_from_here(), new_key=new_key)
    said(f"{escaped(path)} is {'plain' if new_key is None else 'encrypted'} now")
