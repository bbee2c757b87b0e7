"""One athlete as their coach reads and changes them: two records on the one write path, and what follows from the rest.

A record that nobody has written yet is an empty one, so the first change needs no other call than the second.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from msgspec import UNSET

from apex_server.caller import Caller
from apex_server.clients.payloads import (
    ClientDetail,
    ClientMetrics,
    Measured,
    ProfileView,
    WeightTrend,
)
from apex_server.db import Connection, Database, load_queries
from apex_server.errors import InvalidFields, MalformedRequest, NotFound
from apex_server.resources import (
    GIRTHS,
    KnownRecord,
    RecordKind,
    WeighingWriter,
    etag_of,
    measurings_of,
    read_records,
    weigh_ins_of_rows,
    weighed_draft,
)
from apex_server.resources.bodies import object_body
from apex_server.resources.versions import read_etag
from apex_server.standing import clients_of, coach_read_by
from apex_server.sync.commit import Committer
from apex_server.sync.errors import RecordDamaged
from apex_sync.coaching.bodyweight import latest_rate, weight_trend
from apex_sync.coaching.drafts import DraftPatch, model_patch
from apex_sync.coaching.profile import age_years
from apex_sync.collection import Record
from apex_sync.document import Document
from apex_sync.ids import Scope, athlete_scope, private_scope
from apex_sync.models import CLIENT_FILES, PROFILES, ClientFile, Profile
from apex_sync.models.client_file import client_file_id
from apex_sync.op import Vector

__all__ = ["ClientWriter", "etag_of_client", "metrics_of", "versions_named"]

_queries = load_queries(__package__)


class Versions(NamedTuple):
    """The versions of an athlete's two records."""

    profile: Vector
    file: Vector


class PlacedWriter(WeighingWriter):
    """Writes the one record of its kind in a scope, which is empty before the first write."""

    def __init__(self, kind: RecordKind, database: Database, committer: Committer, caller: Caller, scope: str) -> None:
        super().__init__(kind, database, committer, caller)
        self.scope = scope

    async def known(self, connection: Connection, record_id: UUID, *, deleted: bool = False) -> KnownRecord:
        """Read the record of this scope and no other; somebody may have written one of the same id in their own.

        Raises RecordDamaged: only what nobody has written yet is empty.
        """
        place = (Scope.parse(self.scope).id, record_id)
        found = await read_records(connection, self.database.vault, self.kind.collection, [place])
        if found:
            return found[0]
        if await connection.fetchval(_queries.has_record, *place):
            raise RecordDamaged
        return KnownRecord(self.kind.collection, self.scope, str(record_id), Document())


