"""Invite codes, and accepting one: registration and the clients slice do it alike.

A code has 100 random bits in Crockford's base 32, in four groups, so that it can be read out over the telephone and
typed on a watch; what is easily confused when reading counts as the same. Only its fingerprint is stored.
"""

import secrets
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from litestar.params import PathParameter

from apex_server.audit import record_event
from apex_server.db import Connection, load_queries
from apex_server.errors import ApiError, EmailNotVerified, NotFound, RoleRequired
from apex_server.invite_errors import InviteExpired, InviteForAnother, InviteRevoked, InviteUsed
from apex_server.mail import ask_for_mail
from apex_server.opaque_tokens import fingerprint
from apex_server.people import USER_NAME
from apex_server.vault import Vault

__all__ = [
    "INVITE_CODE_LENGTH_MAX",
    "CoachLink",
    "InviteCode",
    "InviteOffer",
    "accept_awaiting_invite",
    "accept_invite",
    "accept_or_await_invite",
    "find_offer",
    "invite_fingerprint",
    "invite_refusal",
    "new_invite_code",
    "record_link",
    "standing_offer",
]

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_GROUPS = 4
_GROUP_LENGTH = 5
_READ_ALIKE = str.maketrans("OIL", "011", "- ")

INVITE_CODE_LENGTH_MAX = 64
"""Characters as typed. A code has 23; the rest is room for blanks."""

InviteCode = Annotated[str, PathParameter(min_length=1, max_length=INVITE_CODE_LENGTH_MAX, description="As typed.")]

_queries = load_queries(__package__)


class CoachLink(msgspec.Struct, frozen=True):
    """An athlete's relation to a coach."""

    coach_id: UUID
    coach_name: str
    since: datetime


class InviteOffer(msgspec.Struct, frozen=True):
    """What the holder of a code may know before accepting."""

    coach_id: UUID
    coach_name: str
    expires_at: datetime


def new_invite_code() -> str:
    """Draw a code such as `K7QF9-3XZ0M-PAV41-8TWEN`."""
    return "-".join("".join(secrets.choice(_ALPHABET) for _ in range(_GROUP_LENGTH)) for _ in range(_GROUPS))


def invite_fingerprint(code: str) -> bytes:
    """What stands in the database for a code, however it was typed.

    >>> invite_fingerprint("k7qf9 3xzom pav4l 8twen") == invite_fingerprint("K7QF9-3XZ0M-PAV41-8TWEN")
    True
    """
    return fingerprint(code.upper().translate(_READ_ALIKE))


async def accept_invite(connection: Connection, vault: Vault, code: str) -> CoachLink:
    """Link the signed-in athlete of this request to the coach who made the code; once linked, the same again.

    Raises NotFound for an unknown code, InviteUsed, InviteRevoked, InviteExpired, InviteForAnother, EmailNotVerified
    for an invite that is for the user's address alone, or RoleRequired when the user is no athlete.
    """
    return await _accept(connection, vault, invite_fingerprint(code))


async def accept_or_await_invite(connection: Connection, vault: Vault, code: str, *, now: datetime) -> CoachLink | None:
    """Accept at registration; an invite for this address alone is kept until the address is verified, and gives None.

    Raises as `accept_invite` does, but for EmailNotVerified.
    """
    try:
        return await accept_invite(connection, vault, code)
    except EmailNotVerified:
        await connection.execute(_queries.await_invite, invite_fingerprint(code), now)
        return None


async def accept_awaiting_invite(connection: Connection, vault: Vault, user_id: UUID, *, now: datetime) -> None:
    """Accept what waited for the address of the athlete of this request to be verified.

    Where it stands no more they are told, in their events and by mail: they expect a coach to see what they log.
    """
    code_hash = await connection.fetchval(_queries.take_awaiting_invite)
    if code_hash is None:
        return
    try:
        await _accept(connection, vault, code_hash)
    except ApiError as refusal:
        detail = {"reason": refusal.code}
        await record_event(connection, user_id, "invite_lapsed", vault=vault, actor_id=None, detail=detail)
        await ask_for_mail(connection, user_id, "invite_lapsed", now=now)


async def _accept(connection: Connection, vault: Vault, code_hash: bytes) -> CoachLink:
    row = await connection.fetchrow(_queries.accept_invite, code_hash)
    if row["outcome"] != "linked":
        raise invite_refusal(row["outcome"])
    if row["is_new"]:
        await record_link(connection, vault, "coach_linked", row["coach_id"], row["athlete_id"], by=row["athlete_id"])
    [coach_name] = await vault.texts(connection, USER_NAME, [(row["coach_id"], row["coach_name"])])
    return CoachLink(row["coach_id"], coach_name, row["since"])


async def record_link(
    connection: Connection,
    vault: Vault,
    action: Literal["coach_linked", "coach_unlinked"],
    coach_id: UUID,
    athlete_id: UUID,
    *,
    by: UUID,
) -> None:
    """Record on both sides that a relation began or ended; in one order, so that no two wait for each other."""
    for subject_id, other in sorted([(coach_id, athlete_id), (athlete_id, coach_id)]):
        detail = {"with": str(other)}
        await record_event(connection, subject_id, action, vault=vault, actor_id=by, detail=detail)


async def find_offer(connection: Connection, vault: Vault, code: str) -> InviteOffer:
    """Give who invites, to whoever holds the code. Raises as `standing_offer` does."""
    offer = standing_offer(await connection.fetchrow(_queries.get_invite_offer, invite_fingerprint(code)))
    key = await vault.unwrapped(offer["coach_id"], offer["wrapped"], offer["master_key_id"])
    return InviteOffer(offer["coach_id"], key.open_text(offer["coach_name"], what=USER_NAME), offer["expires_at"])


def standing_offer(offer: Any) -> Any:
    """Give what was found for a code back.

    Raises NotFound, InviteUsed, InviteRevoked or InviteExpired where nobody can accept it.
    """
    if offer is None:
        raise NotFound("invite")
    if offer["used"]:
        raise InviteUsed
    if offer.get("revoked"):
        raise InviteRevoked
    if offer["expired"]:
        raise InviteExpired
    return offer


def invite_refusal(outcome: str) -> ApiError:
    """Give the error for why somebody cannot accept an invite; both kinds of invites say it in these words."""
    match outcome:
        case "used":
            return InviteUsed()
        case "revoked":
            return InviteRevoked()
        case "expired":
            return InviteExpired()
        case "for_another":
            return InviteForAnother()
        case "unverified":
            return EmailNotVerified()
        case "not_an_athlete":
            return RoleRequired("athlete")
        case "not_a_coach":
            return RoleRequired("coach")
    return NotFound("invite")
