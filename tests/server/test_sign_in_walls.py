"""What stands beneath second factors and passkeys: row-level security, and rights that no request has."""

from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import pytest

from apex_server.db import Database
from apex_server.messenger import FolderMessenger
from tests.server.accounts_app import Clock, bearer, register
from tests.server.mailbox import Mailbox, confirmed
from tests.server.second_factor_parts import EMAIL, first_step, second_step, set_up_app, set_up_phone
from tests.server.software_authenticator import SoftwareAuthenticator

pytestmark = pytest.mark.anyio

OF_A_PERSON = ["totp_seeds", "phones", "recovery_codes", "mfa_challenges", "code_attempts", "passkeys"]
SHUT = ["sms_sends", "used_passkey_challenges"]


@pytest.fixture
def app_options(texts: Path) -> dict[str, Any]:
    return {"messenger": FolderMessenger(texts), "public_url": "https://coach.example"}


@pytest.fixture
async def anna(client: httpx.AsyncClient, mailbox: Mailbox, clock: Clock, tmp_path: Path) -> UUID:
    """Somebody who has a row in every table."""
    session = await confirmed(client, mailbox, EMAIL)
    options = (await client.post("/api/auth/passkeys/options", headers=bearer(session))).json()["public_key"]
    credential = SoftwareAuthenticator("https://coach.example", "coach.example").create(options)
    body = {"credential": credential, "name": "Phone"}
    assert (await client.post("/api/auth/passkeys", json=body, headers=bearer(session))).status_code == 201
    app, _ = await set_up_app(client, session, clock)
    await set_up_phone(client, session, tmp_path / "texts")
    await second_step(client, await first_step(client), app.wrong_code())
    return UUID(session["user"]["id"])


async def test_every_table_has_row_level_security_that_binds_its_owner_too(db: Database) -> None:
    async with db.request(None) as connection:
        rows = await connection.fetch(
            "SELECT relname FROM pg_class WHERE relrowsecurity AND relforcerowsecurity AND relname = ANY($1)",
            [*OF_A_PERSON, *SHUT],
        )
    assert {row["relname"] for row in rows} == {*OF_A_PERSON, *SHUT}


async def test_everybody_sees_and_removes_their_own_and_nothing_else(
    db: Database, client: httpx.AsyncClient, anna: UUID
) -> None:
    ben = UUID((await register(client, "ben@example.com"))["user"]["id"])
    for table in OF_A_PERSON:
        async with db.request(anna) as connection:
            assert await connection.fetchval(f"SELECT count(*) FROM {table}") >= 1, table
        for stranger in (ben, None):
            async with db.request(stranger) as connection:
                assert await connection.fetchval(f"SELECT count(*) FROM {table}") == 0, table
                assert await connection.execute(f"DELETE FROM {table}") == "DELETE 0", table


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO recovery_codes (user_id, code_hash, made_at) VALUES ($1, sha256('x'), now())",
        "INSERT INTO mfa_challenges (token_hash, user_id, device_print, attempts_key, created_at, expires_at) "
        "VALUES (sha256('x'), $1, sha256('x'), 'x', now(), now())",
        "INSERT INTO totp_seeds (user_id, seed_sealed, offered_at) VALUES ($1, 'x', now())",
        "INSERT INTO passkeys (id, user_id, credential_id, public_key, sign_count, name_sealed, synced, created_at) "
        "VALUES (gen_random_uuid(), $1, 'x', 'x', 0, 'x', false, now())",
    ],
)
async def test_nobody_writes_rows_in_anothers_name(db: Database, client: httpx.AsyncClient, sql: str) -> None:
    anna = UUID((await register(client, EMAIL))["user"]["id"])
    ben = UUID((await register(client, "ben@example.com"))["user"]["id"])
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
        async with db.request(ben) as connection:
            await connection.execute(sql, anna)


@pytest.mark.parametrize(
    "sql",
    [
        *(f"SELECT 1 FROM {table}" for table in SHUT),
        "UPDATE passkeys SET public_key = 'x'",
        "UPDATE passkeys SET credential_id = 'x'",
        "UPDATE mfa_challenges SET expires_at = now()",
        "UPDATE mfa_challenges SET device_print = sha256('x')",
        "UPDATE recovery_codes SET code_hash = sha256('x')",
        "UPDATE code_attempts SET attempted_at = now()",
    ],
)
async def test_what_no_request_needs_is_not_granted_at_all(db: Database, sql: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="permission denied"):
        async with db.request(None) as connection:
            await connection.execute(sql)
