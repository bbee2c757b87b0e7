"""Exercises: the built-in library and a coach's own, searched on the device and without a network.

[bench, *others] = await replica.exercises.search("benchpress")
found = await replica.exercises.search("row", muscle="lats", equipment="cable")
report = await replica.exercises.import_file("exercises.json", dry_run=True)
"""

from pathlib import Path
from typing import TYPE_CHECKING

from apex_client.records import LIST_MAX, Record, Records
from apex_sync.models import Exercise

if TYPE_CHECKING:
    from apex_client.library_importing import LibraryImport
    from apex_client.replica import Replica

FOUND_DEFAULT = 20
"""A screen of a phone."""


class Exercises(Records[Record[Exercise]]):
    """The library as this replica holds it; a coach's `create` adds to their own."""

    def __init__(self, replica: "Replica") -> None:
        super().__init__(replica, "exercises")

    async def search(
        self, text: str = "", *, muscle: str | None = None, equipment: str | None = None, limit: int = FOUND_DEFAULT
    ) -> list[Record[Exercise]]:
        """Find exercises by name, typed anyhow, by muscle and by equipment; the best match first.

        Without a text, all that fit, by name.
        """
        from apex_client.exercise_searching import found

        return self._handles(
            await self._replica._do(found, text, muscle=muscle, equipment=equipment, limit=min(limit, LIST_MAX))
        )

    async def named(self, name: str) -> list[Record[Exercise]]:
        """Give the exercises that a name means and does not only resemble: one, or none, or several."""
        from apex_client.exercise_searching import EXERCISE_LIBRARY

        return self._handles(await self._replica._do(EXERCISE_LIBRARY.named, name))

    async def import_file(
        self, path: str | Path, *, dry_run: bool = False, every_category: bool = False
    ) -> "LibraryImport":
        """Import the JSON of free-exercise-db into the coach's own library; a second time adds nothing twice.

        An exercise that a name in the library means already is left out, and so are stretches and cardio without
        `every_category`; the report says which. Raises an ImportFailed, ForbiddenField.
        """
        from apex_client.exercise_importing import write_exercises
        from apex_client.importers.exercise_db import read_exercise_db

        library = self._replica._open.own_scope(self.collection)
        plan = await self._replica._thread.aside(
            read_exercise_db, Path(path), library=library, every_category=every_category
        )
        return await self._replica._do(write_exercises, plan, library, dry_run=dry_run)
