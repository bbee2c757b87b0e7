"""Sync within limits: a user's syncs take turns, and what each takes is charged to them; the same over HTTP and live.

What is over the limit is answered, not dropped: every pushed record `retry`, and `retry_after`. The device keeps its
work, waits as long as it was told, and sends the same again.
"""

from collections.abc import Callable, Coroutine
from typing import Any

from apex_server.caller import Caller
from apex_server.errors import TooManyRequests
from apex_server.limits import Limits, Metered
from apex_server.sync.judging import RETRY
from apex_sync.protocol.messages import PROTOCOL_VERSION, SyncRequest, SyncResponse

__all__ = ["LimitedExchange"]


class LimitedExchange:
    """Answers requests as `answer` does: `await exchange(caller, request)`.

    With `live`, for frames that no request over HTTP carried: those are counted here.
    """

    def __init__(
        self,
        answer: Callable[[Caller, SyncRequest], Coroutine[Any, Any, SyncResponse]],
        limits: Limits,
        *,
        epoch: bytes,
        now_us: Callable[[], int],
        live: bool = False,
    ) -> None:
        self._answer = answer
        self._limits = limits
        self._epoch = epoch
        self._now_us = now_us
        self._live = live

    async def __call__(self, caller: Caller, request: SyncRequest) -> SyncResponse:
        """Answer a request, or say when to send it again. Raises what the answer raises."""
        account = self._limits.user(caller.user_id, caller.role)
        try:
            if self._live and request.push:
                await self._limits.admit(account, "cpu_ms", "sync_bytes")
            async with self._limits.turn(account):
                # It may have become too much while this one waited for its turn.
                self._limits.check(account, "cpu_ms", "sync_bytes")
                answered = Metered(self._answer(caller, request))
                try:
                    response = await answered
                finally:
                    self._limits.charge(account, "cpu_ms", answered.cpu_ms)
        except TooManyRequests as error:
            return self._later(request, float(error.retry_after))
        if self._live:
            self._limits.charge(account, "sync_bytes", frame_bytes(request, response))
        return response

    def _later(self, request: SyncRequest, seconds: float) -> SyncResponse:
        results = [RETRY] * len(request.push)
        return SyncResponse(PROTOCOL_VERSION, self._now_us(), self._epoch, results, retry_after=seconds)


def frame_bytes(request: SyncRequest, response: SyncResponse) -> int:
    """Give what two frames carry, near enough: their records."""
    up = sum(len(record.update) + len(record.base) for record in request.push)
    return up + sum(len(record.update) for page in response.pages for record in page.records)
