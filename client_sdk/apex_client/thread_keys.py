"""Whose devices read an encrypted thread: publishing this one's key, and noticing each that is new.

That a key is of the person whose part it stands in, the server says. So this device remembers which keys it has
accepted: those that were there when it first saw the thread encrypted, and later ones when somebody here says so. Until
then nothing is sent, whichever side is new: a key that the server planted beside one's own would read along as well as
one beside the other's. Two people who compare `safety_number` need not take its word for the first ones either.

Trust is in a key as one person's: in another's part it is new. And a key that was once seen taken out stays out.
"""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import msgspec

from apex_client.errors import NewDevices, NoDeviceToRead, ThreadEncrypted
from apex_client.opened_messages import OpenedParts
from apex_client.overview import ThreadDevice
from apex_client.store_file import sqlite_errors
from apex_sync.coaching.message_view import other_side
from apex_sync.ids import Scope
from apex_sync.models import DEVICE_KEYS
from apex_sync.models.device_keys import device_keys_id, key_bytes, key_text
from apex_sync.models.message import OPENLY, SIDES, Side
from apex_sync.op import Patch

if TYPE_CHECKING:
    from apex_client.local import LocalReplica
    from apex_client.message_sealing import KeyPair

__all__ = [
    "accept",
    "author_and_readers",
    "devices",
    "encrypt",
    "forget_all",
    "is_encrypted",
    "require_sealed",
    "safety_number",
    "settle",
    "verified",
]

SAFETY_DIGITS = 60
SAFETY_GROUP = 5

_ENCRYPTED = (
    "SELECT EXISTS (SELECT 1 FROM encrypted_threads WHERE scope = ?1) OR EXISTS ("
    "SELECT 1 FROM device_key_rows AS row JOIN held_scopes AS scope ON scope.scope_no = row.scope_no"
    " WHERE scope.name = ?1 AND row.encryption IS NOT NULL)"
)
"""A thread that was encrypted once stays so, whatever the server brings or leaves out later."""

OF_PERSON = "device.key_id, substr(scope.name, iif(device.side = 'coach', 8, 45), 36)"
"""Whose key it is said to be, as a row of `trusted_keys` and `removed_keys` has it."""

REMOVED = f"({OF_PERSON}) IN (SELECT key_id, person_id FROM removed_keys)"  # noqa: S608
TRUSTED = f"({OF_PERSON}) IN (SELECT key_id, person_id FROM trusted_keys)"  # noqa: S608

_DEVICES = (
    "SELECT device.side, device.key_id, device.public_key, coalesce(device.device, 'device'),"  # noqa: S608
    f" {REMOVED}, {TRUSTED}"
    " FROM thread_device_rows AS device JOIN device_key_rows AS row ON row.record_no = device.record_no"
    " JOIN held_scopes AS scope ON scope.scope_no = row.scope_no"
    " WHERE scope.name = ? ORDER BY device.side, device.key_id"
)
_LACKING = (
    "SELECT scope.name FROM held_scopes AS scope WHERE scope.name LIKE 'thread:%' AND NOT EXISTS ("
    " SELECT 1 FROM device_key_rows AS row JOIN thread_device_rows AS device ON device.record_no = row.record_no"
    " WHERE row.scope_no = scope.scope_no AND device.key_id = ?1 AND device.side = scope.role)"
)
_TAKEN_OUT = "SELECT 1 FROM removed_keys WHERE key_id = ? LIMIT 1"
_NEWLY_ENCRYPTED = (
    "SELECT scope.name FROM device_key_rows AS row JOIN held_scopes AS scope ON scope.scope_no = row.scope_no"
    " WHERE row.encryption IS NOT NULL AND scope.name NOT IN (SELECT scope FROM encrypted_threads)"
)


