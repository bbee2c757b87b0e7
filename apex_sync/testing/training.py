"""Made-up training that looks like the real thing: for the demo, benchmarks and tests, always the same from one seed.

An athlete follows a push/pull/legs week with double progression, an RPE that rises with fatigue, a deload every sixth
week, and now and then a missed session. Loads move in real plates.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from random import Random

from apex_sync.op import Patch
from apex_sync.order import order_keys

PLATE_KG = 2.5
DELOAD_EVERY_WEEKS = 6
SKIP_CHANCE = 0.06


@dataclass(frozen=True)
class Lift:
    """One exercise of the plan: where it starts, how much it grows a week, and its sets and reps."""

    name: str
    start_kg: float
    weekly_kg: float
    sets: int
    reps: int


PLAN: dict[str, tuple[Lift, ...]] = {
    "Push": (
        Lift("Bench Press (Barbell)", 80, 0.8, 4, 8),
        Lift("Overhead Press (Barbell)", 47.5, 0.4, 3, 8),
        Lift("Incline Bench Press (Dumbbell)", 28, 0.35, 3, 10),
        Lift("Lateral Raise (Dumbbell)", 10, 0.1, 4, 15),
        Lift("Triceps Pushdown (Cable)", 32.5, 0.4, 3, 12),
    ),
    "Pull": (
        Lift("Deadlift (Barbell)", 130, 1.6, 3, 5),
        Lift("Bent Over Row (Barbell)", 70, 0.7, 4, 8),
        Lift("Lat Pulldown (Cable)", 62.5, 0.5, 3, 10),
        Lift("Face Pull (Cable)", 25, 0.2, 3, 15),
        Lift("Bicep Curl (Barbell)", 32.5, 0.25, 3, 10),
    ),
    "Legs": (
        Lift("Squat (Barbell)", 110, 1.4, 4, 6),
        Lift("Romanian Deadlift (Barbell)", 90, 0.9, 3, 8),
        Lift("Leg Press", 180, 2.2, 3, 12),
        Lift("Seated Leg Curl (Machine)", 45, 0.4, 3, 12),
        Lift("Standing Calf Raise (Machine)", 70, 0.6, 4, 12),
    ),
}


@dataclass(frozen=True)
class PerformedSet:
    """One set of a made-up session."""

    exercise: str
    reps: int
    load_kg: float
    rpe: float


@dataclass(frozen=True)
class Session:
    """One made-up session."""

    title: str
    start: datetime
    minutes: int
    sets: tuple[PerformedSet, ...]


def sessions(random: Random, *, until: date, weeks: int) -> Iterator[Session]:
    """Give the sessions of the `weeks` before `until`, oldest first: three a week, some missed."""
    first = until - timedelta(days=7 * weeks)
    for week in range(weeks):
        for day, title in zip((0, 2, 4), PLAN, strict=True):
            if random.random() < SKIP_CHANCE:
                continue
            morning = datetime.combine(first + timedelta(days=7 * week + day), datetime.min.time())
            start = morning + timedelta(hours=17, minutes=random.randrange(120), seconds=random.randrange(60))
            yield Session(title, start, random.randrange(52, 84), tuple(_performed(random, title, week)))


def workout_patch(session: Session) -> Patch:
    """Write a session as the workout log of one op: about 20 sets, 1.5 kB."""
    names = list(dict.fromkeys(performed.exercise for performed in session.sets))
    exercise_keys = {name: f"e{place}" for place, name in enumerate(names)}
    orders = order_keys(len(session.sets))
    return {
        "title": session.title,
        "date": session.start.date().isoformat(),
        "start_time": session.start.isoformat(),
        "end_time": (session.start + timedelta(minutes=session.minutes)).isoformat(),
        "duration_minutes": session.minutes,
        "exercises": {
            exercise_keys[name]: {"name": name, "order": order}
            for name, order in zip(names, order_keys(len(names)), strict=True)
        },
        "sets": {
            f"s{place:02d}": {
                "exercise": exercise_keys[performed.exercise],
                "order": order,
                "reps": performed.reps,
                "load_kg": performed.load_kg,
                "rpe": performed.rpe,
            }
            for place, (performed, order) in enumerate(zip(session.sets, orders, strict=True))
        },
        "completed": True,
    }


def check_in_patch(random: Random, *, on: date, week: int) -> Patch:
    """Write one weekly check-in: answers that wander, a body weight that slowly rises."""
    answers = ("energy", "hunger", "stress", "sleep", "adherence", "enjoyment", "soreness", "motivation")
    return {
        "date": on.isoformat(),
        "week_number": week % 520 + 1,
        "weight_kg": round(82 + 0.12 * (week % 52) + random.uniform(-0.5, 0.5), 1),
        "responses": {answer: min(10, max(1, round(random.gauss(6.5, 1.6)))) for answer in answers},
        "notes": random.choice(("Good week.", "Sleep was short, work is busy.", "Felt strong on every lift.", "")),
        "submitted_at": f"{on.isoformat()}T08:30:00",
    }


def _performed(random: Random, title: str, week: int) -> Iterator[PerformedSet]:
    deload = week % DELOAD_EVERY_WEEKS == DELOAD_EVERY_WEEKS - 1
    form = random.gauss(0, 0.4)
    for lift in PLAN[title]:
        load = _plates((lift.start_kg + lift.weekly_kg * week) * (0.9 if deload else 1))
        for place in range(max(2, lift.sets // 2) if deload else lift.sets):
            tired = 0.45 * place - (2 if deload else 0)
            rpe = min(10.0, max(5.0, round(2 * (7.5 + tired - form + random.gauss(0, 0.3))) / 2))
            yield PerformedSet(lift.name, max(1, lift.reps - (rpe >= 9.5)), load, rpe)


def _plates(load_kg: float) -> float:
    return round(load_kg / PLATE_KG) * PLATE_KG
