"""The matrix without the application's own checks: row-level security and the policy function stand alone.

Every check of a role, a scope, a recent sign-in or a verified address lets everybody pass here, and so does the guard
of support. Whoever has no business with a thing of Anna's still sees nothing of it and changes nothing.

What that leaves on is the predicates of the queries, which name the caller. So the routes are asked once more as Anna,
whose predicates are right, while the database acts for a stranger: then row-level security is all there is. Beneath
that, every table is asked without any predicate, as a query would that forgot it.
"""

import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, NoReturn
from uuid import UUID

import asyncpg
import pytest

from apex_server import caller, step_up
from apex_server.db import Connection, Database, EmbeddedPostgres
from apex_server.resources import reading
from apex_server.support import guard
from apex_sync.ids import Scope, private_scope
from tests.server.matrix_cases import ask, is_alike
from tests.server.matrix_leaves import TABLES
from tests.server.matrix_table import READERS, ROUTES, Case
from tests.server.matrix_world import CANARIES, PERSONS, MatrixWorld, matrix_world

pytestmark = pytest.mark.anyio

CASES = [case for case in ROUTES if case.thing]


def nothing_to_check(*_args: Any, **_named: Any) -> None:
    return


async def nothing_to_wait_for(*_args: Any, **_named: Any) -> None:
    return


async def always_a_coach(*_args: Any, **_named: Any) -> str:
    return "coach"


CHECKS = {
    caller.require_role: nothing_to_check,
    reading.require_scope: always_a_coach,
    step_up.require_recent_sign_in: nothing_to_wait_for,
    step_up.require_verified_email: nothing_to_wait_for,
}
"""What stands between people in the application, and what stands in its place here."""


@contextmanager
def application_checks_off() -> Iterator[None]:
    """Put a check that checks nothing wherever one is used; to support, every address is its own."""
    with pytest.MonkeyPatch.context() as patch:
        patched = 0
        for module in [module for name, module in sys.modules.items() if name.startswith("apex_server")]:
            for name, value in list(vars(module).items()):
                instead = next((stub for check, stub in CHECKS.items() if value is check), None)
                if instead is not None:
                    patch.setattr(module, name, instead)
                    patched += 1
        assert patched > len(CHECKS)
        patch.setattr(guard, "OWN_ACCOUNT", ("",))
        yield


