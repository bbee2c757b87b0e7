"""Recovery codes: ten keys for the day the phone is gone, each good for one sign-in.

A code has 120 random bits in Crockford's base 32, so a plain hash is enough to keep (ASVS 5.0, 6.5.2 asks for 112);
what is easily confused when reading counts as the same.
"""

import secrets

from apex_server.opaque_tokens import fingerprint

__all__ = ["CODES", "new_recovery_codes", "recovery_fingerprint"]

CODES = 10
"""Enough for years of lost phones, and few enough to be printed."""

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_GROUPS = 6
_GROUP_LENGTH = 4
_READ_ALIKE = str.maketrans("OIL", "011", "- ")


def new_recovery_codes() -> list[str]:
    """Draw CODES codes such as `K7QF-93XZ-0MPA-V418-TWEN-2D6R`."""
    return ["-".join(_group() for _ in range(_GROUPS)) for _ in range(CODES)]


def recovery_fingerprint(code: str) -> bytes:
    """What stands in the database for a code, however it was typed.

    >>> recovery_fingerprint("k7qf 93xz ompa v4l8 twen 2d6r") == recovery_fingerprint("K7QF-93XZ-0MPA-V418-TWEN-2D6R")
    True
    """
    return fingerprint(code.upper().translate(_READ_ALIKE))


def _group() -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(_GROUP_LENGTH))
