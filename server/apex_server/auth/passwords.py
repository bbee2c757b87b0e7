"""Password hashing with argon2id, away from the event loop and never more at once than the machine bears.

A hash costs tens of milliseconds and 19 MiB on purpose; unbounded, a burst of sign-ins would stop every sync. So a few
threads hash, a bounded number of callers waits, and the next one is told to come back. An unknown account costs the
same as a wrong password, because it is checked against a hash that nothing matches.
"""

import secrets
import unicodedata
from collections.abc import Callable
from typing import TypeVar

import anyio
import anyio.to_thread
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.low_level import Type

from apex_server.auth.guessable import guessable_because
from apex_server.errors import InvalidFields, ServerBusy
from apex_server.people import PASSWORD_LENGTH_MIN

__all__ = ["Passwords"]

_MEMORY_KIB = 19_456
_PASSES = 3
"""One more than OWASP ASVS 5.0 asks for with this memory."""
_WORKERS = 2
"""Threads. Two leave the other cores to sync and bound the memory to 38 MiB."""
_WAITING_MAX = 64
"""Callers. At 40 ms a hash and two threads the last of them waits little more than a second."""

_Result = TypeVar("_Result")


class Passwords:
    """Hashes and checks passwords; one for the process.

    Weaker parameters are for tests that hash a lot.
    """

    def __init__(
        self,
        *,
        memory_kib: int = _MEMORY_KIB,
        passes: int = _PASSES,
        workers: int = _WORKERS,
        waiting_max: int = _WAITING_MAX,
    ) -> None:
        self._hasher = PasswordHasher(time_cost=passes, memory_cost=memory_kib, parallelism=1, type=Type.ID)
        self._limiter = anyio.CapacityLimiter(workers)
        self._waiting_max = waiting_max
        self._matches_nothing = self._hasher.hash(secrets.token_bytes(32))

    async def hash(self, password: str, *, field: str = "password", known: tuple[str, ...] = ()) -> str:
        """Give the text to store for a new password.

        `known` is what anybody knows of the person. Raises InvalidFields when it is too short once normalised or
        guessed soon, ServerBusy when too many wait already.
        """
        normalised = _normalised(password)
        if len(normalised) < PASSWORD_LENGTH_MIN:
            raise InvalidFields.one(field, f"Expected at least {PASSWORD_LENGTH_MIN} characters")
        if reason := guessable_because(normalised, known=known):
            raise InvalidFields.one(field, f"{reason}. A few words that do not belong together are good")
        return await self._in_worker(lambda: self._hasher.hash(normalised))

    async def hash_again(self, password: str) -> str:
        """Give the text to store for a password that is right and was taken before, under today's parameters.

        Raises ServerBusy when too many wait already.
        """
        return await self._in_worker(lambda: self._hasher.hash(_normalised(password)))

    async def matches(self, password: str, password_hash: str | None) -> bool:
        """Tell whether the password is the one hashed; None, for an account that is not there, takes the same time.

        Raises ServerBusy when too many wait already.
        """
        against = password_hash or self._matches_nothing
        return await self._in_worker(lambda: self._verify(against, _normalised(password))) and password_hash is not None

    def is_outdated(self, password_hash: str) -> bool:
        """Tell whether a hash was made with other parameters than today's and is to be made anew."""
        return self._hasher.check_needs_rehash(password_hash)

    def _verify(self, password_hash: str, password: str) -> bool:
        try:
            return self._hasher.verify(password_hash, password)
        except (VerificationError, InvalidHashError):
            return False

    async def _in_worker(self, work: Callable[[], _Result]) -> _Result:
        if self._limiter.statistics().tasks_waiting >= self._waiting_max:
            raise ServerBusy
        return await anyio.to_thread.run_sync(work, limiter=self._limiter)


def _normalised(password: str) -> str:
    """One text however the keyboard composed it, as RFC 8265 asks: two phones write the same umlaut differently."""
    return unicodedata.normalize("NFKC", password)
