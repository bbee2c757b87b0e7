"""What the endpoints of messages take and give, beside the view that `apex_sync.coaching.message_view` makes."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from msgspec import UNSET, Meta, Struct, UnsetType

from apex_server.media.payloads import MEDIA_ID_PATTERN
from apex_server.resources.pages import PAGE_LENGTH_MAX, Mark
from apex_sync.coaching.message_view import SentMessage
from apex_sync.models.fields import Name, Ref
from apex_sync.models.media import ContentType
from apex_sync.models.message import REACTIONS_MAX, Emoji, MessageText, MessageType

__all__ = [
    "Filing",
    "MessageMark",
    "MessageView",
    "MessagesPage",
    "NewMessage",
    "NewMessageMedia",
    "Reactions",
    "ReadRequest",
    "ThreadView",
    "ThreadsView",
    "UnreadView",
]

TAGS_MAX = 50
"""Of one thread; they are shown beside it."""


class MessageMark(Mark, array_like=True, frozen=True):
    """Where a page of messages ended."""

    sent_at: datetime
    id: UUID
    sender: str


class NewMessage(Struct, forbid_unknown_fields=True, kw_only=True):
    """Something to say; `text` or `media_id`, as its type asks for."""

    thread_id: UUID
    id: Annotated[UUID, Meta(description="Made on the device: sent twice, it is one message.")] | UnsetType = UNSET
    type: MessageType = "text"
    text: MessageText | None = None
    media_id: Ref | None = None
    thumbnail_media_id: Ref | None = None
    file_name: Name | None = None
    duration_seconds: Annotated[float, Meta(ge=0, le=6 * 3600)] | None = None
    reply_to: Annotated[UUID, Meta(description="A message of the same thread.")] | None = None


class NewMessageMedia(Struct, forbid_unknown_fields=True, kw_only=True):
    """Bytes that a message of a thread is to carry."""

    thread_id: UUID
    media_id: Annotated[str, Meta(pattern=MEDIA_ID_PATTERN)]
    """SHA-256 of the bytes, in hexadecimal."""
    size_bytes: Annotated[int, Meta(ge=1, examples=[2_345_678])]
    content_type: Annotated[ContentType, Meta(examples=["audio/mp4"])]


class MessageView(SentMessage, kw_only=True, frozen=True):
    """One message; what was taken back is empty and `deleted`."""

    thread_id: UUID
    sender_id: UUID
    sender_name: str
    recipient_id: UUID
    updated_at: datetime | None
    """When it was last changed: read, reacted to or taken back."""
    needs_review: Annotated[bool, Meta(description="It breaks a bound, or somebody made both sides speak in it.")]


class MessagesPage(Struct):
    """Messages of one thread, the newest first; `next` goes into `after` for the page that follows."""

    messages: list[MessageView]
    next: str | None


class UnreadCounts(Struct):
    """What each side has not read yet."""

    coach: int
    athlete: int


class ThreadView(Struct, kw_only=True):
    """What you and one person write to each other. How it is filed is the coach's, and empty for an athlete."""

    id: UUID
    coach_id: UUID
    athlete_id: UUID
    name: Annotated[str, Meta(description="Of the other person.")]
    unread: UnreadCounts
    last_message: MessageView | None
    pinned: bool
    archived: bool
    tags: list[str]
    encrypted: Annotated[bool, Meta(description="Only the devices of the two read it; messages are sent from them.")]
    created_at: datetime


class ThreadsView(Struct):
    """Threads: pinned ones first, then by their newest message, archived ones last."""

    threads: list[ThreadView]


class UnreadView(Struct):
    """How many messages of others you have not read."""

    unread: int


class ReadRequest(Struct, forbid_unknown_fields=True):
    """Messages that were shown; your own, and what was read before, stay as they are."""

    ids: Annotated[list[UUID], Meta(min_length=1, max_length=PAGE_LENGTH_MAX)]


class Reactions(Struct, forbid_unknown_fields=True):
    """All your reactions to a message; an empty list takes them back."""

    emojis: Annotated[list[Emoji], Meta(max_length=REACTIONS_MAX)]


class Filing(Struct, forbid_unknown_fields=True, kw_only=True):
    """How a coach files a thread; what is left out stays."""

    pinned: bool | UnsetType = UNSET
    archived: bool | UnsetType = UNSET
    tags: Annotated[list[Name], Meta(max_length=TAGS_MAX)] | UnsetType = UNSET
