"""A coach's athletes, `/api/clients`, and the invites by which they come, `/api/invites`.

A relation begins when an athlete accepts a coach's invite and in no other way, and ends when either of them says so.
"""

from datetime import timedelta
from typing import Annotated, Any
from uuid import UUID

from litestar import Controller, Request, delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, PathParameter, QueryParameter

from apex_server.caller import Caller, require_role
from apex_server.clients.payloads import (
    PAGE_LENGTH_MAX,
    AthletesPage,
    AthleteView,
    Invite,
    InviteOffer,
    InviteRequest,
    PageMark,
)
from apex_server.db import Connection, Database, load_queries
from apex_server.errors import (
    EmailNotVerified,
    InvalidFields,
    InviteExpired,
    InviteForAnother,
    InviteUsed,
    NotFound,
    RoleRequired,
    TooManyInvites,
)
from apex_server.grants import announce_grants, readers_beside
from apex_server.invites import (
    INVITE_CODE_LENGTH_MAX,
    CoachLink,
    accept_invite,
    coach_name_of,
    invite_fingerprint,
    new_invite_code,
    record_link,
)
from apex_server.people import USER_NAME, normalise_email
from apex_server.problems import BODY_REFUSALS, SIGN_IN_REFUSALS, problem_responses

__all__ = ["clients_routes"]

_OPEN_INVITES_MAX = 200
"""Per coach: more is no coach inviting but a program running wild. Two requests at once may pass it by one."""
_ATHLETES_MAX = 5000
"""Per coach, past and to come: opening so many names is 50 ms, and nobody coaches more people than that."""
_BODY_BYTES_MAX = 4096
_REFUSALS = (*SIGN_IN_REFUSALS, RoleRequired)

_InviteCode = Annotated[str, PathParameter(min_length=1, max_length=INVITE_CODE_LENGTH_MAX, description="As typed.")]

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
        """Invite an athlete: a code to tell them, and a link with it. Nobody can look the code up again."""
        require_role(caller, "coach")
        email_index = database.vault.email_index(normalise_email(data.email)) if data.email is not None else None
        code = new_invite_code()
        async with database.request(caller.user_id) as connection:
            if await connection.fetchval(_queries.count_open_invites, caller.user_id) >= _OPEN_INVITES_MAX:
                raise TooManyInvites(_OPEN_INVITES_MAX)
            expires_at = await connection.fetchval(
                _queries.add_invite,
                caller.user_id,
                invite_fingerprint(code),
                email_index,
                timedelta(days=data.valid_days),
            )
        return Invite(code=code, link=f"/join/{code}", expires_at=expires_at)

    @get(
        "/{code:str}",
        exclude_from_auth=True,
        responses=problem_responses(InvalidFields, NotFound, InviteUsed, InviteExpired),
    )
    async def show_invite(self, code: _InviteCode, database: NamedDependency[Database]) -> InviteOffer:
        """Tell who invites, before signing in or registering."""
        async with database.request(None) as connection:
            offer = await connection.fetchrow(_queries.get_invite_offer, invite_fingerprint(code))
        if offer is None:
            raise NotFound("invite")
        if offer["used"]:
            raise InviteUsed
        if offer["expired"]:
            raise InviteExpired
        return InviteOffer(offer["coach_id"], await coach_name_of(database.vault, offer), offer["expires_at"])

    @post(
        "/{code:str}/accept",
        status_code=200,
        responses=problem_responses(
            *_REFUSALS, InvalidFields, NotFound, InviteUsed, InviteExpired, InviteForAnother, EmailNotVerified
        ),
    )
    async def accept(
        self,
        code: _InviteCode,
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


class ClientsController(Controller):
    """A coach's athletes."""

    path = "/api/clients"
    tags = ("clients",)

    @get(responses=problem_responses(*_REFUSALS, InvalidFields))
    async def list_athletes(
        self,
        caller: NamedDependency[Caller],
        database: NamedDependency[Database],
        limit: Annotated[int, QueryParameter(ge=1, le=PAGE_LENGTH_MAX)] = 100,
        after: Annotated[
            str | None, QueryParameter(max_length=2000, description="The `next` of the page before.")
        ] = None,
    ) -> AthletesPage:
        """List the athletes you coach now, by name."""
        require_role(caller, "coach")
        mark = PageMark.decode(after) if after is not None else None
        async with database.request(caller.user_id) as connection:
            rows = await connection.fetch(_queries.list_athletes, caller.user_id, _ATHLETES_MAX)
            names = await database.vault.texts(connection, USER_NAME, [(row["id"], row["name"]) for row in rows])
        everybody = [AthleteView(row["id"], name, row["since"]) for row, name in zip(rows, names, strict=True)]
        everybody.sort(key=lambda athlete: (athlete.name, athlete.id))
        following = [each for each in everybody if mark is None or (each.name, each.id) > (mark.name, mark.id)]
        athletes = following[:limit]
        last = athletes[-1] if len(following) > limit else None
        return AthletesPage(athletes=athletes, next=PageMark(last.name, last.id).encode() if last else None)

    @delete("/{athlete_id:uuid}/link", responses=problem_responses(*_REFUSALS, InvalidFields, NotFound))
    async def end_link(
        self,
        athlete_id: FromPath[UUID],
        request: Request[Any, Any, Any],
        caller: NamedDependency[Caller],
        database: NamedDependency[Database],
        coach_id: Annotated[
            UUID | None, QueryParameter(description="For an athlete with several coaches: which one.")
        ] = None,
    ) -> None:
        """End the relation between a coach and an athlete; either of them may. What was logged stays the athlete's."""
        async with database.request(caller.user_id) as connection:
            coach = caller.user_id if caller.role == "coach" else coach_id or await _only_coach(connection, caller)
            readers = await readers_beside(connection, coach, athlete_id)
            ended = await connection.fetchval(_queries.end_link, caller.user_id, coach, athlete_id)
            if ended is None:
                raise NotFound("athlete")
            await record_link(connection, database.vault, "coach_unlinked", coach, athlete_id, by=caller.user_id)
        await announce_grants(request.app.state, *readers)


clients_routes = (InvitesController, ClientsController)


async def _only_coach(connection: Connection, athlete: Caller) -> UUID:
    coaches = await connection.fetch(_queries.list_linked_coaches, athlete.user_id)
    if not coaches:
        raise NotFound("athlete")
    if len(coaches) > 1:
        raise InvalidFields.one("coach_id", "Expected one of your coaches, because you have several")
    coach_id: UUID = coaches[0]["coach_id"]
    return coach_id
