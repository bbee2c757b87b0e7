"""What an athlete's page is made of: one query for each of its parts, and documents only for the records it shows."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from msgspec import Struct

from apex_server.db import Connection, load_queries
from apex_server.people import DEVICE_NAME
from apex_server.resources import (
    KnownRecord,
    Origin,
    PageMark,
    check_in_views,
    measurings_of,
    personal_records_of,
    read_record,
    read_records,
    trained_exercises_of,
)
from apex_server.vault import Vault
from apex_server.web.checkin_card import CheckInCard, checkin_card
from apex_server.web.drawing import StrengthLine, WeekBar, WeightTrend, draw_strength, draw_weeks, draw_weight
from apex_server.web.insight_card import InsightCard, insight_card
from apex_server.web.origins import Origins, origins_on_page
from apex_server.web.overview import Device
from apex_server.web.pictures import Attached, newest_photos, ready_media
from apex_server.web.wording import as_count, as_day
from apex_server.web.workout_card import WorkoutCard, workout_card
from apex_sync.coaching.analytics import first_day_of, progress_of
from apex_sync.coaching.checkin_view import CheckInView
from apex_sync.coaching.records import PersonalRecord
from apex_sync.ids import Scope, athlete_scope, private_scope
from apex_sync.models import CHECK_INS, INSIGHTS, WORKOUT_LOGS

__all__ = [
    "Change",
    "Panel",
    "Timeline",
    "TimelineEntry",
    "read_check_in",
    "read_panel",
    "read_timeline",
    "read_workout",
]

PAGE_LENGTH = 20
INSIGHTS_MAX = 12
MARKED_MAX = 8
STRENGTH_WEEKS = 12

_queries = load_queries(__package__)


class TimelineEntry(Struct, frozen=True, kw_only=True):
    """One card, of one of the two kinds."""

    day: date | None
    workout: WorkoutCard | None = None
    check_in: CheckInCard | None = None


class Timeline(Struct, frozen=True, kw_only=True):
    """A page of cards; `older` is the mark of the page that follows."""

    entries: Sequence[TimelineEntry]
    older: str | None
    contributors: Sequence[Origin]


class Marked(Struct, frozen=True, kw_only=True):
    """A record that needs a look, and why."""

    href: str
    title: str
    reasons: Sequence[str]


class Panel(Struct, frozen=True, kw_only=True):
    """What stands beside the timeline."""

    devices: Sequence[Device]
    insights: Sequence[InsightCard]
    photos: Sequence[Attached]
    weight: WeightTrend | None
    strength: Sequence[StrengthLine]
    weeks: Sequence[WeekBar]
    marked: Sequence[Marked]


class Change(Struct, frozen=True, kw_only=True):
    """One commit of a record's history."""

    at: datetime
    by: Origin
    ops: int


async def read_timeline(connection: Connection, vault: Vault, athlete_id: UUID, after: str | None) -> Timeline:
    """Read a page of workouts and check-ins, the newest first. Raises InvalidFields for a mark that is none."""
    key = PageMark.key(PageMark.decode(after))
    rows = await connection.fetch(_queries.list_timeline, athlete_id, *key, PAGE_LENGTH + 1)
    page = rows[:PAGE_LENGTH]
    workouts = await read_records(connection, vault, WORKOUT_LOGS, _places(athlete_id, page, "workout"))
    check_ins = await read_records(connection, vault, CHECK_INS, _places(athlete_id, page, "check_in"))
    origins = await origins_on_page(connection, vault, athlete_id, [*workouts, *check_ins])
    records = await personal_records_of(connection, vault, athlete_id) if workouts else []
    usual = await _usual_answers(connection, athlete_id, check_ins)
    views = await check_in_views(connection, vault, check_ins)
    ready = await _ready_photos(connection, athlete_id, views)
    cards = _cards(workouts, list(zip(check_ins, views, strict=True)), origins, records, usual, ready)
    last = page[-1] if len(rows) > PAGE_LENGTH else None
    return Timeline(
        entries=[
            TimelineEntry(day=row["date"], **cards[row["record_id"]]) for row in page if row["record_id"] in cards
        ],
        older=PageMark(last["date"], last["time"], last["record_id"]).encode() if last else None,
        contributors=_contributors(cards.values()),
    )


async def read_panel(connection: Connection, vault: Vault, coach_id: UUID, athlete_id: UUID) -> Panel:
    """Read what stands beside the timeline."""
    devices = await connection.fetch(_queries.list_devices, athlete_id)
    names = await vault.texts(connection, DEVICE_NAME, [(athlete_id, row["name"]) for row in devices])
    private_id = Scope.parse(private_scope(str(coach_id), str(athlete_id))).id
    insights = await connection.fetch(_queries.list_insights, private_id, INSIGHTS_MAX)
    drafts = await read_records(connection, vault, INSIGHTS, [(row["scope_id"], row["record_id"]) for row in insights])
    return Panel(
        devices=[
            Device(name=name, kind=row["kind"], synced_at=row["synced_at"])
            for row, name in zip(devices, names, strict=True)
            if not row["removed"] and row["kind"] != "web"
        ],
        insights=[insight_card(known, athlete_id) for known in drafts],
        photos=await newest_photos(connection, athlete_id),
        weight=draw_weight(await measurings_of(connection, athlete_id)),
        strength=await _strength(connection, vault, athlete_id),
        weeks=draw_weeks(await connection.fetch(_queries.list_weekly_sets, athlete_id)),
        marked=[
            _marked(athlete_id, row) for row in await connection.fetch(_queries.list_marked, athlete_id, MARKED_MAX)
        ],
    )


