"""What a person meant who typed a name that no library has: they pick one of the nearest, where there is a terminal."""

import sys
from collections.abc import Sequence

import typer

from apex_client.cli.failures import CommandFailed
from apex_client.cli.screen import escaped, said

OFFERED = 3
"""A slip of the finger means one of the nearest, or something else altogether."""


def at_terminal() -> bool:
    """Tell whether somebody can be asked."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def refusal(typed: str, nearest: Sequence[str]) -> str:
    """Word what is wrong with a name, and which are near."""
    offered = " or ".join(repr(one) for one in nearest)
    return f"{typed!r} is not in the library" + (f"; is it {offered}?" if offered else ", and was never logged.")


def picked(typed: str, nearest: Sequence[str], *, as_it_is: bool) -> str:
    """Give the one of the nearest names that the person picks; with `as_it_is` also the typed one.

    Raises CommandFailed, without a terminal always.
    """
    if not at_terminal():
        raise CommandFailed(refusal(typed, nearest) + (" If it is right as it is, give --new" if as_it_is else ""))
    if not nearest:
        return _confirmed(typed)
    said(f"{escaped(repr(typed))} is not in the library. Which one is it?")
    for place, one in enumerate([*nearest, *([f"{typed}, as it is"] if as_it_is else [])], 1):
        said(f"  {place}  {escaped(one)}")
    choices = [*nearest, *([typed] if as_it_is else [])]
    number: int = typer.prompt("Number", type=int, default=1 if as_it_is else None, err=True)
    if not 1 <= number <= len(choices):
        raise CommandFailed(f"there is no {number} to pick; nothing was saved")
    return choices[number - 1]


def _confirmed(typed: str) -> str:
    said(escaped(refusal(typed, [])))
    if not typer.confirm("Log it as it is?", default=False, err=True):
        raise CommandFailed("nothing was logged")
    return typed
