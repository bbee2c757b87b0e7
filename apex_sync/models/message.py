"""Messages between a coach and an athlete, a record each, in a scope that only the two read.

A message has one part for each side, which only that side may write: what they say, how they answer what the other says
in it, and when they read that. So no rule is needed beside the one of roles: nobody puts words into the other's mouth,
takes the other's words away, or says that the other has read. An app says something in one part only. Where somebody
makes both speak, both messages are shown, and the record needs review.

In a thread that is encrypted (`device_keys`) what is said is `sealed` with a key of its own, which is `wrapped` for
each device that may read it; what stands in the open then is who said it when, of which type, what it answers, and
which media belong to it. The SDK has the construction (`message_sealing.py`); nobody else opens it.
"""

from collections.abc import Iterator
from typing import Annotated, Any, Literal, get_args

from msgspec import UNSET, Meta, Struct, UnsetType

from apex_sync.collection import Collection, Leaf, Record
from apex_sync.errors import FieldProblem
from apex_sync.models.device_keys import KeyId
from apex_sync.models.fields import Instant, Name, Ref, calendar_problems
from apex_sync.problems import patterned

Side = Literal["coach", "athlete"]
SIDES: tuple[Side, Side] = ("coach", "athlete")

MessageType = Literal["text", "voice", "video", "image", "file"]
MEDIA_OR_TEXT = frozenset(get_args(MessageType))
"""What else a newer app may send needs neither a text nor a file."""

TEXT_LENGTH_MAX = 10_000
"""As long as a note; what is longer is a file."""

REACTIONS_MAX = 20
"""Different emoji that one side ever put under one message, those taken back included."""

MessageText = Annotated[str, Meta(min_length=1, max_length=TEXT_LENGTH_MAX)]
Emoji = Annotated[str, Meta(min_length=1, max_length=16)]
"""One picture: a family of four with skin tones is 11 characters, the flag of Wales 7."""

READERS_MAX = 64
"""Devices of both people that one message is encrypted for."""

_BASE64URL = patterned(r"^[A-Za-z0-9_-]+$(?!\n)", "base64url")
Sealed = Annotated[str, Meta(pattern=_BASE64URL, max_length=60_000)]
"""The longest text, of four bytes a character, with the name of a file and the seal."""
Wrapped = Annotated[str, Meta(pattern=_BASE64URL, max_length=128)]

OPENLY = ("text", "thumbnail_media_id", "file_name", "duration_seconds")
"""What does not stand beside what is sealed, but in it."""


class Part(Struct, omit_defaults=True, forbid_unknown_fields=True, kw_only=True):
    """What one side says in a message, and how they take what the other says."""

    type: Leaf[MessageType] = UNSET
    text: Leaf[MessageText] = UNSET
    """Of a picture, a recording or a file: what is said with it."""
    media_id: Leaf[Ref] = UNSET
    thumbnail_media_id: Leaf[Ref] = UNSET
    file_name: Leaf[Name] = UNSET
    duration_seconds: Leaf[Annotated[float, Meta(ge=0, le=6 * 3600)]] = UNSET
    reply_to: Leaf[Ref] = UNSET
    """The message that is answered; it may arrive later than its answer, or be gone."""
    sealed: Leaf[Sealed] = UNSET
    """What is said, for the devices of both people alone."""
    wrapped: Annotated[dict[KeyId, Leaf[Wrapped]], Meta(max_length=READERS_MAX)] | UnsetType = UNSET
    """The key of what is sealed, for each device that reads it, by the id of the device's key."""
    sent_at: Leaf[Instant] = UNSET
    deleted: Leaf[bool] = UNSET
    """Taken back by who said it; what was said goes with it, and that something was stays."""
    read_at: Leaf[Instant] = UNSET
    """When this side read what the other says."""
    reactions: Annotated[dict[Emoji, Leaf[bool]], Meta(max_length=REACTIONS_MAX)] | UnsetType = UNSET


class Message(Record):
    """One message."""

    coach: Part | UnsetType = UNSET
    athlete: Part | UnsetType = UNSET


def sides_of(message: Record) -> list[Side]:
    """List who says something in a message: one side, or both where somebody had no business there.

    A merged record may break every bound, and is of a looser type then.
    """
    return [side for side in SIDES if getattr(getattr(message, side, None), "sent_at", None)]


def _check(message: Message) -> Iterator[FieldProblem]:
    speaking = sides_of(message)
    if len(speaking) == len(SIDES):
        yield FieldProblem("", "is a message of the coach and one of the athlete")
    for side in SIDES:
        part = getattr(message, side)
        if part is not UNSET:
            missing = missing_of(part)
            if missing is not None:
                yield FieldProblem(f"{side}.{missing}", "is missing")
            for field in stands_open(part) if part.sealed else ():
                yield FieldProblem(f"{side}.{field}", "stands in the open beside what is sealed")
            for field, why in calendar_problems(part, "sent_at", "read_at"):
                yield FieldProblem(f"{side}.{field}", why)


def missing_of(part: Any) -> str | None:
    """Name what is missing to what a side says, or None; one who only reads and reacts misses nothing."""
    if part.deleted is True or not any((part.type, part.text, part.media_id, part.sealed, part.sent_at)):
        return None
    if not part.sent_at:
        return "sent_at"
    if not part.type:
        return "type"
    if part.sealed:
        return None
    content = "text" if part.type == "text" else "media_id"
    return content if part.type in MEDIA_OR_TEXT and not getattr(part, content) else None


def stands_open(part: Any) -> list[str]:
    """Name what a side says where the server can read it."""
    return [field for field in OPENLY if getattr(part, field)]


MESSAGES = Collection(
    name="messages",
    model=Message,
    scope_kinds=frozenset({"thread"}),
    default_writers=frozenset({"system"}),
    writers={"coach": frozenset({"coach"}), "athlete": frozenset({"athlete"})},
    check=_check,
    version=2,
)
