"""Threads: what a coach and an athlete wrote to each other, as this device holds it, whoever of the two it belongs to.

Each function takes the local replica and is run in its thread.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from apex_client import thread_keys
from apex_client.errors import ThreadEncrypted, ThreadNeeded
from apex_client.local import LocalReplica
from apex_client.opened_messages import SEALED, Content
from apex_client.overview import ThreadSummary
from apex_client.store_file import sqlite_errors
from apex_client.views import Snapshot
from apex_sync.coaching.message_view import instant_after, send_patch
from apex_sync.errors import FieldProblem, OutOfBounds
from apex_sync.ids import record_id_from
from apex_sync.models import MESSAGES
from apex_sync.models.message import OPENLY, SIDES, Part, Side, missing_of
from apex_sync.op import Patch

KEYS_MAX = 1000
"""Tried on one file: whoever else names it with keys of their own makes saving it slower by a second at most."""

READ_AT_ONCE_MAX = 1000
"""Messages marked in one transaction, about a second; whoever has more unread marks the rest with the next call."""

_OF_PERSON = (
    "scope.name LIKE 'thread:%' AND (?1 IS NULL OR substr(scope.name, 8, 36) = ?1 OR substr(scope.name, 45) = ?1)"
)


def thread_with(local: LocalReplica, person_id: str | None) -> str:
    """Give the scope of the thread with somebody, or the only one there is. Raises ThreadNeeded."""
    sql = f"SELECT scope.name FROM held_scopes AS scope WHERE {_OF_PERSON} LIMIT 2"  # noqa: S608
    with sqlite_errors(local.store.path):
        scopes = [str(name) for (name,) in local.store.sql.execute(sql, (person_id,))]
    if len(scopes) != 1:
        raise ThreadNeeded(person_id, none=not scopes)
    return scopes[0]


def side_in(local: LocalReplica, scope: str) -> Side:
    """Give which of the two this user is. Raises NotGranted."""
    role = local.role_in(scope)
    return next(side for side in SIDES if side == role)


def send(
    local: LocalReplica,
    person_id: str | None,
    content: Mapping[str, Any],
    media_key: bytes | None = None,
) -> Snapshot:
    """Say something in the thread with somebody; encrypted, where the thread is.

    Raises ThreadNeeded, OutOfBounds, NewDevices, NoDeviceToRead; ThreadEncrypted for media that are not encrypted.
    """
    scope = thread_with(local, person_id)
    device = local.device
    now_us = device.now_us()
    newest = local.store.sql.execute(
        "SELECT max(row.sent_at) FROM message_rows AS row JOIN held_scopes AS scope ON scope.scope_no = row.scope_no"
        " WHERE scope.name = ?",
        (scope,),
    ).fetchone()[0]
    sent_at = instant_after(datetime.fromtimestamp(now_us / 1e6, UTC), newest)
    record_id = record_id_from(now_us // 1000, device.entropy(10))
    side = side_in(local, scope)
    patch = send_patch(side, content, sent_at)
    MESSAGES.check_bounds(patch)
    if missing := missing_of(msgspec.convert(patch[side], Part)):
        raise OutOfBounds(MESSAGES.name, FieldProblem(missing, "is missing"))
    with local.store.transaction():
        if thread_keys.is_encrypted(local, scope):
            patch = {side: _sealed(local, (scope, record_id, side), patch[side], media_key)}
        return local.create(MESSAGES.name, scope, patch, record_id=record_id)


def keys_of_media(local: LocalReplica, media_id: str) -> list[bytes]:
    """Give the keys that encrypted messages name with a file, as far as this device can read them."""
    with sqlite_errors(local.store.path):
        rows = local.store.sql.execute(_CONTENTS_OF_MEDIA, (media_id, KEYS_MAX)).fetchall()
    keys = (msgspec.msgpack.decode(row[0], type=Content).media_key for row in rows)
    return list(dict.fromkeys(key for key in keys if key))


def said(local: LocalReplica, person_id: str | None, before: str | None, *, limit: int) -> list[Snapshot]:
    """List messages, of one thread or of all, the newest first; `before` is the id of the last one seen."""
    with sqlite_errors(local.store.path):
        return [local.snapshot_of(held) for held in local.store.select(_SAID, (person_id, before, limit))]


def unread(local: LocalReplica, person_id: str | None) -> int:
    """Count what others said and this user has not read, in one thread or in all."""
    with sqlite_errors(local.store.path):
        return int(local.store.sql.execute(f"SELECT count(*) {_UNREAD}", (person_id,)).fetchone()[0])


def mark_read(local: LocalReplica, person_id: str | None, record_ids: Sequence[str] | None, read_at: str) -> int:
    """Mark messages as read in one transaction, some or whatever is unread; tell how many were."""
    which = " AND row.id IN (SELECT value FROM json_each(?2))" if record_ids is not None else ""
    parameters = (person_id,) if record_ids is None else (person_id, json.dumps(record_ids))
    with sqlite_errors(local.store.path), local.store.transaction():
        found = local.store.sql.execute(
            f"SELECT DISTINCT scope.name, row.id {_UNREAD}{which} LIMIT {READ_AT_ONCE_MAX}",
            parameters,
        ).fetchall()
        held = [local.find(MESSAGES.name, record_id, scope) for scope, record_id in found]
        for record in held:
            local.stamp(record, {side_in(local, record.scope): {"read_at": read_at}})
        if held:
            local.store.save(held, "local")
    return len(held)


def threads(local: LocalReplica) -> list[ThreadSummary]:
    """List the threads: pinned ones first, then by their newest message, archived ones last."""
    with sqlite_errors(local.store.path):
        rows = local.store.sql.execute(_THREADS).fetchall()
    return [
        ThreadSummary(
            coach_id=scope[7:43],
            athlete_id=scope[44:],
            name=name,
            unread=unread_count,
            last_at=last_at,
            pinned=bool(pinned),
            archived=bool(archived),
            tags=json.loads(tags or "[]"),
            encrypted=bool(encrypted),
            new_devices=new_devices,
        )
        for scope, name, unread_count, last_at, pinned, archived, tags, encrypted, new_devices in rows
    ]


def _sealed(local: LocalReplica, place: tuple[str, str, Side], part: Patch, media_key: bytes | None) -> Patch:
    """Seal what a part says; who says it when, and what it answers, stays open."""
    from apex_client.message_sealing import Place, seal

    if "thumbnail_media_id" in part or ("media_id" in part and media_key is None):
        raise ThreadEncrypted(place[0])
    author, readers = thread_keys.author_and_readers(local, place[0])
    said = msgspec.convert({name: part[name] for name in SEALED if name in part}, Content)
    said = msgspec.structs.replace(said, media_key=media_key)
    left = {name: value for name, value in part.items() if name not in OPENLY}
    return {**left, **seal(said, Place(*place), author, readers, local.device.entropy)}


_CONTENTS_OF_MEDIA = (
    "SELECT opened.content FROM said_rows AS said JOIN opened_messages AS opened"
    " ON opened.record_no = said.record_no AND opened.side = said.sender"
    " WHERE said.media_id = ? AND said.encryption = 'open' ORDER BY said.record_no LIMIT ?"
)

_SAID = (
    "JOIN message_rows AS row ON row.record_no = record.record_no"  # noqa: S608 - made of constants.
    f" WHERE {_OF_PERSON} AND row.sent_at IS NOT NULL AND (?2 IS NULL OR (row.sent_at, row.id) < ("
    "SELECT last.sent_at, last.id FROM message_rows AS last WHERE last.id = ?2 LIMIT 1))"
    " ORDER BY row.sent_at DESC, row.id DESC LIMIT ?3"
)

_READABLE = "(said.encryption IS NULL OR said.encryption = 'open')"
"""What this device cannot read is neither unread here nor read by looking at it: another one may have it yet."""

_UNREAD = (
    "FROM said_rows AS said JOIN message_rows AS row ON row.record_no = said.record_no"
    " JOIN held_scopes AS scope ON scope.scope_no = row.scope_no"
    f" WHERE said.read_at IS NULL AND said.deleted = 0 AND said.sender <> scope.role AND {_READABLE} AND {_OF_PERSON}"
)

_THREADS = (
    "SELECT scope.name,"  # noqa: S608 - made of constants.
    " coalesce("
    "  (SELECT profile.name FROM profile_rows AS profile JOIN held_scopes AS own ON own.scope_no = profile.scope_no"
    "   WHERE scope.role = 'coach' AND own.name = 'athlete:' || substr(scope.name, 45)),"
    "  (SELECT person.name FROM people AS person"
    "   WHERE person.id = iif(scope.role = 'coach', substr(scope.name, 45), substr(scope.name, 8, 36)))),"
    " (SELECT count(*) FROM said_rows AS said JOIN message_rows AS row ON row.record_no = said.record_no"
    "  WHERE row.scope_no = scope.scope_no AND said.read_at IS NULL AND said.deleted = 0"
    f"  AND said.sender <> scope.role AND {_READABLE}),"
    " (SELECT max(row.sent_at) FROM message_rows AS row WHERE row.scope_no = scope.scope_no) AS last_at,"
    " filed.thread_pinned, filed.thread_archived, filed.thread_tags,"
    " known.scope IS NOT NULL OR keys.encryption IS NOT NULL,"
    " (SELECT count(*) FROM thread_device_rows AS device WHERE device.record_no = keys.record_no"
    f"  AND known.scope IS NOT NULL AND NOT {thread_keys.REMOVED} AND NOT {thread_keys.TRUSTED})"
    " FROM held_scopes AS scope"
    " LEFT JOIN device_key_rows AS keys ON keys.scope_no = scope.scope_no"
    " LEFT JOIN encrypted_threads AS known ON known.scope = scope.name"
    " LEFT JOIN held_scopes AS private ON private.name = 'private:' || substr(scope.name, 8)"
    " LEFT JOIN client_file_rows AS filed ON filed.scope_no = private.scope_no"
    " WHERE scope.name LIKE 'thread:%'"
    " ORDER BY filed.thread_archived IS 1, filed.thread_pinned IS NOT 1, last_at DESC, scope.name"
)
