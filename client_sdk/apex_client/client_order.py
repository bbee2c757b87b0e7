"""The orders in which a coach's athletes are listed: those of the server."""

from collections.abc import Sequence
from typing import Literal

from apex_client.standing import ClientSummary

ClientSort = Literal[
    "name", "-name", "status", "-status", "since", "-since", "last_workout", "-last_workout", "last_check_in",
    "-last_check_in", "next_check_in_due", "-next_check_in_due", "adherence", "-adherence",
]  # fmt: skip

_STATUSES = ("needs-attention", "overdue", "active", "inactive")
"""The most urgent first."""


def ordered(clients: Sequence[ClientSummary], sort: ClientSort) -> list[ClientSummary]:
    """Sort athletes; who has no value to sort by comes last, whichever way."""
    name, backwards = sort.removeprefix("-"), sort.startswith("-")
    keyed = [((_value(client, name), client.name.casefold(), client.id), client) for client in clients]
    by_key = sorted(keyed, key=lambda each: each[0])
    with_value = [client for key, client in by_key if key[0]]
    return [*(with_value[::-1] if backwards else with_value), *(client for key, client in by_key if not key[0])]


def _value(client: ClientSummary, name: str) -> str:
    """Give what is sorted by, as text that sorts alike; empty where there is none."""
    match name:
        case "status":
            return str(_STATUSES.index(client.status))
        case "adherence":
            percent = client.adherence.overall
            return "" if percent is None else f"{percent:07.3f}"
        case "name":
            return client.name.casefold() or " "
    value = getattr(client, name)
    return "" if value is None else str(value.isoformat())
