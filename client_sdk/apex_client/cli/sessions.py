"""Sessions on the command line: whose they are, which one is meant, and how they are worded."""

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from apex_client.cli.days import DAY, day_typed
from apex_client.cli.failures import CommandFailed, WrongUsage
from apex_client.cli.screen import ago, counted, escaped

if TYPE_CHECKING:
    from apex_client.blocking import Replica
    from apex_client.blocking.resources import AthleteResources
    from apex_client.blocking.workouts import WorkoutLog
    from apex_client.views import SetEntry

OPEN_HOURS = 18
"""A session that began longer ago was forgotten, not paused: the next set begins a new one. One that is written down
for another day has no time of its own, and goes on from when it was begun here."""

OPEN_SESSION = """
    SELECT id
    FROM workout_logs
    WHERE end_time IS NULL
        AND NOT completed
        AND source IS NULL
        AND (:athlete_id IS NULL OR athlete_id = :athlete_id)
        AND unixepoch(coalesce(start_time, created_at))
            BETWEEN unixepoch('now') - :open_seconds AND unixepoch('now') + 3600
    ORDER BY unixepoch(coalesce(start_time, created_at)) DESC, changed_us DESC
    LIMIT 1
"""

LAST_SESSION = """
    SELECT id
    FROM workout_logs
    WHERE :athlete_id IS NULL OR athlete_id = :athlete_id
    ORDER BY unixepoch(coalesce(start_time, CASE WHEN source IS NULL THEN created_at END, date)) DESC, changed_us DESC
    LIMIT 1
"""
"""What was written down for another day was worked on when it was begun here; an import says when it was done."""

Whose = Annotated[
    str | None, typer.Option("--athlete", metavar="NAME", help="For a coach: whose it is, by name or id.")
]
On = Annotated[
    str | None,
    typer.Option(
        "--on",
        metavar="DAY",
        help="The session of a day (yesterday; yesterday/2, its second) or an id; default: the last.",
    ),
]


def is_coach(replica: "Replica") -> bool:
    """Tell whether the replica is of somebody with athletes."""
    return replica.user is not None and replica.user.role != "athlete"


def records_of(replica: "Replica", athlete: str | None, *, only_one: bool = False) -> "AthleteResources":
    """Give the records that a command is about: one's own, or on a coach's replica those of an athlete they name.

    With `only_one` a coach of one athlete need not name them. Raises WrongUsage, CommandFailed.
    """
    if not is_coach(replica):
        if athlete is not None:
            raise WrongUsage("--athlete is for coaches; this is an athlete's own log")
        return replica
    everybody = replica.athletes.list()
    names = ", ".join(one.name or one.id for one in everybody) or "nobody yet; apex sync brings them"
    if athlete is None and only_one and len(everybody) == 1:
        return replica.athletes[everybody[0].id]
    if athlete is None:
        raise CommandFailed(f"say whose it is: --athlete NAME, of {names}")
    named = [one for one in everybody if athlete in (one.id, one.name)]
    wanted = athlete.casefold()
    named = named or [one for one in everybody if wanted and (one.name or "").casefold().startswith(wanted)]
    if len(named) == 1:
        return replica.athletes[named[0].id]
    raise CommandFailed(f"{athlete!r} is {'more than one' if named else 'not one'} of your athletes: {names}")


def athlete_names(replica: "Replica") -> dict[str, str]:
    """Give what a coach's athletes are called, by their ids; nobody on an athlete's own replica."""
    return {one.id: one.name or one.id for one in replica.athletes.list()} if is_coach(replica) else {}


def athlete_id_of(records: "AthleteResources") -> str | None:
    """Give whose records they are on a coach's replica; None for one's own."""
    return getattr(records, "id", None)


def running(replica: "Replica", records: "AthleteResources") -> "WorkoutLog | None":
    """Give the session that is going on."""
    rows = replica.query(OPEN_SESSION, {"open_seconds": OPEN_HOURS * 3600, "athlete_id": athlete_id_of(records)})
    return records.workouts.get(rows[0]["id"]) if rows else None


def named(records: "AthleteResources", on: str) -> "WorkoutLog":
    """Give the one session of a day, the one at a place of it, or the one with an id. Raises CommandFailed."""
    found = chosen(records, on)
    if len(found) > 1:
        each = ", ".join(f"{place} ({log.title or 'session'}{clock(log)})" for place, log in found)
        raise CommandFailed(f"there are {len(found)} sessions of {on}; name one: {each}")
    return found[0][1]


