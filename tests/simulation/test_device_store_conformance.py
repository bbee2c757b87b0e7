"""What `session.Store` promises, held of SQLite and of memory alike: simulated devices keep what real ones keep."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from apex_client.store import ReplicaStore
from apex_sync.session.device import SELF_SCOPE, HeldScope, Identity, Rejection
from apex_sync.session.held import HeldRecord, Offer
from tests.client.fleet import Clock
from tests.simulation.memory_replica import MemoryReplicaStore

AnyStore = ReplicaStore | MemoryReplicaStore
MINE, OTHER = 77, 88
SCOPE, ELSEWHERE = "athlete:00000000-0000-0000-0000-000000000001", "athlete:00000000-0000-0000-0000-000000000002"
IDS = [f"00000000-0000-7000-8000-{number:012}" for number in range(6)]
KEYS = {"sqlite": None, "sqlcipher": bytes(range(32))}
NOTHING_SKIPPED: list[tuple[str, str]] = []


class Broken(Exception):
    """What ends a transaction before its time."""


def new_store(kind: str, path: Path) -> AnyStore:
    clock = Clock()
    store = MemoryReplicaStore(clock) if kind == "memory" else ReplicaStore(path / f"{kind}.db", clock, KEYS[kind])
    with store.transaction():
        store.save_identity(Identity(MINE))
    return store


@pytest.fixture(params=["sqlite", "sqlcipher", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> AnyStore:
    return new_store(request.param, tmp_path)


def record(record_id: str, scope: str = SCOPE, note: str = "x") -> HeldRecord:
    held = HeldRecord(record_id, scope, "workout_logs", MINE)
    held.write({"notes": note}, 1_772_388_300_000_000)
    return held


def kept(store: AnyStore, scope: str = SCOPE) -> dict[str, Any]:
    """Tell everything that a store gives of a scope's records."""
    with store.transaction():
        return {
            record_id: (
                held.state, dict(held.document.next_clocks), held.acked, held.sent, held.digest, held.receipt,
                held.pull_receipt, held.pull_clock, held.offer, held.blocked, held.client_id, held.known_conflicts,
            )
            for record_id, held in sorted(store.load(scope, IDS).items())
        }  # fmt: skip


def test_what_is_saved_comes_back(store: AnyStore) -> None:
    held = record(IDS[0])
    held.acked = held.sent = 1
    held.receipt, held.pull_receipt, held.pull_clock, held.blocked = b"r", b"p", 1, "forbidden"
    held.settle()
    with store.transaction():
        store.save([held], "local")
    before = kept(store)
    assert before[IDS[0]][2:] == (1, 1, held.digest, b"r", b"p", 1, Offer.NONE, "forbidden", MINE, 0)
    assert before[IDS[0]][0] == {"notes": "x"}


def test_a_transaction_is_all_or_nothing(store: AnyStore) -> None:
    with store.transaction():
        store.save([record(IDS[0])], "local")
        store.save_scope(HeldScope(SCOPE, "athlete", b"here"))
    before = kept(store), store.scopes()
    with pytest.raises(Broken), store.transaction():
        changed = store.load(SCOPE, IDS)[IDS[0]]
        changed.write({"notes": "y"}, 1_772_388_300_000_009)
        store.save([changed, record(IDS[1])], "local")
        store.save_scope(HeldScope(SCOPE, "athlete", b"there"))
        store.save_identity(Identity(OTHER))
        store.reject([rejection(IDS[0])])
        raise Broken
    assert (kept(store), store.scopes()) == before
    assert store.identity() == Identity(MINE)
    assert store.counts()["rejected"] == 0


def test_an_inner_transaction_belongs_to_the_outer_one(store: AnyStore) -> None:
    with pytest.raises(Broken), store.transaction():
        with store.transaction():
            store.save([record(IDS[0])], "local")
        raise Broken
    assert kept(store) == {}


