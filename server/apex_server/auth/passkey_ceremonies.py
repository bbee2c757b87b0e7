"""The two ceremonies of WebAuthn, registering a passkey and signing in with one, without a database.

A challenge is signed by this server and says for how long, for which ceremony and for whom it is good, so a stranger
who asks for a million of them fills no table; that each is answered once, its caller sees to. The person must have
unlocked the authenticator (user verification): possession and a finger, a face or a PIN, two factors in one.

Attestations tell the maker of an authenticator; nobody asks for it here, so no certificate is ever parsed.
"""

import hmac
import secrets
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from urllib.parse import urlsplit
from uuid import UUID

import msgspec
import webauthn
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from webauthn.helpers import (
    parse_attestation_object,
    parse_authentication_credential_json,
    parse_client_data_json,
    parse_registration_credential_json,
)
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AttestationFormat,
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

__all__ = ["Answer", "CeremonyFailed", "NewPasskey", "RelyingParty", "relying_party"]

CHALLENGE_LIFETIME = timedelta(minutes=5)
"""Time to find the key; the browser's own dialog gives up sooner."""

_NONCE_BYTES = 16
_TIME_BYTES = 8
_MAC_BYTES = 32
_MILLISECONDS = 1000
_BARE_FORMATS = frozenset({AttestationFormat.NONE, AttestationFormat.PACKED})

_HOSTILE = (
    WebAuthnException,
    InvalidSignature,
    UnsupportedAlgorithm,
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
    ArithmeticError,
    EOFError,
    RecursionError,
)
"""What the library may raise over bytes that somebody made up; a test feeds it such bytes."""


