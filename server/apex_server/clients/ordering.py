"""The orders in which a coach's athletes are listed, and pages of them.

Names are sealed and standings derived, so Postgres cannot sort by either; a coach has few enough athletes
to do it here.
"""

from collections.abc import Sequence

from apex_server.clients.payloads import ClientMark, ClientsPage
from apex_server.standing import ClientSummary
from apex_sync.coaching.client_order import ClientSort, sort_value

__all__ = ["page_of"]


def page_of(clients: Sequence[ClientSummary], sort: ClientSort, mark: ClientMark | None, limit: int) -> ClientsPage:
    """Give the page that follows a mark; who has no value to sort by comes last, whichever way."""
    backwards = sort.startswith("-")
    marks = {client.id: ClientMark(sort_value(client, sort), client.name.casefold(), client.id) for client in clients}
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
