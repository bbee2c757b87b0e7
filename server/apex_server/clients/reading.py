"""One athlete as their coach reads them: two records, each with its own version, and what follows from the rest."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from msgspec import UNSET

from apex_server.caller import Caller
from apex_server.clients.payloads import ClientDetail, ClientMetrics, Measured, ProfileView
from apex_server.db import Connection, Database, load_queries
from apex_server.errors import NotFound
from apex_server.people import USER_EMAIL
from apex_server.resources import GIRTHS, KnownRecord, etag_of, measurings_of, read_records, weigh_ins_of_rows
from apex_server.resources.versions import no_version, read_etag
from apex_server.standing import clients_of, coaches_read_by
from apex_server.sync.errors import RecordDamaged
from apex_server.vault import Vault
from apex_sync.coaching.bodyweight import weight_trend
from apex_sync.coaching.client_dashboard import weight_now
from apex_sync.coaching.profile import age_years
from apex_sync.collection import Collection, Record
from apex_sync.document import Document
from apex_sync.ids import Scope, athlete_scope, private_scope
from apex_sync.models import CLIENT_FILES, PROFILES, ClientFile, Profile
from apex_sync.models.client_file import client_file_id
from apex_sync.op import Vector

__all__ = ["Part", "Versions", "etag_of_client", "parts_of", "read_client", "read_part", "versions_named"]

_queries = load_queries(__package__)


class Versions(NamedTuple):
    """The versions of an athlete's two records."""

    profile: Vector
    file: Vector


class Part(NamedTuple):
    """Where one of an athlete's two records stands."""

    collection: Collection
    scope: str
    record_id: UUID


async def read_client(
    database: Database, caller: Caller, athlete_id: UUID, coach_id: UUID | None = None
) -> tuple[ClientDetail, Versions]:
    """Read an athlete as a whole, as their coach does. Raises RoleRequired, NotFound, RecordDamaged."""
    async with database.request(caller.user_id) as connection:
        coaches = await coaches_read_by(connection, caller, coach_id)
        summaries = await clients_of(connection, database.vault, coaches, athlete_id)
        if not summaries:
            raise NotFound("athlete")
        [summary] = summaries
        parts = parts_of(summary.coach_id, athlete_id)
        known = {name: await read_part(connection, database.vault, part) for name, part in parts.items()}
        measurings = await measurings_of(connection, athlete_id)
        account = await connection.fetchrow(_queries.get_address, athlete_id)
        if account is None:
            raise NotFound("athlete")
        [email] = await database.vault.texts(connection, USER_EMAIL, [(athlete_id, account["email"])])
    profile = live(known["profile"], Profile)
    kept = known.get("file")
    detail = ClientDetail(
        **msgspec.structs.asdict(summary),
        email=email,
        email_verified=account["email_verified"],
        updated_at=max((part.updated_at for part in known.values() if part.updated_at), default=None),
        profile=ProfileView(**shown(profile), age_years=age_years(profile, datetime.now(UTC).date())),
        file=live(kept, ClientFile) if kept else ClientFile(),
        metrics=metrics_of(measurings, profile),
    )
    return detail, Versions(known["profile"].version, kept.version if kept else {})


async def read_part(connection: Connection, vault: Vault, part: Part) -> KnownRecord:
    """Read a record, empty where nobody has written it yet, and only there. Raises RecordDamaged."""
    place = (Scope.parse(part.scope).id, part.record_id)
    found = await read_records(connection, vault, part.collection, [place])
    if found:
        return found[0]
    if await connection.fetchval(_queries.has_record, *place):
        raise RecordDamaged
    return KnownRecord(part.collection, part.scope, str(part.record_id), Document())


def parts_of(coach_id: UUID | None, athlete_id: UUID) -> Mapping[str, Part]:
    """Give where the records of an athlete stand; without a coach nobody keeps a file."""
    athlete = str(athlete_id)
    parts = {"profile": Part(PROFILES, athlete_scope(athlete), athlete_id)}
    if coach_id is not None:
        coach = str(coach_id)
        parts["file"] = Part(CLIENT_FILES, private_scope(coach, athlete), UUID(client_file_id(coach, athlete)))
    return parts


def live(known: KnownRecord, model: type[Any]) -> Any:
    """Give the record, or an empty one where it was deleted."""
    return model() if known.record.deleted is True or not isinstance(known.record, model) else known.record


def shown(record: Record) -> dict[str, Any]:
    """Give the leaves that a record holds."""
    return {name: value for name, value in msgspec.structs.asdict(record).items() if value is not UNSET}


def etag_of_client(versions: Versions, body: bytes) -> str:
    """Write both versions as one ETag, with the body they came with."""
    profile, file = etag_of(versions.profile), etag_of(versions.file, body)
    return f"{profile[:-1]}~{file[1:]}"


def versions_named(if_match: str | None) -> Versions | None:
    """Read what `etag_of_client` wrote; None for none, or for `*`. Raises InvalidFields."""
    if if_match is None or if_match.strip() == "*":
        return None
    profile, apart, file = if_match.strip().removeprefix("W/").strip('"').partition("~")
    if not apart:
        raise no_version()
    return Versions(read_etag(profile), read_etag(file))


def metrics_of(measurings: Sequence[Any], profile: Profile) -> ClientMetrics:
    """Say what is known of the body, from what was measured, the newest first."""
    return ClientMetrics(
        weight=weight_now(weight_trend(weigh_ins_of_rows(measurings))),
        target_weight_kg=profile.target_weight_kg or None,
        height_cm=profile.height_cm or None,
        body_fat_percent=latest(measurings, "body_fat_percent"),
        girths_cm={
            name.removesuffix("_cm"): found for name in GIRTHS if (found := latest(measurings, name)) is not None
        },
    )


def latest(measurings: Sequence[Any], column: str) -> Measured | None:
    """Give what a column held last."""
    return next((Measured(row[column], row["date"]) for row in measurings if row[column] is not None), None)
