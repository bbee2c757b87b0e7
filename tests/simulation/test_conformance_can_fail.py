"""Each promise of a store is held: a store in memory that breaks it is found out by the suite."""

from collections.abc import Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import pytest

from apex_server.sync.store import Commit
from tests.simulation import memory_commits, memory_database, memory_feed
from tests.simulation.memory_commits import Connection, MemoryCommitSession, MemoryLockedScope
from tests.simulation.memory_database import MemoryDatabase, ScopeContent
from tests.simulation.memory_feed import MemoryFeedStore
from tests.simulation.store_world import MemoryStoreWorld
from tests.simulation.test_commit_store_conformance import StoreConformance

pytestmark = pytest.mark.anyio


class Plant(NamedTuple):
    """A bug: what takes the place of what, and the test of the suite that finds it."""

    where: Any
    name: str
    bug: Callable[..., Any]
    finder: str


states_of, fitting = memory_commits.states_of, memory_feed.fitting
audit_entries = memory_database.audit_entries


@asynccontextmanager
async def locked_by_nobody(session: MemoryCommitSession, scope: str) -> Any:
    """Let everybody in at once."""
    content = session._content(scope)
    access = session._database.access(session._user_id, scope)
    locked = MemoryLockedScope(session._connection, content, content.state(access))
    yield locked
    session._database.scopes[scope] = locked.content


@asynccontextmanager
async def access_of_before(session: MemoryCommitSession, scope: str) -> Any:
    """Look up the access, and then wait for the lock."""
    access = session._database.access(session._user_id, scope)
    async with session._database.locks[scope]:
        yield MemoryLockedScope(session._connection, ScopeContent(), session._content(scope).state(access))


async def save_at_once(locked: MemoryLockedScope, commit: Commit) -> None:
    """Let everybody see a commit before it is done."""
    locked._connection._database.scopes[commit.scope] = locked.content = locked.content.after(commit)


@asynccontextmanager
async def moving_snapshot(store: MemoryFeedStore, user_id: Any) -> Any:
    """Read whatever is there by now."""
    granted = store._database.scopes_of(user_id)
    yield memory_feed.MemoryFeedSnapshot(Connection(store._database, store._hook), granted, store._database.scopes)


async def reach(connection: Connection, moment: Any) -> None:
    """Go on, on a line that was cut."""


PLANTS: Mapping[str, Plant] = {
    "no lock": Plant(MemoryCommitSession, "locked", locked_by_nobody, "test_a_scope_has_one_writer"),
    "access of before the lock": Plant(
        MemoryCommitSession,
        "locked",
        access_of_before,
        "test_who_is_dismissed_while_waiting_for_the_lock_may_not_write",
    ),
    "durable before the end of the block": Plant(
        MemoryLockedScope, "save", save_at_once, "test_a_block_that_fails_leaves_nothing"
    ),
    "access to everything": Plant(MemoryDatabase, "access", lambda *_: "athlete", "test_a_stranger_sees_no_record"),
    "what did not change given again": Plant(
        memory_commits,
        "states_of",
        lambda content, client_id, asked, after_seq: states_of(content, client_id, asked, after_seq=after_seq - 1),
        "test_only_what_changed_after_a_seq_is_given_again",
    ),
    "anything stored": Plant(
        memory_commits,
        "refuse_unstorable",
        lambda content, commit: None,
        "test_a_record_that_is_there_is_not_stored_as_new",
    ),
    "dead ops forgotten": Plant(
        memory_database, "with_dead", lambda dead, commit: dead, "test_what_was_compacted_away_has_no_refusal"
    ),
    "nobody remembered": Plant(memory_database, "audit_entries", lambda commit: (), "test_who_changed_what_is_kept"),
    "links of nothing": Plant(
        memory_database,
        "audit_entries",
        lambda commit: (entry._replace(link=bytes(16)) for entry in audit_entries(commit)),
        "test_the_audit_is_one_chain_whichever_way_a_change_came",
    ),
    "one byte too many": Plant(
        memory_feed,
        "fitting",
        lambda records, bytes_max: fitting(records, bytes_max + 1),
        "test_records_come_by_id_and_the_last_may_go_beyond",
    ),
    "a snapshot that moves": Plant(MemoryFeedStore, "snapshot", moving_snapshot, "test_a_snapshot_shows_one_moment"),
    "a cut line that goes on": Plant(Connection, "reach", reach, "test_a_commit_that_is_cut_off_leaves_nothing"),
}


@pytest.mark.parametrize("plant", PLANTS.values(), ids=PLANTS)
async def test_a_store_that_breaks_a_promise_is_found_out(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    finder = getattr(StoreConformance(), plant.finder)
    cases = {"bytes_max": 10, "expected": [b"a" * 16]} if "beyond" in plant.finder else {}
    await finder(await MemoryStoreWorld().open(), **cases)
    monkeypatch.setattr(plant.where, plant.name, plant.bug)
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        await finder(await MemoryStoreWorld().open(), **cases)
