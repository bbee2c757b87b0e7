"""What people do to their own account: recorded with the device and the network that they did it from."""

from typing import Any

from litestar import Request

from apex_server.audit import Action, record_event
from apex_server.caller import Caller
from apex_server.client_address import client_address
from apex_server.db import Connection
from apex_server.vault import Vault

__all__ = ["record_own_event"]


async def record_own_event(
    request: Request[Any, Any, Any],
    connection: Connection,
    vault: Vault,
    caller: Caller,
    action: Action,
    **detail: str | int | None,
) -> None:
    """Record what the caller does to their own account or data, last in the transaction that does it."""
    await record_event(
        connection,
        caller.user_id,
        action,
        vault=vault,
        actor_id=caller.user_id,
        device_id=caller.device_id,
        address=client_address(request),
        detail=detail,
    )
