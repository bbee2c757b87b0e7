"""Days that are typed: they are in the calendar, and what was done, eaten or measured was not done tomorrow."""

from datetime import date
from typing import TYPE_CHECKING

from apex_client.cli.failures import WrongUsage

if TYPE_CHECKING:
    from apex_client.blocking import Replica

__all__ = ["day_done", "day_typed"]


def day_typed(typed: str) -> str:
    """Give a day as it was typed. Raises WrongUsage where it is none."""
    try:
        return date.fromisoformat(typed).isoformat()
    except ValueError as error:
        raise WrongUsage(f"{typed!r} is no day; write 2026-03-01") from error


def day_done(replica: "Replica", typed: str | None) -> str:
    """Give the day of what is reported, today where none was typed. Raises WrongUsage for one that is still to come."""
    today = replica._wall_clock(None)[: len("2026-03-01")]
    day = day_typed(typed) if typed else today
    if day > today:
        raise WrongUsage(f"{day} is still to come; today is {today}")
    return day
