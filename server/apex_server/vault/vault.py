"""The vault of a server process: the keys of people, and those of the installation.

A person's keys are one ring (`key_ring.py`), which is wrapped, read, cached and destroyed as a whole.

The invariant: a data key is in the database only wrapped, and only under the master key that the server keys are
wrapped under at that moment (the policy of `data_keys` holds it), so a rotation that has changed these first misses
none. Every call reads the wrapped key anew under the asker's row-level security; only the unwrapping is remembered, so
a key that was destroyed, or is none of the asker's business, does not open for the time being from memory.
"""

import hmac
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, Final, NamedTuple
from uuid import UUID

import asyncpg
from anyio.lowlevel import checkpoint

from apex_server.named_sql import load_queries
from apex_server.vault.data_keys import UserKey
from apex_server.vault.errors import KeyDestroyed, MasterKeyMissing, MasterKeyOutdated
from apex_server.vault.key_ring import DATA_KEY_BYTES, KeyRing
from apex_server.vault.master_keys import FileMasterKeys, MasterKeys

__all__ = ["SERVER_KEYS", "Vault", "server_key_context", "user_key_context"]

queries = load_queries(__package__)

# asyncpg ships no types.
Connection = Any
Connect = Callable[[], AbstractAsyncContextManager[Connection]]
"""Lends a connection that may read and write the keys: of the commit role, or of the owner."""

SERVER_KEYS: Final = ("audit_chain", "email_index")
"""What the installation needs a key of its own for; each is made once and stays the same for ever."""

UNWRAPPED_MAX: Final = 4096
"""About 1 KB each; more people than one process serves at a time."""

UNWRAPPED_IN_A_TURN: Final = 100
"""2 ms, after which whatever else the process does gets its turn: the ten thousand of one coach are 0.2 s."""

UNWRAPPED_SECONDS: Final = 30.0
"""How long a key stays in memory after it was unwrapped: a key service is asked seldom, and a dump holds few keys."""


class Unwrapped(NamedTuple):
    """A key in memory, and until when."""

    key: UserKey
    until: float


