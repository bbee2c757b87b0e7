"""Codes of an authenticator app: TOTP of RFC 6238 with SHA-1, six digits and steps of 30 seconds, as every app has it.

Nothing here touches the database: who calls keeps the newest step that was taken, and passes it in. A code is good for
its step and one to either side, and never again once it, or a later one, was taken.
"""

import re
import secrets
from datetime import datetime
from typing import NamedTuple

import pyotp
import segno

__all__ = ["ISSUER", "QrCode", "matching_step", "new_seed", "otpauth_uri", "qr_code"]

ISSUER = "Apex"
STEP_SECONDS = 30
STEPS_APART_MAX = 1
"""Phones' clocks are right to seconds; one step covers that, and the time it takes to type."""
_QR_BORDER = 4  # Modules: what the standard asks for.
_SEED_CHARACTERS = 32  # 160 bits in base 32, what RFC 4226 recommends.


def new_seed() -> str:
    """Draw the secret that server and app share, in base 32."""
    return pyotp.random_base32(_SEED_CHARACTERS)


def otpauth_uri(seed: str, account: str) -> str:
    """Give what the QR code says: apps read it, and show the account's name beside the code."""
    return pyotp.TOTP(seed).provisioning_uri(name=account, issuer_name=ISSUER)


class QrCode(NamedTuple):
    """A QR code as an SVG path, one unit a module, with the blank border that scanners want."""

    modules: int
    path: str


def qr_code(text: str) -> QrCode:
    """Draw a text as a QR code.

    >>> qr_code("apex").path[:22]
    'M4 4h7v1h-7zM12 4h2v1h'
    """
    rows = list(segno.make_qr(text).matrix_iter(border=_QR_BORDER))
    runs = [(y, first, last) for y, row in enumerate(rows) for first, last in _runs(bytes(row))]
    return QrCode(len(rows), "".join(f"M{first} {y}h{last - first}v1h-{last - first}z" for y, first, last in runs))


def _runs(row: bytes) -> list[tuple[int, int]]:
    return [found.span() for found in re.finditer(rb"\x01+", row)]


def matching_step(seed: str, code: str, *, now: datetime, after_step: int) -> int | None:
    """Give the step whose code this is, if it is one of those good now and newer than `after_step`.

    >>> from datetime import UTC, datetime
    >>> now = datetime.fromtimestamp(59, UTC)
    >>> matching_step("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", "287082", now=now, after_step=0)
    1
    >>> matching_step("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", "287082", now=now, after_step=1)
    """
    this_step = int(now.timestamp()) // STEP_SECONDS
    generator = pyotp.HOTP(seed)
    matched = None
    # All are compared, always, so the time taken tells nothing.
    for step in range(this_step - STEPS_APART_MAX, this_step + STEPS_APART_MAX + 1):
        if step > after_step and secrets.compare_digest(generator.at(step).encode(), code.encode()):
            matched = step
    return matched
