"""A session and the day of the program that it follows: what is asked for, what is done of it, and what comes next.

A log names its place in a program and no more, so what is planned is read from the program as it is on this replica.
"""

from collections.abc import Iterable, Mapping
from datetime import date
from typing import NamedTuple, get_args

from msgspec import Struct

from apex_client import listing
from apex_client.errors import AthleteNeeded, NoSuchRecord
from apex_client.local import LocalReplica
from apex_client.views import ExerciseEntry, Snapshot, exercise_entries
from apex_sync.coaching.plan import followed_on, plan_from_program
from apex_sync.coaching.session_plan import (
    Next,
    PlannedDay,
    PlannedGroup,
    PlannedWork,
    label_in_log,
    next_after,
    planned_at,
)
from apex_sync.models import PROGRAMS
from apex_sync.models.workout import SetType

PROGRAMS_MAX = 1000
"""Looked through for the one that is followed; years of programs are some dozens."""


class Followed(Struct, frozen=True, kw_only=True):
    """A place in the program that is followed; `day` is None where it has no session there."""

    program_id: str
    week_number: int | None
    day_number: int
    day: PlannedDay | None


class Placed(NamedTuple):
    """An exercise of a day, and the group it is done in."""

    group: PlannedGroup
    work: PlannedWork

    @property
    def label(self) -> str | None:
        """The label of its group in a log, None for one by itself."""
        return label_in_log(self.group)


class SessionPlan(Struct, frozen=True, kw_only=True):
    """The day of a program that a session follows; `done` counts hard sets by the key of the planned exercise."""

    day: PlannedDay
    done: Mapping[str, int]

    @property
    def names(self) -> list[str]:
        """The names that the day uses, in its order."""
        return [work.name for group in self.day.groups for work in group.works if work.name]

    @property
    def next(self) -> Next | None:
        """What comes next where nobody says what came last, so without a rest; None when all is done."""
        works = [work for group in self.day.groups for work in group.works]
        open_works = [work for work in works if self.done.get(work.key, 0) < len(work.hard_sets)]
        begun = [group for group in self.day.groups if any(self.done.get(work.key) for work in group.works)]
        for group in begun:
            waiting = [work for work in group.works if work in open_works]
            if waiting:
                return Next(min(waiting, key=lambda work: self.done.get(work.key, 0)), None)
        return Next(open_works[0], None) if open_works else None

    def next_after(self, work: PlannedWork) -> Next | None:
        """What comes after a set of an exercise, and how long to rest before it; None when all is done."""
        return next_after(self.day, work, self.done)

    def placed(self, typed: str) -> Placed | None:
        """Find an exercise of the day by its name, or by its place in a group: `A2`."""
        return placed(self.day, typed)

    def types_of_next(self, work: PlannedWork, count: int) -> list[SetType | None]:
        """Give the types of the next sets of an exercise, as a drop set; None for working sets and past the plan."""
        asked = [planned.type for planned in work.hard_sets][self.done.get(work.key, 0) :][:count]
        known = {kind: kind for kind in get_args(SetType) if kind != "working"}
        return [known.get(kind) for kind in asked] + [None] * (count - len(asked))


def placed(day: PlannedDay, typed: str) -> Placed | None:
    """Find an exercise of a day by its name, or by its place in a group."""
    wanted = typed.casefold().strip()
    for group in day.groups:
        for number, work in enumerate(group.works, 1):
            if wanted and wanted in ((work.name or "").casefold(), f"{group.label or ''}{number}".casefold()):
                return Placed(group, work)
    return None


def entry_for(entries: Iterable[ExerciseEntry], found: Placed) -> ExerciseEntry | None:
    """Give the entry of a session that an exercise of its day is logged in."""
    name = (found.work.name or "").casefold()
    alike = [entry for entry in entries if _is_of(entry, found.work.exercise_id, name)]
    return next((entry for entry in alike if entry.superset == found.label), alike[0] if alike else None)


def followed(
    local: LocalReplica, scope: str | None, on: date, week_number: int | None, day_number: int | None
) -> Followed | None:
    """Give the place of a day in the program that is followed on it, or another place of that program.

    None where no program is followed. Raises AthleteNeeded.
    """
    held = listing.recently_changed(local, PROGRAMS.name, scope or local.own_scope("workout_logs"), limit=PROGRAMS_MAX)
    program = followed_on(((one.record_id, PROGRAMS.read(one.state)[0]) for one in held), on)
    if program is None:
        return None
    week_number = week_number or plan_from_program(*program).week_number(on)
    day_number = day_number or on.isoweekday()
    day = planned_at(program[1], week_number, day_number)
    return Followed(program_id=program[0], week_number=week_number, day_number=day_number, day=day)


def session_plan(local: LocalReplica, log: Snapshot) -> SessionPlan | None:
    """Give what a session follows; None where it names no day of a program that is here."""
    program_id = log.state.get("program_id")
    if not isinstance(program_id, str):
        return None
    try:
        program = local.snapshot(PROGRAMS.name, program_id, scope=log.scope)
    except (NoSuchRecord, AthleteNeeded):
        return None
    place = log.state.get("week_number"), log.state.get("day_number")
    day = planned_at(PROGRAMS.read(program.state)[0], *place)
    return None if day is None else SessionPlan(day=day, done=_done_of(exercise_entries(log.state), day))


def _done_of(entries: list[ExerciseEntry], day: PlannedDay) -> dict[str, int]:
    """Count the hard sets of a session by the exercise of its day."""
    done: dict[str, int] = {}
    for group in day.groups:
        for work in group.works:
            entry = entry_for(entries, Placed(group, work))
            done[work.key] = sum(one.completed and one.type != "warmup" for one in entry.sets) if entry else 0
    return done


def _is_of(entry: ExerciseEntry, exercise_id: str | None, name: str) -> bool:
    by_id = exercise_id is not None and entry.exercise_id == exercise_id
    return by_id or (bool(name) and (entry.name or "").casefold() == name)
