"""Whoever is signed out, by themselves or by hand, has their key taken out of their threads; nobody else has."""

from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID

import asyncpg
import pytest

from apex_server.db import Database
from apex_server.jobs.signed_out_keys import withdraw_signed_out_keys
from apex_server.resources import keys_place, read_records
from apex_sync.ids import thread_scope
from apex_sync.models import DEVICE_KEYS
from apex_sync.models.device_keys import device_keys_id, key_id_of, key_text
from tests.server.rest_app import Person, RestServer, rest_server

pytestmark = pytest.mark.anyio

LATELY = timedelta(minutes=1)


@pytest.fixture
async def server(db: Database) -> AsyncIterator[RestServer]:
    async with rest_server(db) as opened:
        yield opened


class World:
    """A coach and an athlete, with a key for the device of each."""

    def __init__(self, server: RestServer, db: Database, coach: Person, athlete: Person) -> None:
        self.server, self.db, self.coach, self.athlete = server, db, coach, athlete

    async def publish(self) -> None:
        for number, (side, person) in enumerate((("coach", self.coach), ("athlete", self.athlete)), 1):
            key, client_id = bytes([number]) * 64, 7_000 + number
            [device] = (await person("GET", "/api/devices")).json()
            async with self.db.commit_connection() as connection:
                await connection.execute(
                    "INSERT INTO client_ids (client_id, user_id, device_id, bound_at) VALUES ($1, $2, $3, now())",
                    client_id, UUID(person.id), UUID(device["id"]),
                )  # fmt: skip
            entry = {"key": key_text(key), "device": "phone", "client_id": client_id}
            scope, record_id = self.place
            await self.server.committer.write(
                UUID(person.id), scope, DEVICE_KEYS.name, record_id, {side: {key_id_of(key): entry}}
            )

    @property
    def place(self) -> tuple[str, str]:
        return thread_scope(self.coach.id, self.athlete.id), device_keys_id(self.coach.id, self.athlete.id)

    async def withdraw(self, lately: timedelta | None = LATELY) -> int:
        return await withdraw_signed_out_keys(self.db, self.server.committer, lately=lately)

    async def live(self) -> set[str]:
        """Give the sides that messages are encrypted for."""
        place = keys_place(UUID(self.coach.id), UUID(self.athlete.id))
        async with self.db.commit_connection() as connection:
            [known] = await read_records(connection, self.db.vault, DEVICE_KEYS, [place])
        sides = {side: getattr(known.record, side) for side in ("coach", "athlete")}
        return {side for side, keys in sides.items() if any(each.deleted is not True for each in keys.values())}


@pytest.fixture
async def world(server: RestServer, db: Database) -> World:
    made = World(server, db, *await server.coach_and_athlete())
    await made.publish()
    return made


async def test_whoever_signs_out_is_taken_out_and_the_other_side_stays(world: World) -> None:
    assert await world.withdraw() == 0 and await world.live() == {"coach", "athlete"}
    assert (await world.athlete("POST", "/api/auth/logout")).status_code == 204
    assert await world.withdraw() == 1 and await world.live() == {"coach"}
    assert await world.withdraw() == 0


async def test_who_signed_out_while_they_had_parted_is_taken_out_when_they_begin_again(
    world: World, database_url: str
) -> None:
    assert (await world.coach("DELETE", f"/api/clients/{world.athlete.id}/link")).status_code in (200, 204)
    assert (await world.athlete("POST", "/api/auth/logout")).status_code == 204
    assert await world.withdraw() == 0 and await world.live() == {"coach", "athlete"}
    owner = await asyncpg.connect(database_url)
    await owner.execute(
        "INSERT INTO coach_athletes (coach_id, athlete_id, since) VALUES ($1, $2, now())",
        UUID(world.coach.id),
        UUID(world.athlete.id),
    )
    await owner.close()
    assert await world.withdraw(timedelta(0)) == 0
    assert await world.withdraw() == 1 and await world.live() == {"coach"}


async def test_what_was_missed_is_made_up_for_when_all_are_looked_through(world: World) -> None:
    assert (await world.coach("POST", "/api/auth/logout")).status_code == 204
    assert await world.withdraw(timedelta(0)) == 0
    assert await world.withdraw(None) == 1 and await world.live() == {"athlete"}


async def test_whose_session_lapsed_is_taken_out_when_all_are_looked_through(world: World, database_url: str) -> None:
    owner = await asyncpg.connect(database_url)
    await owner.execute(
        "UPDATE sessions SET created_at = now() - interval '40 days', last_used_at = now() - interval '32 days'"
        " WHERE user_id = $1",
        UUID(world.athlete.id),
    )
    await owner.close()
    assert await world.withdraw(None) == 1 and await world.live() == {"coach"}
