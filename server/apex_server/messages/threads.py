"""The threads of one caller: who is at the other end, what was said last, and what was not read."""

from collections.abc import Mapping, Sequence, Set
from typing import Any
from uuid import UUID

import msgspec

from apex_server.db import Connection, load_queries
from apex_server.errors import NotFound
from apex_server.messages.payloads import MessageMark, MessageView, ThreadView, UnreadCounts
from apex_server.people import USER_NAME
from apex_server.resources import (
    KnownRecord,
    RecordKind,
    RecordWriter,
    encrypted_threads,
    read_records,
    thread_filings,
)
from apex_server.sync.commit import Patched
from apex_sync.coaching.drafts import DraftPatch, changed_leaves
from apex_sync.coaching.leaves import shown
from apex_sync.coaching.message_view import CONTENT, sent_messages
from apex_sync.collection import Record
from apex_sync.ids import Scope, private_scope, thread_scope
from apex_sync.models import CLIENT_FILES, MESSAGES
from apex_sync.models.client_file import ThreadFiling, client_file_id
from apex_sync.models.message import Part, Side
from apex_sync.op import Patch

__all__ = ["MESSAGE_KIND", "Threads"]

Place = tuple[UUID, UUID]
"""The id of a scope and of a record in it."""

_queries = load_queries(__package__)


def message_patch(record_id: str, draft: Mapping[str, Any], base: Record) -> DraftPatch:
    """Give what makes a message of what was sent; sent again, it is the same message and was sent when it was."""
    side: Side = draft["side"]
    part = getattr(base, side) or Part()
    changes = changed_leaves({name: shown(getattr(part, name)) for name in CONTENT}, draft, CONTENT)
    if not part.sent_at:
        changes["sent_at"] = draft["sent_at"]
    return DraftPatch({side: changes} if changes else {})


MESSAGE_KIND = RecordKind(MESSAGES, "message", message_patch)


