"""The policy: what follows from who somebody is, whom they work with, and what was consented to. Pure.

`scopes_of` says what is replicated to a user and what they may write there; `supported_scopes_of` what a support
account may read under a look, through the server, for as long as the person consents. Their twins in Postgres are the
functions `apex_scopes_of` and `apex_supported_scopes_of`, on which row-level security, sync and REST stand; a property
test holds twins equal over random worlds. A rule that is not here does not exist.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, Literal, TypeAlias
from uuid import UUID

from msgspec import Struct

from apex_sync.ids import Scope, athlete_scope, library_scope, private_scope, thread_scope

__all__ = [
    "CONSENT_KINDS",
    "SUPPORT_CONSENT_DAYS_MAX",
    "Access",
    "Coaching",
    "Consent",
    "ConsentKind",
    "Look",
    "Membership",
    "People",
    "Role",
    "has_pages",
    "is_consented",
    "owns_scope",
    "scopes_of",
    "supported_scopes_of",
]

Role: TypeAlias = Literal["athlete", "coach", "owner", "support"]
"""Of an account, for good. The server itself, the system, has none: nobody signs in as it."""

Access: TypeAlias = Literal["athlete", "coach", "reader", "support", "system"]
"""What somebody is in a scope: its athlete or a coach of theirs, who write what each collection lets them; one who
reads along; support, who reads through the server alone; or the server itself."""

ConsentKind: TypeAlias = Literal["ai_analysis", "messages", "support_access"]
"""What nobody obeys is not asked for: a test finds, for each kind, the query that asks whether it stands."""
CONSENT_KINDS: Final[Sequence[ConsentKind]] = ("ai_analysis", "messages", "support_access")

SUPPORT_CONSENT_DAYS_MAX = 7
"""A consent to support ends by itself: nobody remembers to take one back."""


class Coaching(Struct, frozen=True):
    """A coach and an athlete, while or after they work together."""

    coach_id: UUID
    athlete_id: UUID
    ended: bool = False


class Membership(Struct, frozen=True):
    """A coach in the organisation of an owner."""

    owner_id: UUID
    coach_id: UUID
    ended: bool = False


class Consent(Struct, frozen=True):
    """One consent of a user; only that to `support_access` has an end."""

    user_id: UUID
    kind: ConsentKind
    withdrawn: bool = False
    expires_at: datetime | None = None


class Look(Struct, frozen=True):
    """A support account looks at a person, one at a time."""

    id: UUID
    support_id: UUID
    user_id: UUID
    expires_at: datetime
    ended: bool = False


class People(Struct, frozen=True):
    """Everything that the policy depends on."""

    roles: Mapping[UUID, Role]
    coachings: Sequence[Coaching] = ()
    memberships: Sequence[Membership] = ()
    consents: Sequence[Consent] = ()
    looks: Sequence[Look] = ()


def scopes_of(people: People, user_id: UUID) -> dict[str, Access]:
    """Give every scope that is replicated to a user, and what they are in it."""
    role = people.roles.get(user_id)
    if role is None:
        return {}
    scopes: dict[str, Access] = {"global": "reader", **_own_scopes(user_id, role)}
    for pair in people.coachings:
        if pair.ended:
            continue
        thread = thread_scope(str(pair.coach_id), str(pair.athlete_id))
        if pair.coach_id == user_id:
            scopes |= dict.fromkeys([*_scopes_of_pair(pair), thread], "coach")
        if pair.athlete_id == user_id:
            scopes |= {thread: "athlete", library_scope(str(pair.coach_id)): "reader"}
    for member in people.memberships:
        if member.owner_id == user_id and not member.ended:
            scopes |= dict.fromkeys(_scopes_of_coach(people, member.coach_id), "reader")
    return scopes


def supported_scopes_of(people: People, support_id: UUID, look_id: UUID | None, now: datetime) -> dict[str, Access]:
    """Give what a support account may read under a look: what one consenting person has of their own."""
    return {
        scope: "support"
        for look in people.looks
        if look.id == look_id and look.support_id == support_id and not look.ended and look.expires_at > now
        if is_consented(people, look.user_id, "support_access", now)
        for scope in _own_scopes(look.user_id, people.roles[look.user_id])
    }


def is_consented(people: People, user_id: UUID, kind: ConsentKind, now: datetime) -> bool:
    """Tell whether a consent of this kind stands."""
    return any(
        consent.user_id == user_id
        and consent.kind == kind
        and not consent.withdrawn
        and (consent.expires_at is None or consent.expires_at > now)
        for consent in people.consents
    )


def owns_scope(user_id: UUID, role: Role, scope: Scope) -> bool:
    """Tell whether a scope is somebody's own, and not only theirs to read.

    What is private to a coach is the coach's; what two people wrote to each other is the own of both.
    """
    is_private = role == "coach" and scope.kind == "private" and scope.owner_id == str(user_id)
    is_thread = scope.kind == "thread" and str(user_id) in (scope.owner_id, scope.about_id)
    return is_private or is_thread or scope.name in _own_scopes(user_id, role)


def has_pages(role: Role) -> bool:
    """Tell whether the coach's pages are for somebody of this role."""
    return role == "coach"


def _own_scopes(user_id: UUID, role: Role) -> dict[str, Access]:
    if role == "athlete":
        return {athlete_scope(str(user_id)): "athlete"}
    if role == "coach":
        return {f"coach:{user_id}": "coach", library_scope(str(user_id)): "coach"}
    return {}


def _scopes_of_pair(pair: Coaching) -> list[str]:
    """List what a coach reads of an athlete, and an owner with them; their messages are between the two."""
    coach_id, athlete_id = str(pair.coach_id), str(pair.athlete_id)
    return [athlete_scope(athlete_id), private_scope(coach_id, athlete_id)]


def _scopes_of_coach(people: People, coach_id: UUID) -> list[str]:
    """List what an owner reads with one of their coaches."""
    pairs = [pair for pair in people.coachings if pair.coach_id == coach_id and not pair.ended]
    shared = [f"coach:{coach_id}", library_scope(str(coach_id))]
    return [*shared, *(scope for pair in pairs for scope in _scopes_of_pair(pair))]
