"""What a replica does without a network: reads and edits of records, on the calling thread.

The async and the blocking replica run these methods one at a time; each edit is one durable transaction.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self, cast

import msgspec

from apex_client import thread_keys
from apex_client.accounts import Session, User
from apex_client.changes import Change
from apex_client.encryption import EncryptionKey
from apex_client.errors import AthleteNeeded, EditTooLarge, NoSuchRecord, NotGranted, RecordFull
from apex_client.identity import IdentityFile, open_device
from apex_client.opened_messages import OPENED, OpenedParts, read_opened
from apex_client.own_keys import OwnKeys
from apex_client.store import ReplicaStore
from apex_client.store_file import sqlite_errors
from apex_client.times import utc_text
from apex_client.upgrading import make_rows_anew
from apex_client.views import Snapshot
from apex_sync.coaching.weights import with_kilograms
from apex_sync.collection import Role
from apex_sync.compaction import compact, load_of
from apex_sync.errors import FieldProblem, ForbiddenField, MalformedOp, OutOfBounds, UnknownCollection
from apex_sync.ids import Scope, athlete_scope, derived_id, library_scope, record_id_from
from apex_sync.models import CLIENT_FILES, COLLECTIONS, MESSAGES
from apex_sync.models.client_file import client_file_id
from apex_sync.models.days import impossible_days, missing_day
from apex_sync.models.nutrition import dated_id, day_problem
from apex_sync.op import OP_BYTES_MAX, Patch, split_patch
from apex_sync.session.device import SELF_SCOPE, Device
from apex_sync.session.held import HeldRecord, OpTooLarge

PROFILES = "profiles"
SELF_PROFILE_ID = derived_id("profile", "self")
"""The profile of an athlete who has not signed in yet; it takes the athlete's own id then."""

SESSION = "session"
"""The setting that holds who is signed in, or was last."""

FULL = 7 / 8
"""The share of what a record may hold that the edits of an app fill; the rest is for devices that did not know of each
other, and for shortening it again."""


