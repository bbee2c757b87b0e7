"""What happened to somebody's account and data: who did it, when, on which device and from where.

`record_event` belongs into the transaction of what it tells of: either both happen or neither. Events of one person
form a chain (`chain.py`), which `apex-server verify` follows. Network address and details are sealed with the person's
key, so they are gone with it; everything else is ids and times.

Details are a few short values, for the person to read: ids, kinds, counts. What somebody typed stays where it belongs.
"""

import struct
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any, Literal, get_args
from uuid import UUID

import msgspec

from apex_server.audit.chain import AuditChain, link_of
from apex_server.db import Connection, load_queries
from apex_server.vault import UserKey, Vault

__all__ = [
    "ACTIONS",
    "Action",
    "Detail",
    "SealedPart",
    "event_chain_name",
    "event_row",
    "open_sealed_part",
    "record_event",
]

Action = Literal[
    "account_created",
    "account_deletion_asked",
    "account_deletion_cancelled",
    "coach_linked",
    "coach_unlinked",
    "consent_given",
    "consent_withdrawn",
    "device_added",
    "device_removed",
    "email_change_asked",
    "email_change_undone",
    "email_changed",
    "email_verified",
    "export_asked",
    "export_downloaded",
    "invite_lapsed",
    "mfa_disabled",
    "mfa_enabled",
    "mfa_refused",
    "organisation_joined",
    "organisation_left",
    "passkey_added",
    "passkey_copied",
    "passkey_removed",
    "passkey_renamed",
    "password_changed",
    "password_reset",
    "password_reset_asked",
    "phone_added",
    "phone_removed",
    "reader_began",
    "recovery_code_used",
    "recovery_codes_renewed",
    "refresh_token_reused",
    "second_factor_demanded",
    "second_factor_not_demanded",
    "sign_in_refused",
    "signed_in",
    "signed_out",
    "signed_out_everywhere",
    "support_look_begun",
    "support_look_ended",
    "support_read",
    "training_exported",
]
"""Everything that is recorded. A new action is added here, by the alphabet, and described in docs/privacy.md."""

ACTIONS: tuple[Action, ...] = get_args(Action)

Detail = Mapping[str, str | int | float | bool | None]

NO_DETAIL: Detail = MappingProxyType({})

SEALED_BYTES_MAX = 1024
"""Of JSON: a dozen short values. More is content, which does not belong into an audit."""

SEALED_AS = "account_events.sealed"
UNIX_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_queries = load_queries(__package__)


class SealedPart(msgspec.Struct, frozen=True, omit_defaults=True):
    """What of an event is sealed."""

    address: str | None = None
    detail: dict[str, str | int | float | bool | None] = {}


async def record_event(
    connection: Connection,
    subject_id: UUID,
    action: Action,
    *,
    vault: Vault,
    actor_id: UUID | None,
    device_id: UUID | None = None,
    address: str | None = None,
    detail: Detail = NO_DETAIL,
) -> None:
    """Record what is done to a person's account or data, in the transaction that does it.

    `actor_id` None is the server itself, or somebody who is not signed in. Holds the chain of the subject until the
    transaction ends, so let it come last. A person who is not there has no chain, and nothing happens. Raises
    ValueError for details that are content.
    """
    begun = await connection.fetchrow(_queries.begin_event, subject_id, actor_id)
    if begun is None:
        return
    sealed = await sealed_part(subject_id, begun, vault, SealedPart(address, dict(detail)))
    seq, at, role = begun["seq"] + 1, begun["at"], begun["actor_role"]
    chain = AuditChain(vault.server_key("audit_chain"))
    before = begun["state"] or chain.beginning(event_chain_name(subject_id))
    state = chain.after(before, event_row(seq, at, action, actor_id, role, device_id, sealed))
    arguments = (subject_id, seq, at, action, actor_id, role, device_id, sealed, link_of(state), state)
    if not await connection.fetchval(_queries.add_event, *arguments):
        raise AssertionError(f"the chain of {subject_id} moved while it was held")


async def sealed_part(subject_id: UUID, begun: Any, vault: Vault, part: SealedPart) -> bytes | None:
    """Seal what is personal; nothing stays nothing, and what cannot be sealed is not kept."""
    plain = msgspec.json.encode(part)
    if len(plain) > SEALED_BYTES_MAX:
        raise ValueError(f"an event of {len(plain)} bytes of details; {SEALED_BYTES_MAX} are the most")
    if part == SealedPart() or begun["wrapped"] is None:
        return None
    key = await vault.unwrapped(subject_id, begun["wrapped"], begun["master_key_id"])
    return key.events.seal(plain, what=SEALED_AS)


def open_sealed_part(key: UserKey, sealed: bytes | None) -> SealedPart:
    """Open what `record_event` sealed."""
    if sealed is None:
        return SealedPart()
    return msgspec.json.decode(key.events.open(sealed, what=SEALED_AS), type=SealedPart)


def event_chain_name(subject_id: UUID) -> bytes:
    """Name the chain of a person."""
    return b"events of " + subject_id.bytes


def event_row(
    seq: int,
    at: datetime,
    action: str,
    actor_id: UUID | None,
    actor_role: str | None,
    device_id: UUID | None,
    sealed: bytes | None,
) -> bytes:
    """Write an event in the one form that its chain is made over; every part says where it ends."""
    at_us = (at - UNIX_EPOCH) // timedelta(microseconds=1)
    parts = (
        action.encode(),
        actor_id.bytes if actor_id else b"",
        (actor_role or "").encode(),
        device_id.bytes if device_id else b"",
        sealed or b"",
    )
    return struct.pack(">qq", seq, at_us) + b"".join(struct.pack(">I", len(part)) + part for part in parts)
