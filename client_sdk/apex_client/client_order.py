"""The orders in which a coach's athletes are listed: those of the server."""

from collections.abc import Sequence

from apex_client.standing import ClientSummary
from apex_sync.coaching.client_order import ClientSort, sort_value


def ordered(clients: Sequence[ClientSummary], sort: ClientSort) -> list[ClientSummary]:
    """Sort athletes; who has no value to sort by comes last, whichever way."""
    keyed = [((sort_value(client, sort), client.name.casefold(), client.id), client) for client in clients]
    by_key = sorted(keyed, key=lambda each: each[0])
    with_value = [client for key, client in by_key if key[0]]
    return [
        *(with_value[::-1] if sort.startswith("-") else with_value),
        *(client for key, client in by_key if not key[0]),
    ]
