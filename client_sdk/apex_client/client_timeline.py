"""What happened to one of a coach's athletes, from the tables of this device; takes the local replica, in its thread.

Entries are those of `GET /api/clients/{id}/timeline`: the moments of all are read, and the facts of those shown.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from apex_client import listing
from apex_client.client_dashboard import client_named
from apex_client.client_facts import DONE
from apex_client.local import LocalReplica
from apex_client.standing import TimelineEntry
from apex_client.store_file import sqlite_errors
from apex_client.views import live_entries
from apex_sync.coaching.client_timeline import NAMED, Facts, TimelineKind
from apex_sync.coaching.leaves import day, text
from apex_sync.ids import athlete_scope
from apex_sync.models import CHECK_INS
from apex_sync.models.fields import parse_local_time

_MOMENTS: Mapping[TimelineKind, str] = {
    "workout": "SELECT id, coalesce(date, start_time, end_time), start_time FROM workout_log_rows AS log"  # noqa: S608
    f" WHERE scope_no = :scope_no AND {DONE}",
    "check_in": "SELECT id, date, submitted_at FROM check_in_rows"
    " WHERE scope_no = :scope_no AND submitted_at IS NOT NULL",
    "metrics": "SELECT id, date, measured_at FROM body_metric_rows WHERE scope_no = :scope_no",
    "photo": "SELECT id, date, NULL FROM progress_photo_rows WHERE scope_no = :scope_no",
    "nutrition": "SELECT id, date, NULL FROM nutrition_log_rows WHERE scope_no = :scope_no AND food_count > 0",
    "messages": "SELECT DISTINCT :athlete_id, substr(said.sent_at, 1, 10), NULL FROM said_rows AS said"
    " JOIN message_rows AS row ON row.record_no = said.record_no WHERE row.scope_no ="
    " (SELECT scope_no FROM held_scopes WHERE name = :thread) AND NOT said.deleted AND said.sent_at > '1970-01-02'",
    "program": "SELECT id, start_date, NULL FROM program_rows"
    " WHERE scope_no = :scope_no AND status IN ('active', 'completed')",
    "insight": "SELECT id, acted_at, acted_at FROM insight_rows WHERE scope_no = :private_no AND status = 'approved'",
}
"""By kind: the id, the day and the moment of everything that happened."""

_FACTS: Mapping[TimelineKind, str] = {
    "workout": "SELECT log.title, count(entry.key) AS sets, count(DISTINCT entry.exercise_key) AS exercises,"
    " log.duration_minutes FROM workout_log_rows AS log LEFT JOIN logged_set_rows AS entry"
    " ON entry.record_no = log.record_no AND entry.completed WHERE log.scope_no = :scope_no AND log.id = :id",
    "check_in": "SELECT coach_reviewed AS reviewed, weight_kg, photo_count AS photos FROM check_in_rows"
    " WHERE scope_no = :scope_no AND id = :id",
    "metrics": "SELECT weight_kg, body_fat_percent FROM body_metric_rows WHERE scope_no = :scope_no AND id = :id",
    "photo": "SELECT type FROM progress_photo_rows WHERE scope_no = :scope_no AND id = :id",
    "nutrition": "SELECT eaten.energy_kcal, eaten.protein_g, asked.energy_kcal AS target_energy_kcal,"
    " asked.protein_g AS target_protein_g FROM nutrition_log_rows AS eaten"
    " LEFT JOIN nutrition_target_rows AS asked ON asked.record_no = ("
    " SELECT record_no FROM nutrition_target_rows AS target WHERE target.scope_no = :scope_no"
    " AND target.start_date <= :day ORDER BY target.start_date DESC, target.id DESC LIMIT 1)"
    " WHERE eaten.scope_no = :scope_no AND eaten.id = :id",
    "messages": "SELECT count(*) FILTER (WHERE said.sender = 'athlete') AS from_athlete,"
    " count(*) FILTER (WHERE said.sender = 'coach') AS from_coach FROM said_rows AS said"
    " JOIN message_rows AS row ON row.record_no = said.record_no WHERE row.scope_no ="
    " (SELECT scope_no FROM held_scopes WHERE name = :thread) AND NOT said.deleted"
    " AND said.sent_at >= :day AND said.sent_at < :next_day",
    "program": "SELECT name, status, end_date FROM program_rows WHERE scope_no = :scope_no AND id = :id",
    "insight": "SELECT title, type, priority FROM insight_rows WHERE scope_no = :private_no AND id = :id",
}
"""By kind: what one entry is called, and a few figures."""

_PHOTOS = "SELECT media_id FROM progress_photo_rows WHERE scope_no = :scope_no AND check_in_id = :id"


def timeline(local: LocalReplica, athlete_id: str, kind: TimelineKind | None, limit: int) -> list[TimelineEntry]:
    """List what happened, the newest first. Raises CoachNeeded, NotGranted."""
    client = client_named(local, athlete_id)
    coach_id = local.user.id if local.user else ""
    asked = {
        "scope_no": client.scope_no, "private_no": client.private_no, "athlete_id": athlete_id,
        "thread": f"thread:{coach_id}:{athlete_id}",
    }  # fmt: skip
    moments: list[tuple[date, datetime, str, TimelineKind]] = [
        (on, at, record_id, of)
        for of in _MOMENTS
        if kind in (None, of)
        for record_id, on, at in _moments(local, of, asked)
    ]
    since = parse_local_time(client.since)
    if kind in (None, "linked") and since is not None and since.tzinfo is not None:
        began = since.astimezone(UTC).replace(tzinfo=None)
        moments.append((began.date(), began, athlete_id, "linked"))
    newest = sorted(moments, reverse=True)[:limit]
    return [
        TimelineEntry(of, record_id, on, at, _facts(local, of, record_id, on, asked))
        for on, at, record_id, of in newest
    ]


def _moments(local: LocalReplica, kind: TimelineKind, asked: Mapping[str, Any]) -> Iterable[tuple[str, date, datetime]]:
    """Give the id, the day and the wall clock of each entry of a kind; midnight where none is known."""
    with sqlite_errors(local.store.path):
        rows = local.store.sql.execute(_MOMENTS[kind], asked).fetchall()
    for record_id, day_text, moment in rows:
        on, at = day((day_text or "")[:10]), parse_local_time(moment)
        if on is not None:
            yield record_id, on, at.replace(tzinfo=None) if at else datetime.combine(on, time())


def _facts(local: LocalReplica, kind: TimelineKind, record_id: str, on: date, asked: Mapping[str, Any]) -> Facts:
    if kind not in _FACTS:
        return {}
    parameters = {**asked, "id": record_id, "day": str(on), "next_day": str(on + timedelta(days=1))}
    with sqlite_errors(local.store.path):
        found = local.store.sql.execute(_FACTS[kind], parameters)
        facts: Facts = dict(zip((column[0] for column in found.description), found.fetchone(), strict=True))
    if kind in NAMED:
        _, leaf = NAMED[kind]
        facts[leaf] = text(facts[leaf])
    return _checked_in(local, record_id, facts, parameters) if kind == "check_in" else facts


def _checked_in(local: LocalReplica, record_id: str, facts: Facts, asked: Mapping[str, Any]) -> Facts:
    """Count the photos that name a check-in and are not in it, too."""
    [held] = listing.by_id(local, CHECK_INS.name, athlete_scope(asked["athlete_id"]), [record_id])
    own = {entry.get("media_id") for _, entry in live_entries(held.state.get("photos"))}
    with sqlite_errors(local.store.path):
        named = local.store.sql.execute(_PHOTOS, asked).fetchall()
    photos = int(facts["photos"] or 0) + sum(media_id not in own or media_id is None for (media_id,) in named)
    return {**facts, "reviewed": bool(facts["reviewed"]), "photos": photos}
