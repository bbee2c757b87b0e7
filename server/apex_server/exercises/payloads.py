"""What the endpoints of exercises take and give: the model itself, with its place in the world."""

import base64
import binascii
from uuid import UUID

import msgspec
from msgspec import UNSET, Struct, UnsetType

from apex_server.errors import InvalidFields
from apex_sync.models import Exercise

__all__ = ["ExerciseResource", "ExercisesPage", "NameMark", "NewExercise"]


class NewExercise(Exercise, kw_only=True):
    """A custom exercise for the coach's library."""

    id: UUID | UnsetType = UNSET


class ExerciseResource(Exercise, kw_only=True):
    """One exercise; custom ones belong to a coach, the others to everybody."""

    id: str
    is_custom: bool
    needs_review: bool


class ExercisesPage(Struct):
    """Exercises by name; `next` goes into `after` for the page that follows, null on the last."""

    exercises: list[ExerciseResource]
    next: str | None


class NameMark(Struct, array_like=True, frozen=True):
    """Where a page ended: the last name and id on it. Opaque to the caller, and no secret."""

    name: str
    id: UUID

    def encode(self) -> str:
        """Write it so that it fits into an address."""
        return base64.urlsafe_b64encode(msgspec.msgpack.encode(self)).decode().rstrip("=")

    @classmethod
    def decode(cls, text: str) -> "NameMark":
        """Read one that `encode` wrote. Raises InvalidFields for anything else."""
        try:
            padded = text + "=" * (-len(text) % 4)
            mark = msgspec.msgpack.decode(base64.b64decode(padded, altchars=b"-_", validate=True), type=cls)
        except (binascii.Error, ValueError, msgspec.DecodeError) as error:
            raise InvalidFields.one("after", "Expected the 'next' of an earlier page") from error
        if "\0" in mark.name:
            raise InvalidFields.one("after", "Expected the 'next' of an earlier page")
        return mark
