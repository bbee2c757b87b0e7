"""What the endpoints of analytics give, beside what `apex_sync.coaching.analytics` makes."""

from datetime import date
from typing import Literal
from uuid import UUID

from msgspec import Struct

from apex_server.standing import ClientSummary
from apex_sync.coaching.analytics import AdherenceWeek, ExerciseProgress, MuscleWeek
from apex_sync.coaching.client_standing import ClientAdherence, Status

__all__ = [
    "AdherenceBand",
    "AdherenceReport",
    "ClientAnalytics",
    "ClientWeeks",
    "CoachDashboard",
    "ExportFormat",
    "Progression",
    "WeekTotals",
    "WorkoutAnalytics",
]

ExportFormat = Literal["csv", "json", "parquet"]


class WeekTotals(Struct, kw_only=True):
    """What was trained in the ISO week of a Monday: sessions with a hard set, whose they were, and what they add up to.

    Later drops count as halves; minutes are of the sessions whose duration is known. The volume load is of loads alone:
    what the body weighs in a pull-up is in no sum over athletes.
    """

    week: date
    workouts: int = 0
    athletes: int = 0
    hard_sets: float = 0.0
    volume_load_kg: float = 0.0
    minutes: float = 0.0


class WorkoutAnalytics(Struct):
    """Training by week, the oldest first; weeks without any are there, too."""

    weeks: list[WeekTotals]


class AdherenceBand(Struct, kw_only=True):
    """How many clients' overall adherence of the last two weeks lies from one per cent up to, but not at, the other."""

    from_percent: int
    to_percent: int
    clients: int


class CoachDashboard(Struct, kw_only=True):
    """A coach's work at a glance: who needs a look, what waits, and this week against the last.

    Archived clients count nowhere. `attention` has the most urgent first, at most twenty; `by_status` counts all.
    """

    clients: int
    by_status: dict[Status, int]
    attention: list[ClientSummary]
    check_ins_to_review: int
    critical_insights: int
    average_adherence: float | None
    adherence: list[AdherenceBand]
    no_adherence: int
    """Clients of whom nothing was due, who are in no band."""
    this_week: WeekTotals
    last_week: WeekTotals


class ClientAnalytics(Struct, kw_only=True):
    """One athlete's weeks: totals, adherence, muscles, and the lines of the exercises trained most."""

    athlete_id: UUID
    adherence: ClientAdherence
    weeks: list[WeekTotals]
    adherence_weeks: list[AdherenceWeek]
    muscles: list[MuscleWeek]
    exercises: list[ExerciseProgress]


class ClientWeeks(Struct, kw_only=True):
    """One athlete's adherence: of the last two weeks, and of complete weeks to the program followed now."""

    id: UUID
    name: str
    adherence: ClientAdherence
    weeks: list[AdherenceWeek]


class AdherenceReport(Struct):
    """Adherence of all clients that are not archived, by name."""

    clients: list[ClientWeeks]


class Progression(Struct):
    """The lines of an athlete's exercises, the most trained first."""

    exercises: list[ExerciseProgress]
