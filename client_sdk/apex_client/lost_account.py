"""Keeping what is here when the account that it was logged in is not the one that its person goes on with.

The server was restored to before the account was made, and they registered again. Or they forgot that they have one,
registered beside it, and sign in to the first: the second can never have their address, so no device but this one ever
opened it. Either way what this device holds of it is nowhere else that they could read, and must not go: it is written
anew in the other account, as it stands, without its history and without what others alone may write.
"""

from apex_client import media_queue
from apex_client.accounts import User
from apex_client.local import PROFILES, LocalReplica, sole_id
from apex_sync.ids import athlete_scope, library_scope
from apex_sync.models import COLLECTIONS
from apex_sync.models.nutrition import dated_id
from apex_sync.op import Patch
from apex_sync.session.held import HeldRecord

__all__ = ["carry_over", "is_same_person"]

RECORDS_AT_ONCE = 100


def is_same_person(lost: User, user: User) -> bool:
    """Tell whether two accounts of one server are of one person, by the address they both name."""
    return (lost.email.casefold(), lost.role) == (user.email.casefold(), user.role)


def carry_over(local: LocalReplica, lost: User, user: User) -> None:
    """Write what is the person's own anew for their new account, within a transaction of the caller.

    The old records stay for the caller to drop.
    """
    for old, new in zip(_own_scopes(lost), _own_scopes(user), strict=True):
        place = 0
        while records := local.store.select(
            "WHERE scope.name = ? AND record.record_no > ? ORDER BY record.record_no LIMIT ?",
            (old, place, RECORDS_AT_ONCE),
        ):
            local.store.save([_anew(local, held, new, user) for held in records], "local")
            place = records[-1].place
        local.store.drop_held_rejections(old)
        media_queue.move(local, old, new)
        local.store.sql.execute("UPDATE rejections SET scope = ? WHERE scope = ?", (new, old))


def _own_scopes(user: User) -> list[str]:
    if user.role == "athlete":
        return [athlete_scope(user.id)]
    return [f"coach:{user.id}", library_scope(user.id)]


def _anew(local: LocalReplica, held: HeldRecord, scope: str, user: User) -> HeldRecord:
    by_day = dated_id(held.collection, user.id, held.state)
    record_id = sole_id(PROFILES, scope) if held.collection == PROFILES else by_day or held.record_id
    new = local.device.new_record(record_id, scope, held.collection)
    local.append(new, _writable(held, user))
    return new


def _writable(held: HeldRecord, user: User) -> Patch:
    collection = COLLECTIONS.get(held.collection)
    forbidden = collection.forbidden_fields(held.state, user.role) if collection else ()
    return {field: value for field, value in held.state.items() if field not in forbidden}
