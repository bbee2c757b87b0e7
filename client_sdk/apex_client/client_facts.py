"""How a coach's clients stand, from the tables of this device; takes the local replica and is run in its thread.

The facts are those that the server's `standing.sql` reads, and `apex_sync.coaching` judges both. A statement reads what
it is about of all clients at once; only the programs of these weeks are folded.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from math import fsum
from typing import Any, NamedTuple

import msgspec

from apex_client.errors import CoachNeeded
from apex_client.local import LocalReplica
from apex_client.standing import Adherence, ClientSummary
from apex_client.store_file import sqlite_errors
from apex_sync.coaching.adherence import DoneSession
from apex_sync.coaching.adherence_findings import usual_schedule
from apex_sync.coaching.client_standing import ClientFacts, client_standing, first_day_needed
from apex_sync.coaching.leaves import day
from apex_sync.coaching.nutrition import DayTotals, Macros, nutrition_adherence
from apex_sync.coaching.plan import ScheduledSession, followed_on
from apex_sync.coaching.plan_history import PlanHistory, asked_for, plan_history
from apex_sync.models import Program
from apex_sync.models.client_file import client_file_id
from apex_sync.models.fields import parse_local_time

CHECK_INS_READ = 30
TARGETS_READ = 30
"""Of one client, the latest: as many as the server reads."""

_MINUTES_A_DAY = 24 * 60

_CLIENTS = """
    SELECT scope.scope_no, substr(scope.name, 9) AS id, private.scope_no, coalesce(profile.name, person.name, ''),
        coalesce(person.since, ''), profile.training_days_per_week, profile.check_in_day_number
    FROM held_scopes AS scope
    LEFT JOIN held_scopes AS private ON private.name = 'private:' || :coach_id || ':' || substr(scope.name, 9)
    LEFT JOIN people AS person ON person.id = substr(scope.name, 9)
    LEFT JOIN profile_rows AS profile ON profile.scope_no = scope.scope_no AND profile.id = substr(scope.name, 9)
    WHERE scope.name LIKE 'athlete:%'
        AND scope.role = 'coach'
        AND (:athlete_id IS NULL OR scope.name = 'athlete:' || :athlete_id)
    ORDER BY scope.name
"""

DONE = """(
        log.completed
        OR EXISTS (
            SELECT 1
            FROM logged_set_rows AS entry
            WHERE entry.record_no = log.record_no AND entry.completed
        )
    )"""
"""Whether a session was more than begun: a set of it was done, or it was completed; on `workout_log_rows AS log`."""

_DAY = "coalesce(log.date, substr(coalesce(log.start_time, log.end_time), 1, 10))"
_SESSIONS = f"""
    SELECT log.scope_no, log.id, {_DAY} AS day, log.program_id, log.week_number, log.day_number, log.duration_minutes,
        (
            SELECT count(*)
            FROM logged_set_rows AS entry
            WHERE entry.record_no = log.record_no AND entry.completed AND entry.type <> 'warmup'
        )
    FROM workout_log_rows AS log
    WHERE day BETWEEN :first AND :until
        AND (:scope_no IS NULL OR log.scope_no = :scope_no)
        AND {DONE}
    ORDER BY day DESC, log.id
"""  # noqa: S608 - made of constants.
_FIRST_SESSIONS = f"""
    SELECT log.scope_no, min({_DAY})
    FROM workout_log_rows AS log
    WHERE {DONE}
        AND (:scope_no IS NULL OR log.scope_no = :scope_no)
    GROUP BY log.scope_no
"""  # noqa: S608
_LAST_SESSIONS = f"""
    SELECT log.scope_no, max({_DAY})
    FROM workout_log_rows AS log
    WHERE {_DAY} <= :until
        AND {DONE}
        AND (:scope_no IS NULL OR log.scope_no = :scope_no)
    GROUP BY log.scope_no
