"""`apex log undo`, `edit`, `rename` and `remove`: what was logged wrongly is put right in a line."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from apex_client.cli.asking import agreed
from apex_client.cli.examples import examples
from apex_client.cli.failures import CommandFailed, WrongUsage
from apex_client.cli.heavy_loads import Yes, ask_about_loads
from apex_client.cli.naming_exercises import meant
from apex_client.cli.opening import NO_DB, Db, LoadUnit, opened, typed_unit
from apex_client.cli.screen import counted, escaped, said
from apex_client.cli.sessions import (
    On,
    Whose,
    athlete_id_of,
    athlete_names,
    called,
    latest,
    name,
    named,
    records_of,
    short,
    totals,
)
from apex_client.cli.set_notation import read_correction

if TYPE_CHECKING:
    from apex_client.blocking import Replica
    from apex_client.blocking.resources import AthleteResources
    from apex_client.blocking.workouts import WorkoutLog
    from apex_client.views import ExerciseEntry, SetEntry

SESSIONS_MAX = 10_000
"""Thirty years of training."""

SESSIONS_WITH = """
    SELECT log.id
    FROM workout_logs AS log
    WHERE (:athlete_id IS NULL OR log.athlete_id = :athlete_id)
        AND log.id IN (SELECT workout_id FROM logged_exercises WHERE name = :name COLLATE NOCASE)
    ORDER BY log.date, log.id
