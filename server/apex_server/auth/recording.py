"""What is done when somebody changes how they sign in: it is recorded, and they are told by mail."""

from typing import Any

from litestar import Request

from apex_server.audit import Action, record_event
from apex_server.auth.accounts import Accounts
from apex_server.caller import Caller
from apex_server.client_address import client_address
from apex_server.db import Connection
from apex_server.mail import ask_for_mail

__all__ = ["note_protection_changed"]


async def note_protection_changed(
    request: Request[Any, Any, Any],
    connection: Connection,
    accounts: Accounts,
    caller: Caller,
    action: Action,
    **detail: str,
) -> None:
    """Record the change and ask for the mail that tells of it, in the transaction that makes it (ASVS 5.0, 6.3.7)."""
    await ask_for_mail(connection, caller.user_id, "sign_in_protection_changed", now=accounts.now())
    await record_event(
        connection,
        caller.user_id,
        action,
        vault=accounts.database.vault,
        actor_id=caller.user_id,
        device_id=caller.device_id,
        address=client_address(request),
        detail=detail,
    )
