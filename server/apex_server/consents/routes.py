"""`/api/consents`: giving a consent, taking it back, and seeing what was given when."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from litestar import Controller, Request, get, put
from litestar.di import NamedDependency
from litestar.params import JSONBody

from apex_server.caller import Caller
from apex_server.consent_texts import CONSENT_TEXTS
from apex_server.consents.payloads import ConsentChange, ConsentEntry, ConsentsView, ConsentView
from apex_server.db import Connection, Database, load_queries
from apex_server.errors import InvalidFields, SignInAgain
from apex_server.own_events import record_own_event
from apex_server.policy import CONSENT_KINDS, ConsentKind
from apex_server.problems import BODY_REFUSALS, SIGN_IN_REFUSALS, problem_responses
from apex_server.step_up import require_recent_sign_in
from apex_server.vault import Vault

__all__ = ["ConsentsController"]

_BODY_BYTES_MAX = 4096

_queries = load_queries(__package__)


class ConsentsController(Controller):
    """The caller's own consents."""

    path = "/api/consents"
    tags = ("consents",)
    request_max_body_size = _BODY_BYTES_MAX

    @get(responses=problem_responses(*SIGN_IN_REFUSALS))
    async def list_consents(self, caller: NamedDependency[Caller], database: NamedDependency[Database]) -> ConsentsView:
        """List what you have consented to and what not, with every earlier consent."""
        async with database.request(caller.user_id) as connection:
            return await _view(connection, caller)

    @put(responses=problem_responses(*SIGN_IN_REFUSALS, *BODY_REFUSALS, SignInAgain))
    async def change_consent(
        self,
        request: Request[Any, Any, Any],
        data: JSONBody[ConsentChange],
        caller: NamedDependency[Caller],
        database: NamedDependency[Database],
        vault: NamedDependency[Vault],
    ) -> ConsentsView:
        """Give a consent or take it back; it holds from now on. The same again changes nothing.

        Giving one lets others read, so it asks for a recent sign-in; taking one back never does.
        """
        _check(data)
        async with database.request(caller.user_id) as connection:
            if data.given:
                await require_recent_sign_in(connection, caller, now=datetime.now(UTC))
            await connection.execute(_queries.lock_person, str(caller.user_id))
            standing = await connection.fetchrow(_queries.get_standing, caller.user_id, data.kind)
            if _changes(data, standing):
                await _change(connection, caller, data)
                await record_own_event(
                    request,
                    connection,
                    vault,
                    caller,
                    "consent_given" if data.given else "consent_withdrawn",
                    kind=data.kind,
                    version=data.version,
                    days=data.days,
                )
            return await _view(connection, caller)


def _check(change: ConsentChange) -> None:
    if change.given and change.version != CONSENT_TEXTS[change.kind].version:
        raise InvalidFields.one("version", "Expected the version of the text that is offered now: read it anew")
    if (change.days is not None) != (change.given and change.kind == "support_access"):
        raise InvalidFields.one("days", "Expected for how many days, for a consent to support and for no other")


def _changes(change: ConsentChange, standing: Any) -> bool:
    """Tell whether there is anything to do; a consent to support is always given anew, for its end moves."""
    if not change.given:
        return standing is not None
    return standing is None or standing["version"] != change.version or change.kind == "support_access"


async def _change(connection: Connection, caller: Caller, change: ConsentChange) -> None:
    await connection.execute(_queries.withdraw, caller.user_id, change.kind)
    if change.given:
        span = None if change.days is None else timedelta(days=change.days)
        await connection.execute(_queries.give, caller.user_id, change.kind, change.version, span)
    elif change.kind == "support_access":
        await connection.execute(_queries.end_looks, caller.user_id)


async def _view(connection: Connection, caller: Caller) -> ConsentsView:
    rows = await connection.fetch(_queries.list_consents, caller.user_id)
    return ConsentsView([_view_of(kind, [row for row in rows if row["kind"] == kind]) for kind in CONSENT_KINDS])


def _view_of(kind: ConsentKind, rows: Iterable[Any]) -> ConsentView:
    entries = [(row["stands"], _entry(row)) for row in rows]
    standing = next((entry for stands, entry in entries if stands), None)
    return ConsentView(
        kind=kind,
        text=CONSENT_TEXTS[kind].text,
        text_version=CONSENT_TEXTS[kind].version,
        given=standing is not None,
        version=standing.version if standing else None,
        given_at=standing.given_at if standing else None,
        expires_at=standing.expires_at if standing else None,
        history=[entry for _, entry in entries],
    )


def _entry(row: Any) -> ConsentEntry:
    return ConsentEntry(row["version"], row["given_at"], row["withdrawn_at"], row["expires_at"])
