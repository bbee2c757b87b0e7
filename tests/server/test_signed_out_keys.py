"""Whoever is signed out, by themselves or by hand, has their key taken out of their threads; nobody else has."""

from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import asyncpg
import pytest

from apex_server.db import Database
from apex_server.jobs.signed_out_keys import UNBOUND_KEPT, withdraw_signed_out_keys
from apex_server.resources import keys_place, read_records
from apex_sync.ids import thread_scope
from apex_sync.models import DEVICE_KEYS
from apex_sync.models.device_keys import device_keys_id, key_id_of, key_text
from apex_sync.op import Write, encode_op
from apex_sync.protocol.messages import PushedRecord
from apex_sync.wire import encode_push
from tests.server.rest_app import Person, RestServer, rest_server

pytestmark = pytest.mark.anyio

LATELY = timedelta(minutes=1)
NUMBERS = {"coach": 7_001, "athlete": 7_002}
"""The installation of each."""

NOBODYS = 7_999


@pytest.fixture
async def server(db: Database) -> AsyncIterator[RestServer]:
    async with rest_server(db) as opened:
        yield opened


class World:
    """A coach and an athlete, with a key for the device of each."""

    def __init__(self, server: RestServer, db: Database, coach: Person, athlete: Person) -> None:
        self.server, self.db, self.coach, self.athlete = server, db, coach, athlete
        self.pushed: Counter[int] = Counter()

    async def publish(self) -> None:
        for person in (self.coach, self.athlete):
            await self.sign_in(person, await self.first_device(person))
            await self.add_key(person, NUMBERS[self.side_of(person)])

    async def first_device(self, person: Person) -> UUID:
        return UUID((await person("GET", "/api/devices")).json()[-1]["id"])

    async def sign_in(self, person: Person, device_id: UUID, number: int | None = None) -> None:
        """Bind an installation to a device, as a sync does."""
        async with self.db.commit_connection() as connection:
            await connection.execute(
                "INSERT INTO client_ids (client_id, user_id, device_id, bound_at) VALUES ($1, $2, $3, now())",
                number or NUMBERS[self.side_of(person)], UUID(person.id), device_id,
            )  # fmt: skip

    async def add_key(self, person: Person, named: int) -> None:
        """Have a person's first device push a key that names an installation."""
        side, key = self.side_of(person), named.to_bytes(8) * 8
        author = NUMBERS[side]
        scope, record_id = self.place
        entry = {"key": key_text(key), "device": "phone", "client_id": named}
        hlc = int(datetime.now(UTC).timestamp() * 1_000_000)
        op = encode_op([Write(hlc, [], {side: {key_id_of(key): entry}})])
        clock = self.pushed[author]
        self.pushed[author] += 1
        record = PushedRecord(scope, DEVICE_KEYS.name, UUID(record_id).bytes, encode_push(author, clock, [op]))
        device = await self.first_device(person)
        done = await self.server.committer.push(UUID(person.id), device, author, [record])
        assert [result.status for result in done.results] == ["applied"]

    def side_of(self, person: Person) -> str:
        return "coach" if person is self.coach else "athlete"

    @property
    def place(self) -> tuple[str, str]:
        return thread_scope(self.coach.id, self.athlete.id), device_keys_id(self.coach.id, self.athlete.id)

    async def withdraw(self, lately: timedelta | None = LATELY, *, later: timedelta = timedelta(0)) -> int:
        now = datetime.now(UTC) + later
        return await withdraw_signed_out_keys(self.db, self.server.committer, lately=lately, now=now)

    async def live(self) -> list[str]:
        """Give the side of each key that messages are encrypted for."""
        place = keys_place(UUID(self.coach.id), UUID(self.athlete.id))
        async with self.db.commit_connection() as connection:
            [known] = await read_records(connection, self.db.vault, DEVICE_KEYS, [place])
        sides = {side: getattr(known.record, side) for side in NUMBERS}
        return sorted(side for side, keys in sides.items() for each in keys.values() if each.deleted is not True)


@pytest.fixture
async def world(server: RestServer, db: Database) -> World:
    made = World(server, db, *await server.coach_and_athlete())
    await made.publish()
    return made


