"""The invites by which athletes come to a coach, `/api/invites`."""

from typing import Any

from litestar import Controller, Request, delete, get, post
from litestar.di import NamedDependency
from litestar.params import JSONBody

from apex_server.caller import Caller, require_role
from apex_server.clients.inviting import Invited, make_invites, revoke_invites
from apex_server.clients.payloads import Invite, InviteOffer, InviteRequest
from apex_server.db import Database, load_queries
from apex_server.errors import EmailNotVerified, InvalidFields, NotFound, RoleRequired
from apex_server.grants import announce_grants, readers_beside
from apex_server.invite_errors import InviteExpired, InviteForAnother, InviteUsed, TooManyInvites
from apex_server.invites import (
    CoachLink,
    InviteCode,
    accept_invite,
    coach_name_of,
    invite_fingerprint,
    standing_offer,
)
from apex_server.people import normalise_email
from apex_server.problems import BODY_REFUSALS, SIGN_IN_REFUSALS, problem_responses

__all__ = ["InvitesController"]

_BODY_BYTES_MAX = 4096
_REFUSALS = (*SIGN_IN_REFUSALS, RoleRequired)

_queries = load_queries(__package__)


class InvitesController(Controller):
    """Making and accepting invites."""

    path = "/api/invites"
    tags = ("clients",)
    request_max_body_size = _BODY_BYTES_MAX

    @post(responses=problem_responses(*_REFUSALS, *BODY_REFUSALS, TooManyInvites))
    async def make_invite(
        self,
        data: JSONBody[InviteRequest],
        caller: NamedDependency[Caller],
        database: NamedDependency[Database],
    ) -> Invite:
        """Invite an athlete: a code to tell them, and a link with it.

        Nobody can look the code up again; asked once more for the same address, the code before it is void.
        """
        require_role(caller, "coach")
        email = None if data.email is None else normalise_email(data.email)
        [invite] = await make_invites(database, caller.user_id, [Invited(email)], data.valid_days)
        return invite

    @delete(responses=problem_responses(*_REFUSALS))
    async def revoke_invites(self, caller: NamedDependency[Caller], database: NamedDependency[Database]) -> None:
        """Take back all your invites that nobody has accepted: their codes are void, and what they brought is gone."""
        require_role(caller, "coach")
        await revoke_invites(database, caller.user_id)

    @get(
        "/{code:str}",
        exclude_from_auth=True,
        responses=problem_responses(InvalidFields, NotFound, InviteUsed, InviteExpired),
    )
    async def show_invite(self, code: InviteCode, database: NamedDependency[Database]) -> InviteOffer:
        """Tell who invites, before signing in or registering."""
        async with database.request(None) as connection:
            offer = standing_offer(await connection.fetchrow(_queries.get_invite_offer, invite_fingerprint(code)))
        return InviteOffer(offer["coach_id"], await coach_name_of(database.vault, offer), offer["expires_at"])

    @post(
        "/{code:str}/accept",
        status_code=200,
        responses=problem_responses(
            *_REFUSALS, InvalidFields, NotFound, InviteUsed, InviteExpired, InviteForAnother, EmailNotVerified
        ),
    )
    async def accept_invite(
        self,
        code: InviteCode,
        request: Request[Any, Any, Any],
        caller: NamedDependency[Caller],
        database: NamedDependency[Database],
    ) -> CoachLink:
        """Let the coach see and plan your training. Accepting again, after a lost answer, changes nothing."""
        require_role(caller, "athlete")
        async with database.request(caller.user_id) as connection:
            link = await accept_invite(connection, database.vault, code)
            readers = await readers_beside(connection, link.coach_id, caller.user_id)
        await announce_grants(request.app.state, *readers)
        return link