class LocalReplica:
    """The records of one replica file."""

    def __init__(self, store: ReplicaStore, device: Device, keys: OwnKeys) -> None:
        self.store = store
        self.device = device
        self.keys = keys
        with store.transaction():
            session = store.setting(SESSION)
        self.session = msgspec.json.decode(session, type=Session) if session else None

    @classmethod
    def open(
        cls,
        path: Path,
        identity_dir: Path | None,
        *,
        now_us: Callable[[], int],
        entropy: Callable[[int], bytes],
        key: EncryptionKey | None = None,
        device_name: str = "device",
    ) -> Self:
        """Open or make a replica file. Raises a ReplicaError, with the file left as it is."""
        store = ReplicaStore(path, now_us, key)
        try:
            with sqlite_errors(path):
                identity_file = IdentityFile(path, identity_dir)
                device = open_device(store, identity_file, now_us=now_us, entropy=entropy)
                keys = OwnKeys(store, identity_file, entropy, device_name)
                store.opener.pairs = keys.pairs
                make_rows_anew(store)
                return cls(store, device, keys)
        except BaseException:
            store.close()
            raise

    def close(self) -> None:
        """Close the file."""
        self.store.close()

    @property
    def user(self) -> User | None:
        """Whose replica this is."""
        return self.session.user if self.session else None

    @property
    def client_id(self) -> int:
        """The id of this installation in every record it writes."""
        return self.device.identity.client_id

    def take_changes(self) -> list[Change]:
        """Give what has changed since this was last asked."""
        changes, self.store.changes = self.store.changes, []
        return changes

    def make(self, collection: str, scope: str | None, fields: Patch, *, record_id: str | None = None) -> Snapshot:
        """Make a record as `create` does, with the day that its kind needs. Raises OutOfBounds where it has none."""
        held = self.store.one(scope or self.own_scope(collection), record_id) if record_id else None
        require_day(collection, fields, held.state if held else None)
        return self.create(collection, scope, fields, record_id=record_id)

    def create(self, collection: str, scope: str | None, fields: Patch, *, record_id: str | None = None) -> Snapshot:
        """Make a record; one whose id is given, or follows from its day, and which is there already, is edited."""
        home = scope or self.own_scope(collection)
        known_id = record_id or dated_id(collection, home.rpartition(":")[2], fields)
        with self.store.transaction():
            held = self.store.one(home, known_id) if known_id else None
            if record_id is None and held is None:
                fields = {"created_at": utc_text(self.device.now_us()), **fields}
            elif record_id is None and held is not None and held.state.get("deleted") is True:
                fields = {"deleted": False, **fields}
            new_id = known_id or record_id_from(self.device.now_us() // 1000, self.device.entropy(10))
            held = held or self.device.new_record(new_id, home, collection)
            require_own_day(held, fields)
            self.write(held, with_kilograms(collection, fields, held.state))
        return self.snapshot_of(held)

    def edit(
        self, collection: str, record_id: str, build: Callable[[Patch], Patch], *, scope: str | None = None
    ) -> Snapshot:
        """Change a record by the patch that `build` makes of its state. Raises NoSuchRecord and what `build` does."""
        with self.store.transaction():
            held = self.find(collection, record_id, scope)
            patch = build(held.state)
            require_own_day(held, patch)
            require_day(collection, patch, held.state)
            self.write(held, with_kilograms(collection, patch, held.state))
        return self.snapshot_of(held)

    def snapshot(self, collection: str, record_id: str, *, scope: str | None = None) -> Snapshot:
        """Read a record. Raises NoSuchRecord."""
        with sqlite_errors(self.store.path):
            return self.snapshot_of(self.find(collection, record_id, scope))

    def sole(self, collection: str, scope: str | None) -> Snapshot:
        """Read the one record of its kind in a scope, empty where nothing was written yet."""
        home = scope or self.own_scope(collection)
        record_id = sole_id(collection, home)
        with sqlite_errors(self.store.path):
            held = self.store.one(home, record_id)
        return self.snapshot_of(held) if held else Snapshot(record_id, collection, home, {})

    def edit_sole(self, collection: str, scope: str | None, fields: Patch) -> Snapshot:
        """Set fields of the one record of its kind in a scope."""
        home = scope or self.own_scope(collection)
        return self.create(collection, home, fields, record_id=sole_id(collection, home))

    def find(self, collection: str, record_id: str, scope: str | None) -> HeldRecord:
        """Give a record, by its id alone where it has left the scope that a handle remembers. Raises NoSuchRecord."""
        held = self.store.one(scope, record_id) if scope else None
        if held is None:
            scopes = self.store.scopes_of(record_id, collection)
            if len(scopes) > 1:
                raise AthleteNeeded
            held = self.store.one(scopes[0], record_id) if scopes else None
        if held is None or held.collection != collection:
            raise NoSuchRecord(collection, record_id)
        return held

    def write(self, held: HeldRecord, fields: Patch) -> None:
        """Save an edit of a record. Raises what `stamp` raises."""
        if self.stamp(held, fields):
            self.store.save([held], "local")

    def stamp(self, held: HeldRecord, patch: Patch) -> bool:
        """Write an edit into a record that is saved afterwards; tell whether there was anything to write.

        Raises OutOfBounds, ForbiddenField, ThreadEncrypted, EditTooLarge or RecordFull; then nothing of it is saved.
        """
        collection = COLLECTIONS.get(held.collection)
        if collection is None:
            raise UnknownCollection(held.collection)
        role = self.role_in(held.scope)
        if collection is MESSAGES:
            thread_keys.require_sealed(self, held.scope, patch)
        forbidden = collection.forbidden_fields(patch, role)
        if forbidden:
            raise ForbiddenField(collection.name, forbidden, role)
        is_new = not held.document.next_clocks
        before = held.state
        try:
            typed = msgspec.convert(patch, collection.model)
            for problem in impossible_days(collection.model, patch):
                raise OutOfBounds(collection.name, problem)
            written = self.append(held, patch)
        except (msgspec.ValidationError, MalformedOp, TypeError, OverflowError, UnicodeEncodeError) as error:
            collection.check_bounds(patch)
            raise OutOfBounds(collection.name, FieldProblem("", str(error))) from error
        if is_new:
            held.problems = list(collection.check(typed))
        if load_of(held.document).exceeds(FULL) and _is_full(held, before):
            raise RecordFull(held.record_id)
        return written

    def append(self, held: HeldRecord, patch: Patch) -> bool:
        """Write an edit as it is into a record that is saved afterwards, in as many ops as it needs.

        Tells whether there was anything to write. Raises EditTooLarge, and what no op can hold.
        """
        try:
            return held.write(patch, self.device.now_us())
        except OpTooLarge:
            pieces = split_patch(patch)
        if pieces is None:
            raise EditTooLarge(OP_BYTES_MAX + 1, OP_BYTES_MAX)
        return any([held.write(piece, self.device.now_us()) for piece in pieces])

    def snapshot_of(self, held: HeldRecord) -> Snapshot:
        """Give a record as an app sees it."""
        state = held.state
        if held.problems is None:
            held.problems = _problems(held.collection, state)
        return Snapshot(
            record_id=held.record_id,
            collection=held.collection,
            scope=held.scope,
            state=state,
            problems=tuple(held.problems),
            pending=held.pending,
            conflicts=len(held.conflicts),
            opened=thread_keys.verified(self, held.scope, self.opened(held)),
        )

    def opened(self, held: HeldRecord) -> OpenedParts:
        """Give what this device could open of a message."""
        if held.collection != MESSAGES.name:
            return {}
        return read_opened(self.store.sql.execute(OPENED, (held.place,)).fetchall())

    def own_scope(self, collection: str) -> str:
        """Give where a new record of this user belongs. Raises AthleteNeeded where a coach has to say it."""
        user = self.user
        if user is None:
            return SELF_SCOPE
        if user.role == "athlete":
            return athlete_scope(user.id)
        kinds = COLLECTIONS[collection].scope_kinds if collection in COLLECTIONS else frozenset()
        if "coach" in kinds:
            return f"coach:{user.id}"
        if "library" in kinds:
            return library_scope(user.id)
        raise AthleteNeeded

    def role_in(self, scope: str) -> Role:
        """Give the role in which this user writes in a scope. Raises NotGranted."""
        role = self.store.scope_role(scope)
        if role is None:
            role = self._role_by_name(scope)
        if role is None:
            raise NotGranted(scope)
        return cast("Role", role)

    def _role_by_name(self, scope: str) -> str | None:
        """Tell the role in a scope that no sync has brought yet, where it follows from whose it is."""
        user = self.user
        if scope == SELF_SCOPE:
            return "athlete" if user is None else None
        if user is None:
            return None
        kind, _, rest = scope.partition(":")
        own = rest.split(":")[0] == user.id
        return user.role if own and (kind == "athlete") == (user.role == "athlete") else None


def require_day(collection: str, patch: Patch, before: Patch | None) -> None:
    """Raise OutOfBounds where what an app writes leaves a record without the day it needs."""
    problem = missing_day(collection, patch, before)
    if problem is not None:
        raise OutOfBounds(collection, problem)


def require_own_day(held: HeldRecord, patch: Patch) -> None:
    """Raise OutOfBounds where an edit would make a day's record that of another day."""
    problem = day_problem(held.collection, held.scope.rpartition(":")[2], held.record_id, patch)
    if problem is not None:
        raise OutOfBounds(held.collection, problem)


def _is_full(held: HeldRecord, before: Patch) -> bool:
    """Tell whether a record says too much after an edit; one that says no more than before may always be edited.

    It is what a compaction would leave that counts: the history is the server's to shorten.
    """
    held.drop_overwritten()
    if not load_of(compact(held.document, held.client_id).document).exceeds(FULL):
        return False
    return _size(held.state) > _size(before) and _size(_shown(held.state)) > _size(_shown(before))


def _shown(state: Patch) -> Patch:
    """Leave out what is deleted: deleting says less, though it takes a leaf more."""
    if state.get("deleted") is True:
        return {}
    return {key: _shown(value) if isinstance(value, dict) else value for key, value in state.items()}


def _size(state: Patch) -> int:
    return len(msgspec.msgpack.encode(state))


def _problems(collection: str, state: Patch) -> Sequence[FieldProblem]:
    known = COLLECTIONS.get(collection)
    if known is None:
        return ()
    try:
        return known.read(state)[1]
    except msgspec.ValidationError as error:
        return [FieldProblem("", str(error))]


def sole_id(collection: str, scope: str) -> str:
    """Give the id of the one record of its kind in a scope: an athlete's profile, a coach's file on an athlete."""
    if scope == SELF_SCOPE:
        return SELF_PROFILE_ID
    _, owner_id, about_id = Scope.parse(scope)
    return client_file_id(owner_id, about_id) if collection == CLIENT_FILES.name else owner_id