@pytest.fixture(scope="module")
async def world(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[MatrixWorld]:
    async with matrix_world(postgres, tmp_path_factory.mktemp("walls")) as served:
        with application_checks_off():
            yield served


def strangers(case: Case) -> list[str]:
    """List who has no business with a thing; a coach has some with their own place in an organisation."""
    party = READERS[case.thing] | ({"own_coach"} if case.thing == "coach" else frozenset())
    return [who for who, role in PERSONS.items() if role is not None and who not in party]


def named(case: Case) -> str:
    return f"{case.route} [{case.thing}]"


@pytest.mark.parametrize("case", CASES, ids=named)
async def test_the_database_alone_shows_nothing_of_hers_and_lets_nothing_be_changed(
    world: MatrixWorld, case: Case
) -> None:
    await check_case(world, case)


async def check_case(world: MatrixWorld, case: Case) -> None:
    for who in strangers(case):
        asked = await ask(world, case, who, "hers")
        found = set(asked.canaries) - ({CANARIES[0]} if who in ("athlete", "support") else set())
        assert not found, f"{who} found {found} in the answer of {case.route}"
        if case.kind == "lists":
            assert not asked.shows_thing, f"{who} found Anna's {case.thing} in {case.route}"
        if case.kind == "reads" and asked.answer.status_code != 404:
            # What is reckoned from many rows is nothing, of nobody's rows; then it is nothing for an absent one, too.
            absent = await ask(world, case, who, "absent")
            assert is_alike(asked, absent), f"{who} asked for {case.route} and got {asked}"
    changed = await world.restore()
    assert not changed, f"{case.route} changed {changed} for one of {strangers(case)}"


# Row-level security alone, with the predicates of the queries satisfied.


class InAnothersName(Database):
    """What handlers are given here: whoever a request is of, the database acts for somebody else.

    Handler and queries name whoever asks, rightly, so every predicate (`WHERE user_id = $1`) is satisfied, and nothing
    but row-level security stands between their rows and the other.
    """

    def __init__(self, database: Database, acting_for: UUID | None, look_id: UUID) -> None:
        may_copy, vault = database.commit_may_copy, database.vault
        super().__init__(database.app, database.commit, commit_may_copy=may_copy, vault=vault, look_id=look_id)
        self._acting_for = acting_for

    @asynccontextmanager
    async def request(self, user_id: UUID | None) -> AsyncIterator[Connection]:
        """Act for the other, whoever is named."""
        async with super().request(self._acting_for) as connection:
            yield connection


STRANGERS = ("other_athlete", "foreign_coach", "ex_coach", "foreign_owner", "support_without_consent")
BEHIND_DATABASE = [
    case
    for case in ROUTES
    if case.kind in ("reads", "lists")
    or (case.kind == "account" and case.method == "GET")
    or (case.kind == "writes" and case.thing in ("device", "passkey", "export", "link", "look", "coach"))
]
"""Routes that ask the database themselves; what writes records goes by the commit path, which tests of leaves hold."""


@pytest.mark.parametrize("case", BEHIND_DATABASE, ids=named)
async def test_the_predicates_of_the_queries_may_name_her_and_the_database_still_shows_nothing(
    world: MatrixWorld, case: Case
) -> None:
    await check_predicates(world, case)


async def check_predicates(world: MatrixWorld, case: Case) -> None:
    asks = next((who for who in ("athlete", "own_coach", "owner") if who in case.may), "athlete")
    hers = [world.things[name] for name in ("device", "passkey", "export", "look", "workout", "checkin", "insight")]
    telling = [*CANARIES, f"{asks}@example.com", *hers]
    state = world.whole.app.state
    database = state.database
    for who in STRANGERS:
        state.database = InAnothersName(database, world.people[who].id, UUID(world.things["look"]))
        try:
            asked = await ask(world, case, asks, "hers")
        finally:
            state.database = database
        shown = [] if asked.answer.status_code >= 400 else [each for each in telling if each in asked.answer.text]
        assert not shown, f"{case.route} shows {shown} to {who}, if only its predicates are right"
    changed = await world.restore()
    assert not changed, f"{case.route} changed {changed} with the rights of a stranger"


# Every table, asked without a predicate.


async def seen_in(world: MatrixWorld, table: str, who: str) -> bool:
    """Tell whether somebody finds a row about Anna in a table when they ask for all of it."""
    columns = await readable_ids(world.owner, table)
    hers = [UUID(value) for name, value in world.things.items() if name in ABOUT_ANNA]
    hers.append(Scope.parse(private_scope(world.things["coach"], world.things["athlete"])).id)
    about = " OR ".join(f"{column} = ANY ($1)" for column in columns) or "NULL = ANY ($1::uuid[])"
    database = world.whole.app.state.database.under_look(UUID(world.things["look"]))
    async with database.request(world.people[who].id) as connection:
        try:
            found = await connection.fetchval(f"SELECT EXISTS (SELECT 1 FROM {table} WHERE {about})", hers)
        except asyncpg.InsufficientPrivilegeError:
            return False
    return bool(found)


ABOUT_ANNA = ("athlete", "workout", "checkin", "program", "insight", "device", "look", "passkey", "export")


async def readable_ids(owner: asyncpg.Connection, table: str) -> list[str]:
    rows = await owner.fetch(
        "SELECT column_name FROM information_schema.columns WHERE table_schema = 'public' AND table_name = $1 "
        "AND data_type = 'uuid' AND has_column_privilege('apex_app', $1, column_name, 'SELECT')",
        table,
    )
    return [row["column_name"] for row in rows]


async def tables_with_rows_of_people(owner: asyncpg.Connection) -> set[str]:
    """List the tables with an id in them; those of the queue hold ids as bytes, and one row names the database."""
    rows = await owner.fetch(
        "SELECT DISTINCT table_name FROM information_schema.columns JOIN information_schema.tables "
        "USING (table_schema, table_name) WHERE table_schema = 'public' AND data_type = 'uuid' "
        "AND table_type = 'BASE TABLE' AND table_name NOT LIKE 'pgqueuer%' AND table_name <> 'server_identity'"
    )
    return {row["table_name"] for row in rows}


async def test_every_table_with_rows_of_people_is_in_the_matrix_and_nothing_else(world: MatrixWorld) -> None:
    tables = await tables_with_rows_of_people(world.owner)
    assert not tables - TABLES.keys(), (
        f"{sorted(tables - TABLES.keys())}: say in TABLES of tests/server/matrix_leaves.py who may read Anna's rows"
    )
    assert not TABLES.keys() - tables, f"{sorted(TABLES.keys() - tables)} is in the matrix and not in the database"


@pytest.mark.parametrize("table", sorted(TABLES))
async def test_a_query_without_a_predicate_shows_a_row_to_whom_it_belongs(world: MatrixWorld, table: str) -> None:
    await check_table(world, table)


async def check_table(world: MatrixWorld, table: str) -> None:
    is_shut = await world.owner.fetchval(
        "SELECT relrowsecurity AND relforcerowsecurity OR NOT has_any_column_privilege('apex_app', oid, 'SELECT') "
        "FROM pg_class WHERE oid = $1::regclass",
        table,
    )
    assert is_shut, f"{table} is granted to requests and has no row-level security"
    seen = {who for who in PERSONS if await seen_in(world, table, who)}
    assert seen <= TABLES[table], f"{sorted(seen - TABLES[table])} found rows about Anna in {table}"


@pytest.mark.parametrize("table", sorted(TABLES))
async def test_a_change_without_a_predicate_touches_nothing_of_strangers(world: MatrixWorld, table: str) -> None:
    """Whatever column a request may change at all, it changes for its own person; Anna is no stranger to herself."""
    columns = await world.owner.fetch(
        "SELECT column_name FROM information_schema.columns WHERE table_schema = 'public' AND table_name = $1 "
        "AND has_column_privilege('apex_app', $1, column_name, 'UPDATE')",
        table,
    )
    for who, role in PERSONS.items():
        if role is None or who in TABLES[table]:
            continue
        for row in columns:
            await unchanged(world, who, f"UPDATE {table} SET {row['column_name']} = {row['column_name']}")
        await unchanged(world, who, f"DELETE FROM {table}")


async def unchanged(world: MatrixWorld, who: str, sql: str) -> None:
    """Run a statement as somebody and roll it back: rows about Anna must not be among what it touched."""
    table = sql.split()[2] if sql.startswith("DELETE") else sql.split()[1]
    columns = await readable_ids(world.owner, table)
    hers = [UUID(world.things[name]) for name in ABOUT_ANNA]
    about = " OR ".join(f"{column} = ANY ($1)" for column in columns) or "NULL = ANY ($1::uuid[])"
    touched = 0
    try:
        async with world.whole.app.state.database.request(world.people[who].id) as connection:
            touched = await connection.fetchval(
                f"WITH done AS ({sql} RETURNING *) SELECT count(*) FROM done WHERE {about}",
                hers,
            )
            roll_back()
    except asyncpg.InsufficientPrivilegeError:
        return
    except RolledBack:
        assert touched == 0, f"{who} touched {touched} rows of Anna's by {sql}"


class RolledBack(Exception):
    """Nothing of a trial stays."""


def roll_back() -> NoReturn:
    raise RolledBack


# The walls can fail.


async def test_a_query_without_a_predicate_on_a_table_without_a_policy_is_found_out(world: MatrixWorld) -> None:
    await world.owner.execute("ALTER TABLE workout_logs DISABLE ROW LEVEL SECURITY")
    try:
        with pytest.raises(AssertionError):
            await check_table(world, "workout_logs")
    finally:
        await world.owner.execute("ALTER TABLE workout_logs ENABLE ROW LEVEL SECURITY")


@pytest.mark.parametrize(
    ("table", "route"),
    [("devices", "DELETE /api/devices/{device_id}"), ("support_looks", "GET /api/support/looks")],
)
async def test_a_route_whose_predicate_is_all_that_holds_is_found_out(
    world: MatrixWorld, table: str, route: str
) -> None:
    [case] = [case for case in BEHIND_DATABASE if case.route == route]
    await world.owner.execute(f"CREATE POLICY planted ON {table} USING (true)")
    try:
        with pytest.raises(AssertionError):
            await check_predicates(world, case)
    finally:
        await world.owner.execute(f"DROP POLICY planted ON {table}")
        await world.restore()


@pytest.mark.parametrize(
    ("table", "route"),
    [("records", "GET /api/workouts/{workout_id}"), ("sessions", "DELETE /api/devices/{device_id}")],
)
async def test_a_policy_that_lets_everybody_pass_is_found_out(world: MatrixWorld, table: str, route: str) -> None:
    """Records open to all show in the routes that read them; what is not about a record shows in the tables."""
    await world.owner.execute(f"CREATE POLICY planted ON {table} USING (true)")
    try:
        with pytest.raises(AssertionError):
            await check_table(world, table)
    finally:
        await world.owner.execute(f"DROP POLICY planted ON {table}")
