"""The policy function and its twin in the database say the same, over random worlds of people, relations and times.

A world is inserted by the owner of the schema; then every user asks, as the request login under row-level security and
as the commit login, what is theirs. Both answers are held to the pure function.
"""

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from random import Random
from uuid import UUID

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apex_server.db import Connection, Database
from apex_server.policy import (
    CONSENT_KINDS,
    SUPPORT_CONSENT_DAYS_MAX,
    Access,
    Coaching,
    Consent,
    Look,
    Membership,
    People,
    Role,
    is_consented,
    scopes_of,
    supported_scopes_of,
)
from apex_sync.ids import Scope, thread_scope

pytestmark = pytest.mark.anyio

WORLDS = 60
HOUR = timedelta(hours=1)
ROLES: tuple[Role, ...] = ("athlete", "coach", "owner", "support")


def world_from(dice: Random, now: datetime) -> People:
    """Make a world as the endpoints could have left it: relations between the right roles, some ended or run out."""
    # Drawn without putting back: chance that Hypothesis chooses likes to say the same twice.
    fresh = (UUID(int=number, version=4) for number in dice.sample(range(2**32), 64))
    ids: dict[Role, list[UUID]] = {role: list(islice(fresh, dice.randint(1, 4))) for role in ROLES}
    roles = {user_id: role for role, users in ids.items() for user_id in users}
    coachings = [
        Coaching(coach, athlete, ended=dice.random() < 0.3)
        for coach in ids["coach"]
        for athlete in ids["athlete"]
        if dice.random() < 0.5
    ]
    memberships = [
        Membership(owner, coach, ended)
        for coach in ids["coach"]
        for owner, ended in [(dice.choice(ids["owner"]), dice.random() < 0.4)]
        if dice.random() < 0.7
    ]
    consents = [
        Consent(user_id, kind, dice.random() < 0.3, now + _offset(dice) if kind == "support_access" else None)
        for user_id in roles
        for kind in CONSENT_KINDS
        if dice.random() < 0.6
    ]
    looks = [
        Look(next(fresh), support, dice.choice(sorted(roles)), now + _offset(dice), ended)
        for support in ids["support"]
        for ended in (True, False)
        if dice.random() < 0.8
    ]
    return People(roles, coachings, memberships, consents, looks)


async def insert(owner: asyncpg.Connection, people: People, now: datetime) -> None:
    """Put a world in the place of the one before."""
    ago = now - timedelta(days=3)
    await owner.execute("TRUNCATE users CASCADE")
    await owner.executemany(
        "INSERT INTO users (id, email_index, email, password_hash, name, role, created_at) "
        "VALUES ($1::uuid, sha256($1::text::bytea), '', '', '', $2, $3)",
        [(user_id, role, ago) for user_id, role in people.roles.items()],
    )
    await owner.executemany(
        "INSERT INTO coach_athletes (coach_id, athlete_id, since, ended_at, ended_by) VALUES ($1, $2, $3, $4, $5)",
        [(pair.coach_id, pair.athlete_id, ago, *ended(pair.ended, now, pair.coach_id)) for pair in people.coachings],
    )
    await owner.executemany(
        "INSERT INTO organisations (owner_id, name, created_at) VALUES ($1, '', $2)",
        [(user_id, ago) for user_id, role in people.roles.items() if role == "owner"],
    )
    await owner.executemany(
        "INSERT INTO organisation_coaches (owner_id, coach_id, since, ended_at, ended_by) VALUES ($1, $2, $3, $4, $5)",
        [
            (member.owner_id, member.coach_id, ago, *ended(member.ended, now, member.owner_id))
            for member in people.memberships
        ],
    )
    await owner.executemany(
        "INSERT INTO consents (user_id, kind, version, given_at, withdrawn_at, expires_at) "
        "VALUES ($1, $2, '1', $3, $4, $5)",
        [(each.user_id, each.kind, ago, now if each.withdrawn else None, each.expires_at) for each in people.consents],
    )
    await owner.executemany(
        "INSERT INTO support_looks (id, support_id, user_id, ticket, began_at, expires_at, ended_at) "
        "VALUES ($1, $2, $3, 'T-1', $4, $5, $6)",
        [
            (look.id, look.support_id, look.user_id, ago, look.expires_at, now if look.ended else None)
            for look in people.looks
        ],
    )


