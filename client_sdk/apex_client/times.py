"""Days and times of day as the athlete's clock shows them, in the text form the models hold."""

from datetime import UTC, date, datetime, tzinfo

MICROSECONDS = 1_000_000


def wall_clock(moment: datetime | str | None, now_us: int, zone: tzinfo | None) -> str:
    """Write a moment with its offset, to the second; None is now, in the athlete's time zone (None: the system's).

    >>> wall_clock(None, 1_772_388_300_000_000, UTC)
    '2026-03-01T18:05:00+00:00'
    """
    if isinstance(moment, str):
        return moment
    if moment is None:
        moment = datetime.fromtimestamp(now_us // MICROSECONDS, UTC).astimezone(zone)
    return moment.replace(microsecond=0).isoformat()


def calendar_day(day: date | str | None) -> str | None:
    """Write a day, `2026-03-01`."""
    if isinstance(day, datetime):
        return day.date().isoformat()
    return day.isoformat() if isinstance(day, date) else day


def utc_text(now_us: int) -> str:
    """Write a moment in UTC, to the millisecond: what was made first is told apart."""
    return datetime.fromtimestamp(now_us / MICROSECONDS, UTC).isoformat(timespec="milliseconds")


def minutes_between(start: str | None, end: str | None) -> float | None:
    """Give the minutes from one time to another; None where one is missing, or only one knows its offset."""
    try:
        began, ended = datetime.fromisoformat(start or ""), datetime.fromisoformat(end or "")
        minutes = (ended - began).total_seconds() / 60
    except (ValueError, TypeError):
        return None
    return round(minutes, 2) if minutes >= 0 else None
