"""The commit: the one way in which records change, for devices that push and for the server itself.

Each pushed record is judged alone, and no answer depends on another. Answers are given after the data is durable. When
the store is gone the answer is `retry`, which is right whether or not the last commit went through: a push that comes
again is known by its clocks.
"""

import secrets
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple
from uuid import UUID

import structlog

from apex_server.db import DatabaseUnavailable
from apex_server.errors import ApiError, NotFound, ServerBusy
from apex_server.sync.identity import ServerIdentity
from apex_server.sync.judging import (
    RETRY,
    Hearing,
    Merged,
    Verdict,
    first_clock_of,
    judge_compaction,
    judge_push,
    judge_write,
    rejected,
)
from apex_server.sync.scope_commit import Hints, Proposal, ScopeCommitter
from apex_server.sync.store import AskedRecord, CommitStore, RecordState, ScopeUnreadable, Writer
from apex_sync.ids import Scope, client_id_from
from apex_sync.models import COLLECTIONS
from apex_sync.op import Patch, Vector
from apex_sync.protocol.messages import PushedRecord, PushResult

__all__ = ["Committer", "Hints", "Patched", "Pushed", "Written"]

BOUND_CLIENT_IDS_MAX = 100_000
"""Remembered bindings, about 10 MB: they never change, so none has to be looked up twice."""

RECORD_ID_BYTES = 16

OP_BYTES_MIN = 8
"""What an op takes in an update at least; so the size of an update bounds its clocks before it is read."""

_log = structlog.get_logger(__name__)


class Pushed(NamedTuple):
    """The answers to a push, in its order; `retry_after` (seconds) is positive when the store was gone."""

    results: list[PushResult]
    retry_after: float = 0.0


class Written(NamedTuple):
    """What a record holds after a write through the server, and where its scope stands in the feed."""

    merged: Merged
    seq: int

    @property
    def vector(self) -> Vector:
        """The version of the record, which an ETag stands for: the next clock of each client."""
        return self.merged.document.next_clocks


class Patched(NamedTuple):
    """One patch through the server, and the version its author had before them; None is the newest."""

    record_id: str
    patch: Patch
    expected_vector: Vector | None = None


