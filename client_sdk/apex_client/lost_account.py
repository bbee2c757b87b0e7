"""Keeping what is here when the account that it was logged in is not the one that its person goes on with.

The server was restored to before the account was made, and they registered again. Or they forgot that they have one,
registered beside it, and sign in to the first: the second can never have their address, so its password opens it on
this device alone, and elsewhere at most a passkey made here. Either way what this device holds of it is where its
person will not look again, and must not go: it is written again in the other account, each write with the stamp it had,
without its history and without what others alone may write. So where both accounts have a record, the same holds as
between two devices of one account: the later edit wins, and what is carried over later is no later edit.
"""

from apex_client import media_queue
from apex_client.accounts import User
from apex_client.local import PROFILES, LocalReplica, sole_id
from apex_sync.addresses import email_key
from apex_sync.fold import surviving_writes
from apex_sync.ids import athlete_scope, library_scope
from apex_sync.models import COLLECTIONS
from apex_sync.models.nutrition import dated_id
from apex_sync.op import Patch
from apex_sync.session.device import Rejection
from apex_sync.session.held import HeldRecord

__all__ = ["carry_over", "is_same_address", "is_same_person"]

RECORDS_AT_ONCE = 100

OTHER_ACCOUNT = "other_account"
"""The code, in the rejected box, of what was written where the account that is gone on with has no place."""


def is_same_address(lost: User, user: User) -> bool:
    """Tell whether two accounts of one server name the same address."""
    return email_key(lost.email) == email_key(user.email)


def is_same_person(lost: User, user: User) -> bool:
    """Tell whether two accounts of one server are of one person, by the address they both name, in one role."""
    return is_same_address(lost, user) and lost.role == user.role


def carry_over(local: LocalReplica, lost: User, user: User) -> None:
    """Write what is the person's own again for their other account, within a transaction of the caller.

    What was not sent yet of anything else goes into the rejected box: a message to a coach whom the other account does
    not have. The old records stay for the caller to drop.
    """
    theirs = _own_scopes(lost)
    for name in local.store.scopes():
        if name not in theirs:
            _set_aside(local, name, user)
    for old, new in zip(theirs, _own_scopes(user), strict=True):
        place = 0
        while records := local.store.select(
            "WHERE scope.name = ? AND record.record_no > ? ORDER BY record.record_no LIMIT ?",
            (old, place, RECORDS_AT_ONCE),
        ):
            local.store.save([_again(local, held, new, user) for held in records], "local")
            place = records[-1].place
        local.store.drop_held_rejections(old)
        media_queue.move(local, old, new)
        local.store.sql.execute("UPDATE rejections SET scope = ? WHERE scope = ?", (new, old))


def _own_scopes(user: User) -> list[str]:
    if user.role == "athlete":
        return [athlete_scope(user.id)]
    return [f"coach:{user.id}", library_scope(user.id)]


def _again(local: LocalReplica, held: HeldRecord, scope: str, user: User) -> HeldRecord:
    by_day = dated_id(held.collection, user.id, held.state)
    record_id = sole_id(PROFILES, scope) if held.collection == PROFILES else by_day or held.record_id
    new = local.device.new_record(record_id, scope, held.collection)
    for write in sorted(surviving_writes(held.writes), key=lambda write: write.rank):
        patch = _writable(held.collection, write.patch, user)
        if patch:
            new.rewrite(patch, write.hlc, {})
    return new


def _writable(name: str, patch: Patch, user: User) -> Patch:
    collection = COLLECTIONS.get(name)
    forbidden = collection.forbidden_fields(patch, user.role) if collection else ()
    return {field: value for field, value in patch.items() if field not in forbidden}


def _set_aside(local: LocalReplica, scope: str, user: User) -> None:
    local.store.drop_held_rejections(scope)
    media_queue.set_aside(local, scope, _own_scopes(user)[0], OTHER_ACCOUNT)
    place = 0
    while records := local.store.select(
        "WHERE scope.name = ? AND record.next > record.acked AND record.record_no > ?"
        " ORDER BY record.record_no LIMIT ?",
        (scope, place, RECORDS_AT_ONCE),
    ):
        local.store.reject([_rejection(local, held) for held in records])
        place = records[-1].place


def _rejection(local: LocalReplica, held: HeldRecord) -> Rejection:
    return Rejection(
        record_id=held.record_id,
        scope=held.scope,
        collection=held.collection,
        code=OTHER_ACCOUNT,
        field="",
        message="written in another account of this address, and not sent before it was left",
        patches=[write.patch for write in held.take_unacknowledged()],
        at_us=local.device.now_us(),
        held=False,
    )
