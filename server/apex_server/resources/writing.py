"""Writing records on the one write path: what a caller wants becomes the smallest patch, and the patch an op.

A caller who names the version they had writes beside whatever came since: where both changed one value the record lists
a conflict, and neither is lost. Writes of one user through the server follow each other under one client id and are
never concurrent; so where that user has changed the same value since, the write is refused (`VersionStale`).
"""

from collections.abc import AsyncIterator, Callable, Container, Mapping, Sequence
from contextlib import asynccontextmanager
from copy import copy
from datetime import date, timedelta
from typing import Any, NamedTuple, Self
from uuid import UUID

from msgspec import UNSET

from apex_server.caller import Caller
from apex_server.clock import wall_clock
from apex_server.db import Connection, Database, load_queries
from apex_server.errors import ApiError, FieldError, InvalidFields, NotFound
from apex_server.resources.errors import AlreadyExists, VersionStale
from apex_server.resources.reading import KnownRecord, read_record, require_scope
from apex_server.sync.commit import Committer, Patched
from apex_server.sync.errors import FieldForbidden, VersionUnknown
from apex_sync.coaching.drafts import DraftPatch, InvalidDraft, check_draft
from apex_sync.collection import Collection, Record, Role
from apex_sync.errors import FieldProblem
from apex_sync.fold import Path
from apex_sync.ids import Scope
from apex_sync.models.days import impossible_days, missing_day
from apex_sync.models.fields import parse_date
from apex_sync.op import Patch, StampedWrite, Vector

__all__ = ["Made", "RecordKind", "RecordWriter"]

OWN_VERSIONS_MAX = 8
"""How far back a whole record without a version is compared with what its author sent before."""

DAYS_AHEAD_MAX = 31
"""Meals of a coming week may be written down before; a year that was mistyped leads every list for years."""

DAY_LENGTH = len("2026-03-01")
"""A time begins with its day."""

DAYS_DONE: Mapping[str, tuple[str, ...]] = {
    "workout_logs": ("date", "start_time", "end_time"),
    "check_ins": ("date", "submitted_at"),
    "body_metrics": ("date", "measured_at"),
    "nutrition_logs": ("date",),
    "progress_photos": ("date",),
}
"""The fields that say when something was, by collection; days of programs, targets and plans are to come."""

_queries = load_queries(__package__)


class RecordKind(NamedTuple):
    """What a slice says of its records.

    `to_patch` turns what a caller sent for a record id into the difference from a version of that record, and raises
    InvalidDraft; `noun` is what a caller is told is missing.
    """

    collection: Collection
    noun: str
    to_patch: Callable[[str, Mapping[str, Any], Record], DraftPatch]


class Made(NamedTuple):
    """A record after a request; `outcome` is `created`, `updated` or `unchanged`, `patch` what was written.

    `kept_newer` are the leaves that were left as they are because somebody had changed them later.
    """

    known: KnownRecord
    outcome: str
    patch: Patch
    kept_newer: tuple[Path, ...] = ()


