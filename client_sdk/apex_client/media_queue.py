"""The queue of photos and files, in the replica file: taken in piece by piece, there until the server has them.

taking    its bytes are on their way in; what a crash left so is swept away
waiting   to be sent
sent      the server has all of it and has not looked at it yet
refused   the server has looked at it and does not take it; its bytes stay until somebody drops it
"""

from collections.abc import Callable, Sequence

from msgspec import Struct

from apex_client.local import LocalReplica
from apex_client.store_file import sqlite_errors
from apex_client.views import Snapshot
from apex_sync.models.media import ContentType, Kind

__all__ = [
    "PIECE_BYTES",
    "MediaItem",
    "add_piece",
    "begin",
    "counts",
    "drop",
    "empty",
    "end",
    "end_with_record",
    "find",
    "items",
    "move",
    "note",
    "note_sent",
    "piece_range",
    "set_aside",
    "sweep",
    "unsent",
]

PIECE_BYTES = 256 * 1024
"""A row each: a save of one takes milliseconds, and others get their turn in between."""

ITEMS_MAX = 1000
"""Looked at in one round; ten years of a photo a week are half of it."""

_COLUMNS = "media_no, media_id, scope, kind, content_type, size_bytes, state, refusal, sent_bytes, added_us"


class MediaItem(Struct, frozen=True):
    """One photo or file of the queue."""

    media_no: int
    media_id: str
    scope: str
    kind: Kind
    content_type: ContentType
    size_bytes: int
    state: str
    refusal: str | None
    sent_bytes: int
    added_us: int


def begin(local: LocalReplica, scope: str, kind: Kind, content_type: ContentType) -> int:
    """Begin to take a file in, and give its number."""
    with local.store.transaction(durable=False):
        cursor = local.store.sql.execute(
            "INSERT INTO media_queue (media_id, scope, kind, content_type, size_bytes, state, added_us)"
            " VALUES ('', ?, ?, ?, 0, 'taking', ?)",
            (scope, kind, content_type, local.device.now_us()),
        )
        return int(cursor.lastrowid or 0)


def add_piece(local: LocalReplica, media_no: int, place: int, piece: bytes) -> None:
    """Take a piece in; the end makes all of them durable."""
    with local.store.transaction(durable=False):
        local.store.sql.execute("INSERT INTO media_pieces VALUES (?, ?, ?)", (media_no, place, piece))


def end(local: LocalReplica, media_no: int, media_id: str, size_bytes: int) -> None:
    """Let a file wait to be sent, durably; one that waits already, or was sent before, is there once."""
    sql = local.store.sql
    with local.store.transaction():
        (scope,) = sql.execute("SELECT scope FROM media_queue WHERE media_no = ?", (media_no,)).fetchone()
        known = sql.execute(
            "SELECT media_no, state FROM media_queue WHERE scope = ? AND media_id = ?", (scope, media_id)
        ).fetchone()
        if known is not None and known[1] != "refused":
            sql.execute("DELETE FROM media_queue WHERE media_no = ?", (media_no,))
            return
        if known is not None:
            sql.execute("DELETE FROM media_queue WHERE media_no = ?", (known[0],))
        sql.execute(
            "UPDATE media_queue SET media_id = ?, size_bytes = ?, state = 'waiting' WHERE media_no = ?",
            (media_id, size_bytes, media_no),
        )


def end_with_record(
    local: LocalReplica, media_no: int, media_id: str, size_bytes: int, make: Callable[[LocalReplica], Snapshot]
) -> Snapshot:
    """Let a file wait, and make the record that names it, both or neither. Raises what `make` does."""
    with local.store.transaction():
        end(local, media_no, media_id, size_bytes)
        return make(local)


def items(local: LocalReplica, *states: str) -> list[MediaItem]:
    """List what is in one of these states, the oldest first."""
    marks = ", ".join("?" * len(states))
    with sqlite_errors(local.store.path):
        rows = local.store.sql.execute(
            f"SELECT {_COLUMNS} FROM media_queue WHERE state IN ({marks}) ORDER BY media_no LIMIT ?",  # noqa: S608
            (*states, ITEMS_MAX),
        ).fetchall()
    return [MediaItem(*row) for row in rows]