class CeremonyFailed(Exception):
    """The answer does not prove what it should; `reason` is for the log."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Answer(NamedTuple):
    """What an answer to a sign-in claims, before any of it is verified, with the challenge that is known to be ours."""

    credential_id: bytes
    user_handle: bytes
    challenge: bytes
    challenge_expires_at: datetime
    credential: dict[str, Any]

    @property
    def begun_at(self) -> datetime:
        """When the challenge was given out."""
        return self.challenge_expires_at - CHALLENGE_LIFETIME


class NewPasskey(NamedTuple):
    """A credential that was made just now."""

    credential_id: bytes
    public_key: bytes
    sign_count: int
    synced: bool
    challenge: bytes
    challenge_expires_at: datetime


class RelyingParty:
    """This server, as authenticators know it: `rp_id` is its host name, `origin` what a browser calls its pages."""

    def __init__(self, *, rp_id: str, origin: str, name: str, key: bytes) -> None:
        self.rp_id = rp_id
        self.origin = origin
        self._name = name
        self._key = key

    def registration_options(
        self, user_id: UUID, *, account: str, name: str, known: list[bytes], now: datetime
    ) -> dict[str, Any]:
        """Give what the browser's `navigator.credentials.create` takes, as WebAuthn writes it in JSON."""
        options = webauthn.generate_registration_options(
            rp_id=self.rp_id,
            rp_name=self._name,
            user_id=user_id.bytes,
            user_name=account,
            user_display_name=name,
            challenge=self._challenge(b"register", user_id.bytes, now),
            exclude_credentials=[PublicKeyCredentialDescriptor(id=each) for each in known],
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.REQUIRED,
                require_resident_key=True,
                user_verification=UserVerificationRequirement.REQUIRED,
            ),
        )
        return _as_json(options)

    def registered(self, user_id: UUID, credential: dict[str, Any], *, now: datetime) -> NewPasskey:
        """Verify the answer to `registration_options` of the same person. Raises CeremonyFailed."""
        try:
            parsed = parse_registration_credential_json(credential)
            challenge, expires_at = self._own_challenge(
                b"register", user_id.bytes, parsed.response.client_data_json, now
            )
            attestation = parse_attestation_object(parsed.response.attestation_object)
            if attestation.fmt not in _BARE_FORMATS or attestation.att_stmt.x5c:
                raise CeremonyFailed("an attestation that nobody asked for")
            verified = webauthn.verify_registration_response(
                credential=parsed,
                expected_challenge=challenge,
                expected_rp_id=self.rp_id,
                expected_origin=self.origin,
                require_user_verification=True,
            )
        except _HOSTILE as error:
            raise CeremonyFailed(str(error)) from error
        return NewPasskey(
            verified.credential_id,
            verified.credential_public_key,
            verified.sign_count,
            verified.credential_backed_up,
            challenge,
            expires_at,
        )

    def sign_in_options(self, *, now: datetime) -> dict[str, Any]:
        """Give what `navigator.credentials.get` takes; it names no credential, so it tells nothing about anybody."""
        options = webauthn.generate_authentication_options(
            rp_id=self.rp_id,
            challenge=self._challenge(b"sign in", b"", now),
            user_verification=UserVerificationRequirement.REQUIRED,
        )
        return _as_json(options)

    def answered(self, credential: dict[str, Any], *, now: datetime) -> Answer:
        """Read an answer to `sign_in_options`, far enough to look its credential up. Raises CeremonyFailed."""
        try:
            parsed = parse_authentication_credential_json(credential)
            challenge, expires_at = self._own_challenge(b"sign in", b"", parsed.response.client_data_json, now)
        except _HOSTILE as error:
            raise CeremonyFailed(str(error)) from error
        return Answer(parsed.raw_id, parsed.response.user_handle or b"", challenge, expires_at, credential)

    def verified_count(self, answer: Answer, user_id: UUID, public_key: bytes) -> int:
        """Verify an answer against the credential's key, and give the authenticator's counter. Raises CeremonyFailed.

        The counter is for the caller to compare: a signature that is right and a counter that is not tell of a copy.
        """
        if not hmac.compare_digest(answer.user_handle, user_id.bytes):
            raise CeremonyFailed("a user handle of somebody else")
        try:
            verified = webauthn.verify_authentication_response(
                credential=answer.credential,
                expected_challenge=answer.challenge,
                expected_rp_id=self.rp_id,
                expected_origin=self.origin,
                credential_public_key=public_key,
                credential_current_sign_count=0,
                require_user_verification=True,
            )
        except _HOSTILE as error:
            raise CeremonyFailed(str(error)) from error
        return verified.new_sign_count

    def _challenge(self, ceremony: bytes, subject: bytes, now: datetime) -> bytes:
        expires_ms = int((now + CHALLENGE_LIFETIME).timestamp() * _MILLISECONDS)
        body = secrets.token_bytes(_NONCE_BYTES) + expires_ms.to_bytes(_TIME_BYTES)
        return body + self._mac(ceremony, subject, body)

    def _own_challenge(
        self, ceremony: bytes, subject: bytes, client_data: bytes, now: datetime
    ) -> tuple[bytes, datetime]:
        challenge = parse_client_data_json(client_data).challenge
        body, mac = challenge[:-_MAC_BYTES], challenge[-_MAC_BYTES:]
        if len(body) != _NONCE_BYTES + _TIME_BYTES or not hmac.compare_digest(mac, self._mac(ceremony, subject, body)):
            raise CeremonyFailed("a challenge of somebody else")
        expires_at = datetime.fromtimestamp(int.from_bytes(body[_NONCE_BYTES:]) / _MILLISECONDS, UTC)
        if expires_at <= now:
            raise CeremonyFailed("a challenge whose time is over")
        return challenge, expires_at

    def _mac(self, ceremony: bytes, subject: bytes, body: bytes) -> bytes:
        return hmac.digest(self._key, b"%s\0%s\0%s" % (ceremony, subject, body), "sha256")


def relying_party(secret: str, page_url: str) -> RelyingParty | None:
    """Give this server's, or None where its address is a number: passkeys are bound to names."""
    parts = urlsplit(page_url)
    host = parts.hostname or ""
    if not host or host.replace(".", "").isdigit() or ":" in host:
        return None
    key = hmac.digest(secret.encode(), b"apex passkey challenge", "sha256")
    return RelyingParty(rp_id=host, origin=f"{parts.scheme}://{parts.netloc.lower()}", name="Apex", key=key)


def _as_json(options: Any) -> dict[str, Any]:
    written: dict[str, Any] = msgspec.json.decode(webauthn.options_to_json(options))
    return written
