"""The figures behind the endpoints: one or two statements each, judged by `apex_sync.coaching`."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from math import fsum
from uuid import UUID

from anyio.lowlevel import checkpoint

from apex_server.analytics.payloads import (
    AdherenceBand,
    AdherenceReport,
    ClientAnalytics,
    ClientWeeks,
    CoachDashboard,
    WeekTotals,
)
from apex_server.db import Connection, load_queries
from apex_server.errors import NotFound
from apex_server.resources import body_weight_exercises_of, body_weights_of, library_for, trained_exercises_of
from apex_server.standing import Standing, clients_of, standings_of
from apex_server.sync.sealing import EXERCISE_NAME, seal_of_scope
from apex_server.vault import Vault
from apex_sync.coaching.analytics import (
    ExerciseProgress,
    Tally,
    Volume,
    adherence_weeks,
    first_day_of,
    progress_of,
    tallies_of_exercises,
    volume_of,
)
from apex_sync.coaching.body_weight_lifts import body_weight_lift
from apex_sync.coaching.client_standing import Status
from apex_sync.coaching.rounding import as_shown
from apex_sync.coaching.sets import exercise_identity, identities
from apex_sync.coaching.weeks import DAYS, complete_weeks, monday_of, weeks_between
from apex_sync.ids import athlete_scope

__all__ = [
    "adherence_of_clients",
    "client_analytics_of",
    "dashboard_of_coaches",
    "progression_of",
    "totals_by_week",
    "volume_by_week",
]

ATTENTION_MAX = 20
"""Whom a coach sees at a glance; the list of clients has them all."""

EXERCISES_AT_A_GLANCE = 8

BANDS = (0, 50, 70, 80, 90)
"""Where bands of adherence begin: below 70 is low, from 90 on good (`apex_sync.coaching.adherence`)."""

URGENCY: tuple[Status, ...] = ("needs-attention", "overdue")

_queries = load_queries(__package__)


def today() -> date:
    """Give the day it is somewhere already: sessions of it count, later ones are slips of a clock."""
    return datetime.now(UTC).date() + timedelta(days=1)


async def dashboard_of_coaches(connection: Connection, vault: Vault, coaches: Sequence[UUID] | None) -> CoachDashboard:
    """Read the work of coaches at a glance. Raises TooManyClients."""
    clients = [client for client in await clients_of(connection, vault, coaches) if not client.archived]
    this_week = monday_of(datetime.now(UTC).date())
    last_week = this_week - timedelta(days=DAYS)
    weeks = await totals_by_week(connection, [client.id for client in clients], last_week, today())
    totals = {totals.week: totals for totals in weeks}
    percents = [client.adherence.overall for client in clients if client.adherence.overall is not None]
    by_status = Counter(client.status for client in clients)
    urgent = sorted(
        (client for client in clients if client.status in URGENCY),
        key=lambda client: (URGENCY.index(client.status), client.next_check_in_due, client.name.casefold(), client.id),
    )
    return CoachDashboard(
        clients=len(clients),
        by_status=dict(by_status),
        attention=urgent[:ATTENTION_MAX],
        check_ins_to_review=sum(client.check_ins_to_review for client in clients),
        critical_insights=sum(client.critical_insights for client in clients),
        average_adherence=as_shown(fsum(percents) / len(percents)) if percents else None,
        adherence=bands_of(percents),
        no_adherence=len(clients) - len(percents),
        this_week=totals[this_week],
        last_week=totals[last_week],
    )


async def adherence_of_clients(
    connection: Connection, vault: Vault, coaches: Sequence[UUID] | None, weeks: int
) -> AdherenceReport:
    """State the adherence of all clients, week by week. Raises TooManyClients."""
    found = []
    for client, facts in await _standings(connection, vault, coaches, None, weeks):
        if not client.archived:
            done = adherence_weeks(facts.scheduled, facts.done, as_of=facts.as_of, weeks=weeks)
            found.append(ClientWeeks(id=client.id, name=client.name, adherence=client.adherence, weeks=done))
            await checkpoint()
    return AdherenceReport(sorted(found, key=lambda client: (client.name.casefold(), client.id)))


async def client_analytics_of(
    connection: Connection, vault: Vault, coaches: Sequence[UUID] | None, athlete_id: UUID, weeks: int
) -> ClientAnalytics:
    """Read one athlete's weeks. Raises NotFound."""
    standings = await _standings(connection, vault, coaches, athlete_id, weeks)
    if not standings:
        raise NotFound("athlete")
    [(client, facts)] = standings
    first, last = first_day_of(weeks, facts.as_of), today()
    volume = await volume_by_week(connection, vault, athlete_id, first, last)
    progress = await progression_of(connection, vault, athlete_id, first, last)
    return ClientAnalytics(
        athlete_id=athlete_id,
        adherence=client.adherence,
        weeks=await totals_by_week(connection, [athlete_id], first, last),
        adherence_weeks=adherence_weeks(facts.scheduled, facts.done, as_of=facts.as_of, weeks=weeks),
        muscles=volume.muscles,
        exercises=progress[:EXERCISES_AT_A_GLANCE],
    )


