"""How a server recognises this device across sign-outs: by the token that it gave here for each account.

An account that has not answered its mail opens with such a token alone, so none is lost to the sign-in of another one.
What stands here of an address, which stays after signing out, is a fingerprint.
"""

import hashlib
from collections.abc import Sequence

import msgspec
from msgspec import Struct

from apex_client.accounts import User
from apex_client.local import LocalReplica
from apex_sync.addresses import email_key

__all__ = ["device_token", "device_tokens", "forget_device", "keep_device_token"]

SETTING = "device_tokens"
"""The setting that holds them, the last used first."""

KEPT_MAX = 16
"""Accounts: a family's tablet has fewer."""

TRIED_MAX = 3
"""At one sign-in: a mistyped password is a guess for each, and a server takes twenty in a quarter of an hour."""


class _KnownDevice(Struct, frozen=True, omit_defaults=True):
    """One account's token; whose it is was not written down by earlier versions, and it is then anybody's."""

    token: str
    user_id: str = ""
    address: str = ""

    def __repr__(self) -> str:
        return f"_KnownDevice({self.user_id!r}, ...)"


def device_tokens(local: LocalReplica, email: str) -> Sequence[str]:
    """Give the tokens to try when somebody signs in with an address, the last used first.

    Where there is none, it is the last used of all: its account may have changed its address on another device.
    """
    address, kept = _fingerprint(email), _read(local)
    of_address = [known for known in kept if known.address in (address, "")]
    return [known.token for known in of_address[:TRIED_MAX] or kept[:1]]


def device_token(local: LocalReplica, user_id: str) -> str | None:
    """Give the token of an account."""
    tokens = {known.user_id: known.token for known in reversed(_read(local))}
    return tokens.get(user_id) or tokens.get("")


def keep_device_token(local: LocalReplica, user: User, token: str) -> None:
    """Keep the token of an account that was just signed in to, within a transaction of the caller."""
    known = _KnownDevice(token, user.id, _fingerprint(user.email))
    others = [other for other in _read(local) if other.user_id != user.id and other.token != token]
    _save(local, [known, *others][:KEPT_MAX])


def forget_device(local: LocalReplica, user_id: str) -> None:
    """Forget the token of an account that was erased, within a transaction of the caller."""
    _save(local, [known for known in _read(local) if known.user_id not in (user_id, "")])


def _fingerprint(email: str) -> str:
    return hashlib.sha256(email_key(email).encode("utf-8", "surrogatepass")).hexdigest()


def _read(local: LocalReplica) -> list[_KnownDevice]:
    with local.store.transaction():
        value = local.store.setting(SETTING)
    return msgspec.json.decode(value, type=list[_KnownDevice]) if value else []


def _save(local: LocalReplica, known: list[_KnownDevice]) -> None:
    local.store.keep_setting(SETTING, msgspec.json.encode(known) if known else None)
