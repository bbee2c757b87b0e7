"""The matrix of sync: every leaf of every collection × everybody × every scope that Anna has to do with.

A push of somebody who is nothing in a scope is answered as one to a scope that does not exist, and leaves no trace;
whoever only reads is told so; and each leaf takes what its writers write and nothing else. Pulls show each scope to
whom it is granted. Then the same with the checks of the application off: the policy function of the database alone.
"""

from collections.abc import AsyncIterator, Iterator
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import msgspec
import pytest

from apex_server.db import EmbeddedPostgres
from apex_server.sync import judging
from apex_sync.clock import next_hlc
from apex_sync.collection import Collection
from apex_sync.ids import record_id_from
from apex_sync.models import COLLECTIONS
from apex_sync.op import Patch, Write, encode_op
from apex_sync.protocol.messages import (
    PROTOCOL_VERSION,
    PushedRecord,
    PushResult,
    ScopeCursor,
    SyncRequest,
    SyncResponse,
    encode_message,
)
from apex_sync.wire import encode_push
from tests.server.matrix_leaves import LEAVES, SCOPES
from tests.server.matrix_world import CANARIES, PERSONS, MatrixWorld, matrix_world

pytestmark = pytest.mark.anyio

WHO = [who for who, role in PERSONS.items() if role is not None and role != "support"]
"""Support is refused before anything is read: test_matrix.py. Anonymous likewise."""

CLIENT_IDS = {who: 7_000 + number for number, who in enumerate(PERSONS)}
NOW_US = 1_780_000_000_000_000
KEPT_BY = {
    "athlete": "athlete", "private": "athlete", "thread": "athlete", "coach": "own_coach", "library": "own_coach",
    "global": "",
}  # fmt: skip


class Place(NamedTuple):
    """A collection in a scope that can hold it."""

    scope: str
    collection: Collection


PLACES = [
    Place(scope, collection)
    for scope in SCOPES
    for collection in COLLECTIONS.values()
    if scope.split(":")[0] in collection.scope_kinds
]


