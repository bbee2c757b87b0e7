"""Programs made from programs on this replica; each takes the local replica and is run in its thread."""

from datetime import date, timedelta

from apex_client import listing
from apex_client.local import LocalReplica, snapshot_of
from apex_client.times import utc_text
from apex_client.views import Snapshot
from apex_sync.coaching.assigning import MAXIMUM_DAYS, followed_program, maxima_kg, program_copy
from apex_sync.coaching.sets import performed_sets
from apex_sync.ids import athlete_scope, derived_id
from apex_sync.models import PROGRAMS, WORKOUT_LOGS

WORKOUTS_MAX = 500
"""Looked through for a maximum: six a day for twelve weeks."""


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
) -> Snapshot:
    """Let an athlete follow a copy of a program; the server gives it the same id. Raises NoSuchRecord, NotGranted."""
    template = PROGRAMS.read(local.find(PROGRAMS.name, program_id, scope).state)[0]
    home, assigned_id = athlete_scope(athlete_id), derived_id("program", program_id, athlete_id)
    assigned = local.store.one(home, assigned_id)
    if assigned is not None:
        return snapshot_of(assigned)
    on = date.fromisoformat(today)
    since = (on - timedelta(days=MAXIMUM_DAYS)).isoformat()
    recent = listing.by_date(local, WORKOUT_LOGS.name, home, since=since, until=today, limit=WORKOUTS_MAX)
    sets = [one for log in recent for one in performed_sets(log.record_id, WORKOUT_LOGS.read(log.state)[0])]
    followed = followed_program(
        template, source_id=program_id, start_date=start_date, end_date=end_date, maxima_kg=maxima_kg(sets, on)
    )
    made_at = {"created_at": utc_text(local.device.now_us())}
    return local.create(PROGRAMS.name, home, made_at | followed, record_id=assigned_id)
