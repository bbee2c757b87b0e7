"""`apex log`: a session from the first set to the last, a command a set."""

from datetime import date as Date
from typing import TYPE_CHECKING, Annotated, Any

import typer

from apex_client.cli import log_corrections
from apex_client.cli.days import DayDone, day_done, today
from apex_client.cli.examples import examples
from apex_client.cli.failures import CommandFailed, WrongUsage
from apex_client.cli.heavy_loads import Yes, ask_about_loads
from apex_client.cli.log_plan import followed_day, tell_next
from apex_client.cli.naming_exercises import meant
from apex_client.cli.opening import NO_DB, Db, LoadUnit, opened, typed_unit, use_from_here
from apex_client.cli.program_screen import show_day
from apex_client.cli.screen import escaped, said, shown, table
from apex_client.cli.sessions import (
    On,
    Whose,
    amount,
    athlete_names,
    begun_elsewhere,
    called,
    chosen,
    effort,
    headline,
    latest,
    load,
    name,
    named,
    needed,
    records_of,
    running,
    short,
    totals,
)
from apex_client.cli.set_notation import read_sets

if TYPE_CHECKING:
    from rich.table import Table

    from apex_client.blocking import Replica
    from apex_client.blocking.resources import AthleteResources
    from apex_client.blocking.workouts import WorkoutLog
    from apex_client.following import Followed
    from apex_client.views import ExerciseEntry

LISTED = 10

Week = Annotated[int | None, typer.Option(metavar="N", min=1, max=104, help="Another week of the program.")]
Day = Annotated[int | None, typer.Option(metavar="N", min=1, max=7, help="Another day of it, 1 (Monday) to 7.")]

group = typer.Typer(
    help="Log a session as it happens: each command is saved when it returns, with or without a network.",
    epilog=examples(
        'apex log start "Push A"',
        'apex log set "Bench Press" 8x102.5kg@8',
        'apex log set "Lateral Raise" 3x12x10kg@9 --unit kg',
        'apex log finish --note "Right shoulder a bit stiff."',
    ),
    rich_markup_mode="rich",
)


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    log_corrections.add_to(group)
    app.add_typer(group, name="log", rich_help_panel="Training")


@group.callback(invoke_without_command=True)
def _log(context: typer.Context, athlete: Whose = None, db: Db = NO_DB) -> None:
    if context.invoked_subcommand is None:
        recent(limit=LISTED, athlete=athlete, db=db)
        return
    if athlete is not None:
        raise WrongUsage(f"--athlete goes behind the command: apex log {context.invoked_subcommand} … --athlete NAME")
    use_from_here(db)


@group.command(
    epilog=examples("apex log start", 'apex log start "Push A" --date yesterday', "apex log start --week 2 --day 4")
)
def start(
    title: Annotated[str | None, typer.Argument(help="What a session of your own is called.")] = None,
    week: Week = None,
    day: Day = None,
    date: DayDone = None,
    athlete: Whose = None,
    db: Db = NO_DB,
) -> None:
    """Begin a session: the day's of the program that is followed, where there is one and no title is given."""
    on = day_done(date)
    with opened(db, make=True) as replica:
        records = records_of(replica, athlete)
        going_on = running(replica, records)
        if going_on is not None and (date is None or going_on.date == on):
            raise CommandFailed(
                f"{name(going_on)} is still going on; end it first: apex log finish, or add to it: apex log set"
            )
        followed = followed_day(records, week, day, on=Date.fromisoformat(on)) if title is None else None
        log = _begun(records, followed[0] if followed else None, title, on)
        said(f"started {called(log, athlete_names(replica))}")
        if going_on is not None:
            said(f"[dim]{escaped(name(going_on))} goes on once this one is ended: apex log finish[/]")
        if followed is not None:
            show_day(followed[1])


@group.command(epilog=examples("apex log plan", "apex log plan --day 4"))
def plan(
    week: Week = None,
    day: Day = None,
    athlete: Whose = None,
    db: Db = NO_DB,
) -> None:
    """Show what the program asks for: in the session that is going on, with what is done of it, or today."""
    with opened(db) as replica:
        records = records_of(replica, athlete)
        log = running(replica, records) if week is None and day is None else None
        going_on = log.plan() if log else None
        if going_on is not None:
            show_day(going_on.day, going_on.done)
        elif followed := followed_day(records, week, day):
            show_day(followed[1])
        else:
            said("no program asks for anything today")


