"""`/api/audit` and `/api/privacy`: what was done with a person's data, a copy of it, and its end."""

from collections.abc import AsyncIterator
from typing import Annotated, Any
from uuid import UUID, uuid4

import asyncpg
from litestar import Controller, Request, Response, delete, get, post
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, QueryParameter
from litestar.response import Stream

from apex_server.audit.events import open_sealed_part
from apex_server.caller import Caller
from apex_server.clock import wall_clock
from apex_server.db import Database, load_queries
from apex_server.errors import InvalidFields, NotFound, SignInAgain
from apex_server.mail import ask_for_mail
from apex_server.own_events import record_own_event
from apex_server.personal_data import GRACE
from apex_server.personal_data.export import EXPORTS_MAX, EXPORTS_WINDOW, chunk_name
from apex_server.policy import owns_scope
from apex_server.privacy.errors import TooManyExports
from apex_server.privacy.payloads import (
    PAGE_LENGTH_DEFAULT,
    PAGE_LENGTH_MAX,
    ChangesPage,
    ChangeView,
    DeletionView,
    EventsPage,
    EventView,
    ExportState,
    ExportView,
)
from apex_server.problems import SIGN_IN_REFUSALS, problem_responses
from apex_server.step_up import require_recent_sign_in
from apex_sync.ids import Scope

__all__ = ["privacy_routes"]

SEQ_MAX = 2**63 - 1

SCOPE_NAME_LENGTH_MAX = 100
"""The longest, of two ids, has 81 characters."""

_Before = Annotated[
    int | None, QueryParameter(name="before", ge=1, le=SEQ_MAX, description="The `next` of an earlier page.")
]
_Scope = Annotated[
    str | None,
    QueryParameter(
        name="scope",
        max_length=SCOPE_NAME_LENGTH_MAX,
        description="One of your own, by name: a coach has `coach:<id>` (without this), `library:<id>` and "
        "`private:<id>:<athlete id>`; an athlete `athlete:<id>`; both `thread:<coach id>:<athlete id>`.",
    ),
]
_Limit = Annotated[int, QueryParameter(name="limit", ge=1, le=PAGE_LENGTH_MAX, description="How many at most.")]

_SECRET_ANSWER = {"Cache-Control": "no-store"}
_ZIP = "application/zip"

_queries = load_queries(__package__)


class AuditController(Controller):
    """What was done to the caller's account and records."""

    path = "/api/audit"
    tags = ("privacy",)

    @get(responses=problem_responses(*SIGN_IN_REFUSALS, InvalidFields))
    async def list_events(
        self,
        caller: NamedDependency[Caller],
        database: NamedDependency[Database],
        before: _Before = None,
        limit: _Limit = PAGE_LENGTH_DEFAULT,
    ) -> EventsPage:
        """List what happened to your account and who did it: sign-ins, devices, consents, reads by support."""
        async with database.request(caller.user_id) as connection:
            rows = await connection.fetch(_queries.list_events, caller.user_id, before or SEQ_MAX, limit)
            key = await database.vault.user_key(connection, caller.user_id)
        events = [_event_view(row, open_sealed_part(key, row["sealed"]), caller) for row in rows]
        return EventsPage(events, _next(rows, limit))

    @get("/changes", responses=problem_responses(*SIGN_IN_REFUSALS, InvalidFields, NotFound))
    async def list_changes(
        self,
        caller: NamedDependency[Caller],
        database: NamedDependency[Database],
        before: _Before = None,
        limit: _Limit = PAGE_LENGTH_DEFAULT,
        scope_name: _Scope = None,
    ) -> ChangesPage:
        """List who changed which of your records, on which device and when; the records of one scope at a time."""
        scope = _own_scope(caller, scope_name)
        async with database.request(caller.user_id) as connection:
            rows = await connection.fetch(_queries.list_changes, scope.id, before or SEQ_MAX, limit)
        changes = [
            ChangeView(
                seq=row["seq"],
                at=row["committed_at"],
                collection=row["collection"],
                record_id=row["record_id"],
                user_id=row["user_id"],
                by_you=row["user_id"] == caller.user_id,
                device_id=row["device_id"],
                client_id=row["client_id"],
                ops=row["ops"],
            )
            for row in rows
        ]
        seqs = sorted({row["seq"] for row in rows})
        return ChangesPage(changes, seqs[0] if len(seqs) == limit else None)


