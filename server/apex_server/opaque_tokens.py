"""Random tokens that are handed out once and kept only as a fingerprint.

A copy of the database therefore opens nothing. A plain SHA-256 is enough, unlike for a password: 256 random bits cannot
be guessed, so there is nothing for a slow hash to slow down.
"""

import hashlib
import secrets

__all__ = ["TOKEN_LENGTH", "TOKEN_LENGTH_MAX", "fingerprint", "new_token"]

_TOKEN_BYTES = 32

TOKEN_LENGTH = 43
"""Characters of each that is drawn."""
TOKEN_LENGTH_MAX = 128
"""Characters. A token of ours has 43, one with its family's name before it 86; whatever is longer is not looked up."""


def new_token() -> str:
    """Draw 256 random bits as 43 characters that need no quoting in a header, a cookie or an address."""
    return secrets.token_urlsafe(_TOKEN_BYTES)


def fingerprint(token: str) -> bytes:
    """What stands in the database for a token: its SHA-256.

    >>> fingerprint("abc").hex()[:16]
    'ba7816bf8f01cfea'
    """
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
