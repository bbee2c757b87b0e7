"""The device's side of a sync, without I/O: it says what to send, and takes in what comes back.

    session = SyncSession(device)
    while (request := session.next_request()) is not None:
        session.absorb(answer_to(request))

Requests may overlap: the next one may be asked for before the last is answered, and answers are taken in in the order
of the requests. What is sent is marked as sent, durably, before `next_request` returns it; what an answer brings,
results, pages and their cursors, is kept in one transaction, which may be lost with the power but not with the process:
the server gives the same answers again. So a session can be dropped at any point, and the next one goes on.
"""

from collections import deque
from collections.abc import Container, Mapping, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from apex_sync.digest import digest_bytes
from apex_sync.errors import IncompatibleVersion, ProtocolError
from apex_sync.protocol.messages import (
    PROTOCOL_VERSION,
    PROTOCOL_VERSION_OLDEST,
    PUSH_RECORDS_MAX,
    RESPONSE_BYTES_TARGET,
    PushedRecord,
    ScopeCursor,
    ScopePage,
    SyncRequest,
    SyncResponse,
    hash_cursors,
)
from apex_sync.session.device import Device, HeldScope, Rejection
from apex_sync.session.held import HeldRecord
from apex_sync.session.pull import PulledPages
from apex_sync.session.push import PushAnswers, SentRecord, outgoing
from apex_sync.session.repair import Repair
from apex_sync.session.tally import Tally

PUSH_BYTES_TARGET = 768 * 1024
"""About 500 workouts. Two of these may be on their way at once, and a server unpacks both."""

RECORD_OVERHEAD_BYTES = 160
"""Scope, collection, id and receipt around a record's update."""

FIRST_PULL_BYTES = 128 * 1024
"""The newest 50 to 100 workouts come in a page of their own, so that an app has something to show at once."""

CURSORS_MAX = 4
"""A device with more scopes asks with a hash of its cursors whether anything is new at all."""

FORKS_MAX = 3
"""Client ids that one sync may use up; they are drawn at random, so a server that knows the fourth too is mistaken."""

IDLE_ROUNDS_MAX = 3
"""Rounds that may bring nothing: a hash that did not match, buckets, an escalation."""


class _Outstanding(NamedTuple):
    """A request that has no answer yet."""

    request: SyncRequest
    sent: list[SentRecord]


