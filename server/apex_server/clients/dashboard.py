"""One athlete at a glance, and what happened to them: read from the projections, judged by `apex_sync.coaching`."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from apex_server.caller import Caller
from apex_server.clients.payloads import (
    ClientDashboard,
    OpenInsight,
    RecentCheckIn,
    RecentWorkout,
    TimelineEntry,
    TimelinePage,
    ToLookAt,
)
from apex_server.db import Connection, load_queries
from apex_server.errors import NotFound
from apex_server.resources import (
    PageMark,
    library_for,
    measurings_of,
    performed_sets_of_workouts,
    read_records,
    weigh_ins_of_rows,
)
from apex_server.standing import ClientSummary, clients_of
from apex_server.vault import Vault
from apex_sync.coaching.analytics import tallies_of, volume_of
from apex_sync.coaching.body_weight_lifts import BodyWeights
from apex_sync.coaching.bodyweight import weight_trend
from apex_sync.coaching.client_dashboard import (
    FollowedProgram,
    MessageCounts,
    NutritionDay,
    first_day_shown,
    followed_program,
    nutrition_days,
    session_figures,
    sets_by_workout,
    weight_days_since,
    weight_now,
)
from apex_sync.coaching.client_timeline import NAMED, Facts, TimelineKind, name_of
from apex_sync.coaching.nutrition import DayTotals, Macros
from apex_sync.coaching.sets import PerformedSet
from apex_sync.coaching.strain import ANSWERS
from apex_sync.ids import Scope, athlete_scope, private_scope, thread_scope
from apex_sync.models import INSIGHTS, PROGRAMS

__all__ = ["dashboard_of", "timeline_of"]

_queries = load_queries(__package__)


async def dashboard_of(
    connection: Connection, vault: Vault, caller: Caller, coaches: Sequence[UUID] | None, athlete_id: UUID
) -> ClientDashboard:
    """Read an athlete of some coaches at a glance; without a coach, what is the athlete's own. Raises NotFound.

    Whoever reads along is told nothing of the messages between the two.
    """
    clients = await clients_of(connection, vault, coaches, athlete_id)
    if not clients:
        raise NotFound("athlete")
    [client] = clients
    until = datetime.now(UTC).date() + timedelta(days=1)  # It is tomorrow already somewhere.
    first = first_day_shown(until)
    private = _private_scope_id(client.coach_id, athlete_id)
    workouts = await connection.fetch(_queries.list_recent_workouts, athlete_id, first, until)
    sets = await performed_sets_of_workouts(connection, vault, athlete_id, [row["record_id"] for row in workouts])
    titles = await _names(connection, vault, "workout", [(row["scope_id"], row["record_id"]) for row in workouts])
    library = await library_for(connection, vault, {known for each in sets if (known := each.exercise)})
    weights = weight_trend(weigh_ins_of_rows(await measurings_of(connection, athlete_id)))
    body_weights = BodyWeights(weights)
    check_ins = await connection.fetch(_queries.list_recent_check_ins, athlete_id)
    marked = await connection.fetch(_queries.list_to_look_at, athlete_id)
    is_theirs = caller.user_id == client.coach_id
    messages = await _message_counts(connection, caller, athlete_id, first) if is_theirs else None
    return ClientDashboard(
        client=client,
        workouts=recent_workouts(workouts, titles, sets, body_weights),
        volume=volume_of(tallies_of(sets, body_weights), library).muscles,
        weight=weight_now(weights),
        weight_days=weight_days_since(weights, first),
        program=await _followed(connection, vault, client, until - timedelta(days=1)),
        nutrition=await _nutrition(connection, athlete_id, first, until),
        messages=messages,
        check_ins=[recent_check_in(row) for row in check_ins],
        insights=await _open_insights(connection, vault, private),
        to_look_at=[
            ToLookAt(
                id=row["record_id"],
                collection=row["collection"],
                has_conflicts=row["has_conflicts"],
                needs_review=row["needs_review"],
            )
            for row in marked
        ],
    )


async def timeline_of(
    connection: Connection,
    vault: Vault,
    coaches: Sequence[UUID] | None,
    athlete_id: UUID,
    kind: TimelineKind | None,
    mark: PageMark | None,
    limit: int,
) -> TimelinePage:
    """Read a page of what happened to an athlete, the newest first."""
    coach_id = await connection.fetchval(_queries.find_coach_of, coaches, athlete_id)
    private = _private_scope_id(coach_id, athlete_id)
    asked = (
        athlete_id,
        private,
        kind,
        *PageMark.key(mark),
        limit + 1,
        coach_id,
        _thread_scope_id(coach_id, athlete_id),
    )
    rows = await connection.fetch(_queries.list_timeline, *asked)
    names = await _names_on_page(connection, vault, athlete_id, private, rows[:limit])
    entries = [
        TimelineEntry(
            kind=row["kind"],
            id=row["id"],
            date=row["date"],
            time=row["time"].isoformat(),
            facts=names.get((row["kind"], row["id"]), {}) | msgspec.json.decode(row["facts"] or "{}"),
        )
        for row in rows[:limit]
    ]
    last = rows[limit - 1] if len(rows) > limit else None
    return TimelinePage(entries, PageMark(last["date"], last["time"], last["id"]).encode() if last else None)


async def _names_on_page(
    connection: Connection, vault: Vault, athlete_id: UUID, private: UUID | None, rows: Sequence[Any]
) -> dict[tuple[str, UUID], Facts]:
    """Read what each entry is called, by kind and id, where people gave it a name."""
    names: dict[tuple[str, UUID], Facts] = {}
    for kind, (_, leaf) in NAMED.items():
        scope_id = private if kind == "insight" else athlete_id
        listed = [row["id"] for row in rows if row["kind"] == kind]
        if listed and scope_id is not None:
            found = await _names(connection, vault, kind, [(scope_id, record_id) for record_id in listed])
            names |= {(kind, record_id): {leaf: found.get(record_id)} for record_id in listed}
    return names


async def _names(
    connection: Connection, vault: Vault, kind: TimelineKind, places: Sequence[tuple[UUID, UUID]]
) -> dict[UUID, str | None]:
    """Open the documents that say what they are called; one that is damaged is left out."""
    collection, _ = NAMED[kind]
    known = await read_records(connection, vault, collection, places)
    return {UUID(each.id): name_of(kind, each.record) for each in known}


def recent_workouts(
    rows: Sequence[Any], titles: Mapping[UUID, str | None], sets: Iterable[PerformedSet], weights: BodyWeights
) -> list[RecentWorkout]:
    """Add up each session of an athlete with these body weights."""
    of_workout = sets_by_workout(sets)
    shown = []
    for row in rows:
        record_id: UUID = row["record_id"]
        found = of_workout.get(str(record_id), [])
        figures = session_figures(row["date"], titles.get(record_id), row["duration_minutes"], found, weights)
        shown.append(RecentWorkout(id=record_id, **msgspec.structs.asdict(figures)))
    return shown


def recent_check_in(row: Any) -> RecentCheckIn:
    """Show what was answered."""
    return RecentCheckIn(
        id=row["record_id"],
        date=row["date"],
        coach_reviewed=row["coach_reviewed"],
        weight_kg=row["weight_kg"],
        answers={name: row[name] for name in ANSWERS if row[name] is not None},
    )


def _private_scope_id(coach_id: UUID | None, athlete_id: UUID) -> UUID | None:
    """Name what a coach keeps apart about an athlete; None without one."""
    return None if coach_id is None else Scope.parse(private_scope(str(coach_id), str(athlete_id))).id


async def _followed(connection: Connection, vault: Vault, client: ClientSummary, on: date) -> FollowedProgram | None:
    """Show the program that is followed now; None without one, or where its document is damaged."""
    if client.current_program_id is None:
        return None
    place = (Scope.parse(athlete_scope(str(client.id))).id, client.current_program_id)
    found = await read_records(connection, vault, PROGRAMS, [place])
    return followed_program(found[0].record, on) if found else None


async def _nutrition(connection: Connection, athlete_id: UUID, first: date, until: date) -> list[NutritionDay]:
    eaten = await connection.fetch(_queries.list_recent_eating, athlete_id, first, until)
    asked = await connection.fetch(_queries.list_targets, athlete_id, until)
    return nutrition_days(
        [
            (row["date"], DayTotals(meals=row["meal_count"], foods=row["food_count"], macros=_macros(row)))
            for row in eaten
        ],
        [(row["start_date"], _macros(row)) for row in reversed(asked)],
    )


def _macros(row: Any) -> Macros:
    return Macros(
        energy_kcal=row["energy_kcal"], protein_g=row["protein_g"], carbs_g=row["carbs_g"], fat_g=row["fat_g"]
    )


async def _message_counts(connection: Connection, coach: Caller, athlete_id: UUID, first: date) -> MessageCounts:
    thread = _thread_scope_id(coach.user_id, athlete_id)
    row = await connection.fetchrow(_queries.count_messages, thread, first)
    return MessageCounts(from_athlete=row["from_athlete"], from_coach=row["from_coach"], unread=row["unread"])


def _thread_scope_id(coach_id: UUID | None, athlete_id: UUID) -> UUID | None:
    return None if coach_id is None else Scope.parse(thread_scope(str(coach_id), str(athlete_id))).id


async def _open_insights(connection: Connection, vault: Vault, private: UUID | None) -> list[OpenInsight]:
    rows = await connection.fetch(_queries.list_open_insights, private)
    found = await read_records(connection, vault, INSIGHTS, [(row["scope_id"], row["record_id"]) for row in rows])
    return [
        OpenInsight(
            id=UUID(known.id),
            title=getattr(known.record, "title", None) or None,
            type=getattr(known.record, "type", None) or None,
            priority=getattr(known.record, "priority", None) or None,
        )
        for known in found
    ]
