"""What a session owes to the program that is followed: which day it is, what is done of it, and what comes next."""

from collections.abc import Mapping
from datetime import date
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, NamedTuple, get_args

from apex_client.cli.days import today
from apex_client.cli.failures import CommandFailed
from apex_client.cli.program_screen import set_rows
from apex_client.cli.screen import escaped, said

if TYPE_CHECKING:
    from apex_client.blocking.resources import AthleteResources
    from apex_client.blocking.workouts import WorkoutLog
    from apex_client.views import ExerciseEntry
    from apex_sync.coaching.session_plan import PlannedDay, PlannedGroup, PlannedWork

PROGRAMS_MAX = 100
"""Looked through for the one that is followed; years of programs are some dozens."""


class Followed(NamedTuple):
    """A day of the program that is followed."""

    program_id: str
    day: "PlannedDay"


class Placed(NamedTuple):
    """An exercise of a day, and the group it is done in."""

    group: "PlannedGroup"
    work: "PlannedWork"


def followed_day(
    records: "AthleteResources", week: int | None = None, day: int | None = None, *, on: date | None = None
) -> Followed | None:
    """Give the session that the program has on a day, today unless told otherwise, or the one at a place of it.

    Raises CommandFailed where it has no such place.
    """
    from apex_sync.coaching.plan import followed_on, plan_from_program
    from apex_sync.coaching.session_plan import planned_at, planned_on

    on = on or today()
    programs = records.programs.list(limit=PROGRAMS_MAX)
    followed = followed_on(((one.id, one.record) for one in programs), on)
    if week is None and day is None:
        due = planned_on(followed[1], on) if followed else None
        return Followed(followed[0], due) if followed and due else None
    if followed is None:
        when = "today" if on == today() else f"on {on}"
        raise CommandFailed(f"no program is followed {when}; begin a session of your own: apex log start TITLE")
    week = week or plan_from_program(*followed).week_number(on)
    named = planned_at(followed[1], week, day or on.isoweekday())
    if named is None:
        raise CommandFailed(f"the program has no day {day or on.isoweekday()} in week {week}; see apex program show")
    return Followed(followed[0], named)


def day_of(records: "AthleteResources", log: "WorkoutLog") -> "PlannedDay | None":
    """Give the day of a program that a session names; None where it names none that is here."""
    from apex_client.errors import RecordError
    from apex_sync.coaching.session_plan import planned_at

    program_id = log.get("program_id")
    if program_id is None:
        return None
    try:
        program = records.programs.get(program_id)
    except RecordError:
        return None
    return planned_at(program.record, log.get("week_number"), log.get("day_number"))


def names_in(day: "PlannedDay | None") -> list[str]:
    """Give the names that a day uses."""
    return [work.name for group in (day.groups if day else ()) for work in group.works if work.name]


def placed(day: "PlannedDay | None", typed: str) -> Placed | None:
    """Find an exercise of a day by its name, or by its place in a group: `A2`."""
    wanted = typed.casefold().strip()
    for group in day.groups if day else ():
        for number, work in enumerate(group.works, 1):
            if wanted in ((work.name or "").casefold(), f"{group.label or ''}{number}".casefold()) and wanted:
                return Placed(group, work)
    return None


def entry_for(log: "WorkoutLog", found: Placed) -> "ExerciseEntry | None":
    """Give the entry of a session that an exercise of its day is logged in."""
    from apex_sync.coaching.session_plan import label_in_log

    label, name = label_in_log(found.group), (found.work.name or "").casefold()
    alike = [entry for entry in log.exercises if _is_of(entry, found.work.exercise_id, name)]
    return next((entry for entry in alike if entry.superset == label), alike[0] if alike else None)


def done_of(log: "WorkoutLog", day: "PlannedDay") -> dict[str, int]:
    """Count the hard sets of a session by the exercise of its day."""
    done: dict[str, int] = {}
    for group in day.groups:
        for work in group.works:
            entry = entry_for(log, Placed(group, work))
            done[work.key] = sum(one.completed and one.type != "warmup" for one in entry.sets) if entry else 0
    return done


def with_planned_types(
    given: list[dict[str, Any]], work: "PlannedWork", done: Mapping[str, int]
) -> list[dict[str, Any]]:
    """Log sets as what the plan has in their place: a drop set, as many reps as possible."""
    from apex_sync.models.workout import SetType

    asked = [planned.type for planned in work.hard_sets][done.get(work.key, 0) :]
    known = [kind if kind in get_args(SetType) and kind != "working" else None for kind in asked]
    return [{**fields, "type": kind} for fields, kind in zip_longest(given, known[: len(given)])]


def tell_next(day: "PlannedDay", work: "PlannedWork", done: Mapping[str, int]) -> None:
    """Say what comes after a set, and how long to rest before it."""
    from apex_sync.coaching.session_plan import next_after

    following = next_after(day, work, done)
    if following is None:
        said("[dim]that was the last set of the plan: apex log finish[/]")
        return
    group = next(group for group in day.groups if following.work in group.works)
    place = f"{group.label or ''}{group.works.index(following.work) + 1} " if group.kind != "straight" else ""
    rest = f"rest {following.rest_seconds} s, then " if following.rest_seconds else "next: "
    told = f"{place}{following.work.name or '?'}, set {done.get(following.work.key, 0) + 1} of {_asked(following.work)}"
    said(f"[dim]{rest}[/]{escaped(told)}")


def _asked(work: "PlannedWork") -> str:
    """Say what is asked for, warm-ups aside."""
    rows = [(sets, load, effort) for sets, load, effort, _ in set_rows(work) if not sets.endswith("warmup")]
    return "; ".join(" ".join(filter(None, row)) for row in rows)


def _is_of(entry: "ExerciseEntry", exercise_id: str | None, name: str) -> bool:
    by_id = exercise_id is not None and entry.exercise_id == exercise_id
    return by_id or (bool(name) and (entry.name or "").casefold() == name)