async def volume_by_week(connection: Connection, vault: Vault, athlete_id: UUID, first: date, last: date) -> Volume:
    """Count an athlete's weekly hard sets by muscle and exercise."""
    rows = await connection.fetch(_queries.list_tallies, athlete_id, first, last)
    seal = await seal_of_scope(connection, vault, athlete_scope(str(athlete_id)))
    names = {name: seal.open_name(name, EXERCISE_NAME) for name in {row["name"] for row in rows}}
    known_as = {(row["exercise_id"], row["name"]): names[row["name"]] for row in rows}
    told = (Tally(week, exercise_id, names[name], *counted) for week, exercise_id, name, *counted in rows)
    tallies = list(with_the_rest(told))
    lifts = await body_weight_exercises_of(connection, athlete_id, known_as, first, last)
    if lifts:
        weights = await body_weights_of(connection, athlete_id, last)
        tallies = [each for each in tallies if not body_weight_lift(each.exercise_id, each.name)]
        tallies += tallies_of_exercises(lifts, weights)
    identities = {exercise_identity(tally.exercise_id, tally.name) for tally in tallies}
    library = await library_for(connection, vault, [identity for identity in identities if identity])
    return volume_of(tallies, library)


def with_the_rest(tallies: Iterable[Tally]) -> Iterator[Tally]:
    """Make of a whole week, which names nothing and comes last of it, what is left beside all that is named."""
    sets = volume_load_kg = 0.0
    for tally in tallies:
        if tally.exercise_id is not None or tally.name is not None:
            sets += tally.sets
            volume_load_kg += tally.volume_load_kg
            yield tally
        else:
            if tally.sets > sets:
                yield Tally(tally.week, None, None, tally.sets - sets, tally.volume_load_kg - volume_load_kg)
            sets = volume_load_kg = 0.0


async def progression_of(
    connection: Connection, vault: Vault, athlete_id: UUID, first: date, last: date, exercise: str | None = None
) -> list[ExerciseProgress]:
    """Draw the lines of an athlete's exercises, or of the one that an id or a name means."""
    trained = await trained_exercises_of(connection, vault, athlete_id, first, last)
    lines = trained.lines
    if exercise is not None:
        wanted = {*identities(exercise, None), *identities(None, exercise)}
        lines = {
            identity: sessions
            for identity, sessions in lines.items()
            if identity in wanted or any(exercise_identity(None, each.exercise_name) in wanted for each in sessions)
        }
    return progress_of(lines, first, last, trained.records)


async def totals_by_week(
    connection: Connection, athlete_ids: Sequence[UUID] | None, first: date, last: date
) -> list[WeekTotals]:
    """Add up the weeks of some athletes together, or of all whom the caller may read; weeks of rest are there, too."""
    rows = await connection.fetch(_queries.list_week_totals, athlete_ids, first, last)
    found = {
        row["week"]: WeekTotals(**{**dict(row), "volume_load_kg": as_shown(row["volume_load_kg"])}) for row in rows
    }
    weeks = weeks_between(first, min(last, datetime.now(UTC).date()))
    return [found.get(week) or WeekTotals(week=week) for week in sorted({*found, *weeks})]


def bands_of(percents: Sequence[float]) -> list[AdherenceBand]:
    """Sort adherences into bands; the last one holds 100 as well."""
    ends = (*BANDS[1:], 101)
    return [
        AdherenceBand(
            from_percent=start,
            to_percent=end,
            clients=sum(start <= percent < end for percent in percents),
        )
        for start, end in zip(BANDS, ends, strict=True)
    ]


async def _standings(
    connection: Connection, vault: Vault, coaches: Sequence[UUID] | None, athlete_id: UUID | None, weeks: int
) -> list[Standing]:
    first_day = complete_weeks(datetime.now(UTC).date() - timedelta(days=1), weeks)[0]
    return await standings_of(connection, vault, coaches, athlete_id, first_day=first_day)