"""  # noqa: S608
_LAST_CLOCKS = f"""
    SELECT log.scope_no, max({_DAY}), coalesce(log.start_time, log.end_time)
    FROM workout_log_rows AS log
    WHERE {_DAY} <= :until
        AND (:scope_no IS NULL OR log.scope_no = :scope_no)
    GROUP BY log.scope_no
"""  # noqa: S608 - beside one max() SQLite gives the columns of its row.
_CHECK_INS = """
    SELECT row.scope_no, row.date, row.coach_reviewed
    FROM check_in_rows AS row
    WHERE row.submitted_at IS NOT NULL
        AND (:scope_no IS NULL OR row.scope_no = :scope_no)
    ORDER BY row.date DESC
"""
_EATEN = """
    SELECT row.scope_no, row.date, row.meal_count, row.food_count, row.energy_kcal, row.protein_g, row.carbs_g,
        row.fat_g
    FROM nutrition_log_rows AS row
    WHERE row.date BETWEEN :first AND :until
        AND (:scope_no IS NULL OR row.scope_no = :scope_no)
    ORDER BY row.date
"""
_ASKED = """
    SELECT row.scope_no, row.start_date, row.energy_kcal, row.protein_g, row.carbs_g, row.fat_g
    FROM nutrition_target_rows AS row
    WHERE row.start_date <= :until
        AND (:scope_no IS NULL OR row.scope_no = :scope_no)
    ORDER BY row.start_date DESC, row.id DESC
"""
_CRITICAL = """
    SELECT row.scope_no, count(*)
    FROM insight_rows AS row
    WHERE row.status = 'draft' AND row.priority = 'critical'
    GROUP BY row.scope_no
"""
_FILES = """
    SELECT row.scope_no, row.id, row.status, row.subscription_tier, row.tags, row.archived
    FROM client_file_rows AS row
"""
_ACTIVE = """
    SELECT row.scope_no, row.id, row.start_date, row.end_date
    FROM program_rows AS row
    WHERE row.status = 'active'
        AND (:scope_no IS NULL OR row.scope_no = :scope_no)
"""
# One that was changed in these weeks may have asked for something that it no longer does.
_PROGRAMS = """
    JOIN program_rows AS row ON row.record_no = record.record_no
    WHERE (
            record.changed_us >= ?
            OR (
                row.status IN ('active', 'completed')
                AND (row.start_date <= ? OR row.start_date IS NULL)
                AND (row.end_date >= ? OR row.end_date IS NULL)
            )
        )
        AND (? IS NULL OR row.scope_no = ?)
        AND scope.name LIKE 'athlete:%'
    ORDER BY record.record_no
"""

Rows = Mapping[int, Sequence[tuple[Any, ...]]]
"""Rows by the number of their scope, which they have no more."""


class Client(NamedTuple):
    """An athlete on a coach's device, and the numbers of the scopes that hold them."""

    scope_no: int
    id: str
    private_no: int | None
    name: str
    since: str
    training_days_per_week: int | None
    check_in_day_number: int | None


class _Read(NamedTuple):
    """What was read of all clients."""

    first: date
    until: date
    sessions: Rows
    first_sessions: Rows
    last_sessions: Rows
    last_clocks: Rows
    check_ins: Rows
    eaten: Rows
    asked: Rows
    critical: Rows
    files: Rows
    active: Rows
    asked_when: Mapping[str, Sequence[PlanHistory]]


def standings(local: LocalReplica, athlete_id: str | None = None) -> list[ClientSummary]:
    """Say how every client stands, or one of them. Raises CoachNeeded."""
    found = clients_of(local, athlete_id)
    now = datetime.fromtimestamp(local.device.now_us() / 1e6, UTC)
    only = found[0].scope_no if athlete_id is not None and found else None
    read = _read(local, now, only)
    coach_id = local.user.id if local.user else ""
    return [_summary(client, read, now, coach_id) for client in found]


