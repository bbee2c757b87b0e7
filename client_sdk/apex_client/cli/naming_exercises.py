"""What exercise a typed name means: one that only resembles the library's is asked back before it is logged."""

import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING

from apex_client.cli.failures import CommandFailed
from apex_client.cli.nearest_names import OFFERED, at_terminal, picked, refusal
from apex_client.cli.screen import counted, escaped, said

if TYPE_CHECKING:
    from apex_client.blocking import Replica
    from apex_client.blocking.workouts import WorkoutLog

SETTLED_MAX = 20
"""Names of a program that are asked about; with more than that the file is of another language, or no program."""

PLACE = re.compile(r"[a-z][1-9]", re.I)
"""Where an exercise stands in a program: the first of group A. Nobody calls an exercise so."""

LOGGED_NAMES = "SELECT DISTINCT exercise_name AS name FROM logged_sets WHERE exercise_name <> ''"

LOGGED_BEFORE = "SELECT 1 FROM logged_sets WHERE exercise_name = ? COLLATE NOCASE LIMIT 1"


def meant(replica: "Replica", typed: str, log: "WorkoutLog | None", planned: Sequence[str] = ()) -> str:
    """Give the name to log: the typed one where it is known, or the one that the person picks. Raises CommandFailed.

    `planned` are the names that the session's program uses; what resembles one of them is offered first.
    """
    if _is_known(replica, typed, log):
        return typed
    if PLACE.fullmatch(typed.strip()):
        where = "this session's has none such" if planned else "none is followed in this session"
        raise CommandFailed(
            f"{typed.upper()} is a place in a program, and {where}: apex log plan shows what is asked for; "
            "else name the exercise"
        )
    nearest = list(dict.fromkeys([*_resembling(typed, planned), *_nearest(replica, typed)]))[:OFFERED]
    return picked(typed, nearest, as_it_is=True)


def refuse_unknown(replica: "Replica", typed: str) -> None:
    """Return where a name means an exercise of the library, or of the log. Raises CommandFailed."""
    if not _is_known(replica, typed, None):
        logged = [row["name"] for row in replica.query(LOGGED_NAMES)]
        nearest = list(dict.fromkeys([*_resembling(typed, logged), *_nearest(replica, typed)]))
        raise CommandFailed(refusal(typed, nearest[:OFFERED]))


def settled_names(replica: "Replica", names: Iterable[str], *, yes: bool) -> dict[str, str]:
    """Give what each name of a program is to be that no library knows; at a terminal the person picks.

    In a pipe, and with `yes`, it stays as it is, and that is told.
    """
    settled: dict[str, str] = {}
    asks = not yes and at_terminal()
    unknown = [typed for typed in dict.fromkeys(names) if not replica.exercises.named(typed)]
    for typed in unknown[:SETTLED_MAX]:
        nearest = _nearest(replica, typed)
        if nearest and asks:
            settled[typed] = picked(typed, nearest, as_it_is=True)
        else:
            likened = f" (is it {' or '.join(map(repr, nearest))}?)" if nearest else ""
            said(f"[yellow]look at[/] {escaped(repr(typed))}: no library has it{escaped(likened)}; it stays as it is")
    if len(unknown) > SETTLED_MAX:
        said(f"[yellow]and {counted(len(unknown) - SETTLED_MAX, 'more name')} that no library has[/]")
    return settled


def _resembling(typed: str, names: Sequence[str]) -> list[str]:
    folded = {name.casefold(): name for name in names}
    return [folded[name] for name in get_close_matches(typed.casefold(), folded, n=OFFERED)]


def _nearest(replica: "Replica", typed: str) -> list[str]:
    return [str(one["name"]) for one in replica.exercises.search(typed, limit=OFFERED) if one.get("name")]


def _is_known(replica: "Replica", typed: str, log: "WorkoutLog | None") -> bool:
    in_session = log is not None and any(
        typed.casefold() in (one.key, (one.name or "").casefold()) for one in log.exercises
    )
    return in_session or bool(replica.exercises.named(typed)) or bool(replica.query(LOGGED_BEFORE, [typed]))
