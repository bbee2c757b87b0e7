"""Sealing with a data key: AES-256-GCM, bound to the place that a value was sealed for.

    sealed value = version (1 byte, 1) · nonce (12 bytes, random) · ciphertext · tag (16 bytes)

`seal_alike` is for what has to be compared while it is sealed: AES-256-SIV, under a key that follows from the data key,
gives equal texts of one person in one place equal bytes. So it tells which are equal, and nothing else.

    sealed alike = version (1 byte, 2) · synthetic nonce (16 bytes) · ciphertext

The key that seals is a person's present one (`key_ring.py`). A value does not say which key that was: one that does not
open with the present key is tried with the others of the ring, which are few.

`what` names the place ("users.name", "records.doc <scope>/<record>"). It is authenticated and not stored, so a value
that somebody copies to another row or column does not open there. Random nonces are safe for 2**32 values per key
(NIST SP 800-38D), and a key seals what one person writes.
"""

import hmac
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cached_property
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, AESSIV

from apex_server.vault.errors import SealBroken
from apex_server.vault.key_ring import DATA_KEY_BYTES, KeyRing

__all__ = ["DATA_KEY_BYTES", "SEAL_OVERHEAD_BYTES", "UserKey"]

NONCE_BYTES: Final = 12
TAG_BYTES: Final = 16
VERSION: Final = b"\x01"
VERSION_ALIKE: Final = b"\x02"
SEAL_OVERHEAD_BYTES: Final = len(VERSION) + NONCE_BYTES + TAG_BYTES


class UserKey:
    """The data key of one person: seals what is theirs, and opens what `others` sealed, too.

    `events` are for those of their account: the first seals, and each opens.
    """

    def __init__(
        self,
        key: bytes,
        *,
        others: Sequence[bytes] = (),
        events: Sequence[bytes] = (),
        entropy: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._key = key
        self._cipher = AESGCM(key)
        self._others = others
        self._events = events
        self._entropy = entropy

    @classmethod
    def of(cls, ring: KeyRing) -> "UserKey":
        """Give what the keys of a person do together."""
        others = (ring.next, *(former.key for former in ring.former))
        events = (ring.events, ring.next_events, *ring.former_events)
        return cls(ring.current, others=[key for key in others if key], events=[key for key in events if key])

    @cached_property
    def events(self) -> "UserKey":
        """Give the keys of events; the first of them sealed media, too, before files had keys of their own."""
        return UserKey(self._events[0], others=self._events[1:]) if self._events else self

    def seal(self, plain: bytes, *, what: str) -> bytes:
        """Encrypt a value for one place; it grows by SEAL_OVERHEAD_BYTES."""
        nonce = self._entropy(NONCE_BYTES)
        return VERSION + nonce + self._cipher.encrypt(nonce, plain, what.encode())

    def open(self, sealed: bytes, *, what: str) -> bytes:
        """Give back what was sealed for that place. Raises SealBroken for anything else."""
        if sealed[:1] != VERSION or len(sealed) < SEAL_OVERHEAD_BYTES:
            raise SealBroken(what)
        try:
            return self._cipher.decrypt(sealed[1 : 1 + NONCE_BYTES], sealed[1 + NONCE_BYTES :], what.encode())
        except InvalidTag as error:
            for other in self._other_keys:
                with suppress(SealBroken):
                    return other.open(sealed, what=what)
            raise SealBroken(what) from error

    def seal_text(self, plain: str, *, what: str) -> bytes:
        """Encrypt a text for one place."""
        return self.seal(plain.encode(), what=what)

    def open_text(self, sealed: bytes, *, what: str) -> str:
        """Give back the text that was sealed for that place. Raises SealBroken."""
        return self.open(sealed, what=what).decode()

    def seal_alike(self, plain: str, *, what: str) -> bytes:
        """Encrypt a text for one place, so that equal texts look alike there."""
        return VERSION_ALIKE + self._alike.encrypt(plain.encode(), [what.encode()]) if plain else VERSION_ALIKE

    def open_alike(self, sealed: bytes, *, what: str) -> str:
        """Give back a text that was sealed alike for that place. Raises SealBroken."""
        if sealed == VERSION_ALIKE:
            return ""
        if sealed[:1] != VERSION_ALIKE:
            raise SealBroken(what)
        try:
            return self._alike.decrypt(sealed[1:], [what.encode()]).decode()
        except InvalidTag as error:
            for other in self._other_keys:
                with suppress(SealBroken):
                    return other.open_alike(sealed, what=what)
            raise SealBroken(what) from error

    def sealed_anew(self, sealed: bytes, *, what: str) -> bytes | None:
        """Seal a value, be it sealed alike, with the present key; None where it is already. Raises SealBroken."""
        alike = sealed[:1] == VERSION_ALIKE
        try:
            self._present.open_alike(sealed, what=what) if alike else self._present.open(sealed, what=what)
        except SealBroken:
            if alike:
                return self.seal_alike(self.open_alike(sealed, what=what), what=what)
            return self.seal(self.open(sealed, what=what), what=what)
        return None

    @cached_property
    def _present(self) -> "UserKey":
        return UserKey(self._key)

    @cached_property
    def _alike(self) -> AESSIV:
        return AESSIV(hmac.digest(self._key, b"apex sealed alike", "sha512"))

    @cached_property
    def _other_keys(self) -> Sequence["UserKey"]:
        return [UserKey(key) for key in self._others]
