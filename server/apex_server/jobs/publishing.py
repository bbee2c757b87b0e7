"""Carries what a coach has decided on an insight to the athlete: the one way in which analysis reaches an athlete.

A coach decides by the leaf `status` of the insight, over REST or on any device. Approved, its text is written by the
system: for a check-in into the check-in itself, for training as a published insight. A later edit is carried as well,
and taking the approval back takes the text away. Doing it twice changes nothing.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from msgspec import UNSET

from apex_server.db import Database, load_queries
from apex_server.errors import Conflict, InvalidFields, NotFound
from apex_server.jobs.drafts import local_time
from apex_server.jobs.reading import read_typed
from apex_server.sync.commit import Committer
from apex_server.sync.sealing import open_documents
from apex_server.sync.store import DAMAGED
from apex_sync.collection import Record
from apex_sync.ids import Scope, athlete_scope, derived_id
from apex_sync.op import Patch

__all__ = ["Publisher"]

_log = structlog.get_logger(__name__)
_queries = load_queries(__package__)


class Publisher:
    """Carries decisions; `now` is the wall clock, with a zone."""

    def __init__(self, database: Database, committer: Committer, *, now: Callable[[], datetime]) -> None:
        self._database = database
        self._committer = committer
        self._now = now

    async def deliver_all(self, scopes: list[str] | None = None) -> None:
        """Carry every decision that is not carried yet, in these scopes or in all."""
        asked = None if scopes is None else [Scope.parse(scope).id for scope in scopes]
        async with self._database.commit_connection() as connection:
            rows = await connection.fetch(_queries.list_undelivered, asked)
        for row in rows:
            await self.deliver(row["scope"], str(row["record_id"]))

    async def deliver(self, scope: str, insight_id: str) -> None:
        """Carry the decision on one insight, if it is one to carry.

        Raises DatabaseUnavailable, ServerBusy: then it is carried later.
        """
        place = Scope.parse(scope)
        async with self._database.commit_connection() as connection:
            row = await connection.fetchrow(_queries.get_document, place.id, UUID(insight_id))
            published = await connection.fetchrow(_queries.get_published, place.id, UUID(insight_id))
            linked = await connection.fetchval(_queries.is_linked, UUID(place.owner_id), UUID(place.about_id))
            if row is None or row["collection"] != "insights" or not linked:
                return
            [doc] = await open_documents(connection, self._database.vault, [row], scope)
        if doc == DAMAGED:
            return  # A device or a backup brings it back, with a seq that makes it be carried.
        insight: Any = read_typed("insights", doc)
        shown = may_show(insight)
        if shown or (published is not None and published["text_shown"]):
            try:
                shown = await self._show(athlete_scope(place.about_id), insight_id, insight, shown=shown)
            except (Conflict, InvalidFields, NotFound) as error:
                # A device wrote what no text may be, or the athlete's record takes no more; the others must go on.
                _log.warning("insight_not_carried", insight_id=insight_id, reason=str(error))
                shown = False
        async with self._database.commit_connection() as connection:
            await connection.execute(_queries.set_published, place.id, UUID(insight_id), row["seq"], shown, self._now())

    async def _show(self, scope: str, insight_id: str, insight: Any, *, shown: bool) -> bool:
        """Write the text to the athlete's record, or take it away; tell whether it can be read there now."""
        if insight.kind == "check_in":
            return await self._write_check_in(scope, insight, shown=shown)
        patch = published_insight(insight_id, insight, local_time(self._now())) if shown else {"deleted": True}
        await self._write(scope, "published_insights", derived_id("published", insight_id), patch)
        return shown

    async def _write_check_in(self, scope: str, insight: Any, *, shown: bool) -> bool:
        check_in: Any = await self._read(scope, "check_ins", insight.about_id)
        if check_in is None or check_in.deleted is True:
            return False
        text = check_in_text(insight)
        if not shown and any(differs(getattr(check_in, name), value) for name, value in text.items()):
            return False  # Another approved insight has taken its place.
        patch = text if shown else dict.fromkeys(text)
        await self._write(scope, "check_ins", insight.about_id, patch)
        return shown

    async def _write(self, scope: str, collection: str, record_id: str, patch: Patch) -> None:
        """Write the leaves that differ from what stands there."""
        standing = await self._read(scope, collection, record_id)
        changed = {name: value for name, value in patch.items() if differs(getattr(standing, name, UNSET), value)}
        if changed.keys() - {"published_at"}:
            await self._committer.write(None, scope, collection, record_id, changed)
            _log.info("insight_carried", collection=collection, record_id=record_id)

    async def _read(self, scope: str, collection: str, record_id: str) -> Record | None:
        async with self._database.commit_connection() as connection:
            row = await connection.fetchrow(_queries.get_document, Scope.parse(scope).id, UUID(record_id))
            if row is None or row["collection"] != collection:
                return None
            [doc] = await open_documents(connection, self._database.vault, [row], scope)
        if doc == DAMAGED:
            raise NotFound("record")
        return read_typed(collection, doc)


def may_show(insight: Any) -> bool:
    """Tell whether an athlete may read it: the coach approved it, and later data has not falsified it since.

    Who it is about and what kind it is only the system can have written.
    """
    return (
        insight.status == "approved"
        and insight.deleted is not True
        and not insight.superseded_by
        and (insight.kind == "training" or (insight.kind == "check_in" and bool(insight.about_id)))
    )


def check_in_text(insight: Any) -> Patch:
    """Give the leaves of a check-in that hold the approved analysis."""
    return {
        "ai_summary": insight.summary or "",
        "ai_recommendations": insight.recommendations or [],
        "ai_flags": plain_flags(insight),
    }


def published_insight(insight_id: str, insight: Any, at: str) -> Patch:
    """Give the record that an athlete reads of an insight on training."""
    return {
        "source_id": insight_id,
        "type": insight.type,
        "title": insight.title or "",
        "summary": insight.summary or "",
        "recommendations": insight.recommendations or [],
        "flags": plain_flags(insight),
        "published_at": at,
        "deleted": False,
    }


def plain_flags(insight: Any) -> list[dict[str, str]]:
    """Give flags as a patch holds them."""
    return [{"type": flag.type, "message": flag.message} for flag in insight.flags or ()]


def differs(standing: Any, value: Any) -> bool:
    """Tell whether a leaf has to be written; one that was never written need not be emptied."""
    if standing is UNSET:
        return value is not None and value is not False
    if isinstance(standing, list) and isinstance(value, list) and standing and not isinstance(standing[0], str):
        return [{"type": flag.type, "message": flag.message} for flag in standing] != value
    return bool(standing != value)
