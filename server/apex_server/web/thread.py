"""The thread on an athlete's page: what coach and athlete wrote to each other lately."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from uuid import UUID

from msgspec import Struct

from apex_server.db import Connection, load_queries
from apex_server.resources import encrypted_threads, read_records
from apex_server.vault import Vault
from apex_server.web.pictures import Attached, attached, ready_media
from apex_sync.coaching.message_view import SentMessage, sent_messages
from apex_sync.ids import Scope, thread_scope
from apex_sync.models import MESSAGES
from apex_sync.models.fields import parse_local_time
from apex_sync.models.message import Side

__all__ = ["MessageLine", "Thread", "read_thread"]

SHOWN_MAX = 30
"""About a week of a talkative pair; what is older is read by the API and on devices."""

QUOTE_LENGTH_MAX = 80
MEDIA_WORDS = {"voice": "Recording", "image": "Picture", "video": "Film"}

_queries = load_queries(__package__)


class MessageLine(Struct, frozen=True, kw_only=True):
    """One message; `text` is None where it was taken back, or says nothing beside its `media`."""

    id: str
    sender: Side
    taken_back: bool
    text: str | None
    media: Attached | None
    answered: str | None
    sent_at: datetime | None
    unread: bool
    was_read: bool
    reactions: Mapping[str, Sequence[Side]]


class Thread(Struct, frozen=True, kw_only=True):
    """The newest messages of a thread, the oldest of them first."""

    id: UUID
    lines: Sequence[MessageLine]
    encrypted: bool
    """Only the devices of the two read it, and a browser is none."""


async def read_thread(connection: Connection, vault: Vault, coach_id: UUID, athlete_id: UUID) -> Thread:
    """Read the thread of a coach and an athlete."""
    scope_id = Scope.parse(thread_scope(str(coach_id), str(athlete_id))).id
    rows = await connection.fetch(_queries.list_messages, scope_id, SHOWN_MAX)
    places = dict.fromkeys((scope_id, row["record_id"]) for row in reversed(rows))
    found = await read_records(connection, vault, MESSAGES, places)
    said = [each for known in found for each in sent_messages(known.id, known.record)]
    texts = {each.id: words_of(each) for each in said}
    ready = await ready_media(connection, scope_id, (each.media_id for each in said))
    encrypted = await encrypted_threads(connection, vault, [(coach_id, athlete_id)])
    return Thread(id=scope_id, lines=[_line(each, texts, ready) for each in said], encrypted=bool(encrypted))


def words_of(message: SentMessage) -> str | None:
    """Give what a message says, in words."""
    if message.encryption is not None:
        return f"[encrypted {message.type if message.type != 'text' else 'message'}]"
    return None if message.deleted else message.text or f"[{message.type or 'message'}]"


def _line(message: SentMessage, texts: Mapping[str, str | None], ready: Mapping[str, bool]) -> MessageLine:
    sent_at = parse_local_time(message.sent_at)
    answered = None if message.reply_to is None else texts.get(message.reply_to) or "an earlier message"
    media = None if message.deleted else _media_of(message, ready)
    return MessageLine(
        id=message.id,
        sender=message.sender,
        taken_back=message.deleted,
        text=words_of(message) if media is None else message.text,
        media=media,
        answered=answered and answered[:QUOTE_LENGTH_MAX],
        sent_at=sent_at and sent_at.astimezone(UTC),
        unread=message.sender == "athlete"
        and message.read_at is None
        and not message.deleted
        and message.encryption is None,  # Nobody has read here what only devices read.
        was_read=message.read_at is not None,
        reactions=message.reactions,
    )


def _media_of(message: SentMessage, ready: Mapping[str, bool]) -> Attached | None:
    """Give what a message carries, once the server has looked at it."""
    if message.media_id is None or message.media_id not in ready:
        return None
    words = message.file_name or MEDIA_WORDS.get(message.type or "", "File")
    if message.duration_seconds is not None:
        words = f"{words}, {round(message.duration_seconds)} s"
    return attached(message.media_id, words, is_drawn=ready[message.media_id])