class RecordWriter:
    """Reads and writes records of one kind for one caller.

    Every method raises NotFound, FieldForbidden, InvalidFields, and what `Committer.write` raises.
    """

    def __init__(
        self,
        kind: RecordKind,
        database: Database,
        committer: Committer,
        caller: Caller,
        scopes: tuple[str, ...] = (),
    ) -> None:
        """Look for records in all scopes that the caller may read, or in certain ones."""
        self.kind = kind
        self.scopes = scopes
        self.caller = caller
        self.database = database
        self._committer = committer

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Connection]:
        """Give a connection that sees what the caller may see."""
        async with self.database.request(self.caller.user_id) as connection:
            yield connection

    async def known(self, connection: Connection, record_id: UUID, *, deleted: bool = False) -> KnownRecord:
        """Read a record; a deleted one only where that is asked for."""
        return await read_record(
            connection,
            self.database.vault,
            self.kind.collection,
            record_id,
            self.kind.noun,
            deleted=deleted,
            scopes=self.scopes,
        )

    def within(self, scope: str) -> Self:
        """Give the same for records of one scope."""
        narrowed = copy(self)
        narrowed.scopes = (scope,)
        return narrowed

    async def create(self, scope: str, record_id: UUID, draft: Mapping[str, Any], more: Patch | None = None) -> Made:
        """Make a record; what was sent before and comes again gives what the record is now.

        `more` are leaves that the server adds to a new record. Raises AlreadyExists.
        """
        async with self.reading() as connection:
            role = await self._role(connection, scope)
            known = await self.within(scope).find(connection, record_id)
            versions = [] if known is None else own_versions(known, await self._own_client_ids(connection, scope))
        if known is None:
            difference = self._difference(record_id, draft, self.kind.collection.model(), role)
            self._refuse_days_ahead(difference)
            patch = {**(more or {}), **difference.patch}
            await self._admit(scope, patch, {})
            return Made(await self._write(scope, record_id, patch, None), "created", patch)
        if any(self._is_repeated(record_id, draft, known.at(version), role, more or {}) for version in versions):
            return Made(known, "unchanged", {})
        raise AlreadyExists(str(record_id))

    async def replace(self, record_id: UUID, draft: Mapping[str, Any], version: Vector | None) -> Made:
        """Make the record what the caller says, starting from the version they had; None is the newest.

        Raises VersionUnknown, VersionStale.
        """
        async with self.reading() as connection:
            known = await self.known(connection, record_id)
            role = await self._role(connection, known.scope)
            own = [] if version is None else await self._own_client_ids(connection, known.scope)
        difference = self._difference_from(known, draft, version, role)
        return await self._apply(known, difference, version, own)

    async def apply_patch(
        self, record_id: UUID, patch: Patch, version: Vector | None = None, *, deleted: bool = False
    ) -> Made:
        """Write a patch in the model's own shape; with `deleted` also to a deleted record.

        Raises VersionUnknown, VersionStale.
        """
        async with self.reading() as connection:
            known = await self.known(connection, record_id, deleted=deleted)
            role = await self._role(connection, known.scope)
            own = [] if version is None else await self._own_client_ids(connection, known.scope)
        if version is not None and not known.document.covers(version):
            raise VersionUnknown
        difference = DraftPatch(patch)
        self._check(difference, role, known.record)
        return await self._apply(known, difference, version, own)

    async def apply_together(self, patches: Mapping[UUID, Patch]) -> list[KnownRecord]:
        """Write patches to records of this writer's one scope in one transaction; one that is not there is made.

        Deleted ones are written to as well. Gives the records as they are now, in the order of the patches.
        """
        [scope] = self.scopes
        async with self.reading() as connection:
            role = await self._role(connection, scope)
            found = [await self.find(connection, record_id) for record_id in patches]
        for known, patch in zip(found, patches.values(), strict=True):
            self._check(DraftPatch(patch), role, known.record if known else self.kind.collection.model())
        name = self.kind.collection.name
        asked = [Patched(str(record_id), patch) for record_id, patch in patches.items()]
        records = []
        for one, answer in zip(
            asked, await self._committer.write_all(self.caller.user_id, scope, name, asked), strict=True
        ):
            if isinstance(answer, ApiError):
                raise answer
            records.append(KnownRecord(self.kind.collection, scope, one.record_id, answer.merged.document))
        return records

    async def delete(self, record_id: UUID, version: Vector | None) -> Made:
        """Mark a record as deleted; its history stays, and it can be restored."""
        return await self.apply_patch(record_id, {"deleted": True}, version)

    async def restore(self, record_id: UUID) -> Made:
        """Bring a deleted record back; one that is not deleted stays as it is."""
        async with self.reading() as connection:
            known = await self.known(connection, record_id, deleted=True)
            role = await self._role(connection, known.scope)
        if known.record.deleted is not True:
            self._check(DraftPatch({"deleted": False}), role, known.record)
            return Made(known, "unchanged", {})
        return await self.apply_patch(record_id, {"deleted": False}, deleted=True)

    async def _apply(
        self, known: KnownRecord, difference: DraftPatch, version: Vector | None, own: Sequence[int]
    ) -> Made:
        patch = without_what_stands(difference.patch, known.fold.state)
        if not patch:
            return Made(known, "unchanged", {})
        self._refuse_days_ahead(DraftPatch(patch, difference.places))
        if version is not None:
            refuse_stale(known, patch, version, own, difference)
        await self._admit(known.scope, patch, known.fold.state)
        return Made(await self._write(known.scope, UUID(known.id), patch, version), "updated", patch)

    async def _admit(self, scope: str, patch: Patch, state: Mapping[str, Any]) -> None:
        """Look at what a record would become before it is written; a kind with rules of its own refuses here."""

    async def _write(self, scope: str, record_id: UUID, patch: Patch, version: Vector | None) -> KnownRecord:
        """Commit a checked patch; gives the record as it is now."""
        written = await self._committer.write(
            self.caller.user_id, scope, self.kind.collection.name, str(record_id), patch, expected_vector=version
        )
        return KnownRecord(self.kind.collection, scope, str(record_id), written.merged.document)

    def _difference_from(
        self, known: KnownRecord, draft: Mapping[str, Any], version: Vector | None, role: Role
    ) -> DraftPatch:
        if version is not None and not known.document.covers(version):
            raise VersionUnknown
        base = known.record if version is None else known.at(version)
        return self._difference(UUID(known.id), draft, base, role)

    def _difference(self, record_id: UUID, draft: Mapping[str, Any], base: Record, role: Role) -> DraftPatch:
        """Give the difference, held to types, bounds and writers; only who may write a field empties it by silence."""
        try:
            whole = self.kind.to_patch(str(record_id), draft, base)
        except InvalidDraft as error:
            raise invalid_fields(error) from error
        silent = {name for name in self.kind.collection.forbidden_fields(whole.patch, role) if name not in draft}
        patch = {name: value for name, value in whole.patch.items() if name not in silent}
        difference = DraftPatch(patch, whole.places)
        self._check(difference, role, base)
        return difference

    def _is_repeated(self, record_id: UUID, draft: Mapping[str, Any], version: Record, role: Role, more: Patch) -> bool:
        """Tell whether a version holds what a draft says, and the server added."""
        added = {name: getattr(version, name) for name in more if name not in draft}
        return not self._difference(record_id, {**added, **draft}, version, role).patch

    def _check(self, difference: DraftPatch, role: Role, base: Record) -> None:
        """Refuse what the caller may not write, or nobody may. Raises FieldForbidden, InvalidFields."""
        forbidden = self.kind.collection.forbidden_fields(difference.patch, role)
        if forbidden:
            raise FieldForbidden(forbidden, role)
        try:
            check_draft(self.kind.collection, difference)
        except InvalidDraft as error:
            raise invalid_fields(error) from error
        before = {name: value for name in base.__struct_fields__ if (value := getattr(base, name)) is not UNSET}
        missing = missing_day(self.kind.collection.name, difference.patch, before or None)
        if problems := [
            *impossible_days(self.kind.collection.model, difference.patch),
            *([missing] if missing else []),
        ]:
            raise InvalidFields([FieldError(difference.place(field), message) for field, message in problems])

    def _refuse_days_ahead(self, difference: DraftPatch) -> None:
        """Return where what was done was done by now. Raises InvalidFields."""
        if problems := days_ahead(self.kind.collection.name, difference.patch, wall_clock().date()):
            raise InvalidFields([FieldError(difference.place(field), message) for field, message in problems])

    async def _role(self, connection: Connection, scope: str) -> Role:
        noun = "athlete" if Scope.parse(scope).kind in {"athlete", "private"} else self.kind.noun
        access = await require_scope(connection, self.caller.user_id, scope, noun)
        if access == "athlete":
            return "athlete"
        if access == "coach":
            return "coach"
        raise FieldForbidden([self.kind.collection.name], access)

    async def find(self, connection: Connection, record_id: UUID) -> KnownRecord | None:
        """Read a record that may not be there, or be deleted."""
        try:
            return await self.known(connection, record_id, deleted=True)
        except NotFound:
            return None

    async def _own_client_ids(self, connection: Connection, scope: str) -> list[int]:
        rows = await connection.fetch(_queries.list_own_client_ids, Scope.parse(scope).id, self.caller.user_id)
        return [row["client_id"] for row in rows]


