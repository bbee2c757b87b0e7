"""`/api/organisation`: what an owner does with their coaches, and a coach with the organisation they belong to.

An owner reads what their coaches read and writes nothing of it (docs/decisions/owners_read.md). A membership begins
when a coach accepts an owner's invite and in no other way, and ends when either of them says so.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from litestar import Controller, Request, delete, get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from apex_server.audit import Action, record_event
from apex_server.caller import Caller, require_role
from apex_server.client_address import client_address
from apex_server.db import Connection, Database, load_queries
from apex_server.errors import ApiError, EmailNotVerified, InvalidFields, NotFound, RoleRequired
from apex_server.grants import announce_grants
from apex_server.invite_errors import InviteExpired, InviteForAnother, InviteUsed, TooManyInvites
from apex_server.invites import InviteCode, invite_fingerprint, invite_refusal, new_invite_code, standing_offer
from apex_server.organisations.errors import InOrganisation, OrganisationFull
from apex_server.organisations.payloads import (
    CoachInvite,
    CoachInviteRequest,
    Membership,
    MemberView,
    Naming,
    Organisation,
    OrganisationOffer,
    PeopleView,
    Reader,
    ReadersView,
)
from apex_server.people import ORGANISATION_NAME, USER_NAME, clean_name, normalise_email
from apex_server.problems import BODY_REFUSALS, SIGN_IN_REFUSALS, problem_responses
from apex_server.second_factor_errors import SecondFactorAgain
from apex_server.step_up import require_second_factor, require_verified_email

__all__ = ["organisation_routes"]

COACHES_MAX = 50
"""Of one organisation. Each brings up to 200 athletes with two scopes, and a replica follows 20,000 scopes at most."""

OPEN_INVITES_MAX = 100
"""Per owner: twice as many as there can be coaches."""

_BODY_BYTES_MAX = 4096
_REFUSALS = (*SIGN_IN_REFUSALS, RoleRequired)

_queries = load_queries(__package__)


class OrganisationController(Controller):
    """One organisation, for its owner and for its coaches."""

    path = "/api/organisation"
    tags = ("organisation",)
    request_max_body_size = _BODY_BYTES_MAX

    @get(responses=problem_responses(*_REFUSALS, NotFound))
    async def get_organisation(
        self, caller: NamedDependency[Caller], database: NamedDependency[Database]
    ) -> Organisation:
        """Read your organisation with its coaches, by name."""
        require_role(caller, "owner")
        async with database.request(caller.user_id) as connection:
            return await _organisation(connection, database, caller)

    @put(responses=problem_responses(*_REFUSALS, *BODY_REFUSALS, EmailNotVerified, SecondFactorAgain))
    async def name_organisation(
        self,
        data: JSONBody[Naming],
        request: Request[Any, Any, Any],
        caller: NamedDependency[Caller],
        database: NamedDependency[Database],
    ) -> Organisation:
        """Name your organisation; naming it the first time makes it, for which your address must be confirmed.

        Whoever says whether a second factor is demanded, of the coaches and themselves, has shown theirs lately. It
        holds at once: a session that has shown none sets one up, or signs in again with it, before anything else.
        """
        require_role(caller, "owner")
        name = clean_name(data.name, field="name")
        async with database.request(caller.user_id) as connection:
            await require_verified_email(connection, caller.user_id)
            key = await database.vault.user_key(connection, caller.user_id)
            sealed = key.seal_text(name, what=ORGANISATION_NAME)
            await connection.execute(_queries.name_organisation, caller.user_id, sealed)
            if data.second_factor_demanded is not None:
                await require_second_factor(connection, caller, now=datetime.now(UTC))
                await _demand_second_factor(connection, request, database, caller, demanded=data.second_factor_demanded)
            return await _organisation(connection, database, caller)

    @get("/coaches/{coach_id:uuid}/athletes", responses=problem_responses(*_REFUSALS, InvalidFields, NotFound))
    async def list_athletes_of_coach(
        self, coach_id: FromPath[UUID], caller: NamedDependency[Caller], database: NamedDependency[Database]
    ) -> PeopleView:
        """List whom one of your coaches coaches now, by name."""
        require_role(caller, "owner")
        async with database.request(caller.user_id) as connection:
            if not await connection.fetchval(_queries.is_member, caller.user_id, coach_id):
                raise NotFound("coach")
            rows = await connection.fetch(_queries.list_athletes_of_coach, coach_id)
            return PeopleView(await _by_name(connection, database, rows))

    @delete("/coaches/{coach_id:uuid}", responses=problem_responses(*_REFUSALS, InvalidFields, NotFound))
    async def remove_coach(
        self,
        coach_id: FromPath[UUID],
        request: Request[Any, Any, Any],
        caller: NamedDependency[Caller],
        database: NamedDependency[Database],
    ) -> None:
        """Let a coach go: you stop reading with them at once. They and their athletes keep everything."""
        require_role(caller, "owner")
        await _end(request, database, caller, coach_id)

    @delete("/membership", responses=problem_responses(*_REFUSALS, NotFound))
    async def leave_organisation(
        self, request: Request[Any, Any, Any], caller: NamedDependency[Caller], database: NamedDependency[Database]
    ) -> None:
        """Leave the organisation you coach for; its owner stops reading with you at once."""
        require_role(caller, "coach")
        await _end(request, database, caller, caller.user_id)

    @get("/readers", responses=problem_responses(*_REFUSALS))
    async def list_readers(self, caller: NamedDependency[Caller], database: NamedDependency[Database]) -> ReadersView:
        """List who reads along with you: as a coach your organisation, as an athlete those of your coaches."""
        require_role(caller, "athlete", "coach")
        async with database.request(caller.user_id) as connection:
            rows = await connection.fetch(_queries.list_readers, caller.user_id)
            owners = await _texts(connection, database, USER_NAME, rows, "owner_name")
            names = await _texts(connection, database, ORGANISATION_NAME, rows, "organisation_name")
        return ReadersView(
            [
                Reader(row["coach_id"], row["owner_id"], owner, name, row["since"])
                for row, owner, name in zip(rows, owners, names, strict=True)
            ]
        )

    @post("/invites", responses=problem_responses(*_REFUSALS, *BODY_REFUSALS, NotFound, TooManyInvites))
    async def invite_coach(
        self, data: JSONBody[CoachInviteRequest], caller: NamedDependency[Caller], database: NamedDependency[Database]
    ) -> CoachInvite:
        """Invite a coach: a code to tell them. Nobody can look it up again."""
        require_role(caller, "owner")
        email_index = database.vault.email_index(normalise_email(data.email)) if data.email is not None else None
        code, span = new_invite_code(), timedelta(days=data.valid_days)
        async with database.request(caller.user_id) as connection:
            if await connection.fetchrow(_queries.get_organisation, caller.user_id) is None:
                raise NotFound("organisation")
            if await connection.fetchval(_queries.count_open_invites, caller.user_id) >= OPEN_INVITES_MAX:
                raise TooManyInvites(OPEN_INVITES_MAX)
            expires_at = await connection.fetchval(
                _queries.add_invite, caller.user_id, invite_fingerprint(code), email_index, span
            )
        return CoachInvite(code, expires_at)

    @get(
        "/invites/{code:str}",
        exclude_from_auth=True,
        responses=problem_responses(InvalidFields, NotFound, InviteUsed, InviteExpired),
    )
    async def show_organisation_invite(
        self, code: InviteCode, database: NamedDependency[Database]
    ) -> OrganisationOffer:
        """Tell a coach who invites, before they sign in or register."""
        async with database.request(None) as connection:
            offer = standing_offer(await connection.fetchrow(_queries.get_offer, invite_fingerprint(code)))
        key = await database.vault.unwrapped(offer["owner_id"], offer["wrapped"], offer["master_key_id"])
        return OrganisationOffer(
            offer["owner_id"],
            key.open_text(offer["owner_name"], what=USER_NAME),
            key.open_text(offer["organisation_name"], what=ORGANISATION_NAME),
            offer["expires_at"],
        )

    @post(
        "/invites/{code:str}/accept",
        status_code=200,
        responses=problem_responses(
            *_REFUSALS, InvalidFields, NotFound, InviteUsed, InviteExpired, InviteForAnother, EmailNotVerified,
            InOrganisation, OrganisationFull,
        ),
    )  # fmt: skip
    async def join_organisation(
        self,
        code: InviteCode,
        request: Request[Any, Any, Any],
        caller: NamedDependency[Caller],
        database: NamedDependency[Database],
    ) -> Membership:
        """Join: the owner reads what you read from now on. Accepting again, after a lost answer, changes nothing."""
        require_role(caller, "coach")
        async with database.request(caller.user_id) as connection:
            await require_verified_email(connection, caller.user_id)
            row = await connection.fetchrow(
                _queries.join_organisation, invite_fingerprint(code), caller.user_id, COACHES_MAX
            )
            if row["outcome"] != "joined":
                raise _refusal(row["outcome"])
            owner_id: UUID = row["owner_id"]
            organisation = await connection.fetchrow(_queries.get_organisation, owner_id)
            [name] = await database.vault.texts(connection, ORGANISATION_NAME, [(owner_id, organisation["name"])])
            if row["is_new"]:
                await _record(connection, "organisation_joined", request, database, caller, caller.user_id, owner_id)
        await announce_grants(request.app.state, owner_id)
        return Membership(owner_id, name, row["since"])


organisation_routes = (OrganisationController,)


async def _organisation(connection: Connection, database: Database, owner: Caller) -> Organisation:
    row = await connection.fetchrow(_queries.get_organisation, owner.user_id)
    if row is None:
        raise NotFound("organisation")
    [name] = await database.vault.texts(connection, ORGANISATION_NAME, [(owner.user_id, row["name"])])
    coaches = await connection.fetch(_queries.list_coaches, owner.user_id)
    members = await _by_name(connection, database, coaches)
    return Organisation(name, row["created_at"], row["second_factor_demanded"], members)


async def _demand_second_factor(
    connection: Connection, request: Request[Any, Any, Any], database: Database, owner: Caller, *, demanded: bool
) -> None:
    """Demand it of everybody or of nobody, and write down who began or ended that."""
    if await connection.fetchval(_queries.demand_second_factor, owner.user_id, demanded):
        action: Action = "second_factor_demanded" if demanded else "second_factor_not_demanded"
        await _record(connection, action, request, database, owner, owner.user_id, owner.user_id)


async def _by_name(connection: Connection, database: Database, rows: Sequence[Any]) -> list[MemberView]:
    names = await database.vault.texts(connection, USER_NAME, [(row["id"], row["name"]) for row in rows])
    people = [MemberView(row["id"], name, row["since"]) for row, name in zip(rows, names, strict=True)]
    return sorted(people, key=lambda person: (person.name, person.id))


async def _texts(
    connection: Connection, database: Database, what: str, rows: Sequence[Any], column: str
) -> Sequence[str]:
    return await database.vault.texts(connection, what, [(row["owner_id"], row[column]) for row in rows])


async def _end(request: Request[Any, Any, Any], database: Database, caller: Caller, coach_id: UUID) -> None:
    """End a membership. Raises NotFound."""
    async with database.request(caller.user_id) as connection:
        owner_id = await connection.fetchval(_queries.end_membership, caller.user_id, coach_id)
        if owner_id is None:
            raise NotFound("coach" if caller.role == "owner" else "organisation")
        await _record(connection, "organisation_left", request, database, caller, coach_id, owner_id)
    await announce_grants(request.app.state, owner_id)


async def _record(
    connection: Connection,
    action: Action,
    request: Request[Any, Any, Any],
    database: Database,
    caller: Caller,
    subject_id: UUID,
    owner_id: UUID,
) -> None:
    await record_event(
        connection,
        subject_id,
        action,
        vault=database.vault,
        actor_id=caller.user_id,
        device_id=caller.device_id,
        address=client_address(request),
        detail={"owner_id": str(owner_id)},
    )


def _refusal(outcome: str) -> ApiError:
    match outcome:
        case "elsewhere":
            return InOrganisation()
        case "full":
            return OrganisationFull(COACHES_MAX)
    return invite_refusal(outcome)
