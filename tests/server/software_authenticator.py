"""An authenticator made of software, which does what a phone does, and whatever else a test wants it to do."""

import hashlib
import json
import os
import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

USER_PRESENT, USER_VERIFIED, ATTESTED = 0x01, 0x04, 0x40


@dataclass
class SoftwareAuthenticator:
    """Holds one passkey of one server."""

    origin: str
    rp_id: str
    sign_count: int = 0
    user_handle: bytes = b""
    verifies_user: bool = True
    credential_id: bytes = field(default_factory=lambda: os.urandom(32))
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    def create(self, public_key: dict[str, Any]) -> dict[str, Any]:
        """Do what `navigator.credentials.create` does."""
        self.user_handle = decoded(public_key["user"]["id"])
        numbers = self.key.public_key().public_numbers()
        cose = {1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32), -3: numbers.y.to_bytes(32)}
        attested = bytes(16) + struct.pack(">H", len(self.credential_id)) + self.credential_id + cbor2.dumps(cose)
        attestation = {"fmt": "none", "attStmt": {}, "authData": self._data(ATTESTED) + attested}
        return self._credential(
            clientDataJSON=encoded(self._client_data("webauthn.create", public_key["challenge"])),
            attestationObject=encoded(cbor2.dumps(attestation)),
        )

    def get(self, public_key: dict[str, Any]) -> dict[str, Any]:
        """Do what `navigator.credentials.get` does; every use raises the counter."""
        self.sign_count += 1
        client_data = self._client_data("webauthn.get", public_key["challenge"])
        data = self._data(0)
        signature = self.key.sign(data + hashlib.sha256(client_data).digest(), ec.ECDSA(hashes.SHA256()))
        return self._credential(
            clientDataJSON=encoded(client_data),
            authenticatorData=encoded(data),
            signature=encoded(signature),
            userHandle=encoded(self.user_handle),
        )

    def copied(self) -> "SoftwareAuthenticator":
        """Give what a thief holds who has read the device out: everything, as it is now."""
        key, self.key = self.key, None  # type: ignore[assignment]
        copy = deepcopy(self)
        self.key = copy.key = key
        return copy

    def _data(self, flags: int) -> bytes:
        flags |= USER_PRESENT | (USER_VERIFIED if self.verifies_user else 0)
        return hashlib.sha256(self.rp_id.encode()).digest() + struct.pack(">BI", flags, self.sign_count)

    def _client_data(self, kind: str, challenge: str) -> bytes:
        told = {"type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": False}
        return json.dumps(told).encode()

    def _credential(self, **response: str) -> dict[str, Any]:
        name = encoded(self.credential_id)
        return {"id": name, "rawId": name, "type": "public-key", "response": response, "clientExtensionResults": {}}


def encoded(raw: bytes) -> str:
    """Write bytes as WebAuthn does in JSON."""
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def decoded(text: str) -> bytes:
    """Read what `encoded` wrote."""
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