def clients_of(local: LocalReplica, athlete_id: str | None = None) -> list[Client]:
    """List whom the coach of this device works with, or one of them. Raises CoachNeeded."""
    if local.user is None or local.user.role != "coach":
        raise CoachNeeded
    with sqlite_errors(local.store.path):
        rows = local.store.sql.execute(_CLIENTS, {"coach_id": local.user.id, "athlete_id": athlete_id}).fetchall()
    return [Client(*row) for row in rows]


def grouped(local: LocalReplica, sql: str, parameters: Mapping[str, Any]) -> Rows:
    """Read rows that begin with the number of their scope."""
    rows: defaultdict[int, list[tuple[Any, ...]]] = defaultdict(list)
    with sqlite_errors(local.store.path):
        for scope_no, *row in local.store.sql.execute(sql, parameters):
            rows[scope_no].append(tuple(row))
    return rows


def _read(local: LocalReplica, now: datetime, scope_no: int | None) -> _Read:
    first = first_day_needed(now.date() - timedelta(days=1))
    until = now.date() + timedelta(days=1)  # It is tomorrow already somewhere.
    asked = {"first": first.isoformat(), "until": until.isoformat(), "scope_no": scope_no}
    asked_when: defaultdict[str, list[PlanHistory]] = defaultdict(list)
    changed_us = int(datetime.combine(first, time(), UTC).timestamp()) * 1_000_000
    with sqlite_errors(local.store.path):
        for held in local.store.select(_PROGRAMS, (changed_us, *map(str, (until, first)), scope_no, scope_no)):
            asked_when[held.scope].append(plan_history(held.record_id, held.document))
    return _Read(
        first=first,
        until=until,
        sessions=grouped(local, _SESSIONS, asked),
        first_sessions=grouped(local, _FIRST_SESSIONS, asked),
        last_sessions=grouped(local, _LAST_SESSIONS, asked),
        last_clocks=grouped(local, _LAST_CLOCKS, asked),
        check_ins=grouped(local, _CHECK_INS, asked),
        eaten=grouped(local, _EATEN, asked),
        asked=grouped(local, _ASKED, asked),
        critical=grouped(local, _CRITICAL, asked),
        files=grouped(local, _FILES, asked),
        active=grouped(local, _ACTIVE, asked),
        asked_when=asked_when,
    )


def _summary(client: Client, read: _Read, now: datetime, coach_id: str) -> ClientSummary:
    status, tier, tags, archived = _file(client, read, coach_id)
    today = _today(client, read, now)
    since = _since(client, read, now)
    check_ins = [on for on, _ in _dated(read.check_ins, client.scope_no) if on <= read.until][:CHECK_INS_READ]
    sessions = [(on, rest) for on, rest in _sessions(read, client.scope_no) if read.first <= on <= read.until]
    critical = next((count for (count,) in read.critical.get(client.private_no or 0, ())), 0)
    active = read.active.get(client.scope_no, ())
    followed = followed_on(
        [(id_, Program(status="active", start_date=start, end_date=end)) for id_, start, end in active], today
    )
    last = _only_day(read.last_sessions, client.scope_no)
    facts = ClientFacts(
        as_of=today,
        since=since.astimezone(UTC).date(),
        scheduled=_scheduled(client, read, today, since.astimezone(UTC).date()),
        done=[session for _, (session, _) in sessions if session.completed_sets],
        check_ins=[on for on in check_ins if on <= today],
        check_in_day_number=client.check_in_day_number,
        last_workout=last,
        nutrition_percent=_nutrition_percent(read, client.scope_no, today),
        critical_insights=critical,
        status_set=status or None,
    )
    standing = client_standing(facts)
    minutes = [lasted for _, (_, lasted) in sessions if lasted is not None]
    return ClientSummary(
        id=client.id,
        name=client.name,
        coach_id=coach_id,
        since=since,
        status=standing.status,
        reasons=list(standing.reasons),
        archived=archived,
        tags=tags,
        subscription_tier=tier or None,
        last_workout=last,
        last_check_in=max(facts.check_ins, default=None),
        next_check_in_due=standing.next_check_in_due,
        check_ins_to_review=sum(not reviewed for _, reviewed in read.check_ins.get(client.scope_no, ())),
        critical_insights=critical,
        adherence=Adherence(**msgspec.structs.asdict(standing.adherence)),
        average_session_minutes=fsum(minutes) / len(minutes) if minutes else None,
        current_program_id=followed[0] if followed else None,
    )


