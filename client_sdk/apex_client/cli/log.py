"""`apex log`: a session from the first set to the last, a command a set."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from apex_client.cli.examples import examples
from apex_client.cli.failures import CommandFailed
from apex_client.cli.opening import NO_DB, Db, LoadUnit, opened, typed_unit, use_from_here
from apex_client.cli.screen import ago, counted, escaped, said, shown, table
from apex_client.cli.set_notation import read_sets

if TYPE_CHECKING:
    from rich.table import Table

    from apex_client.blocking import Replica
    from apex_client.blocking.workouts import WorkoutLog
    from apex_client.views import SetEntry

LISTED = 10

OPEN_HOURS = 18
"""A session that began longer ago was forgotten, not paused: the next set begins a new one."""

OPEN_SESSION = """
    SELECT id
    FROM workout_logs
    WHERE end_time IS NULL
        AND NOT completed
        AND source IS NULL
        AND unixepoch(start_time) BETWEEN unixepoch('now') - :open_seconds AND unixepoch('now') + 3600
    ORDER BY unixepoch(start_time) DESC
    LIMIT 1
"""

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
    app.add_typer(group, name="log", rich_help_panel="Training")


@group.callback(invoke_without_command=True)
def _log(context: typer.Context, db: Db = NO_DB) -> None:
    if context.invoked_subcommand is None:
        recent(limit=LISTED, db=db)
    else:
        use_from_here(db)


@group.command(epilog=examples("apex log start", 'apex log start "Push A"'))
def start(
    title: Annotated[str | None, typer.Argument(help="What the session is called.")] = None, db: Db = NO_DB
) -> None:
    """Begin a session."""
    with opened(db, make=True) as replica:
        running = _running(replica)
        if running is not None:
            raise CommandFailed(
                f"{_name(running)} is still going on; end it first: apex log finish, or add to it: apex log set"
            )
        said(f"started {escaped(_name(replica.workouts.start(title=title)))}")


@group.command(
    name="set",
    epilog=examples(
        'apex log set "Bench Press" 8x102.5kg@8',
        'apex log set "Bench Press" 8x102.5kg@8 8x102.5kg@8.5 7x102.5kg@9',
        "apex log set Squat 3x5x315lb",
        "apex log set Plank 60s",
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
    db: Db = NO_DB,
) -> None:
    """Log sets of an exercise in the session that is going on; begin one where there is none."""
    wanted = [fields for word in sets for fields in read_sets(word, unit_is_given=unit is not None)]
    with opened(db, make=True) as replica:
        more = {"type": "warmup" if warmup else None, "notes": note}
        given = [{**more, **fields} for fields in wanted]
        replica.load_unit = typed_unit(replica, unit)
        _check(exercise, given, replica.load_unit)
        running = _running(replica)
        log = running or replica.workouts.start()
        entry, remark = _entry_of(replica, log, exercise)
        for fields in given:
            log.add_set(entry, **fields)
        _tell_logged(log, entry, len(wanted), remark, began=running is None)


@group.command(epilog=examples('apex log note "Slept badly, cut it short."'))
def note(text: Annotated[str, typer.Argument(help="What to remember of the session.")], db: Db = NO_DB) -> None:
    """Write the note on the session that is going on."""
    with opened(db) as replica:
        log = _needed(replica)
        log.note(text)
        said(f"noted on {escaped(_name(log))}")


@group.command(epilog=examples("apex log finish", 'apex log finish --fatigue 7 --note "Good one."'))
def finish(
    note: Annotated[str | None, typer.Option(help="A note on the session.")] = None,
    fatigue: Annotated[int | None, typer.Option(help="1 to 10.")] = None,
    pump: Annotated[int | None, typer.Option(help="1 to 10.")] = None,
    mood: Annotated[int | None, typer.Option(help="1 to 10.")] = None,
    db: Db = NO_DB,
) -> None:
    """End the session that is going on."""
    with opened(db) as replica:
        log = _needed(replica)
        felt = {name: value for name, value in (("fatigue", fatigue), ("pump", pump), ("mood", mood)) if value}
        if felt:
            log.rate(**felt)
        log.finish(notes=note)
        said(f"finished {escaped(_name(log))}: {_totals(log)}")


@group.command(epilog=examples("apex log show", "apex log show 2026-03-01"))
def show(
    day: Annotated[
        str | None, typer.Argument(metavar="DAY", help="A day (2026-03-01) or an id; default: the latest.")
    ] = None,
    db: Db = NO_DB,
) -> None:
    """Show a session set by set."""
    with opened(db) as replica:
        for log in _chosen(replica, day):
            said(f"[bold]{escaped(_name(log))}[/]  {_totals(log)}")
            shown(_set_table(log))
            if log.notes:
                said(f"[dim]note:[/] {escaped(log.notes)}")


@group.command(name="list", epilog=examples("apex log list --limit 50"))
def recent(
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many.")] = LISTED,
    db: Db = NO_DB,
) -> None:
    """List the latest sessions; the same as `apex log` alone."""
    with opened(db) as replica:
        logs = replica.workouts.list(limit=limit)
        if not logs:
            said('nothing is logged yet; begin with: apex log set "Bench Press" 8x100kg@8')
            return
        found = table(
            "date", "session", "exercises", "sets", "volume", "RPE", "", right=("exercises", "sets", "volume")
        )
        running = _running(replica)
        for log in logs:
            found.add_row(
                log.date,
                escaped(log.title or "session"),
                str(len(log.exercises)),
                str(len(log.sets)),
                f"{log.volume_load_kg:,.0f} kg",
                "" if log.average_rpe is None else f"{log.average_rpe:.1f}",
                _marks(log, going_on=running is not None and log.id == running.id),
            )
        shown(found)


def _running(replica: "Replica") -> "WorkoutLog | None":
    rows = replica.query(OPEN_SESSION, {"open_seconds": OPEN_HOURS * 3600})
    return replica.workouts.get(rows[0]["id"]) if rows else None


def _needed(replica: "Replica") -> "WorkoutLog":
    running = _running(replica)
    if running is None:
        raise CommandFailed("no session is going on; begin one with apex log start, or with the first apex log set")
    return running


def _chosen(replica: "Replica", day: str | None) -> "list[WorkoutLog]":
    if day is None:
        logs = replica.workouts.list(limit=1)
    elif len(day) > len("2026-03-01"):
        logs = [replica.workouts.get(day)]
    else:
        logs = replica.workouts.on(day)
    if not logs:
        raise CommandFailed(f"nothing is logged on {day}" if day else "nothing is logged yet")
    return logs


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


def _tell_logged(log: "WorkoutLog", exercise: str, count: int, remark: str, *, began: bool) -> None:
    entry = log.exercise(exercise)
    last = ", ".join(_short(logged) for logged in entry.sets[-count:])
    began_text = f" [dim](started {escaped(_name(log))})[/]" if began else ""
    said(f"{escaped(entry.name)}[dim]{remark}[/]: {last} [dim]· set {len(entry.sets)} of the exercise[/]{began_text}")


def _set_table(log: "WorkoutLog") -> "Table":
    found = table("exercise", "set", "reps", "load", "effort", "type", "note", right=("set", "reps", "load"))
    for exercise in log.exercises:
        for number, logged in enumerate(exercise.sets, 1):
            found.add_row(
                escaped(exercise.name or "?") if number == 1 else "",
                str(number),
                _amount(logged),
                _load(logged),
                _effort(logged),
                "" if logged.type == "working" else logged.type,
                escaped(logged.notes or ""),
            )
    return found


def _short(logged: "SetEntry") -> str:
    load = f" x {_load(logged)}" if _load(logged) else ""
    effort = f" @ {_effort(logged)}" if _effort(logged) else ""
    return f"{_amount(logged)}{load}{effort}"


def _amount(logged: "SetEntry") -> str:
    if logged.reps is not None:
        return str(logged.reps)
    if logged.duration_seconds is not None:
        return f"{logged.duration_seconds:g} s"
    return "" if logged.distance_m is None else f"{logged.distance_m:g} m"


def _load(logged: "SetEntry") -> str:
    return "" if logged.load is None else f"{logged.load:g} {logged.load_unit}"


def _effort(logged: "SetEntry") -> str:
    if logged.rpe is not None:
        return f"RPE {logged.rpe:g}"
    return "" if logged.rir is None else f"{logged.rir:g} RIR"


def _marks(log: "WorkoutLog", *, going_on: bool) -> str:
    marks = {
        "going on": going_on,
        "unsent": log.snapshot.pending,
        "[yellow]conflict[/]": bool(log.snapshot.conflicts),
    }
    return ", ".join(mark for mark, holds in marks.items() if holds)


def _totals(log: "WorkoutLog") -> str:
    minutes = log.snapshot.state.get("duration_minutes")
    lasted = f", {ago(minutes * 60)}" if minutes else ""
    return f"{counted(len(log.sets), 'set')}, {log.volume_load_kg:,.0f} kg{lasted}"


def _name(log: "WorkoutLog") -> str:
    return f"{log.title or 'session'} of {log.date}"
