"""One request answered: push, then pull, in one round trip; the same over HTTP and live.

An old app may be refused reading, never handing in what it holds.
"""

from collections.abc import Callable

from apex_server.caller import Caller
from apex_server.db import DatabaseUnavailable
from apex_server.sync.commit import Committer, Pushed
from apex_server.sync.errors import UnsupportedVersion
from apex_server.sync.feed import Feed, Pulled
from apex_server.sync.identity import ServerIdentity
from apex_sync.protocol.messages import PROTOCOL_VERSION, PROTOCOL_VERSION_OLDEST, SyncRequest, SyncResponse

__all__ = ["SyncExchange"]

NOTHING_PULLED = Pulled([], [])


class SyncExchange:
    """Answers requests: `await exchange(caller, request)`."""

    def __init__(
        self,
        committer: Committer,
        feed: Feed,
        *,
        identity: ServerIdentity,
        now_us: Callable[[], int],
        version_oldest: int = PROTOCOL_VERSION_OLDEST,
    ) -> None:
        self._committer = committer
        self._feed = feed
        self._epoch = identity.epoch
        self._now_us = now_us
        self._version_oldest = version_oldest

    async def __call__(self, caller: Caller, request: SyncRequest) -> SyncResponse:
        """Answer a request: results in the order of its push, then what is new.

        Raises UnsupportedVersion where there is only reading to be refused, and DatabaseUnavailable where nothing was
        pushed; a push is then answered `retry`.
        """
        may_read = request.version >= self._version_oldest
        if not may_read and not request.push:
            raise UnsupportedVersion(request.version, self._version_oldest, PROTOCOL_VERSION)
        pushed = Pushed([])
        if request.push:
            pushed = await self._committer.push(
                caller.user_id, caller.device_id, request.client_id, request.push, epoch=request.epoch
            )
        pulled, retry_after = NOTHING_PULLED, pushed.retry_after
        if may_read and not retry_after:
            pulled, retry_after = await self._pull(caller, request)
        return SyncResponse(
            PROTOCOL_VERSION,
            self._now_us(),
            self._epoch,
            pushed.results,
            pulled.pages,
            pulled.forget,
            pulled.send_cursors,
            retry_after,
            list(pulled.repair),
        )

    async def _pull(self, caller: Caller, request: SyncRequest) -> tuple[Pulled, float]:
        if request.cursors is None and not request.cursors_hash:
            return NOTHING_PULLED, 0.0
        try:
            is_own = await self._committer.owns(caller.user_id, caller.device_id, request.client_id)
            return await self._feed.pull(caller.user_id, request.client_id if is_own else None, request), 0.0
        except DatabaseUnavailable as error:
            if not request.push:
                raise
            return NOTHING_PULLED, error.retry_after_seconds
