"""Where a replica stands: what is synced, what waits, what was refused, and what the loop is doing about it."""

from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

LoopState = Literal["idle", "syncing", "live", "waiting", "signed_out", "no_server", "erased"]
"""`waiting`: the last attempt failed and the next one is planned. `live`: connected, every save goes up at once.
`erased`: the account is, and nothing of it is here any more."""


class SyncProgress(Struct, frozen=True):
    """How far a sync has come. `pull_total` is 0 until the server has said how much there is."""

    pushed: int = 0
    push_total: int = 0
    pulled: int = 0
    pull_total: int = 0
    bytes_up: int = 0
    bytes_down: int = 0
    round_trips: int = 0
    media_bytes: int = 0
    media_bytes_total: int = 0
    """Of photos and files, which go up when the records are through."""


class SyncReport(Struct, frozen=True, kw_only=True):
    """What one sync did, in records; times in seconds, bytes as they went over the wire.

    `acknowledged` of the `pushed` records are durable on the server. `reissued` counts refused ops whose content went
    out again by itself, `rejected` what is in the rejected box now because of this sync, `conflicts` the conflicts
    that appeared. `pending` records are still to be sent: the server asked for a pause, or they were written meanwhile.
    """

    pushed: int = 0
    acknowledged: int = 0
    pulled: int = 0
    conflicts: int = 0
    rejected: int = 0
    reissued: int = 0
    repaired: int = 0
    forgotten: int = 0
    pending: int = 0
    bytes_up: int = 0
    bytes_down: int = 0
    round_trips: int = 0
    seconds: float = 0.0
    media_sent: int = 0
    """Photos and files that went up whole."""

    def followed_by(self, other: "SyncReport") -> "SyncReport":
        """Tell of two syncs as of one."""
        names = [name for name in self.__struct_fields__ if name != "pending"]
        return replace(other, **{name: getattr(self, name) + getattr(other, name) for name in names})


class ReplicaStatus(Struct, frozen=True, kw_only=True):
    """The whole replica in numbers of records; times are microseconds since the Unix epoch, 0 for never.

    `pending` records hold work the server has not acknowledged, `rejected` counts entries of the rejected box,
    `conflicted` records hold a conflict, `repairs` counts how often digests differed and were mended, ever.
    """

    state: LoopState
    pending: int
    synced: int
    rejected: int
    conflicted: int
    needs_review: int
    oldest_pending_seconds: float | None
    last_success_us: int
    last_attempt_us: int
    last_error: str | None
    next_attempt_us: int
    repairs: int
    progress: SyncProgress | None
    client_id: int
    server: str | None
    user_id: str | None
    media_waiting: int = 0
    media_waiting_bytes: int = 0
    """Photos and files that are to be sent yet."""
    media_refused: int = 0


class RecordStatus(Struct, frozen=True, kw_only=True):
    """One record: `state` names what matters most, the flags say everything."""

    record_id: str
    collection: str
    scope: str
    state: Literal["rejected", "conflicted", "pending", "synced"]
    pending: bool
    rejected: bool
    conflicted: bool
    needs_review: bool
    changed_us: int
