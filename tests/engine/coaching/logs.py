"""Records for the coaching tests, written as short as the tests think of them."""

import datetime
from collections.abc import Iterable, Mapping
from typing import Any

from apex_sync.coaching.body_weight_lifts import BodyWeights, body_weights
from apex_sync.coaching.bodyweight import WeighIn
from apex_sync.coaching.exposures import Exposure, exposures
from apex_sync.coaching.sets import PerformedSet, performed_sets
from apex_sync.collection import Record
from apex_sync.models import CHECK_INS, PROGRAMS, WORKOUT_LOGS

MONDAY = datetime.date(2026, 3, 2)
"""A Monday, ISO week 10."""

Set = Mapping[str, Any]


def day(offset: int) -> datetime.date:
    """Give the day so many days after `MONDAY`."""
    return MONDAY + datetime.timedelta(days=offset)


def sets(*loads_and_reps: tuple[float | None, int], **leaves: Any) -> list[Set]:
    """Write sets as (load, reps), with leaves that all of them share."""
    return [{"load_kg": load, "reps": reps, **leaves} for load, reps in loads_and_reps]


def workout(on: datetime.date | None, exercises: Mapping[str, Iterable[Set]] | None = None, **leaves: Any) -> Record:
    """Make a workout log with its exercises by name."""
    state: dict[str, Any] = {"exercises": {}, "sets": {}, **leaves}
    if on is not None:
        state["date"] = on.isoformat()
    for number, (name, logged) in enumerate((exercises or {}).items()):
        state["exercises"][f"e{number}"] = {"name": name, "order": f"{number:02}"}
        for at, entry in enumerate(logged):
            state["sets"][f"s{number}-{at}"] = {"exercise": f"e{number}", "order": f"{at:02}", **entry}
    return read_workout(state)


def read_workout(state: Mapping[str, Any]) -> Record:
    return WORKOUT_LOGS.read(state)[0]


def check_in(on: datetime.date, **leaves: Any) -> Record:
    """Make a check-in, handed in unless `submitted` is false; answers are given by name among the leaves."""
    submitted = leaves.pop("submitted", True)
    answers = {key: leaves.pop(key) for key in list(leaves) if key in CHECK_IN_ANSWERS}
    state: dict[str, Any] = {"date": on.isoformat(), **leaves}
    if answers:
        state["responses"] = answers
    if submitted:
        state["submitted_at"] = f"{on.isoformat()}T08:00:00"
    return CHECK_INS.read(state)[0]


CHECK_IN_ANSWERS = ("energy", "hunger", "stress", "sleep", "adherence", "enjoyment", "soreness", "motivation")


def program(**state: Any) -> Record:
    return PROGRAMS.read(state)[0]


def line(*sessions: tuple[datetime.date, Iterable[Set]]) -> list[Exposure]:
    """Make the exposures of one exercise, from (day, sets) of each session."""
    return exposures(performed for on, logged in sessions for performed in performed_on(on, logged))


def performed_on(on: datetime.date, logged: Iterable[Set], workout_id: str | None = None) -> list[PerformedSet]:
    return performed_sets(workout_id or f"w-{on.isoformat()}", workout(on, {"Bench Press": logged}))


def weighing(weight_kg: float, *, on: datetime.date = MONDAY) -> BodyWeights:
    """Make the body weights of somebody who stood on the scale once."""
    return body_weights([WeighIn(record_id="w", date=on, weight_kg=weight_kg)])
