"""Messages as people read them, and what is written to send one, take it back, read it or react to it.

`sent_messages` is total: whatever a record holds, it gives what each side says in it.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from apex_sync.coaching.leaves import shown
from apex_sync.models.fields import parse_local_time
from apex_sync.models.message import SIDES, Part, Side, sides_of
from apex_sync.op import Patch

CONTENT = ("type", "text", "media_id", "thumbnail_media_id", "file_name", "duration_seconds", "reply_to")
"""What a side says, and what goes when they take it back."""

Encryption = Literal["open", "unverified", "locked", "damaged"]

CLOCKS_APART_MAX = timedelta(minutes=10)
"""By how much the clocks of two phones usually differ at most."""


class SentMessage(Struct, kw_only=True, frozen=True):
    """What one side said."""

    id: str
    sender: Side
    type: str | None
    """A newer app may send what this version does not know."""
    text: str | None
    media_id: str | None
    thumbnail_media_id: str | None
    file_name: str | None
    duration_seconds: float | None
    reply_to: str | None
    sent_at: str | None
    deleted: bool
    """Whether it was taken back."""
    read_at: str | None
    """When the other side read it."""
    reactions: Mapping[str, Sequence[Side]]
    """Who reacted, by emoji."""
    encryption: Annotated[
        Encryption | None,
        Meta(
            description="Null: it is not end-to-end encrypted. `locked`: it is, and not for whoever looks, as for the "
            "server always. On a device also `open`, `damaged`, and `unverified`: by a device that was not accepted."
        ),
    ] = None


def sent_messages(message_id: str, record: Any) -> list[SentMessage]:
    """List what is said in a record: one message, unless somebody made both sides speak."""
    return [_sent(message_id, record, side) for side in sides_of(record)]


def other_side(side: Side) -> Side:
    """Give who is at the other end."""
    return "athlete" if side == "coach" else "coach"


def instant_text(moment: datetime) -> str:
    """Write a moment as messages have it.

    >>> instant_text(datetime(2026, 3, 1, 18, 5, tzinfo=UTC))
    '2026-03-01T18:05:00.000Z'
    """
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def instant_after(now: datetime, newest: str | None) -> str:
    """Give when a message is sent: now, or right after the newest of its thread where that one's clock is ahead.

    So an answer stands below what it answers. A clock that is wrong by more than usual is not followed.

    >>> instant_after(datetime(2026, 3, 1, 18, 5, tzinfo=UTC), "2026-03-01T18:06:00.000Z")
    '2026-03-01T18:06:00.001Z'
    """
    sent_at = instant_text(now)
    latest = parse_local_time(newest)
    if latest is None or not sent_at <= instant_text(latest) <= instant_text(now + CLOCKS_APART_MAX):
        return sent_at
    return instant_text(latest + timedelta(milliseconds=1))


def send_patch(side: Side, content: Mapping[str, Any], sent_at: str) -> Patch:
    """Say something."""
    said = {name: content[name] for name in CONTENT if content.get(name) is not None}
    return {side: {**said, "sent_at": sent_at}}


def take_back_patch(side: Side, record: Any) -> Patch:
    """Take back what a side said; what it was goes with it."""
    part = getattr(record, side)
    gone: dict[str, Any] = {
        name: None for name in CONTENT if name != "reply_to" and shown(getattr(part, name)) is not None
    }
    if shown(part.sealed) is not None:
        gone["sealed"] = None
    return {side: {**gone, "deleted": True}}


def reactions_patch(side: Side, record: Any, wanted: Sequence[str]) -> Patch:
    """Let a side react with these emoji and no others; without a change, an empty patch."""
    given = _reactions(getattr(record, side))
    changes = {emoji: emoji in wanted for emoji in [*given, *wanted] if (emoji in wanted) != (given.get(emoji) is True)}
    return {side: {"reactions": changes}} if changes else {}


def _sent(message_id: str, record: Any, side: Side) -> SentMessage:
    part, other = getattr(record, side), getattr(record, other_side(side))
    deleted = part.deleted is True
    return SentMessage(
        id=message_id,
        sender=side,
        **{name: None if deleted and name != "reply_to" else shown(getattr(part, name)) for name in CONTENT},
        sent_at=shown(part.sent_at),
        deleted=deleted,
        read_at=shown(getattr(other, "read_at", None)),
        reactions=_reactions_by_emoji(record),
        encryption=None if deleted or shown(part.sealed) is None else "locked",
    )


def _reactions_by_emoji(record: Any) -> dict[str, list[Side]]:
    found: dict[str, list[Side]] = {}
    for side in SIDES:
        for emoji, given in _reactions(getattr(record, side)).items():
            if given is True:
                found.setdefault(emoji, []).append(side)
    return found


def _reactions(part: Part | Any) -> Mapping[str, Any]:
    reactions = getattr(part, "reactions", None)
    return reactions if isinstance(reactions, dict) else {}
