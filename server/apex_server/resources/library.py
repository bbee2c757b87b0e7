"""A library of things that have names: what is built in and the caller's own, listed and searched in one order.

Postgres brings what resembles a query from what is built in, by trigrams, or all of it where nothing that came has a
word of the query; what coaches add is sealed, so it is opened here and looked through one by one. Both are put in order
by `apex_sync.coaching.name_search`, as on a device.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Generic, NamedTuple, TypeVar
from uuid import UUID

import msgspec
from litestar.params import QueryParameter

from apex_server.caller import Caller, Role
from apex_server.db import Connection, load_queries
from apex_server.resources.controller import Asked, RecordController
from apex_server.resources.pages import NameMark
from apex_server.resources.reading import KnownRecord, read_records
from apex_server.resources.requests import NO_NUL
from apex_server.sync.sealing import DocumentSeal, seals_of_scopes
from apex_server.vault import Vault
from apex_sync.coaching.name_search import QUERY_LENGTH_MAX, Named, has_unknown_words, ranked
from apex_sync.coaching.names import name_words
from apex_sync.collection import Collection
from apex_sync.ids import library_scope

__all__ = ["FOUND_DEFAULT", "Library", "LibraryController", "NameAskedFor"]

FOUND_DEFAULT = 20
"""A screen of a phone."""

SearchedT = TypeVar("SearchedT", bound=Named)
Fits = Callable[[SearchedT], bool]
Seals = Mapping[str, DocumentSeal]

NameAskedFor = Annotated[
    str | None,
    QueryParameter(max_length=QUERY_LENGTH_MAX, pattern=NO_NUL, description="A name, or words of it, typed anyhow."),
]

_queries = load_queries(__package__)


class Library(NamedTuple, Generic[SearchedT]):
    """The records of a collection whose table has a column `searched`: the names and words of each, sealed."""

    collection: Collection
    searched: type[SearchedT]

    async def search(
        self, connection: Connection, vault: Vault, q: str | None, *, fits: Fits[SearchedT] | None = None, limit: int
    ) -> list[KnownRecord]:
        """Find records, the best match first; without `q` all that fit, by name."""
        rows = await self._candidates(connection, q, narrowed=fits is not None)
        seals = await seals_of_scopes(connection, vault, [row["scope"] for row in rows])
        if fits is None and await asyncio.to_thread(self._has_unknown_words, rows, seals, q or ""):
            rows = await connection.fetch(self.statement("list_searched"), True)
            seals = await seals_of_scopes(connection, vault, [row["scope"] for row in rows])
        best = await asyncio.to_thread(self._best, rows, seals, q or "", fits, limit)
        places = [(row["scope_id"], row["record_id"]) for row in best]
        return await read_records(connection, vault, self.collection, places)

    async def page(
        self, connection: Connection, vault: Vault, asked: Asked, *, fits: Fits[SearchedT]
    ) -> list[tuple[UUID, str, UUID]]:
        """Find a page and one more, by name: the scope, the name and the id of each."""
        rows = await connection.fetch(self.statement("list_searched"), True)
        seals = await seals_of_scopes(connection, vault, [row["scope"] for row in rows])
        return await asyncio.to_thread(self._page, rows, seals, asked, fits)

    def statement(self, name: str) -> str:
        """Give a statement about this library's own table."""
        return str(getattr(_queries, name)).replace("FROM exercises", f"FROM {self.collection.name}")

    async def _candidates(self, connection: Connection, q: str | None, *, narrowed: bool) -> list[Any]:
        """Read what may be found: of what is built in all where a filter is to choose from it, else what is alike."""
        words = " ".join(name_words(q or ""))
        looks_for_alike = bool(words) and not narrowed
        alike = await connection.fetch(self.statement("find_builtin"), words) if looks_for_alike else []
        return [*alike, *await connection.fetch(self.statement("list_searched"), not looks_for_alike)]

    # With thousands of rows the rest is no work for the event loop.

    def _has_unknown_words(self, rows: Sequence[Any], seals: Seals, q: str) -> bool:
        return has_unknown_words(q, (searched for _, searched in self._opened(rows, seals)))

    def _best(
        self, rows: Sequence[Any], seals: Seals, q: str, fits: Fits[SearchedT] | None, limit: int
    ) -> Sequence[Any]:
        opened = self._opened(rows, seals)
        fitting = [(number, searched) for number, searched in opened if fits is None or fits(searched)]
        return [rows[number] for number in ranked(q, fitting, limit=limit)]

    def _page(
        self, rows: Sequence[Any], seals: Seals, asked: Asked, fits: Fits[SearchedT]
    ) -> list[tuple[UUID, str, UUID]]:
        found = [
            (rows[number]["scope_id"], searched.names[0], rows[number]["record_id"])
            for number, searched in self._opened(rows, seals)
            if fits(searched)
        ]
        found.sort(key=_place, reverse=asked.backwards)
        if asked.after is not None:
            mark = NameMark.key(asked.after)
            found = [one for one in found if (_place(one) < mark if asked.backwards else _place(one) > mark)]
        return found[: asked.limit + 1]

    def _opened(self, rows: Sequence[Any], seals: Seals) -> Iterator[tuple[int, SearchedT]]:
        """Open what is searched, with the number of its row."""
        decoder = msgspec.json.Decoder(self.searched)
        what = f"{self.collection.name}.searched"
        for number, row in enumerate(rows):
            if (seal := seals.get(row["scope"])) is not None:
                yield number, decoder.decode(seal.open_name(row["searched"], what) or "")


class LibraryController(RecordController):
    """What is built in, and what coaches add for their athletes."""

    library: ClassVar[Library[Any]]
    sorted_by, mark = "name", NameMark
    made_by: ClassVar[tuple[Role, ...]] = ("coach",)

    def scope_of_new(self, caller: Caller, draft: Mapping[str, Any]) -> str:
        """Add one to the coach's library, which their athletes see."""
        return library_scope(str(caller.user_id))

    def is_listed(self, q: str, searched: Any) -> bool:
        """Tell whether a list with the filter `q` has it."""
        raise NotImplementedError

    async def rows(
        self, connection: Connection, vault: Vault, filters: tuple[Any, ...], asked: Asked
    ) -> Sequence[Sequence[Any]]:
        """Find a page by opening every name, as they are sealed: a library has some thousands."""
        q = filters[0] or ""
        return await self.library.page(connection, vault, asked, fits=lambda searched: self.is_listed(q, searched))


def _place(listed: tuple[UUID, str, UUID]) -> tuple[str, UUID]:
    return listed[1:]
