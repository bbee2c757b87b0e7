"""The built-in library in everybody's scope, kept at what this version of the server ships.

Records are compared with the lines of the file leaf by leaf, and what differs is written as the system, through the one
write path; so every device gets it by the ordinary pull, an edited line is one op, and a second run writes nothing. A
line that is gone leaves a record marked as deleted, because logs may name it.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import UNSET

from apex_server.db import Database, load_queries
from apex_server.errors import ApiError
from apex_server.jobs.publishing import differs
from apex_server.jobs.reading import read_typed
from apex_server.sync.commit import Committer, Patched
from apex_sync.coaching.exercise_library import BuiltinExercise, builtin_exercises
from apex_sync.collection import Record
from apex_sync.ids import Scope
from apex_sync.models import EXERCISES
from apex_sync.op import Patch

__all__ = ["keep_builtin_library"]

SCOPE = "global"

LIBRARY_LOCK = 0x6C696272  # "libr"; beside the lock of migrations.

_queries = load_queries(__package__)


async def keep_builtin_library(
    database: Database, committer: Committer, exercises: Iterable[BuiltinExercise] | None = None
) -> int:
    """Bring the records to the library, and give how many had to change. Several processes may do so at once.

    Raises DatabaseUnavailable, ServerBusy; then run it again.
    """
    wanted = {exercise.id: exercise.patch for exercise in exercises or builtin_exercises()}
    async with database.commit_connection() as connection, connection.transaction():
        await connection.execute(_queries.lock_builtin_library, LIBRARY_LOCK)
        rows = await connection.fetch(_queries.list_builtin, Scope.parse(SCOPE).id, EXERCISES.name)
        standing = {str(row["record_id"]): read_typed(EXERCISES.name, row["doc"]) for row in rows}
        patches = [Patched(record_id, patch) for record_id, patch in changes(standing, wanted).items()]
        for answer in await committer.write_all(None, SCOPE, EXERCISES.name, patches) if patches else ():
            if isinstance(answer, ApiError):
                raise answer
    return len(patches)


def changes(standing: Mapping[str, Record], wanted: Mapping[str, Patch]) -> dict[str, Patch]:
    """Give the leaves to write by record id."""
    gone: dict[str, Patch] = {
        record_id: {"deleted": True}
        for record_id, record in standing.items()
        if record_id not in wanted and record.deleted is not True
    }
    written = {record_id: difference(standing.get(record_id), patch) for record_id, patch in wanted.items()}
    return {record_id: patch for record_id, patch in written.items() if patch} | gone


def difference(record: Record | None, wanted: Patch) -> dict[str, Any]:
    """Give the leaves of a record that are not as they should be."""
    leaves = {**wanted, "deleted": False}
    return {name: value for name, value in leaves.items() if differs(getattr(record, name, UNSET), value)}
