"""The database's own walls: what holds when a query forgets its predicate, and the one list of granted scopes."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest

from apex_server.auth.authenticator import _queries as auth_queries
from apex_server.db import Database
from tests.server.accounts_app import Clock, accounts_app, bearer, refresh, register, speak_to

pytestmark = pytest.mark.anyio

PERSONAL_TABLES = [
    "users", "devices", "client_ids", "sessions", "refresh_tokens", "coach_athletes", "invites",
    "email_changes", "mail_tokens", "awaiting_invites",
]  # fmt: skip
TABLES = [*PERSONAL_TABLES, "address_letters", "login_attempts", "mails", "refused_sign_ins"]


@dataclass
class People:
    """Carla coaches Anna and used to coach Eva; Otto coaches Ben; nobody coaches Zoe."""

    carla: UUID
    otto: UUID
    anna: UUID
    eva: UUID
    ben: UUID
    zoe: UUID


@pytest.fixture
async def client(db: Database) -> AsyncIterator[httpx.AsyncClient]:
    async with speak_to(accounts_app(db, Clock())) as opened:
        yield opened


@pytest.fixture
async def people(client: httpx.AsyncClient) -> People:
    sessions: dict[str, dict[str, Any]] = {}
    for number, name in enumerate(("carla", "otto")):
        device = {"name": name, "kind": "desktop", "client_id": 100 + number}
        sessions[name] = await register(client, f"{name}@example.com", role="coach", device=device)
    for number, (name, coach) in enumerate({"anna": "carla", "eva": "carla", "ben": "otto", "zoe": None}.items()):
        invite = None
        if coach:
            answer = await client.post("/api/invites", json={}, headers=bearer(sessions[coach]))
            invite = answer.json()["code"]
        device = {"name": name, "kind": "phone", "client_id": 200 + number}
        sessions[name] = await register(client, f"{name}@example.com", invite=invite, device=device)
        await refresh(client, sessions[name]["refresh_token"])
    eva = sessions["eva"]["user"]["id"]
    ended = await client.delete(f"/api/clients/{eva}/link", headers=bearer(sessions["eva"]))
    assert ended.status_code == 204
    await client.post("/api/auth/login", json={"email": "x@example.com", "password": "x"})
    return People(**{name: UUID(session["user"]["id"]) for name, session in sessions.items()})


async def ids_seen(db: Database, user_id: UUID | None, table: str, column: str) -> set[UUID]:
    async with db.request(user_id) as connection:
        return {row[0] for row in await connection.fetch(f"SELECT {column} FROM {table}")}


async def test_every_table_has_row_level_security_that_binds_its_owner_too(db: Database) -> None:
    async with db.request(None) as connection:
        rows = await connection.fetch(
            "SELECT relname FROM pg_class WHERE relrowsecurity AND relforcerowsecurity AND relname = ANY($1)", TABLES
        )
    assert {row["relname"] for row in rows} == set(TABLES)


@pytest.mark.parametrize(
    ("table", "column", "who"),
    [
        ("users", "id", "carla anna"),
        ("devices", "user_id", "carla anna"),
        ("client_ids", "user_id", "carla anna"),
        ("sessions", "user_id", "carla"),
        ("refresh_tokens", "user_id", "carla"),
        ("coach_athletes", "athlete_id", "anna eva"),
        ("invites", "coach_id", "carla"),
    ],
)
async def test_a_coach_who_forgets_the_predicate_sees_no_more_than_their_own(
    db: Database, people: People, table: str, column: str, who: str
) -> None:
    expected = {getattr(people, name) for name in who.split()}
    assert await ids_seen(db, people.carla, table, column) == expected


@pytest.mark.parametrize(
    ("table", "column", "who"),
    [
        ("users", "id", "anna carla"),
        ("devices", "user_id", "anna"),
        ("client_ids", "user_id", "anna"),
        ("sessions", "user_id", "anna"),
        ("refresh_tokens", "user_id", "anna"),
        ("coach_athletes", "coach_id", "carla"),
        ("invites", "coach_id", ""),
    ],
)
async def test_an_athlete_who_forgets_the_predicate_sees_no_more_than_their_own(
    db: Database, people: People, table: str, column: str, who: str
) -> None:
    expected = {getattr(people, name) for name in who.split()}
    assert await ids_seen(db, people.anna, table, column) == expected


async def test_an_ex_coach_and_an_ex_athlete_no_longer_see_each_other(db: Database, people: People) -> None:
    assert await ids_seen(db, people.eva, "users", "id") == {people.eva}
    assert people.eva not in await ids_seen(db, people.carla, "users", "id")


@pytest.mark.parametrize("table", PERSONAL_TABLES)
async def test_nobody_signed_in_sees_nothing(db: Database, people: People, table: str) -> None:
    async with db.request(None) as connection:
        assert await connection.fetchval(f"SELECT count(*) FROM {table}") == 0


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT password_hash FROM users",
        "SELECT * FROM users",
        "SELECT * FROM login_attempts",
        "DELETE FROM users",
        "UPDATE users SET role = 'coach'",
        "UPDATE users SET id = id",
        "UPDATE devices SET user_id = user_id",
        "DELETE FROM devices",
        "UPDATE client_ids SET device_id = NULL",
        "DELETE FROM client_ids",
        "UPDATE sessions SET user_id = user_id",
        "INSERT INTO coach_athletes (coach_id, athlete_id, since) VALUES ($1, $2, now())",
        "INSERT INTO coach_athletes (coach_id, athlete_id, since) VALUES ($2, $1, now())",
        "DELETE FROM coach_athletes",
        "UPDATE coach_athletes SET coach_id = coach_id",
        "UPDATE invites SET used_by = NULL",
        "DELETE FROM invites",
    ],
)
async def test_what_no_request_needs_is_not_granted_at_all(db: Database, people: People, sql: str) -> None:
    arguments = [people.anna, people.otto] if "$1" in sql else []
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="permission denied"):
        async with db.request(people.anna) as connection:
            await connection.execute(sql, *arguments)


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO users (id, email_index, email, password_hash, name, role, created_at) "
        "VALUES (gen_random_uuid(), sha256('x'), 'x', 'x', 'x', 'coach', now())",
        "INSERT INTO data_keys (user_id, wrapped, master_key_id, created_at) "
        "SELECT gen_random_uuid(), wrapped, master_key_id, now() FROM data_keys",
        "INSERT INTO devices (id, user_id, name, kind, token_hash, created_at, last_seen_at) "
        "VALUES (gen_random_uuid(), $1, 'x', 'phone', sha256('x'), now(), now())",
        "INSERT INTO client_ids (client_id, user_id, bound_at) VALUES (1, $1, now())",
        "INSERT INTO sessions (id, user_id, device_id, created_at, last_used_at, authenticated_at) "
        "SELECT gen_random_uuid(), $1, id, now(), now(), now() FROM devices",
        "INSERT INTO refresh_tokens (token_hash, session_id, user_id, issued_at, expires_at) "
        "SELECT sha256('x'), id, $1, now(), now() FROM sessions",
        "INSERT INTO invites (code_hash, coach_id, created_at, expires_at) VALUES (sha256('x'), $1, now(), now())",
    ],
)
async def test_nobody_writes_rows_in_anothers_name(db: Database, people: People, sql: str) -> None:
    arguments = [people.ben] if "$1" in sql else []
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
        async with db.request(people.anna) as connection:
            await connection.execute(sql, *arguments)


async def test_an_athlete_cannot_make_an_invite_even_in_their_own_name(db: Database, people: People) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
        async with db.request(people.anna) as connection:
            await connection.execute(
                "INSERT INTO invites (code_hash, coach_id, created_at, expires_at) "
                "VALUES (sha256('x'), $1, now(), now())",
                people.anna,
            )


@pytest.mark.parametrize(
    ("table", "change"),
    [
        ("users", "name = 'x'"),
        ("devices", "removed_at = now()"),
        ("sessions", "ended_at = now(), end_reason = 'logout'"),
        ("refresh_tokens", "used_at = now(), used_by_device = true"),
    ],
)
async def test_an_update_without_a_predicate_touches_only_ones_own(
    db: Database, people: People, table: str, change: str
) -> None:
    """A coach sees an athlete's user and devices, and still may not change them."""
    rows = 2 if table == "refresh_tokens" else 1  # A token, and the name of its family.
    async with db.request(people.carla) as connection:
        assert await connection.execute(f"UPDATE {table} SET {change}") == f"UPDATE {rows}"


