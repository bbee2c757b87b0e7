"""Access tokens: signed statements who calls, valid for minutes, checked without asking anybody.

JWT as RFC 9068 shapes it (`typ: at+jwt`) under the rules of RFC 8725: one algorithm, chosen by the server and never
by the token; a key named by `kid` out of a known few; issuer, audience and times checked. The header of a token is
compared with the few that this server writes and never parsed, so nothing unsigned is interpreted. They are signed by a
shared secret (HS256) because the only party that reads them is the one that wrote them.
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import jwt
import msgspec

from apex_server.caller import Caller, Role
from apex_server.errors import AccessTokenExpired, AccessTokenInvalid

__all__ = ["ACCESS_TOKEN_LIFETIME", "AccessTokens", "SigningKeys"]

ACCESS_TOKEN_LIFETIME = timedelta(minutes=15)

_ALGORITHM = "HS256"
_TYPE = "at+jwt"
_ISSUER = "apex-server"
_AUDIENCE = "apex-api"
_CLAIMS = ["iss", "aud", "sub", "sid", "did", "role", "iat", "exp", "jti"]
_LENGTH_MAX = 2048
"""Characters. A token of ours has about 500."""
_SERVERS_APART_SECONDS = 30
"""How far the clocks of two of our servers may be apart before one refuses what the other has just issued."""


@dataclass(frozen=True, repr=False)
class SigningKeys:
    """The key that signs, and all that verify; each is named by a fingerprint."""

    current: str
    by_id: Mapping[str, bytes]

    @classmethod
    def derive(cls, secret: str, *former_secrets: str) -> "SigningKeys":
        """Derive the keys from the installation's secret, and from former ones whose tokens are still to be taken."""
        keys = [_derive_key(each) for each in (secret, *former_secrets)]
        return cls(current=_key_id(keys[0]), by_id={_key_id(key): key for key in keys})


class _Claims(msgspec.Struct):
    sub: UUID
    sid: UUID
    did: UUID
    role: Role
    iat: int
    exp: int


class AccessTokens:
    """Writes and reads access tokens."""

    def __init__(self, keys: SigningKeys) -> None:
        self._keys = keys
        self._key_by_header = {_header_segment(key_id, key): key for key_id, key in keys.by_id.items()}

    def issue(self, *, user_id: UUID, role: Role, device_id: UUID, session_id: UUID, now: datetime) -> str:
        """Sign a token for this user on this device, good for ACCESS_TOKEN_LIFETIME."""
        issued_at = int(now.timestamp())
        claims = {
            "iss": _ISSUER,
            "aud": _AUDIENCE,
            "sub": str(user_id),
            "sid": str(session_id),
            "did": str(device_id),
            "role": role,
            "iat": issued_at,
            "exp": issued_at + int(ACCESS_TOKEN_LIFETIME.total_seconds()),
            "jti": uuid4().hex,
        }
        return _sign(claims, self._keys.current, self._keys.by_id[self._keys.current])

    def read(self, token: str, *, now: datetime) -> Caller:
        """Give the caller a token speaks of.

        Raises AccessTokenInvalid, or AccessTokenExpired for one that was good until its time was over.
        """
        try:
            claims = msgspec.convert(self._verified(token), _Claims)
        except (jwt.PyJWTError, msgspec.ValidationError) as error:
            raise AccessTokenInvalid from error
        if claims.iat > now.timestamp() + _SERVERS_APART_SECONDS:
            raise AccessTokenInvalid
        if claims.exp <= now.timestamp():
            raise AccessTokenExpired
        return Caller(claims.sub, claims.role, claims.did, claims.sid, claims.exp)

    def _verified(self, token: str) -> object:
        if len(token) > _LENGTH_MAX or not token.isascii():
            raise jwt.InvalidTokenError("too long, or with letters that no token has")
        key = self._key_by_header.get(token.partition(".")[0])
        if key is None:
            raise jwt.InvalidTokenError("not a header of this server")
        return jwt.decode(
            token,
            key,
            algorithms=[_ALGORITHM],
            issuer=_ISSUER,
            audience=_AUDIENCE,
            # The times are checked against our own clock, which tests can move.
            options={"require": _CLAIMS, "verify_exp": False, "verify_iat": False, "verify_nbf": False},
        )


def _sign(claims: dict[str, object], key_id: str, key: bytes) -> str:
    return jwt.encode(claims, key, algorithm=_ALGORITHM, headers={"typ": _TYPE, "kid": key_id})


def _header_segment(key_id: str, key: bytes) -> str:
    return _sign({}, key_id, key).partition(".")[0]


def _derive_key(secret: str) -> bytes:
    return hmac.digest(secret.encode(), b"apex access token", "sha256")


def _key_id(key: bytes) -> str:
    return hashlib.sha256(b"kid" + key).hexdigest()[:16]
