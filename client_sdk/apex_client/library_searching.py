"""Finding what a library holds in the replica: FTS5 brings what shares trigrams, and the one ranking orders it.

Each takes the local replica and is run in its thread.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from apex_client.local import LocalReplica
from apex_client.rows import TRIGRAM_TABLES
from apex_client.searching import index_what_fits, trigram_tokens
from apex_client.store_file import sqlite_errors
from apex_client.views import Snapshot
from apex_sync.coaching.name_search import Named, is_called, ranked

CANDIDATES_MAX = 200
"""Looked at for one query; what shares fewer trigrams than 200 others is not what was meant."""

LOOKED_THROUGH_MAX = 20_000
"""What a search without a usable word looks through; as many as the server does."""

NamedT = TypeVar("NamedT", bound=Named)


@dataclass(frozen=True)
class Library(Generic[NamedT]):
    """A kind of record that is searched by name: the table and columns to read, and what is made of them."""

    collection: str
    table: str
    columns: tuple[str, ...]
    read: Callable[..., NamedT]

    def candidates(self, local: LocalReplica, text: str) -> list[tuple[int, NamedT]]:
        """Read what a text may mean, by the number of its record; without a usable word, everything."""
        index_what_fits(local)
        trigrams = TRIGRAM_TABLES[self.collection]
        columns = ", ".join(("row.record_no", *(f"row.{column}" for column in self.columns)))
        alike = (
            f"SELECT {columns} FROM {trigrams} JOIN {self.table} AS row ON row.record_no = {trigrams}.rowid"  # noqa: S608
            f" WHERE {trigrams} MATCH ? ORDER BY {trigrams}.rank LIMIT ?"
        )
        every = f"SELECT {columns} FROM {self.table} AS row ORDER BY row.record_no DESC LIMIT ?"  # noqa: S608
        query = " OR ".join(f'"{token}"' for token in trigram_tokens(text))
        with sqlite_errors(local.store.path):
            rows = local.store.sql.execute(
                *((alike, (query, CANDIDATES_MAX)) if query else (every, (LOOKED_THROUGH_MAX,)))
            )
            return [(number, self.read(*values)) for number, *values in rows.fetchall()]

    def found(
        self, local: LocalReplica, text: str, *, fits: Callable[[NamedT], bool] | None, limit: int
    ) -> list[Snapshot]:
        """Find records, the best match first; those that `fits` is to choose from are all looked at."""
        candidates = self.candidates(local, "" if fits is not None else text)
        fitting = [each for each in candidates if fits is None or fits(each[1])]
        return self._snapshots(local, ranked(text, fitting, limit=limit))

    def named(self, local: LocalReplica, name: str) -> list[Snapshot]:
        """Give the records that a name means."""
        return self._snapshots(
            local, [number for number, searched in self.candidates(local, name) if is_called(name, searched)]
        )

    def _snapshots(self, local: LocalReplica, numbers: list[int]) -> list[Snapshot]:
        marks = ",".join("?" * len(numbers))
        with sqlite_errors(local.store.path):
            held = {each.place: each for each in local.store.select(f"WHERE record.record_no IN ({marks})", numbers)}
        return [local.snapshot_of(held[number]) for number in numbers]


def listed(value: str | None) -> tuple[str, ...]:
    """Read a column that holds a JSON list."""
    words: Any = json.loads(value) if value else ()
    return tuple(words)
