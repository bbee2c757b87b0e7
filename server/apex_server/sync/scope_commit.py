"""One scope's share of a commit: read, judge, lock, judge anew what has changed, store; in halves where that fails.

What is costly happens before the lock: fold, project, pack. The lock is held for the writing alone, so commits to one
scope follow each other closely, and those of different scopes never meet. A single op takes a short way with the same
result: one read and one statement. Hints are sent after the data is durable.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from typing import Any, NamedTuple

import anyio
import msgspec
import structlog
from anyio import to_thread
from anyio.lowlevel import checkpoint
from msgspec import Struct

from apex_server.db import Hint
from apex_server.sync.chaining import chained
from apex_server.sync.collecting import collector_paused
from apex_server.sync.judging import RETRY, Hearing, Verdict, rejected
from apex_server.sync.receipts import ReceiptBook
from apex_server.sync.store import (
    ABSENT,
    Access,
    AskedRecord,
    Commit,
    CommitSession,
    CommitStore,
    LockedScope,
    RecordChange,
    RecordState,
    ScopeState,
    UnstorableBatch,
    Writer,
)
from apex_sync.digest import add_digests
from apex_sync.ids import Scope
from apex_sync.protocol.messages import PUSH_RECORDS_MAX

__all__ = ["Hints", "Outcome", "Proposal", "ScopeCommitter"]

Hints = Callable[[list[Hint]], Awaitable[None]]

SLICE_BYTES = 24 * 1024
"""About 16 workouts, judged in 2 ms; then whatever else the server has to do gets its turn."""

HEAVY_BYTES = 128 * 1024
"""A record of that much takes 100 ms and more, a session of 10,000 sets a second: a thread judges it meanwhile."""

LARGE_BATCH_RECORDS = 16

BATCHES_MAX = 3
"""Each is about 15 MB between judging and storing; more of them wait their turn as what came in, 4 MB at most."""

DIRTY_KINDS: Mapping[str, str] = {
    "body_metrics": "check_in",
    "check_ins": "check_in",
    "nutrition_logs": "training",
    "nutrition_targets": "training",
    "profiles": "training",
    "programs": "training",
    "workout_logs": "training",
}
"""The analysis that a change in a collection calls for, named as the `kind` of the insights it makes."""

_log = structlog.get_logger(__name__)


class Proposal(NamedTuple):
    """One proposed change of so many bytes, and how it is judged; `judge` decides from its arguments alone."""

    asked: AskedRecord
    size: int
    judge: Callable[[Hearing, RecordState], Verdict]

    @property
    def record_id(self) -> bytes:
        """The record that is to change."""
        return self.asked.record_id


class Outcome(NamedTuple):
    """What became of proposals, in their order, and the seq that their scope had reached."""

    verdicts: list[Verdict]
    seq: int


class _Round(Struct):
    """Proposals for different records of one scope, on their way through one commit.

    `verdicts` hold for the scope as it was at `seen_seq`.
    """

    scope: str
    writer: Writer
    hearing: Hearing
    proposals: Sequence[Proposal]
    verdicts: list[Verdict]
    seen_seq: int
    seal: Any

    def places(self) -> list[int]:
        """Where there is something to store."""
        return [place for place, verdict in enumerate(self.verdicts) if verdict.change is not None]

    def asked(self, places: Sequence[int]) -> list[AskedRecord]:
        """Which records they are."""
        return [self.proposals[place].asked for place in places]


class ScopeCommitter:
    """Commits proposals to one scope at a time."""

    def __init__(
        self,
        store: CommitStore,
        *,
        receipts: ReceiptBook,
        now_us: Callable[[], int],
        hints: Hints,
    ) -> None:
        self._store = store
        self._receipts = receipts
        self._now_us = now_us
        self._hints = hints
        self._batches = anyio.CapacityLimiter(BATCHES_MAX)
        self._heavy = anyio.CapacityLimiter(1)

    async def commit(
        self, scope: str, writer: Writer, proposals: Sequence[Proposal], *, system_client_id: int
    ) -> Outcome:
        """Judge and store proposals; the answers are true once this returns.

        `system_client_id` is the one under which the server shortens what has grown too long. Raises
        DatabaseUnavailable, and whatever a `judge` raises: then nothing of its round was stored.
        """
        verdicts: list[Verdict] = []
        seq = 0
        for part in rounds(proposals):
            async with self._batches if len(part) >= LARGE_BATCH_RECORDS else nullcontext():
                outcome = await self._commit_round(scope, writer, part, system_client_id)
            verdicts += outcome.verdicts
            seq = outcome.seq
        return Outcome(verdicts, seq)

    async def _commit_round(
        self, scope: str, writer: Writer, proposals: Sequence[Proposal], system_client_id: int
    ) -> Outcome:
        asked = [proposal.asked for proposal in proposals]
        async with self._store.session(writer.user_id) as session:
            view = await session.view(scope, writer.client_id, asked)
            if view.state.access is None:
                return Outcome([not_granted() for _ in proposals], 0)
            hearing = self._hearing(scope, writer, view.state.access, system_client_id)
            verdicts = [Verdict(RETRY)] * len(proposals)
            trial = _Round(scope, writer, hearing, proposals, verdicts, view.state.seq, view.seal)
            if len(proposals) == 1:
                return Outcome(trial.verdicts, await self._commit_one(session, trial, view.state, view.records))
        await self._judge(trial, range(len(proposals)), view.records)
        return Outcome(trial.verdicts, await self._store_all(trial, trial.places(), view.state.seq))

    async def _commit_one(
        self, session: CommitSession, trial: _Round, state: ScopeState, records: Mapping[bytes, RecordState]
    ) -> int:
        """Take the short way, if nobody else commits to the scope at this moment."""
        state_of_record = records.get(trial.proposals[0].record_id, ABSENT)
        trial.verdicts[0] = await self._judged(trial.proposals[0], trial.hearing, state_of_record)
        if trial.verdicts[0].change is None:
            return state.seq
        commit = self._commit_of(trial, [0], state)
        try:
            if await session.save_if_unchanged(commit):
                await self._hints([Hint(trial.scope, commit.seq)])
                return commit.seq
        except UnstorableBatch as error:
            give_up(trial, 0, error)
            return state.seq
        return await self._store_in(session, trial, [0], state.seq)

    async def _store_all(self, trial: _Round, places: list[int], seq: int) -> int:
        if not places:
            return seq
        async with self._store.session(trial.writer.user_id) as session:
            return await self._store_in(session, trial, places, seq)

    async def _store_in(self, session: CommitSession, trial: _Round, places: list[int], seq: int) -> int:
        """Store what is at these places, in one transaction if it can be; give the seq that the scope has reached."""
        try:
            commit = await self._store_together(session, trial, places)
        except UnstorableBatch as error:
            if len(places) == 1:
                give_up(trial, places[0], error)
                return seq
            middle = len(places) // 2
            seq = await self._store_in(session, trial, places[:middle], seq)
            return await self._store_in(session, trial, places[middle:], seq)
        if commit is None:
            return seq
        await self._hints([Hint(trial.scope, commit.seq)])
        return commit.seq

    async def _store_together(self, session: CommitSession, trial: _Round, places: list[int]) -> Commit | None:
        async with session.locked(trial.scope) as locked:
            if locked.state.access is None:
                for place in places:
                    trial.verdicts[place] = not_granted()
                return None
            await self._judge_again(trial, places, locked, locked.state.access)
            left = [place for place in places if trial.verdicts[place].change is not None]
            if not left:
                return None
            commit = self._commit_of(trial, left, locked.state)
            await locked.save(commit)
        return commit

    async def _judge_again(self, trial: _Round, places: list[int], locked: LockedScope, access: Access) -> None:
        """Judge what has changed since it was read, now that nothing can change any more."""
        asked = trial.asked(places)
        if access != trial.hearing.access:
            trial.hearing = msgspec.structs.replace(trial.hearing, access=access)
            await self._judge(trial, places, await locked.changed(trial.writer.client_id, asked, 0))
        elif locked.state.seq != trial.seen_seq:
            changed = await locked.changed(trial.writer.client_id, asked, trial.seen_seq)
            again = [place for place in places if trial.proposals[place].record_id in changed]
            await self._judge(trial, again, changed)

    async def _judge(self, trial: _Round, places: Sequence[int], records: Mapping[bytes, RecordState]) -> None:
        """Judge in slices, so that a large batch keeps nobody waiting."""
        judged_bytes = 0
        with collector_paused() if len(places) >= LARGE_BATCH_RECORDS else nullcontext():
            for place in places:
                proposal = trial.proposals[place]
                state = records.get(proposal.record_id, ABSENT)
                trial.verdicts[place] = verdict = await self._judged(proposal, trial.hearing, state)
                if verdict.change is not None:
                    self._store.encode(trial.hearing.scope_id, verdict.change, trial.seal)
                judged_bytes += size_of(proposal, state)
                if judged_bytes >= SLICE_BYTES:
                    judged_bytes = 0
                    await checkpoint()

    async def _judged(self, proposal: Proposal, hearing: Hearing, state: RecordState) -> Verdict:
        if size_of(proposal, state) < HEAVY_BYTES:
            return proposal.judge(hearing, state)
        return await to_thread.run_sync(proposal.judge, hearing, state, limiter=self._heavy)

    def _hearing(self, scope: str, writer: Writer, access: Access, system_client_id: int) -> Hearing:
        parsed = Scope.parse(scope)
        return Hearing(
            parsed.kind,
            parsed.id.bytes,
            access,
            writer.client_id,
            system_client_id,
            self._now_us(),
            self._receipts,
        )

    def _commit_of(self, trial: _Round, places: Sequence[int], state: ScopeState) -> Commit:
        changes: list[Any] = [trial.verdicts[place].change for place in places]
        digests = ((0 if change.before is None else change.before.digest, change.digest) for change in changes)
        at_us = trial.hearing.now_us
        chain = chained(self._store.audit_chain, trial.scope, state, trial.writer, at_us, changes)
        return Commit(
            scope=trial.scope,
            before=state,
            writer=trial.writer,
            at_us=at_us,
            changes=changes,
            digest=add_digests(state.digest, *digests),
            chain=chain.state,
            links=chain.links,
            dirty_kinds=dirty_kinds(trial, changes),
        )


def size_of(proposal: Proposal, state: RecordState) -> int:
    """Give how many bytes have to be judged."""
    return proposal.size + (len(state.record.doc) if state.record is not None else 0)


def rounds(proposals: Sequence[Proposal]) -> Iterator[list[Proposal]]:
    """Cut proposals into commits of bounded size in which no record occurs twice."""
    part: list[Proposal] = []
    record_ids: set[bytes] = set()
    for proposal in proposals:
        if proposal.record_id in record_ids or len(part) >= PUSH_RECORDS_MAX:
            yield part
            part, record_ids = [], set()
        part.append(proposal)
        record_ids.add(proposal.record_id)
    if part:
        yield part


def dirty_kinds(trial: _Round, changes: Sequence[RecordChange]) -> list[str]:
    """Name the analyses that changes call for; what the analysis itself wrote calls for none."""
    if trial.hearing.scope_kind != "athlete" or trial.hearing.access == "system":
        return []
    return sorted({DIRTY_KINDS[change.collection] for change in changes if change.collection in DIRTY_KINDS})


def not_granted() -> Verdict:
    """Answer for a scope that the user has no part in, whether or not it exists."""
    return rejected("not_granted", "this scope is not granted to you")


def give_up(trial: _Round, place: int, error: UnstorableBatch) -> None:
    """Leave one record with its device, so that it holds up nothing else, and somebody can look into it."""
    record_id = trial.proposals[place].record_id
    _log.error("record_unstorable", scope=trial.scope, record_id=record_id.hex(), reason=error.reason)
    trial.verdicts[place] = Verdict(RETRY)
