"""What programs asked for on each day, as they stood on that day: an edit says nothing about the days before it.

A program is the set of its writes, and their stamps tell when each was made. So what was planned for a day is what the
writes up to the end of that day, in UTC, come to; what is written on a day counts for that day. Days before a program
was made follow it as it stood at the end of the day on which it was: whoever enters a plan that runs already means
those weeks as well. What a compaction folded away can no longer be told apart, and counts from the beginning on.

A stamp is what its author's clock said, and later than whatever the author had seen. So an edit by a clock that is
behind counts from the edit before it on. Edits of one sitting count with its last (`apex_sync.versions`).
"""

import datetime
from collections.abc import Iterable

from msgspec import Struct, ValidationError
from msgspec.structs import replace

from apex_sync.clock import MICROSECONDS
from apex_sync.coaching.leaves import day, text
from apex_sync.coaching.plan import SCHEDULED_STATUSES, ScheduledSession, scheduled_sessions
from apex_sync.collection import Record
from apex_sync.document import Document
from apex_sync.models import PROGRAMS
from apex_sync.op import Patch
from apex_sync.versions import versions

ACTIVE = "active"
DAY_US = 24 * 60 * 60 * MICROSECONDS
EPOCH_ORDINAL = datetime.date(1970, 1, 1).toordinal()
LAST_ORDINAL = datetime.date.max.toordinal()

ASKING_LEAVES = ("deleted", "status", "start_date", "end_date", "weeks", "days", "exercises", "sets")
"""The leaves of a program that decide what it asks for."""


class Stage(Struct, frozen=True, kw_only=True, gc=False):
    """What a program asks for on the days from `since` on, until its next stage; `start` is None where that is nothing.

    On the days from `start` to `end` it takes the place of programs that started earlier.
    """

    since: datetime.date
    is_active: bool = False
    start: datetime.date | None = None
    end: datetime.date = datetime.date.max
    sessions: tuple[ScheduledSession, ...] = ()


class PlanHistory(Struct, frozen=True, kw_only=True, gc=False):
    """The stages of a program, oldest first; there is at least one, and the first is that of all days before it."""

    program_id: str
    stages: tuple[Stage, ...]

    def stage_on(self, on: datetime.date) -> Stage:
        """Give the stage that a day follows."""
        return next((stage for stage in reversed(self.stages) if stage.since <= on), self.stages[0])


def plan_history(program_id: str, document: Document) -> PlanHistory:
    """Read what a program asked for when; costs are linear in what was written, times the days on which it was edited.

    Raises MalformedOp.
    """
    stages: list[Stage] = []
    state: Patch | None = None
    for on, now in {_day_of(version.stamp): version.after for version in versions(document)}.items():
        if state is None or any(state.get(leaf) is not now.get(leaf) for leaf in ASKING_LEAVES):
            stage = _stage(_read(now), on)
            if not stages or not _asks_the_same(stages[-1], stage):
                stages.append(stage)
        state = now
    return PlanHistory(program_id=program_id, stages=tuple(stages) or (Stage(since=datetime.date.min),))


def history_of_record(program_id: str, record: Record) -> PlanHistory:
    """Read a program as if it had always been what it is."""
    return PlanHistory(program_id=program_id, stages=(_stage(record, datetime.date.min),))


def sessions_of(history: PlanHistory) -> tuple[ScheduledSession, ...]:
    """List the sessions that one program asked for, or will, whatever else was followed on their days; oldest first."""
    return tuple(
        sorted(
            (
                session
                for number, stage in enumerate(history.stages)
                for session in stage.sessions
                if (number == 0 or stage.since <= session.date)
                and (number + 1 == len(history.stages) or session.date < history.stages[number + 1].since)
            ),
            key=lambda session: (session.date, session.day_number or 0),
        )
    )


def sessions_due(histories: Iterable[PlanHistory]) -> tuple[ScheduledSession, ...]:
    """List the sessions that were due, each asked for by the program that was followed on its day, oldest first.

    A program is followed on its days until one that started later is; one that was completed on nobody knows which day
    takes no other's place. The server's `standing.sql` says the same of programs that were never edited.
    """
    programs = list(histories)
    return tuple(
        sorted(
            (
                session
                for program in programs
                for session in sessions_of(program)
                if not any(_takes_the_place(other, program, session.date) for other in programs)
            ),
            key=lambda session: (session.date, session.day_number or 0),
        )
    )


def asked_for(
    histories: Iterable[PlanHistory], first: datetime.date, as_of: datetime.date
) -> tuple[ScheduledSession, ...]:
    """List the sessions that programs asked for; none where training days a week are what counts.

    They count where no program asked for a session from one day to the other, nor has any to ask for that is followed
    now. The server's `standing.sql` says the same of programs that were never edited.
    """
    programs = list(histories)
    due = sessions_due(programs)
    followed = [
        (stage.start, program.program_id, stage)
        for program in programs
        if (stage := program.stages[-1]).is_active and stage.start is not None and stage.start <= as_of <= stage.end
    ]
    counts = any(first <= session.date <= as_of for session in due) or (
        bool(followed) and bool(max(followed, key=lambda one: one[:2])[2].sessions)
    )
    return due if counts else ()


def _takes_the_place(other: PlanHistory, program: PlanHistory, on: datetime.date) -> bool:
    later, own = other.stage_on(on), program.stage_on(on)
    if later.start is None or own.start is None or not later.start <= on <= later.end:
        return False
    return (own.start, program.program_id) < (later.start, other.program_id)


def _read(state: Patch) -> Record:
    """Read a state; one that does not fit its types reads as empty."""
    try:
        return PROGRAMS.read(state)[0]
    except ValidationError:
        return PROGRAMS.model()


def _stage(record: Record, since: datetime.date) -> Stage:
    status = text(getattr(record, "status", None))
    if record.deleted is True or status not in SCHEDULED_STATUSES:
        return Stage(since=since)
    is_active = status == ACTIVE
    return Stage(
        since=since,
        is_active=is_active,
        start=day(getattr(record, "start_date", None)),
        end=day(getattr(record, "end_date", None)) or (datetime.date.max if is_active else datetime.date.min),
        sessions=scheduled_sessions(record),
    )


def _asks_the_same(one: Stage, other: Stage) -> bool:
    return replace(other, since=one.since) == one


def _day_of(stamp: int) -> datetime.date:
    """Give the day of a stamp in UTC, held within the calendar.

    >>> _day_of(1_772_409_600_000_000 - 1).isoformat(), _day_of(1_772_409_600_000_000).isoformat()
    ('2026-03-01', '2026-03-02')
    """
    return datetime.date.fromordinal(min(max(1, EPOCH_ORDINAL + stamp // DAY_US), LAST_ORDINAL))
