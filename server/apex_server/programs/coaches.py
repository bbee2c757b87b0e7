"""Whose a program is: the coach in whose scope it lies, and of one that an athlete follows the coach who made it so."""

from collections.abc import Sequence
from uuid import UUID

from apex_server.db import Connection, load_queries
from apex_server.programs.payloads import ProgramResource
from apex_server.resources import KnownRecord, view_of_model
from apex_sync.coaching.contributions import leaf_claims
from apex_sync.ids import Scope

__all__ = ["show_programs"]

_queries = load_queries(__package__)


async def show_programs(connection: Connection, found: Sequence[KnownRecord]) -> list[ProgramResource]:
    """Show programs, in their order, with the coach of each."""
    makers = {(known.scope, known.id): _maker(known) for known in found if Scope.parse(known.scope).kind == "athlete"}
    rows = await connection.fetch(_queries.list_coaches_behind, list({*makers.values()})) if makers else []
    coaches: dict[int | None, UUID] = {row["client_id"]: row["coach_id"] for row in rows}
    shown = []
    for known in found:
        program: ProgramResource = view_of_model(ProgramResource, known)
        scope = Scope.parse(known.scope)
        is_followed = scope.kind == "athlete"
        program.coach_id = coaches.get(makers[known.scope, known.id]) if is_followed else UUID(scope.owner_id)
        shown.append(program)
    return shown


def _maker(known: KnownRecord) -> int:
    """Give the client that made a record: the one that says since when it is there, or else the first that wrote."""
    claim = leaf_claims(known.fold).get(("created_at",))
    return claim.client_id if claim else min(known.document.writes(), key=lambda write: write.hlc).client_id