class Threads(RecordWriter):
    """Reads threads and writes messages for an athlete or a coach."""

    @property
    def side(self) -> Side:
        """Which of the two the caller is, in every thread of theirs."""
        return "coach" if self.caller.role == "coach" else "athlete"

    async def scope_of(self, connection: Connection, thread_id: UUID) -> str:
        """Name the scope of a thread, which nobody may have written to yet. Raises NotFound."""
        for pair in await connection.fetch(_queries.list_pairs, self.caller.user_id):
            scope = thread_scope(str(pair["coach_id"]), str(pair["athlete_id"]))
            if Scope.parse(scope).id == thread_id:
                return scope
        raise NotFound("thread")

    async def all(self, connection: Connection, scope: str | None = None) -> list[ThreadView]:
        """Read the caller's threads, or one of them: pinned first, then by the newest message, archived last."""
        one = Scope.parse(scope) if scope else None
        pair = (None, None) if one is None else (UUID(one.owner_id), UUID(one.about_id))
        rows = await connection.fetch(_queries.list_threads, self.caller.user_id, *pair)
        names = await self.database.vault.texts(
            connection,
            USER_NAME,
            [(row["athlete_id"] if self.side == "coach" else row["coach_id"], row["name"]) for row in rows],
        )
        newest = await self._newest(connection, rows)
        filings = await self._filings(connection, rows)
        pairs = [(row["coach_id"], row["athlete_id"]) for row in rows]
        encrypted = await encrypted_threads(connection, self.database.vault, pairs)
        views = [self._view(row, name, newest, filings, encrypted) for row, name in zip(rows, names, strict=True)]
        views.sort(key=lambda view: _sent_at(view), reverse=True)
        return sorted(views, key=lambda view: (view.archived, not view.pinned))

    async def page(
        self, connection: Connection, scope: str, mark: MessageMark | None, limit: int
    ) -> tuple[list[MessageView], str | None]:
        """Read a page of a thread, the newest first, and the mark of the next."""
        scope_id = Scope.parse(scope).id
        rows = await connection.fetch(_queries.list_messages, scope_id, *MessageMark.key(mark), limit + 1)
        views = await self._views(connection, [(scope_id, row["record_id"]) for row in rows[:limit]])
        page = [view for row in rows[:limit] if (view := views.get((row["record_id"], row["sender"])))]
        more = len(rows) > limit
        return page, MessageMark.of(tuple(rows[limit - 1])).encode() if more else None

    async def mark_read(self, record_ids: Sequence[UUID], read_at: str) -> None:
        """Mark messages as read; the caller's own, and what was read before, stay as they are."""
        async with self.reading() as connection:
            rows = await connection.fetch(_queries.list_unread, record_ids, self.side)
        patch: Patch = {self.side: {"read_at": read_at}}
        by_scope: dict[str, list[Patched]] = {}
        for row in rows:
            by_scope.setdefault(row["scope"], []).append(Patched(str(row["record_id"]), patch))
        for scope, patched in by_scope.items():
            for answer in await self._committer.write_all(self.caller.user_id, scope, MESSAGES.name, patched):
                if isinstance(answer, Exception):
                    raise answer

    async def file(self, scope: str, filing: Patch) -> None:
        """File a thread, as its coach."""
        coach, athlete = Scope.parse(scope)[1:]
        place, file_id = private_scope(coach, athlete), client_file_id(coach, athlete)
        patch: Patch = {"thread": filing, "deleted": False}
        await self._committer.write(self.caller.user_id, place, CLIENT_FILES.name, file_id, patch)

    async def unread(self, connection: Connection) -> int:
        """Count what the caller has not read."""
        count: int = await connection.fetchval(_queries.count_unread, self.side)
        return count

    async def _newest(self, connection: Connection, rows: Sequence[Any]) -> dict[tuple[UUID, str], MessageView]:
        return await self._views(connection, [(row["scope_id"], row["record_id"]) for row in rows if row["record_id"]])

    async def _views(self, connection: Connection, places: Sequence[Place]) -> dict[tuple[UUID, str], MessageView]:
        found = await read_records(connection, self.database.vault, MESSAGES, dict.fromkeys(places))
        return {(UUID(view.id), view.sender): view for view in await self.shown(connection, found)}

    async def shown(self, connection: Connection, found: Sequence[KnownRecord]) -> list[MessageView]:
        """Show what is said in records, with the names of who says it."""
        people = {person for known in found for person in people_of(known.scope)}
        rows = await connection.fetch(_queries.list_names, list(people)) if people else []
        ids = [row["id"] for row in rows]
        names = await self.database.vault.texts(connection, USER_NAME, [(row["id"], row["name"]) for row in rows])
        by_id = dict(zip(ids, names, strict=True))
        return [view for known in found for view in views_of(known, by_id)]

    async def is_encrypted(self, connection: Connection, scope: str) -> bool:
        """Tell whether a thread is encrypted."""
        _, coach, athlete = Scope.parse(scope)
        return bool(await encrypted_threads(connection, self.database.vault, [(UUID(coach), UUID(athlete))]))

    async def _filings(self, connection: Connection, rows: Sequence[Any]) -> Mapping[str, ThreadFiling]:
        """Read how the coach has filed each thread, by the athlete; an athlete is shown nothing of it."""
        if self.side != "coach":
            return {}
        athlete_ids = [row["athlete_id"] for row in rows]
        return await thread_filings(connection, self.database.vault, self.caller.user_id, athlete_ids)

    def _view(
        self,
        row: Any,
        name: str,
        newest: Mapping[tuple[UUID, str], MessageView],
        filings: Mapping[str, ThreadFiling],
        encrypted: Set[UUID],
    ) -> ThreadView:
        coach_id, athlete_id = row["coach_id"], row["athlete_id"]
        filing = filings.get(str(athlete_id), ThreadFiling())
        thread_id = Scope.parse(thread_scope(str(coach_id), str(athlete_id))).id
        return ThreadView(
            id=thread_id,
            coach_id=coach_id,
            athlete_id=athlete_id,
            name=name,
            unread=UnreadCounts(row["for_coach"], row["for_athlete"]),
            last_message=newest.get((row["record_id"], row["sender"])),
            pinned=filing.pinned is True,
            archived=filing.archived is True,
            tags=filing.tags or [],
            encrypted=thread_id in encrypted,
            created_at=row["since"],
        )


def people_of(scope: str) -> tuple[UUID, UUID]:
    """Give the coach and the athlete of a thread."""
    _, coach, athlete = Scope.parse(scope)
    return UUID(coach), UUID(athlete)


def views_of(known: KnownRecord, names: Mapping[UUID, str]) -> list[MessageView]:
    """Show what is said in a record."""
    coach, athlete = people_of(known.scope)
    views = []
    for said in sent_messages(known.id, known.record):
        sender, recipient = (coach, athlete) if said.sender == "coach" else (athlete, coach)
        views.append(
            MessageView(
                **msgspec.structs.asdict(said),
                thread_id=Scope.parse(known.scope).id,
                sender_id=sender,
                sender_name=names.get(sender, ""),
                recipient_id=recipient,
                updated_at=known.updated_at,
                needs_review=bool(known.problems),
            )
        )
    return views


def _sent_at(view: ThreadView) -> str:
    return (view.last_message.sent_at if view.last_message else None) or ""