def latest(replica: "Replica", records: "AthleteResources") -> "WorkoutLog":
    """Give the session that is going on, else the one that was begun last. Raises CommandFailed."""
    found = running(replica, records)
    if found is not None:
        return found
    rows = replica.query(LAST_SESSION, {"athlete_id": athlete_id_of(records)})
    if not rows:
        raise CommandFailed("nothing is logged yet")
    return records.workouts.get(rows[0]["id"])


def needed(replica: "Replica", records: "AthleteResources") -> "WorkoutLog":
    """Give the session that is going on. Raises CommandFailed."""
    found = running(replica, records)
    if found is None:
        raise CommandFailed("no session is going on; begin one with apex log start, or with the first apex log set")
    return found


def chosen(records: "AthleteResources", on: str) -> "list[tuple[str, WorkoutLog]]":
    """Give the sessions of a day with the short name of each, or the one with an id. Raises CommandFailed."""
    typed, _, place = on.partition("/")
    if len(typed) > len(DAY):
        return [("", records.workouts.get(on))]
    day = day_typed(typed)
    found = _placed(records.workouts.on(day))
    if not found:
        raise CommandFailed(f"nothing is logged on {day}; to log it now: apex log start --date {day}")
    wanted = [(at, log) for at, log in found if not place or at == f"{day}/{place}"]
    if not wanted:
        raise CommandFailed(f"there is no session {day}/{place}; apex log show {day} lists them")
    return wanted


def _placed(logs: "list[WorkoutLog]") -> "list[tuple[str, WorkoutLog]]":
    """Name the sessions of a day by their order, each athlete's by itself: `2026-03-01/2`."""
    counts: Counter[str] = Counter()
    found = []
    for log in sorted(logs, key=lambda log: (log.start_time or "", log.get("created_at") or "", log.id)):
        counts[log.athlete_id] += 1
        found.append((f"{log.date}/{counts[log.athlete_id]}", log))
    return found


def clock(log: "WorkoutLog") -> str:
    """Write when a session began, behind its name; nothing where nobody knows."""
    return f", {log.start_time[11:16]}" if log.start_time else ""


def name(log: "WorkoutLog") -> str:
    """Name a session."""
    return f"{log.title or 'session'} of {log.date}"


def begun_elsewhere(replica: "Replica", log: "WorkoutLog") -> str:
    """Say that a session was begun elsewhere, where this device has not written to it; no device knows by whom."""
    if any(past.mine for past in log.history()):
        return ""
    return "begun " + ("by the athlete" if is_coach(replica) else "by your coach") + " or on another device"


def called(log: "WorkoutLog", whose: Mapping[str, str]) -> str:
    """Name a session, for a coach with whose it is; safe to print."""
    athlete = whose.get(log.athlete_id)
    return escaped(name(log) if athlete is None else f"{name(log)}, {athlete}")


def totals(log: "WorkoutLog") -> str:
    """Say what a session adds up to."""
    minutes = log.snapshot.state.get("duration_minutes")
    lasted = f", {ago(minutes * 60)}" if minutes else ""
    return f"{counted(len(log.sets), 'set')}, {log.volume_load_kg:,.0f} kg{lasted}"


def short(logged: "SetEntry") -> str:
    """Write a set in a few characters."""
    with_load = f" x {load(logged)}" if load(logged) else ""
    with_effort = f" @ {effort(logged)}" if effort(logged) else ""
    return f"{amount(logged)}{with_load}{with_effort}"


def amount(logged: "SetEntry") -> str:
    """Write how much was done: reps, seconds or metres."""
    if logged.reps is not None:
        return str(logged.reps)
    if logged.duration_seconds is not None:
        return f"{logged.duration_seconds:g} s"
    return "" if logged.distance_m is None else f"{logged.distance_m:g} m"


def load(logged: "SetEntry") -> str:
    """Write a load as it was typed."""
    return "" if logged.load is None else f"{logged.load:g} {logged.load_unit}"


def effort(logged: "SetEntry") -> str:
    """Write how hard it was."""
    if logged.rpe is not None:
        return f"RPE {logged.rpe:g}"
    return "" if logged.rir is None else f"{logged.rir:g} RIR"


def headline(log: "WorkoutLog", whose: Mapping[str, str]) -> str:
    """Name a session with when it began and what it adds up to."""
    return f"[bold]{called(log, whose)}[/]{clock(log)}  {totals(log)}"
