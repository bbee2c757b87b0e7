"""Short rows about records: what lists show."""

from typing import Any, Literal

from msgspec import Struct

from apex_sync.models.message import Side
from apex_sync.op import Patch


class AthleteSummary(Struct, frozen=True, kw_only=True):
    """One athlete on this replica; days are ISO, None where there is nothing yet."""

    id: str
    name: str | None
    role: str
    workouts: int
    check_ins: int
    last_workout_date: str | None
    last_check_in_date: str | None
    pending: int
    conflicted: int


class ThreadSummary(Struct, frozen=True, kw_only=True):
    """What a coach and an athlete write to each other; how it is filed is the coach's, and empty for the athlete."""

    coach_id: str
    athlete_id: str
    name: str | None
    """Of the other person, once the server has told it."""
    unread: int
    last_at: str | None
    """When its newest message was sent, UTC."""
    pinned: bool
    archived: bool
    tags: list[str]
    encrypted: bool
    """What is said in it is for the devices of the two alone."""
    new_devices: int
    """Of these, how many nobody here has accepted; until then nothing is sent."""


class ThreadDevice(Struct, frozen=True, kw_only=True):
    """One device that the messages of an encrypted thread are for: whose it is, and what it calls itself."""

    side: Side
    key_id: str
    device: str
    mine: bool
    """It is this one."""
    trusted: bool
    """It was there when this device first saw the thread encrypted, or was accepted since."""


class Candidate(Struct, frozen=True, kw_only=True):
    """One value that was written to a leaf; `mine` when this device wrote it. `at_us` is the writer's clock."""

    value: Any
    client_id: int
    at_us: int
    mine: bool


class ConflictItem(Struct, frozen=True, kw_only=True):
    """A leaf that devices wrote without having seen each other: what stands there now, and what lost.

    `path` is dotted for showing, `keys` exact. `kept` is None where the path itself is gone.
    """

    record_id: str
    collection: str
    scope: str
    path: str
    keys: tuple[str, ...]
    kept: Candidate | None
    discarded: tuple[Candidate, ...]


class PastWrite(Struct, frozen=True):
    """What was written to a record at once, by which device (`mine`: by this one) and when by its clock."""

    patch: Patch
    client_id: int
    at_us: int
    mine: bool


class RejectedItem(Struct, frozen=True, kw_only=True):
    """What the server did not take, with its reason; `patches` is the content, oldest first.

    `held`: the record is still here with that content and only its sending is stopped (`unknown_collection` …).
    Otherwise the content was taken out of the record and lives here alone.
    """

    id: int
    record_id: str
    collection: str
    scope: str
    code: str
    field: str
    message: str
    patches: tuple[Patch, ...]
    at_us: int
    held: bool


class SearchHit(Struct, frozen=True, kw_only=True):
    """A record that matches words; `snippet` marks them with [ and ]."""

    record_id: str
    collection: str
    title: str
    snippet: str


Choice = int | Literal["kept"]
"""Which value of a conflict: the place in `discarded`, or what stands there now."""
