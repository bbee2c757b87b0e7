"""Seals what is said in a message for the devices of two people, and opens it on one of them; nothing is invented.

    content   msgpack of what is said
    said      msgpack [public key of the author's device, its Ed25519 signature, content]
    sealed    ChaCha20-Poly1305 of what is said, under a key that is drawn for this message and used once
    wrapped   that key for each device: HPKE (RFC 9180), base mode, DHKEM(X25519, HKDF-SHA256), ChaCha20-Poly1305

All of it is bound to the place: scope, record and side. So no part can be moved to another message, no device that is
not wrapped for opens it, and nobody but the owner of a device writes in its name. Whose device it is, this cannot know:
that is what `thread_keys.py` is about.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property

import msgspec
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from msgspec import Struct

from apex_client.opened_messages import Content
from apex_sync.models.device_keys import key_bytes, key_id_of, key_text
from apex_sync.models.message import Side
from apex_sync.op import Patch

__all__ = ["SECRET_BYTES", "KeyPair", "Place", "SealBroken", "seal", "unseal"]

SECRET_BYTES = 64
"""The private halves of a device: 32 bytes for X25519, 32 for Ed25519."""

KEY_BYTES = 32
NONCE = bytes(12)
"""Each key seals one message, so the nonce need not differ."""

_SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)


class SealBroken(Exception):
    """It was wrapped for this device, and is not what was sealed: changed, moved, or signed by nobody."""


class KeyPair:
    """The keys of one device; the secret never leaves it."""

    def __init__(self, secret: bytes) -> None:
        self._opening = X25519PrivateKey.from_private_bytes(secret[:KEY_BYTES])
        self._signing = Ed25519PrivateKey.from_private_bytes(secret[KEY_BYTES:])

    @cached_property
    def public(self) -> bytes:
        """What others seal for, and know its signatures by."""
        return self._opening.public_key().public_bytes_raw() + self._signing.public_key().public_bytes_raw()

    @cached_property
    def key_id(self) -> str:
        """The name of the public key."""
        return key_id_of(self.public)

    def sign(self, signed: bytes) -> bytes:
        """Sign."""
        return self._signing.sign(signed)

    def unwrap(self, wrapped: bytes, info: bytes) -> bytes:
        """Open what was wrapped for this device. Raises InvalidTag, ValueError."""
        return _SUITE.decrypt(wrapped, self._opening, info=info)


class Place(Struct, frozen=True, array_like=True):
    """Where a message stands: nothing that was sealed for one place opens at another."""

    scope: str
    record_id: str
    side: Side

    def bound(self, purpose: str) -> bytes:
        """Give the bytes that bind to this place, for one purpose."""
        return msgspec.msgpack.encode(["apex-sync", 1, purpose, self])


class _Said(Struct, frozen=True, array_like=True):
    author: bytes
    signature: bytes
    content: bytes


def seal(
    content: Content, place: Place, author: KeyPair, readers: Mapping[str, bytes], entropy: Callable[[int], bytes]
) -> Patch:
    """Seal what is said for the devices with these public keys, by key id; gives the leaves of the part.

    A public key for which nothing can be encrypted is left out; whoever published it reads nothing.
    """
    said, key = msgspec.msgpack.encode(content), entropy(KEY_BYTES)
    signature = author.sign(place.bound("sign") + said)
    sealed = ChaCha20Poly1305(key).encrypt(
        NONCE, msgspec.msgpack.encode(_Said(author.public, signature, said)), place.bound("seal")
    )
    wrapped = {}
    for key_id, public in readers.items():
        try:
            wrapped[key_id] = key_text(
                _SUITE.encrypt(key, X25519PublicKey.from_public_bytes(public[:KEY_BYTES]), info=place.bound("wrap"))
            )
        except ValueError:
            continue
    return {"sealed": key_text(sealed), "wrapped": wrapped}


def unseal(sealed: str, wrapped: Mapping[str, str], place: Place, own: Sequence[KeyPair]) -> tuple[str, Content] | None:
    """Open what is said, with the key id of the device that wrote it; None where it is not wrapped for this device.

    Raises SealBroken.
    """
    mine = next((pair for pair in own if wrapped.get(pair.key_id)), None)
    if mine is None:
        return None
    try:
        key = mine.unwrap(key_bytes(wrapped[mine.key_id]), place.bound("wrap"))
        opened = ChaCha20Poly1305(key).decrypt(NONCE, key_bytes(sealed), place.bound("seal"))
        said = msgspec.msgpack.decode(opened, type=_Said)
        Ed25519PublicKey.from_public_bytes(said.author[KEY_BYTES:]).verify(
            said.signature, place.bound("sign") + said.content
        )
        return key_id_of(said.author), msgspec.msgpack.decode(said.content, type=Content)
    except (InvalidTag, InvalidSignature, ValueError, msgspec.MsgspecError) as error:
        raise SealBroken(place.record_id) from error
