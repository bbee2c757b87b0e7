"""Findings on adherence: sessions and check-ins that were due and did not come."""

import datetime
from collections.abc import Iterable, Iterator, Mapping, Sequence

from apex_sync.coaching.adherence import (
    LOW_PERCENT,
    LOW_WEEKS,
    WeekAdherence,
    is_low,
    overdue_check_in,
    weekly_adherence,
    weekly_schedule,
)
from apex_sync.coaching.finding import Fact, Finding, computed, finding, shown, written
from apex_sync.coaching.history import TrainingHistory
from apex_sync.coaching.plan import Plan, ScheduledSession
from apex_sync.coaching.profile import TrainingProfile
from apex_sync.coaching.weeks import DAYS, days_before, monday_of, week_end

SCHEDULE_WEEKS = 8
"""How far back a schedule is made from training days a week alone."""


def schedule_of(plan: Plan | None, profile: TrainingProfile, history: TrainingHistory) -> tuple[ScheduledSession, ...]:
    """Give the sessions that were due: the program's, else made from training days a week.

    They count since the first session, or since the athlete has a coach, if that is later.
    """
    if plan is not None and plan.scheduled:
        return plan.scheduled
    first = min((session.date for session in history.sessions), default=None)
    return usual_schedule(profile.training_days_per_week, first, history.as_of, coached_since=profile.coached_since)


def usual_schedule(
    days_per_week: int | None,
    first: datetime.date | None,
    as_of: datetime.date,
    since: datetime.date | None = None,
    *,
    coached_since: datetime.date | None = None,
) -> tuple[ScheduledSession, ...]:
    """Make a schedule from training days a week alone, since the first session, up to the end of this week.

    It reaches no further back than `since`, or than a few weeks, and never before `coached_since`: what was trained
    before somebody asked for so many days, imported sessions above all, falls short of nothing.
    """
    if not days_per_week or first is None:
        return ()
    first = max(first, since or days_before(monday_of(as_of), DAYS * SCHEDULE_WEEKS), coached_since or first)
    return weekly_schedule(days_per_week, first, week_end(monday_of(as_of)))


def adherence_findings(history: TrainingHistory, scheduled: Sequence[ScheduledSession]) -> Iterator[Finding]:
    """Say when few of the due sessions were done in two complete weeks running."""
    weeks = weekly_adherence(scheduled, history.sessions, as_of=history.as_of)
    if is_low(weeks):
        yield _low_adherence(history, weeks)


def overdue_findings(
    plan: Plan | None, submitted: Mapping[str, datetime.date], as_of: datetime.date
) -> Iterator[Finding]:
    """Say when a check-in is overdue; `submitted` holds the day of each check-in handed in, by id."""
    due = overdue_check_in(plan.due_check_ins, submitted.values(), as_of) if plan is not None else None
    if plan is None or due is None:
        return
    last = max(submitted.items(), key=lambda item: (item[1], item[0]), default=None)
    if last is not None:
        source = written(last[0], "date", "last check-in", last[1].isoformat())
    else:
        source = written(plan.program_id or "program", "due_check_ins", "check-in due", due.isoformat())
    yield finding(
        "adherence.check_in_overdue",
        "check_in",
        statement=f"the check-in due on {due.isoformat()} has not come",
        window=(due, as_of),
        inputs=[source],
        computed=[computed("due", due.isoformat())],
        n=1,
        confidence=1.0,
        expires_after_days=DAYS,
        action="ask_check_in",
        recommendation="Remind the athlete of the check-in.",
    )


def session_facts(history: TrainingHistory, workout_ids: Iterable[str]) -> list[Fact]:
    """Make one fact per session: how many sets were completed in it."""
    completed = {session.workout_id: session.completed_sets for session in history.sessions}
    return [written(id_, "sets", "sets completed", completed[id_], "sets") for id_ in workout_ids if id_ in completed]


def _low_adherence(history: TrainingHistory, weeks: Sequence[WeekAdherence]) -> Finding:
    percents = [week.adherence.percent or 0.0 for week in weeks[-LOW_WEEKS:]]
    last = max((s for s in history.sessions), key=lambda s: (s.date, s.workout_id), default=None)
    trained = [o.workout_id for week in weeks for o in week.adherence.outcomes if o.workout_id]
    cited = trained or ([last.workout_id] if last else [])
    return finding(
        "adherence.workouts_low",
        "workouts",
        statement="two weeks running with few of the due sessions: "
        + " and ".join(f"{shown(percent, 0)} %" for percent in percents),
        window=(weeks[0].week, week_end(weeks[-1].week)),
        inputs=session_facts(history, cited),
        computed=[
            *(computed(f"adherence of week {n}", percent, "%", 0) for n, percent in enumerate(percents, start=1)),
            computed("sessions due", sum(week.adherence.due for week in weeks)),
        ],
        threshold={"percent": LOW_PERCENT, "weeks": LOW_WEEKS},
        n=sum(week.adherence.due for week in weeks),
        confidence=1.0,
        expires_after_days=DAYS,
        action="review_plan",
        recommendation="Ask what stood in the way, and offer a plan with fewer or shorter sessions.",
    )
