"""The clock of this machine: what judges by the time is passed a clock, and in a server that serves it is this one."""

from datetime import UTC, datetime

__all__ = ["wall_clock"]


def wall_clock() -> datetime:
    """Give the time, in UTC."""
    return datetime.now(UTC)
