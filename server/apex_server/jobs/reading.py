"""Reads what an athlete's analysis is made of, as it stood at one moment.

It reads under the commit role, past row-level security, because nobody asks here; what comes of it goes to the
athlete's present coaches alone.
"""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct

from apex_server.db import Database, load_queries
from apex_server.sync.sealing import open_documents
from apex_server.sync.store import DAMAGED
from apex_sync.coaching.client_standing import first_day_needed
from apex_sync.coaching.plan import Plan, followed_on, plan_from_program
from apex_sync.coaching.plan_history import asked_for, plan_history
from apex_sync.coaching.profile import Library, TrainingProfile, library_of, training_profile
from apex_sync.collection import Record
from apex_sync.fold import fold
from apex_sync.ids import Scope, athlete_scope, library_scope
from apex_sync.models import COLLECTIONS
from apex_sync.models.fields import parse_date, parse_local_time
from apex_sync.wire import parse_document

__all__ = ["AthleteRecords", "read_athlete", "read_typed"]

_queries = load_queries(__package__)

Records = list[tuple[str, Record]]


class AthleteRecords(Struct, frozen=True, kw_only=True):
    """An athlete's records at `seq` of their scope, as far as rules look at them; `versions` are their seqs."""

    athlete_id: UUID
    seq: int
    coach_ids: tuple[UUID, ...]
    workouts: Records
    check_ins: Records
    body_metrics: Records
    nutrition_logs: Records
    nutrition_targets: Records
    profile: TrainingProfile
    plan: Plan | None
    library: Library
    versions: dict[str, int]

    def today(self, now: datetime) -> date:
        """Give the day in the athlete's zone, as the latest wall clock with an offset tells it; else in UTC.

        A record may be dated a day ahead of that: then the athlete is further east, and it is that day.
        """
        local = (now + utc_offset([*self.workouts, *self.check_ins])).date()
        latest = max(filter(None, map(day_of, [*self.workouts, *self.check_ins])), default=local)
        return latest if latest == local + timedelta(days=1) else local


async def read_athlete(database: Database, athlete_id: UUID, now: datetime) -> AthleteRecords:
    """Read everything in one snapshot; the plan is that of the athlete's day, with what programs asked for before."""
    async with (
        database.commit_connection() as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        seq = await connection.fetchval(_queries.get_scope_seq, athlete_id)
        coaches = await connection.fetch(_queries.list_coaches, athlete_id)
        coach_ids = tuple(row["coach_id"] for row in coaches)
        scopes = [Scope("global").id, *(Scope.parse(library_scope(str(coach_id))).id for coach_id in coach_ids)]
        rows = await connection.fetch(_queries.list_records_to_analyse, athlete_id)
        library_rows = await connection.fetch(_queries.list_library, scopes)
        docs = await open_documents(connection, database.vault, rows, athlete_scope(str(athlete_id)))
        library_docs = await open_documents(connection, database.vault, library_rows)
    names = (
        "body_metrics", "check_ins", "nutrition_logs", "nutrition_targets", "profiles", "programs", "workout_logs",
    )  # fmt: skip
    of = {name: records_of(rows, docs, name) for name in names}
    records = AthleteRecords(
        athlete_id=athlete_id,
        seq=seq or 0,
        coach_ids=coach_ids,
        workouts=of["workout_logs"],
        check_ins=of["check_ins"],
        body_metrics=of["body_metrics"],
        nutrition_logs=of["nutrition_logs"],
        nutrition_targets=of["nutrition_targets"],
        profile=msgspec.structs.replace(
            training_profile(next((record for _, record in of["profiles"]), None)),
            coached_since=min((row["since"] for row in coaches), default=None),
        ),
        plan=None,
        library=library_of(dict(records_of(library_rows, library_docs, "exercises"))),
        versions={str(row["record_id"]): row["seq"] for row in rows},
    )
    today = records.today(now)
    followed = followed_on(of["programs"], today)
    plan = None if followed is None else plan_from_program(*followed)
    histories = [
        plan_history(str(row["record_id"]), parse_document(doc))
        for row, doc in zip(rows, docs, strict=True)
        if row["collection"] == "programs" and doc != DAMAGED
    ]
    if scheduled := asked_for(histories, first_day_needed(today), today):
        plan = msgspec.structs.replace(plan or Plan(), scheduled=scheduled)
    return msgspec.structs.replace(records, plan=plan)


def records_of(rows: Iterable[Any], docs: Iterable[bytes], collection: str) -> Records:
    """Fold the documents of one collection, as far as they can be read."""
    return [
        (str(row["record_id"]), read_typed(collection, doc))
        for row, doc in zip(rows, docs, strict=True)
        if row["collection"] == collection and doc != DAMAGED
    ]


def read_typed(collection: str, doc: bytes) -> Record:
    """Give the typed record of a document; one that no longer fits its types reads as empty."""
    declaration = COLLECTIONS[collection]
    try:
        return declaration.read(fold(parse_document(doc).writes()).state)[0]
    except msgspec.ValidationError:
        return declaration.model()


def utc_offset(records: Records) -> timedelta:
    """Give the offset of the latest wall clock that has one."""
    clocks = [clock for _, record in records for clock in wall_clocks(record) if clock.utcoffset() is not None]
    return max(clocks).utcoffset() or timedelta() if clocks else timedelta()


def wall_clocks(record: Record) -> list[datetime]:
    """List when a record says it was made."""
    return list(filter(None, (parse_local_time(leaf(record, name)) for name in ("start_time", "submitted_at"))))


def day_of(record: tuple[str, Record]) -> date | None:
    """Give the day that a record is about."""
    return parse_date(leaf(record[1], "date"))


def leaf(record: Record, name: str) -> str | None:
    """Give a leaf that should be text."""
    value = getattr(record, name, None)
    return value if isinstance(value, str) else None
