"""Recognises the device somebody signs in on, and binds its client id.

A device proves to be itself by a secret that only it was given, the device token. It is not needed to sign in; a device
that lost it is recognised by client id, kind and name together, and gets a new one. A client id, once bound, belongs to
its device for ever: ops bear it, and two writers under one name would diverge.
"""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID, uuid4

import structlog

from apex_server.auth.payloads import DeviceClaim
from apex_server.db import Connection, load_queries
from apex_server.errors import ClientIdTaken
from apex_server.opaque_tokens import fingerprint, new_token
from apex_server.people import DEVICE_NAME, clean_name
from apex_server.vault import UserKey

__all__ = ["RecognisedDevice", "recognise_device"]

_UNNAMED = DeviceClaim(name="Unnamed device", kind="web")

_queries = load_queries(__package__)
_log = structlog.get_logger(__name__)


class RecognisedDevice(NamedTuple):
    """A device row, and the token it was given just now, if it had none that holds."""

    id: UUID
    new_token: str | None
    is_new: bool = False
    """Whether it was never seen before."""


async def recognise_device(
    connection: Connection,
    user_id: UUID,
    key: UserKey,
    claim: DeviceClaim | None,
    *,
    proven_id: UUID | None,
    now: datetime,
) -> RecognisedDevice:
    """Give the device of a sign-in, a new one if it is not known, with its client id bound to it.

    `proven_id` is the device whose token came along. Raises ClientIdTaken when the client id is another device's.
    """
    device = await _find_or_add(connection, user_id, key, claim, proven_id, now)
    client_id = claim.client_id if claim else None
    if client_id is not None and not await connection.fetchval(_queries.bind_client_id, user_id, device.id, client_id):
        _log.warning("client_id_taken", user_id=str(user_id), client_id=client_id)
        raise ClientIdTaken(client_id)
    return device


async def _find_or_add(
    connection: Connection,
    user_id: UUID,
    key: UserKey,
    claim: DeviceClaim | None,
    proven_id: UUID | None,
    now: datetime,
) -> RecognisedDevice:
    name = clean_name((claim or _UNNAMED).name, field="device.name")
    sealed_name = key.seal_text(name, what=DEVICE_NAME) if claim else None
    if proven_id and await _is_of_kind(connection, user_id, proven_id, claim):
        await connection.execute(_queries.see_device_again, user_id, proven_id, sealed_name, None, now)
        return RecognisedDevice(proven_id, None)
    token = new_token()
    known = claim and await connection.fetchrow(_queries.find_device_of_client, user_id, claim.client_id, claim.kind)
    if known and key.open_text(known["name"], what=DEVICE_NAME) == name:
        await connection.execute(_queries.see_device_again, user_id, known["id"], sealed_name, fingerprint(token), now)
        return RecognisedDevice(known["id"], token)
    new_id, kind = uuid4(), (claim or _UNNAMED).kind
    new_name = key.seal_text(name, what=DEVICE_NAME)
    await connection.execute(_queries.add_device, user_id, new_id, new_name, kind, fingerprint(token), now)
    return RecognisedDevice(new_id, token, is_new=True)


async def _is_of_kind(connection: Connection, user_id: UUID, device_id: UUID, claim: DeviceClaim | None) -> bool:
    return claim is None or claim.kind == await connection.fetchval(_queries.get_device_kind, user_id, device_id)