def settle(local: "LocalReplica") -> bool:
    """Publish this device's key in every thread that lacks it, and get to know threads that are newly encrypted.

    Tells whether there is something to send. A key that was taken out anywhere is put back nowhere.
    """
    with local.store.transaction():
        if local.store.sql.execute(_TAKEN_OUT, (local.keys.current_id(),)).fetchone():
            local.keys.draw()
        lacking = local.store.sql.execute(_LACKING, (local.keys.current_id(),)).fetchall()
        for (scope,) in lacking:
            _published(local, scope)
        for (scope,) in local.store.sql.execute(_NEWLY_ENCRYPTED).fetchall():
            _get_to_know(local, scope)
    return bool(lacking)


def is_encrypted(local: "LocalReplica", scope: str) -> bool:
    """Tell whether what is said in a thread is for the devices of its two people alone."""
    with sqlite_errors(local.store.path):
        return bool(local.store.sql.execute(_ENCRYPTED, (scope,)).fetchone()[0])


def encrypt(local: "LocalReplica", scope: str) -> None:
    """Encrypt a thread from now on; nobody can undo it. Raises NoDeviceToRead."""
    with local.store.transaction():
        if is_encrypted(local, scope):
            return
        _published(local, scope)
        other = other_side(_own_side(local, scope))
        if not any(each.side == other for each in devices(local, scope)):
            raise NoDeviceToRead(other)
        local.create(DEVICE_KEYS.name, scope, {"encryption": "on"}, record_id=_record_id(scope))
        _get_to_know(local, scope)


def devices(local: "LocalReplica", scope: str) -> list[ThreadDevice]:
    """List the devices that a thread is encrypted for, the coach's first."""
    mine = local.keys.current_id()
    any_will_do = not _is_known(local, scope)
    listed = [
        ThreadDevice(side=side, key_id=key_id, device=device, mine=key_id == mine, trusted=trusted or any_will_do)
        for side, key_id, _, device, removed, trusted in _keys(local, scope)
        if not removed
    ]
    return sorted(listed, key=lambda each: (SIDES.index(each.side), each.key_id))


def accept(local: "LocalReplica", scope: str, accepted: Sequence[ThreadDevice]) -> None:
    """Trust these devices: what is sent from now on is for them, too."""
    with local.store.transaction():
        _trust(local, scope, [(each.side, each.key_id) for each in accepted])


def safety_number(local: "LocalReplica", scope: str) -> str:
    """Give the 60 digits that are the same on all devices of a thread where nobody has a key that others do not see."""
    keys = {
        side: sorted(public for of, _, public, _, removed, _ in _keys(local, scope) if of == side and not removed)
        for side in SIDES
    }
    digest = sha256(msgspec.msgpack.encode(["apex-sync", 1, "compare", scope, keys["coach"], keys["athlete"]])).digest()
    digits = str(int.from_bytes(digest, "big") % 10**SAFETY_DIGITS).zfill(SAFETY_DIGITS)
    return " ".join(digits[place : place + SAFETY_GROUP] for place in range(0, SAFETY_DIGITS, SAFETY_GROUP))


def author_and_readers(local: "LocalReplica", scope: str) -> tuple["KeyPair", Mapping[str, bytes]]:
    """Give this device's key and the keys that a message is encrypted for, by key id.

    Raises NewDevices where one was not accepted, NoDeviceToRead where the other side has none.
    """
    if not _is_known(local, scope):
        _get_to_know(local, scope)
    author = _published(local, scope)
    reading = devices(local, scope)
    new = [each for each in reading if not each.trusted]
    if new:
        raise NewDevices(new)
    other = other_side(_own_side(local, scope))
    if not any(each.side == other for each in reading):
        raise NoDeviceToRead(other)
    return author, {key_id: public for _, key_id, public, _, removed, _ in _keys(local, scope) if not removed}


def require_sealed(local: "LocalReplica", scope: str, patch: Patch) -> None:
    """Return where an edit of a message says nothing in the open that is to be encrypted. Raises ThreadEncrypted."""
    parts = [part for side in SIDES if isinstance(part := patch.get(side), Mapping)]
    if any(map(_says_openly, parts)) and is_encrypted(local, scope):
        raise ThreadEncrypted(scope)


