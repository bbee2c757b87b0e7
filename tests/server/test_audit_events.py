"""What happens to an account is written down once, in a chain, and told to nobody but the person."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import anyio
import asyncpg
import pytest

from apex_server.audit import record_event
from apex_server.audit.chain import link_of
from apex_server.audit.events import SEALED_BYTES_MAX, open_sealed_part
from apex_server.db import Database
from apex_server.operations import verify
from apex_server.vault import Vault
from tests.server.accounts_app import Clock, accounts_app, register, speak_to

pytestmark = pytest.mark.anyio

ADDRESS = "198.51.100.7"
ADD_EVENT = "SELECT apex_add_event($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"


@pytest.fixture
async def people(db: Database, vault: Vault) -> AsyncIterator[tuple[UUID, UUID]]:
    """An athlete and somebody else, each with a key."""
    async with speak_to(accounts_app(db, Clock())) as client:
        ids = [UUID((await register(client, f"{name}@example.com"))["user"]["id"]) for name in ("anna", "ben")]
    for user_id in ids:
        async with db.commit_connection() as connection:
            if not await vault.user_keys(connection, [user_id]):
                await vault.add_user_key(connection, user_id)
    yield ids[0], ids[1]


async def events_of(db: Database, asking: UUID | None) -> list[Any]:
    async with db.request(asking) as connection:
        return list(await connection.fetch("SELECT * FROM account_events ORDER BY subject_id, seq"))


async def test_an_event_says_who_did_what_on_which_device(
    db: Database, vault: Vault, people: tuple[UUID, UUID]
) -> None:
    anna, ben = people
    before = len(await events_of(db, anna))
    async with db.request(ben) as connection:
        await record_event(
            connection, anna, "support_read", vault=vault, actor_id=ben, device_id=ben, address=ADDRESS,
            detail={"what": "workouts", "count": 3},
        )  # fmt: skip
    event = (await events_of(db, anna))[before]
    assert (event["action"], event["actor_id"], event["actor_role"]) == ("support_read", ben, "athlete")
    assert event["device_id"] == ben
    assert ADDRESS.encode() not in event["sealed"]
    async with db.request(anna) as connection:
        part = open_sealed_part(await vault.user_key(connection, anna), event["sealed"])
    assert (part.address, part.detail) == (ADDRESS, {"what": "workouts", "count": 3})


async def test_only_the_person_reads_what_happened_to_them(
    db: Database, vault: Vault, people: tuple[UUID, UUID]
) -> None:
    anna, ben = people
    async with db.request(None) as connection:
        await record_event(connection, anna, "sign_in_refused", vault=vault, actor_id=None, address=ADDRESS)
    assert {event["subject_id"] for event in await events_of(db, anna)} == {anna}
    assert anna not in {event["subject_id"] for event in await events_of(db, ben)}
    assert await events_of(db, None) == []


async def test_an_event_stands_or_falls_with_what_it_tells_of(
    db: Database, vault: Vault, people: tuple[UUID, UUID]
) -> None:
    anna, _ = people
    before = await events_of(db, anna)
    with pytest.raises(ZeroDivisionError):
        async with db.request(anna) as connection:
            await record_event(connection, anna, "signed_out", vault=vault, actor_id=anna)
            raise ZeroDivisionError
    assert await events_of(db, anna) == before


async def test_events_at_once_follow_each_other(db: Database, vault: Vault, people: tuple[UUID, UUID]) -> None:
    anna, _ = people
    before = len(await events_of(db, anna))

    async def one() -> None:
        async with db.request(anna) as connection:
            await record_event(connection, anna, "signed_in", vault=vault, actor_id=anna)

    async with anyio.create_task_group() as tasks:
        for _ in range(8):
            tasks.start_soon(one)
    events = await events_of(db, anna)
    assert [event["seq"] for event in events] == list(range(1, before + 9))
    assert len({event["link"] for event in events}) == len(events)


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM account_events",
        "UPDATE account_events SET action = 'signed_in'",
        "INSERT INTO account_events (subject_id, seq, at, action, link) "
        "VALUES (gen_random_uuid(), 1, now(), 'signed_in', decode(repeat('00', 16), 'hex'))",
        "DELETE FROM event_chains",
        "UPDATE event_chains SET seq = 0",
    ],
)
async def test_nobody_who_serves_can_change_or_take_away_an_event(db: Database, statement: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with db.request(None) as connection:
            await connection.execute(statement)
    async with db.commit_connection() as connection:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(statement)


def made_up(anna: UUID, ben: UUID, **changes: Any) -> list[Any]:
    """Give the arguments of an event in due form, by somebody who has the login of requests and no key of chains."""
    state = bytes(32)
    event = {
        "subject": anna,
        "seq": 3,
        "at": datetime.now(UTC) - timedelta(seconds=1),
        "action": "signed_in",
        "actor": ben,
        "role": "athlete",
        "device": None,
        "sealed": None,
        "link": link_of(state),
        "state": state,
    }
    return list((event | changes).values())


FALSE = {
    "an event of the past": {"at": datetime(2026, 1, 1, tzinfo=UTC)},
    "an event of the future": {"at": datetime(2126, 1, 1, tzinfo=UTC)},
    "another role than the actor has": {"role": "coach"},
    "an actor who is not there": {"actor": UUID(int=5)},
    "words for an action": {"action": "Your coach has seen it!"},
    "content": {"sealed": bytes(2049)},
    "a link to another state": {"link": bytes(16)},
    "a head that is none": {"state": b"", "link": link_of(b"")},
    "an event in the place of one that is there": {"seq": 2},
    "a gap": {"seq": 4},
}


@pytest.mark.parametrize("changes", FALSE.values(), ids=FALSE)
async def test_the_login_of_requests_adds_nothing_that_could_not_have_happened_now(
    db: Database, people: tuple[UUID, UUID], changes: dict[str, Any]
) -> None:
    before = await events_of(db, people[0])
    async with db.request(people[1]) as connection:
        assert not await connection.fetchval(ADD_EVENT, *made_up(*people, **changes))
    assert await events_of(db, people[0]) == before


async def test_an_event_that_is_made_up_in_due_form_breaks_its_chain(db: Database, people: tuple[UUID, UUID]) -> None:
    """Without the key nobody knows the state that would follow."""
    assert (await verify(db)).is_sound
    async with db.request(people[1]) as connection:
        assert await connection.fetchval(ADD_EVENT, *made_up(*people))
    assert [damage.check for damage in (await verify(db)).damages] == ["chains"]


async def test_somebody_who_is_not_there_has_no_events(db: Database, vault: Vault) -> None:
    async with db.request(None) as connection:
        await record_event(connection, UUID(int=1), "signed_in", vault=vault, actor_id=None)
    async with db.commit_connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM account_events") == 0


async def test_content_is_no_detail(db: Database, vault: Vault, people: tuple[UUID, UUID]) -> None:
    anna, _ = people
    with pytest.raises(ValueError, match="bytes of details"):
        async with db.request(anna) as connection:
            await record_event(
                connection, anna, "signed_in", vault=vault, actor_id=anna, detail={"note": "x" * SEALED_BYTES_MAX}
            )