class SyncSession:
    """One sync: pushes what waits, pulls until there is nothing more.

    With `pull=False` it only pushes. `tally` counts what happened; `retry_after` is how many seconds the server asked
    to be left alone, after which the session has nothing more to say.
    """

    def __init__(
        self,
        device: Device,
        *,
        pull: bool = True,
        pull_bytes: int = RESPONSE_BYTES_TARGET,
        push_bytes: int = PUSH_BYTES_TARGET,
        hash_allowed: bool = True,
        following: dict[str, bytes] | None = None,
    ) -> None:
        self.device = device
        self.tally = Tally()
        self.retry_after = 0.0
        self.following = {} if following is None else following
        """Where the other end goes on with news, by scope; a session that carries a live one on is handed it."""
        self._pulling = pull
        self._may_pull = pull
        self._pull_bytes = pull_bytes
        self._push_bytes = push_bytes
        self._hash_allowed = hash_allowed
        self._idle_rounds = 0
        self._outstanding: deque[_Outstanding] = deque()
        self._answers = PushAnswers(device, self.tally)
        self._repair = Repair(device, self.tally)
        self._pages = PulledPages(device, self.tally)

    def next_request(self) -> SyncRequest | None:
        """Give what to send next; None when there is nothing before an answer comes, or nothing at all any more.

        Raises ProtocolError when the server's answers get the sync no further.
        """
        if self.retry_after:
            return None
        if self._idle_rounds > IDLE_ROUNDS_MAX or self.tally.forks > FORKS_MAX:
            raise ProtocolError("the server's answers lead nowhere")
        with self.device.store.transaction():
            push, sent = self._push()
            pulls = self._pulling and not any(_pulls(other.request) for other in self._outstanding)
            if not push and not pulls:
                return None
            request = self._request(push, pulls=pulls)
        self._outstanding.append(_Outstanding(request, sent))
        return request

    def look_ahead(self, response: SyncResponse) -> SyncRequest | None:
        """Give the request for the page after one that is about to be absorbed, so that it comes meanwhile.

        None where that depends on what becomes of this answer.
        """
        request, sent = self._outstanding[0]
        pages = {page.scope: page for page in response.pages}
        plain = not (sent or request.resend or request.bucket_digests or response.forget or response.retry_after)
        more = any(page.remaining for page in response.pages) and not any(page.reset for page in response.pages)
        if len(self._outstanding) > 1 or request.cursors is None or not (plain and more):
            return None
        known = {cursor.scope: cursor for cursor in request.cursors}
        moved = {scope: ScopeCursor(scope, page.cursor) for scope, page in pages.items()}
        ahead = replace(request, cursors=list((known | moved).values()), pull_bytes=self._pull_bytes)
        self._outstanding.append(_Outstanding(ahead, []))
        return ahead

    def absorb(self, response: SyncResponse) -> None:
        """Take in the answer to the oldest request. Raises ProtocolError, IncompatibleVersion, with nothing changed."""
        request, sent = self._outstanding.popleft()
        _check(response, len(sent))
        steps = self.tally.steps
        with self.device.store.transaction(durable=False):
            self.device.learn_time(response.now_us)
            pages = self._continuing(request, response.pages)
            overtaken = len(pages) < len(response.pages)
            response = replace(response, pages=pages)
            unmoved = self._unmoved(request, response)
            if request.cursors is not None:
                self.following = {cursor.scope: cursor.cursor for cursor in request.cursors}
            # What was sent under a client id that this device has left since says nothing about what it holds now.
            left = request.client_id != self.device.identity.client_id
            forked = not left and self._absorb_results(sent, response)
            self._meet(response.epoch)
            forked |= self._absorb_pages(response.pages, comparable=unmoved)
            self._forget(response.forget)
            self._repair.absorb(response.repair)
            forked |= self._repair.settle(request.resend, response, self._pages)
            self._answers.deferred -= self._pages.rescued
            if forked:
                self._fork()
        self.retry_after = response.retry_after
        self._idle_rounds = 0 if self.tally.steps > steps else self._idle_rounds + 1
        self._plan(request, response, overtaken=overtaken)

    def absorb_news(self, response: SyncResponse) -> None:
        """Take in a frame that the server sent unasked over the live channel. Raises as `absorb` does.

        Another conversation of this device may have dropped a scope meanwhile, or read more of it. Then what comes here
        does not continue what is held, and a pull has to tell.
        """
        _check(response, 0)
        with self.device.store.transaction(durable=False):
            held = self.device.store.scopes()
            pages = [page for page in response.pages if _cursor_of(held, page) == self.following.get(page.scope)]
            self._pulling |= len(pages) < len(response.pages) or any(page.reset for page in pages)
            # A frame may be older than an answer that came before it, so its digests prove nothing.
            self._meet(response.epoch)
            forked = self._absorb_pages(pages, comparable=())
            self._forget(response.forget)
            if forked:
                self._fork()

    @property
    def wants_pull(self) -> bool:
        """Whether something came that only a pull can put right: a gap, a digest that differs, an unfinished page."""
        return self._repair.wanted or self._pulling

    def _push(self) -> tuple[list[PushedRecord], list[SentRecord]]:
        """Choose what goes up now, and freeze it; a record that cannot go up as it is waits for a rescue."""
        store = self.device.store
        push: list[PushedRecord] = []
        sent: list[SentRecord] = []
        in_flight = {(item.scope, item.record_id) for other in self._outstanding for item in other.sent}
        while not push and (waiting := store.outbox(PUSH_RECORDS_MAX, self._answers.deferred | in_flight)):
            size = 0
            touched: list[HeldRecord] = []
            for held in waiting:
                going = outgoing(held)
                if going is None:
                    self._answers.deferred.add((held.scope, held.record_id))
                    self._repair.missing.add((held.scope, held.record_id))
                else:
                    pushed, next_clock = going
                    size += len(pushed.update) + len(pushed.base) + RECORD_OVERHEAD_BYTES
                    if push and size > self._push_bytes:
                        break
                    push.append(pushed)
                    sent.append(SentRecord(held.scope, held.record_id, next_clock, held.offer))
                    held.sent = max(held.sent, next_clock)
                touched.append(held)
            store.save_progress(touched)
        return push, sent

    def _request(self, push: list[PushedRecord], *, pulls: bool) -> SyncRequest:
        device = self.device
        identity = device.identity
        request = SyncRequest(PROTOCOL_VERSION, identity.client_id, device.now_us(), push=push, epoch=identity.epoch)
        if not pulls or device.store.offering(self._answers.deferred):
            return request
        scopes = device.store.scopes()
        if self._hash_allowed and not push and len(scopes) > CURSORS_MAX:
            return replace(request, cursors_hash=hash_cursors(cursors(scopes)))
        first = not scopes or any(not scope.cursor for scope in scopes.values())
        return replace(
            request,
            cursors=cursors(scopes),
            pull_bytes=min(FIRST_PULL_BYTES, self._pull_bytes) if first else self._pull_bytes,
            resend=self._repair.resend(),
            bucket_digests=self._repair.bucket_digests(),
        )

    def _absorb_results(self, sent: Sequence[SentRecord], response: SyncResponse) -> bool:
        if not sent:
            return False
        store = self.device.store
        scopes = store.scopes()
        held = {
            (scope, record_id): record
            for scope in {item.scope for item in sent}
            for record_id, record in store.load(scope, [item.record_id for item in sent if item.scope == scope]).items()
        }
        forked = False
        progressed: list[HeldRecord] = []
        changed: list[HeldRecord] = []
        for item, result in zip(sent, response.results, strict=True):
            record = held.get((item.scope, item.record_id))
            if record is None:
                continue
            role = scopes[item.scope].role if item.scope in scopes else None
            forked |= self._answers.absorb(record, item, result, role=role)
            (changed if result.refusals else progressed).append(record)
        self.tally.pushed += len(sent)
        store.save_progress(progressed)
        store.save(changed, "pulled")
        return forked

    def _meet(self, epoch: bytes) -> None:
        """Offer everything to a server that was restored and may have lost it, before anything is read from it.

        Receipts prove what is here, as it is here.
        """
        store, identity = self.device.store, self.device.identity
        if epoch != identity.epoch:
            for name in store.scopes() if identity.epoch else ():
                store.offer_all(name)
            self.device.save_identity(replace(identity, epoch=epoch))

    def _unmoved(self, request: SyncRequest, response: SyncResponse) -> set[str]:
        """Name the scopes of an answer that are still as its request told the server.

        Where they are not, an answer that came in between or a frame of the live channel may know more than this one;
        then its digests prove nothing, and the next sync tells.
        """
        told = {cursor.scope: cursor for cursor in request.cursors or ()}
        held = self.device.store.scopes()
        return {page.scope for page in response.pages if _is_as_told(held.get(page.scope), told.get(page.scope))}

    def _continuing(self, request: SyncRequest, pages: Sequence[ScopePage]) -> list[ScopePage]:
        """Give the pages that continue what is held.

        Another conversation of this device may have dropped a scope while the answer was on its way, and begun to read
        it anew. Then a page from where the request stood would leave out all that came before it.
        """
        told = {cursor.scope: cursor.cursor for cursor in request.cursors or ()}
        held = self.device.store.scopes()
        return [page for page in pages if _continues(held.get(page.scope), told.get(page.scope, b""))]

    def _absorb_pages(self, pages: Sequence[ScopePage], *, comparable: Container[str]) -> bool:
        forked = False
        for page in pages:
            forked |= self._pages.absorb(page)
            self.following[page.scope] = page.cursor
        for page in pages:
            if page.scope in comparable:
                self._repair.compare(page)
        self._repair.missing |= self._pages.missing
        self._pages.missing.clear()
        return forked

    def _forget(self, names: Sequence[str]) -> None:
        """Drop scopes that are granted no more; what was never sent of them goes into the rejected box."""
        store = self.device.store
        for name in names:
            store.drop_held_rejections(name)
            place = 0
            while records := store.unacknowledged(place, PUSH_RECORDS_MAX):
                place = records[-1].place
                lost = [held for held in records if held.scope == name]
                self.tally.rejected += sum(not held.blocked for held in lost)
                store.reject([self._not_granted(held) for held in lost])
            store.drop_scope(name)
            self.following.pop(name, None)
            self.tally.forgotten += 1

    def _not_granted(self, held: HeldRecord) -> Rejection:
        return Rejection(
            record_id=held.record_id,
            scope=held.scope,
            collection=held.collection,
            code="not_granted",
            field="",
            message=f"access to {held.scope} has ended",
            patches=[write.patch for write in held.take_unacknowledged()],
            at_us=self.device.now_us(),
            held=False,
        )

    def _fork(self) -> None:
        self.device.fork()
        self.tally.forks += 1

    def _plan(self, request: SyncRequest, response: SyncResponse, *, overtaken: bool) -> None:
        """Decide whether the next request asks for more."""
        postponed = overtaken or (self._pulling and not _pulls(request))
        self._hash_allowed = False
        with self.device.store.transaction(durable=False):
            scopes = self.device.store.scopes().values()
        self.tally.pull_remaining = sum(scope.remaining for scope in scopes)
        self.tally.pull_total = sum(scope.total for scope in scopes)
        more = postponed or self.tally.pull_remaining > 0 or response.send_cursors or self._repair.wanted
        self._pulling = self._may_pull and more