@group.command(
    name="set",
    epilog=examples(
        'apex log set "Bench Press" 8x102.5kg@8',
        'apex log set "Bench Press" 8x102.5kg@8 8x102.5kg@8.5 7x102.5kg@9',
        "apex log set Squat 3x5x315lb",
        "apex log set Plank 60s",
        "apex log set Plank 60s --on yesterday",
    ),
)
def add_set(
    exercise: Annotated[str, typer.Argument(help="The exercise, by name.")],
    sets: Annotated[
        list[str],
        typer.Argument(metavar="SET…", help="reps x load @ RPE: 8x102.5kg@8, 3x8x225lb, 12@2rir, 60s, 400m."),
    ],
    unit: Annotated[LoadUnit | None, typer.Option(help="Of loads without one; default: your profile's, or kg.")] = None,
    warmup: Annotated[
        bool, typer.Option("--warmup", metavar="", help="Warm-up sets: they do not count as work.")
    ] = False,
    note: Annotated[str | None, typer.Option(help="A note on the sets.")] = None,
    new: Annotated[
        bool, typer.Option("--new", metavar="", help="The name is right, though the library has none like it.")
    ] = False,
    on: Annotated[
        str | None, typer.Option("--on", metavar="DAY", help="Into the session of a day (yesterday), or with an id.")
    ] = None,
    yes: Yes = False,
    athlete: Whose = None,
    db: Db = NO_DB,
) -> None:
    """Log sets of an exercise in the session that is going on; begin one where there is none."""
    from apex_client.following import SessionPlan

    wanted = [fields for word in sets for fields in read_sets(word, unit_is_given=unit is not None)]
    with opened(db, make=True) as replica:
        more = {"type": "warmup" if warmup else None, "notes": note}
        given = [{**more, **fields} for fields in wanted]
        records = records_of(replica, athlete)
        replica.load_unit = typed_unit(records, unit)
        _check(exercise, given, replica.load_unit)
        going_on = named(records, on) if on else running(replica, records)
        followed = None if going_on else followed_day(records)
        asked = going_on.plan() if going_on else SessionPlan(day=followed[1], done={}) if followed else None
        planned = asked.placed(exercise) if asked else None
        if not new and planned is None:
            exercise = meant(replica, exercise, going_on, asked.names if asked else [])
            planned = asked.placed(exercise) if asked else None
        began_by = begun_elsewhere(replica, going_on) if going_on else ""
        log = going_on or _begun(records, followed[0] if followed and planned else None, None)
        entry, remark = (log.follow(exercise).key, "") if planned else _entry_of(replica, log, exercise)
        if planned and asked and not warmup:
            types = asked.types_of_next(planned.work, len(given))
            given = [{**fields, "type": kind} for fields, kind in zip(given, types, strict=True)]
        for fields in given:
            log.add_set(entry, **fields)
        whose = called(log, athlete_names(replica))
        where = f"started {whose}" if going_on is None else f"into {whose}, {began_by}" if began_by else ""
        _tell_logged(log, entry, len(wanted), remark, where)
        logged = log.exercise(entry)
        ask_about_loads(replica, records, log, logged, logged.sets[-len(wanted) :], yes=yes)
        if planned is not None and (plan := log.plan()) is not None:
            tell_next(plan, planned.work)


@group.command(epilog=examples('apex log note "Slept badly, cut it short."'))
def note(
    text: Annotated[str, typer.Argument(help="What to remember of the session.")],
    athlete: Whose = None,
    db: Db = NO_DB,
) -> None:
    """Write the note on the session that is going on."""
    with opened(db) as replica:
        log = needed(replica, records_of(replica, athlete))
        log.note(text)
        said(f"noted on {escaped(name(log))}")


@group.command(epilog=examples("apex log finish", 'apex log finish --fatigue 7 --note "Good one."'))
def finish(
    note: Annotated[str | None, typer.Option(help="A note on the session.")] = None,
    fatigue: Annotated[int | None, typer.Option(help="1 to 10.")] = None,
    pump: Annotated[int | None, typer.Option(help="1 to 10.")] = None,
    mood: Annotated[int | None, typer.Option(help="1 to 10.")] = None,
    athlete: Whose = None,
    db: Db = NO_DB,
) -> None:
    """End the session that is going on; one in which nothing was logged is taken back."""
    with opened(db) as replica:
        log = needed(replica, records_of(replica, athlete))
        if not (log.exercises or log.notes or note or fatigue or pump or mood):
            log.delete()
            said(f"took back {escaped(name(log))}: nothing was logged in it")
            return
        felt = {name: value for name, value in (("fatigue", fatigue), ("pump", pump), ("mood", mood)) if value}
        if felt:
            log.rate(**felt)
        _end(log, note)
        said(f"finished {escaped(name(log))}: {totals(log)}")


@group.command(epilog=examples("apex log show", "apex log show 2026-03-01"))
def show(
    day: Annotated[
        str | None, typer.Argument(metavar="DAY", help="A day (2026-03-01; 2026-03-01/2) or an id; default: the last.")
    ] = None,
    on: On = None,
    athlete: Whose = None,
    db: Db = NO_DB,
) -> None:
    """Show a session set by set."""
    if day and on:
        raise WrongUsage("name the session once: DAY, or --on DAY as in the other commands")
    with opened(db) as replica:
        whose = athlete_names(replica)
        records = records_of(replica, athlete) if athlete else replica
        typed = day or on
        found = chosen(records, typed) if typed else [("", latest(replica, records))]
        for place, log in found:
            said(headline(log, whose) + (f"  [dim]--on {place}[/]" if len(found) > 1 else ""))
            shown(_set_table(log))
            if log.notes:
                said(f"[dim]note:[/] {escaped(log.notes)}")


