"""The keys of one person: what stands, wrapped, in their row of `data_keys`.

    key ring = msgpack {current, events, next?, next_events?, former?, former_events?}
               or, from before keys were renewed, the current key alone

A ring changes as a whole and is read anew for every request, so whoever has it can open whatever was sealed for that
person at that moment. `current` seals. `next` is known to everybody for a while before it does, so that nobody meets a
value sealed with a key that they have not heard of. `former` keys open what is not sealed anew yet, and what backups
hold. Events are chained, and may not be written again: `events` seals those to come, and whatever sealed earlier ones
stays among `former_events`.
"""

from typing import Final

import msgspec
from msgspec import Struct

from apex_server.vault.errors import SealBroken

__all__ = ["DATA_KEY_BYTES", "FORMER_KEYS_MAX", "FormerKey", "KeyRing"]

DATA_KEY_BYTES: Final = 32

FORMER_KEYS_MAX: Final = 8
"""Whoever renews a key more often than once in ten days waits: what does not open is tried with each of them."""


FORMER_EVENTS_KEYS_MAX: Final = 64
"""One a year for a life; after that the last one goes on."""


class FormerKey(Struct, frozen=True, array_like=True):
    """A key that seals nothing any more.

    `needed_until`, in seconds since 1970, says for how long backups need it, once nothing in the database does.
    """

    key: bytes
    needed_until: int | None = None


class KeyRing(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """All keys of one person; the newest former one first."""

    current: bytes
    events: bytes
    next: bytes | None = None
    next_events: bytes | None = None
    former: tuple[FormerKey, ...] = ()
    former_events: tuple[bytes, ...] = ()

    @classmethod
    def read(cls, plain: bytes) -> "KeyRing":
        """Read what was unwrapped. Raises SealBroken."""
        if len(plain) == DATA_KEY_BYTES:
            return cls(current=plain, events=plain)
        try:
            return msgspec.msgpack.decode(plain, type=cls)
        except msgspec.DecodeError as error:
            raise SealBroken("data_keys") from error

    def write(self) -> bytes:
        """Give what is to be wrapped."""
        return msgspec.msgpack.encode(self)

    def announcing(self, key: bytes, events_key: bytes) -> "KeyRing":
        """Let keys be known that will seal soon."""
        next_events = events_key if len(self.former_events) < FORMER_EVENTS_KEYS_MAX else None
        return msgspec.structs.replace(self, next=key, next_events=next_events)

    def renewed(self) -> "KeyRing":
        """Let the keys that were announced seal from now on."""
        if self.next is None:
            raise ValueError("no key was announced")
        former = (FormerKey(self.current), *self.former)
        events, former_events = self.events, self.former_events
        if self.next_events is not None:
            events, former_events = self.next_events, (self.events, *self.former_events)
        return KeyRing(current=self.next, events=events, former=former, former_events=former_events)

    def needed_until(self, seconds: int) -> "KeyRing":
        """Note of the former keys that nothing in the database needs them any more, and until when backups do."""
        noted = tuple(each if each.needed_until else FormerKey(each.key, seconds) for each in self.former)
        return msgspec.structs.replace(self, former=noted)

    def without_those_until(self, seconds: int) -> "KeyRing":
        """Let go of the keys that nothing needs any more."""
        kept = tuple(each for each in self.former if each.needed_until is None or each.needed_until > seconds)
        return msgspec.structs.replace(self, former=kept)
