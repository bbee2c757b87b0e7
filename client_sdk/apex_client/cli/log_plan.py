"""What a session owes to the program that is followed, in a terminal: which day it is, and what comes next."""

from datetime import date
from typing import TYPE_CHECKING

from apex_client.cli.days import today
from apex_client.cli.failures import CommandFailed
from apex_client.cli.program_screen import set_rows
from apex_client.cli.screen import escaped, said

if TYPE_CHECKING:
    from apex_client.blocking.resources import AthleteResources
    from apex_client.following import Followed, SessionPlan
    from apex_sync.coaching.session_plan import PlannedDay, PlannedWork


def followed_day(
    records: "AthleteResources", week: int | None = None, day: int | None = None, *, on: date | None = None
) -> "tuple[Followed, PlannedDay] | None":
    """Give the session that the program has on a day, today unless told otherwise, or the one at a place of it.

    Raises CommandFailed where it has no such place.
    """
    on = on or today()
    followed = records.workouts.planned(on, week_number=week, day_number=day)
    if followed is not None and followed.day is not None:
        return followed, followed.day
    if week is None and day is None:
        return None
    if followed is None:
        when = "today" if on == today() else f"on {on}"
        raise CommandFailed(f"no program is followed {when}; begin a session of your own: apex log start TITLE")
    raise CommandFailed(
        f"the program has no day {followed.day_number} in week {followed.week_number}; see apex program show"
    )


def tell_next(plan: "SessionPlan", work: "PlannedWork") -> None:
    """Say what comes after a set, and how long to rest before it."""
    following = plan.next_after(work)
    if following is None:
        said("[dim]that was the last set of the plan: apex log finish[/]")
        return
    group = next(group for group in plan.day.groups if following.work in group.works)
    place = f"{group.label or ''}{group.works.index(following.work) + 1} " if group.kind != "straight" else ""
    rest = f"rest {following.rest_seconds} s, then " if following.rest_seconds else "next: "
    number = plan.done.get(following.work.key, 0) + 1
    told = f"{place}{following.work.name or '?'}, set {number} of {_asked(following.work)}"
    said(f"[dim]{rest}[/]{escaped(told)}")


def _asked(work: "PlannedWork") -> str:
    """Say what is asked for, warm-ups aside."""
    rows = [(sets, load, effort) for sets, load, effort, _ in set_rows(work) if not sets.endswith("warmup")]
    return "; ".join(" ".join(filter(None, row)) for row in rows)
