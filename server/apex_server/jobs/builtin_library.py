"""The built-in library in everybody's scope, kept at what this version of the server ships.

Records are compared with the lines of the files leaf by leaf, and what differs is written as the system, through the
one write path; so every device gets it by the ordinary pull, an edited line is one op, and a second run writes nothing.
A line that is gone leaves a record marked as deleted, because logs may name it. Of several versions of a server beside
each other the newest has its way.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

import msgspec
from msgspec import UNSET

from apex_server.db import Database, load_queries
from apex_server.errors import ApiError
from apex_server.jobs.publishing import differs
from apex_server.jobs.reading import read_typed
from apex_server.sync.commit import Committer, Patched
from apex_sync.coaching.exercise_library import builtin_exercises
from apex_sync.coaching.food_library import builtin_foods
from apex_sync.collection import Record
from apex_sync.ids import Scope
from apex_sync.op import Patch

__all__ = ["keep_builtin_library"]

SCOPE = "global"

LIBRARY_VERSION = 1
"""Goes up with every change of the files, which a test sees."""

_queries = load_queries(__package__)


class BuiltIn(Protocol):
    """One line of a file."""

    @property
    def id(self) -> str:
        """The id of its record."""

    @property
    def patch(self) -> Patch:
        """What its record holds."""


Library = Mapping[str, Iterable[BuiltIn]]
"""What is built in, by collection."""


async def keep_builtin_library(
    database: Database, committer: Committer, library: Library | None = None, version: int = LIBRARY_VERSION
) -> int:
    """Bring the records to the library, unless a newer one stands there, and give how many had to change.

    Several processes may do so at once.

    Raises DatabaseUnavailable, ServerBusy; then run it again.
    """
    changed = 0
    for collection, built_in in (library or shipped()).items():
        wanted = {each.id: each.patch for each in built_in}
        async with database.commit_connection() as connection, connection.transaction():
            if await connection.fetchval(_queries.take_builtin_library, version) != version:
                return changed
            rows = await connection.fetch(_queries.list_builtin, Scope.parse(SCOPE).id, collection)
            standing = {str(row["record_id"]): read_typed(collection, row["doc"]) for row in rows}
            patches = [Patched(record_id, patch) for record_id, patch in changes(standing, wanted).items()]
            for answer in await committer.write_all(None, SCOPE, collection, patches) if patches else ():
                if isinstance(answer, ApiError):
                    raise answer
        changed += len(patches)
    return changed


def shipped() -> Library:
    """Give what this version of the server has."""
    return {"exercises": builtin_exercises(), "foods": builtin_foods()}


def changes(standing: Mapping[str, Record], wanted: Mapping[str, Patch]) -> dict[str, Patch]:
    """Give the leaves to write by record id."""
    gone: dict[str, Patch] = {
        record_id: {"deleted": True}
        for record_id, record in standing.items()
        if record_id not in wanted and record.deleted is not True
    }
    written = {record_id: difference(standing.get(record_id), patch) for record_id, patch in wanted.items()}
    return {record_id: patch for record_id, patch in written.items() if patch} | gone


def difference(record: Record | None, wanted: Patch) -> Patch:
    """Give the leaves of a record that are not as they should be."""
    standing = {} if record is None else msgspec.to_builtins(record)
    return _difference(standing, {**wanted, "deleted": False})


def _difference(standing: Mapping[str, Any], wanted: Mapping[str, Any]) -> Patch:
    """Compare a map and what is in it; an entry that is wanted no more is deleted."""
    patch: dict[str, Any] = {}
    for name, value in wanted.items():
        there = standing.get(name, UNSET)
        if isinstance(value, Mapping):
            inner = _difference(there, {**value, "deleted": False}) if isinstance(there, Mapping) else value
            patch |= {name: inner} if inner else {}
        elif differs(there, value):
            patch[name] = value
    gone = (name for name, there in standing.items() if name not in wanted and isinstance(there, Mapping))
    return patch | {name: {"deleted": True} for name in gone if standing[name].get("deleted") is not True}