class PrivacyController(Controller):
    """A copy of everything, and the end of everything."""

    path = "/api/privacy"
    tags = ("privacy",)

    @post(
        "/export",
        status_code=202,
        responses=problem_responses(*SIGN_IN_REFUSALS, SignInAgain, TooManyExports),
    )
    async def ask_for_export(
        self,
        request: Request[Any, Any, Any],
        caller: NamedDependency[Caller],
        database: NamedDependency[Database],
    ) -> ExportView:
        """Have a copy of everything about you made. While one is being made you get that one."""
        now = wall_clock()
        async with database.request(caller.user_id) as connection:
            await require_recent_sign_in(connection, caller, now=now)
            lately = await connection.fetchval(_queries.count_exports_lately, caller.user_id, now - EXPORTS_WINDOW)
            if lately >= EXPORTS_MAX:
                raise TooManyExports(EXPORTS_MAX)
            if await connection.fetchval(_queries.ask_for_export, caller.user_id, uuid4(), now) is not None:
                await record_own_event(request, connection, database.vault, caller, "export_asked")
            rows = await connection.fetch(_queries.list_exports, caller.user_id, None)
        return _export_view(rows[0])

    @get("/exports", responses=problem_responses(*SIGN_IN_REFUSALS))
    async def list_exports(
        self, caller: NamedDependency[Caller], database: NamedDependency[Database]
    ) -> list[ExportView]:
        """List your exports, the latest first. One is there for seven days."""
        async with database.request(caller.user_id) as connection:
            rows = await connection.fetch(_queries.list_exports, caller.user_id, None)
        return [_export_view(row) for row in rows]

    @get(
        "/exports/{export_id:uuid}/file",
        media_type=_ZIP,
        responses={
            200: ResponseSpec(bytes, description="The zip.", media_type=_ZIP, generate_examples=False),
            **problem_responses(*SIGN_IN_REFUSALS, SignInAgain, NotFound),
        },
    )
    async def download_export(
        self,
        export_id: FromPath[UUID],
        request: Request[Any, Any, Any],
        caller: NamedDependency[Caller],
        database: NamedDependency[Database],
    ) -> Stream:
        """Download an export: the person themselves, shortly after they have signed in."""
        now = wall_clock()
        async with database.request(caller.user_id) as connection:
            await require_recent_sign_in(connection, caller, now=now)
            row = await connection.fetchrow(_queries.list_exports, caller.user_id, export_id)
            if row is None or row["expires_at"] is None or row["expires_at"] <= now:
                raise NotFound("export")
            await record_own_event(
                request, connection, database.vault, caller, "export_downloaded", export_id=str(export_id)
            )
        name = f"apex-export-{row['ready_at']:%Y-%m-%d}.zip"
        return Stream(
            _chunks(database, caller, export_id),
            media_type=_ZIP,
            headers={
                **_SECRET_ANSWER,
                "Content-Length": str(row["bytes"]),
                "Content-Disposition": f'attachment; filename="{name}"',
            },
        )

    @get("/deletion", responses=problem_responses(*SIGN_IN_REFUSALS))
    async def get_deletion(self, caller: NamedDependency[Caller], database: NamedDependency[Database]) -> DeletionView:
        """Tell whether your account is to be erased, and when. Offer to cancel after each sign-in if it is."""
        async with database.request(caller.user_id) as connection:
            row = await connection.fetchrow(_queries.get_deletion, caller.user_id)
        return DeletionView() if row is None else DeletionView(asked_at=row["asked_at"], erase_at=row["erase_at"])

    @post("/deletion", status_code=202, responses=problem_responses(*SIGN_IN_REFUSALS, SignInAgain))
    async def ask_for_deletion(
        self,
        request: Request[Any, Any, Any],
        caller: NamedDependency[Caller],
        database: NamedDependency[Database],
    ) -> DeletionView:
        """Have your account and everything in it erased in 30 days. Until then all works, and you can cancel."""
        now = wall_clock()
        async with database.request(caller.user_id) as connection:
            await require_recent_sign_in(connection, caller, now=now)
            asked = await connection.fetchval(_queries.ask_for_deletion, caller.user_id, now, now + GRACE)
            row = await connection.fetchrow(_queries.get_deletion, caller.user_id)
            if asked is not None:
                await record_own_event(request, connection, database.vault, caller, "account_deletion_asked")
                await ask_for_mail(connection, caller.user_id, "account_deletion_asked", now=now)
        return DeletionView(asked_at=row["asked_at"], erase_at=row["erase_at"])

    @delete(
        "/deletion",
        status_code=204,
        responses={
            204: ResponseSpec(None, description="The account stays."),
            **problem_responses(*SIGN_IN_REFUSALS, NotFound),
        },
    )
    async def cancel_deletion(
        self,
        request: Request[Any, Any, Any],
        caller: NamedDependency[Caller],
        database: NamedDependency[Database],
    ) -> Response[None]:
        """Keep your account after all; everything is there as it was."""
        async with database.request(caller.user_id) as connection:
            if await connection.fetchval(_queries.cancel_deletion, caller.user_id) is None:
                raise NotFound("deletion")
            await record_own_event(request, connection, database.vault, caller, "account_deletion_cancelled")
        return Response(None, status_code=204)


