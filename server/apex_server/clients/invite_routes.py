"""The invites by which athletes come to a coach: `/api/clients/invites` for that coach, `/api/invites` for a code."""

from typing import Any
from uuid import UUID

from litestar import Controller, Request, delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from apex_server.caller import Caller, require_role
from apex_server.clients.inviting import Invited, list_invites, make_invites, revoke_invites
from apex_server.clients.payloads import Invite, InviteMark, InviteRequest, OpenInvitesPage
from apex_server.db import Database
from apex_server.errors import EmailNotVerified, InvalidFields, NotFound, RoleRequired
from apex_server.grants import announce_grants, readers_beside
from apex_server.invite_errors import InviteExpired, InviteForAnother, InviteRevoked, InviteUsed, TooManyInvites
from apex_server.invites import CoachLink, InviteCode, InviteOffer, accept_invite, find_offer
from apex_server.people import normalise_email
from apex_server.problems import BODY_REFUSALS, SIGN_IN_REFUSALS, problem_responses
from apex_server.resources.pages import PAGE_LENGTH_DEFAULT
from apex_server.resources.requests import After, Limit

__all__ = ["InvitesController", "OpenInvitesController"]

_BODY_BYTES_MAX = 4096
_REFUSALS = (*SIGN_IN_REFUSALS, RoleRequired)


class InvitesController(Controller):
    """Making and accepting invites: what is known to whoever holds the code."""

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
        """Invite an athlete: a code to tell them, and a link with it, which is mailed to the address if there is one.

        POST /api/clients does the same, with what you know of them. Nobody can look the code up again; asked once more
        for the same address, the code before it is void.
        """
        require_role(caller, "coach")
        email = None if data.email is None else normalise_email(data.email)
        [invite] = await make_invites(database, caller.user_id, [Invited(email)], data.valid_days)
        return invite

    @get(
        "/{code:str}",
        exclude_from_auth=True,
        responses=problem_responses(InvalidFields, NotFound, InviteUsed, InviteRevoked, InviteExpired),
    )
    async def show_invite(self, code: InviteCode, database: NamedDependency[Database]) -> InviteOffer:
        """Tell who invites, before signing in or registering."""
        async with database.request(None) as connection:
            return await find_offer(connection, database.vault, code)

    @post(
        "/{code:str}/accept",
        status_code=200,
        responses=problem_responses(
            *_REFUSALS, InvalidFields, NotFound, InviteUsed, InviteRevoked, InviteExpired, InviteForAnother,
            EmailNotVerified,
        ),
    )  # fmt: skip
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


class OpenInvitesController(Controller):
    """A coach's invites that nobody has accepted yet."""

    path = "/api/clients/invites"
    tags = ("clients",)

    @get(responses=problem_responses(*_REFUSALS, InvalidFields))
    async def list_invites(
        self,
        caller: NamedDependency[Caller],
        database: NamedDependency[Database],
        limit: Limit = PAGE_LENGTH_DEFAULT,
        after: After = None,
    ) -> OpenInvitesPage:
        """List your open invites, the newest first: for whom, until when, and whether the letter has gone."""
        require_role(caller, "coach")
        mark = InviteMark.decode(after)
        return await list_invites(database, caller.user_id, mark, limit)

    @delete(responses=problem_responses(*_REFUSALS))
    async def revoke_invites(self, caller: NamedDependency[Caller], database: NamedDependency[Database]) -> None:
        """Take back all your open invites: their codes are void, and what they brought is gone."""
        require_role(caller, "coach")
        await revoke_invites(database, caller.user_id)

    @delete("/{invite_id:uuid}", responses=problem_responses(*_REFUSALS, InvalidFields, NotFound))
    async def revoke_invite(
        self, invite_id: FromPath[UUID], caller: NamedDependency[Caller], database: NamedDependency[Database]
    ) -> None:
        """Take back one open invite: its code is void, whoever tries it is told, and what it brought is gone."""
        require_role(caller, "coach")
        await revoke_invites(database, caller.user_id, invite_id)