async def test_an_ended_relation_is_not_revived_by_either_side(db: Database, people: People) -> None:
    for user_id in (people.carla, people.eva):
        async with db.request(user_id) as connection:
            sql = "UPDATE coach_athletes SET ended_at = NULL, ended_by = NULL WHERE athlete_id = $1"
            assert await connection.execute(sql, people.eva) == "UPDATE 0"


async def test_a_relation_is_ended_in_ones_own_name_only(db: Database, people: People) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
        async with db.request(people.carla) as connection:
            await connection.execute("UPDATE coach_athletes SET ended_at = now(), ended_by = $1", people.anna)


async def test_each_function_that_runs_as_the_owner_is_shut_to_strangers_and_pins_its_search_path(
    db: Database,
) -> None:
    async with db.request(None) as connection:
        rows = await connection.fetch(
            """
            SELECT proname, proconfig, has_function_privilege('apex_app', oid, 'EXECUTE') AS for_app,
                has_function_privilege('apex_commit', oid, 'EXECUTE') AS for_commit,
                EXISTS (SELECT 1 FROM aclexplode(proacl) AS acl WHERE acl.grantee = 0) AS for_public
            FROM pg_proc
            WHERE prosecdef AND pronamespace = 'public'::regnamespace AND proname LIKE 'apex\\_%'
            """
        )
    ours = {
        "apex_accept_invite",
        "apex_begin_login",
        "apex_coaches_behind",
        "apex_forget_login_attempts",
        "apex_invite_offer",
        "apex_login_accounts",
        "apex_refresh_token_owner",
    }
    by_name = {row["proname"]: row for row in rows if row["proname"] in ours}
    assert set(by_name) == ours
    for row in by_name.values():
        assert row["proconfig"] == ["search_path=public, pg_temp"]
        assert (row["for_app"], row["for_commit"], row["for_public"]) == (True, False, False)