"""

Exercise = Annotated[str, typer.Argument(help="The exercise, by name.")]


def add_to(group: typer.Typer) -> None:
    """Add the commands."""
    group.command(epilog=examples("apex log undo"))(undo)
    group.command(epilog=examples('apex log edit "Bench Press" 2 8x100kg@9', "apex log edit Squat 1 @9"))(edit)
    group.command(
        epilog=examples(
            'apex log rename "Bnech Press" "Bench Press"',
            'apex log rename "Bnech Press" "Bench Press" --everywhere',
            'apex log rename Squat "Front Squat" --on yesterday',
        )
    )(rename)
    group.command(
        epilog=examples(
            'apex log remove "Bench Press" 2', 'apex log remove "Bench Press"', "apex log remove --on yesterday"
        )
    )(remove)


def undo(on: On = None, athlete: Whose = None, db: Db = NO_DB) -> None:
    """Take back the set that was logged last.

    The only set of an exercise takes it along, and the last exercise the session, unless it has a title or a note.
    """
    with opened(db) as replica:
        log = _session(replica, athlete, on)
        last = _last_logged(log)
        if last is None:
            raise CommandFailed(f"no set is left in {name(log)}")
        exercise = next((one for one in log.exercises if one.key == last.exercise_key), None)
        log.remove_set(last)
        if exercise is not None and len(exercise.sets) == 1 and not exercise.notes:
            log.remove_exercise(exercise)
        is_empty = not (log.exercises or log.title or log.notes)
        if is_empty:
            log.delete()
        with_session = ", and with it the session" if is_empty else ""
        said(f"took back {escaped(exercise.name or '?') if exercise else 'a set'}: {short(last)}{with_session}")


def edit(
    exercise: Exercise,
    number: Annotated[int, typer.Argument(metavar="N", min=1, help="Which set of it, from 1.")],
    word: Annotated[str, typer.Argument(metavar="SET", help="What it was: 8x100kg@9, or a part of it: @9, 100kg.")],
    unit: Annotated[LoadUnit | None, typer.Option(help="Of a load without one.")] = None,
    on: On = None,
    yes: Yes = False,
    athlete: Whose = None,
    db: Db = NO_DB,
) -> None:
    """Correct a set."""
    fields = read_correction(word, unit_is_given=unit is not None)
    with opened(db) as replica:
        records = records_of(replica, athlete)
        log = _session(replica, athlete, on)
        replica.load_unit = typed_unit(records, unit)
        entry = _entry(log, exercise)
        before = _set(entry, number)
        after = log.edit_set(before, **_without_other_effort(fields))
        said(f"{escaped(entry.name or '?')}, set {number}: {short(before)} is now {short(after)}")
        if "load" in fields:
            ask_about_loads(replica, records, log, log.exercise(entry), [after], yes=yes)


def rename(
    exercise: Exercise,
    right: Annotated[str, typer.Argument(metavar="NAME", help="Which exercise it was.")],
    new: Annotated[
        bool, typer.Option("--new", metavar="", help="The name is right, though the library has none like it.")
    ] = False,
    everywhere: Annotated[
        bool, typer.Option("--everywhere", metavar="", help="In every session that has it, after a question.")
    ] = False,
    on: On = None,
    yes: Annotated[bool, typer.Option("--yes", metavar="", help="Do not ask about --everywhere.")] = False,
    athlete: Whose = None,
    db: Db = NO_DB,
) -> None:
    """Correct which exercise it was; its sets stay, and join those of that name where there are some."""
    if everywhere and on:
        raise WrongUsage("rename it in one session, --on DAY, or --everywhere")
    with opened(db) as replica:
        records = records_of(replica, athlete)
        logs = _logs_with(replica, records, exercise) if everywhere else [_session(replica, athlete, on)]
        wrong = [(log, one) for log in logs for one in _entries(log, exercise, all_of_name=everywhere)]
        before = escaped(wrong[0][1].name or "?")
        name_now = right if new else meant(replica, right, None if everywhere else logs[0])
        known = replica.exercises.named(name_now)
        sets = counted(sum(len(one.sets) for _, one in wrong), "set")
        where = f" in {counted(len(logs), 'session')}, {logs[0].date} to {logs[-1].date}" if everywhere else ""
        if everywhere:
            agreed(f"Rename {before} to {escaped(name_now)}{where}, with {sets}?", yes=yes)
        exercise_id = known[0].id if len(known) == 1 else None
        told = [_rename(log, one, name_now, exercise_id) for log, one in wrong]
        said(f"{before} is now {escaped(told[0])}{where}, with {sets}")


def remove(
    exercise: Annotated[
        str | None, typer.Argument(help="The exercise, by name; without, the whole session.", show_default=False)
    ] = None,
    number: Annotated[
        int | None, typer.Argument(metavar="N", min=1, help="Which set of it; without, all of it.")
    ] = None,
    on: On = None,
    yes: Annotated[bool, typer.Option("--yes", metavar="", help="Do not ask about a whole session.")] = False,
    athlete: Whose = None,
    db: Db = NO_DB,
) -> None:
    """Remove a set, an exercise with its sets, or a whole session; without --on it asks before a session goes."""
    with opened(db) as replica:
        log = _session(replica, athlete, on)
        if exercise is None:
            which = called(log, athlete_names(replica))
            agreed(f"Remove {which} with {totals(log)}?", yes=yes or on is not None)
            log.delete()
            said(f"removed {which}: {totals(log)}")
            return
        entry = _entry(log, exercise)
        if number is None:
            log.remove_exercise(entry)
            said(f"removed {escaped(entry.name or '?')} with {counted(len(entry.sets), 'set')}")
            return
        gone = _set(entry, number)
        log.remove_set(gone)
        said(f"removed {escaped(entry.name or '?')}, set {number}: {short(gone)}")


def _session(replica: "Replica", athlete: str | None, on: str | None) -> "WorkoutLog":
    """Give the session to correct: the one that is named, else the one that is going on, else the latest."""
    records = records_of(replica, athlete)
    return named(records, on) if on else latest(replica, records)


def _logs_with(replica: "Replica", records: "AthleteResources", exercise: str) -> "list[WorkoutLog]":
    """Give the sessions that have an exercise of a name, the earliest first. Raises CommandFailed."""
    rows = replica.query(SESSIONS_WITH, {"name": exercise, "athlete_id": athlete_id_of(records)}, limit=SESSIONS_MAX)
    if not rows:
        raise CommandFailed(f"{exercise!r} was never logged; apex log rename takes the name as it stands in the log")
    return [records.workouts.get(row["id"]) for row in rows]


def _entries(log: "WorkoutLog", exercise: str, *, all_of_name: bool) -> "list[ExerciseEntry]":
    return [one for one in log.exercises if _is_called(one, exercise)] if all_of_name else [_entry(log, exercise)]


def _rename(log: "WorkoutLog", wrong: "ExerciseEntry", name_now: str, exercise_id: str | None) -> str:
    """Rename an exercise of a session, or give its sets to the one that is called so; tells what it is called."""
    other = next((one for one in log.exercises if one.key != wrong.key and _is_called(one, name_now)), None)
    if other is None:
        log.edit_exercise(wrong, name=name_now, exercise_id=exercise_id)
        return name_now
    for logged in wrong.sets:
        log.move_set(logged, exercise=other)
    log.remove_exercise(wrong)
    return other.name or name_now


def _last_logged(log: "WorkoutLog") -> "SetEntry | None":
    """Give the set that was added last, whichever device added it, and is still there."""
    live = {logged.key: logged for logged in log.sets}
    for past in reversed(log.history()):
        for key, leaves in reversed((past.patch.get("sets") or {}).items()):
            if key in live and "exercise" in leaves:
                return live[key]
    return None


def _entry(log: "WorkoutLog", exercise: str) -> "ExerciseEntry":
    from apex_client.errors import NoSuchEntry

    try:
        return log.exercise(exercise)
    except NoSuchEntry as error:
        names = ", ".join(one.name or "?" for one in log.exercises) or "nothing yet"
        raise CommandFailed(f"{exercise!r} is not in {name(log)}; there is: {names}") from error


def _is_called(entry: "ExerciseEntry", name: str) -> bool:
    return (entry.name or "").casefold() == name.casefold()


def _set(entry: "ExerciseEntry", number: int) -> "SetEntry":
    if number > len(entry.sets):
        raise CommandFailed(f"{entry.name} has {counted(len(entry.sets), 'set')}; apex log show lists them")
    return entry.sets[number - 1]


def _without_other_effort(fields: dict[str, Any]) -> dict[str, Any]:
    """An effort that is written as RPE takes one in RIR away, and the other way round."""
    if "rpe" in fields:
        return {**fields, "rir": None}
    return {**fields, "rpe": None} if "rir" in fields else fields