def find(local: LocalReplica, media_id: str) -> MediaItem | None:
    """Find a file by its hash, wherever it is to go."""
    with sqlite_errors(local.store.path):
        row = local.store.sql.execute(
            f"SELECT {_COLUMNS} FROM media_queue WHERE media_id = ? ORDER BY media_no LIMIT 1",  # noqa: S608
            (media_id,),
        ).fetchone()
    return None if row is None else MediaItem(*row)


def piece_range(local: LocalReplica, media_no: int, offset: int, size: int) -> bytes:
    """Read some of a file; nothing of one that is gone."""
    first, skip = divmod(offset, PIECE_BYTES)
    last = (offset + size - 1) // PIECE_BYTES
    with sqlite_errors(local.store.path):
        pieces = local.store.sql.execute(
            "SELECT piece FROM media_pieces WHERE media_no = ? AND place BETWEEN ? AND ? ORDER BY place",
            (media_no, first, last),
        ).fetchall()
    return b"".join(piece for (piece,) in pieces)[skip : skip + size]


def note_sent(local: LocalReplica, media_no: int, sent_bytes: int) -> None:
    """Note how much the server has."""
    with local.store.transaction(durable=False):
        local.store.sql.execute("UPDATE media_queue SET sent_bytes = ? WHERE media_no = ?", (sent_bytes, media_no))


def note(local: LocalReplica, media_no: int, state: str, refusal: str | None = None) -> None:
    """Note what has become of a file."""
    with local.store.transaction():
        local.store.sql.execute(
            "UPDATE media_queue SET state = ?, refusal = ? WHERE media_no = ?", (state, refusal, media_no)
        )


def drop(local: LocalReplica, media_nos: Sequence[int]) -> None:
    """Let go of files."""
    with local.store.transaction():
        local.store.sql.executemany("DELETE FROM media_queue WHERE media_no = ?", [(each,) for each in media_nos])


def sweep(local: LocalReplica) -> None:
    """Let go of what was being taken in when a process ended."""
    with local.store.transaction(durable=False):
        local.store.sql.execute("DELETE FROM media_queue WHERE state = 'taking'")


def move(local: LocalReplica, old: str, new: str) -> None:
    """Let what is to go to one scope go to another, within a transaction of the caller."""
    local.store.sql.execute("UPDATE OR REPLACE media_queue SET scope = ? WHERE scope = ?", (new, old))


def set_aside(local: LocalReplica, old: str, new: str, refusal: str) -> None:
    """Keep what a scope that ends was still to get among the refused of another, within a transaction of the caller."""
    local.store.sql.execute(
        "UPDATE OR REPLACE media_queue SET scope = ?, state = 'refused', refusal = ?"
        " WHERE scope = ? AND state IN ('waiting', 'refused')",
        (new, refusal, old),
    )


def empty(local: LocalReplica) -> None:
    """Let go of everything, within a transaction of the caller."""
    local.store.sql.execute("DELETE FROM media_queue")


def counts(local: LocalReplica) -> dict[str, int]:
    """Count what a status tells."""
    with sqlite_errors(local.store.path):
        row = local.store.sql.execute(
            "SELECT count(*) FILTER (WHERE state = 'waiting'),"
            " coalesce(sum(size_bytes - sent_bytes) FILTER (WHERE state = 'waiting'), 0),"
            " count(*) FILTER (WHERE state = 'refused') FROM media_queue"
        ).fetchone()
    return dict(zip(("media_waiting", "media_waiting_bytes", "media_refused"), row, strict=True))


def unsent(local: LocalReplica) -> int:
    """Count what is nowhere but here."""
    (count,) = local.store.sql.execute("SELECT count(*) FROM media_queue WHERE state = 'waiting'").fetchone()
    return int(count)