class ClientWriter:
    """Reads and writes the athletes of one coach."""

    def __init__(self, database: Database, committer: Committer, caller: Caller) -> None:
        self.database = database
        self.caller = caller
        self._committer = committer

    async def read(self, athlete_id: UUID, coach_id: UUID | None = None) -> tuple[ClientDetail, Versions]:
        """Read an athlete as a whole, as their coach does. Raises NotFound, RecordDamaged."""
        async with self.database.request(self.caller.user_id) as connection:
            coach = await coach_read_by(connection, self.caller, coach_id, athlete_id)
            summaries = await clients_of(connection, self.database.vault, coach, athlete_id)
            if not summaries:
                raise NotFound("athlete")
            today = datetime.now(UTC).date()
            known = {
                part: await writer.known(connection, record_id)
                for part, (writer, record_id) in self._parts(coach, athlete_id).items()
            }
            measurings = await measurings_of(connection, athlete_id)
        profile = live(known["profile"], Profile)
        kept = known.get("file")
        view = ProfileView(**shown(profile), age_years=age_years(profile, today))
        return (
            ClientDetail(
                **msgspec.structs.asdict(summaries[0]),
                profile=view,
                file=live(kept, ClientFile) if kept else ClientFile(),
                metrics=metrics_of(measurings, profile),
            ),
            Versions(known["profile"].version, kept.version if kept else {}),
        )

    async def change(self, athlete_id: UUID, changes: Mapping[str, Any], versions: Versions | None = None) -> None:
        """Change values of an athlete's records, and bring one back that was deleted.

        Raises NotFound, and what `RecordWriter.apply_patch` raises.
        """
        for part, (writer, record_id) in self._parts(self.caller.user_id, athlete_id).items():
            if part in changes:
                await writer.restore(record_id)
                version = None if versions is None else getattr(versions, part)
                await writer.apply_patch(record_id, changes[part], version)

    async def replace(self, athlete_id: UUID, draft: Mapping[str, Any], versions: Versions | None) -> None:
        """Make an athlete's records what a draft says. Raises NotFound, and what `RecordWriter.replace` raises."""
        parts = self._parts(self.caller.user_id, athlete_id)
        for name in draft:
            if name not in parts:
                raise InvalidFields.one(name, "is no field of this")
        for part, (writer, record_id) in parts.items():
            if part in draft:
                await writer.restore(record_id)
                version = None if versions is None else getattr(versions, part)
                await writer.replace(record_id, object_body(draft[part]), version)

    def _parts(self, coach_id: UUID | None, athlete_id: UUID) -> dict[str, tuple[PlacedWriter, UUID]]:
        """Give the records of an athlete; without a coach nobody keeps a file."""
        athlete = str(athlete_id)
        of_profile = RecordKind(PROFILES, "athlete", profile_patch)
        parts = {"profile": (self._writer(of_profile, athlete_scope(athlete)), athlete_id)}
        if coach_id is not None:
            coach, of_file = str(coach_id), RecordKind(CLIENT_FILES, "athlete", model_patch)
            place = self._writer(of_file, private_scope(coach, athlete))
            parts["file"] = (place, UUID(client_file_id(coach, athlete)))
        return parts

    def _writer(self, kind: RecordKind, scope: str) -> PlacedWriter:
        return PlacedWriter(kind, self.database, self._committer, self.caller, scope)


def profile_patch(record_id: str, draft: Mapping[str, Any], base: Record) -> DraftPatch:
    """Give the difference of a profile that somebody sent."""
    return model_patch(record_id, weighed_draft(PROFILES, draft, base), base, known=frozenset({"age_years"}))


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
    """Read what `etag_of_client` wrote; None for none, or for `*`. Raises MalformedRequest."""
    if if_match is None or if_match.strip() == "*":
        return None
    profile, apart, file = if_match.strip().removeprefix("W/").strip('"').partition("~")
    if not apart:
        raise MalformedRequest
    return Versions(read_etag(profile), read_etag(file))


def metrics_of(measurings: Sequence[Any], profile: Profile) -> ClientMetrics:
    """Say what is known of the body, from what was measured, the newest first."""
    return ClientMetrics(
        weight=weight_of(measurings),
        target_weight_kg=profile.target_weight_kg or None,
        height_cm=profile.height_cm or None,
        body_fat_percent=latest(measurings, "body_fat_percent"),
        girths_cm={
            name.removesuffix("_cm"): found for name in GIRTHS if (found := latest(measurings, name)) is not None
        },
    )


def weight_of(measurings: Sequence[Any]) -> WeightTrend | None:
    """Give the weight as its trend has it, and how fast it moves; None where nobody was weighed."""
    days = [day for day in weight_trend(weigh_ins_of_rows(measurings)) if day.held_out is None]
    if not days:
        return None
    rate = latest_rate(days)
    return WeightTrend(
        trend_kg=days[-1].trend_kg,
        as_of=days[-1].date,
        kg_per_week=rate.kg_per_week if rate else None,
        percent_per_week=rate.percent_per_week if rate else None,
        low_confidence=rate is None or rate.low_confidence,
    )


def latest(measurings: Sequence[Any], column: str) -> Measured | None:
    """Give what a column held last."""
    return next((Measured(row[column], row["date"]) for row in measurings if row[column] is not None), None)