def _file(client: Client, read: _Read, coach_id: str) -> tuple[Any, str | None, list[str], bool]:
    """Give status, tier, tags and whether they are archived, as the coach keeps them."""
    own_id = client_file_id(coach_id, client.id)
    rows = read.files.get(client.private_no or 0, ())
    _, status, tier, tags, archived = next((row for row in rows if row[0] == own_id), (own_id, None, None, None, None))
    return status, tier, msgspec.json.decode(tags, type=list[str]) if tags else [], archived == 1


def _today(client: Client, read: _Read, now: datetime) -> date:
    """Give the day by the clock of the session they began last; one that is off by more than a day is none."""
    for _, moment in read.last_clocks.get(client.scope_no, ()):
        ahead = trained.utcoffset() if (trained := parse_local_time(moment)) else None
        minutes = round(ahead.total_seconds() / 60) if ahead is not None else 0
        return (now + timedelta(minutes=minutes if abs(minutes) < _MINUTES_A_DAY else 0)).date()
    return now.date()


def _since(client: Client, read: _Read, now: datetime) -> datetime:
    """Give since when they work together; where the server has not said it, the first day that anything is known of."""
    told = parse_local_time(client.since)
    if told is not None and told.tzinfo is not None:
        return told
    handed_in = [on for on, _ in _dated(read.check_ins, client.scope_no)]
    known = [on for on in (_only_day(read.first_sessions, client.scope_no), *handed_in, now.date()) if on is not None]
    return datetime.combine(min(known), time(), UTC)


def _scheduled(client: Client, read: _Read, today: date, since: date) -> Sequence[ScheduledSession]:
    asked = asked_for(read.asked_when.get(f"athlete:{client.id}", ()), read.first, today)
    if asked:
        return [session for session in asked if read.first <= session.date <= read.until]
    first_session = _only_day(read.first_sessions, client.scope_no)
    return usual_schedule(client.training_days_per_week, first_session, today, coached_since=since)


def _sessions(read: _Read, scope_no: int) -> Iterable[tuple[date, tuple[DoneSession, float | None]]]:
    """Give the sessions of these weeks, with how long they lasted."""
    for workout_id, on, program_id, week_number, day_number, lasted, completed in read.sessions.get(scope_no, ()):
        if (known := day(on)) is not None:
            session = DoneSession(
                workout_id=workout_id,
                date=known,
                completed_sets=completed,
                program_id=program_id,
                week_number=week_number,
                day_number=day_number,
            )
            yield known, (session, lasted)


def _nutrition_percent(read: _Read, scope_no: int, today: date) -> float | None:
    eaten = [
        (on, DayTotals(meals=meals, foods=foods, macros=macros_of(macros)))
        for on, (meals, foods, *macros) in _dated(read.eaten, scope_no)
    ]
    asked = [(start, macros_of(macros)) for start, macros in _dated(read.asked, scope_no)][:TARGETS_READ]
    return nutrition_adherence(eaten, asked[::-1], as_of=today).percent


def macros_of(values: Sequence[float | None]) -> Macros:
    """Name energy, protein, carbohydrate and fat."""
    energy_kcal, protein_g, carbs_g, fat_g = values
    return Macros(energy_kcal=energy_kcal, protein_g=protein_g, carbs_g=carbs_g, fat_g=fat_g)


def _dated(rows: Rows, scope_no: int) -> list[tuple[date, Sequence[Any]]]:
    """Give the rows of a client that begin with a day of the calendar, by it."""
    return [(on, rest) for text, *rest in rows.get(scope_no, ()) if (on := day(text)) is not None]


def _only_day(rows: Rows, scope_no: int) -> date | None:
    return next((day(row[0]) for row in rows.get(scope_no, ())), None)
