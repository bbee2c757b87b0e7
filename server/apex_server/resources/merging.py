"""Merging many whole records at once: what apps without the SDK logged offline and send as often as it takes.

Each draft is compared with the version it names, else with that of its author's own earlier ones from which it differs
least: so what is sent once more changes nothing, whatever others wrote meanwhile. Drafts are read and written by the
hundred; each is judged alone.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from apex_server.db import Connection, load_queries
from apex_server.errors import ApiError
from apex_server.resources.errors import AlreadyExists
from apex_server.resources.reading import KnownRecord, known_record
from apex_server.resources.writing import (
    Made,
    RecordWriter,
    leaf_paths,
    newer_leaves,
    own_versions,
    refuse_stale,
    without_leaves,
    without_what_stands,
)
from apex_server.sync.commit import Patched, Written
from apex_server.sync.errors import RecordDamaged
from apex_server.sync.sealing import open_documents
from apex_server.sync.store import DAMAGED
from apex_sync.coaching.drafts import DraftPatch
from apex_sync.collection import Role
from apex_sync.fold import Path
from apex_sync.ids import Scope
from apex_sync.op import Patch, Vector

__all__ = ["Draft", "RecordMerger"]

TOGETHER_MAX = 100
"""Drafts compared without a pause: about 50 ms."""

_queries = load_queries(__package__)


class Draft(NamedTuple):
    """A whole record as an app holds it.

    `version` is the one it had before, `edited_at_us` when it changed it last: values that others wrote later than that
    are kept. `more` are leaves that the server adds to a new record.
    """

    scope: str
    record_id: UUID
    content: Mapping[str, Any]
    version: Vector | None = None
    edited_at_us: int | None = None
    more: Mapping[str, Any] = {}
    deleted: bool = False


class _Plan(NamedTuple):
    """What is to be written for a draft; an empty patch is nothing."""

    known: KnownRecord | None
    patch: Patch
    version: Vector | None
    kept_newer: tuple[Path, ...] = ()


class _Seen(NamedTuple):
    """What a comparison needs of the database: the caller's access and own client ids by scope, and the records."""

    roles: Mapping[str, Role | ApiError]
    own: Mapping[str, list[int]]
    known: Mapping[tuple[str, UUID], KnownRecord | RecordDamaged]


