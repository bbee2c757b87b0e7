"""Searching a library by name: what is built in and the caller's own, in one order, with room for typing errors.

Postgres brings what resembles the query from what is built in, by trigrams; what coaches add is sealed, so it is opened
here and looked through one by one. Both are put in order by `apex_sync.coaching.name_search`, as on a device.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Generic, NamedTuple, TypeVar

import msgspec
from litestar.params import QueryParameter

from apex_server.db import Connection
from apex_server.resources.reading import KnownRecord, read_records
from apex_server.resources.requests import NO_NUL
from apex_server.sync.sealing import DocumentSeal, seals_of_scopes
from apex_server.vault import Vault
from apex_sync.coaching.name_search import QUERY_LENGTH_MAX, Named, ranked
from apex_sync.coaching.names import name_words
from apex_sync.collection import Collection

__all__ = ["FOUND_DEFAULT", "LibrarySearch", "NameAskedFor"]

FOUND_DEFAULT = 20
"""A screen of a phone."""

SearchedT = TypeVar("SearchedT", bound=Named)

NameAskedFor = Annotated[
    str | None,
    QueryParameter(max_length=QUERY_LENGTH_MAX, pattern=NO_NUL, description="A name, or words of it, typed anyhow."),
]


class LibrarySearch(NamedTuple, Generic[SearchedT]):
    """A kind of record that is searched by name.

    `built_in` is the whole of what is built in, `alike` the part of it that resembles words, and `own` what else the
    caller may read. Each gives `scope`, `scope_id`, `record_id`, and `searched`, sealed for the place `sealed`.
    """

    collection: Collection
    searched: type[SearchedT]
    sealed: str
    built_in: str
    alike: str
    own: str

    async def find(
        self,
        connection: Connection,
        vault: Vault,
        q: str | None,
        *,
        fits: Callable[[SearchedT], bool] | None = None,
        limit: int,
    ) -> list[KnownRecord]:
        """Find records, the best match first; without `q` all that fit, by name."""
        rows = await self._candidates(connection, q, narrowed=fits is not None)
        seals = await seals_of_scopes(connection, vault, [row["scope"] for row in rows])
        best = await asyncio.to_thread(self._best, rows, seals, q or "", fits, limit)
        places = [(row["scope_id"], row["record_id"]) for row in best]
        return await read_records(connection, vault, self.collection, places)

    async def _candidates(self, connection: Connection, q: str | None, *, narrowed: bool) -> list[Any]:
        """Read what may be found: of what is built in all where a filter is to choose from it, else what is alike."""
        words = " ".join(name_words(q or ""))
        likely: Any = (self.alike, words) if words and not narrowed else (self.built_in,)
        return [*await connection.fetch(*likely), *await connection.fetch(self.own)]

    def _best(
        self,
        rows: Sequence[Any],
        seals: Mapping[str, DocumentSeal],
        q: str,
        fits: Callable[[SearchedT], bool] | None,
        limit: int,
    ) -> list[Any]:
        """Open what is searched, and give the best rows; with thousands that is no work for the event loop."""
        decoder = msgspec.json.Decoder(self.searched)
        opened = (
            (number, decoder.decode(seal.open_name(row["searched"], self.sealed) or ""))
            for number, row in enumerate(rows)
            if (seal := seals.get(row["scope"])) is not None
        )
        fitting = [each for each in opened if fits is None or fits(each[1])]
        return [rows[number] for number in ranked(q, fitting, limit=limit)]
