"""A thousand lost answers log nobody out, and a thousand thefts are all found out, through the real exchange."""

import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from uuid import UUID, uuid4

import anyio
import asyncpg
import pytest

from apex_server.auth.refresh import Renewed, exchange_refresh_token
from apex_server.db import Connection, Database
from apex_server.errors import ApiError, RefreshTokenReused, SessionEnded
from apex_server.opaque_tokens import fingerprint, new_token

pytestmark = pytest.mark.anyio

NUMBER = 1000
AT_ONCE = 8
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Family(NamedTuple):
    """One sign-in, on one device."""

    user_id: UUID
    session_id: UUID
    token: str
    device_token: str


@pytest.fixture
async def families(db: Database, database_url: str) -> AsyncIterator[list[Family]]:
    made = [Family(uuid4(), uuid4(), new_token(), new_token()) for _ in range(NUMBER)]
    owner = await asyncpg.connect(database_url)
    try:
        async with owner.transaction():
            await sign_in(owner, made)
    finally:
        await owner.close()
    yield made


async def sign_in(owner: Connection, made: list[Family]) -> None:
    """What a thousand sign-ins leave behind; a thousand passwords would cost their minute and prove nothing."""
    devices = [uuid4() for _ in made]
    await owner.executemany(
        "INSERT INTO users (id, email_index, email, password_hash, name, role, created_at)"
        " VALUES ($1, $2, '\\x', 'none', '\\x', 'athlete', $3)",
        [(one.user_id, fingerprint(one.token), NOW) for one in made],
    )
    await owner.executemany(
        "INSERT INTO devices (id, user_id, name, kind, token_hash, created_at, last_seen_at)"
        " VALUES ($1, $2, '\\x', 'phone', $3, $4, $4)",
        [(device, one.user_id, fingerprint(one.device_token), NOW) for device, one in zip(devices, made, strict=True)],
    )
    await owner.executemany(
        "INSERT INTO sessions (id, user_id, device_id, created_at, last_used_at, authenticated_at)"
        " VALUES ($1, $2, $3, $4, $4, $4)",
        [(one.session_id, one.user_id, device, NOW) for device, one in zip(devices, made, strict=True)],
    )
    await owner.executemany(
        "INSERT INTO refresh_tokens (token_hash, session_id, user_id, issued_at, expires_at)"
        " VALUES ($1, $2, $3, $4, $5)",
        [(fingerprint(one.token), one.session_id, one.user_id, NOW, NOW + timedelta(days=30)) for one in made],
    )


async def exchange(db: Database, token: str, device_token: str | None, now: datetime) -> Renewed:
    return await exchange_refresh_token(
        db, token, device_token=device_token, check_session=lambda _session_id: None, now=now
    )


async def for_each(families: list[Family], what: object) -> None:
    limiter = anyio.Semaphore(AT_ONCE)

    async def one(family: Family, chance: random.Random) -> None:
        async with limiter:
            await what(family, chance)  # type: ignore[operator]

    async with anyio.create_task_group() as tasks:
        for number, family in enumerate(families):
            tasks.start_soon(one, family, random.Random(number))


async def test_a_thousand_lost_answers_log_nobody_out(db: Database, database_url: str, families: list[Family]) -> None:
    """The first answer is always lost, now and then its repetition; the device comes back seconds or days later."""
    lost = 0

    async def lose(family: Family, chance: random.Random) -> None:
        nonlocal lost
        now = NOW
        for _ in range(chance.choice([1, 1, 1, 2])):
            await exchange(db, family.token, family.device_token, now)
            lost += 1
            now += timedelta(seconds=chance.choice([0, 2, 59, 61, 3600, 3 * 86_400]))
        await exchange(db, family.token, family.device_token, now)

    await for_each(families, lose)

    assert lost >= NUMBER
    assert await open_sessions(database_url) == NUMBER


async def test_a_thousand_thefts_are_all_revoked(db: Database, database_url: str, families: list[Family]) -> None:
    """Whoever comes first, and whatever the thief stole with the token: once both have come, the session is over."""
    found: list[type[ApiError]] = []

    async def steal(family: Family, chance: random.Random) -> None:
        proof_of_thief = chance.choice([None, new_token(), family.device_token])
        owner = (family.token, family.device_token)
        thief = (family.token, proof_of_thief)
        now = NOW
        held: list[tuple[str, str | None]] = [owner, thief]
        chance.shuffle(held)
        # Both exchange in turn what they hold, every quarter of an hour, until one of them is refused.
        for turn in range(4):
            token, proof = held[turn % 2]
            try:
                renewed = await exchange(db, token, proof, now)
            except (RefreshTokenReused, SessionEnded) as refusal:
                found.append(type(refusal))
                return
            held[turn % 2] = (renewed.refresh_token, proof)
            now += timedelta(seconds=chance.choice([1, 30, 61, 900]))

    await for_each(families, steal)

    assert found == [RefreshTokenReused] * NUMBER
    assert await open_sessions(database_url) == 0


async def open_sessions(database_url: str) -> int:
    owner = await asyncpg.connect(database_url)
    try:
        return int(await owner.fetchval("SELECT count(*) FROM sessions WHERE ended_at IS NULL"))
    finally:
        await owner.close()
