"""`/api/support/looks`: beginning a look at a person, ending it, and seeing who looked at whom."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from litestar import Controller, Request, delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from apex_server.audit import Action, record_event
from apex_server.caller import Caller, require_role
from apex_server.client_address import client_address
from apex_server.db import Connection, Database, load_queries
from apex_server.errors import InvalidFields, NotFound, RoleRequired
from apex_server.problems import BODY_REFUSALS, SIGN_IN_REFUSALS, problem_responses
from apex_server.second_factor_errors import SecondFactorAgain
from apex_server.step_up import require_second_factor
from apex_server.support.payloads import Look, LookRequest, LooksView
from apex_server.vault import Vault

__all__ = ["support_routes"]

LOOK_SPAN = timedelta(hours=1)
"""Long enough to understand a ticket; a longer one is begun again, and recorded again."""

_BODY_BYTES_MAX = 4096

_queries = load_queries(__package__)


class LooksController(Controller):
    """Looks of support at people who let them."""

    path = "/api/support/looks"
    tags = ("support",)
    request_max_body_size = _BODY_BYTES_MAX

    @post(responses=problem_responses(*SIGN_IN_REFUSALS, *BODY_REFUSALS, SecondFactorAgain, RoleRequired, NotFound))
    async def begin_look(
        self,
        request: Request[Any, Any, Any],
        data: JSONBody[LookRequest],
        caller: NamedDependency[Caller],
        database: NamedDependency[Database],
        vault: NamedDependency[Vault],
    ) -> Look:
        """Begin to look at a person who has given support access; it ends the look before.

        It asks for a second factor shown in the last quarter of an hour, and this session alone reads under it.
        Somebody who has not given access, and nobody at all, get the same answer.
        """
        require_role(caller, "support")
        async with database.request(caller.user_id) as connection:
            await require_second_factor(connection, caller, now=datetime.now(UTC))
            look_id = await connection.fetchval(
                _queries.begin_look, data.user_id, data.ticket, LOOK_SPAN, caller.session_id
            )
            if look_id is None:
                raise NotFound("person")
            look = Look(**dict(await connection.fetchrow(_queries.get_look, caller.user_id, look_id)))
            await _record(connection, "support_look_begun", look, request, caller, vault)
        return look

    @get(responses=problem_responses(*SIGN_IN_REFUSALS))
    async def list_looks(self, caller: NamedDependency[Caller], database: NamedDependency[Database]) -> LooksView:
        """List who of support looked at you, for which ticket and when; for support, at whom they looked."""
        async with database.request(caller.user_id) as connection:
            rows = await connection.fetch(_queries.list_looks, caller.user_id)
        return LooksView([Look(**dict(row)) for row in rows])

    @delete("/{look_id:uuid}", responses=problem_responses(*SIGN_IN_REFUSALS, InvalidFields, NotFound))
    async def end_look(
        self,
        look_id: FromPath[UUID],
        request: Request[Any, Any, Any],
        caller: NamedDependency[Caller],
        database: NamedDependency[Database],
        vault: NamedDependency[Vault],
    ) -> None:
        """End a look at once: the one who looks may, and the one who is looked at."""
        async with database.request(caller.user_id) as connection:
            ended = await connection.fetchrow(_queries.end_look, caller.user_id, look_id)
            if ended is None:
                raise NotFound("look")
            await _record(connection, "support_look_ended", Look(**dict(ended)), request, caller, vault)


support_routes = (LooksController,)


async def _record(
    connection: Connection, action: Action, look: Look, request: Request[Any, Any, Any], caller: Caller, vault: Vault
) -> None:
    await record_event(
        connection,
        look.user_id,
        action,
        vault=vault,
        actor_id=caller.user_id,
        device_id=caller.device_id,
        address=client_address(request),
        detail={"look": str(look.id), "ticket": look.ticket},
    )
