"""Loads of an athlete's program at a terminal: which lifts lack a maximum, and giving them loads later."""

import re
import shlex
from typing import TYPE_CHECKING, Any

from apex_client.cli.failures import WrongUsage
from apex_client.cli.screen import counted, escaped, said

if TYPE_CHECKING:
    from collections.abc import Sequence

    from apex_client.blocking.records import Record
    from apex_sync.coaching.program_ends import EndedProgram

__all__ = ["maxima_typed", "tell_ended", "tell_missing_loads"]

_MAXIMUM = re.compile(r"(.+?)\s*=\s*(\d+(?:[.,]\d+)?)\s*(kg|lbs?)?", re.I)


def tell_missing_loads(program: "Record[Any]", athlete: str) -> None:
    """Say which lifts in per cent have no load, and how to give them one."""
    from apex_sync.coaching.assigning import lifts_without_load

    if missing := lifts_without_load(program.record):
        lifts = ", ".join(f"{escaped(name)} ({counted(sets, 'set')})" for name, sets in missing.items())
        said(f"[yellow]in per cent without a load:[/] {lifts}; no set of twelve weeks shows a maximum")
        named = shlex.quote(program["name"]), shlex.quote(athlete), shlex.quote(f"{next(iter(missing))}=100kg")
        said(escaped("to state one: apex program loads {} --athlete {} --max {}".format(*named)))


def tell_ended(ended: "Sequence[EndedProgram]") -> None:
    """Name what gave way to a program that was assigned."""
    for each in ended:
        name = escaped(each.name or "a program without a name")
        began = f", begun on {each.start_date}," if each.start_date else ""
        if each.status == "archived":
            would = f" (from {each.start_date} on)" if each.start_date else ""
            said(f"{name}{would} gives way to it and never begins")
        else:
            said(f"{name}{began} gives way to it and ends on {each.end_date}")


def maxima_typed(typed: "Sequence[str]", unit: str) -> dict[str, float]:
    """Read `Squat=140kg` as kilograms by exercise. Raises WrongUsage."""
    from apex_sync.coaching.weights import kilograms

    maxima = {}
    for each in typed:
        found = _MAXIMUM.fullmatch(each.strip())
        if found is None:
            raise WrongUsage(f"{each!r} is no maximum; write it as in --max Squat=140kg")
        named = found[3].lower().rstrip("s") if found[3] else unit
        maxima[found[1].strip()] = kilograms(float(found[2].replace(",", ".")), named)
    return maxima
