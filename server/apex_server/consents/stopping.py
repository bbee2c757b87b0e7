"""The link that ends mails about unread messages: by one POST without anybody signed in, as mail programs send it.

RFC 8058: the address that a mail names is asked by POST where its person presses the program's own button, and opened
by GET where the program knows no such button. Opening changes nothing, for scanners open links, too: it leads to a page
with a button. The token is in the address here, not behind a #; whoever finds it in a proxy's log can stop mails.
"""

from datetime import UTC, datetime
from typing import Annotated, Any

from litestar import Controller, Request, get, post
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import PathParameter
from litestar.response import Redirect

from apex_server.audit import record_event
from apex_server.client_address import client_address
from apex_server.db import Database, load_queries
from apex_server.errors import MailTokenInvalid
from apex_server.mail import STOP_PAGE
from apex_server.opaque_tokens import TOKEN_LENGTH_MAX, fingerprint
from apex_server.problems import problem_responses
from apex_server.vault import Vault

__all__ = ["StopMessagesController"]

_queries = load_queries(__package__)

_NO_BODY = ResponseSpec(None, description="No more of these mails are sent.")
_Token = Annotated[str, PathParameter(pattern=f"^[A-Za-z0-9_-]{{1,{TOKEN_LENGTH_MAX}}}$", description="Of the mail.")]


class StopMessagesController(Controller):
    """The end of mails about unread messages."""

    path = "/api/consents/messages/stop/{token:str}"
    tags = ("consents",)

    @get(exclude_from_auth=True, status_code=303, responses=problem_responses())
    async def open_stop_link(self, token: _Token) -> Redirect:
        """Open the page on which these mails are ended; nothing has happened yet."""
        return Redirect(f"{STOP_PAGE}#{token}", status_code=303)

    @post(exclude_from_auth=True, status_code=204, responses={204: _NO_BODY, **problem_responses(MailTokenInvalid)})
    async def stop_messages(
        self,
        request: Request[Any, Any, Any],
        token: _Token,
        database: NamedDependency[Database],
        vault: NamedDependency[Vault],
    ) -> None:
        """Withdraw the consent to mails about unread messages by the link of one of them; twice is once.

        It ends the consent that its mail was sent under, and none that was given since: that is for later mails to end.
        A token is random enough not to be guessed, so trying many is met by the limits of every request alone.
        """
        token_hash = fingerprint(token)
        async with database.request(None) as connection:
            user_id = await connection.fetchval(_queries.find_stop_link, token_hash, datetime.now(UTC))
        if user_id is None:
            raise MailTokenInvalid
        async with database.request(user_id) as connection:
            await connection.execute(_queries.lock_person, str(user_id))
            if not await connection.fetchval(_queries.stands_under_link, user_id, token_hash):
                return
            await connection.execute(_queries.withdraw, user_id, "messages")
            # Whoever holds the mail did it; who that is, nobody knows.
            await record_event(
                connection,
                user_id,
                "consent_withdrawn",
                vault=vault,
                actor_id=None,
                address=client_address(request),
                detail={"kind": "messages"},
            )
