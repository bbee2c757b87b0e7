"""Messages, `/api/messages`: what a coach and an athlete write to each other, while they work together.

The two alone read it: no other coach of the athlete, no owner, and no support. What is sent, read or taken back here
becomes ops on the records that their devices hold, so it reaches them like anything else.
"""

from datetime import UTC, datetime
from uuid import UUID

import msgspec
from litestar import Controller, Response, delete, get, patch, post, put
from litestar.di import NamedDependency, Provide
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, JSONBody
from msgspec import UNSET

from apex_server.caller import Caller, require_role
from apex_server.clock import wall_clock
from apex_server.db import Connection, Database, load_queries
from apex_server.errors import InvalidFields, NotFound, RoleRequired, ThreadEncrypted
from apex_server.messages.payloads import (
    Filing,
    MessageMark,
    MessagesPage,
    MessageView,
    NewMessage,
    Reactions,
    ReadRequest,
    ThreadsView,
    ThreadView,
    UnreadView,
)
from apex_server.messages.threads import MESSAGE_KIND, Threads
from apex_server.problems import problem_responses
from apex_server.resources import AlreadyExists, KnownRecord
from apex_server.resources.pages import PAGE_LENGTH_DEFAULT
from apex_server.resources.requests import READ_REFUSALS, WRITE_REFUSALS, After, IdempotencyKey, Limit, new_record_id
from apex_server.sync.commit import Committer
from apex_server.sync.errors import FieldForbidden
from apex_sync.coaching.message_view import (
    instant_after,
    instant_text,
    other_side,
    reactions_patch,
    send_patch,
    take_back_patch,
)
from apex_sync.ids import Scope
from apex_sync.models.message import Part, missing_of, sides_of

__all__ = ["MessagesController", "provide_threads"]

_READ = (*READ_REFUSALS, RoleRequired)
_WRITE = (*WRITE_REFUSALS, RoleRequired)

BODY_BYTES_MAX = 64 * 1024
"""A text of 10,000 characters of four bytes each, and all around it."""

_queries = load_queries(__package__)


def provide_threads(
    caller: NamedDependency[Caller], database: NamedDependency[Database], committer: NamedDependency[Committer]
) -> Threads:
    """Give the caller's threads. Raises RoleRequired."""
    require_role(caller, "athlete", "coach")
    return Threads(MESSAGE_KIND, database, committer, caller)