@dataclass
class Twins:
    """A database whose world can be exchanged."""

    db: Database
    owner: asyncpg.Connection

    async def check(self, people: People, now: datetime) -> None:
        """Compare what the database says of everybody with the policy."""
        await insert(self.owner, people, now)
        for user_id in [*people.roles, UUID(int=1)]:
            replicated = scopes_of(people, user_id)
            for look_id in looks_to_try(people, user_id):
                readable = {**replicated, **supported_scopes_of(people, user_id, look_id, now)}
                ids = {Scope.parse(scope).id for scope in readable}
                await begin(self.owner, readable)
                db = self.db.under_look(look_id) if look_id else self.db
                async with db.request(user_id) as connection:
                    assert await granted(connection, "apex_scopes_of", user_id) == replicated
                    assert await granted(connection, "apex_readable_scopes_of", user_id) == readable
                    told = await connection.fetch("SELECT scope, role FROM apex_granted_scopes()")
                    assert sorted(map(tuple, told)) == sorted(replicated.items())
                    assert {row["name"] for row in await connection.fetch("SELECT name FROM scopes")} == set(readable)
                    assert set(await connection.fetchval("SELECT apex_readable_scope_ids()")) == ids
                    for scope, access in readable.items():
                        assert await connection.fetchval("SELECT apex_read_access($1, $2)", user_id, scope) == access
            async with self.db.commit_connection() as connection:
                assert await granted(connection, "apex_scopes_of", user_id) == replicated
                for kind in CONSENT_KINDS:
                    said = await connection.fetchval("SELECT apex_consented($1, $2)", user_id, kind)
                    assert said == is_consented(people, user_id, kind, now)


async def begin(owner: asyncpg.Connection, scopes: Iterable[str]) -> None:
    """Let something have been written to these scopes; it stays for those who ask later, and may not read it."""
    await owner.executemany(
        "INSERT INTO scopes (scope_id, name, seq, digest, record_count, created_at) "
        "VALUES ($1, $2, 1, $3, 1, now()) ON CONFLICT DO NOTHING",
        [(Scope.parse(scope).id, scope, bytes(16)) for scope in scopes],
    )


def looks_to_try(people: People, user_id: UUID) -> list[UUID | None]:
    """Name the looks under which somebody asks: their own and others' for support, anybody's for everybody else."""
    looks: list[UUID | None] = [look.id for look in people.looks]
    return [None, *looks] if people.roles.get(user_id) == "support" else [(looks or [None])[-1]]


async def granted(connection: Connection, function: str, user_id: UUID) -> dict[str, Access]:
    """Read what a function of the database grants; that it names a scope once is part of the promise."""
    rows = await connection.fetch(f"SELECT scope, role FROM {function}($1)", user_id)
    scopes = {row["scope"]: row["role"] for row in rows}
    assert len(scopes) == len(rows)
    assert all(Scope.parse(scope).name == scope for scope in scopes)
    return scopes


@pytest.fixture
async def twins(db: Database, database_url: str) -> AsyncIterator[Twins]:
    owner = await asyncpg.connect(database_url)
    yield Twins(db, owner)
    await owner.close()


async def test_the_policy_and_its_twin_in_the_database_grant_the_same(twins: Twins) -> None:
    for seed in range(WORLDS):
        now = datetime.now(UTC)
        try:
            await twins.check(world_from(Random(seed), now), now)
        except AssertionError as error:
            error.add_note(f"the world of seed {seed}")
            raise


@pytest.mark.parametrize(
    "hole",
    [
        "CREATE OR REPLACE FUNCTION apex_looked_at(asking_support uuid) RETURNS uuid LANGUAGE sql STABLE "
        "RETURN (SELECT look.user_id FROM support_looks AS look "
        "WHERE look.id = nullif(current_setting('apex.look_id', true), '')::uuid "
        "AND look.support_id = asking_support AND look.ended_at IS NULL)",
        "CREATE OR REPLACE FUNCTION apex_looked_at(asking_support uuid) RETURNS uuid LANGUAGE sql STABLE "
        "RETURN (SELECT look.user_id FROM support_looks AS look WHERE look.support_id = asking_support "
        "AND look.ended_at IS NULL AND look.expires_at > now() AND apex_consented(look.user_id, 'support_access'))",
        "CREATE OR REPLACE FUNCTION apex_consented(asked_user uuid, asked_kind text) RETURNS boolean LANGUAGE sql "
        "STABLE RETURN EXISTS (SELECT 1 FROM consents WHERE user_id = asked_user AND kind = asked_kind)",
        "DROP POLICY coach_athletes_seen_by_owner ON coach_athletes",
    ],
    ids=[
        "a look that needs no consent",
        "any look of theirs",
        "a consent that never ends",
        "an owner who sees no pairs",
    ],
)
async def test_a_twin_that_says_something_else_is_found_out(twins: Twins, hole: str) -> None:
    await twins.owner.execute(hole)
    with pytest.raises(AssertionError):
        await test_the_policy_and_its_twin_in_the_database_grant_the_same(twins)


