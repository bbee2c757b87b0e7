"""Accounts on a managed Postgres, where the owner of the schema is no superuser and row-level security binds it."""

from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from apex_server.db import Database, EmbeddedPostgres, migrate
from apex_server.settings import Settings
from tests.server.accounts_app import (
    SECRET,
    Clock,
    accounts_app,
    bearer,
    log_in,
    problem,
    refresh,
    register,
    speak_to,
    status_of,
)

pytestmark = pytest.mark.anyio

OWNER = "plain_owner"


@pytest.fixture
async def plain_db(postgres: EmbeddedPostgres, tmp_path: Path) -> AsyncIterator[Database]:
    url = postgres.dsn.replace("apex_owner@/apex", f"{OWNER}@/{OWNER}")
    administrator = await asyncpg.connect(postgres.dsn)
    try:
        await administrator.execute(f"CREATE ROLE {OWNER} LOGIN NOSUPERUSER NOBYPASSRLS")
        await administrator.execute(f"CREATE DATABASE {OWNER} OWNER {OWNER}")
        await migrate(url, secret=SECRET)
        async with Database.open(Settings(data_dir=tmp_path, secret=SECRET, database_url=url)) as opened:
            yield opened
        await administrator.execute(f"DROP DATABASE {OWNER} WITH (FORCE)")
        await administrator.execute(f"DROP ROLE {OWNER}")
    finally:
        await administrator.close()


async def test_everything_before_and_after_sign_in_works_and_the_walls_stand(plain_db: Database) -> None:
    async with speak_to(accounts_app(plain_db, Clock())) as client:
        coach = await register(client, "coach@example.com", role="coach")
        code = (await client.post("/api/invites", json={}, headers=bearer(coach))).json()["code"]
        assert (await client.get(f"/api/invites/{code}")).json()["coach_name"] == "coach"
        anna = await register(client, "anna@example.com", invite=code)
        ben = await register(client, "ben@example.com")
        assert problem(await client.post(f"/api/invites/{code}/accept", headers=bearer(ben))) == (410, "invite_used")

        wrong = {"email": "anna@example.com", "password": "a wrong password"}
        statuses = [(await client.post("/api/auth/login", json=wrong)).status_code for _ in range(21)]
        assert statuses == [401] * 20 + [429]
        again = await log_in(client, "anna@example.com", device_token=anna["device_token"])

        renewed = (await refresh(client, again["refresh_token"])).json()
        assert problem(await refresh(client, again["refresh_token"])) == (401, "refresh_token_reused")
        assert await status_of(client, renewed) == 401

        listed = (await client.get("/api/clients", headers=bearer(coach))).json()["clients"]
        assert [athlete["id"] for athlete in listed] == [anna["user"]["id"]]
        gone = await client.delete(f"/api/devices/{anna['device_id']}", headers=bearer(anna))
        assert gone.status_code == 204
        assert await status_of(client, anna) == 401

    async with plain_db.commit_connection() as connection:
        scopes = await connection.fetch("SELECT scope FROM apex_scopes_of($1)", coach["user"]["id"])
    assert len(scopes) == 6
    async with plain_db.request(None) as connection:
        assert await connection.fetchval("SELECT count(*) FROM users") == 0
