"""What exercise a typed name means: one that only resembles the library's is asked back before it is logged."""

import sys
from typing import TYPE_CHECKING

import typer

from apex_client.cli.failures import CommandFailed
from apex_client.cli.screen import escaped, said

if TYPE_CHECKING:
    from apex_client.blocking import Replica
    from apex_client.blocking.workouts import WorkoutLog

OFFERED = 3
"""A slip of the finger means one of the nearest, or something else altogether."""

LOGGED_BEFORE = "SELECT 1 FROM logged_sets WHERE exercise_name = ? COLLATE NOCASE LIMIT 1"


def meant(replica: "Replica", typed: str, log: "WorkoutLog | None") -> str:
    """Give the name to log: the typed one where it is known, or the one that the person picks. Raises CommandFailed."""
    if _is_known(replica, typed, log):
        return typed
    nearest = [str(one["name"]) for one in replica.exercises.search(typed, limit=OFFERED) if one.get("name")]
    if not nearest:
        return typed
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        offered = " or ".join(repr(one) for one in nearest)
        raise CommandFailed(f"{typed!r} is not in the library; is it {offered}? If it is right as it is, give --new")
    return _asked(typed, nearest)


def _is_known(replica: "Replica", typed: str, log: "WorkoutLog | None") -> bool:
    in_session = log is not None and any(
        typed.casefold() in (one.key, (one.name or "").casefold()) for one in log.exercises
    )
    return in_session or bool(replica.exercises.named(typed)) or bool(replica.query(LOGGED_BEFORE, [typed]))


def _asked(typed: str, nearest: list[str]) -> str:
    said(f"{escaped(repr(typed))} is not in the library. Which one is it?")
    for number, one in enumerate([*nearest, f"{typed}, as it is"], 1):
        said(f"  {number}  {escaped(one)}")
    picked: int = typer.prompt("Number", type=int, default=1, err=True)
    if not 1 <= picked <= len(nearest) + 1:
        raise CommandFailed("nothing was logged")
    return [*nearest, typed][picked - 1]
