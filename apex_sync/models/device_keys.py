"""Device keys: for which devices the messages of a thread are encrypted, once somebody has asked for that.

One record a thread. Each side has a part, which only that side may write, with the public keys of its devices by key
id: a key is added and taken out, and never changed, so devices that do not know of each other cannot contradict each
other. `encryption` is turned on by either side and off by nobody: `on` is all it can ever say.
"""

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator
from hashlib import sha256
from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from apex_sync.collection import Collection, Leaf, Record
from apex_sync.errors import FieldProblem
from apex_sync.ids import derived_id
from apex_sync.models.fields import Name
from apex_sync.problems import patterned

PUBLIC_KEY_BYTES = 64
"""An X25519 key, for which is encrypted, and the Ed25519 key of the same device, with which it signs."""

KEYS_MAX = 500
"""Of one side, those taken out included: a new phone a month for forty years."""

On = Annotated[str, Meta(pattern=patterned(r"^on$(?!\n)", "`on`"))]
KeyId = Annotated[str, Meta(min_length=22, max_length=22)]
PublicKey = Annotated[str, Meta(pattern=patterned(r"^[A-Za-z0-9_-]{86}$(?!\n)", "64 bytes in base64url"))]


class DeviceKey(Struct, omit_defaults=True, forbid_unknown_fields=True, kw_only=True):
    """The public key of one device; its key in the map is `key_id_of` it."""

    key: Leaf[PublicKey] = UNSET
    device: Leaf[Name] = UNSET
    """What the device calls itself."""
    client_id: Leaf[Annotated[int, Meta(ge=1, le=2**53 - 1)]] = UNSET
    """Of the installation: when the server signs that out, it takes the key out."""
    deleted: Literal[True] | UnsetType = UNSET
    """Nothing is encrypted for it any more, for ever: no other value has its type."""


class DeviceKeys(Record):
    """The devices that read a thread, and whether its messages are encrypted for them."""

    encryption: On | UnsetType = UNSET
    coach: Annotated[dict[KeyId, DeviceKey], Meta(max_length=KEYS_MAX)] | UnsetType = UNSET
    athlete: Annotated[dict[KeyId, DeviceKey], Meta(max_length=KEYS_MAX)] | UnsetType = UNSET


def device_keys_id(coach_id: str, athlete_id: str) -> str:
    """Give the id of the record of a thread, the same on every device."""
    return derived_id("device_keys", coach_id, athlete_id)


def key_id_of(public_key: bytes) -> str:
    """Name a public key.

    >>> key_id_of(bytes(64))
    '9aX9QtFqIDAnmO9u0wmXmw'
    """
    return key_text(sha256(public_key).digest()[:16])


def key_text(value: bytes) -> str:
    """Write bytes into a leaf: base64url, without padding."""
    return urlsafe_b64encode(value).rstrip(b"=").decode()


def key_bytes(text: str) -> bytes:
    """Read what `key_text` wrote. Raises ValueError."""
    value = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if key_text(value) != text:
        raise ValueError("not base64url")
    return value


def public_key_of(key_id: str, text: str | None) -> bytes | None:
    """Give a public key where it is the one that its id names, else None."""
    try:
        public_key = key_bytes(text or "")
    except (binascii.Error, ValueError):
        return None
    return public_key if len(public_key) == PUBLIC_KEY_BYTES and key_id_of(public_key) == key_id else None


def _check(keys: DeviceKeys) -> Iterator[FieldProblem]:
    for side in ("coach", "athlete"):
        for key_id, each in (getattr(keys, side) or {}).items():
            if public_key_of(key_id, each.key or None) is None:
                yield FieldProblem(f"{side}.{key_id}.key", "is not the key that its id names")


DEVICE_KEYS = Collection(
    name="device_keys",
    model=DeviceKeys,
    scope_kinds=frozenset({"thread"}),
    default_writers=frozenset({"system"}),
    writers={
        "encryption": frozenset({"coach", "athlete"}),
        "coach": frozenset({"coach"}),
        "athlete": frozenset({"athlete"}),
    },
    check=_check,
    version=2,
)
