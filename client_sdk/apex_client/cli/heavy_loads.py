"""Loads that are hardly meant: one far above the heaviest of that lift is saved, and then asked about.

The set is safe before the question is put, so whoever hangs up loses nothing.
"""

import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from apex_client.cli.days import today
from apex_client.cli.failures import WrongUsage
from apex_client.cli.screen import escaped, said
from apex_client.cli.sessions import athlete_id_of, is_coach, load, short
from apex_client.cli.set_notation import read_correction

if TYPE_CHECKING:
    from apex_client.blocking import Replica
    from apex_client.blocking.resources import AthleteResources
    from apex_client.blocking.workouts import WorkoutLog
    from apex_client.views import ExerciseEntry, SetEntry

__all__ = ["Yes", "ask_about_loads"]

HEAVIER_FACTOR_MAX = 2.5
"""A zero too much is ten times, pounds taken for kilograms more than twice; nobody gets so strong between two sets."""

HEAVIER_KG_MAX = 50.0
"""So much above the heaviest is no slip yet: whoever tried 2 kg may well take 10."""

UNKNOWN_LIFT_KG_MAX = 500.0
"""Where nothing of a lift is logged: the heaviest deadlift ever is 501 kg, and a leg press rarely holds more."""

ASKED_MAX = 3

HEAVIEST = """
    SELECT max(entry.load_kg) AS load_kg
    FROM logged_sets AS entry
    JOIN workout_logs AS log ON log.id = entry.workout_id
    JOIN logged_exercises AS exercise
        ON exercise.workout_id = entry.workout_id AND exercise.key = entry.exercise_key
    WHERE (entry.exercise_name = :name COLLATE NOCASE OR exercise.exercise_id = :exercise_id)
        AND (:athlete_id IS NULL OR log.athlete_id = :athlete_id)
        AND entry.key NOT IN (SELECT value FROM json_each(:but_for))
"""

Yes = Annotated[bool, typer.Option("--yes", metavar="", help="Do not ask about a load far above the heaviest.")]


def ask_about_loads(
    replica: "Replica",
    records: "AthleteResources",
    log: "WorkoutLog",
    exercise: "ExerciseEntry",
    logged: "Sequence[SetEntry]",
    *,
    yes: bool,
) -> None:
    """Ask about loads of saved sets that are far above the heaviest; in a pipe, and with `yes`, only say so."""
    if all((each.load_kg or 0) <= HEAVIER_KG_MAX for each in logged):
        return
    heaviest = _heaviest_kg(replica, records, exercise, but_for=logged)
    unlikely = [each for each in logged if each.load_kg is not None and is_unlikely(each.load_kg, heaviest)]
    if not unlikely:
        return
    said(_doubt(exercise, unlikely[0], heaviest, whose="Their" if is_coach(replica) else "Your"))
    if yes or not (sys.stdin.isatty() and sys.stderr.isatty()):
        place = [each.key for each in exercise.sets].index(unlikely[0].key) + 1
        day = "" if log.date == today().isoformat() else f" --on {log.date}"
        said(f'It is saved as it is; to correct it: apex log edit "{escaped(exercise.name or "?")}" {place} LOAD{day}')
        return
    if fields := _asked(unlikely[0]):
        corrected = [log.edit_set(each, **fields) for each in unlikely]
        said(f"{escaped(exercise.name or '?')}: {', '.join(map(short, corrected))}")


def _heaviest_kg(
    replica: "Replica", records: "AthleteResources", exercise: "ExerciseEntry", *, but_for: "Sequence[SetEntry]"
) -> float | None:
    named = {"name": exercise.name, "exercise_id": exercise.exercise_id, "athlete_id": athlete_id_of(records)}
    [row] = replica.query(HEAVIEST, {**named, "but_for": json.dumps([each.key for each in but_for])})
    found: float | None = row["load_kg"]
    return found


def is_unlikely(load_kg: float, heaviest: float | None) -> bool:
    """Tell whether a load is hardly meant, by the heaviest of before; None where nothing of the lift is logged.

    >>> is_unlikely(800, 140), is_unlikely(180, 140), is_unlikely(10, 2), is_unlikely(800, None), is_unlikely(300, None)
    (True, False, False, True, False)
    """
    if heaviest is None:
        return load_kg > UNKNOWN_LIFT_KG_MAX
    return load_kg > max(heaviest * HEAVIER_FACTOR_MAX, heaviest + HEAVIER_KG_MAX)


def _doubt(exercise: "ExerciseEntry", unlikely: "SetEntry", heaviest: float | None, *, whose: str) -> str:
    if heaviest is None:
        compared = f"Nothing of it was logged before, and over {_in_unit(UNKNOWN_LIFT_KG_MAX, unlikely)} is rare."
    else:
        compared = f"{whose} heaviest is {_in_unit(heaviest, unlikely)}."
    return f"[yellow]{load(unlikely)} of {escaped(exercise.name or '?')}?[/] {compared}"


def _in_unit(load_kg: float, beside: "SetEntry") -> str:
    from apex_sync.coaching.increments import KG_PER_LB

    in_unit = load_kg / KG_PER_LB if beside.load_unit == "lb" else load_kg
    return f"{round(in_unit, 1):g} {beside.load_unit}"


def _asked(unlikely: "SetEntry") -> dict[str, Any]:
    """Ask what it was; nothing where it was what stands there, or where nobody finds words for it."""
    kept = load(unlikely)
    for _ in range(ASKED_MAX):
        typed: str = typer.prompt("It is saved. Enter if it is right, else what it was", default=kept, err=True)
        if typed.strip() == kept:
            return {}
        is_number = typed.strip().replace(",", ".").replace(".", "", 1).isdigit()
        try:
            return read_correction(f"{typed.strip()}{unlikely.load_unit}" if is_number else typed)
        except WrongUsage as error:
            said(escaped(error))
    return {}
