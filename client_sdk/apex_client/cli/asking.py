"""Asking before something that is not easily undone."""

import sys

import typer

from apex_client.cli.failures import CommandFailed, WrongUsage

__all__ = ["agreed"]


def agreed(question: str, *, yes: bool) -> None:
    """Go on where the person says yes, or said so before. Raises CommandFailed, WrongUsage without a terminal."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise WrongUsage("there is no terminal to ask; say --yes")
    if not typer.confirm(question, err=True):
        raise CommandFailed("nothing was changed")
