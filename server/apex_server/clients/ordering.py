"""The orders in which a coach's athletes are listed, and pages of them.

Names are sealed and standings derived, so Postgres cannot sort by either; a coach has few enough athletes
to do it here.
"""

from collections.abc import Sequence
from typing import Literal

from apex_server.clients.payloads import ClientMark, ClientsPage
from apex_server.standing import ClientSummary

__all__ = ["ClientSort", "page_of"]

ClientSort = Literal[
    "name", "-name", "status", "-status", "since", "-since", "last_workout", "-last_workout", "last_check_in",
    "-last_check_in", "next_check_in_due", "-next_check_in_due", "adherence", "-adherence",
]  # fmt: skip

_STATUSES = ("needs-attention", "overdue", "active", "inactive")
"""The most urgent first."""


def page_of(clients: Sequence[ClientSummary], sort: ClientSort, mark: ClientMark | None, limit: int) -> ClientsPage:
    """Give the page that follows a mark; who has no value to sort by comes last, whichever way."""
    name, backwards = sort.removeprefix("-"), sort.startswith("-")
    marks = {client.id: ClientMark(_value(client, name), client.name.casefold(), client.id) for client in clients}
    with_value = sorted((each for each in marks.values() if each.value), key=_key, reverse=backwards)
    ordered = [*with_value, *sorted((each for each in marks.values() if not each.value), key=_key)]
    following = [each for each in ordered if mark is None or _comes_after(each, mark, backwards=backwards)]
    by_id = {client.id: client for client in clients}
    page = following[:limit]
    return ClientsPage(
        clients=[by_id[each.id] for each in page],
        next=page[-1].encode() if len(following) > limit else None,
    )


def _comes_after(each: ClientMark, mark: ClientMark, *, backwards: bool) -> bool:
    if bool(each.value) != bool(mark.value):
        return not each.value
    return _key(each) < _key(mark) if backwards and each.value else _key(each) > _key(mark)


def _key(mark: ClientMark) -> tuple[str, str, bytes]:
    return mark.value, mark.name, mark.id.bytes


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
