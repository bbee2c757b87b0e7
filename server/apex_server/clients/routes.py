"""A coach's athletes, `/api/clients`: how each stands, their profile, and what the coach keeps about them.

Profile and file are two records, the first shared with the athlete and the second the coach's own; what is changed here
becomes ops on them like a change on any device. The rest is derived. A relation begins when an athlete accepts an
invite and in no other way, and ends when either of them says so; archiving only puts an athlete out of sight.
"""

from typing import Annotated, Any
from uuid import UUID

import msgspec
from anyio import to_thread
from litestar import Controller, Request, Response, delete, get, patch, post, put
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from msgspec import UNSET

from apex_server.caller import Caller, require_role
from apex_server.clients.dashboard import dashboard_of, timeline_of
from apex_server.clients.importing import IMPORT_ROWS_MAX, check_values, judged, rows_of
from apex_server.clients.invite_routes import InvitesController, OpenInvitesController
from apex_server.clients.inviting import Invited, import_clients, make_invites
from apex_server.clients.ordering import page_of
from apex_server.clients.payloads import (
    PAGE_LENGTH_MAX,
    ClientChange,
    ClientDashboard,
    ClientDetail,
    ClientDraft,
    ClientMark,
    ClientsPage,
    ImportReport,
    ImportRequest,
    Invite,
    NewClient,
    StatusRequest,
    TimelinePage,
)
from apex_server.clients.reading import etag_of_client, read_client, versions_named
from apex_server.clients.writing import ClientWriter
from apex_server.db import Connection, Database, load_queries
from apex_server.errors import FieldError, InvalidFields, NotFound, RoleRequired, TooManyClients
from apex_server.grants import announce_grants, readers_beside
from apex_server.invite_drafts import InviteDraft, problems_of
from apex_server.invite_errors import TooManyInvites
from apex_server.invites import record_link
from apex_server.people import normalise_email
from apex_server.problems import BODY_REFUSALS, SIGN_IN_REFUSALS, problem_responses
from apex_server.resources import PageMark, VersionRequired, described_as, require_scope
from apex_server.resources.bodies import object_body
from apex_server.resources.pages import PAGE_LENGTH_DEFAULT
from apex_server.resources.requests import READ_REFUSALS, WRITE_REFUSALS, After, IfMatch, IfNoneMatch, Limit
from apex_server.resources.versions import is_named
from apex_server.standing import ReadCoach, clients_of, coaches_read_by
from apex_server.sync.commit import Committer
from apex_sync.coaching.client_order import ClientSort
from apex_sync.coaching.client_standing import Status
from apex_sync.coaching.client_timeline import TimelineKind
from apex_sync.ids import athlete_scope

__all__ = ["clients_routes"]

_REFUSALS = (*SIGN_IN_REFUSALS, RoleRequired)
_READ = (*READ_REFUSALS, RoleRequired)
_WRITE = (*WRITE_REFUSALS, RoleRequired)

WHOLE_CLIENT = {
    "profile": {"goals": ["Compete"], "date_of_birth": "1994-05-17", "check_in_day_number": 7},
    "file": {"tags": ["Prep"], "subscription_tier": "premium"},
}
"""An example for the description of the API."""

IMPORT_BYTES_MAX = 8 * 1024 * 1024
"""Ten thousand rows of 800 bytes."""

_queries = load_queries(__package__)


def provide_writer(
    caller: NamedDependency[Caller], database: NamedDependency[Database], committer: NamedDependency[Committer]
) -> ClientWriter:
    """Give what writes for a coach. Raises RoleRequired."""
    require_role(caller, "coach")
    return ClientWriter(database, committer, caller)


async def refuse_too_many_values(request: Request[Any, Any, Any]) -> None:
    """Look at the body of an import before it is decoded. Raises InvalidFields."""
    check_values(await request.body())


