"""The endpoints that every kind of record has, written once; a slice names what is its own and inherits the rest.

    class ProgramsController(AthleteRecordController):
        path = "/api/programs"
        kind = RecordKind(PROGRAMS, "program", to_patch)
        view, page, new, draft = ProgramView, ProgramsPage, NewProgram, Program
        filters = ProgramFilters
        list_query, sorted_by, mark = _queries.list_programs, "-start_date", DayMark

Handlers are typed by the names below them (`View`, `Page` …), which each controller binds to types of its own: so the
API description knows every kind of record by its own shape, and its own words (`workout`, `list_workouts`).
"""

from __future__ import annotations

import inspect
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, astuple
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, TypeAlias
from uuid import UUID

import msgspec
from litestar import Controller, MediaType, Response, delete, get, patch, post, put
from litestar.di import NamedDependency, Provide
from litestar.handlers import BaseRouteHandler, HTTPRouteHandler
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromQuery, JSONBody, PathParameter, QueryParameter
from msgspec import UNSET, Struct

from apex_server.caller import Caller, Role, require_role
from apex_server.db import Connection, Database, load_queries
from apex_server.errors import InvalidFields, RoleRequired
from apex_server.problems import problem_responses
from apex_server.resources.bodies import described_as, object_body
from apex_server.resources.errors import AlreadyExists, VersionRequired
from apex_server.resources.pages import PAGE_LENGTH_DEFAULT, IdMark, Mark, backwards
from apex_server.resources.provenance import provenance_of
from apex_server.resources.reading import KnownRecord, read_records
from apex_server.resources.requests import (
    READ_REFUSALS,
    WRITE_REFUSALS,
    After,
    Deleted,
    Fields,
    IdempotencyKey,
    IfMatch,
    IfNoneMatch,
    Limit,
    included,
    new_record_id,
    now,
    scope_of_athlete,
    scopes_about,
)
from apex_server.resources.versions import etag_of, is_named, version_named, version_required
from apex_server.resources.views import view_of_model
from apex_server.resources.writing import Made, RecordKind, RecordWriter
from apex_server.sync.commit import Committer
from apex_server.vault import Vault
from apex_sync.collection import Record
from apex_sync.ids import Scope
from apex_sync.op import Patch

__all__ = ["Asked", "AthleteRecordController", "RecordController"]

View: TypeAlias = Any
"""What is shown of a record."""
Page: TypeAlias = Any
"""A list of views, and `next`."""
Model: TypeAlias = Record
"""The record's own shape, in which PATCH takes changes."""
RecordId: TypeAlias = UUID
"""A parameter of the address: `{workout_id}`."""
Include: TypeAlias = str | None
"""What is asked for beside the record."""
Sort: TypeAlias = str | None
"""The name of an order; the usual one when absent."""

PROVENANCE = frozenset({"conflicts", "contributions"})
_NOT_MODIFIED = {304: ResponseSpec(None, generate_examples=False, description="What you have is what you would get.")}

_queries = load_queries(__package__)


class Asked(NamedTuple):
    """What a request for a list says beside the filters of its slice."""

    include: frozenset[str]
    fields: frozenset[str]
    backwards: bool
    deleted: bool
    after: Mark | None
    limit: int


