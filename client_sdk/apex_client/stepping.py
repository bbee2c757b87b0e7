"""The steps of a sync between two waits for the network, each run in one go in the replica's thread."""

from collections.abc import Iterator
from contextlib import contextmanager

from apex_client.errors import BadAnswer, ServerBusy, ServerIncompatible
from apex_client.garbage import garbage_waits
from apex_client.listing import LAST_SUCCESS, counts
from apex_client.local import LocalReplica
from apex_sync.errors import IncompatibleVersion, ProtocolError
from apex_sync.protocol import SyncResponse, decode_response, encode_message
from apex_sync.session.session import SyncSession

LIVE_PUSH_BYTES = 256 * 1024
"""A live frame carries a save or a few, uncompressed; a server takes a megabyte."""


LONG_SYNC_RECORDS = 200
"""What a sync of more records has written is worth bringing into the file at its end."""


@contextmanager
def sync_failures() -> Iterator[None]:
    """Tell an app in the SDK's words what the engine makes of an answer."""
    try:
        yield
    except ProtocolError as error:
        raise BadAnswer(error.reason) from error
    except IncompatibleVersion as error:
        raise ServerIncompatible(error.theirs, error.own) from error


def begin_session(local: LocalReplica) -> tuple[SyncSession, int]:
    """Begin a sync; also give how many records wait to be sent."""
    return SyncSession(local.device), counts(local)["pending"]


def next_message(session: SyncSession) -> bytes | None:
    """Give what to send next; None when there is nothing before another answer comes. Raises BadAnswer."""
    with garbage_waits(), sync_failures():
        request = session.next_request()
        return None if request is None else encode_message(request)


def read(session: SyncSession, answer: bytes) -> tuple[SyncResponse, bytes | None]:
    """Read an answer, and give the message that may already follow it. Raises BadAnswer."""
    with garbage_waits(), sync_failures():
        response = decode_response(answer)
        ahead = session.look_ahead(response)
        return response, None if ahead is None else encode_message(ahead)


def absorb(session: SyncSession, response: SyncResponse) -> None:
    """Take in an answer. Raises BadAnswer, and ServerBusy after what there was is taken in."""
    with garbage_waits(), sync_failures():
        session.absorb(response)
    if session.retry_after:
        raise ServerBusy(session.retry_after)


def note_success(local: LocalReplica, session: SyncSession) -> int:
    """Remember that a sync went through; give how many records are pending still."""
    if session.tally.pulled + session.tally.pushed > LONG_SYNC_RECORDS:
        local.store.shorten_log()
    with local.store.transaction(durable=False):
        local.store.keep_setting(LAST_SUCCESS, str(local.device.now_us()).encode())
    return int(counts(local)["pending"])


class LiveConversation:
    """What goes back and forth over one live channel.

    The first frame says where the device stands, and what follows from there comes unasked; every later frame only
    pushes. An answer has one result for each pushed record; a frame without results that was not asked for is news.
    """

    def __init__(self, local: LocalReplica) -> None:
        self._local = local
        self._session = SyncSession(local.device, push_bytes=LIVE_PUSH_BYTES, hash_allowed=False)
        self._awaited: int | None = None
        self._opened = False
        self.needs_sync = False
        """Whether a full sync has to put something right."""

    @property
    def awaits_answer(self) -> bool:
        """Whether a frame is on its way that has no answer yet."""
        return self._awaited is not None

    def open(self) -> bytes | None:
        """Give the first frame."""
        return self._next()

    def take(self, frame: bytes) -> bytes | None:
        """Take in a frame; give the next one to send, if there is one."""
        with sync_failures():
            return self._take(decode_response(frame))

    def _take(self, response: SyncResponse) -> bytes | None:
        answers = self._awaited is not None and len(response.results) == self._awaited
        if answers and (self._awaited or not self._opened):
            self._awaited, self._opened = None, True
            self._session.absorb(response)
            if self._session.retry_after:
                raise ServerBusy(self._session.retry_after)
            self.needs_sync = self._session.wants_pull
            return None if self.needs_sync else self._next()
        if response.results:
            raise ProtocolError("a frame with results for nothing that was sent")
        self._session.absorb_news(response)
        self.needs_sync = self._session.wants_pull
        return None

    def push(self) -> bytes | None:
        """Give a frame with what was saved; None while another one is on its way."""
        if self._awaited is not None:
            return None
        following = self._session.following
        self._session = SyncSession(self._local.device, pull=False, push_bytes=LIVE_PUSH_BYTES, following=following)
        return self._next()

    def _next(self) -> bytes | None:
        with sync_failures():
            request = self._session.next_request()
        if request is None:
            return None
        self._awaited = len(request.push)
        return encode_message(request)