def days_ahead(collection: str, patch: Patch, today: date) -> list[FieldProblem]:
    """List the days and times of an edit that are too far ahead of today for what they tell.

    >>> days_ahead("check_ins", {"date": "2062-03-01"}, date(2026, 3, 1))
    [FieldProblem(field='date', message='Expected a day that was, at most 2026-04-01')]
    >>> days_ahead("check_ins", {"date": "2026-03-02"}, date(2026, 3, 1))
    []
    """
    latest = today + timedelta(days=DAYS_AHEAD_MAX)
    return [
        FieldProblem(name, f"Expected a day that was, at most {latest}")
        for name in DAYS_DONE.get(collection, ())
        if isinstance(said := patch.get(name), str) and (parse_date(said[:DAY_LENGTH]) or latest) > latest
    ]


def own_versions(known: KnownRecord, own: Container[int]) -> list[Vector]:
    """List the versions that a user's apps made through the server under these client ids, the latest first."""
    writes = sorted((write for write in known.document.writes() if write.client_id in own), key=_rank)
    return [version_after(write) for write in writes[-OWN_VERSIONS_MAX:][::-1]]


def version_after(write: StampedWrite) -> dict[int, int]:
    """Give what the author of a write had before them, once it was made."""
    return {**write.seen, write.client_id: write.clock + 1}


