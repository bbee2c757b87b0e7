"""Looks at the way to the server: is it there, does it know this device, do the clocks and the contents agree?

It reads what a sync would read and keeps nothing of it.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from apex_client.doctor.finding import Finding, some_of
from apex_client.errors import NoServer, SignedOut, SyncFailed
from apex_sync.digest import digest_bytes
from apex_sync.errors import ProtocolError
from apex_sync.protocol import PROTOCOL_VERSION, ScopeCursor, SyncRequest, SyncResponse
from apex_sync.protocol.messages import SCOPES_MAX, ScopePage, decode_response, encode_message

if TYPE_CHECKING:
    from apex_client.blocking import Replica

__all__ = ["server_findings"]

CLOCK_NOTE_SECONDS = 60
"""The network explains that much; from there on the SDK corrects its stamps by what the server says."""

CLOCK_HAND_SECONDS = 600
"""What a server takes of a future stamp; days and ages on this device are wrong by then, too."""

SIGN_IN = "apex login --server URL --email YOU"


def server_findings(replica: "Replica") -> Iterator[Finding]:
    """Ask the server that the replica syncs with. Without an answer, says that nothing was compared."""
    if replica.server is None:
        yield Finding("server", "note", "none is known yet; nothing was compared", SIGN_IN)
        return
    try:
        replica.request("GET", "/api/auth/me")
        email = replica.user.email if replica.user else "somebody"
        yield Finding("server", "good", f"{replica.server} knows this device as {email}'s")
        cursors, busy = _cursors(replica)
        asked_us = replica._now_us()
        request = SyncRequest(PROTOCOL_VERSION, replica.client_id, asked_us, cursors=cursors, pull_bytes=1)
        response = decode_response(replica._account.exchange(encode_message(request)))
        yield from _clock(response, asked_us, replica._now_us())
        yield from _digests(response, [cursor.scope for cursor in cursors], busy)
    except (SignedOut, NoServer):
        yield Finding("server", "hand", f"{replica.server}: you are signed out; nothing was compared", SIGN_IN)
    except (SyncFailed, ProtocolError) as error:
        yield Finding("server", "note", f"{replica.server}: {error}; nothing was compared", "try again with a network")


def _cursors(replica: "Replica") -> tuple[list[ScopeCursor], set[str]]:
    """Give where this replica stands, and the scopes of which the server may have more than it has acknowledged."""
    store = replica._open.store
    with store.transaction(durable=False):
        scopes = list(store.scopes().values())[:SCOPES_MAX]
        busy = {scope.name for scope in scopes if store.in_flight(scope.name)}
    return [ScopeCursor(scope.name, scope.cursor, digest_bytes(scope.digest)) for scope in scopes], busy


def _clock(response: SyncResponse, before_us: int, after_us: int) -> Iterator[Finding]:
    off_seconds = ((before_us + after_us) / 2 - response.now_us) / 1e6
    words = f"{abs(off_seconds):,.0f} seconds {'ahead of' if off_seconds > 0 else 'behind'} the server's"
    if abs(off_seconds) < CLOCK_NOTE_SECONDS:
        yield Finding("clock", "good", "agrees with the server's")
    elif abs(off_seconds) < CLOCK_HAND_SECONDS:
        yield Finding("clock", "note", f"{words}; stamps are corrected by that")
    else:
        yield Finding(
            "clock", "hand", f"{words}; stamps are corrected by that, days are not", "set this device's clock"
        )


def _digests(response: SyncResponse, scopes: list[str], busy: set[str]) -> Iterator[Finding]:
    pages = {page.scope: page for page in response.pages}
    verdicts: dict[str, list[str]] = {"same": [], "differs": [], "behind": [], "busy": [], "epoch": []}
    for scope in scopes:
        if scope not in response.forget:
            verdicts[_verdict(pages.get(scope), is_busy=scope in busy)].append(scope)
    if verdicts["same"]:
        yield Finding("digests", "good", f"{len(verdicts['same'])} of {len(scopes)} scopes hold what the server holds")
    if verdicts["differs"]:
        words = f"the server holds something else in {some_of(verdicts['differs'])}"
        yield Finding(
            "digests", "wrong", words, "apex sync finds the records that differ and mends them; look again after it"
        )
    if verdicts["epoch"]:
        words = "the server was restored from a backup, and will be offered all that is here"
        yield Finding("digests", "note", words, "apex sync")
    if verdicts["busy"] or verdicts["behind"]:
        count = len(verdicts["busy"]) + len(verdicts["behind"])
        words = f"not compared for {count} of {len(scopes)} scopes: something is under way or still to be fetched"
        yield Finding("digests", "note", words, "apex sync, then look again")
    if response.forget:
        yield Finding("scopes", "note", f"access to {some_of(sorted(response.forget))} was withdrawn", "apex sync")


def _verdict(page: ScopePage | None, *, is_busy: bool) -> str:
    if page is None:
        return "same"
    if page.reset:
        return "epoch"
    if is_busy:
        return "busy"
    return "behind" if page.records or page.remaining else "differs"
