"""Days that are typed: they are in the calendar, and what was done, eaten or measured was not done tomorrow."""

from datetime import date, datetime, timedelta
from typing import Annotated

import typer

from apex_client.cli.failures import WrongUsage

__all__ = ["DAY", "DayDone", "DayShown", "day_done", "day_typed", "today"]

DAY = "2026-03-01"
"""How a day is written."""

DayDone = Annotated[
    str | None, typer.Option("--date", metavar="DAY", help=f"When it was: {DAY}, or yesterday; default: today.")
]
DayShown = Annotated[str | None, typer.Option("--date", metavar="DAY", help="Which day; default: the latest.")]

NEAR_DAYS = {"yesterday": -1, "today": 0, "tomorrow": 1}


def today() -> date:
    """Give the day it is by the clock of this machine."""
    return datetime.now().astimezone().date()


def day_typed(typed: str) -> str:
    """Give a day as it was typed, or by its nearness. Raises WrongUsage where it is none."""
    if typed.casefold() in NEAR_DAYS:
        return (today() + timedelta(days=NEAR_DAYS[typed.casefold()])).isoformat()
    try:
        return date.fromisoformat(typed).isoformat()
    except ValueError as error:
        raise WrongUsage(f"{typed!r} is no day; write {DAY}, or yesterday") from error


def day_done(typed: str | None) -> str:
    """Give the day of what is reported, today where none was typed. Raises WrongUsage for one that is still to come."""
    day = day_typed(typed) if typed else today().isoformat()
    if day > today().isoformat():
        raise WrongUsage(f"{day} is still to come; today is {today()}")
    return day
