"""What training adds up to, from the logs on this device; each takes the local replica and is run in its thread.

The figures are those of `apex_sync.coaching`, which the server gives as well.
"""

from collections import ChainMap
from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from functools import cache
from itertools import chain

from apex_client import listing
from apex_client.library_searching import listed
from apex_client.local import LocalReplica
from apex_client.store_file import sqlite_errors
from apex_sync.coaching.adherence import done_session
from apex_sync.coaching.adherence_findings import usual_schedule
from apex_sync.coaching.analytics import (
    AdherenceWeek,
    ExerciseProgress,
    Volume,
    adherence_weeks,
    first_day_of,
    progress_of,
    tallies_of,
    trained_sessions,
    volume_of,
)
from apex_sync.coaching.body_weight_lifts import BodyWeights, body_weight_lift, body_weights
from apex_sync.coaching.bodyweight import WEIGHT_KG_MAX, WEIGHT_KG_MIN, WeighIn
from apex_sync.coaching.exercise_library import builtin_exercises
from apex_sync.coaching.leaves import day
from apex_sync.coaching.plan_history import asked_for, plan_history
from apex_sync.coaching.profile import ExerciseTraits, Library, library_of
from apex_sync.coaching.records import personal_records
from apex_sync.coaching.sets import (
    PerformedSet,
    exercise_identity,
    identities,
    performed_sets,
    session_date,
    sets_by_exercise,
)
from apex_sync.coaching.weeks import complete_weeks
from apex_sync.collection import Record
from apex_sync.models import PROFILES, PROGRAMS, WORKOUT_LOGS, Exercise

WORKOUTS_MAX = 5000
"""Fifteen years of training, read in a second."""

READINGS_MAX = 4000
"""Of each kind: ten years of a weigh-in a day, as on the server."""

_WEIGH_INS = """
    SELECT * FROM (
        SELECT row.id, row.date, row.weight_kg
        FROM check_in_rows AS row
        JOIN held_scopes AS scope ON scope.scope_no = row.scope_no
        WHERE (scope.name = :scope OR :scope IS NULL) AND row.submitted_at IS NOT NULL AND row.weight_kg IS NOT NULL
            AND row.date <= :until
        ORDER BY row.date DESC
        LIMIT :limit
    )
    UNION ALL
    SELECT * FROM (
        SELECT row.id, row.date, row.weight_kg
        FROM body_metric_rows AS row
        JOIN held_scopes AS scope ON scope.scope_no = row.scope_no
        WHERE (scope.name = :scope OR :scope IS NULL) AND row.weight_kg IS NOT NULL AND row.date <= :until
        ORDER BY row.date DESC
        LIMIT :limit
    )
    ORDER BY 2 DESC, 1 DESC
    LIMIT :limit
"""

_COACHED_SINCE = """
    SELECT min(nullif(since, ''))
    FROM people
    WHERE :athlete_id IS NULL OR id = :athlete_id
"""

_OWN_EXERCISES = """
    SELECT exercise.id, exercise.name, exercise.aliases, exercise.muscle_group, exercise.secondary_muscles
    FROM exercise_rows AS exercise
    JOIN held_scopes AS scope ON scope.scope_no = exercise.scope_no
    WHERE scope.name <> 'global'
    ORDER BY exercise.id
"""


def volume(local: LocalReplica, scope: str | None, *, weeks: int, today: date) -> Volume:
    """Count the weekly hard sets of muscles and exercises."""
    first = first_day_of(weeks, today)
    sets = [each for log_id, log in _logs(local, scope, since=first) for each in performed_sets(log_id, log)]
    return volume_of(tallies_of(sets, _body_weights(local, scope, today, sets)), library(local))


def progression(
    local: LocalReplica, scope: str | None, exercise: str | None, *, weeks: int, today: date
) -> list[ExerciseProgress]:
    """Draw the lines of exercises, the most trained first; of one alone, by its id or name, where that is asked."""
    trained = sets_by_exercise(_dated_sets(local, scope))
    if exercise is not None:
        wanted = {*identities(exercise, None), *identities(None, exercise)}
        trained = {
            identity: sets
            for identity, sets in trained.items()
            if identity in wanted or any(exercise_identity(None, each.exercise_name) in wanted for each in sets)
        }
    weights = _body_weights(local, scope, today, chain.from_iterable(trained.values()))
    lines = {identity: trained_sessions(sets, weights) for identity, sets in trained.items()}
    records = {identity: personal_records(sets) for identity, sets in trained.items()}
    return progress_of(lines, first_day_of(weeks, today), today + timedelta(days=1), records)