async def test_an_invite_is_accepted_for_whoever_the_request_acts_for_and_nobody_else(
    db: Database, people: People
) -> None:
    for user_id in (None, people.otto, uuid4()):
        async with db.request(user_id) as connection:
            outcome = await connection.fetchval("SELECT outcome FROM apex_accept_invite(sha256('x'))")
        assert outcome == "not_an_athlete"


# Scopes.


def scopes_expected(people: People) -> dict[UUID, dict[str, str]]:
    carla, otto, anna, ben = people.carla, people.otto, people.anna, people.ben
    return {
        carla: {
            "global": "reader",
            f"coach:{carla}": "coach",
            f"library:{carla}": "coach",
            f"athlete:{anna}": "coach",
            f"private:{carla}:{anna}": "coach",
            f"thread:{carla}:{anna}": "coach",
        },
        otto: {
            "global": "reader",
            f"coach:{otto}": "coach",
            f"library:{otto}": "coach",
            f"athlete:{ben}": "coach",
            f"private:{otto}:{ben}": "coach",
            f"thread:{otto}:{ben}": "coach",
        },
        anna: {
            "global": "reader",
            f"athlete:{anna}": "athlete",
            f"library:{carla}": "reader",
            f"thread:{carla}:{anna}": "athlete",
        },
        ben: {
            "global": "reader",
            f"athlete:{ben}": "athlete",
            f"library:{otto}": "reader",
            f"thread:{otto}:{ben}": "athlete",
        },
        people.eva: {"global": "reader", f"athlete:{people.eva}": "athlete"},
        people.zoe: {"global": "reader", f"athlete:{people.zoe}": "athlete"},
        uuid4(): {},
    }


async def granted(connection: Any, user_id: UUID) -> dict[str, str]:
    return {row["scope"]: row["role"] for row in await connection.fetch("SELECT * FROM apex_scopes_of($1)", user_id)}


async def test_the_scopes_of_a_user_are_those_of_their_role_and_their_present_relations(
    db: Database, people: People
) -> None:
    for user_id, expected in scopes_expected(people).items():
        async with db.request(user_id) as connection:
            assert await granted(connection, user_id) == expected
        async with db.commit_connection() as connection:
            assert await granted(connection, user_id) == expected


async def test_access_to_one_scope_is_what_the_list_says(db: Database, people: People) -> None:
    expected = scopes_expected(people)
    every_scope = {scope for scopes in expected.values() for scope in scopes}
    every_scope |= {f"private:{people.carla}:{people.eva}", f"athlete:{people.carla}", f"coach:{people.anna}"}
    every_scope |= {f"ATHLETE:{people.anna}", f"athlete:{str(people.anna).upper()}", f" athlete:{people.anna}"}
    every_scope |= {"", "athlete:", "athlete:%", "private:", "nonsense", f"athlete:{people.anna}:", "athlete:null"}
    async with db.commit_connection() as connection:
        for user_id, scopes in expected.items():
            for scope in every_scope:
                role = await connection.fetchval("SELECT apex_scope_access($1, $2)", user_id, scope)
                assert role == scopes.get(scope), (user_id, scope)


async def test_nobody_reads_the_scopes_of_somebody_else_from_a_request(db: Database, people: People) -> None:
    async with db.request(people.zoe) as connection:
        assert await granted(connection, people.carla) == {}
        assert await connection.fetchval("SELECT apex_scope_access($1, $2)", people.anna, "global") is None


@pytest.mark.parametrize(
    ("query", "arguments"),
    [
        ("lacks_second_factor", [uuid4(), uuid4(), True, False]),
        ("get_refresh_token", [uuid4(), b"x" * 32, b"y" * 32, b"z" * 32]),
        ("list_devices", [uuid4(), uuid4(), None]),
        ("find_device_of_client", [uuid4(), 7, "phone"]),
    ],
)
async def test_the_queries_of_every_request_use_an_index(
    db: Database, people: People, query: str, arguments: list[Any]
) -> None:
    async with db.request(people.anna) as connection:
        await connection.execute("SET LOCAL enable_seqscan = off")
        rows = await connection.fetch(f"EXPLAIN {getattr(auth_queries, query)}", *arguments)
    plan = "\n".join(row[0] for row in rows)
    assert "Seq Scan" not in plan, plan


@pytest.mark.parametrize("table", ["users", "devices", "client_ids"])
async def test_whom_a_coach_may_see_is_looked_up_once_a_query_and_not_once_a_row(
    db: Database, people: People, table: str
) -> None:
    async with db.request(people.carla) as connection:
        rows = await connection.fetch(f"EXPLAIN SELECT 1 FROM {table}")
    assert "hashed SubPlan" in "\n".join(row[0] for row in rows)
