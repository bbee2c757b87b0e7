"""What went wrong, as one line that says what to do next; nobody is shown a traceback for what they can mend."""

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager

FAILED = 1
USAGE = 2
INTERRUPTED = 130
"""What a shell expects of a program that Ctrl-C ended: 128 and the number of the signal."""

MORE_ADVICE = {
    "NoServer": "sign in first: apex login --server URL --email YOU; without an account: apex register",
    "SignedOut": "you are signed out; sign in again: apex login --email YOU",
    "MfaRequired": "this account wants a second factor; sign in with a code: apex login --email YOU",
    "WrongCode": "take the newest one, and run the command again",
    "WrongCredentials": "the e-mail address or the password is wrong; try again, or open /forgot-password there "
    "(registered on another device? open the mail that confirms your address first)",
    "AthleteNeeded": "this is a coach's replica, and this command is for an athlete's own log; use another --db",
    "CoachOnAthleteReplica": "an athlete logged here without an account; sign in as the athlete, or use another --db",
    "QueryFailed": "the tables: apex query --help, their columns: docs/sdk.md",
    "UnitNeeded": "say which: --unit kg or --unit lb",
    "ReplicaInUse": "another program has it open (apex sync --watch?); close that one and try again",
    "ReplicaReadOnly": "choose another with --db",
    "KeyNeeded": "it was left alone",
    "NotAReplica": "it was left alone; choose another with --db",
    "ReplicaDamaged": "",
    "ServerUnreachable": "nothing is lost, try again later",
    "InsecureServer": "",
    "BadAnswer": "is this the address of an Apex Sync server?",
    "UnsentWork": "run apex sync first, or give --discard-unsent",
    "AddressUnconfirmed": "or give --discard-unsent",
    "AnotherUser": "",
}
"""What to do about an error, by its class or the nearest above it; most errors say it themselves."""

WHOLE_ADVICE = {"NoServer", "SignedOut", "MfaRequired", "WrongCredentials", "AthleteNeeded", "CoachOnAthleteReplica"}
"""Errors whose own words are for programmers, or say nothing more."""


class CommandFailed(Exception):
    """Something a command finds out by itself; the message says what to do."""


class WrongUsage(CommandFailed):
    """Words on the command line that mean nothing; the message says how to write them."""


@contextmanager
def explained() -> Iterator[None]:
    """Turn an error into its line and exit code."""
    try:
        yield
    except BrokenPipeError:
        # Who read us has seen enough (`apex query … | head`); there is nobody to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(FAILED)
    except KeyboardInterrupt:
        _end("stopped; everything saved so far stays saved", INTERRUPTED)
    except Exception as error:
        line = _line_of(error)
        if line is None:
            raise
        _end(line, USAGE if isinstance(error, WrongUsage) else FAILED)


def _end(line: str, code: int) -> None:
    from apex_client.cli.screen import problem

    problem(line)
    sys.exit(code)


def _line_of(error: Exception) -> str | None:
    """Word an error, or give None for one that nobody foresaw: its traceback is what a maintainer needs."""
    from apex_client.cli.naming import in_words, noun_of
    from apex_client.errors import ServerRefused
    from apex_sync.errors import ApexError, ForbiddenField, OutOfBounds

    if isinstance(error, OutOfBounds):
        field = in_words(error.problem.field.rpartition(".")[2]) or noun_of(error.collection)
        return f"{field} {bound_in_words(error.problem.message)}; nothing was saved"
    if isinstance(error, ForbiddenField):
        if error.fields == ["deleted"]:
            return f"the {error.role} may not take away a {noun_of(error.collection)}; nothing was saved"
        named = ", ".join(map(in_words, error.fields))
        return f"the {error.role} may not write {named} of a {noun_of(error.collection)}; nothing was saved"
    if isinstance(error, OSError):
        return f"{error.filename}: {error.strerror}" if error.filename else str(error)
    if not isinstance(error, ApexError | CommandFailed) and not _is_import_failure(error):
        return None
    if isinstance(error, ServerRefused) and error.fields:
        return "; ".join(f"{in_words(field)} {bound_in_words(message)}".strip() for field, message in error.fields)
    name = next((kind.__name__ for kind in type(error).__mro__ if kind.__name__ in MORE_ADVICE), "")
    advice = MORE_ADVICE.get(name, "")
    if name in WHOLE_ADVICE:
        return advice
    return f"{error}; {advice}" if advice else str(error)


def _is_import_failure(error: Exception) -> bool:
    """Know an error of the importers, without loading them where nothing was imported."""
    errors = sys.modules.get("apex_client.importers.errors")
    return errors is not None and isinstance(error, errors.ImportFailed)


def bound_in_words(message: str) -> str:
    """Word what msgspec says of a value out of bounds.

    >>> bound_in_words("Expected `int` <= 10"), bound_in_words("Expected `float` >= 1.0")
    ('must be at most 10', 'must be at least 1')
    >>> bound_in_words("Expected `str` of length >= 8")
    'must be at least 8 characters'
    """
    found = re.match(r"Expected `(int|float|str)(?: \| null)?` (?:of length )?(<=|>=) (-?[\d.]+)", message)
    if message.startswith("is "):
        return message
    if found is None:
        return f"is refused: {message}"
    unit = " characters" if found[1] == "str" else ""
    return f"must be at {'most' if found[2] == '<=' else 'least'} {float(found[3]):g}{unit}"
