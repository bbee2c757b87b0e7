"""`apex volume`, `apex progress`: what training adds up to, from the logs on this device."""

from typing import Annotated

import typer

from apex_client.cli.examples import examples
from apex_client.cli.naming_exercises import refuse_unknown
from apex_client.cli.opening import NO_DB, Db, opened
from apex_client.cli.screen import escaped, said, shown, table
from apex_client.cli.sessions import Whose, records_of

BLOCKS = "▁▂▃▄▅▆▇█"

Weeks = Annotated[int, typer.Option(metavar="N", min=1, max=520, help="How many weeks back.")]


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    panel = "Training"
    app.command(rich_help_panel=panel, epilog=examples("apex volume", "apex volume --weeks 8"))(volume)
    app.command(rich_help_panel=panel, epilog=examples("apex progress", 'apex progress "Bench Press" --weeks 52'))(
        progress
    )


def volume(weeks: Weeks = 6, athlete: Whose = None, db: Db = NO_DB) -> None:
    """Count hard sets of each muscle week by week; indirect ones count as halves."""
    from apex_sync.coaching.weeks import weeks_between

    with opened(db) as replica:
        found = records_of(replica, athlete).analytics.volume(weeks=weeks)
    if not found.exercises:
        said("no hard sets in these weeks")
        return
    mondays = weeks_between(min(each.week for each in found.exercises), max(each.week for each in found.exercises))
    sets = {(each.muscle, each.week): each for each in found.muscles}
    muscles = sorted({each.muscle for each in found.muscles})
    days = [f"{monday:%d %b}" for monday in mondays]
    listed = table("muscle", *days, "direct", right=(*days, "direct"))
    for muscle in muscles:
        weekly = [sets.get((muscle, monday)) for monday in mondays]
        direct = sum(each.direct_sets for each in weekly if each)
        cells = [f"{each.fractional_sets:g}" if each else "" for each in weekly]
        listed.add_row(escaped(muscle.replace("_", " ")), *cells, f"{direct / len(mondays):.1f}")
    shown(listed)
    said("hard sets a week, indirect ones as halves; direct: the mean of direct sets alone")
    unknown = sorted({each.name or "without a name" for each in found.exercises if each.muscles is None})
    if unknown:
        said(f"in no library, and not counted here: {escaped(', '.join(unknown))}")


def progress(
    exercise: Annotated[str | None, typer.Argument(help="One exercise, by name or id; all without it.")] = None,
    weeks: Weeks = 12,
    athlete: Whose = None,
    db: Db = NO_DB,
) -> None:
    """Show how the estimated maximum of each exercise goes, its last top set, and its records."""
    from apex_sync.coaching.strength import FORMULA_NAMES
    from apex_sync.coaching.trend import RATE_DAYS_MIN, RATE_POINTS_MIN

    with opened(db) as replica:
        found = records_of(replica, athlete).analytics.progression(exercise, weeks=weeks)
        if not found:
            if exercise is not None:
                refuse_unknown(replica, exercise)
            said("nothing was trained in these weeks" if exercise is None else "not trained in these weeks")
            return
    listed = table("exercise", "days", "e1RM", "by", "", "% a week", "last top set", "records", right=("days", "e1RM"))
    for each in found:
        estimates = [point.e1rm_kg for point in each.points if point.e1rm_kg is not None]
        last = each.points[-1]
        load = "" if last.top_load_kg is None else f" × {round(last.top_load_kg, 1):g} kg"
        listed.add_row(
            escaped(each.name or "without a name"),
            str(len(each.points)),
            f"{estimates[-1]:.1f} kg" if estimates else "",
            FORMULA_NAMES[each.formula] if estimates else "",
            sparkline(estimates),
            "" if each.percent_per_week is None else f"{each.percent_per_week:+.1f}",
            f"{last.top_reps}{load} on {last.date:%d %b}",
            str(len(each.records) or ""),
        )
    shown(listed)
    if any(each.percent_per_week is None for each in found):
        said(f"no % a week: not enough data, which is {RATE_POINTS_MIN} days over {RATE_DAYS_MIN} or more")


def sparkline(values: list[float], *, width: int = 24) -> str:
    """Draw values as a line of blocks, the newest at the right.

    >>> sparkline([100.0, 102.5, 105.0, 102.5])
    '▁▅█▅'
    """
    drawn = values[-width:]
    low, high = min(drawn, default=0.0), max(drawn, default=0.0)
    if high == low:
        return BLOCKS[0] * len(drawn)
    return "".join(BLOCKS[round((value - low) / (high - low) * (len(BLOCKS) - 1) + 0.01)] for value in drawn)