def test_a_record_is_one_object_in_a_transaction(store: AnyStore) -> None:
    with store.transaction():
        store.save([record(IDS[0])], "local")
    with store.transaction():
        first = store.outbox(10, NOTHING_SKIPPED)[0]
        first.sent = 1
        store.save_progress([first])
        assert store.load(SCOPE, [IDS[0]])[IDS[0]].sent == 1


def test_the_outbox_gives_what_waits_longest_and_never_what_cannot_be_sent(store: AnyStore) -> None:
    with store.transaction():
        for record_id in (IDS[2], IDS[0], IDS[1]):
            store.save([record(record_id)], "local")
        blocked, unowned = record(IDS[3]), record(IDS[4], SELF_SCOPE)
        blocked.blocked = "malformed"
        store.save([blocked, unowned], "local")
    with store.transaction():
        assert [held.record_id for held in store.outbox(10, NOTHING_SKIPPED)] == [IDS[2], IDS[0], IDS[1]]
        assert [held.record_id for held in store.outbox(1, [(SCOPE, IDS[2])])] == [IDS[0]]


def test_unacknowledged_are_all_with_own_ops_in_the_order_of_their_places(store: AnyStore) -> None:
    with store.transaction():
        done = record(IDS[1])
        done.acked = done.sent = 1
        blocked = record(IDS[2])
        blocked.blocked = "malformed"
        store.save([record(IDS[0]), done, blocked, record(IDS[3], ELSEWHERE)], "local")
    with store.transaction():
        first = store.unacknowledged(0, 2)
        assert [held.record_id for held in first] == [IDS[0], IDS[2]]
        assert [held.record_id for held in store.unacknowledged(first[-1].place, 9)] == [IDS[3]]


def test_the_digest_of_a_scope_is_carried_by_the_store(store: AnyStore) -> None:
    records = [record(record_id) for record_id in IDS[:3]]
    for held in records:
        held.acked = held.sent = 1
        held.settle()
    with store.transaction():
        store.save(records, "pulled")
        store.save_scope(HeldScope(SCOPE, "athlete", b"c", digest=12345))
    with store.transaction():
        assert store.scopes()[SCOPE].digest == sum(held.digest for held in records) % 2**128
        assert store.digests(SCOPE) == [(held.record_id, held.digest) for held in records]


def test_a_dropped_scope_leaves_nothing(store: AnyStore) -> None:
    with store.transaction():
        store.save([record(IDS[0]), record(IDS[1], ELSEWHERE)], "local")
        store.save_scope(HeldScope(SCOPE, "athlete"))
        store.drop_scope(SCOPE)
        store.drop_scope("athlete:unknown")
    assert kept(store) == {}
    assert list(kept(store, ELSEWHERE)) == [IDS[1]]
    with store.transaction():
        assert SCOPE not in store.scopes()


def test_everything_of_a_scope_is_offered_but_what_was_refused(store: AnyStore) -> None:
    with store.transaction():
        done, blocked = record(IDS[0]), record(IDS[1])
        done.acked = done.sent = 1
        blocked.blocked = "malformed"
        store.save([done, blocked, record(IDS[2], ELSEWHERE)], "local")
        assert not store.offering(NOTHING_SKIPPED)
        assert not store.in_flight(SCOPE)
    with store.transaction():
        store.offer_all(SCOPE)
    with store.transaction():
        assert [held.offer for held in store.load(SCOPE, IDS[:2]).values()] == [Offer.WHOLE, Offer.NONE]
        assert store.offering(NOTHING_SKIPPED)
        assert not store.offering([(SCOPE, IDS[0])])
        assert store.in_flight(SCOPE)
        assert not store.in_flight(ELSEWHERE)


def test_renewed_clocks_begin_at_zero_where_nothing_is_unacknowledged(store: AnyStore) -> None:
    with store.transaction():
        done, waiting = record(IDS[0]), record(IDS[1])
        done.acked = done.sent = done.pull_clock = 1
        done.pull_receipt = b"proof"
        store.save([done, waiting], "local")
    with store.transaction():
        store.renew_clocks()
        store.save_identity(Identity(OTHER))
    with store.transaction():
        held = store.load(SCOPE, IDS)
        assert (held[IDS[0]].client_id, held[IDS[0]].acked, held[IDS[0]].sent) == (OTHER, 0, 0)
        assert held[IDS[0]].pull_receipt == b"proof"
        assert [each.record_id for each in store.unacknowledged(0, 9)] == [IDS[1]]


