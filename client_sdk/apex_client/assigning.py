"""Programs made from programs on this replica; each takes the local replica and is run in its thread."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

from apex_client import listing
from apex_client.local import LocalReplica
from apex_client.times import utc_text
from apex_client.views import Snapshot
from apex_sync.clock import MICROSECONDS
from apex_sync.coaching.assigning import (
    MAXIMUM_DAYS,
    assigned_days,
    assignment_id,
    exercises_by_percent,
    followed_program,
    is_followed_anew,
    maxima_kg,
    order_problem,
    program_copy,
    resolved_loads,
    stated_maxima,
)
from apex_sync.coaching.drafts import model_patch
from apex_sync.coaching.profile import ExerciseTraits, library_of
from apex_sync.coaching.program_ends import EndedProgram, ended_program, ends_with
from apex_sync.coaching.sets import performed_sets
from apex_sync.collection import Record
from apex_sync.errors import FieldProblem, OutOfBounds
from apex_sync.ids import athlete_scope
from apex_sync.models import EXERCISES, PROGRAMS, WORKOUT_LOGS
from apex_sync.models.fields import parse_local_time
from apex_sync.op import Patch

WORKOUTS_MAX = 500
"""Looked through for a maximum: six a day for twelve weeks."""

PROGRAMS_MAX = 100
"""Looked through for what an athlete follows; years of programs are some dozens."""

EXERCISES_MAX = 5000
"""Looked through for how an exercise is loaded: the built-in library eight times over."""


class Assigned(NamedTuple):
    """The copy that an athlete follows, and what ended with it now."""

    program: Snapshot
    ended: list[EndedProgram]


def clone(local: LocalReplica, program_id: str, scope: str, name: str | None) -> Snapshot:
    """Make a template of the coach's from a program. Raises NoSuchRecord."""
    copy = program_copy(PROGRAMS.read(local.find(PROGRAMS.name, program_id, scope).state)[0], source_id=program_id)
    return local.create(PROGRAMS.name, None, copy | ({} if name is None else {"name": name}))


def assign(
    local: LocalReplica,
    program_id: str,
    scope: str,
    athlete_id: str,
    *,
    start_date: str | None,
    end_date: str | None,
    today: str,
    keep: bool,
) -> Assigned:
    """Let an athlete follow a copy of a program; the server takes or makes the same one.

    `today` is the day of this device, and counts where nobody knows that of the athlete. All of it is saved
    at once. Raises NoSuchRecord, NotGranted, OutOfBounds.
    """
    with local.store.transaction():
        template = PROGRAMS.read(local.find(PROGRAMS.name, program_id, scope).state)[0]
        home = athlete_scope(athlete_id)
        programs = listing.recently_changed(local, PROGRAMS.name, home, limit=PROGRAMS_MAX)
        held = {program.record_id: program.state for program in programs}
        here = _athletes_day(local, home) or date.fromisoformat(today)
        first, last = assigned_days(template, start_date=start_date, end_date=end_date, today=here)
        assigned_id = assignment_id(program_id, athlete_id, first, held)
        assigned = local.store.one(home, assigned_id)
        if assigned is not None and not is_followed_anew(assigned.state):
            return Assigned(
                local.snapshot_of(assigned), [] if keep else _end(local, home, assigned_id, assigned.state, held)
            )
        maxima, library = _maxima(local, home, template, date.fromisoformat(today))
        followed = followed_program(
            template, source_id=program_id, start_date=first, end_date=last, maxima_kg=maxima, library=library
        )
        if problem := order_problem(followed):
            raise OutOfBounds(PROGRAMS.name, problem)
        if assigned is None:
            made_at = {"created_at": utc_text(local.device.now_us())}
            made = local.create(PROGRAMS.name, home, made_at | followed, record_id=assigned_id)
        else:
            anew = model_patch(assigned_id, followed, PROGRAMS.read(assigned.state)[0]).patch | {"deleted": False}
            made = local.edit(PROGRAMS.name, assigned_id, lambda state: anew, scope=home)
        return Assigned(made, [] if keep else _end(local, home, assigned_id, followed, held))


def resolve_loads(
    local: LocalReplica, program_id: str, scope: str, stated: Mapping[str, float], *, anew: bool, today: str
) -> Snapshot:
    """Write the loads of an athlete's program. Raises NoSuchRecord, OutOfBounds."""
    with local.store.transaction():
        held = local.find(PROGRAMS.name, program_id, scope)
        if held.scope.startswith("coach:"):
            problem = FieldProblem("", "Expected the program of an athlete: a template is in per cent")
            raise OutOfBounds(PROGRAMS.name, problem)
        program, on = PROGRAMS.read(held.state)[0], date.fromisoformat(today)
        estimated, library = _maxima(local, athlete_scope(held.scope.rpartition(":")[2]), program, on, anew=anew)
        maxima, unknown = stated_maxima(program, stated)
        if unknown:
            problem = FieldProblem(f"maxima_kg.{unknown[0]}", "Expected an exercise of this program, by its name or id")
            raise OutOfBounds(PROGRAMS.name, problem)
        loads = resolved_loads(program, maxima_kg=estimated | maxima, library=library, today=on, anew=anew)
        return local.edit(PROGRAMS.name, program_id, lambda state: loads, scope=held.scope)


def _end(
    local: LocalReplica, home: str, assigned_id: str, followed: Patch, held: Mapping[str, Patch]
) -> list[EndedProgram]:
    """End what is followed in the days of a program that was assigned; also when it comes again."""
    return [
        ended_program(other_id, PROGRAMS.read(_edited(local, home, other_id, end).state)[0])
        for other_id, end in ends_with(assigned_id, followed, held).items()
    ]


def _edited(local: LocalReplica, home: str, program_id: str, patch: Patch) -> Snapshot:
    return local.edit(PROGRAMS.name, program_id, lambda state: patch, scope=home)


def _athletes_day(local: LocalReplica, home: str) -> date | None:
    """Give the day that it is by the clock that an athlete last trained by; None where nobody knows that clock."""
    now = datetime.fromtimestamp(local.device.now_us() / MICROSECONDS, UTC)
    tomorrow = (now.date() + timedelta(days=1)).isoformat()  # It is tomorrow already somewhere.
    for log in listing.by_date(local, WORKOUT_LOGS.name, home, since=None, until=tomorrow, limit=1):
        moment = log.state.get("start_time") or log.state.get("end_time")
        trained = parse_local_time(moment) if isinstance(moment, str) else None
        ahead = trained.utcoffset() if trained else None
        return None if ahead is None else (now + ahead).date()
    return None


def _maxima(
    local: LocalReplica, home: str, program: Record, today: date, *, anew: bool = False
) -> tuple[dict[str, float], dict[str, ExerciseTraits]]:
    """Read what an athlete can lift, and how it is loaded: nothing where the program has no per cents."""
    if not exercises_by_percent(program, anew=anew):
        return {}, {}
    since = (today - timedelta(days=MAXIMUM_DAYS)).isoformat()
    recent = listing.by_date(local, WORKOUT_LOGS.name, home, since=since, until=today.isoformat(), limit=WORKOUTS_MAX)
    sets = [one for log in recent for one in performed_sets(log.record_id, WORKOUT_LOGS.read(log.state)[0])]
    known = listing.recently_changed(local, EXERCISES.name, None, limit=EXERCISES_MAX)
    return maxima_kg(sets, today), library_of({one.record_id: EXERCISES.read(one.state)[0] for one in known})
