"""The orders in which a coach's athletes are listed, on a server and on a device."""

from typing import Any, Literal, Protocol

from apex_sync.coaching.client_standing import Status

ClientSort = Literal[
    "name", "-name", "status", "-status", "since", "-since", "last_workout", "-last_workout", "last_check_in",
    "-last_check_in", "next_check_in_due", "-next_check_in_due", "adherence", "-adherence",
]  # fmt: skip

STATUSES: tuple[Status, ...] = ("needs-attention", "overdue", "active", "inactive")
"""The most urgent first."""


class Listed(Protocol):
    """An athlete in a list, who has each of the days beside these."""

    @property
    def name(self) -> str:
        """What the athlete is called."""

    @property
    def status(self) -> str:
        """How the athlete stands, a word of STATUSES."""

    @property
    def adherence(self) -> Any:
        """What was kept of what was planned, with a percentage `overall`; None where nothing was planned."""


def sort_value(client: Listed, sort: ClientSort) -> str:
    """Give what is sorted by, either way, as text that sorts alike; empty where there is none."""
    match sort.removeprefix("-"):
        case "status":
            return str(STATUSES.index(client.status))
        case "adherence":
            percent = client.adherence.overall
            return "" if percent is None else f"{percent:07.3f}"
        case "name":
            return client.name.casefold() or " "
        case day:
            value = getattr(client, day)
            return "" if value is None else str(value.isoformat())
