"""What support accounts may call: their own account, and reading while they look at somebody, each read recorded.

It stands behind the guard that finds out who calls, and refuses whatever is not named here; so a new endpoint is closed
to support until it is a reading one. What is recorded is recorded before the read, and stays when the read fails. The
read itself is bound to the look that was recorded: the handler is given the database under that look, and row-level
security asks, in the read's own transaction, whether it still stands. So a look that ends, or another that begins,
between the two shows nothing.
"""

from typing import Any
from uuid import UUID

from litestar.connection import ASGIConnection
from litestar.datastructures import State
from litestar.enums import ScopeType
from litestar.handlers import BaseRouteHandler
from litestar.types import Scope

from apex_server.audit import record_event
from apex_server.caller import Caller
from apex_server.client_address import client_address
from apex_server.db import Database, load_queries
from apex_server.problems import websocket_refusal
from apex_server.support.errors import LookRequired, SupportReadsOnly

__all__ = ["guard_support", "provide_database"]

OWN_ACCOUNT = (
    "/api/audit",
    "/api/auth",
    "/api/consents",
    "/api/devices",
    "/api/limits",
    "/api/privacy",
    "/api/support",
)
"""Addresses under which everybody finds what is their own and nobody else's."""

NEVER = ("/api/sync",)
"""Support keeps no replica of anybody."""

_queries = load_queries(__package__)


async def guard_support(connection: ASGIConnection[Any, Any, Any, Any], _handler: BaseRouteHandler) -> None:
    """Return if the caller is not of support, or support may call this. Raises SupportReadsOnly, LookRequired."""
    caller = connection.scope.get("user")
    if not isinstance(caller, Caller) or caller.role != "support":
        return
    route = str(connection.scope.get("path_template", ""))
    if is_under(route, OWN_ACCOUNT):
        return
    if connection.scope["type"] == ScopeType.WEBSOCKET:
        raise websocket_refusal(SupportReadsOnly())
    if connection.scope["method"] != "GET" or is_under(route, NEVER):
        raise SupportReadsOnly
    state = connection.app.state
    async with state.database.request(caller.user_id) as database_connection:
        look = await database_connection.fetchrow(_queries.get_present_look, caller.user_id, caller.session_id)
        if look is None:
            raise LookRequired
        named = {name: str(value) for name, value in connection.path_params.items() if isinstance(value, UUID)}
        await record_event(
            database_connection,
            look["user_id"],
            "support_read",
            vault=state.vault,
            actor_id=caller.user_id,
            device_id=caller.device_id,
            address=client_address(connection),
            detail={"route": route, "ticket": look["ticket"], **named},
        )
    connection.scope["apex_look"] = look["id"]  # type: ignore[typeddict-unknown-key]


async def provide_database(state: State, scope: Scope) -> Database:
    """Give handlers the database; to support under the look that `guard_support` has recorded, and under no other."""
    database: Database = state["database"]
    look_id: UUID | None = scope.get("apex_look")  # type: ignore[assignment]
    return database if look_id is None else database.under_look(look_id)


def is_under(route: str, prefixes: tuple[str, ...]) -> bool:
    """Tell whether a route is one of these or beneath one.

    >>> is_under("/api/audit/changes", ("/api/audit",)), is_under("/api/auditors", ("/api/audit",))
    (True, False)
    """
    return any(route == prefix or route.startswith(f"{prefix}/") for prefix in prefixes)
