"""Passkeys: keys that a phone, a computer or a security key keeps, and opens to a finger, a face or a PIN.

One is two factors at once and cannot be phished, so nothing else is asked of whoever signs in with one. Everything that
does not hold gets one and the same answer. A counter that ran backwards means that two parties hold the key; as nobody
can tell which is the thief, it opens nothing any more, for either.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import structlog

from apex_server.audit import record_event
from apex_server.auth.errors import PasskeyExists, PasskeyRefused, PasskeysUnavailable, TooManyPasskeys
from apex_server.auth.passkey_ceremonies import Answer, CeremonyFailed, RelyingParty
from apex_server.auth.payloads import PasskeyView
from apex_server.db import Connection, Database, load_queries
from apex_server.errors import InvalidFields, NotFound
from apex_server.people import PASSKEY_NAME, clean_name
from apex_server.vault import UserKey, Vault

__all__ = ["PASSKEYS_MAX", "Passkeys"]

PASSKEYS_MAX = 20
"""An account's: more than anybody has devices and keys."""

_queries = load_queries(__package__)
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, repr=False)
class Passkeys:
    """An account's passkeys, and the way in by them."""

    database: Database
    relying_party: RelyingParty | None
    now: Callable[[], datetime]

    @property
    def vault(self) -> Vault:
        """The keys under which names stand."""
        return self.database.vault

    @property
    def party(self) -> RelyingParty:
        """This server as authenticators know it. Raises PasskeysUnavailable."""
        if self.relying_party is None:
            raise PasskeysUnavailable
        return self.relying_party

    async def registration_options(
        self, connection: Connection, user_id: UUID, *, account: str, name: str
    ) -> dict[str, Any]:
        """Give what the browser needs to make a passkey. Raises TooManyPasskeys, PasskeysUnavailable."""
        rows = await connection.fetch(_queries.list_passkeys, user_id)
        if len(rows) >= PASSKEYS_MAX:
            raise TooManyPasskeys(PASSKEYS_MAX)
        known = [row["credential_id"] for row in rows]
        return self.party.registration_options(user_id, account=account, name=name, known=known, now=self.now())

    async def add(
        self, connection: Connection, user_id: UUID, credential: dict[str, Any], typed_name: str
    ) -> PasskeyView:
        """Keep a passkey that was made just now.

        Raises InvalidFields, PasskeyExists, TooManyPasskeys, PasskeysUnavailable.
        """
        name = clean_name(typed_name, field="name")
        try:
            made = self.party.registered(user_id, credential, now=self.now())
        except CeremonyFailed as error:
            _log.info("passkey_not_registered", user_id=str(user_id), reason=error.reason)
            raise InvalidFields.one("credential", "Expected what the browser made of these options just now") from error
        await connection.execute(_queries.lock_second_factors, user_id)
        if not await self._use_challenge(connection, made.challenge, made.challenge_expires_at):
            raise InvalidFields.one("credential", "Expected an answer that was not given before")
        if len(await connection.fetch(_queries.list_passkeys, user_id)) >= PASSKEYS_MAX:
            raise TooManyPasskeys(PASSKEYS_MAX)
        key = await self.vault.user_key(connection, user_id)
        passkey_id, now = uuid4(), self.now()
        arguments = (made.credential_id, made.public_key, made.sign_count)
        sealed = key.seal_text(name, what=PASSKEY_NAME)
        try:
            await connection.execute(_queries.add_passkey, user_id, passkey_id, *arguments, sealed, made.synced, now)
        except asyncpg.UniqueViolationError as error:
            raise PasskeyExists from error
        return PasskeyView(
            id=passkey_id, name=name, synced=made.synced, created_at=now, last_used_at=None, copied=False
        )

    async def list(self, connection: Connection, user_id: UUID) -> list[PasskeyView]:
        """List an account's passkeys, the oldest first."""
        rows = await connection.fetch(_queries.list_passkeys, user_id)
        key = await self.vault.user_key(connection, user_id)
        return [_view(row, key) for row in rows]

    async def rename(self, connection: Connection, user_id: UUID, passkey_id: UUID, typed_name: str) -> PasskeyView:
        """Rename a passkey. Raises NotFound, InvalidFields."""
        key = await self.vault.user_key(connection, user_id)
        sealed = key.seal_text(clean_name(typed_name, field="name"), what=PASSKEY_NAME)
        row = await connection.fetchrow(_queries.rename_passkey, user_id, passkey_id, sealed)
        if row is None:
            raise NotFound("passkey")
        return _view(row, key)

    async def remove(self, connection: Connection, user_id: UUID, passkey_id: UUID) -> None:
        """Remove a passkey; the password goes on to sign in. Raises NotFound."""
        if await connection.fetchval(_queries.remove_passkey, user_id, passkey_id) is None:
            raise NotFound("passkey")

    def sign_in_options(self) -> dict[str, Any]:
        """Give what the browser needs to sign in with a passkey, of whoever. Raises PasskeysUnavailable."""
        return self.party.sign_in_options(now=self.now())

    async def claimed(self, credential: dict[str, Any]) -> tuple[UUID, Answer]:
        """Read an answer and give whose it claims to be. Raises PasskeyRefused, PasskeysUnavailable."""
        try:
            answer = self.party.answered(credential, now=self.now())
        except CeremonyFailed as error:
            raise self._refused(error.reason) from error
        async with self.database.request(None) as connection:
            user_id: UUID | None = await connection.fetchval(_queries.find_passkey_owner, answer.credential_id)
        if user_id is None:
            raise self._refused("an unknown credential")
        return user_id, answer

    async def prove(
        self, connection: Connection, user_id: UUID, answer: Answer, *, address: str
    ) -> PasskeyRefused | None:
        """Verify an answer; `connection` acts for the person, and None means that it is them.

        A refusal is given back, to be raised once the transaction stands: a copied key has to be remembered.
        """
        if not await connection.fetchval(_queries.may_still_sign_in, answer.begun_at):
            return self._refused("a challenge from before sessions were ended")
        row = await connection.fetchrow(_queries.get_passkey, user_id, answer.credential_id)
        if row is None or row["copied_at"] is not None:
            return self._refused("a passkey that opens nothing")
        try:
            count = self.party.verified_count(answer, user_id, row["public_key"])
        except CeremonyFailed as error:
            return self._refused(error.reason)
        if not await self._use_challenge(connection, answer.challenge, answer.challenge_expires_at):
            return self._refused("a challenge that was answered before")
        if (count or row["sign_count"]) and count <= row["sign_count"]:
            await connection.execute(_queries.note_passkey_copied, user_id, row["id"], self.now())
            detail = {"passkey_id": str(row["id"])}
            await record_event(
                connection,
                user_id,
                "passkey_copied",
                vault=self.vault,
                actor_id=None,
                address=address,
                detail=detail,
            )
            _log.warning("passkey_copied", user_id=str(user_id), passkey_id=str(row["id"]))
            return self._refused("a counter that ran backwards")
        await connection.execute(_queries.note_passkey_used, user_id, row["id"], count, self.now())
        return None

    async def _use_challenge(self, connection: Connection, challenge: bytes, expires_at: datetime) -> bool:
        digest = sha256(challenge).digest()
        return bool(await connection.fetchval(_queries.use_passkey_challenge, digest, expires_at, self.now()))

    def _refused(self, reason: str) -> PasskeyRefused:
        _log.info("passkey_refused", reason=reason)
        return PasskeyRefused()


def _view(row: Any, key: UserKey) -> PasskeyView:
    return PasskeyView(
        id=row["id"],
        name=key.open_text(row["name_sealed"], what=PASSKEY_NAME),
        synced=row["synced"],
        created_at=row["created_at"],
        last_used_at=row["last_used_at"],
        copied=row["copied_at"] is not None,
    )
