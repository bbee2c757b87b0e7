"""Bugs to plant: each takes one guard out of the product for a block, and a run of the simulator must notice.

Planting is patching from outside, so nothing of it is in what is shipped.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

import msgspec

from apex_server.sync import feed, judging
from apex_server.sync.scope_commit import ScopeCommitter
from apex_sync import compaction
from apex_sync import fold as folding
from apex_sync.collection import Collection
from apex_sync.fold import Fold
from apex_sync.protocol import PushResult
from apex_sync.session import device, held
from apex_sync.session.held import HeldRecord
from apex_sync.session.pull import PulledPages
from apex_sync.session.push import PushAnswers
from apex_sync.session.repair import Repair
from apex_sync.session.session import SyncSession
from tests.simulation.memory_database import MemoryDatabase
from tests.simulation.memory_replica import MemoryReplicaStore
from tests.simulation.plan import Plan
from tests.simulation.world import simulate

Patch = tuple[Any, str, Any]
"""An object, the name of what is replaced in it, and by what."""


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


def as_any_role(patch: Any, role: Any) -> list[str]:
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

LOSING_PAGES: list[Patch] = [(PulledPages, "_absorb_records", without_the_last)]
NO_COMPARING: Patch = (Repair, "compare", nothing)
"""Digests find and mend what these guards prevent, so both are taken away together."""

BUGS: dict[str, list[Patch]] = {
    "retry counts as acknowledged": [(PushAnswers, "absorb", acknowledged_anyway)],
    "forks go unheard": [(PushAnswers, "absorb", deaf_to_forks)],
    "answers mixed up": [(SyncSession, "_absorb_results", in_another_order)],
    "a page loses its last record": LOSING_PAGES,
    "what was sent is added to": [(HeldRecord, "_append", joined_with_what_was_sent)],
    "unsent work goes with a revoked scope": [(SyncSession, "_forget", forgotten_quietly)],
    "a revoked scope stays": [(SyncSession, "_forget", nothing)],
    "refused content is not kept": [(PushAnswers, "_reject", nothing)],
    "refused edits are not written again": [(PushAnswers, "_write_again", nothing)],
    "a gap is not answered": [(PushAnswers, "_escalate", nothing)],
    "own work goes when a record is pulled": [(HeldRecord, "_put_back", nothing)],
    "a restored server is offered nothing, and no digest tells": [
        (MemoryReplicaStore, "offer_all", nothing),
        NO_COMPARING,
    ],
    "a fork writes nothing again": [(device, "_write_again_as", nothing)],
    "saves are not durable": [(MemoryReplicaStore, "transaction", never_durable)],
    "old cursors hold in a new epoch, and no digest tells": [(feed.Feed, "_start", from_any_epoch), NO_COMPARING],
    "changes of others are taken for echoes": [(feed, "is_echo", told_of_everything)],
    "nothing is judged again under the lock": [(ScopeCommitter, "_judge_again", stored_without_a_look)],
    "conflicts are not shown": [(held, "fold", without_conflicts)],
    "the older write wins": [(folding, "_rank", first_stamp_wins())],
    "anybody writes any field": [(Collection, "forbidden_fields", as_any_role)],
    "the tables lag": [(judging, "project", lambda collection, record: {})],
    "clocks do not follow what was seen": [(held, "next_hlc", lambda now_us, *seen, **more: now_us)],
    "the rejected box is not kept": [(MemoryReplicaStore, "reject", nothing)],
    "records in doubt are never asked for": [(Repair, "resend", no_values)],
    "a compaction loses a write": [(compaction, "surviving_writes", lambda writes: real_surviving_writes(writes)[1:])],
    "everybody may write everywhere": [(MemoryDatabase, "access", lambda self, user_id, scope: "athlete")],
    "the feed skips what is older": [(feed.Feed, "_older", nothing_older)],
    "a page loses its last record, and no digest tells": [
        (Repair, "compare", nothing),
        (PulledPages, "_absorb_records", without_the_last),
    ],
}


@contextmanager
def planted(name: str) -> Iterator[None]:
    """Have a bug for the block."""
    with ExitStack() as stack:
        for thing, attribute, replacement in BUGS[name]:
            stack.enter_context(patch.object(thing, attribute, replacement))
        yield


def finding_seed(name: str, seeds: Iterable[int], steps: int) -> int | None:
    """Give the first seed that notices a bug; None where none does. An exception that nobody caught is noticed, too."""
    with planted(name):
        for seed in seeds:
            try:
                failed = bool(simulate(Plan.of(seed, steps)).failures)
            except Exception:  # noqa: BLE001 - a run that a bug breaks is a run that has found it.
                failed = True
            if failed:
                return seed
    return None
