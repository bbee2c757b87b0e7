"""Importing an export into the replica: many workouts in a transaction, and safe to break off and repeat."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from apex_client.garbage import garbage_waits
from apex_client.local import LocalReplica

if TYPE_CHECKING:
    from apex_client.importers.plan import ImportedWorkout
    from apex_client.importers.reading import AcceptDoubled
    from apex_client.importers.run import ImportReport, ImportTally
    from apex_client.replica import Replica

COLLECTION = "workout_logs"
CHUNK_WORKOUTS = 200
"""Durable together: a tenth of a second of work, and what is done again when an import is broken off."""


class ImportProgress(Struct, frozen=True):
    """How far an import has come, in workouts."""

    done: int
    total: int


async def import_file(
    replica: "Replica",
    path: Path,
    *,
    unit: Literal["kg", "lb"] | None,
    accept_doubled: "AcceptDoubled | None",
    progress: Callable[[ImportProgress], None] | None,
    scope: str | None = None,
) -> "ImportReport":
    """Read an export and write what the replica does not have of it."""
    from apex_client.importers.reading import read_export
    from apex_client.importers.run import ImportTally

    plan = await replica._thread.aside(read_export, path, unit=unit, accept_doubled=accept_doubled)
    tally = ImportTally(plan)
    for start in range(0, len(plan.workouts), CHUNK_WORKOUTS):
        chunk = plan.workouts[start : start + CHUNK_WORKOUTS]
        await replica._do(write_workouts, chunk, tally, scope)
        if progress:
            progress(ImportProgress(min(start + CHUNK_WORKOUTS, len(plan.workouts)), len(plan.workouts)))
    return tally.report()


def write_workouts(
    local: LocalReplica, workouts: "Sequence[ImportedWorkout]", tally: "ImportTally", scope: str | None
) -> None:
    """Write what is new of some workouts, one op each, in one transaction."""
    from apex_client.importers.run import new_leaves

    home = scope or local.own_scope(COLLECTION)
    written = []
    with garbage_waits(), local.store.transaction():
        known = local.store.load(home, [workout.record_id for workout in workouts])
        changed = []
        for workout in workouts:
            held = known.get(workout.record_id)
            patch = new_leaves(held.state if held else {}, workout.patch)
            written.append((workout, patch, held is not None))
            if patch:
                held = held or local.device.new_record(workout.record_id, home, COLLECTION)
                local.stamp(held, patch)
                changed.append(held)
        local.store.save(changed, "local")
    for workout, patch, existed in written:
        tally.count(workout, patch, existed=existed)