def without_what_stands(patch: Patch, state: Any) -> Patch:
    """Leave out what the record already holds; a value that is absent is as good as an empty one."""
    known = state if isinstance(state, dict) else {}
    left: Patch = {}
    for name, value in patch.items():
        if isinstance(value, dict):
            inner = without_what_stands(value, known.get(name))
            if inner:
                left[name] = inner
        elif not is_same(known.get(name), value):
            left[name] = value
    return left


def newer_leaves(known: KnownRecord, patch: Patch, version: Vector, edited_at_us: int) -> tuple[Path, ...]:
    """List the leaves of a patch that others have written since a version, and later than it was edited."""
    newer = {
        path
        for write in known.document.writes()
        if write.clock >= version.get(write.client_id, 0) and write.hlc > edited_at_us
        for path in leaf_paths(write.patch)
    }
    return tuple(sorted(newer.intersection(leaf_paths(without_what_stands(patch, known.fold.state)))))


def without_leaves(patch: Patch, paths: Container[Path], above: Path = ()) -> Patch:
    """Leave leaves out of a patch."""
    left: Patch = {}
    for name, value in patch.items():
        here = (*above, name)
        if isinstance(value, dict):
            if inner := without_leaves(value, paths, here):
                left[name] = inner
        elif here not in paths:
            left[name] = value
    return left


def is_same(one: Any, other: Any) -> bool:
    """Compare as JSON does: true is no 1, and 100 is 100.0."""
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def invalid_fields(error: InvalidDraft) -> InvalidFields:
    """Say it in the words of the API."""
    return InvalidFields([FieldError(problem.field, problem.message) for problem in error.problems])


def refuse_stale(known: KnownRecord, patch: Patch, version: Vector, own: Sequence[int], difference: DraftPatch) -> None:
    """Raise VersionStale where the user's own later writes would be overwritten without a trace."""
    later = {
        path
        for write in known.document.writes()
        if write.client_id in own and write.clock >= version.get(write.client_id, 0)
        for path in leaf_paths(write.patch)
    }
    fields = sorted(difference.place(".".join(path)) for path in later.intersection(leaf_paths(patch)))
    if fields:
        raise VersionStale(fields)


def leaf_paths(patch: Patch, above: Path = ()) -> list[Path]:
    """List the leaves of a patch."""
    paths: list[Path] = []
    for name, value in patch.items():
        here = (*above, name)
        paths += leaf_paths(value, here) if isinstance(value, dict) and value else [here]
    return paths


def _rank(write: StampedWrite) -> tuple[int, int, int, int]:
    return write.rank