class ClientsController(Controller):
    """A coach's athletes."""

    path = "/api/clients"
    tags = ("clients",)
    request_max_body_size = 256 * 1024  # Notes of 10,000 characters each, on a dozen injuries and programs.
    dependencies = {"clients": Provide(provide_writer, sync_to_thread=False)}  # noqa: RUF012 - as Litestar has it.

    @get(responses=problem_responses(*_REFUSALS, InvalidFields, TooManyClients))
    async def list_clients(
        self,
        caller: NamedDependency[Caller],
        database: NamedDependency[Database],
        coach_id: ReadCoach = None,
        status: FromQuery[Status | None] = None,
        tag: Annotated[str | None, QueryParameter(max_length=200, description="As it is written.")] = None,
        archived: Annotated[bool, QueryParameter(description="True: only those who were archived.")] = False,
        text: Annotated[str | None, QueryParameter(max_length=200, description="A part of the name.")] = None,
        sort: Annotated[ClientSort, QueryParameter(description="A minus turns it around.")] = "name",
        limit: Annotated[int, QueryParameter(ge=1, le=PAGE_LENGTH_MAX)] = 100,
        after: After = None,
    ) -> ClientsPage:
        """List the athletes you coach now, with how each stands; as an owner, those of your coaches.

        A status that you set goes first. Else: `inactive` after four weeks without a session or a check-in;
        `needs-attention` when a check-in is three days late, when less than 70 % of the due sessions were done two
        weeks running, or with a critical insight; `overdue` when a check-in is late by less; `active` otherwise.
        """
        mark = ClientMark.decode(after)
        async with database.request(caller.user_id) as connection:
            coaches = await coaches_read_by(connection, caller, coach_id)
            everybody = await clients_of(connection, database.vault, coaches)
        wanted = text.casefold() if text else ""
        found = [
            client
            for client in everybody
            if client.archived == archived
            and status in (None, client.status)
            and (tag is None or tag in client.tags)
            and wanted in client.name.casefold()
        ]
        return page_of(found, sort, mark, limit)

    @post(responses=problem_responses(*_REFUSALS, *BODY_REFUSALS, TooManyInvites))
    async def make_client(self, data: JSONBody[NewClient], clients: NamedDependency[ClientWriter]) -> Invite:
        """Invite an athlete, with what you know of them already.

        POST /api/invites does the same without that. A letter brings the link to the address, if there is one. They are
        your client once they accept; then profile and file are laid down, and what they said of themselves stands.
        Nobody can look the code up again; asked once more for the same address, the code before it is void.
        """
        email = None if data.email is None else normalise_email(data.email)
        known = {part: msgspec.to_builtins(each) for part in ("profile", "file") if (each := getattr(data, part))}
        draft = InviteDraft(**known) if known else None
        if draft and (problems := problems_of(draft)):
            raise InvalidFields([FieldError(f"{part}.{each.field}", each.message) for part, each in problems])
        [invite] = await make_invites(
            clients.database, clients.caller.user_id, [Invited(email, draft)], data.valid_days
        )
        return invite

    @post("/import", status_code=200, request_max_body_size=IMPORT_BYTES_MAX, before_request=refuse_too_many_values,
          responses=problem_responses(*_REFUSALS, *BODY_REFUSALS, TooManyInvites))  # fmt: skip
    async def import_clients(
        self,
        data: JSONBody[ImportRequest],
        clients: NamedDependency[ClientWriter],
        dry_run: Annotated[bool, QueryParameter(description="False: invite those whose row is whole.")] = True,
    ) -> ImportReport:
        """Invite many athletes at once; each row is judged alone, and a wrong one stops no other.

        First look at what would be done, then send the same with `dry_run=false`. Sent once more, whoever has an open
        invite under their address gets a new code for it. Rows beyond the bound of open invites are named.
        """
        if (data.csv is None) == (data.rows is None):
            raise InvalidFields.one("csv", "Expected either csv or rows")
        rows = data.rows if data.rows is not None else await to_thread.run_sync(rows_of, data.csv or "")
        if len(rows) > IMPORT_ROWS_MAX:
            raise InvalidFields.one("rows", f"Expected at most {IMPORT_ROWS_MAX} rows")
        found = await to_thread.run_sync(lambda: list(judged(rows)))
        return await import_clients(clients.database, clients.caller.user_id, found, dry_run=dry_run)

    @get("/{athlete_id:uuid}", responses=problem_responses(*_READ))
    async def get_client(
        self,
        athlete_id: FromPath[UUID],
        caller: NamedDependency[Caller],
        database: NamedDependency[Database],
        coach_id: ReadCoach = None,
        if_none_match: IfNoneMatch = None,
    ) -> Response[ClientDetail]:
        """Read one athlete: standing, profile, the coach's own file, and what is known of the body."""
        return await _answer(database, caller, athlete_id, if_none_match, coach_id=coach_id)

    @put("/{athlete_id:uuid}", dto=described_as(ClientDraft, WHOLE_CLIENT), return_dto=None,
         responses=problem_responses(*_WRITE, VersionRequired))  # fmt: skip
    async def replace_client(
        self,
        athlete_id: FromPath[UUID],
        data: JSONBody[dict[str, Any]],
        clients: NamedDependency[ClientWriter],
        if_match: IfMatch = None,
    ) -> Response[ClientDetail]:
        """Make profile and file what the body says, starting from the version named in If-Match.

        A part that is left out stays as it is. Each is a record of its own: if the second is refused, the first stands.
        """
        if if_match is None:
            raise VersionRequired
        await clients.replace(athlete_id, object_body(data), versions_named(if_match))
        return await _answer(clients.database, clients.caller, athlete_id)

    @patch("/{athlete_id:uuid}", responses=problem_responses(*_WRITE))
    async def patch_client(
        self,
        athlete_id: FromPath[UUID],
        data: JSONBody[ClientChange],
        clients: NamedDependency[ClientWriter],
        if_match: IfMatch = None,
    ) -> Response[ClientDetail]:
        """Change single values of an athlete's profile and of your file on them."""
        changes = {name: each for name, each in msgspec.structs.asdict(data).items() if each is not UNSET}
        await clients.change(athlete_id, msgspec.to_builtins(changes), versions_named(if_match))
        return await _answer(clients.database, clients.caller, athlete_id)

    @get("/{athlete_id:uuid}/dashboard", responses=problem_responses(*_READ))
    async def get_dashboard(
        self,
        athlete_id: FromPath[UUID],
        caller: NamedDependency[Caller],
        database: NamedDependency[Database],
        coach_id: ReadCoach = None,
    ) -> ClientDashboard:
        """Read one athlete at a glance: four weeks of training, weight and food, check-ins, what waits.

        Messages are counted for their coach alone, and never shown.
        """
        async with database.request(caller.user_id) as connection:
            coaches = await coaches_read_by(connection, caller, coach_id)
            return await dashboard_of(connection, database.vault, caller, coaches, athlete_id)

    @get("/{athlete_id:uuid}/timeline", responses=problem_responses(*_READ))
    async def get_timeline(
        self,
        athlete_id: FromPath[UUID],
        caller: NamedDependency[Caller],
        database: NamedDependency[Database],
        coach_id: ReadCoach = None,
        kind: FromQuery[TimelineKind | None] = None,
        limit: Limit = PAGE_LENGTH_DEFAULT,
        after: After = None,
    ) -> TimelinePage:
        """List what happened to an athlete, the newest first."""
        mark = PageMark.decode(after)
        async with database.request(caller.user_id) as connection:
            coaches = await coaches_read_by(connection, caller, coach_id)
            await require_scope(connection, caller.user_id, athlete_scope(str(athlete_id)), "athlete")
            return await timeline_of(connection, database.vault, coaches, athlete_id, kind, mark, limit)

    @put("/{athlete_id:uuid}/status", responses=problem_responses(*_WRITE))
    async def set_status(
        self, athlete_id: FromPath[UUID], data: JSONBody[StatusRequest], clients: NamedDependency[ClientWriter]
    ) -> Response[ClientDetail]:
        """Set the status of an athlete, whatever their records say; null goes by the records again."""
        await clients.change(athlete_id, {"file": {"status": data.status}})
        return await _answer(clients.database, clients.caller, athlete_id)

    @delete("/{athlete_id:uuid}", responses=problem_responses(*_WRITE))
    async def archive_client(self, athlete_id: FromPath[UUID], clients: NamedDependency[ClientWriter]) -> None:
        """Put an athlete out of sight of lists. You go on working together; ending that is another call."""
        await clients.change(athlete_id, {"file": {"archived": True}})

    @post("/{athlete_id:uuid}/restore", status_code=200, responses=problem_responses(*_WRITE))
    async def restore_client(
        self, athlete_id: FromPath[UUID], clients: NamedDependency[ClientWriter]
    ) -> Response[ClientDetail]:
        """Bring an archived athlete back into sight."""
        await clients.change(athlete_id, {"file": {"archived": False}})
        return await _answer(clients.database, clients.caller, athlete_id)

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


clients_routes = (InvitesController, OpenInvitesController, ClientsController)


async def _answer(
    database: Database,
    caller: Caller,
    athlete_id: UUID,
    if_none_match: str | None = None,
    *,
    coach_id: UUID | None = None,
) -> Response[Any]:
    """Answer with one athlete as they stand now. Raises NotFound."""
    detail, versions = await read_client(database, caller, athlete_id, coach_id)
    body = msgspec.json.encode(detail)
    headers = {"ETag": etag_of_client(versions, body)}
    if is_named(if_none_match, headers["ETag"]):
        return Response(None, status_code=304, headers=headers)
    return Response(body, media_type="application/json", status_code=200, headers=headers)


async def _only_coach(connection: Connection, athlete: Caller) -> UUID:
    coaches = await connection.fetch(_queries.list_linked_coaches, athlete.user_id)
    if not coaches:
        raise NotFound("athlete")
    if len(coaches) > 1:
        raise InvalidFields.one("coach_id", "Expected one of your coaches, because you have several")
    coach_id: UUID = coaches[0]["coach_id"]
    return coach_id