async def _strength(connection: Connection, vault: Vault, athlete_id: UUID) -> Sequence[StrengthLine]:
    """Draw the last weeks of the exercises trained most."""
    last = datetime.now(UTC).date() + timedelta(days=1)  # Which it is already somewhere.
    first = first_day_of(STRENGTH_WEEKS, last)
    trained = await trained_exercises_of(connection, vault, athlete_id, first, last)
    unit = await connection.fetchval(_queries.get_load_unit, athlete_id, first, last)
    return draw_strength(progress_of(trained.lines, first, last, trained.records), unit or "kg")


async def read_workout(
    connection: Connection, vault: Vault, athlete_id: UUID, workout_id: UUID
) -> tuple[WorkoutCard, list[Change]]:
    """Read one workout with its history. Raises NotFound."""
    scopes = (athlete_scope(str(athlete_id)),)
    known = await read_record(connection, vault, WORKOUT_LOGS, workout_id, "workout", scopes=scopes)
    changes, origins = await _history(connection, vault, athlete_id, known)
    records = await personal_records_of(connection, vault, athlete_id)
    return workout_card(known, origins, records), changes


async def read_check_in(
    connection: Connection, vault: Vault, athlete_id: UUID, check_in_id: UUID
) -> tuple[CheckInCard, list[Change]]:
    """Read one check-in with its history. Raises NotFound."""
    scopes = (athlete_scope(str(athlete_id)),)
    known = await read_record(connection, vault, CHECK_INS, check_in_id, "check-in", scopes=scopes)
    changes, origins = await _history(connection, vault, athlete_id, known)
    usual = await _usual_answers(connection, athlete_id, [known])
    [view] = await check_in_views(connection, vault, [known])
    ready = await _ready_photos(connection, athlete_id, [view])
    return checkin_card(known, view, origins, usual.get(check_in_id, {}), ready), changes


async def _history(
    connection: Connection, vault: Vault, athlete_id: UUID, known: KnownRecord
) -> tuple[list[Change], Origins]:
    rows = await connection.fetch(_queries.list_changes, athlete_id, UUID(known.id))
    origins = await origins_on_page(connection, vault, athlete_id, [known], *(row["client_id"] for row in rows))
    changes = [Change(at=row["committed_at"], by=origins[row["client_id"]], ops=row["ops"]) for row in rows]
    return changes, origins


async def _usual_answers(
    connection: Connection, athlete_id: UUID, check_ins: Sequence[KnownRecord]
) -> Mapping[UUID, Mapping[str, Any]]:
    if not check_ins:
        return {}
    rows = await connection.fetch(_queries.list_usual_answers, athlete_id, [UUID(known.id) for known in check_ins])
    return {row["record_id"]: dict(row) for row in rows}


async def _ready_photos(
    connection: Connection, athlete_id: UUID, check_ins: Sequence[CheckInView]
) -> Mapping[str, bool]:
    named = (photo.media_id for view in check_ins for photo in view.photos)
    return await ready_media(connection, athlete_id, named)


def _places(athlete_id: UUID, page: Iterable[Any], kind: str) -> list[tuple[UUID, UUID]]:
    return [(athlete_id, row["record_id"]) for row in page if row["kind"] == kind]


def _cards(
    workouts: Iterable[KnownRecord],
    check_ins: Iterable[tuple[KnownRecord, CheckInView]],
    origins: Origins,
    records: Sequence[PersonalRecord],
    usual: Mapping[UUID, Mapping[str, Any]],
    ready: Mapping[str, bool],
) -> dict[UUID, dict[str, Any]]:
    cards: dict[UUID, dict[str, Any]] = {
        UUID(known.id): {"workout": workout_card(known, origins, records)} for known in workouts
    }
    return cards | {
        UUID(known.id): {"check_in": checkin_card(known, view, origins, usual.get(UUID(known.id), {}), ready)}
        for known, view in check_ins
    }


def _contributors(cards: Iterable[Mapping[str, Any]]) -> list[Origin]:
    """List everybody who contributed to a page, for its legend."""
    found = [origin for card in cards for shown in card.values() for origin in shown.devices]
    return sorted(dict.fromkeys(found), key=lambda origin: (origin.kind == "system", origin.kind, origin.name))


def _marked(athlete_id: UUID, row: Any) -> Marked:
    is_workout = row["collection"] == "workout_logs"
    return Marked(
        href=f"/athletes/{athlete_id}/{'workouts' if is_workout else 'checkins'}/{row['record_id']}",
        title=f"{'Workout' if is_workout else 'Check-in'} · {as_day(row['date'])}",
        reasons=[
            *(["Conflict"] if row["has_conflicts"] else []),
            *([as_count(1, "value to check", "values to check")[2:].capitalize()] if row["needs_review"] else []),
        ],
    )
