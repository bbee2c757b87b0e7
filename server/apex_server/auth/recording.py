"""What is done when somebody changes how they sign in: it is recorded, and they are told by mail."""

from typing import Any

from litestar import Request

from apex_server.audit import Action
from apex_server.auth.accounts import Accounts
from apex_server.caller import Caller
from apex_server.db import Connection
from apex_server.mail import ask_for_mail
from apex_server.own_events import record_own_event

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
    await record_own_event(request, connection, accounts.database.vault, caller, action, **detail)
