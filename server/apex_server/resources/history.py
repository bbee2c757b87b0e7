"""Personal records of an athlete, found anew from the merged history and kept for as long as that history stands.

They are kept by the seq of the athlete's scope: any later commit, a late offline set among them, makes them be found
again. So nothing here can be out of date, and a page of workouts does not read ten years of sets each time.
"""

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from typing import Any
from uuid import UUID

from apex_server.db import Connection, load_queries
from apex_sync.coaching.leaves import number, whole
from apex_sync.coaching.records import PersonalRecord, personal_records
from apex_sync.coaching.sets import (
    LOAD_KG_MAX,
    LOAD_KG_MIN,
    REPS_MAX,
    RIR_MAX,
    RPE_MAX,
    RPE_MIN,
    PerformedSet,
    sets_by_exercise,
)

__all__ = ["personal_records_of"]

ATHLETES_KEPT_MAX = 256
"""A few hundred records each: some 20 MB."""

_queries = load_queries(__package__)
_found: "OrderedDict[UUID, tuple[int, list[PersonalRecord]]]" = OrderedDict()


async def personal_records_of(connection: Connection, athlete_id: UUID) -> list[PersonalRecord]:
    """List the personal records of an athlete whom the caller may read, in no particular order."""
    # The seq is read first: what is kept for it may then be newer, and never older.
    seq = await connection.fetchval(_queries.get_scope_seq, athlete_id)
    if seq is None:
        return []
    kept = _found.get(athlete_id)
    if kept is not None and kept[0] == seq:
        _found.move_to_end(athlete_id)
        return kept[1]
    rows = await connection.fetch(_queries.list_performed_sets, athlete_id)
    by_exercise = sets_by_exercise(performed_sets_of(rows))
    records = [record for sets in by_exercise.values() for record in personal_records(sets)]
    _found[athlete_id] = seq, records
    if len(_found) > ATHLETES_KEPT_MAX:
        _found.popitem(last=False)
    return records


def performed_sets_of(rows: Iterable[Any]) -> Iterator[PerformedSet]:
    """Read rows of logged sets as `apex_sync.coaching.sets.performed_sets` reads the records they were made from."""
    for row in rows:
        day = row["date"].isoformat()
        clock = row["start_time"].time().isoformat("microseconds") if row["start_time"] else None
        yield PerformedSet(
            workout_id=str(row["record_id"]),
            set_key=row["set_key"],
            exercise_key=row["exercise_key"] or "",
            exercise_id=row["exercise_id"],
            exercise_name=row["name"],
            date=row["date"],
            performed_at=f"{day}T{clock}" if clock else day,
            position=row["position"],
            type=row["type"],
            reps=whole(row["reps"], 0, REPS_MAX),
            load_kg=number(row["load_kg"], LOAD_KG_MIN, LOAD_KG_MAX),
            load_unit=row["load_unit"] or "kg",
            rpe=number(row["rpe"], RPE_MIN, RPE_MAX),
            rir=number(row["rir"], 0.0, RIR_MAX),
            completed=row["completed"],
            failure_reason=row["failure_reason"],
        )