def cursors(scopes: Mapping[str, HeldScope]) -> list[ScopeCursor]:
    """Give where the device stands, ordered by scope."""
    return [ScopeCursor(name, scopes[name].cursor, digest_bytes(scopes[name].digest)) for name in sorted(scopes)]


def _cursor_of(held: Mapping[str, HeldScope], page: ScopePage) -> bytes | None:
    return held[page.scope].cursor if page.scope in held else None


def _continues(held: HeldScope | None, told: bytes) -> bool:
    """Tell whether what follows a cursor leaves nothing out. A scope read to its end may go back a little."""
    return not told or (held is not None and (held.cursor == told or not held.remaining))


def _is_as_told(held: HeldScope | None, told: ScopeCursor | None) -> bool:
    if held is None or told is None:
        return held is None and told is None
    return held.cursor == told.cursor and told.digest in (b"", digest_bytes(held.digest))


def _pulls(request: SyncRequest) -> bool:
    return request.cursors is not None or bool(request.cursors_hash)


def _check(response: SyncResponse, results: int) -> None:
    if not PROTOCOL_VERSION_OLDEST <= response.version <= PROTOCOL_VERSION:
        raise IncompatibleVersion(response.version, PROTOCOL_VERSION)
    if len(response.results) != results:
        raise ProtocolError(f"{len(response.results)} results for {results} pushed records")