async def test_whoever_signs_out_is_taken_out_and_the_other_side_stays(world: World) -> None:
    assert await world.withdraw() == 0 and await world.live() == ["athlete", "coach"]
    assert (await world.athlete("POST", "/api/auth/logout")).status_code == 204
    assert await world.withdraw() == 1 and await world.live() == ["coach"]
    assert await world.withdraw() == 0


async def test_who_signed_out_while_they_had_parted_is_taken_out_when_they_begin_again(
    world: World, database_url: str
) -> None:
    assert (await world.coach("DELETE", f"/api/clients/{world.athlete.id}/link")).status_code in (200, 204)
    assert (await world.athlete("POST", "/api/auth/logout")).status_code == 204
    assert await world.withdraw() == 0 and await world.live() == ["athlete", "coach"]
    owner = await asyncpg.connect(database_url)
    await owner.execute(
        "INSERT INTO coach_athletes (coach_id, athlete_id, since) VALUES ($1, $2, now())",
        UUID(world.coach.id),
        UUID(world.athlete.id),
    )
    await owner.close()
    assert await world.withdraw(timedelta(0)) == 0
    assert await world.withdraw() == 1 and await world.live() == ["coach"]


async def test_what_was_missed_is_made_up_for_when_all_are_looked_through(world: World) -> None:
    assert (await world.coach("POST", "/api/auth/logout")).status_code == 204
    assert await world.withdraw(timedelta(0)) == 0
    assert await world.withdraw(None) == 1 and await world.live() == ["athlete"]


async def test_whose_session_lapsed_is_taken_out_when_all_are_looked_through(world: World, database_url: str) -> None:
    owner = await asyncpg.connect(database_url)
    await owner.execute(
        "UPDATE sessions SET created_at = now() - interval '40 days', last_used_at = now() - interval '32 days'"
        " WHERE user_id = $1",
        UUID(world.athlete.id),
    )
    await owner.close()
    assert await world.withdraw(None) == 1 and await world.live() == ["coach"]


async def test_a_key_for_an_installation_that_never_signs_in_is_taken_out_after_some_days(world: World) -> None:
    await world.add_key(world.athlete, NOBODYS)
    assert await world.withdraw(None) == 0
    assert await world.withdraw(None, later=UNBOUND_KEPT + LATELY) == 1
    assert await world.live() == ["athlete", "coach"]


async def test_a_key_for_an_installation_that_signs_in_meanwhile_stays(world: World) -> None:
    await world.add_key(world.athlete, NOBODYS)
    await world.sign_in(world.athlete, await world.first_device(world.athlete), NOBODYS)
    assert await world.withdraw(None, later=UNBOUND_KEPT + LATELY) == 0
    assert await world.live() == ["athlete", "athlete", "coach"]


async def test_a_key_under_the_installation_of_somebody_else_is_taken_out(world: World) -> None:
    """Theirs may be signed in for years."""
    await world.add_key(world.athlete, NUMBERS["coach"])
    assert await world.withdraw(None) == 1
    assert await world.live() == ["athlete", "coach"]


async def test_a_key_that_a_signed_out_device_wrote_goes_whichever_installation_it_names(
    world: World, database_url: str
) -> None:
    """A guest on the account names the owner's own phone, which stays signed in."""
    phone = uuid4()
    owner = await asyncpg.connect(database_url)
    await owner.execute(
        "INSERT INTO devices (id, user_id, name, kind, token_hash, created_at, last_seen_at) "
        "SELECT $1, user_id, name, kind, sha256('phone'), now(), now() FROM devices WHERE user_id = $2",
        phone, UUID(world.athlete.id),
    )  # fmt: skip
    await owner.execute(
        "INSERT INTO sessions (id, user_id, device_id, created_at, last_used_at, authenticated_at) "
        "VALUES (gen_random_uuid(), $2, $1, now(), now(), now())",
        phone, UUID(world.athlete.id),
    )  # fmt: skip
    await world.sign_in(world.athlete, phone, NOBODYS)
    await world.add_key(world.athlete, NOBODYS)
    assert await world.withdraw(None) == 0
    end = "UPDATE sessions SET ended_at = now(), end_reason = 'logout' WHERE user_id = $1 AND device_id <> $2"
    await owner.execute(end, UUID(world.athlete.id), phone)
    await owner.close()
    assert await world.withdraw(None) == 2
    assert await world.live() == ["coach"]