def test_held_rejections_of_a_scope_go_and_others_stay(store: AnyStore) -> None:
    with store.transaction():
        store.reject([rejection(IDS[0], held=True), rejection(IDS[1]), rejection(IDS[2], held=True, scope=ELSEWHERE)])
        store.drop_held_rejections(SCOPE)
        assert store.counts()["rejected"] == 2


def rejection(record_id: str, *, held: bool = False, scope: str = SCOPE) -> Rejection:
    return Rejection(
        record_id=record_id, scope=scope, collection="workout_logs", code="forbidden", field="", message="",
        patches=[{"notes": "x"}], at_us=1, held=held,
    )  # fmt: skip


Deed = Callable[[AnyStore, random.Random], None]


def edit(store: AnyStore, dice: random.Random) -> None:
    scope, record_id = dice.choice((SCOPE, ELSEWHERE)), dice.choice(IDS)
    held = store.one(scope, record_id) or HeldRecord(record_id, scope, "workout_logs", store.identity().client_id)
    held.write({"notes": str(dice.random())}, 1_772_388_300_000_000)
    store.save([held], "local")


def send(store: AnyStore, dice: random.Random) -> None:
    waiting = store.outbox(dice.randint(1, 4), NOTHING_SKIPPED)
    for held in waiting:
        held.sent = held.next_clock
        if dice.random() < 0.6:
            held.acked, held.offer = held.next_clock, Offer.NONE
            held.settle()
    store.save_progress(waiting)


def block(store: AnyStore, dice: random.Random) -> None:
    for held in store.outbox(1, NOTHING_SKIPPED):
        held.blocked = "malformed"
        store.save_progress([held])
        store.reject([rejection(held.record_id, held=True, scope=held.scope)])


def move(store: AnyStore, dice: random.Random) -> None:
    store.save_scope(
        HeldScope(dice.choice((SCOPE, ELSEWHERE)), "athlete", dice.randbytes(4), remaining=dice.randint(0, 3))
    )


def offer(store: AnyStore, dice: random.Random) -> None:
    store.offer_all(dice.choice((SCOPE, ELSEWHERE)))


def drop(store: AnyStore, dice: random.Random) -> None:
    if dice.random() < 0.3:
        store.drop_scope(ELSEWHERE)


def fail(store: AnyStore, dice: random.Random) -> None:
    edit(store, dice)
    raise Broken


DEEDS: tuple[Deed, ...] = (edit, edit, edit, send, send, block, move, offer, drop, fail)


@pytest.mark.parametrize("seed", range(40))
def test_both_keep_the_same_after_anything(seed: int, tmp_path: Path) -> None:
    told = []
    for kind in ("sqlcipher" if seed % 8 == 0 else "sqlite", "memory"):
        store, dice = new_store(kind, tmp_path), random.Random(seed)
        said: list[Any] = []
        for _ in range(60):
            deed = dice.choice(DEEDS)
            try:
                with store.transaction(durable=dice.random() < 0.5):
                    deed(store, dice)
            except Broken:
                pass
            with store.transaction():
                said.append(
                    (
                        deed.__name__,
                        [(held.scope, held.record_id) for held in store.outbox(9, NOTHING_SKIPPED)],
                        [(held.scope, held.record_id) for held in store.unacknowledged(0, 99)],
                        [store.digests(scope) for scope in (SCOPE, ELSEWHERE)],
                        [store.in_flight(scope) for scope in (SCOPE, ELSEWHERE)],
                        store.scopes(),
                        {name: count for name, count in store.counts().items() if name != "oldest_pending_us"},
                    )
                )
            said.append((kept(store), kept(store, ELSEWHERE)))
        told.append(said)
        store.close()
    for number, (sqlite, memory) in enumerate(zip(*told, strict=True)):
        assert sqlite == memory, number
