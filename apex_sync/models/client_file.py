"""What a coach keeps about an athlete and the athlete does not read: one record in each private scope."""

from typing import Literal

from msgspec import UNSET, Struct, UnsetType

from apex_sync.collection import Collection, Entry, Leaf, Record
from apex_sync.ids import derived_id
from apex_sync.models.fields import Name, Note, Ref


class ProgramNotes(Entry):
    """The coach's private remarks on one program; its key is the program's id."""

    notes: Leaf[Note] = UNSET


class ThreadFiling(Struct, omit_defaults=True, forbid_unknown_fields=True, kw_only=True):
    """Where the coach keeps the messages with an athlete among those with others; the athlete sees nothing of it."""

    pinned: Leaf[bool] = UNSET
    archived: Leaf[bool] = UNSET
    tags: Leaf[list[Name]] = UNSET


class ClientFile(Record):
    """How a coach has filed an athlete; a status that is set here goes before the one that is derived."""

    status: Leaf[Literal["active", "inactive", "needs-attention", "overdue"]] = UNSET
    subscription_tier: Leaf[Literal["premium", "standard", "basic"]] = UNSET
    tags: Leaf[list[Name]] = UNSET
    archived: Leaf[bool] = UNSET
    notes: Leaf[Note] = UNSET
    program_notes: dict[Ref, ProgramNotes] | UnsetType = UNSET
    thread: ThreadFiling | UnsetType = UNSET


def client_file_id(coach_id: str, athlete_id: str) -> str:
    """Give the id of a coach's file on an athlete, the same on every device."""
    return derived_id("client_file", coach_id, athlete_id)


CLIENT_FILES = Collection(
    name="client_files",
    model=ClientFile,
    scope_kinds=frozenset({"private"}),
    default_writers=frozenset({"coach"}),
    version=2,
)