@given(st.randoms(use_true_random=False))
def test_support_and_owners_write_nowhere(dice: Random) -> None:
    now = datetime(2026, 3, 1, tzinfo=UTC)
    people = world_from(dice, now)
    for user_id, role in people.roles.items():
        if role in ("owner", "support"):
            assert set(scopes_of(people, user_id).values()) == {"reader"}
        if role != "support":
            assert all(supported_scopes_of(people, user_id, look.id, now) == {} for look in people.looks)


@given(st.randoms(use_true_random=False))
def test_nobody_but_support_with_consent_gains_anything_from_a_consent(dice: Random) -> None:
    now = datetime(2026, 3, 1, tzinfo=UTC)
    people = world_from(dice, now)
    without = People(people.roles, people.coachings, people.memberships, (), people.looks)
    for user_id in people.roles:
        assert scopes_of(people, user_id) == scopes_of(without, user_id)
        assert all(supported_scopes_of(without, user_id, look.id, now) == {} for look in people.looks)


@given(st.randoms(use_true_random=False))
def test_an_owner_reads_what_their_coaches_read_but_no_messages(dice: Random) -> None:
    people = world_from(dice, datetime(2026, 3, 1, tzinfo=UTC))
    for owner_id in (user_id for user_id, role in people.roles.items() if role == "owner"):
        coaches = [each.coach_id for each in people.memberships if each.owner_id == owner_id and not each.ended]
        of_coaches = {"global"}.union(*(scopes_of(people, coach) for coach in coaches))
        assert set(scopes_of(people, owner_id)) == {scope for scope in of_coaches if not scope.startswith("thread:")}


@given(st.randoms(use_true_random=False))
def test_a_thread_is_read_by_its_two_people_and_only_while_they_work_together(dice: Random) -> None:
    people = world_from(dice, datetime(2026, 3, 1, tzinfo=UTC))
    together = {(pair.coach_id, pair.athlete_id) for pair in people.coachings if not pair.ended}
    for user_id in people.roles:
        threads = {scope: access for scope, access in scopes_of(people, user_id).items() if scope.startswith("thread:")}
        assert threads == {
            thread_scope(str(coach), str(athlete)): "coach" if user_id == coach else "athlete"
            for coach, athlete in together
            if user_id in (coach, athlete)
        }


async def test_no_consent_to_support_outlasts_its_bound(db: Database, database_url: str) -> None:
    owner = await asyncpg.connect(database_url)
    now, user_id = datetime.now(UTC), UUID(int=7)
    people = People({user_id: "athlete"})
    await insert(owner, people, now)
    days = timedelta(days=SUPPORT_CONSENT_DAYS_MAX)
    for expires_at in (None, now, now + days + timedelta(seconds=1)):
        with pytest.raises(asyncpg.CheckViolationError):
            await give(owner, user_id, now, expires_at)
    await give(owner, user_id, now, now + days)
    await owner.close()


async def give(owner: asyncpg.Connection, user_id: UUID, now: datetime, expires_at: datetime | None) -> None:
    await owner.execute(
        "INSERT INTO consents (user_id, kind, version, given_at, expires_at) "
        "VALUES ($1, 'support_access', '1', $2, $3)",
        user_id,
        now,
        expires_at,
    )


def ended(is_ended: bool, now: datetime, by: UUID) -> tuple[datetime | None, UUID | None]:
    return (now, by) if is_ended else (None, None)


def _offset(dice: Random) -> timedelta:
    return dice.choice([-2 * HOUR, -HOUR, HOUR, 2 * HOUR])