@pytest.fixture(scope="module")
async def world(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[MatrixWorld]:
    async with matrix_world(postgres, tmp_path_factory.mktemp("leaves")) as served:
        yield served


def writers_of(collection: str) -> dict[str, set[str]]:
    """Read the table: the writers of each leaf."""
    return {leaf: set(roles.split()) for roles, leaves in LEAVES[collection].items() for leaf in leaves.split()}


def named(place: Place) -> str:
    return f"{place.collection.name} in {place.scope.split(':')[0]}"


def test_every_leaf_of_every_collection_is_in_the_matrix_and_nothing_else() -> None:
    assert set(LEAVES) == set(COLLECTIONS), "list each collection in LEAVES of tests/server/matrix_leaves.py"
    for name, collection in COLLECTIONS.items():
        declared, listed = set(collection.model.__struct_fields__), set(writers_of(name))
        assert declared == listed, (
            f"{sorted(declared ^ listed)} of {name}: list each leaf once in LEAVES of tests/server/matrix_leaves.py, "
            "under who may write it"
        )
        assert sum(len(leaves.split()) for leaves in LEAVES[name].values()) == len(listed), f"a leaf of {name} twice"


@pytest.mark.parametrize("place", PLACES, ids=named)
async def test_each_leaf_takes_what_its_writers_write_and_nothing_else(world: MatrixWorld, place: Place) -> None:
    await check_leaves(world, place)


async def check_leaves(world: MatrixWorld, place: Place) -> None:
    """Push one record for each leaf, as everybody."""
    scope, writers = name_of(world, place.scope), writers_of(place.collection.name)
    for who in WHO:
        access = SCOPES[place.scope].get(who)
        results = await push(world, who, scope, place.collection)
        if access in (None, "reader"):
            assert codes(results) == {"not_granted"}, (who, results)
            assert not await world.changed(), f"{who} is refused in {scope} and left a trace"
        for leaf, result in results.items():
            if access not in (None, "reader"):
                assert (result.refusals == []) == (access in writers[leaf]), (who, leaf, result)
                assert {refusal.code for refusal in result.refusals} <= {"forbidden"}, (who, leaf, result)
        if access is None and scope != "global":
            assert told(results) == told(await push(world, who, absent(scope), place.collection)), who
        await world.restore()


async def test_pulls_show_each_scope_to_whom_it_is_granted(world: MatrixWorld) -> None:
    for who in WHO:
        pages = {page.scope: page for page in (await pull(world, who)).pages}
        for scope, access_by_person in SCOPES.items():
            page = pages.get(name_of(world, scope))
            assert (page.role if page else None) == access_by_person.get(who), (who, scope)
        shown = msgspec.msgpack.encode(list(pages.values()))
        assert (CANARIES[0].encode() in shown) == (who in ("athlete", "own_coach", "owner")), who
        assert (CANARIES[1].encode() in shown) == (who in ("athlete", "own_coach", "owner")), who
    await world.restore()


async def test_a_cursor_of_somebody_else_opens_nothing_and_tells_no_counts(world: MatrixWorld) -> None:
    """The cursors of the coach in the hands of everybody: what is not granted is forgotten like nothing."""
    cursors = {page.scope: page.cursor for page in (await pull(world, "own_coach")).pages}
    for who in WHO:
        own = {page.scope for page in (await pull(world, who)).pages}
        asked = {**cursors, absent(f"athlete:{world.things['athlete']}"): next(iter(cursors.values()))}
        answer = await pull(world, who, [ScopeCursor(scope, cursor, bytes(16)) for scope, cursor in asked.items()])
        assert set(answer.forget) == asked.keys() - own, who
        assert {page.scope for page in answer.pages} <= own, who
    await world.restore()


async def test_cursors_that_were_flipped_or_swapped_between_scopes_open_nothing_more(world: MatrixWorld) -> None:
    for who in ("athlete", "own_coach", "other_athlete", "ex_coach"):
        pages = (await pull(world, who)).pages
        own = {page.scope: page.cursor for page in pages}
        swapped = dict(zip(own, [*list(own.values())[1:], next(iter(own.values()))], strict=True))
        for cursors in (
            swapped,
            {scope: flipped(cursor) for scope, cursor in own.items()},
            dict.fromkeys(own, b"\xff"),
        ):
            answer = await pull(world, who, [ScopeCursor(scope, each, bytes(16)) for scope, each in cursors.items()])
            assert {page.scope for page in answer.pages} <= own.keys()
            assert answer.forget == []
    await world.restore()


# The database alone.


@pytest.fixture
def application_checks_off(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the application judge everybody as if they might write everything."""
    with monkeypatch.context() as patch:
        patch.setattr(judging, "READ_ONLY", frozenset())
        patch.setattr(Collection, "forbidden_fields", lambda self, patch, role: [])
        yield


@pytest.mark.parametrize("place", PLACES, ids=named)
async def test_the_policy_function_of_the_database_alone_refuses_every_push(
    world: MatrixWorld, place: Place, application_checks_off: None
) -> None:
    scope = name_of(world, place.scope)
    for who in WHO:
        if SCOPES[place.scope].get(who) is None:
            results = await push(world, who, scope, place.collection)
            assert codes(results) == {"not_granted"}, (who, results)
    assert not await world.changed()


# The matrix can fail.


@pytest.mark.parametrize("opened_to", ["athlete", "coach"])
async def test_a_leaf_open_to_the_wrong_writer_is_found_out(
    world: MatrixWorld, monkeypatch: pytest.MonkeyPatch, opened_to: Any
) -> None:
    declared = COLLECTIONS["check_ins"]
    writers = {**declared.writers, "ai_summary": frozenset({"system", opened_to})}
    planted = msgspec.structs.replace(declared, writers=writers)
    monkeypatch.setitem(COLLECTIONS, "check_ins", planted)
    with pytest.raises(AssertionError, match="ai_summary"):
        await check_leaves(world, Place("athlete:{athlete}", planted))
    await world.restore()


async def test_a_policy_function_that_grants_too_much_is_found_out(world: MatrixWorld) -> None:
    await world.owner.execute("ALTER FUNCTION apex_scope_access(uuid, text) RENAME TO kept")
    await world.owner.execute(
        "CREATE FUNCTION apex_scope_access(asking_user uuid, asked_scope text) RETURNS text LANGUAGE sql STABLE "
        "RETURN 'coach'"
    )
    await world.owner.execute("GRANT EXECUTE ON FUNCTION apex_scope_access(uuid, text) TO apex_app, apex_commit")
    try:
        with pytest.raises(AssertionError):
            await check_leaves(world, Place("athlete:{athlete}", COLLECTIONS["workout_logs"]))
    finally:
        await world.owner.execute("DROP FUNCTION apex_scope_access(uuid, text)")
        await world.owner.execute("ALTER FUNCTION kept(uuid, text) RENAME TO apex_scope_access")
        await world.restore()


# How it is asked.


def name_of(world: MatrixWorld, scope: str) -> str:
    return scope.format(**world.things)


def absent(scope: str) -> str:
    """Name a scope of the same kind of people who do not exist."""
    kind, *ids = scope.split(":")
    return ":".join([kind, *(str(uuid4()) for _ in ids)])


async def push(world: MatrixWorld, who: str, scope: str, collection: Collection) -> dict[str, PushResult]:
    """Push a new record for each leaf of a collection, with a value of its type in that leaf alone."""
    leaves = collection.model.__struct_fields__
    records = [pushed(who, scope, collection, leaf, number) for number, leaf in enumerate(leaves)]
    answer = await exchange(world, who, SyncRequest(PROTOCOL_VERSION, CLIENT_IDS[who], NOW_US, push=records))
    return dict(zip(leaves, answer.results, strict=True))


def pushed(who: str, scope: str, collection: Collection, leaf: str, number: int) -> PushedRecord:
    op = encode_op([Write(next_hlc(NOW_US, 0, number), [], {leaf: sample(collection, leaf)})])
    record_id = UUID(record_id_from(NOW_US // 1000, uuid4().bytes[:10])).bytes
    return PushedRecord(scope, collection.name, record_id, encode_push(CLIENT_IDS[who], 0, [op]))


def sample(collection: Collection, leaf: str) -> Any:
    """Give a value that a leaf can hold."""
    candidates: list[Any] = [
        None,
        True,
        1,
        "x",
        "on",
        {"k1": {"deleted": False}},
        {"k1": {"deleted": True}},
        {"k1": "x"},
        ["x"],
        [],
    ]
    for value in candidates:
        patch: Patch = {leaf: value}
        if collection.check_types(patch) is None:
            return value
    raise AssertionError(f"no sample fits {collection.name}.{leaf}")


async def pull(world: MatrixWorld, who: str, cursors: list[ScopeCursor] | None = None) -> SyncResponse:
    return await exchange(world, who, SyncRequest(PROTOCOL_VERSION, CLIENT_IDS[who], NOW_US, cursors=cursors or []))


async def exchange(world: MatrixWorld, who: str, request: SyncRequest) -> SyncResponse:
    headers = {"Content-Type": "application/vnd.apex.sync+msgpack"}
    answer = await world.people[who]("POST", "/api/sync", content=encode_message(request), headers=headers)
    assert answer.status_code == 200, answer.text
    return msgspec.msgpack.decode(answer.content, type=SyncResponse)


def codes(results: dict[str, PushResult]) -> set[str]:
    """Give why the ops were refused, and `applied` where one was not."""
    return {refusal.code for result in results.values() for refusal in result.refusals} | {
        result.status for result in results.values() if not result.refusals
    }


def told(results: dict[str, PushResult]) -> list[Any]:
    return [(result.status, result.next_clock, result.refusals, result.dead) for result in results.values()]


def flipped(cursor: bytes) -> bytes:
    return bytes(byte ^ 0x55 for byte in cursor)
