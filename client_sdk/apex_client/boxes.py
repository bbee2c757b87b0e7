"""The conflicts and the rejected box: what is in them, and what a person decides about it."""

from typing import Any

import msgspec

from apex_client.errors import NoSuchRecord, NotGranted
from apex_client.local import LocalReplica
from apex_client.overview import Candidate, Choice, ConflictItem, RejectedItem
from apex_client.store_file import sqlite_errors
from apex_client.views import Snapshot
from apex_sync.op import Patch
from apex_sync.session.held import HeldRecord

_Claim = tuple[Any, int, int]


def conflicts(local: LocalReplica, record_id: str | None, *, limit: int) -> list[ConflictItem]:
    """List what was written concurrently, in the order of records and paths."""
    sql = (
        "SELECT record_id, collection, scope, path, keys, kept, discarded FROM conflicts"
        " WHERE record_id = ? OR ? IS NULL ORDER BY record_id, scope, path LIMIT ?"
    )
    with sqlite_errors(local.store.path):
        rows = local.store.sql.execute(sql, (record_id, record_id, limit)).fetchall()
    return [
        ConflictItem(
            record_id=found,
            collection=collection,
            scope=scope,
            path=path,
            keys=tuple(msgspec.json.decode(keys)),
            kept=None if kept is None else _candidate(local, msgspec.json.decode(kept, type=_Claim)),
            discarded=tuple(_candidate(local, claim) for claim in msgspec.json.decode(discarded, type=list[_Claim])),
        )
        for found, collection, scope, path, keys, kept, discarded in rows
    ]


def settle(local: LocalReplica, conflict: ConflictItem, choice: Choice) -> Snapshot:
    """Write one value of a conflict anew."""
    chosen = conflict.kept if choice == "kept" else conflict.discarded[choice]
    if chosen is None:
        raise ValueError("nothing stands there to be kept; choose one of the discarded values")
    patch: Any = chosen.value
    for key in reversed(conflict.keys):
        patch = {key: patch}
    return local.edit(conflict.collection, conflict.record_id, lambda state: patch, scope=conflict.scope)


def rejected(local: LocalReplica, *, limit: int) -> list[RejectedItem]:
    """List what the server did not take, the oldest first."""
    with sqlite_errors(local.store.path):
        rows = local.store.sql.execute(f"{_REJECTED} ORDER BY id LIMIT ?", (limit,)).fetchall()
    return [_rejected_item(row) for row in rows]


def reissue(local: LocalReplica, item_id: int) -> None:
    """Send content of the rejected box again, as a new edit or by sending its record again.

    Raises NotGranted where there is no access any more, ForbiddenField where it would only be refused again.
    """
    with local.store.transaction():
        item = _item(local, item_id)
        if item.held:
            _unblock(local, item)
        else:
            if item.scope not in local.store.scopes():
                raise NotGranted(item.scope)
            held = local.store.one(item.scope, item.record_id)
            held = held or local.device.new_record(item.record_id, item.scope, item.collection)
            for patch in item.patches:
                local.write(held, patch)
        _remove(local, item)


def drop(local: LocalReplica, item_id: int) -> None:
    """Discard content of the rejected box for good."""
    with local.store.transaction():
        item = _item(local, item_id)
        if item.held:
            held = _unblock(local, item)
            if held is not None:
                held.take_unacknowledged()
                if held.document.next_clocks:
                    local.store.save([held], "local")
                else:
                    local.store.delete(held)
        _remove(local, item)


_REJECTED = "SELECT id, record_id, collection, scope, code, field, message, patches, at_us, held FROM rejections"


def _item(local: LocalReplica, item_id: int) -> RejectedItem:
    row = local.store.sql.execute(f"{_REJECTED} WHERE id = ?", (item_id,)).fetchone()
    if row is None:
        raise NoSuchRecord("the rejected box", str(item_id))
    return _rejected_item(row)


def _rejected_item(row: tuple[Any, ...]) -> RejectedItem:
    patches: list[Patch] = msgspec.msgpack.decode(row[7])
    return RejectedItem(
        id=row[0], record_id=row[1], collection=row[2], scope=row[3], code=row[4], field=row[5], message=row[6],
        patches=tuple(patches), at_us=row[8], held=bool(row[9]),
    )  # fmt: skip


def _unblock(local: LocalReplica, item: RejectedItem) -> HeldRecord | None:
    held = local.store.one(item.scope, item.record_id)
    if held is not None:
        held.blocked = ""
        local.store.save_progress([held])
    return held


def _remove(local: LocalReplica, item: RejectedItem) -> None:
    """Take an item out of the box; with a held one, all others that hold the same record."""
    local.store.sql.execute(
        "DELETE FROM rejections WHERE id = ? OR (? AND held AND record_id = ? AND scope = ?)",
        (item.id, item.held, item.record_id, item.scope),
    )


def _candidate(local: LocalReplica, claim: _Claim) -> Candidate:
    value, client_id, at_us = claim
    return Candidate(value=value, client_id=client_id, at_us=at_us, mine=client_id == local.client_id)