class RecordMerger(RecordWriter):
    """Merges drafts of records of one kind for one caller."""

    async def merge_all(self, drafts: Sequence[Draft]) -> list[Made | ApiError]:
        """Create the records, or bring in what the caller changed; the answers are in the order of the drafts.

        An answer is AlreadyExists where the record was never written by the caller and no version was named,
        VersionUnknown, VersionStale, NotFound, FieldForbidden, InvalidFields or RecordDamaged. Raises
        DatabaseUnavailable.
        """
        answers: dict[int, Made | ApiError] = {}
        for places in groups_of_different(drafts):
            answers |= zip(places, await self._merge([drafts[place] for place in places]), strict=True)
        return [answers[place] for place in range(len(drafts))]

    async def _merge(self, drafts: Sequence[Draft]) -> list[Made | ApiError]:
        async with self.reading() as connection:
            seen = await self._look(connection, drafts)
        plans = [self._plan_or_error(draft, seen) for draft in drafts]
        answers: dict[int, Made | ApiError] = {}
        writes: dict[str, dict[int, _Plan]] = {}
        for place, (draft, plan) in enumerate(zip(drafts, plans, strict=True)):
            if isinstance(plan, ApiError):
                answers[place] = plan
            elif plan.known is not None and not plan.patch:
                answers[place] = Made(plan.known, "unchanged", {}, plan.kept_newer)
            else:
                writes.setdefault(draft.scope, {})[place] = plan
        for scope, planned in writes.items():
            answers |= await self._write_all(scope, drafts, planned)
        return [answers[place] for place in range(len(drafts))]

    async def _write_all(
        self, scope: str, drafts: Sequence[Draft], planned: Mapping[int, _Plan]
    ) -> dict[int, Made | ApiError]:
        patched = [Patched(str(drafts[place].record_id), plan.patch, plan.version) for place, plan in planned.items()]
        written = await self._committer.write_all(self.caller.user_id, scope, self.kind.collection.name, patched)
        return {
            place: self._answer(drafts[place], plan, answer)
            for (place, plan), answer in zip(planned.items(), written, strict=True)
        }

    def _answer(self, draft: Draft, plan: _Plan, written: Written | ApiError) -> Made | ApiError:
        if isinstance(written, ApiError):
            return written
        known = KnownRecord(self.kind.collection, draft.scope, str(draft.record_id), written.merged.document)
        return Made(known, "created" if plan.known is None else "updated", plan.patch, plan.kept_newer)

    async def _look(self, connection: Connection, drafts: Sequence[Draft]) -> _Seen:
        rows = await connection.fetch(
            _queries.get_records_by_id,
            self.kind.collection.name,
            [Scope.parse(draft.scope).id for draft in drafts],
            [draft.record_id for draft in drafts],
        )
        docs = await open_documents(connection, self.database.vault, rows)
        found = {
            (row["scope"], row["record_id"]): known_record(self.kind.collection, row, doc)
            if doc != DAMAGED
            else RecordDamaged()
            for row, doc in zip(rows, docs, strict=True)
        }
        roles: dict[str, Role | ApiError] = {}
        own: dict[str, list[int]] = {}
        for scope in {draft.scope for draft in drafts}:
            try:
                roles[scope] = await self._role(connection, scope)
            except ApiError as error:
                roles[scope] = error
            own[scope] = await self._own_client_ids(connection, scope)
        return _Seen(roles, own, found)

    def _plan_or_error(self, draft: Draft, seen: _Seen) -> "_Plan | ApiError":
        role = seen.roles[draft.scope]
        if isinstance(role, ApiError):
            return role
        try:
            known = seen.known.get((draft.scope, draft.record_id))
            return known if isinstance(known, RecordDamaged) else self._plan(draft, role, seen.own[draft.scope], known)
        except ApiError as error:
            return error

    def _plan(self, draft: Draft, role: Role, own: Sequence[int], known: KnownRecord | None) -> _Plan:
        if known is None:
            difference = self._difference(draft.record_id, draft.content, self.kind.collection.model(), role)
            gone = {"deleted": True} if draft.deleted else {}
            return _Plan(None, {**draft.more, **difference.patch, **gone}, None)
        version = self._version_of(draft, role, own, known)
        if draft.deleted:
            difference = DraftPatch({"deleted": True})
            self._check(difference, role, known.record)
        else:
            difference = self._difference_from(known, draft.content, version, role)
        newer: tuple[Path, ...] = ()
        if draft.edited_at_us is not None:
            newer = newer_leaves(known, difference.patch, version, draft.edited_at_us)
        patch = without_what_stands(without_leaves(difference.patch, newer), known.fold.state)
        refuse_stale(known, patch, version, own, difference)
        return _Plan(known, patch, version, newer)

    def _version_of(self, draft: Draft, role: Role, own: Sequence[int], known: KnownRecord) -> Vector:
        """Give the version that a draft builds on. Raises AlreadyExists where that cannot be known."""
        versions = own_versions(known, own)
        if draft.version is None and not versions:
            raise AlreadyExists(known.id)
        if draft.version is not None:
            return draft.version
        if draft.deleted or len(versions) == 1:
            return versions[0]
        return min(versions, key=lambda version: self._distance(draft, known, version, role))

    def _distance(self, draft: Draft, known: KnownRecord, version: Vector, role: Role) -> int:
        """Count the leaves in which a draft differs from a version."""
        return len(leaf_paths(self._difference(draft.record_id, draft.content, known.at(version), role).patch))


def groups_of_different(drafts: Sequence[Draft]) -> Iterator[list[int]]:
    """Cut drafts into groups of bounded size in which no record occurs twice, in their order."""
    places: list[int] = []
    ids: set[UUID] = set()
    for place, draft in enumerate(drafts):
        if draft.record_id in ids or len(places) >= TOGETHER_MAX:
            yield places
            places, ids = [], set()
        places.append(place)
        ids.add(draft.record_id)
    if places:
        yield places