class RecordController(Controller):
    """Lists, reads, makes, changes, deletes and restores the records of one kind."""

    kind: ClassVar[RecordKind]
    view: ClassVar[type[Struct]]
    page: ClassVar[type[Struct]]
    """A struct of a list of views and `next`."""
    new: ClassVar[Any]
    """The body of POST, as it is described."""
    draft: ClassVar[Any]
    """The body of PUT, as it is described."""
    examples: ClassVar[tuple[Any, Any, Any]]
    """One body each that works, for POST, PUT and PATCH; tests send them."""
    entries: ClassVar[tuple[str, ...]] = ()
    """The maps whose entries have an origin as wholes."""
    includable: ClassVar[tuple[str, ...]] = ("conflicts", "contributions")
    filters: ClassVar[type[Any]]
    """A dataclass of the parameters by which a list is filtered."""
    list_query: ClassVar[str]
    """Finds a page: takes the filters, the sort key to go on from and a length; gives the id of the scope and then the
    sort key, whose last part is the id of the record."""
    sorted_by: ClassVar[str]
    """What the order of that query is called: `-date` for the newest first. It can be read from the other end, too."""
    mark: ClassVar[type[Mark]]
    """The sort key."""
    made_by: ClassVar[tuple[Role, ...]] = ("athlete", "coach")
    """The roles that may make one."""
    writer: ClassVar[type[RecordWriter]] = RecordWriter

    @classmethod
    def word(cls) -> str:
        """Give what one is called in addresses and names of operations: `workout` for `/api/workouts`."""
        return (cls.path or "").rpartition("/")[2].removesuffix("s")

    def __init_subclass__(cls, **more: Any) -> None:
        """Bind the names that handlers are typed by."""
        super().__init_subclass__(**more)
        if not hasattr(cls, "kind"):
            return
        name = cls.sorted_by.removeprefix("-")
        cls.signature_namespace = {
            "View": cls.view,
            "Page": cls.page,
            "Model": cls.kind.collection.model,
            "RecordId": Annotated[UUID, PathParameter(name=f"{cls.word()}_id")],
            "Include": Annotated[
                str | None,
                QueryParameter(max_length=200, description=f"Separated by commas, of {', '.join(cls.includable)}."),
            ],
            "Sort": Annotated[
                Literal[name, f"-{name}"] | None, QueryParameter(description=f"`{cls.sorted_by}` when absent.")
            ],
        }
        cls.dependencies = {
            "asked": Provide(cls._read_list_request, sync_to_thread=False),
            "filters": Provide(cls.filters, sync_to_thread=False),
            "records": Provide(cls._provide_writer, sync_to_thread=False),
        }

    # What a slice may have to say otherwise.

    def scope_of_new(self, caller: Caller, draft: Mapping[str, Any]) -> str:
        """Say where a new record goes. Raises InvalidFields."""
        return scope_of_athlete(caller, draft.get("athlete_id"))

    def id_of_new(self, caller: Caller, draft: Mapping[str, Any], idempotency_key: str | None) -> UUID:
        """Say which record a new one is. Raises InvalidFields."""
        return new_record_id(idempotency_key, caller, self.kind.noun, draft.get("id"))

    def added(self, draft: Mapping[str, Any]) -> Patch:
        """Give the leaves that the server adds to a new record."""
        return {"created_at": now()}

    def completed(self, changes: Patch) -> Patch:
        """Complete a patch before it is written. Raises InvalidFields."""
        return changes

    async def rows(
        self, connection: Connection, vault: Vault, filters: tuple[Any, ...], asked: Asked
    ) -> Sequence[Sequence[Any]]:
        """Find a page and one more: the id of the scope and the sort key of each."""
        key = self.mark.key(asked.after)
        query = backwards(self.list_query) if asked.backwards else self.list_query
        rows: list[Any] = await connection.fetch(query, *filters, *key, asked.limit + 1)
        return rows

    async def show(
        self, connection: Connection, vault: Vault, found: Sequence[KnownRecord], include: Collection[str]
    ) -> list[Any]:
        """Show records, in their order; by itself in the model's own shape."""
        return [view_of_model(self.view, known) for known in found]

    # The endpoints.

    @get(responses=problem_responses(*READ_REFUSALS))
    async def list_records(
        self,
        records: NamedDependency[RecordWriter],
        filters: NamedDependency[Any],
        asked: NamedDependency[Asked],
    ) -> Page:
        """List {noun}s, page by page."""
        return await self.page_of(records, filters, asked)

    @get("/{record_id:uuid}", responses=problem_responses(*READ_REFUSALS) | _NOT_MODIFIED)
    async def get_record(
        self,
        record_id: RecordId,
        records: NamedDependency[RecordWriter],
        include: Include = None,
        fields: Fields = None,
        if_none_match: IfNoneMatch = None,
    ) -> Response[View]:
        """Read one {noun}; its ETag is the version to name when changing it. Conflicts are listed."""
        wanted = included(include, *self.includable)
        chosen = included(fields, *self.view.__struct_fields__, parameter="fields")
        return await self.answer(records, record_id, include=wanted, fields=chosen, if_none_match=if_none_match)

    @post(return_dto=None, responses=problem_responses(*WRITE_REFUSALS, AlreadyExists, RoleRequired))
    async def make_record(
        self,
        data: JSONBody[dict[str, Any]],
        records: NamedDependency[RecordWriter],
        idempotency_key: IdempotencyKey = None,
    ) -> Response[View]:
        """Make one {noun}: 201, or 200 when the same was sent before under the same id or Idempotency-Key."""
        require_role(records.caller, *self.made_by)
        sent = object_body(data)
        scope = self.scope_of_new(records.caller, sent)
        record_id = self.id_of_new(records.caller, sent, idempotency_key)
        return await self.made(records, await records.create(scope, record_id, sent, self.added(sent)))

    @put(
        "/{record_id:uuid}",
        return_dto=None,
        responses=problem_responses(*WRITE_REFUSALS, VersionRequired),
    )
    async def replace_record(
        self,
        record_id: RecordId,
        data: JSONBody[dict[str, Any]],
        records: NamedDependency[RecordWriter],
        if_match: IfMatch = None,
    ) -> Response[View]:
        """Make one {noun} what the body says, starting from the version named in If-Match.

        Only what differs from that version is written, and only fields that are yours to write are emptied by leaving
        them out. Where somebody else has changed the same value since, a conflict is listed; nothing is lost.
        """
        return await self.made(records, await records.replace(record_id, object_body(data), version_required(if_match)))

    @patch("/{record_id:uuid}", responses=problem_responses(*WRITE_REFUSALS))
    async def patch_record(
        self,
        record_id: RecordId,
        data: JSONBody[Model],
        records: NamedDependency[RecordWriter],
        if_match: IfMatch = None,
    ) -> Response[View]:
        """Change single values of one {noun}, in the record's own shape; `deleted` removes an entry of a map."""
        changes = self.completed(msgspec.to_builtins(data))
        return await self.made(records, await records.apply_patch(record_id, changes, version_named(if_match)))

    @delete("/{record_id:uuid}", responses=problem_responses(*WRITE_REFUSALS))
    async def delete_record(
        self, record_id: RecordId, records: NamedDependency[RecordWriter], if_match: IfMatch = None
    ) -> None:
        """Delete one {noun} on every device; it can be restored."""
        await records.delete(record_id, version_named(if_match))

    @post("/{record_id:uuid}/restore", status_code=200, responses=problem_responses(*WRITE_REFUSALS))
    async def restore_record(self, record_id: RecordId, records: NamedDependency[RecordWriter]) -> Response[View]:
        """Bring one deleted {noun} back as it was."""
        return await self.made(records, await records.restore(record_id))

    # What they are made of.

    async def page_of(self, records: RecordWriter, filters: Any, asked: Asked) -> Any:
        """Read a page."""
        async with records.reading() as connection:
            vault = records.database.vault
            rows = await (
                self._deleted_rows(connection, records.caller, filters, asked)
                if asked.deleted
                else self.rows(connection, vault, astuple(filters), asked)
            )
            places = [(row[0], row[-1]) for row in rows[: asked.limit]]
            found = await read_records(connection, vault, self.kind.collection, places)
            views = await self._shown(connection, vault, found, asked.include)
        mark = IdMark if asked.deleted else self.mark
        more = len(rows) > asked.limit
        following = mark.of(rows[asked.limit - 1][1:]).encode() if more else None
        return self.page([selected(view, asked.fields) for view in views], following)

    async def made(self, records: RecordWriter, made: Made, **told: Any) -> Response[Any]:
        """Answer with what a record is after a request; `told` are fields of its view that only the request knows."""
        status = 201 if made.outcome == "created" else 200
        return await self.answer(
            records.within(made.known.scope), UUID(made.known.id), deleted=True, status=status, told=told
        )

    async def answer(
        self,
        records: RecordWriter,
        record_id: UUID,
        *,
        include: frozenset[str] = frozenset(),
        fields: frozenset[str] = frozenset(),
        if_none_match: str | None = None,
        deleted: bool = False,
        status: int = 200,
        told: Mapping[str, Any] = MappingProxyType({}),
    ) -> Response[Any]:
        """Answer with one record. Raises NotFound."""
        async with records.reading() as connection:
            vault = records.database.vault
            known = await records.known(connection, record_id, deleted=deleted)
            [view] = await self._shown(
                connection, vault, [known], include | ({"conflicts"} if known.fold.conflicts else set())
            )
        for name, value in told.items():
            setattr(view, name, value)
        body = msgspec.json.encode(selected(view, fields))
        headers = {"ETag": etag_of(known.version, body)}
        if is_named(if_none_match, headers["ETag"]):
            return Response(None, status_code=304, headers=headers)
        if status == 201:
            headers["Location"] = f"{self.path}/{known.id}"
        return Response(body, media_type=MediaType.JSON, status_code=status, headers=headers)

    async def _shown(
        self, connection: Connection, vault: Vault, found: Sequence[KnownRecord], include: Collection[str]
    ) -> list[Any]:
        views = await self.show(connection, vault, found, include)
        for view, known in zip(views, found, strict=True):
            if asked := PROVENANCE.intersection(include):
                provenance = await provenance_of(connection, vault, known, *self.entries)
                for name in asked:
                    setattr(view, name, getattr(provenance, name))
        return views

    async def _deleted_rows(
        self, connection: Connection, caller: Caller, filters: Any, asked: Asked
    ) -> Sequence[Sequence[Any]]:
        """Find what was deleted. Its values stand in no table, so it is asked for by whose it is alone."""
        named = asdict(filters)
        athlete_id = named.pop("athlete_id", None)
        if any(value is not None for value in named.values()):
            raise InvalidFields.one("deleted", "Expected no other filter beside it than athlete_id")
        scopes = () if athlete_id is None else scopes_about(caller.user_id, athlete_id)
        places = [Scope.parse(scope).id for scope in scopes] or None
        key = IdMark.key(asked.after)
        rows: list[Any] = await connection.fetch(
            _queries.list_deleted, self.kind.collection.name, places, *key, asked.limit + 1
        )
        return rows

    @classmethod
    def _read_list_request(
        cls,
        include: Include = None,
        fields: Fields = None,
        sort: Sort = None,
        deleted: Deleted = None,
        limit: Limit = PAGE_LENGTH_DEFAULT,
        after: After = None,
    ) -> Asked:
        mark = IdMark if deleted else cls.mark
        return Asked(
            included(include, *cls.includable),
            included(fields, *cls.view.__struct_fields__, parameter="fields"),
            sort not in (None, cls.sorted_by),
            deleted is not None,
            mark.decode(after),
            limit,
        )

    @classmethod
    def _provide_writer(
        cls,
        caller: NamedDependency[Caller],
        database: NamedDependency[Database],
        committer: NamedDependency[Committer],
        athlete_id: FromQuery[UUID | None] = None,
    ) -> RecordWriter:
        scopes = () if athlete_id is None else scopes_about(caller.user_id, athlete_id)
        return cls.writer(cls.kind, database, committer, caller, scopes)

    def get_route_handlers(self) -> list[BaseRouteHandler]:
        """Put the handlers into the words of this kind of record."""
        handlers = super().get_route_handlers()
        for handler in handlers:
            if isinstance(handler, HTTPRouteHandler):
                self._put_into_words(handler)
        return handlers

    def _put_into_words(self, handler: HTTPRouteHandler) -> None:
        handler.paths = {path.replace("{record_id", f"{{{self.word()}_id") for path in handler.paths}
        handler.operation_id = handler.handler_name.replace("record", self.word())
        handler.summary = handler.operation_id.replace("_", " ").capitalize()
        handler.description = inspect.cleandoc(handler.fn.__doc__ or "").replace("{noun}", self.kind.noun)
        if handler.handler_name == "make_record":
            handler.dto = described_as(self.new, self.examples[0])
            again = ResponseSpec(self.view, generate_examples=False, description="It was there already, as sent.")
            handler.responses = {**(handler.responses or {}), 200: again}
        if handler.handler_name == "replace_record":
            handler.dto = described_as(self.draft, self.examples[1])
        if handler.handler_name == "patch_record":
            handler.opt["example"] = self.examples[2]


class AthleteRecordController(RecordController):
    """Records of athletes, which can also be listed by whose they are."""

    @get("/client/{athlete_id:uuid}", responses=problem_responses(*READ_REFUSALS))
    async def list_records_of_athlete(
        self,
        records: NamedDependency[RecordWriter],
        filters: NamedDependency[Any],
        asked: NamedDependency[Asked],
    ) -> Page:
        """List the {noun}s of one athlete. Somebody else's athlete has none."""
        return await self.page_of(records, filters, asked)


def selected(view: Struct, fields: Collection[str]) -> Any:
    """Leave in a view the fields that were asked for, and its id; all of them when none was named."""
    if not fields:
        return view
    chosen = {name: getattr(view, name) for name in view.__struct_fields__ if name in fields or name == "id"}
    return {name: value for name, value in chosen.items() if value is not UNSET}