class Vault:
    """The keys; made by `Vault.open`, and at hand as `Database.vault`."""

    def __init__(
        self,
        connect: Connect,
        master_keys: MasterKeys,
        *,
        entropy: Callable[[int], bytes] = secrets.token_bytes,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connect = connect
        self.master_keys = master_keys
        self._entropy = entropy
        self._monotonic = monotonic
        self._server_keys: Mapping[str, bytes] = {}
        self._wraps_under = ""
        self._unwrapped: OrderedDict[tuple[UUID, bytes], Unwrapped] = OrderedDict()

    @classmethod
    async def open(cls, connect: Connect, master_keys: MasterKeys) -> "Vault":
        """Open the vault of an installation; the first to do so makes its keys.

        Raises MasterKeyMissing when the database was sealed under another master key.
        """
        vault = cls(connect, master_keys)
        await vault.load_server_keys()
        return vault

    def server_key(self, name: str) -> bytes:
        """Give one of SERVER_KEYS: 32 random bytes that outlive every rotation."""
        return self._server_keys[name]

    def email_index(self, email_key: str) -> bytes:
        """Give what an address is found by, which says nothing about it to whoever lacks the key of the installation.

        `email_key` is what `apex_sync.addresses.email_key` makes of an address.
        """
        return hmac.digest(self._server_keys["email_index"], email_key.encode("utf-8", "surrogatepass"), "sha256")

    async def add_user_key(self, connection: Connection, user_id: UUID) -> UserKey:
        """Make the key of a new user, in the transaction that makes the user.

        Raises MasterKeyOutdated when the master key was changed a moment ago; nothing of the transaction stands then.
        """
        ring = KeyRing(current=self.new_key(), events=self.new_key())
        await self._put(connection, queries.add_data_key, user_id, ring)
        return UserKey.of(ring)

    async def change_user_keys(
        self, connection: Connection, user_id: UUID, change: Callable[[KeyRing], KeyRing]
    ) -> KeyRing:
        """Put another ring in the place of a user's, in a transaction of the commit role; gives the new one.

        Raises KeyDestroyed, MasterKeyMissing, SealBroken, or MasterKeyOutdated as `add_user_key` does.
        """
        row = await connection.fetchrow(queries.lock_data_key, user_id)
        if row is None:
            raise KeyDestroyed(user_id)
        ring = change(await self._unwrap(user_id, row["wrapped"], row["master_key_id"]))
        await self._put(connection, queries.put_data_key, user_id, ring)
        return ring

    def new_key(self) -> bytes:
        """Draw a key."""
        return self._entropy(DATA_KEY_BYTES)

    async def user_key(self, connection: Connection, user_id: UUID) -> UserKey:
        """Give the key of a user whose row the connection's user may see.

        Raises KeyDestroyed where there is none to be had, or MasterKeyMissing.
        """
        keys = await self.user_keys(connection, [user_id])
        if user_id not in keys:
            raise KeyDestroyed(user_id)
        return keys[user_id]

    async def user_keys(self, connection: Connection, user_ids: Iterable[UUID]) -> Mapping[UUID, UserKey]:
        """Give the keys of several users; those that are destroyed or out of sight are missing.

        Raises MasterKeyMissing.
        """
        asked = set(user_ids)
        # For a list Postgres plans the policies anew each time, which takes four times as long as reading a key.
        reading = (queries.get_data_key, *asked) if len(asked) == 1 else (queries.get_data_keys, list(asked))
        keys: dict[UUID, UserKey] = {}
        for row in await connection.fetch(*reading):
            keys[row["user_id"]] = await self.unwrapped(row["user_id"], row["wrapped"], row["master_key_id"])
            if len(keys) % UNWRAPPED_IN_A_TURN == 0:
                await checkpoint()
        return keys

    async def texts(self, connection: Connection, what: str, sealed: Iterable[tuple[UUID, bytes | None]]) -> list[str]:
        """Open texts of several people, in their order; nothing, or what nobody has the key of, is the empty text.

        Raises MasterKeyMissing, or SealBroken.
        """
        pairs = list(sealed)
        keys = await self.user_keys(connection, [user_id for user_id, text in pairs if text is not None])
        return [
            keys[user_id].open_text(text, what=what) if text is not None and user_id in keys else ""
            for user_id, text in pairs
        ]

    async def unwrapped(self, user_id: UUID, wrapped: bytes, master_key_id: str) -> UserKey:
        """Unwrap a user's key as it stands in the database, for whoever has read it together with something else."""
        now = self._monotonic()
        known = self._unwrapped.get((user_id, wrapped))
        if known is not None and known.until > now:
            return known.key
        key = UserKey.of(await self._unwrap(user_id, wrapped, master_key_id))
        self._remember((user_id, wrapped), Unwrapped(key, now + UNWRAPPED_SECONDS))
        return key

    async def _unwrap(self, user_id: UUID, wrapped: bytes, master_key_id: str) -> KeyRing:
        context = user_key_context(user_id)
        return KeyRing.read(await self.master_keys.unwrap(wrapped, master_key_id=master_key_id, context=context))

    async def _put(self, connection: Connection, query: str, user_id: UUID, ring: KeyRing) -> None:
        under, context = self._wraps_under, user_key_context(user_id)
        wrapped = await self.master_keys.wrap(ring.write(), master_key_id=under, context=context)
        try:
            await connection.execute(query, user_id, wrapped, under)
        except asyncpg.InsufficientPrivilegeError as error:
            await self.load_server_keys()
            raise MasterKeyOutdated from error

    def forget_unwrapped(self) -> None:
        """Let go of the keys in memory, as time does."""
        self._unwrapped.clear()

    async def destroy_user_key(self, connection: Connection, user_id: UUID) -> None:
        """Destroy a user's key for good, on a connection of the commit role.

        Whatever was sealed with it is unreadable from the commit on, here, in every copy and in every backup.
        """
        await connection.execute(queries.destroy_data_key, user_id)

    async def load_server_keys(self) -> None:
        """Read the keys of the installation, and make those that are missing."""
        async with self._connect() as connection:
            rows = await connection.fetch(queries.list_server_keys)
            missing = set(SERVER_KEYS) - {row["name"] for row in rows}
            if missing:
                async with connection.transaction():
                    await self._make_server_keys(connection, sorted(missing), known=rows)
                rows = await connection.fetch(queries.list_server_keys)
        self._wraps_under = rows[0]["master_key_id"]
        self._server_keys = {
            row["name"]: await self.master_keys.unwrap(
                row["wrapped"], master_key_id=row["master_key_id"], context=server_key_context(row["name"])
            )
            for row in rows
        }

    async def _make_server_keys(self, connection: Connection, names: list[str], *, known: list[asyncpg.Record]) -> None:
        if not known and isinstance(self.master_keys, FileMasterKeys):
            self.master_keys.make_if_absent()
        # All are under one master key at any time, so new ones go where the others are.
        under = known[0]["master_key_id"] if known else self.master_keys.current_id
        if under is None:
            raise MasterKeyMissing("of this installation", source="its key service")
        for name in names:
            key = self.new_key()
            wrapped = await self.master_keys.wrap(key, master_key_id=under, context=server_key_context(name))
            await connection.execute(queries.add_server_key, name, wrapped, under)

    def _remember(self, place: tuple[UUID, bytes], unwrapped: Unwrapped) -> None:
        self._unwrapped[place] = unwrapped
        self._unwrapped.move_to_end(place)
        while len(self._unwrapped) > UNWRAPPED_MAX or next(iter(self._unwrapped.values())).until <= self._monotonic():
            self._unwrapped.popitem(last=False)


def user_key_context(user_id: UUID) -> str:
    """Name the place of a user's wrapped key."""
    return f"data_keys {user_id}"


def server_key_context(name: str) -> str:
    """Name the place of a wrapped key of the installation."""
    return f"server_keys {name}"