privacy_routes = (AuditController, PrivacyController)


def _own_scope(caller: Caller, name: str | None) -> Scope:
    """Read the name of a scope of the caller's own; without one, that of their records. Raises NotFound."""
    try:
        scope = Scope.parse(name or f"{'athlete' if caller.role == 'athlete' else 'coach'}:{caller.user_id}")
    except ValueError as error:
        raise NotFound("scope") from error
    if name is not None and not owns_scope(caller.user_id, caller.role, scope):
        raise NotFound("scope")
    return scope


async def _chunks(database: Database, caller: Caller, export_id: UUID) -> AsyncIterator[bytes]:
    """Give the pieces of a file for as long as the session stands.

    One that was dropped meanwhile, or whose session has ended, ends short of its length, so nobody takes it for whole.
    """
    place = 0
    while True:
        async with database.request(caller.user_id) as connection:
            sealed = await connection.fetchval(_queries.get_chunk, export_id, caller.user_id, place, caller.session_id)
            if sealed is None:
                return
            key = await database.vault.user_key(connection, caller.user_id)
        yield key.open(sealed, what=chunk_name(export_id, place))
        place += 1


def _event_view(row: Any, part: Any, caller: Caller) -> EventView:
    return EventView(
        seq=row["seq"],
        at=row["at"],
        action=row["action"],
        actor_id=row["actor_id"],
        actor_role=row["actor_role"],
        by_you=row["actor_id"] == caller.user_id,
        device_id=row["device_id"],
        address=part.address,
        detail=part.detail,
    )


def _next(rows: list[asyncpg.Record], limit: int) -> int | None:
    return rows[-1]["seq"] if len(rows) == limit else None


def _export_view(row: Any) -> ExportView:
    total = row["parts_total"]
    state: ExportState = "ready" if row["ready_at"] else "failed" if row["failed_at"] else "waiting"
    return ExportView(
        id=row["id"],
        state=state,
        asked_at=row["asked_at"],
        progress=1.0 if state == "ready" else row["parts_done"] / total if total else 0.0,
        bytes=row["bytes"],
        ready_at=row["ready_at"],
        expires_at=row["expires_at"],
    )