class Committer:
    """Commits to one store. `now_us` and `entropy` are the clock and the randomness; `hints` hears of every commit."""

    def __init__(
        self,
        store: CommitStore,
        *,
        identity: ServerIdentity,
        now_us: Callable[[], int],
        hints: Hints,
        entropy: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        self._store = store
        self._epoch = identity.epoch
        self._now_us = now_us
        self._entropy = entropy
        self._scopes = ScopeCommitter(store, receipts=identity.receipts, now_us=now_us, hints=hints)
        self._bound: dict[int, UUID] = {}
        self._server_client_ids: dict[UUID | None, int] = {}

    async def push(
        self, user_id: UUID, device_id: UUID, client_id: int, pushed: Sequence[PushedRecord], *, epoch: bytes = b""
    ) -> Pushed:
        """Take what a device pushed, any mix of scopes, and answer for each record.

        `epoch` is the one in which it was acknowledged what the device has pushed before; empty is this one. Nothing
        raises but a bug: what the database can't do now is answered `retry`.
        """
        results = [RETRY] * len(pushed)
        try:
            if not await self.owns(user_id, device_id, client_id):
                return Pushed([PushResult("forked")] * len(pushed))
            writer = Writer(user_id, device_id, client_id)
            system_id = await self._server_client_id(None)
            is_restored = bool(epoch) and epoch != self._epoch
            for scope, places in places_by_scope(pushed, results, is_restored=is_restored):
                proposals = [proposal_of(pushed[place]) for place in places]
                try:
                    outcome = await self._scopes.commit(scope, writer, proposals, system_client_id=system_id)
                except ScopeUnreadable as error:
                    _log.error("scope_unreadable", scope=error.scope)
                    continue
                for place, verdict in zip(places, outcome.verdicts, strict=True):
                    results[place] = verdict.result
        except DatabaseUnavailable as error:
            _log.warning("push_postponed", reason=error.reason)
            return Pushed(results, error.retry_after_seconds)
        return Pushed(results)

    async def write(
        self,
        user_id: UUID | None,
        scope: str,
        collection: str,
        record_id: str,
        patch: Patch,
        *,
        expected_vector: Vector | None = None,
    ) -> Written:
        """Write a patch on behalf of a user, or as the system (None), as an op like any device's.

        `expected_vector` is the version the author had before them; what others wrote after it loses, and is listed
        as a conflict. Raises NotFound for a scope that is not granted, ServerBusy, DatabaseUnavailable, or what
        `judge_write` raises.
        """
        [answer] = await self.write_all(user_id, scope, collection, [Patched(record_id, patch, expected_vector)])
        if isinstance(answer, ApiError):
            raise answer
        return answer

    async def write_all(
        self, user_id: UUID | None, scope: str, collection: str, patched: Sequence[Patched]
    ) -> list[Written | ApiError]:
        """Write patches to records of one scope together, each judged alone: what `write` would give or raise.

        Raises DatabaseUnavailable.
        """
        writer = Writer(user_id, None, await self._server_client_id(user_id))
        system_id = await self._server_client_id(None)
        declaration = COLLECTIONS[collection]
        errors: dict[int, ApiError] = {}

        def judge(place: int, record_key: bytes, hearing: Hearing, state: RecordState) -> Verdict:
            _, patch, expected = patched[place]
            errors.pop(place, None)
            try:
                return judge_write(hearing, declaration, record_key, patch, expected, state)
            except ApiError as error:
                errors[place] = error
                return rejected("forbidden", error.code)

        record_keys = [UUID(one.record_id).bytes for one in patched]
        proposals = [Proposal(AskedRecord(key), 0, partial(judge, place, key)) for place, key in enumerate(record_keys)]
        outcome = await self._scopes.commit(scope, writer, proposals, system_client_id=system_id)
        return [
            errors[place] if place in errors else written_or_error(verdict, outcome.seq)
            for place, verdict in enumerate(outcome.verdicts)
        ]

    async def compact(self, scope: str, record_id: bytes) -> bool:
        """Shorten the history of a record, as the system; False: it is short enough, or could not be now.

        Raises DatabaseUnavailable.
        """
        writer = Writer(None, None, await self._server_client_id(None))
        proposal = Proposal(AskedRecord(record_id), 0, partial(judge_compaction, record_id))
        outcome = await self._scopes.commit(scope, writer, [proposal], system_client_id=writer.client_id)
        return outcome.verdicts[0].result.status == "applied"

    async def owns(self, user_id: UUID, device_id: UUID, client_id: int) -> bool:
        """Tell whether a client id is the device's; from its first use on it is."""
        known = self._bound.get(client_id)
        if known is not None:
            return known == device_id
        async with self._store.session(user_id) as session:
            if not await session.bind_client_id(device_id, client_id):
                return False
        if len(self._bound) >= BOUND_CLIENT_IDS_MAX:
            self._bound.clear()
        self._bound[client_id] = device_id
        return True

    async def _server_client_id(self, user_id: UUID | None) -> int:
        client_id = self._server_client_ids.get(user_id)
        if client_id is None:
            candidate = client_id_from(self._entropy(7))
            async with self._store.session(user_id) as session:
                client_id = await session.server_client_id(self._epoch, candidate, self._now_us())
            if len(self._server_client_ids) >= BOUND_CLIENT_IDS_MAX:
                self._server_client_ids.clear()
            self._server_client_ids[user_id] = client_id
        return client_id


def written_or_error(verdict: Verdict, seq: int) -> Written | ApiError:
    """Answer for one write through the server."""
    if verdict.result.status == "rejected":
        return NotFound("record")
    return ServerBusy() if verdict.merged is None else Written(verdict.merged, seq)


def places_by_scope(
    pushed: Sequence[PushedRecord], results: list[PushResult], *, is_restored: bool
) -> Iterator[tuple[str, list[int]]]:
    """Group by scope, in the order of first occurrence; what cannot even be looked up is answered at once.

    So is what continues ops of the device that a server `is_restored` from a backup may hold others in place of.
    """
    places: dict[str, list[int]] = {}
    for place, record in enumerate(pushed):
        if len(record.record_id) != RECORD_ID_BYTES:
            results[place] = rejected("malformed", f"a record id of {len(record.record_id)} bytes").result
        elif not is_scope(record.scope):
            results[place] = rejected("malformed", "not the name of a scope").result
        elif is_restored and not record.base and first_clock_of(record.update):
            results[place] = PushResult("gap")
        else:
            places.setdefault(record.scope, []).append(place)
    yield from places.items()


def proposal_of(pushed: PushedRecord) -> Proposal:
    """Propose what a device pushed."""
    first = first_clock_of(pushed.update)
    asked = AskedRecord(pushed.record_id, first, first + len(pushed.update) // OP_BYTES_MIN)
    return Proposal(asked, len(pushed.update) + len(pushed.base), partial(judge_safely, pushed))


def is_scope(name: str) -> bool:
    """Tell whether this is a scope's name."""
    try:
        Scope.parse(name)
    except ValueError:
        return False
    return True


def judge_safely(pushed: PushedRecord, hearing: Hearing, state: RecordState) -> Verdict:
    """Judge a pushed record; one that trips over a bug of ours stays with its device, and holds up no other."""
    try:
        return judge_push(hearing, pushed, state)
    except Exception:  # noqa: BLE001 - whatever it is, the other records of the push are sound.
        _log.exception("record_unjudgeable", record_id=pushed.record_id.hex(), collection=pushed.collection[:100])
        return Verdict(RETRY)
