"""Whose a replica is: signing in adopts what was logged without an account, signing out takes all off the device."""

import msgspec

from apex_client import media_queue, thread_keys
from apex_client.accounts import Session, User
from apex_client.errors import (
    AddressUnconfirmed,
    AnotherUser,
    CoachOnAthleteReplica,
    SignedInAlready,
    UnsentWork,
)
from apex_client.known_devices import forget_device, keep_device_token
from apex_client.local import PROFILES, SELF_PROFILE_ID, SESSION, LocalReplica, sole_id
from apex_client.lost_account import carry_over, is_same_address, is_same_person
from apex_sync.ids import athlete_scope
from apex_sync.models.nutrition import dated_id
from apex_sync.session.device import SELF_SCOPE
from apex_sync.session.held import HeldRecord

_OWN_RECORDS = """
    SELECT count(*)
    FROM held_records
    JOIN held_scopes USING (scope_no)
    WHERE held_scopes.name <> 'global'
"""
"""The built-in library is everybody's, and comes with the next account."""


def check_user(local: LocalReplica, server: str, user: User) -> None:
    """Refuse another user than the one whose replica this is; of an account that is still to be made the id is empty.

    Raises AnotherUser where work of theirs is unsent, SignedInAlready, and CoachOnAthleteReplica.
    """
    previous = local.user
    count = unsent(local)
    if previous is not None and previous.id != user.id and not _is_lost(local, previous, server, user):
        same_address = is_same_address(previous, user)
        raise AnotherUser(count, previous.id) if count else SignedInAlready(previous.email, same_address=same_address)
    with local.store.transaction():
        athlete_logged = local.store.scope_role(SELF_SCOPE) is not None
    if athlete_logged and user.role == "coach":
        raise CoachOnAthleteReplica(count)


def sign_in(local: LocalReplica, session: Session, device_token: str | None = None) -> None:
    """Make a user's session this replica's, and the records of before the first sign-in the athlete's.

    `device_token` is the one by which the server knows this device as theirs.

    Raises what `check_user` does, with nothing changed.
    """
    check_user(local, session.server, session.user)
    previous = local.user
    with local.store.transaction():
        if previous is not None and previous.id != session.user.id:
            _move_to_new_account(local, previous, session.user)
        _adopt(local, session.user)
        if device_token:
            keep_device_token(local, session.user, device_token)
        local.store.keep_setting(SESSION, msgspec.json.encode(session))
    local.session = session


def keep_session(local: LocalReplica, session: Session) -> None:
    """Keep renewed tokens."""
    with local.store.transaction():
        local.store.keep_setting(SESSION, msgspec.json.encode(session))
    local.session = session


def check_sign_out(local: LocalReplica) -> None:
    """Return when nothing here would be lost. Raises UnsentWork, or AddressUnconfirmed for what is sent."""
    count, user = unsent(local), local.user
    if count:
        raise UnsentWork(count)
    if user is not None and not user.email_verified:
        (records,) = local.store.sql.execute(_OWN_RECORDS).fetchone()
        if records:
            raise AddressUnconfirmed(records, user.email)


def sign_out(local: LocalReplica, *, discard_unsent: bool) -> None:
    """Take the user and everything of theirs off this device. Raises as `check_sign_out`, unless it may be lost."""
    if not discard_unsent:
        check_sign_out(local)
    with local.store.transaction():
        _take_off(local)
        local.store.keep_setting(SESSION, None)
    local.session = None


def wipe(local: LocalReplica) -> None:
    """Take everything of an account that was erased off this device, down to the bytes in the file."""
    with local.store.transaction():
        _take_off(local)
        if local.user is not None:
            forget_device(local, local.user.id)
        local.store.keep_setting(SESSION, None)
    local.session = None
    local.store.scrub()


def unsent(local: LocalReplica) -> int:
    """Count records, rejected edits and media whose content is nowhere but here."""
    with local.store.transaction():
        return local.store.unsent() + media_queue.unsent(local)


def take_new_client_id(local: LocalReplica) -> int:
    """Write under a new client id from now on, unsent work included; give the id."""
    with local.store.transaction():
        local.device.fork()
    return local.client_id


def _is_lost(local: LocalReplica, previous: User, server: str, user: User) -> bool:
    """Tell whether the person who is signed in here goes on with another account of the same address."""
    same_server = local.session is not None and local.session.server == server
    return same_server and is_same_person(previous, user)


def _move_to_new_account(local: LocalReplica, lost: User, user: User) -> None:
    store = local.store
    old = list(store.scopes())
    local.device.fork()
    thread_keys.forget_all(local)
    carry_over(local, lost, user)
    for name in old:
        store.drop_scope(name)


def _take_off(local: LocalReplica) -> None:
    store = local.store
    for name in (*store.scopes(), SELF_SCOPE):
        store.drop_scope(name)
    store.empty_rejected_box()
    media_queue.empty(local)
    thread_keys.forget_all(local)
    # Clocks of records that are forgotten must not be used again.
    local.device.fork()


def _adopt(local: LocalReplica, user: User) -> None:
    store = local.store
    if store.scope_role(SELF_SCOPE) is None:
        return
    scope = athlete_scope(user.id)
    profile = store.one(SELF_SCOPE, SELF_PROFILE_ID)
    if profile is not None:
        _adopt_as(local, profile, scope, sole_id(PROFILES, scope))
    for log in store.select("WHERE scope.name = ? AND record.collection = ?", (SELF_SCOPE, "nutrition_logs")):
        if log.state.get("deleted") is True:
            store.delete(log)  # What was deleted is this draft, not the day that the account may have.
        else:
            _adopt_as(local, log, scope, dated_id(log.collection, user.id, log.state) or log.record_id)
    media_queue.move(local, SELF_SCOPE, scope)
    store.rename_scope(SELF_SCOPE, scope, "athlete")


def _adopt_as(local: LocalReplica, held: HeldRecord, scope: str, record_id: str) -> None:
    """Write again what was written to a record whose id names its athlete."""
    adopted = local.store.one(scope, record_id) or local.device.new_record(record_id, scope, held.collection)
    for write in held.take_unacknowledged():
        adopted.rewrite(write.patch, write.hlc, write.seen)
    local.store.delete(held)
    local.store.save([adopted], "local")