@group.command(name="list", epilog=examples("apex log list --limit 50"))
def recent(
    limit: Annotated[int, typer.Option(metavar="N", min=1, max=1000, help="How many.")] = LISTED,
    athlete: Whose = None,
    db: Db = NO_DB,
) -> None:
    """List the latest sessions, a coach's of all athletes; the same as `apex log` alone."""
    with opened(db) as replica:
        whose = athlete_names(replica)
        logs = (records_of(replica, athlete) if athlete else replica).workouts.list(limit=limit)
        if not logs:
            said('nothing is logged yet; begin with: apex log set "Bench Press" 8x100kg@8')
            return
        found = table(
            *(("athlete",) if whose else ()), "date", "session", "exercises", "sets", "volume", "RPE", "",
            right=("exercises", "sets", "volume"),
        )  # fmt: skip
        going_on = running(replica, replica)
        for log in logs:
            found.add_row(
                *((escaped(whose.get(log.athlete_id, "?")),) if whose else ()),
                log.date,
                escaped(log.title or "session"),
                str(len(log.exercises)),
                str(len(log.sets)),
                f"{log.volume_load_kg:,.0f} kg",
                "" if log.average_rpe is None else f"{log.average_rpe:.1f}",
                _marks(log, going_on=going_on is not None and log.id == going_on.id),
            )
        shown(found)


def _begun(
    records: "AthleteResources", followed: "Followed | None", title: str | None, on: str | None = None
) -> "WorkoutLog":
    """Begin a session, at its place in the program where it has one; of another day than today, nobody knows when."""
    fields: dict[str, Any] = {"title": title}
    if followed is not None:
        place = {field: getattr(followed, field) for field in ("program_id", "week_number", "day_number")}
        fields = {"title": followed.day.name if followed.day else None, **place}
    if on is None or on == today().isoformat():
        return records.workouts.start(**fields)
    return records.workouts.create(date=on, **{field: value for field, value in fields.items() if value is not None})


def _end(log: "WorkoutLog", note: str | None) -> None:
    """End a session; one that is written down for another day has no time at which it ended."""
    if log.start_time is None:
        log.edit({"completed": True} | ({} if note is None else {"notes": note}))
    else:
        log.finish(notes=note)


def _check(exercise: str, sets: list[dict[str, Any]], unit: LoadUnit) -> None:
    """Refuse all sets together before the first is saved. Raises OutOfBounds."""
    from apex_client.workout_edits import add_set as patch_of
    from apex_sync.models.workout import WORKOUT_LOGS

    for fields in sets:
        given = {name: value for name, value in fields.items() if value is not None}
        WORKOUT_LOGS.check_bounds(patch_of({}, "set", exercise, "exercise", given, unit))


def _entry_of(replica: "Replica", log: "WorkoutLog", exercise: str) -> tuple[str, str]:
    """Give what a name means in the session, and what there is to say of it.

    An exercise that is new to the session gets its id in the library where the name means one and only one.
    """
    from apex_client.errors import NoSuchEntry

    meant = replica.exercises.named(exercise)
    if len(meant) != 1:
        return exercise, f" · {len(meant)} in the library are called so; logged by name alone" if meant else ""
    [known] = meant
    remark = "" if known["name"] == exercise else f" = {escaped(known['name'])}"
    same = next((entry for entry in log.exercises if entry.exercise_id == known.id), None)
    if same is not None:
        return same.key, remark
    try:
        return log.exercise(exercise).key, remark
    except NoSuchEntry:
        return log.add_exercise(exercise, exercise_id=known.id).key, remark


def _tell_logged(log: "WorkoutLog", exercise: str, count: int, remark: str, where: str) -> None:
    entry = log.exercise(exercise)
    last = ", ".join(short(logged) for logged in entry.sets[-count:])
    where_text = f" [dim]({where})[/]" if where else ""
    said(f"{escaped(entry.name)}[dim]{remark}[/]: {last} [dim]· set {len(entry.sets)} of the exercise[/]{where_text}")


def _set_table(log: "WorkoutLog") -> "Table":
    found = table("exercise", "set", "reps", "load", "effort", "type", "note", right=("set", "reps", "load"))
    for exercise in log.exercises:
        for number, logged in enumerate(exercise.sets, 1):
            found.add_row(
                escaped(_labelled(exercise)) if number == 1 else "",
                str(number),
                amount(logged),
                load(logged),
                effort(logged),
                "" if logged.type == "working" else logged.type,
                escaped(logged.notes or ""),
            )
    return found


def _labelled(exercise: "ExerciseEntry") -> str:
    """Name an exercise with the group it was done in."""
    return " ".join(filter(None, (exercise.superset, exercise.name or "?")))


def _marks(log: "WorkoutLog", *, going_on: bool) -> str:
    marks = {
        "going on": going_on,
        "unsent": log.snapshot.pending,
        "[yellow]conflict[/]": bool(log.snapshot.conflicts),
    }
    return ", ".join(mark for mark, holds in marks.items() if holds)
