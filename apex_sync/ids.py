"""Ids: of records (UUID), of entries within a record (short), of installations (53-bit client ids), of scopes (names).

Randomness and time are passed in, so a simulation repeats from its seed.
"""

from functools import lru_cache
from typing import NamedTuple
from uuid import UUID, uuid5

from apex_sync.op import EXACT_INT_MAX

ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_"
"""The digits of `b64`, in the order of docs/protocol.md."""

ENTRY_KEY_LENGTH = 6
"""36 bits: two devices that each add 1,000 entries to one record collide once in 69,000 such records."""

APEX_NAMESPACE = UUID("6b8c6b2e-0d5c-5c1e-9a51-3f1f0a3e7d10")
SCOPE_KINDS = ("athlete", "private", "thread", "coach", "library", "global")
IDS_IN_SCOPE = {"global": 0, "private": 2, "thread": 2}
"""How many ids the name of a scope has, where it is not one."""

SCOPES_REMEMBERED_MAX = 4096
"""Names of scopes that were read, about 2 MB: a server reads each several times for one record, and it costs 5 µs."""


def record_id_from(milliseconds: int, entropy: bytes) -> str:
    """Make the id of a new record: a UUIDv7, so that neighbours in time are neighbours in an index.

    `entropy` is 10 random bytes.
    """
    number = (milliseconds & (1 << 48) - 1) << 80 | int.from_bytes(entropy, "big")
    number = number & ~(0xF << 76) | 0x7 << 76
    number = number & ~(0x3 << 62) | 0x2 << 62
    return str(UUID(int=number))


def derived_id(*parts: str) -> str:
    """Make the id of a record that is determined by others (an insight for a check-in, an imported session).

    >>> derived_id("strong", "2026-03-01T18:05:00") == derived_id("strong", "2026-03-01T18:05:00")
    True
    """
    return str(uuid5(APEX_NAMESPACE, "\x1f".join(parts)))


def entry_key_from(entropy: bytes) -> str:
    """Make the short id of a new entry from 5 random bytes."""
    return b64(int.from_bytes(entropy, "big") & (1 << 6 * ENTRY_KEY_LENGTH) - 1).rjust(ENTRY_KEY_LENGTH, "0")


def client_id_from(entropy: bytes) -> int:
    """Make the id of an installation from 7 random bytes: 1 to 2**53 - 1."""
    return int.from_bytes(entropy, "big") % EXACT_INT_MAX + 1


def b64(number: int) -> str:
    """Write a natural number in base 64, most significant digit first, no padding.

    >>> b64(0), b64(63), b64(64)
    ('0', '_', '10')
    """
    if number < 64:
        return ALPHABET[number]
    digits = []
    while number:
        digits.append(ALPHABET[number & 63])
        number >>= 6
    return "".join(reversed(digits))


class Scope(NamedTuple):
    """What is replicated and authorised as a whole.

    By name: `athlete:<user id>`, `private:<coach id>:<athlete id>`, `thread:<coach id>:<athlete id>`, `coach:<id>`,
    `library:<coach id>`, `global`.
    """

    kind: str
    owner_id: str = ""
    about_id: str = ""

    @classmethod
    @lru_cache(maxsize=SCOPES_REMEMBERED_MAX)
    def parse(cls, name: str) -> "Scope":
        """Read a scope name. Raises ValueError when it is none."""
        kind, *ids = name.split(":")
        if kind not in SCOPE_KINDS or len(ids) != IDS_IN_SCOPE.get(kind, 1):
            raise ValueError(f"not a scope: {name!r}")
        if any(str(UUID(part)) != part for part in ids):
            raise ValueError(f"not a canonical UUID in scope {name!r}")
        return cls(kind, *ids)

    @property
    def name(self) -> str:
        """The canonical name, as it stands on the wire."""
        return ":".join(part for part in self if part)

    @property
    def id(self) -> UUID:
        """The key of the scope in Postgres: 16 bytes instead of a name in every row."""
        return _key_of(self)


def athlete_scope(athlete_id: str) -> str:
    """Name the scope of an athlete's own records."""
    return f"athlete:{athlete_id}"


def private_scope(coach_id: str, athlete_id: str) -> str:
    """Name the scope of what a coach keeps about an athlete and the athlete does not read."""
    return f"private:{coach_id}:{athlete_id}"


def thread_scope(coach_id: str, athlete_id: str) -> str:
    """Name the scope of what a coach and an athlete write to each other."""
    return f"thread:{coach_id}:{athlete_id}"


def library_scope(coach_id: str) -> str:
    """Name the scope of what a coach shares with all athletes of theirs."""
    return f"library:{coach_id}"


@lru_cache(maxsize=SCOPES_REMEMBERED_MAX)
def _key_of(scope: Scope) -> UUID:
    return UUID(scope.owner_id) if scope.kind == "athlete" else uuid5(APEX_NAMESPACE, scope.name)
