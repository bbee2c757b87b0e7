"""Where values come from: which device wrote an entry, and what lost against what, with device and time."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec import Struct

from apex_server.db import Connection, load_queries
from apex_server.people import DEVICE_NAME, USER_NAME
from apex_server.resources.reading import KnownRecord, moment_of
from apex_server.vault import Vault
from apex_sync.coaching.contributions import dotted, entry_contributors, leaf_claims
from apex_sync.fold import Claim, Conflict
from apex_sync.ids import Scope

__all__ = [
    "ClaimView",
    "ConflictView",
    "ContributionView",
    "Origin",
    "Provenance",
    "origins_of_clients",
    "provenance_of",
]

_queries = load_queries(__package__)


class Origin(Struct, frozen=True):
    """What wrote: a device (`phone`, `watch`, …), somebody through the server (`server`), or the server itself."""

    kind: str
    name: str
    device_id: UUID | None = None
    user_id: UUID | None = None
    user_name: str | None = None


class ClaimView(Struct, frozen=True):
    """A value, who wrote it, and when by their clock."""

    value: Any
    by: Origin
    at: datetime


class ConflictView(Struct, frozen=True):
    """A value that was written on two sides at once; `kept` is null where nothing stands at this path now."""

    path: str
    kept: ClaimView | None
    discarded: list[ClaimView]


class ContributionView(Struct, frozen=True):
    """Which devices the values at a path came from, in the order they came to it."""

    path: str
    by: list[Origin]


class Provenance(Struct, frozen=True):
    """Everything about a record's origin, ready to be shown."""

    conflicts: list[ConflictView]
    contributions: list[ContributionView]


async def provenance_of(connection: Connection, vault: Vault, known: KnownRecord, *entry_fields: str) -> Provenance:
    """Tell where a record's values come from: its own fields one by one, the entries of maps as wholes."""
    origins = await origins_of(connection, vault, known)
    return Provenance(
        conflicts=[conflict_view(conflict, origins) for conflict in known.fold.conflicts],
        contributions=list(contributions(known, entry_fields, origins)),
    )


async def origins_of(connection: Connection, vault: Vault, known: KnownRecord) -> Mapping[int, Origin]:
    """Name every client that ever wrote to a record."""
    clients = sorted({write.client_id for write in known.document.writes()})
    return await origins_of_clients(connection, vault, Scope.parse(known.scope).id, clients)


async def origins_of_clients(
    connection: Connection, vault: Vault, scope_id: UUID, clients: Sequence[int]
) -> Mapping[int, Origin]:
    """Name clients that wrote to a scope."""
    rows = await connection.fetch(_queries.list_installations, clients)
    names = await vault.texts(connection, USER_NAME, [(row["user_id"], row["user_name"]) for row in rows])
    devices = await vault.texts(connection, DEVICE_NAME, [(row["user_id"], row["device_name"]) for row in rows])
    origins = {
        row["client_id"]: Origin(row["kind"], device, row["device_id"], row["user_id"], name or None)
        for row, name, device in zip(rows, names, devices, strict=True)
    }
    others = [client_id for client_id in clients if client_id not in origins]
    if others:
        rows = await connection.fetch(_queries.list_server_authors, scope_id, others)
        names = await vault.texts(connection, USER_NAME, [(row["user_id"], row["user_name"]) for row in rows])
        origins |= {row["client_id"]: server_author(row, name) for row, name in zip(rows, names, strict=True)}
    return {client_id: origins.get(client_id, UNKNOWN) for client_id in clients}


UNKNOWN = Origin("unknown", "Unknown device")


def server_author(row: Any, name: str) -> Origin:
    """Name whoever wrote through the server."""
    if row["user_id"] is None:
        return Origin("system", "Apex")
    return Origin("server", "Web", None, row["user_id"], name or None)


def conflict_view(conflict: Conflict, origins: Mapping[int, Origin]) -> ConflictView:
    """Show a conflict."""
    return ConflictView(
        dotted(conflict.path),
        None if conflict.kept is None else claim_view(conflict.kept, origins),
        [claim_view(claim, origins) for claim in conflict.discarded],
    )


def claim_view(claim: Claim, origins: Mapping[int, Origin]) -> ClaimView:
    """Show a value with its origin."""
    return ClaimView(claim.value, origins.get(claim.client_id, UNKNOWN), moment_of(claim.hlc))


def contributions(
    known: KnownRecord, entry_fields: Iterable[str], origins: Mapping[int, Origin]
) -> Iterable[ContributionView]:
    """List contributions in the order of their paths."""
    claims = leaf_claims(known.fold)
    clients: dict[tuple[str, ...], tuple[int, ...]] = {
        (path[0],): (claim.client_id,) for path, claim in claims.items() if path[0] not in entry_fields
    }
    for field in entry_fields:
        clients |= {(field, key): found for key, found in entry_contributors(claims, field).items()}
    for path in sorted(clients):
        yield ContributionView(dotted(path), [origins.get(client_id, UNKNOWN) for client_id in clients[path]])
