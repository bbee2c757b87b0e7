"""How far an athlete has come with a program, and how it went: derived from the logs that name it, each time anew."""

import datetime
from collections.abc import Iterable, Sequence

from msgspec import Struct

from apex_sync.coaching.adherence import DoneSession, workout_adherence
from apex_sync.coaching.plan_history import PlanHistory, sessions_of
from apex_sync.coaching.session import session_totals
from apex_sync.coaching.sets import PerformedSet

ALL_DAYS = 104 * 7 + 7
"""A program has at most so many days."""


class ProgramAnalytics(Struct, kw_only=True):
    """What was done of a program by today; percentages are null where nothing was due, RPE where none was rated."""

    completion_percent: float | None
    sessions_due: int
    sessions_in_program: int
    average_rpe: float | None
    total_volume_load_kg: float


def program_analytics(
    program: PlanHistory, done: Iterable[DoneSession], sets: Sequence[PerformedSet], *, as_of: datetime.date
) -> ProgramAnalytics:
    """Give the figures of a program from the sessions logged for it, and their sets."""
    scheduled = sessions_of(program)
    due = workout_adherence(scheduled, done, as_of=as_of, window_days=ALL_DAYS)
    totals = session_totals(sets)
    return ProgramAnalytics(
        completion_percent=due.percent,
        sessions_due=due.due,
        sessions_in_program=len(scheduled),
        average_rpe=totals.average_rpe,
        total_volume_load_kg=totals.volume_load_kg,
    )