class MessagesController(Controller):
    """What the caller and others write to each other."""

    path = "/api/messages"
    tags = ("messages",)
    request_max_body_size = BODY_BYTES_MAX
    dependencies = {"threads": Provide(provide_threads, sync_to_thread=False)}  # noqa: RUF012 - as Litestar has it.

    @get("/threads", responses=problem_responses(*_READ))
    async def list_threads(self, threads: NamedDependency[Threads]) -> ThreadsView:
        """List your threads, one with each person you work with, whether or not anything was written."""
        async with threads.reading() as connection:
            return ThreadsView(await threads.all(connection))

    @get("/threads/{thread_id:uuid}", responses=problem_responses(*_READ))
    async def list_messages(
        self,
        threads: NamedDependency[Threads],
        thread_id: FromPath[UUID],
        limit: Limit = PAGE_LENGTH_DEFAULT,
        after: After = None,
    ) -> MessagesPage:
        """List the messages of one thread, the newest first. Reading the list marks nothing as read."""
        mark = MessageMark.decode(after)
        async with threads.reading() as connection:
            scope = await threads.scope_of(connection, thread_id)
            return MessagesPage(*await threads.page(connection, scope, mark, limit))

    @patch("/threads/{thread_id:uuid}", responses=problem_responses(*_WRITE))
    async def file_thread(
        self, threads: NamedDependency[Threads], thread_id: FromPath[UUID], data: JSONBody[Filing]
    ) -> ThreadView:
        """Pin, archive or tag a thread, as its coach; the athlete sees nothing of it."""
        require_role(threads.caller, "coach")
        async with threads.reading() as connection:
            scope = await threads.scope_of(connection, thread_id)
        filing = {name: value for name, value in msgspec.structs.asdict(data).items() if value is not UNSET}
        if filing:
            await threads.file(scope, filing)
        async with threads.reading() as connection:
            [view] = await threads.all(connection, scope)
        return view

    @post(
        responses=problem_responses(*_WRITE, AlreadyExists, ThreadEncrypted)
        | {200: ResponseSpec(MessageView, generate_examples=False, description="It was sent before.")}
    )
    async def send_message(
        self,
        threads: NamedDependency[Threads],
        data: JSONBody[NewMessage],
        idempotency_key: IdempotencyKey = None,
    ) -> Response[MessageView]:
        """Send a message: 201, or 200 when the same was sent before under the same id or Idempotency-Key."""
        content = msgspec.to_builtins(data)
        async with threads.reading() as connection:
            scope = await threads.scope_of(connection, data.thread_id)
            if await threads.is_encrypted(connection, scope):
                raise ThreadEncrypted
            sent_at = await sending_time(connection, scope, data.reply_to)
        part = msgspec.convert(send_patch(threads.side, content, sent_at)[threads.side], Part)
        if missing := missing_of(part):
            raise InvalidFields.one(missing, f"Expected, as the type is {data.type}")
        record_id = new_record_id(idempotency_key, threads.caller, "message", content.get("id"))
        made = await threads.create(scope, record_id, {**content, "side": threads.side, "sent_at": sent_at})
        async with threads.reading() as connection:
            sent = await own_view(threads, connection, made.known)
        return Response(sent, status_code=201 if made.outcome == "created" else 200)

    @put("/read", responses=problem_responses(*_WRITE))
    async def read_messages(self, threads: NamedDependency[Threads], data: JSONBody[ReadRequest]) -> UnreadView:
        """Mark the messages that were shown as read; ids of anything else are passed over."""
        await threads.mark_read(data.ids, instant_text(wall_clock()))
        async with threads.reading() as connection:
            return UnreadView(await threads.unread(connection))

    @put("/{message_id:uuid}/read", responses=problem_responses(*_WRITE))
    async def read_message(self, threads: NamedDependency[Threads], message_id: FromPath[UUID]) -> MessageView:
        """Mark one message as read, so that its sender knows."""
        async with threads.reading() as connection:
            await threads.known(connection, message_id)
        await threads.mark_read([message_id], instant_text(wall_clock()))
        async with threads.reading() as connection:
            return await own_view(threads, connection, await threads.known(connection, message_id))

    @put("/{message_id:uuid}/reactions", responses=problem_responses(*_WRITE))
    async def react_to_message(
        self, threads: NamedDependency[Threads], message_id: FromPath[UUID], data: JSONBody[Reactions]
    ) -> MessageView:
        """Put these emojis under a message and take your others away."""
        async with threads.reading() as connection:
            known = await threads.known(connection, message_id)
        made = await threads.apply_patch(message_id, reactions_patch(threads.side, known.record, data.emojis))
        async with threads.reading() as connection:
            return await own_view(threads, connection, made.known)

    @delete("/{message_id:uuid}", responses=problem_responses(*_WRITE))
    async def delete_message(self, threads: NamedDependency[Threads], message_id: FromPath[UUID]) -> None:
        """Take back what you said, on every device; that something was taken back stays."""
        async with threads.reading() as connection:
            known = await threads.known(connection, message_id)
        if threads.side not in sides_of(known.record):
            raise FieldForbidden([other_side(threads.side)], threads.side)
        await threads.apply_patch(message_id, take_back_patch(threads.side, known.record))

    @get("/unread", responses=problem_responses(*_READ))
    async def count_unread(self, threads: NamedDependency[Threads]) -> UnreadView:
        """Count the messages of others that you have not read."""
        async with threads.reading() as connection:
            return UnreadView(await threads.unread(connection))


async def sending_time(connection: Connection, scope: str, reply_to: UUID | None) -> str:
    """Say when a message is sent. Raises InvalidFields where it answers what is not in its thread."""
    scope_id = Scope.parse(scope).id
    if reply_to is not None and not await connection.fetchval(_queries.has_message, scope_id, reply_to):
        raise InvalidFields.one("reply_to", "Expected a message of this thread")
    newest: datetime | None = await connection.fetchval(_queries.newest_of_thread, scope_id)
    return instant_after(wall_clock(), None if newest is None else instant_text(newest.replace(tzinfo=UTC)))


async def own_view(threads: Threads, connection: Connection, known: KnownRecord) -> MessageView:
    """Show a message; where both sides speak in it, the caller's. Raises NotFound where neither does."""
    views = await threads.shown(connection, [known])
    if not views:
        raise NotFound("message")
    return next((view for view in views if view.sender == threads.side), views[0])