def adherence(local: LocalReplica, scope: str | None, *, weeks: int, today: date) -> list[AdherenceWeek]:
    """State how many of the due sessions were done in each complete week, each asked for by the program of its day.

    A program asks for what it did on that day, whatever became of it since.
    """
    logs = dict(_logs(local, scope))
    done = [
        session
        for log_id, log in logs.items()
        if (session := done_session(log_id, log, performed_sets(log_id, log))) is not None
    ]
    first = complete_weeks(today, weeks)[0]
    programs = listing.documents(local, PROGRAMS.name, scope, limit=WORKOUTS_MAX)
    scheduled = asked_for([plan_history(one.record_id, one.document) for one in programs], first, today)
    if not scheduled:
        days = [on for log in logs.values() if (on := session_date(log)) is not None]
        profile = next(
            (PROFILES.read(each.state)[0] for each in listing.recently_changed(local, PROFILES.name, scope, limit=1)),
            None,
        )
        per_week = getattr(profile, "training_days_per_week", None) or None
        scheduled = usual_schedule(
            per_week, min(days, default=None), today, first, coached_since=_coached_since(local, scope)
        )
    return adherence_weeks(scheduled, done, as_of=today, weeks=weeks)


def _coached_since(local: LocalReplica, scope: str | None) -> date | None:
    """Give the day since which the athlete has a coach, as far as the server has told."""
    is_coach = local.user is not None and local.user.role == "coach"
    athlete_id = (scope or "").removeprefix("athlete:") if is_coach else None
    with sqlite_errors(local.store.path):
        [told] = local.store.sql.execute(_COACHED_SINCE, {"athlete_id": athlete_id}).fetchone()
    return day(str(told)[:10]) if told else None


def _dated_sets(local: LocalReplica, scope: str | None) -> Iterator[PerformedSet]:
    for log_id, log in _logs(local, scope):
        if session_date(log) is not None:
            yield from performed_sets(log_id, log)


def _body_weights(local: LocalReplica, scope: str | None, today: date, sets: Iterable[PerformedSet]) -> BodyWeights:
    """Read what the athlete weighed up to tomorrow, if any of the sets asks for it."""
    if not any(body_weight_lift(each.exercise_id, each.exercise_name) for each in sets):
        return BodyWeights()
    asked = {"scope": scope, "until": str(today + timedelta(days=1)), "limit": READINGS_MAX}
    with sqlite_errors(local.store.path):
        rows = local.store.sql.execute(_WEIGH_INS, asked).fetchall()
    return body_weights(
        WeighIn(record_id=record_id, date=on, weight_kg=weight_kg)
        for record_id, text, weight_kg in rows
        if WEIGHT_KG_MIN <= weight_kg <= WEIGHT_KG_MAX and (on := day(text)) is not None
    )


def _logs(local: LocalReplica, scope: str | None, *, since: date | None = None) -> Iterator[tuple[str, Record]]:
    earliest = None if since is None else since.isoformat()
    for log in listing.by_date(local, WORKOUT_LOGS.name, scope, since=earliest, until=None, limit=WORKOUTS_MAX):
        yield log.record_id, WORKOUT_LOGS.read(log.state)[0]


def library(local: LocalReplica) -> Library:
    """Give what is known of exercises here: those of coaches go before built-in ones of the same name."""
    with sqlite_errors(local.store.path):
        rows = local.store.sql.execute(_OWN_EXERCISES).fetchall()
    own = {
        exercise_id: Exercise(
            name=name or "",
            aliases=[*listed(aliases)],
            muscle_group=muscle or "",
            secondary_muscles=[*listed(secondary)],
        )
        for exercise_id, name, aliases, muscle, secondary in rows
    }
    return ChainMap(library_of(own), _builtin())


@cache
def _builtin() -> dict[str, ExerciseTraits]:
    return library_of({exercise.id: Exercise(**exercise.patch) for exercise in builtin_exercises()})