def verified(local: "LocalReplica", scope: str, opened: OpenedParts) -> OpenedParts:
    """Mark what was signed by a device of its side that nobody here has accepted, or by none of that side."""
    if not opened or not _is_known(local, scope):
        return opened
    people = _people(scope)
    return {
        side: part
        if part.encryption != "open" or _is_trusted(local, part.signer, people[side])
        else msgspec.structs.replace(part, encryption="unverified")
        for side, part in opened.items()
    }


def forget_all(local: "LocalReplica") -> None:
    """Let go of keys and whom they trust, within a transaction of the caller: the next user is another one."""
    local.keys.empty()
    local.store.sql.execute("DELETE FROM trusted_keys")
    local.store.sql.execute("DELETE FROM removed_keys")
    local.store.sql.execute("DELETE FROM encrypted_threads")


def _says_openly(part: Mapping[str, Any]) -> bool:
    return any(part.get(field) is not None for field in OPENLY) or (
        part.get("media_id") is not None and part.get("sealed") is None
    )


def _published(local: "LocalReplica", scope: str) -> "KeyPair":
    """Give this device's key, which stands in its side's part of a thread, and is trusted.

    A key that was taken out is not put back: another one is drawn.
    """
    side = _own_side(local, scope)
    removed_by_id = {key_id: removed for of, key_id, _, _, removed, _ in _keys(local, scope) if of == side}
    own = local.keys.current()
    if own is None or removed_by_id.get(own.key_id):
        own = local.keys.draw()
    if own.key_id not in removed_by_id:
        entry = {"key": key_text(own.public), "device": local.keys.device, "client_id": local.client_id}
        local.create(DEVICE_KEYS.name, scope, {side: {own.key_id: entry}}, record_id=_record_id(scope))
        _trust(local, scope, [(side, own.key_id)])
    return own


def _get_to_know(local: "LocalReplica", scope: str) -> None:
    """Trust who is there when this device first sees a thread encrypted; those taken out, as authors of the past."""
    _trust(local, scope, [(side, key_id) for side, key_id, *_ in _keys(local, scope)])
    local.store.sql.execute("INSERT OR IGNORE INTO encrypted_threads (scope) VALUES (?)", (scope,))


def _trust(local: "LocalReplica", scope: str, keys: Sequence[tuple[Side, str]]) -> None:
    people = _people(scope)
    local.store.sql.executemany(
        "INSERT OR IGNORE INTO trusted_keys (key_id, person_id) VALUES (?, ?)",
        [(key_id, people[side]) for side, key_id in keys],
    )


def _is_trusted(local: "LocalReplica", key_id: str | None, person_id: str) -> bool:
    sql = "SELECT EXISTS (SELECT 1 FROM trusted_keys WHERE key_id = ? AND person_id = ?)"
    return bool(local.store.sql.execute(sql, (key_id, person_id)).fetchone()[0])


def _keys(local: "LocalReplica", scope: str) -> list[tuple[Side, str, bytes, str, bool, bool]]:
    """List the keys of a thread: side, id, key, device, whether it was taken out, whether it is trusted."""
    with sqlite_errors(local.store.path):
        rows = local.store.sql.execute(_DEVICES, (scope,)).fetchall()
    return [
        (side, key_id, key_bytes(text), device, bool(removed), bool(trusted))
        for side, key_id, text, device, removed, trusted in rows
    ]


def _is_known(local: "LocalReplica", scope: str) -> bool:
    """Tell whether this device has seen a thread encrypted; until then it trusts whoever is there."""
    sql = "SELECT EXISTS (SELECT 1 FROM encrypted_threads WHERE scope = ?)"
    return bool(local.store.sql.execute(sql, (scope,)).fetchone()[0])


def _own_side(local: "LocalReplica", scope: str) -> Side:
    role = local.role_in(scope)
    return next(side for side in SIDES if side == role)


def _people(scope: str) -> Mapping[str, str]:
    _, coach, athlete = Scope.parse(scope)
    return {"coach": coach, "athlete": athlete}


def _record_id(scope: str) -> str:
    _, coach, athlete = Scope.parse(scope)
    return device_keys_id(coach, athlete)
