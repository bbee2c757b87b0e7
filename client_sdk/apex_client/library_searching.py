"""Finding what a library holds in the replica: FTS5 brings what shares trigrams, and the one ranking orders it.

Where nothing that it brings has a word of the query, everything is looked through: trigrams do not survive a typing
error in a short word.

What is built in ships with the SDK, and is found before the first sync has brought its records, under the same ids.
Each takes the local replica and is run in its thread.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from apex_client.local import LocalReplica
from apex_client.rows import TRIGRAM_TABLES
from apex_client.searching import index_what_fits, trigram_tokens
from apex_client.store_file import sqlite_errors
from apex_client.views import Snapshot
from apex_sync.coaching.name_search import Named, has_unknown_words, is_called, ranked
from apex_sync.op import Patch
from apex_sync.session.device import SELF_SCOPE

CANDIDATES_MAX = 200
"""Looked at for one query; what shares fewer trigrams than 200 others is not what was meant."""

LOOKED_THROUGH_MAX = 20_000
"""What a search without a usable word looks through; as many as the server does."""

GLOBAL_SCOPE = "global"

NamedT = TypeVar("NamedT", bound=Named)


OF_OTHERS = "scope.name LIKE 'athlete:%' AND scope.name <> ?"
"""What athletes of a coach added for themselves; takes `own_library`."""


def own_library(local: LocalReplica) -> str:
    """Give the scope in which an athlete adds to a library; what others added to theirs is no part of it."""
    return f"athlete:{local.user.id}" if local.user else SELF_SCOPE


class BuiltIn(Protocol):
    """A line of a library that ships with the SDK."""

    @property
    def id(self) -> str:
        """The id of its record."""

    @property
    def patch(self) -> Patch:
        """What its record holds."""


@dataclass(frozen=True)
class Library(Generic[NamedT]):
    """A kind of record that is searched by name: the table and columns to read, and what is made of them.

    `built_in` gives the lines that ship with the SDK, `read_built_in` what is made of one.
    """

    collection: str
    table: str
    columns: tuple[str, ...]
    read: Callable[..., NamedT]
    built_in: Callable[[], Sequence[BuiltIn]]
    read_built_in: Callable[[Any], NamedT]

    def candidates(self, local: LocalReplica, text: str) -> list[tuple[int, NamedT]]:
        """Read what a text may mean, by the number of its record; without a usable word, everything.

        A line that is built in and has no record here yet has the number below zero that counts from the end of them.
        """
        return [*self._held(local, text), *self._not_held(local)]

    def _not_held(self, local: LocalReplica) -> Iterator[tuple[int, NamedT]]:
        """Read what is built in, where no sync has brought its records: since then they say what there is."""
        came = (
            f"SELECT 1 FROM {self.table} AS row JOIN held_scopes AS scope ON scope.scope_no = row.scope_no"  # noqa: S608
            " WHERE scope.name = ? LIMIT 1"
        )
        with sqlite_errors(local.store.path):
            if local.store.sql.execute(came, (GLOBAL_SCOPE,)).fetchone() is not None:
                return
        lines = self.built_in()
        yield from ((place - len(lines), self.read_built_in(line)) for place, line in enumerate(lines))

    def _held(self, local: LocalReplica, text: str) -> list[tuple[int, NamedT]]:
        index_what_fits(local)
        trigrams = TRIGRAM_TABLES[self.collection]
        columns = ", ".join(("row.record_no", *(f"row.{column}" for column in self.columns)))
        mine = f"JOIN held_scopes AS scope ON scope.scope_no = row.scope_no AND NOT ({OF_OTHERS})"
        alike = (
            f"SELECT {columns} FROM {trigrams} JOIN {self.table} AS row ON row.record_no = {trigrams}.rowid {mine}"  # noqa: S608
            f" WHERE {trigrams} MATCH ? ORDER BY {trigrams}.rank LIMIT ?"
        )
        every = f"SELECT {columns} FROM {self.table} AS row {mine} ORDER BY row.record_no DESC LIMIT ?"  # noqa: S608
        query = " OR ".join(f'"{token}"' for token in trigram_tokens(text))
        own = own_library(local)
        with sqlite_errors(local.store.path):
            rows = local.store.sql.execute(
                *((alike, (own, query, CANDIDATES_MAX)) if query else (every, (own, LOOKED_THROUGH_MAX)))
            )
            return [(number, self.read(*values)) for number, *values in rows.fetchall()]

    def found(
        self, local: LocalReplica, text: str, *, fits: Callable[[NamedT], bool] | None, limit: int
    ) -> list[Snapshot]:
        """Find records, the best match first; those that `fits` is to choose from are all looked at."""
        candidates = self.candidates(local, "" if fits is not None else text)
        if fits is None and has_unknown_words(text, (named for _, named in candidates)):
            candidates = self.candidates(local, "")
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
        return [self._of_line(number) if number < 0 else local.snapshot_of(held[number]) for number in numbers]

    def _of_line(self, number: int) -> Snapshot:
        line = self.built_in()[number]
        return Snapshot(line.id, self.collection, GLOBAL_SCOPE, line.patch)


def listed(value: str | None) -> tuple[str, ...]:
    """Read a column that holds a JSON list."""
    words: Any = json.loads(value) if value else ()
    return tuple(words)
