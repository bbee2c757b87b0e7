"""Bugs to plant: each takes one guard out of the product for a block, and a run of the simulator must notice.

Planting is patching from outside, so nothing of it is in what is shipped.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple
from unittest.mock import patch

import msgspec

from apex_server.auth import refresh
from apex_server.sync import feed, judging, scope_commit
from apex_server.sync.chaining import spans_in_order
from apex_server.sync.cursors import Cursor
from apex_server.sync.scope_commit import ScopeCommitter
from apex_server.sync.store import Commit
from apex_sync import compaction
from apex_sync import fold as folding
from apex_sync.collection import Collection
from apex_sync.digest import add_digests
from apex_sync.fold import Fold
from apex_sync.ids import private_scope
from apex_sync.protocol import PushResult
from apex_sync.session import device, held
from apex_sync.session.held import HeldRecord
from apex_sync.session.pull import PulledPages
from apex_sync.session.push import PushAnswers
from apex_sync.session.repair import Repair
from apex_sync.session.session import SyncSession
from tests.simulation import memory_database, sign_ins
from tests.simulation.memory_database import MemoryDatabase
from tests.simulation.memory_people import MemoryPeople
from tests.simulation.memory_replica import MemoryReplicaStore
from tests.simulation.plan import Plan
from tests.simulation.world import simulate

Patch = tuple[Any, str, Any]
"""An object, the name of what is replaced in it, and by what."""


class Bug(NamedTuple):
    """What is replaced, and the words with which an oracle has to tell of it: anything else has not found it."""

    patches: list[Patch]
    told: str


def nothing(*arguments: Any, **options: Any) -> None:
    """Do nothing."""


async def nothing_later(*arguments: Any, **options: Any) -> None:
    """Do nothing, and wait for it."""


def no(*arguments: Any, **options: Any) -> bool:
    """Say no."""
    return False


def no_values(*arguments: Any, **options: Any) -> list[Any]:
    """Find nothing."""
    return []


def without_conflicts(writes: Any, *, real: Any = folding.fold) -> Fold:
    """Fold, and keep quiet about what was written concurrently."""
    folded: Fold = msgspec.structs.replace(real(writes), conflicts=[])
    return folded


def as_any_role(self: Any, patch: Any, role: Any) -> list[str]:
    """Let everybody write everything."""
    return []


def acknowledged_anyway(self: PushAnswers, record: HeldRecord, sent: Any, result: PushResult, **how: Any) -> bool:
    """Take `retry` for an acknowledgement."""
    if result.status == "retry":
        record.acked = sent.next_clock
        record.settle()
        return False
    return real_absorb(self, record, sent, result, **how)


def deaf_to_forks(self: PushAnswers, record: HeldRecord, sent: Any, result: PushResult, **how: Any) -> bool:
    """Let nobody tell this device that another one writes under its client id."""
    return result.status != "forked" and real_absorb(self, record, sent, result, **how)


def in_another_order(self: SyncSession, sent: Any, response: Any) -> bool:
    """Take each answer for that of another record."""
    return real_absorb_results(self, sent, msgspec.structs.replace(response, results=response.results[::-1]))


def without_the_last(self: PulledPages, scope: str, records: Any) -> bool:
    """Lose the last record of each page."""
    return real_absorb_records(self, scope, records[:-1])


def joined_with_what_was_sent(self: HeldRecord, op: bytes) -> tuple[int, int]:
    """Add to an op that has left the device."""
    sent, self.sent = self.sent, self.acked
    place = real_append(self, op)
    self.sent = max(self.acked, sent)
    return place


def forgotten_quietly(self: SyncSession, names: Any) -> None:
    """Drop a scope with what was never sent."""
    for name in names:
        self.device.store.drop_scope(name)


def from_any_epoch(self: Any, grant: Any, asked: Any) -> Any:
    """Go on from a cursor of before the restore."""
    cursor, _ = real_start(self, grant, asked)
    return cursor, False


def told_of_everything(spans: Any, start: Any, client_id: Any) -> bool:
    """Take what others added together with the device for its own echo."""
    return any(span.client_id == client_id for span in spans)


def stored_without_a_look(self: ScopeCommitter, trial: Any, places: Any, locked: Any, access: Any) -> Any:
    """Store what was judged before the lock, whatever has been committed since."""
    return nothing_later()


def never_durable(self: MemoryReplicaStore, *, durable: bool = True) -> Any:
    """Let the power take any save."""
    return real_transaction(self, durable=False)


def first_stamp_wins(rank: Callable[[Any], Any] = folding._rank) -> Callable[[Any], Any]:
    """Put the writes into the opposite order."""
    return lambda write: tuple(-part for part in rank(write))


def as_they_come(write: Any) -> int:
    """Rank no write above another."""
    return 0


def with_private_notes(self: MemoryPeople, user_id: Any) -> Any:
    """Grant athletes what their coaches note for themselves."""
    return {
        **real_scopes_of(self, user_id),
        **{private_scope(str(coach), str(user_id)): "reader" for coach, athlete in self._pairs if athlete == user_id},
    }


def taken_for_theft(row: Any, *, now: Any) -> Any:
    """Take a renewal that is tried again for that of a thief."""
    return "reused" if row.used_at else real_judge(row, now=now)


def leaving_the_scopes(self: MemoryReplicaStore, undo: list[tuple[Any, Any, Any]]) -> None:
    """Take back the records of what a crash broke off, and nothing else."""
    real_roll_back(self, [change for change in undo if change[0] is self._image.records])


def from_the_first(self: Any, grant: Any, asked: Any) -> Any:
    """Read everything to everybody every time."""
    return Cursor.fresh(self._identity.epoch, grant.seq), False


def told_too_late(change: Any) -> Any:
    """Leave the first op of everybody out of the audit."""
    return [span._replace(first_clock=max(span.first_clock, 1)) for span in real_spans(change)]


async def nothing_older(self: Any, reader: Any, grant: Any, start: Any) -> Any:
    """Give a new device only what is new."""
    return [], start._replace(tail=0)


real_surviving_writes = folding.surviving_writes
real_absorb = PushAnswers.absorb
real_absorb_results = SyncSession._absorb_results
real_absorb_records = PulledPages._absorb_records
real_append = HeldRecord._append
real_start = feed.Feed._start
real_transaction = MemoryReplicaStore.transaction
real_roll_back = MemoryReplicaStore._roll_back
real_scopes_of = MemoryPeople.scopes_of
real_judge = refresh.judge
real_spans = spans_in_order

NO_COMPARING: Patch = (Repair, "compare", nothing)
"""Digests find and mend what some guards prevent, so both are taken away together."""

BUGS: dict[str, Bug] = {
    "retry counts as acknowledged": Bug(
        [(PushAnswers, "absorb", acknowledged_anyway)], "as acknowledged that the server does not have"
    ),
    "forks go unheard": Bug([(PushAnswers, "absorb", deaf_to_forks)], "still waits to be sent"),
    "answers mixed up": Bug([(SyncSession, "_absorb_results", in_another_order)], "doubled"),
    "a page loses its last record": Bug([(PulledPages, "_absorb_records", without_the_last)], "has forgotten ops"),
    "what was sent is added to": Bug([(HeldRecord, "_append", joined_with_what_was_sent)], "doubled"),
    "unsent work goes with a revoked scope": Bug([(SyncSession, "_forget", forgotten_quietly)], "lost"),
    "a revoked scope stays": Bug([(SyncSession, "_forget", nothing)], "is still here, and not granted"),
    "refused content is not kept": Bug([(PushAnswers, "_reject", nothing)], "lost"),
    "refused edits are not written again": Bug([(PushAnswers, "_write_again", nothing)], "lost"),
    "a gap is not answered": Bug([(PushAnswers, "_escalate", nothing)], "still waits to be sent"),
    "own work goes when a record is pulled": Bug([(HeldRecord, "_put_back", nothing)], "lost"),
    "a restored server is offered nothing, and no digest tells": Bug(
        [(MemoryReplicaStore, "offer_all", nothing), NO_COMPARING], "differs from the server's"
    ),
    "a fork writes nothing again": Bug([(device, "_write_again_as", nothing)], "lost"),
    "saves are not durable": Bug([(MemoryReplicaStore, "transaction", never_durable)], "lost"),
    "old cursors hold in a new epoch, and no digest tells": Bug(
        [(feed.Feed, "_start", from_any_epoch), NO_COMPARING], "differs from the server's"
    ),
    "changes of others are taken for echoes": Bug([(feed, "is_echo", told_of_everything)], "had to be repaired"),
    "nothing is judged again under the lock": Bug(
        [(ScopeCommitter, "_judge_again", stored_without_a_look)], "as acknowledged that the server does not have"
    ),
    "conflicts are not shown": Bug([(held, "fold", without_conflicts)], "has the conflicts"),
    "the older write wins": Bug([(folding, "_rank", first_stamp_wins())], "right after"),
    "what comes last wins": Bug([(folding, "_rank", as_they_come)], "by the naive model"),
    "anybody writes any field": Bug([(Collection, "forbidden_fields", as_any_role)], "written by the"),
    "the tables lag": Bug([(judging, "project", lambda collection, record: {})], "are not those of what it folds to"),
    "clocks do not follow what was seen": Bug(
        [(held, "next_hlc", lambda now_us, *seen, **more: now_us)], "right after"
    ),
    "the rejected box is not kept": Bug([(MemoryReplicaStore, "reject", nothing)], "lost"),
    "records in doubt are never asked for": Bug([(Repair, "resend", no_values)], "differs from the server's"),
    "a compaction loses a write": Bug(
        [(compaction, "surviving_writes", lambda writes: real_surviving_writes(writes)[1:])], "a compaction changed"
    ),
    "everybody may write everywhere": Bug(
        [(MemoryDatabase, "access", lambda self, user_id, scope: "athlete")], "wrote without access"
    ),
    "a dismissed coach goes on writing": Bug([(MemoryPeople, "dismiss", nothing)], "wrote without access"),
    "athletes read what is private to their coach": Bug(
        [(MemoryPeople, "scopes_of", with_private_notes)], "which is private to others"
    ),
    "the feed skips what is older": Bug([(feed.Feed, "_older", nothing_older)], "had to be repaired"),
    "the feed skips a number": Bug(
        [(Commit, "seq", property(lambda commit: commit.before.seq + len(commit.changes) + 1))], "the feed has a gap"
    ),
    "the feed begins anew each time": Bug([(feed.Feed, "_start", from_the_first)], "and still they talk"),
    "a page loses its last record, and no digest tells": Bug(
        [(PulledPages, "_absorb_records", without_the_last), NO_COMPARING], "differs from the server's"
    ),
    "a crash tears a transaction": Bug([(MemoryReplicaStore, "_roll_back", leaving_the_scopes)], "a torn page"),
    "the audit leaves out an op": Bug([(memory_database, "spans_in_order", told_too_late)], "the audit of"),
    "digests are not carried on": Bug(
        [(judging, "extend_digest", lambda digest, *more: digest)], "as acknowledged that the server does not have"
    ),
    "a scope's digest leaves out a record": Bug(
        [(scope_commit, "add_digests", lambda total, *changes: add_digests(total, *changes[1:]))],
        "differs from the server's",
    ),
    "whoever lost an answer is taken for a thief": Bug([(sign_ins, "judge", taken_for_theft)], "for a thief"),
    "conflicts are not flagged": Bug([(judging, "fold", without_conflicts)], "has conflicts, and does not say so"),
}


@contextmanager
def planted(name: str) -> Iterator[None]:
    """Have a bug for the block."""
    with ExitStack() as stack:
        for thing, attribute, replacement in BUGS[name].patches:
            stack.enter_context(patch.object(thing, attribute, replacement))
        yield


def finding_seed(name: str, seeds: Iterable[int], steps: int) -> int | None:
    """Give the first seed that notices a bug, and says so in the expected words; None where none does."""
    with planted(name):
        for seed in seeds:
            if any(BUGS[name].told in failure for failure in simulate(Plan.of(seed, steps)).failures):
                return seed
    return None
